# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Bad, large, slow and numerous input."""
import select
import socket
import time
import unittest

from harness import Server, read_all, wait_for

HOST = b"Host: x\r\n"
CLOSE = b"Connection: close\r\n"
MB = 1 << 20


def request(line, *headers, body=b""):
    return line + b" HTTP/1.1\r\n" + HOST + CLOSE + b"".join(headers) + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
ABC = b"3\r\nabc\r\n0\r\n\r\n"


def length(n):
    return b"Content-Length: %d\r\n" % n


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None)

    def check(self, *cases):
        for status, data in cases:
            self.assertEqual(self.server.raw_status(data), status, data[:60])
        self.assertEqual(self.server.get("/fast")[0], 200)

    def test_not_http(self):
        self.check((400, b"\0\1\2 garbage\r\n\r\n"), (400, b"X\r\n\r\n"), (400, b"\r\n\r\n"),
                   (400, b"GET /fast HTTP/-1.1\r\n\r\n"), (400, b"GET /fast HTTP/2.0\r\n\r\n"),
                   (400, b"GET /fast HTTP/1.1\r\n\r\n"),  # no Host
                   (400, request(b"GET /fast", HOST)),
                   (400, request(b"GET /fast", b"X : y\r\n")),
                   (400, request(b"GET /fast", b"no colon\r\n")),
                   (400, request(b"GET /fa st")), (400, request(b"GET /fast%00x")),
                   (400, request(b"GET /f\x01st")), (400, request(b"GET /f\xe4st")),
                   (400, request(b"GET fast")), (400, request(b"GET x:80")),
                   (200, request(b"GET http://other:1/fast")))

    def test_old_and_future_versions(self):
        answer = self.server.raw(b"GET /fast HTTP/1.0\r\n\r\n")
        self.assertIn(b"200 OK", answer)
        answer = self.server.raw(b"GET /fast HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2 +
                                 b"GET /fast HTTP/1.0\r\n\r\n")
        self.assertEqual(answer.count(b"200 OK"), 3)
        answer = self.server.raw(request(b"GET /fast").replace(b"HTTP/1.1", b"HTTP/1.9"))
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)

    def test_expectations(self):
        begin = request(b"POST /encode", b"Expect: 100-continue\r\n", length(3))
        with self.server.connect() as s:
            s.sendall(begin)
            self.assertEqual(s.recv(4096), b"HTTP/1.1 100 Continue\r\n\r\n")
            s.sendall(b"abc")
            self.assertIn(b" 200 OK", read_all(s))
        self.check((200, begin + b"abc"), (417, request(b"POST /encode", b"Expect: x\r\n", length(3))))

    def test_bad_query(self):
        for query in b"ms=", b"ms=x", b"ms=-1", b"ms=60001", b"ms=1&ms=1", b"ms", b"ms=%4", \
                b"mode=x", b"ms=99999999999999999999", b"ms=1%00":
            self.check((400, request(b"GET /sleep?" + query)))
        self.check((200, request(b"GET /sleep?ms=0&other=%zz&&")))

    def test_no_such_route_or_method(self):
        self.check((404, request(b"GET /nowhere")), (404, request(b"OPTIONS *")),
                   (405, request(b"POST /fast", length(0))), (405, request(b"GET /encode")),
                   (405, request(b"DELETE /encode")), (501, request(b"FROB /fast")),
                   (501, request(b"CONNECT x:80")))
        self.assertEqual(self.server.get("/encode", "PUT")[1]["Allow"], "POST")

    def test_too_long(self):
        for n in 9000, 100000:
            self.check((414, request(b"GET /" + b"a" * n)))
        self.check((431, request(b"GET /fast", b"X: " + b"a" * 100000 + b"\r\n")),
                   (431, request(b"GET /fast", b"X: y\r\n" * 20000)))

    def test_body_too_large(self):
        self.check((413, request(b"POST /encode", length(9 * MB))),  # before a byte of it
                   (413, request(b"POST /encode", length(9 * MB), body=b"a" * 9 * MB)),
                   (413, request(b"POST /encode", length(40 * MB), body=b"a" * 40 * MB)),
                   (413, request(b"POST /encode", b"Expect: 100-continue\r\n", length(9 * MB))),
                   (413, request(b"POST /encode", CHUNKED, body=b"fffffff\r\naaa")),
                   (200, request(b"POST /encode", length(8 * MB), body=b"a" * 8 * MB)))

    def test_ambiguous_framing(self):
        self.check((400, request(b"POST /encode", CHUNKED, length(3), body=ABC)),
                   (400, request(b"POST /encode", length(3), length(3), body=b"abc")),
                   (400, request(b"POST /encode", b"Content-Length: +3\r\n", body=b"abc")),
                   (400, request(b"POST /encode", b"Content-Length: -3\r\n", body=b"abc")),
                   (400, request(b"HEAD /fast", length(10), body=b"0123456789")),
                   (501, request(b"POST /encode", b"Transfer-Encoding: gzip\r\n")),
                   (200, request(b"POST /encode", CHUNKED, body=ABC)))
        self.check((400, b"POST /encode HTTP/1.0\r\n" + CHUNKED + b"\r\n" + ABC),
                   (400, request(b"POST /encode", b"Transfer-Encoding:\r\n chunked\r\n", body=ABC)),
                   (400, request(b"POST /encode", b"Transfer-Encoding: chunked\0\r\n", body=ABC)),
                   (400, request(b"GET /fast", b"X: y\r\n z\r\n")))

    def test_ambiguous_chunks(self):
        for size in b" 3", b"+3", b"0x3", b"3 ", b"3 x", b"3;a=b", b"-3", b"x", b"":
            bad = request(b"POST /encode", CHUNKED, body=size + b"\r\nabc\r\n0\r\n\r\n")
            self.check((400, bad))
            # Sent ahead, it is read only after the answer before it: what evhttp cannot read is 413.
            answer = self.server.raw(b"GET /sleep?ms=30 HTTP/1.1\r\n" + HOST + b"\r\n" + bad)
            self.assertIn(b"slept_ms", answer)
            self.assertRegex(answer, b"HTTP/1.1 4(00|13) ", size)
            self.assertEqual(answer.count(b"HTTP/1.1"), 2)

    def test_a_large_body_sent_ahead_is_measured_whole(self):
        body = b"".join(b"1000\r\n" + b"a" * 4096 + b"\r\n" for _ in range(60))
        answer = self.server.raw(b"GET /sleep?ms=200 HTTP/1.1\r\n" + HOST + b"\r\n" + request(
            b"POST /encode", CHUNKED, body=body + b"+3\r\nabc\r\n0\r\n\r\n"))
        self.assertIn(b"HTTP/1.1 400 ", answer)
        answer = self.server.raw(b"GET /sleep?ms=200 HTTP/1.1\r\n" + HOST + b"\r\n" + request(
            b"POST /encode", CHUNKED, body=body + b"3\r\nabc\r\n0\r\n\r\n"))
        self.assertEqual(answer.count(b"HTTP/1.1 200 "), 2)

    def test_requests_sent_ahead_are_answered_in_order(self):
        ahead = b"GET /sleep?ms=30 HTTP/1.1\r\n" + HOST + b"\r\n" + request(b"GET /healthz")
        answer = self.server.raw(ahead)
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 2)
        self.assertLess(answer.index(b"slept_ms"), answer.index(b"\r\nok\n"))

    def test_a_client_that_has_said_all_still_gets_its_answer(self):
        with self.server.connect() as s:
            s.sendall(b"GET /fast HTTP/1.1\r\n" + HOST + b"\r\n")
            s.shutdown(socket.SHUT_WR)
            self.assertIn(b"200 OK", read_all(s))


class Slow(unittest.TestCase):
    def check_dripped(self, server, data, expected):
        """One byte each 50 ms until it answers, so that no wait between two is long."""
        with server.connect() as s:
            for byte in data:
                s.sendall(bytes([byte]))
                if select.select([s], [], [], 0.05)[0]:
                    break
            else:
                self.fail("all of it was taken")
            self.assertIn(expected, read_all(s))

    def test_a_request_that_drips_in_is_cut_off(self):
        with Server("--request-timeout", "1s") as server:
            self.check_dripped(server, b"GET /" + b"a" * 1000, b" 408 ")
            self.check_dripped(server, request(b"GET /fast", b"X: " + b"a" * 1000), b" 408 ")
            head = request(b"POST /encode", length(1000))
            with server.connect() as s:
                s.sendall(head)
                self.assertIn(b" 408 ", read_all(s))

    def test_idle_connections_end(self):
        with Server("--idle-timeout", "1s") as server:
            with server.connect() as silent, server.connect() as used:
                used.sendall(b"GET /fast HTTP/1.1\r\n" + HOST + b"\r\n")
                self.assertEqual(read_all(silent), b"")  # within connect()'s time-out
                self.assertIn(b" 200 ", read_all(used))


class Many(unittest.TestCase):
    def test_connections_over_the_limit_are_told_so(self):
        with Server("--max-connections", "20") as server:
            held = [server.connect() for _ in range(20)]
            for s in held:
                s.sendall(b"GET /fast HTTP/1.1\r\n" + HOST + b"\r\n")
                self.assertIn(b" 200 ", s.recv(4096))
            answer = server.raw(b"GET /fast HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertIn(b" 503 ", answer)
            self.assertIn(b"Retry-After:", answer)
            for s in held:
                s.close()
            wait_for(lambda: server.get("/fast")[0] == 200, "a place to be free")

    def test_a_flood_over_the_limit_is_outlived(self):
        with Server("--max-connections", "20") as server:
            held = [server.connect() for _ in range(300)]  # most wait to be accepted
            time.sleep(0.3)
            for s in held:
                s.close()
            wait_for(lambda: server.get("/fast")[0] == 200, "a place to be free")
            wait_for(lambda: server.metric("offload_connections") == 1, "all others to be closed")


if __name__ == "__main__":
    unittest.main()
