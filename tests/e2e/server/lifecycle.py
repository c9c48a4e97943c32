# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Flags, start, drain, and what is left behind."""
import glob
import os
import signal
import subprocess
import tempfile
import unittest

from harness import PROGRAM, Server, Together, read_all, wait_for


def run(*flags):
    return subprocess.run([*PROGRAM, *flags], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30, check=False)


class Flags(unittest.TestCase):
    def test_bad_flags_exit_2_with_one_line(self):
        for flags in [["--mode", "x"], ["--offload", "external,x"], ["--offload", ""], ["--frob"],
                      ["--listen", "8080"], ["--listen", "1.2.3.4:99999"], ["--deadline", "5"],
                      ["--deadline", "0s"], ["--max-body", "1G"], ["--queue", "0"], ["more"],
                      ["--middleware", "x"], ["--cpu-pool", "x"], ["--io-threads", "-1"],
                      ["--listen"]]:
            done = run(*flags)
            self.assertEqual((done.returncode, done.stdout), (2, ""), flags)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_help_and_version_go_to_stdout(self):
        for flag in "-h", "--help", "-V":
            done = run(flag)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("offload-server", done.stdout)

    def test_a_port_in_use_exits_1_with_one_line(self):
        with Server() as server:
            done = run("--listen", f"127.0.0.1:{server.port}")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^offload-server: listen on \S+: Address already in use\n$")

    def test_a_bad_data_dir_exits_1(self):
        done = run("--listen", "127.0.0.1:0", "--data-dir", "/nonexistent")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_few_descriptors_mean_few_connections(self):
        with Server("--io-threads", "2", wrapper=["bash", "-c", 'ulimit -n 300; exec "$@"', "-"]) as server:
            self.assertEqual(server.get("/fast")[0], 200)
        self.assertRegex("".join(server.log), r"at most \d+ connections: only 300 descriptors")


def refuses(server):
    try:
        server.connect().close()
    except ConnectionError:
        return True
    return False


class Drain(unittest.TestCase):
    def test_requests_under_way_are_answered(self):
        with Server() as server:
            paths = ["/external?ms=1500", "/db?ms=1500", "/sleep?ms=1500"]
            calls = Together([lambda p=p: server.get(p) for p in paths])
            server.wait_metric('offload_jobs_running{pool="io"}', 2)
            server.wait_metric("offload_connections", 4)
            os.kill(server.pid, signal.SIGTERM)
            answers = calls.join()
            self.assertEqual([a[0] for a in answers], [200] * 3)
            self.assertEqual([a[1].get("Connection") for a in answers], ["close"] * 3)
            server.process.wait(30)

    def test_a_request_on_its_way_is_answered(self):
        with Server() as server, server.connect() as s:
            server.wait_metric("offload_connections", 2)
            os.kill(server.pid, signal.SIGTERM)
            wait_for(lambda: refuses(server), "the end of the listener")
            s.sendall(b"GET /fast HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(read_all(s).startswith(b"HTTP/1.1 200 "))
            self.assertEqual(server.process.wait(30), 0)

    def test_idle_connections_do_not_hold_it_up(self):
        with Server() as server:
            idle = [server.connect() for _ in range(600)]
            server.wait_metric("offload_connections", 601)
            os.kill(server.pid, signal.SIGTERM)
            self.assertEqual(server.process.wait(30), 0)  # 1 had they lasted until --drain-timeout
            for s in idle:
                s.close()

    def test_what_takes_too_long_is_cut_off_and_said(self):
        with Server("--drain-timeout", "200ms", status=1) as server:
            with server.connect() as s:
                s.sendall(b"GET /sleep?ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n")
                server.wait_metric("offload_connections", 2)
                os.kill(server.pid, signal.SIGTERM)
                self.assertEqual(server.process.wait(30), 1)
        self.assertIn("1 connection cut off", "".join(server.log))

    def test_a_second_signal_does_not_wait(self):
        with Server(status=1) as server:
            with server.connect() as s:
                s.sendall(b"GET /sleep?ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n")
                server.wait_metric("offload_connections", 2)
                os.kill(server.pid, signal.SIGINT)
                wait_for(lambda: refuses(server), "it to accept no more")
                os.kill(server.pid, signal.SIGINT)
                self.assertEqual(server.process.wait(30), 1)


class Remains(unittest.TestCase):
    def test_no_file_and_no_worker_is_left(self):
        with tempfile.TemporaryDirectory() as parent:
            with Server("--data-dir", parent) as server:
                server.get("/db?ms=1")
                server.get("/file?kb=1")
                wait_for(server.workers, "workers")
                workers = server.workers()
                self.assertEqual(len(glob.glob(parent + "/*/*.db")), 2)  # the loop's and a thread's
            self.assertEqual(os.listdir(parent), [])
            self.assertEqual([p for p in workers if os.path.exists(f"/proc/{p}")], [])

    def test_no_descriptor_is_lost(self):
        with Server("--io-threads", "1") as server:  # each opens its database at its first query
            body = b"x" * 100000

            def all_kinds():
                for mode in "inline", "offload":
                    for path in "/external?ms=1", "/db?ms=1", "/sleep?ms=1", "/file?kb=1", "/fast":
                        server.get(f"{path}{'&' if '?' in path else '?'}mode={mode}")
                    server.get("/encode?mode=" + mode, "POST", body)
                server.raw(b"garbage\r\n\r\n")

            all_kinds()
            wait_for(lambda: server.metric("offload_connections") == 1, "connections to close")
            before = len(os.listdir(f"/proc/{server.pid}/fd"))
            for _ in range(20):
                all_kinds()
            wait_for(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) <= before, "no more than before")


if __name__ == "__main__":
    unittest.main()
