# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What each route answers, in both modes."""
import json
import shutil
import subprocess
import time
import unittest
import zlib

from harness import Server, Together, least

TEXT = b"".join(b"line %d of a text that compresses\n" % i for i in range(20000))
ROUTES = [
    ("GET", "/fast", None),
    ("GET", "/external?ms=20", None),
    ("GET", "/db?ms=20", None),
    ("GET", "/sleep?ms=20", None),
    ("GET", "/file?kb=300", None),
    ("POST", "/encode", TEXT),
    ("POST", "/encode", b""),
]


def with_mode(path, mode):
    return path + ("&" if "?" in path else "?") + "mode=" + mode


def comparable(answer):
    status, headers, body = answer
    headers.pop("Date", None)
    return status, headers, body


class Routes(unittest.TestCase):
    def check_same_bytes(self, *flags):
        with Server(*flags) as server:
            for method, path, body in ROUTES:
                inline, offload = (comparable(server.get(with_mode(path, mode), method, body))
                                   for mode in ("inline", "offload"))
                self.assertEqual(inline, offload, path)
                self.assertEqual(inline[0], 200, path)

    def test_both_modes_answer_the_same_bytes(self):
        self.check_same_bytes()

    def test_both_modes_answer_the_same_bytes_with_cpu_threads(self):
        self.check_same_bytes("--cpu-pool", "threads")

    def test_both_modes_answer_the_same_bytes_behind_the_middleware(self):
        self.check_same_bytes("--middleware", "auth")

    def test_encode_is_zlib(self):
        with Server() as server:
            for mode in "inline", "offload":
                answer = server.get("/encode?mode=" + mode, "POST", TEXT)
                self.assertEqual(zlib.decompress(answer[2]), TEXT)

    def test_answers_say_what_was_done(self):
        with Server() as server:
            for path, expected in [("/external?ms=7", {"upstream": "ok", "ms": 7}),
                                   ("/db?ms=7", {"rows": 100, "ms": 7}),
                                   ("/sleep?ms=%37", {"slept_ms": 7}),
                                   ("/file?kb=7", {"stored_kb": 7}),
                                   ("/fast", {"ok": True})]:
                status, headers, body = server.get(path)
                self.assertEqual((status, json.loads(body)), (200, expected))
                self.assertEqual(headers["Content-Type"], "application/json")

    def test_each_slow_route_takes_its_time(self):
        with Server() as server:
            for path in "/external?ms=100", "/db?ms=100", "/sleep?ms=100":
                for mode in "inline", "offload":
                    begin = time.monotonic()
                    server.get(with_mode(path, mode))
                    self.assertGreaterEqual(time.monotonic() - begin, 0.099, path)

    def test_head_is_get_without_its_body(self):
        with Server() as server:
            get, head = (comparable(server.get("/fast", m)) for m in ("GET", "HEAD"))
            self.assertEqual(get[:2], head[:2])
            self.assertEqual(head[2], b"")

    def test_health_and_metrics(self):
        with Server() as server:
            self.assertEqual(server.get("/healthz")[::2], (200, b"ok\n"))
            server.get("/external?ms=1")
            self.assertEqual(server.metric('offload_requests_total{route="external",code="200"}'), 1)
            self.assertEqual(server.metric('offload_jobs_total{pool="io",result="done"}'), 1)
            self.assertEqual(server.metric('offload_job_run_seconds_count{pool="io"}'), 1)

    @unittest.skipUnless(shutil.which("promtool"), "no promtool")
    def test_prometheus_has_nothing_to_say_against_the_metrics(self):
        for flags in [], ["--cpu-pool", "threads"]:
            with Server(*flags) as server:
                server.get("/encode", "POST", TEXT)
                server.get("/nowhere")
                checked = subprocess.run(["promtool", "check", "metrics"], input=server.get("/metrics")[2],
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                self.assertEqual((checked.returncode, checked.stdout), (0, b""))


def ten_external(server):
    begin = time.monotonic()
    answers = Together([lambda: server.get("/external?ms=100")] * 10).join()
    assert all(answer[0] == 200 for answer in answers)
    return time.monotonic() - begin


class Overlap(unittest.TestCase):
    """The guide's verification: concurrent calls should overlap, not run end to end."""

    def test_ten_calls_overlap_when_offloaded(self):
        with Server("--mode", "offload") as server:
            self.assertLess(least(lambda: ten_external(server), 0.3), 0.3)

    def test_ten_calls_run_end_to_end_inline(self):
        with Server("--mode", "inline") as server:
            self.assertGreaterEqual(ten_external(server), 1.0)

    def test_a_list_offloads_only_what_it_names(self):
        with Server("--mode", "inline", "--offload", "external,db") as server:
            self.assertLess(least(lambda: ten_external(server), 0.3), 0.3)
            before = server.metric('offload_job_run_seconds_count{pool="io"}')
            server.get("/file?kb=1")
            self.assertEqual(server.metric('offload_job_run_seconds_count{pool="io"}'), before)


class Middleware(unittest.TestCase):
    def test_a_bad_token_is_denied_before_the_route(self):
        for mode in "inline", "offload":
            with Server("--mode", mode, "--middleware", "auth") as server:
                bad = {"Authorization": "Bearer deny"}
                self.assertEqual(server.get("/fast", headers=bad)[0], 403)
                self.assertEqual(server.get("/nowhere", headers=bad)[0], 403)
                self.assertEqual(server.get("/healthz", headers=bad)[0], 200)
                self.assertEqual(server.get("/nowhere")[0], 404)

    def test_it_holds_up_every_route_unless_offloaded(self):
        def ten_fast(server):
            begin = time.monotonic()
            Together([lambda: server.get("/fast")] * 10).join()
            return time.monotonic() - begin

        all_in_turn = 10 * 0.02
        with Server("--mode", "inline", "--middleware", "auth") as server:
            self.assertGreaterEqual(ten_fast(server), all_in_turn)
        with Server("--mode", "offload", "--middleware", "auth") as server:
            self.assertLess(least(lambda: ten_fast(server), all_in_turn), all_in_turn)


if __name__ == "__main__":
    unittest.main()
