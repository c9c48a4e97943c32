# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""upstream.py HTTP_PORT ECHO_PORT [DNS_ADDRESS]: what the services under test call. An HTTP server whose
answer to /MS takes MS milliseconds, an echo server that takes 0.3 ms, a name server that takes 30 ms."""
import http.server
import socket
import socketserver
import sys
import threading
import time


class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(int(self.path.strip("/")) / 1000)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := self.request.recv(64):
            time.sleep(0.0003)
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def answer_names(address):
    """Every A question is answered 127.0.0.1, late; every other one with nothing."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 53))
    while True:
        query, client = s.recvfrom(512)
        end = query.index(b"\0", 12) + 1
        is_a = query[end : end + 2] == b"\0\1"
        head = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0"
        reply = head + query[12 : end + 4]
        if is_a:
            reply += b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1"
        time.sleep(0.03)
        s.sendto(reply, client)


threading.Thread(target=EchoServer(("127.0.0.1", int(sys.argv[2])), Echo).serve_forever, daemon=True).start()
if len(sys.argv) > 3:
    threading.Thread(target=answer_names, args=(sys.argv[3],), daemon=True).start()
server = Server(("127.0.0.1", int(sys.argv[1])), Slow)
print("ready", flush=True)
server.serve_forever()
