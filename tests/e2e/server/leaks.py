# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every kind of request and every way to end one, under valgrind: no leak, no bad access."""
import shutil
import sys
import time
import unittest

from harness import Server, Together

if not shutil.which("valgrind"):
    print("skip: no valgrind on this machine (make deps)")
    sys.exit(77)
VALGRIND = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=all",
            "--errors-for-leak-kinds=all", "--error-exitcode=99"]


def go_away(server, path):
    with server.connect(60) as s:
        s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        time.sleep(0.2)


class Leaks(unittest.TestCase):
    def test_none(self):
        # Worker processes would be valgrind's, not ours: their side has unit tests.
        with Server("--cpu-pool", "threads", "--io-threads", "3", "--deadline", "2s",
                    "--queue", "2", "--middleware", "auth", wrapper=VALGRIND) as server:
            for mode in "inline", "offload":
                for path in "/fast?", "/external?ms=20&", "/db?ms=20&", "/sleep?ms=20&", "/file?kb=9&":
                    self.assertEqual(server.get(path + "mode=" + mode)[0], 200)
                self.assertEqual(server.get("/encode?mode=" + mode, "POST", b"x" * 100000)[0], 200)
                self.assertEqual(server.get("/external?ms=9000&mode=" + mode)[0], 504)
            for path, status in ("/nowhere", 404), ("/sleep?ms=x", 400), ("/metrics", 200):
                self.assertEqual(server.get(path)[0], status)
            for bad in b"garbage\r\n\r\n", b"GET /" + b"a" * 9000, b"GET / HTTP/1.1\r\n" + b"a" * 40000:
                self.assertIn(server.raw_status(bad, 60), (400, 414, 431))
            for path in "/external?ms=500", "/db?ms=500", "/sleep?ms=500", "/file?kb=9000":
                go_away(server, path)
            statuses = [a[0] for a in Together([lambda: server.get("/db?ms=300")] * 12).join()]
            self.assertIn(503, statuses)
            left = server.connect(60)  # still there at the end
        left.close()


if __name__ == "__main__":
    unittest.main()
