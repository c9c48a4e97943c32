#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The checker checked: tests/truth.py accepts a right trace and refuses each kind of wrong one."""

import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import truth  # noqa: E402

PID, TID = 100, 100
MS = 1000000
LEDGER = ("cpu runqueue throttled sleep network disk lock gil page_fault process pipe poll other "
          "unaccounted").split()


def iteration(index, kind="sleep", cause="sleep", wall_ns=20 * MS, cpu_ns=MS // 20, **more):
    start_ns = 1000 * MS + index * 100 * MS
    it = {"type": "iteration", "index": index, "kind": kind, "start_ns": start_ns,
          "end_ns": start_ns + wall_ns, "wall_ns": wall_ns, "cpu_ns": cpu_ns, "runqueue_ns": 0,
          "cause": cause, "site": "stall_" + kind, "calls": ["nanosleep"], "count": 1}
    it.update(more)
    return it


def head(iterations):
    return {"type": "truth", "pid": PID, "tid": TID, "seed": 1, "iterations": len(iterations),
            "first_ns": iterations[0]["start_ns"], "last_ns": iterations[-1]["end_ns"]}


def stall_for(it):
    ledger = dict.fromkeys(LEDGER, 0)
    ledger["cpu"] = it["cpu_ns"]
    ledger["runqueue"] = it["runqueue_ns"]
    ledger[it["cause"]] += it["wall_ns"] - it["cpu_ns"] - it["runqueue_ns"]
    cause = {"cause": it["cause"], "ns": ledger[it["cause"]], "count": it["count"],
             "site": {"function": it["site"]}}
    if it["calls"]:
        cause["call"] = {"name": it["calls"][0], "fd": 3, "object": it.get("object", "x")}
    if "holder" in it:
        cause["holder"] = it["holder"]
    return {"type": "stall", "pid": PID, "tid": TID, "comm": "truth", "start_ns": it["start_ns"],
            "wall_ns": it["wall_ns"], "ongoing": False, "ledger": ledger, "causes": [cause]}


def summary(stalls):
    return {"type": "summary", "lost": {"events": 0, "stacks": 0},
            "loops": [{"pid": PID, "tid": TID, "stalls": stalls}]}


class CheckerTest(unittest.TestCase):
    def setUp(self):
        self.iterations = [
            iteration(0), iteration(1, "short", "cpu", MS // 2, MS // 2),
            iteration(2, "cpu", "cpu", 30 * MS, 30 * MS, calls=[]),
            iteration(3, "tcp_recv", "network", calls=["recvfrom"], object="tcp 127.0.0.1:9"),
            iteration(4, "mutex", "lock", calls=["futex"],
                      holder={"tid": 102, "comm": "lock-holder"}),
            iteration(5, "naps", count=40), iteration(6, wall_ns=5 * MS),
        ]
        long = [it for it in self.iterations if it["wall_ns"] >= 10 * MS]
        self.stalls = [stall_for(it) for it in long]
        self.rest = [{"type": "start", "v": 1}, summary(len(long))]

    def compare(self, limits=()):
        args = truth.parse(["--truth", "-", "--trace", "-", *limits])
        lines = copy.deepcopy([head(self.iterations)] + self.iterations)
        trace = copy.deepcopy(self.rest[:1] + self.stalls + self.rest[1:])
        comparison = truth.Comparison(truth.Truth(lines), trace, args)
        comparison.compare()
        comparison.table()
        return comparison.failures

    def refused(self, pattern, limits=()):
        failures = self.compare(limits)
        self.assertEqual(1, len(failures), failures)
        self.assertRegex(failures[0], pattern)

    def move(self, n, source, to, ns):
        self.stalls[n]["ledger"][source] -= ns
        self.stalls[n]["ledger"][to] += ns

    def recount(self):
        self.rest[1] = summary(len(self.stalls))

    def test_the_truth_is_accepted(self):
        self.assertEqual([], self.compare())

    def test_a_missing_stall(self):
        del self.stalls[0]
        self.recount()
        self.refused("1 stalls missed")

    def test_a_stall_on_the_edge_may_be_missing_or_there(self):
        for wall_ns in 10 * MS - 100000, 10 * MS + 100000:
            self.iterations.append(iteration(len(self.iterations), wall_ns=wall_ns))
        self.assertEqual([], self.compare())
        self.stalls += [stall_for(it) for it in self.iterations[-2:]]
        self.recount()
        self.assertEqual([], self.compare())

    def test_an_invented_stall(self):
        self.stalls.append(stall_for(iteration(0, start_ns=1050 * MS)))
        self.recount()
        self.refused("1 stalls invented")

    def test_nothing_is_known_of_what_was_before(self):
        self.stalls.append(stall_for(iteration(0, start_ns=900 * MS)))
        self.recount()
        self.assertEqual([], self.compare())

    def test_a_stall_told_twice(self):
        twin = copy.deepcopy(self.stalls[0])
        twin["start_ns"] += 1000
        self.stalls.append(twin)
        self.recount()
        self.refused("1 stalls invented")

    def test_a_short_iteration_called_a_stall(self):
        it = dict(self.iterations[6], wall_ns=11 * MS)
        self.stalls.append(stall_for(it))
        self.recount()
        self.assertIn("1 stalls invented", self.compare())

    def test_a_stall_of_a_thread_which_is_no_loop(self):
        self.stalls.append(dict(stall_for(self.iterations[0]), tid=102))
        self.refused("1 stalls invented")

    def test_an_ongoing_report_and_its_end_are_one_stall(self):
        first = copy.deepcopy(self.stalls[0])
        first.update(ongoing=True, wall_ns=first["wall_ns"] - MS)
        first["ledger"]["sleep"] -= MS
        self.stalls.insert(0, first)
        self.assertEqual([], self.compare())

    def test_wrong_length(self):
        self.stalls[0]["wall_ns"] += 300000
        self.stalls[0]["ledger"]["sleep"] += 300000
        self.refused("length off by 300.0 us")

    def test_wrong_cause(self):
        self.move(0, "sleep", "network", 19 * MS)
        self.stalls[0]["causes"][0]["cause"] = "network"
        failures = self.compare()
        self.assertRegex(failures[0], "cause right in 80.00 %")

    def test_runqueue_is_the_truth_when_it_was_the_most(self):
        self.iterations[0].update(runqueue_ns=15 * MS)
        self.refused("cause right in 80.00 %")
        self.move(0, "sleep", "runqueue", 15 * MS)
        self.assertEqual([], self.compare())

    def test_wrong_site(self):
        self.stalls[0]["causes"][0]["site"]["function"] = "run_loop"
        self.refused("site right in 80.00 %")

    def test_no_causes_at_all(self):
        self.stalls[0]["causes"] = []
        self.assertTrue(any("cause right" in f for f in self.compare()))

    def test_wrong_call(self):
        self.stalls[0]["causes"][0]["call"]["name"] = "read"
        self.refused("call right in 75.00 %")

    def test_wrong_object(self):
        self.stalls[2]["causes"][0]["call"]["object"] = "tcp 127.0.0.1:1"
        self.refused("object right in 0.00 %")

    def test_wrong_holder(self):
        self.stalls[3]["causes"][0]["holder"] = {"tid": 103, "comm": "lock-holder"}
        self.refused("holder right in 0.00 %")

    def test_wrong_count_of_naps(self):
        self.stalls[4]["causes"][0]["count"] = 20
        self.refused("count right in 0.00 %")

    def test_wrong_cpu_share(self):
        self.move(0, "sleep", "cpu", MS)
        self.refused("CPU share off by 5.00 %")

    def test_a_crowded_stall_is_held_to_its_length_alone(self):
        self.iterations[0].update(runqueue_ns=2 * MS)
        self.move(0, "sleep", "cpu", MS)
        self.stalls[0]["causes"][0]["site"]["function"] = "run_loop"
        self.assertEqual(2, len(self.compare()))
        self.assertEqual([], self.compare(["--crowded", "5"]))
        self.stalls[0]["wall_ns"] += MS
        self.stalls[0]["ledger"]["sleep"] += MS
        self.refused("length off by 1000.0 us", ["--crowded", "5"])

    def test_unaccounted_time(self):
        self.move(0, "sleep", "unaccounted", 3 * MS)
        self.refused("2.73 % unaccounted")

    def test_a_ledger_off_by_a_nanosecond(self):
        self.stalls[0]["ledger"]["sleep"] -= 1
        self.refused("sums to 19999999")

    def test_causes_not_sorted(self):
        self.stalls[0]["causes"].append({"cause": "sleep", "ns": 30 * MS})
        self.refused("not sorted")

    def test_losses(self):
        self.rest[1]["lost"]["stacks"] = 1
        self.refused("lost: {'stacks': 1}")

    def test_no_summary(self):
        del self.rest[1]
        self.refused("0 summary records")

    def test_a_summary_that_counts_otherwise(self):
        self.rest[1] = summary(4)
        self.refused("counts 4 stalls, 5 were reported")

    def test_no_stalls(self):
        self.stalls = []
        self.recount()
        self.assertIn("no stall was matched at all", self.compare())

    def test_a_cut_truth(self):
        with self.assertRaises(ValueError):
            truth.Truth([head(self.iterations)] + self.iterations[1:])


if __name__ == "__main__":
    unittest.main()
