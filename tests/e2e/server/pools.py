# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Back-pressure, deadlines, clients that go, workers that crash or hang."""
import contextlib
import os
import signal
import tempfile
import time
import unittest
import zlib

from harness import Server, Together, wait_for

IO_RUNNING = 'offload_jobs_running{pool="io"}'
IO_QUEUED = 'offload_queue_depth{pool="io"}'
CPU_RUNNING = 'offload_jobs_running{pool="cpu"}'
BIG = os.urandom(1 << 20) * 8  # some 0.3 s of work


def jobs(pool, result):
    return f'offload_jobs_total{{pool="{pool}",result="{result}"}}'


class Queue(unittest.TestCase):
    FLAGS = ("--io-threads", "1", "--queue", "2")

    def test_a_full_queue_answers_503_with_retry_after(self):
        with Server(*self.FLAGS) as server:
            calls = Together([lambda: server.get("/external?ms=1000")] * 3)
            server.wait_metric(IO_QUEUED, 2)
            status, headers, _ = server.get("/external?ms=1000")
            self.assertEqual((status, headers["Retry-After"]), (503, "1"))
            self.assertEqual([a[0] for a in calls.join()], [200] * 3)
            self.assertEqual(server.metric(jobs("io", "rejected")), 1)

    def test_a_job_past_its_deadline_answers_504(self):
        with Server(*self.FLAGS, "--deadline", "300ms") as server:
            begin = time.monotonic()
            calls = Together([lambda: server.get("/external?ms=60000")] * 3)  # one runs, two wait
            self.assertEqual([a[0] for a in calls.join()], [504] * 3)
            self.assertLess(time.monotonic() - begin, 30)
            server.wait_metric(IO_RUNNING, 0)
            self.assertEqual(server.metric(jobs("io", "expired")), 3)

    def test_both_modes_answer_504(self):
        with Server("--deadline", "200ms") as server:
            for path in "/external?ms=2000", "/db?ms=2000":
                inline, offload = (server.get(path + "&mode=" + mode)
                                   for mode in ("inline", "offload"))
                self.assertEqual((inline[0], inline[2]), (504, offload[2]))
                self.assertEqual(server.get(path.replace("2000", "20"))[0], 200)

    def test_an_upstream_that_is_not_there_answers_502(self):
        with Server("--upstream", "127.0.0.1:1") as server:
            self.assertEqual(server.get("/external?mode=inline")[0], 502)
            self.assertEqual(server.get("/external?mode=offload")[0], 502)

    def test_jobs_of_clients_that_have_gone_are_not_started(self):
        with Server(*self.FLAGS) as server:
            running = Together([lambda: server.get("/external?ms=3000")])
            server.wait_metric(IO_RUNNING, 1)
            for _ in range(5):
                with server.connect() as s:
                    s.sendall(b"GET /external?ms=700 HTTP/1.1\r\nHost: x\r\n\r\n")
                    server.wait_metric(IO_QUEUED, 1)
                server.wait_metric(IO_QUEUED, 0)
            running.join()
            self.assertEqual(server.metric(jobs("io", "cancelled")), 5)
            self.assertEqual(server.metric("offload_clients_gone_total"), 5)

    def test_a_client_that_goes_while_its_job_runs_harms_nothing(self):
        with Server() as server:
            for path in "/external?ms=200", "/db?ms=200", "/sleep?ms=200", "/file?kb=20000":
                with server.connect() as s:
                    s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
                    time.sleep(0.03)
            server.wait_metric(IO_RUNNING, 0)
            server.wait_metric('offload_jobs_running{pool="disk"}', 0)
            self.assertEqual(server.get("/db?ms=1")[0], 200)

    def test_fast_is_not_held_up_by_full_pools(self):
        with Server(*self.FLAGS, "--deadline", "4s") as server:
            calls = Together([lambda: server.get("/db?ms=3500")] * 3)
            server.wait_metric(IO_QUEUED, 2)
            for _ in range(20):
                self.assertEqual(server.get("/fast")[0], 200)
            self.assertEqual(server.metric(IO_QUEUED), 2)
            calls.join()


class Workers(unittest.TestCase):
    def encode(self, server, body=BIG):
        return lambda: server.get("/encode", "POST", body)

    def check_works(self, server, body=BIG):
        wait_for(lambda: server.metric("offload_workers") == 2, "two workers")
        answers = Together([self.encode(server, body)] * 4).join()
        self.assertEqual([zlib.decompress(a[2]) == body for a in answers], [True] * 4)

    def test_a_crash_costs_one_request_and_the_worker_is_replaced(self):
        with Server("--cpu-workers", "2", "--deadline", "60s") as server:
            self.check_works(server)
            crashing, other = server.workers()
            for pid in crashing, other:
                os.kill(pid, signal.SIGSTOP)
            calls = Together([self.encode(server)] * 2)
            server.wait_metric(CPU_RUNNING, 2)
            os.kill(crashing, signal.SIGKILL)
            os.kill(other, signal.SIGCONT)
            self.assertEqual(sorted(a[0] for a in calls.join()), [200, 500])
            self.check_works(server)
            self.assertEqual(server.metric("offload_workers_replaced_total"), 1)

    def test_a_hang_costs_one_request_and_the_worker_is_replaced(self):
        with Server("--cpu-workers", "2", "--deadline", "2s") as server:
            wait_for(lambda: server.metric("offload_workers") == 2, "two workers")
            hung = server.workers()[0]
            os.kill(hung, signal.SIGSTOP)
            calls = Together([self.encode(server, b"x")] * 2)
            self.assertEqual(sorted(a[0] for a in calls.join()), [200, 504])
            wait_for(lambda: hung not in server.workers(), "the hung worker to go")
            self.check_works(server, b"x")

    def test_idle_workers_may_die_too(self):
        with Server("--cpu-workers", "2", "--deadline", "60s") as server:
            for killed in 2, 4, 6:
                wait_for(lambda: server.metric("offload_workers") == 2, "two workers")
                for pid in server.workers():
                    os.kill(pid, signal.SIGKILL)
                server.wait_metric("offload_workers_replaced_total", killed)
            self.check_works(server)

    def test_a_client_is_not_taken_for_one_that_left(self):
        """While a worker is started, its process has copies of all descriptors for a moment. With
        libevent's EPOLL_USE_CHANGELIST, clients then were dropped whose number had been another's."""
        end = time.monotonic() + 4
        with Server("--cpu-workers", "32", "--io-threads", "32") as server:

            def leave():
                while time.monotonic() < end:
                    with server.connect() as s:
                        s.sendall(b"GET /external?ms=30 HTTP/1.1\r\nHost: x\r\n\r\n")
                        time.sleep(0.002)

            def stay():
                while time.monotonic() < end:
                    self.assertEqual(server.get("/sleep?ms=10")[0], 200)

            def kill():
                while time.monotonic() < end:
                    time.sleep(0.5)
                    for pid in server.workers():
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)

            Together([leave] * 8 + [stay] * 8 + [kill]).join()

    def test_workers_end_with_a_server_that_was_killed(self):
        with tempfile.TemporaryDirectory() as left_behind, \
                Server("--cpu-workers", "2", "--data-dir", left_behind,
                       status=-signal.SIGKILL) as server:
            wait_for(lambda: server.metric("offload_workers") == 2, "two workers")
            workers = server.workers()
            os.kill(workers[0], signal.SIGSTOP)
            server.process.kill()
        for pid in workers:
            wait_for(lambda pid=pid: not alive(pid), f"worker {pid} to end")

    def test_a_worker_inherits_no_descriptor(self):
        with Server("--cpu-workers", "1") as server:
            held = [server.connect() for _ in range(10)]
            server.get("/db?ms=1")
            wait_for(server.workers, "a worker")
            os.kill(server.workers()[0], signal.SIGKILL)
            wait_for(lambda: server.metric("offload_workers_replaced_total") == 1 and
                     server.workers(), "a new worker")
            pid = server.workers()[0]
            wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) == 4, "only 0 to 3")
            for s in held:
                s.close()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    unittest.main()
