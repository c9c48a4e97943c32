# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""hostile.py URL PID [SCRAPERS]: garbage, huge and slow requests, slow readers and many scrapers at
once against a running export. Each is served or refused; meanwhile a well-behaved scraper is served."""
import socket, sys, threading, time, urllib.parse, urllib.request

url, pid = sys.argv[1], int(sys.argv[2])
scrapers = int(sys.argv[3]) if len(sys.argv) > 3 else 500
where = urllib.parse.urlparse(url)
address = (where.hostname, where.port)
TIMEOUT = 30  # of what is stuck; a crowded machine is slow
GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"


def connect():
    return socket.create_connection(address, TIMEOUT)


def drain(s):
    got = b""
    try:
        while chunk := s.recv(65536):
            got += chunk
    except OSError:
        pass
    return got


def status(request):
    """The status of the answer to raw bytes; 0: closed without one."""
    with connect() as s:
        try:
            s.sendall(request)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has closed already
        answer = drain(s)
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def ask():
    with connect() as s:
        s.sendall(GET + b"Connection: close\r\n\r\n")
        return drain(s)


def is_whole(answer):
    return answer.startswith(b"HTTP/1.1 200 ") and b"\nloopstall_build_info" in answer


def good_scrape():
    begin = time.monotonic()
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        text = answer.read()
    assert b"\nloopstall_build_info" in text, "a scrape is cut"
    return time.monotonic() - begin


def files():
    import os
    return len(os.listdir(f"/proc/{pid}/fd"))


def rss_kb():
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])


def garbage():
    assert status(b"\x00\xff\x16\x03\x01" * 100) in (0, 400)
    assert status(b"\r\n" * 1000) in (0, 400)
    assert status(b"GET\r\n\r\n") in (0, 400)
    assert status(b"GET /metrics HTTP/9.9\r\n\r\n") in (0, 400, 505)
    assert status(b"DELETE /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == 405
    assert status(b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == 404
    assert status(GET + b"Accept: \xff\xfe\r\nConnection: close\r\n\r\n") == 200


def huge():
    assert status(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n") in (0, 413, 414, 431)
    assert status(GET + b"X: " + b"b" * 1000000 + b"\r\n\r\n") in (0, 413, 431)
    many = b"".join(b"X-%d: y\r\n" % i for i in range(20000))
    assert status(GET + many + b"\r\n") in (0, 413, 431)
    body = b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"c" * 500000
    assert status(body) in (0, 405, 413)


def crowd(of, make):
    """Holds many connections which `make` has begun; a good scraper must be served all the same."""
    held = []
    try:
        for _ in range(of):
            s = connect()
            make(s)
            held.append(s)
        return max(good_scrape() for _ in range(5))
    finally:
        for s in held:
            s.close()


def slow_request(s):
    s.sendall(GET[:20])


def slow_reader(s):
    """The text must be larger than what the kernel holds for a connection: a few hundred kilobytes."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.sendall(GET + b"\r\n")


def many_scrapers():
    """All connected, then all ask."""
    took, failed = [], []
    connected = threading.Barrier(scrapers)

    def one():
        begin = time.monotonic()
        try:
            with connect() as s:
                connected.wait(TIMEOUT)
                begin = time.monotonic()
                s.sendall(GET + b"Connection: close\r\n\r\n")
                answer = drain(s)
            while not is_whole(answer):  # refused, or too slow a reader: to be tried again
                assert time.monotonic() - begin < TIMEOUT, answer[:99]
                time.sleep(1)
                answer = ask()
            took.append(time.monotonic() - begin)
        except (OSError, AssertionError, threading.BrokenBarrierError) as e:
            failed.append(e)

    threads = [threading.Thread(target=one) for _ in range(scrapers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, f"{len(failed)} of {scrapers} scrapes failed: {failed[0]!r}"
    took.sort()
    return took


good_scrape()
files_before, rss_before = files(), rss_kb()
garbage()
huge()
print("among 200 slow requests a scrape took %.3f s" % crowd(200, slow_request))
print("among 200 slow readers a scrape took %.3f s" % crowd(200, slow_reader))
took = many_scrapers()
print("%d scrapers at once: median %.3f s, slowest %.3f s" % (scrapers, took[len(took) // 2], took[-1]))
time.sleep(0.5)
good_scrape()
for _ in range(30):  # connections that were closed are noticed
    if files() <= files_before + 5:
        break
    time.sleep(0.5)
assert files() <= files_before + 5, f"{files()} descriptors, {files_before} before"
assert rss_kb() < rss_before + 40000, f"{rss_kb()} kB, {rss_before} before"
print("descriptors %d -> %d, RSS %d -> %d kB" % (files_before, files(), rss_before, rss_kb()))
