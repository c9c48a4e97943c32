#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Holds a trace against the truth: what `loopstall --json` said of a loop, and what that loop
(build/stallers/truth) measured of itself.

    tests/truth.py --truth truth.json --trace trace.json [--threshold-ms 10] [limits]

Prints a table by kind of stall and what is not as it must be; exit status 1 when something is not.

An iteration's expected ledger is its measured CPU time, its measured run-queue delay and, as the
rest, the one cause in which it was made to block. Its top cause is the greatest of these, not the
one intended: on a busy machine a 10 ms sleep can wait 15 ms for a CPU, and then that is the truth.
Two causes closer to each other than --edge-us are both right.
"""

import argparse
import bisect
import collections
import json
import math
import sys

WAITING_FOR_CPU = ("runqueue", "throttled")


def percentile(values, share):
    """Nearest rank: the value which `share` of them do not exceed. 0 of none."""
    if not values:
        return 0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def read_lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


class Truth:
    def __init__(self, lines):
        heads = [r for r in lines if r["type"] == "truth"]
        if len(heads) != 1:
            raise ValueError("the truth has no (single) header line")
        self.head = heads[0]
        self.iterations = [r for r in lines if r["type"] == "iteration"]
        if len(self.iterations) != self.head["iterations"]:
            raise ValueError("the truth is cut: %d of %d iterations"
                             % (len(self.iterations), self.head["iterations"]))
        self.starts = [it["start_ns"] for it in self.iterations]

    def nearest(self, start_ns):
        """The iteration that began nearest to this moment."""
        i = bisect.bisect_left(self.starts, start_ns)
        near = self.iterations[max(0, i - 1):i + 1]
        return min(near, key=lambda it: abs(it["start_ns"] - start_ns))


def expected_ledger(it):
    ledger = collections.Counter(cpu=it["cpu_ns"], runqueue=it["runqueue_ns"])
    ledger[it["cause"]] += max(0, it["wall_ns"] - it["cpu_ns"] - it["runqueue_ns"])
    return ledger


def right_causes(it, edge_ns):
    ledgers = [expected_ledger(it)]
    if it["cause"] == "cpu":
        # It never blocks: what is neither CPU nor run queue, the hypervisor took or the wake-up
        # of another CPU. To a clock it is CPU time or a wait for it, as one looks at it.
        ledgers.append({"cpu": it["cpu_ns"], "runqueue": it["wall_ns"] - it["cpu_ns"]})
    return {cause for ledger in ledgers for cause, ns in ledger.items()
            if ns >= max(ledger.values()) - edge_ns}


def top_of(ledger):
    return max((c for c in ledger if c != "unaccounted"), key=lambda c: ledger[c])


def own_causes(stall, cause):
    """The stall's causes of one class, greatest first (as they come)."""
    return [c for c in stall.get("causes", []) if c.get("cause") == cause]


def overlap_share(it, stall):
    """How much of the shorter of the two lies in the other."""
    start = max(it["start_ns"], stall["start_ns"])
    end = min(it["end_ns"], stall["start_ns"] + stall["wall_ns"])
    return (end - start) / max(1, min(it["wall_ns"], stall["wall_ns"]))


class Kind:
    """What was found of one kind of stall. right[x] and wrong[x] count judgements of x."""

    def __init__(self):
        self.due = 0
        self.matched = 0
        self.wall_error_us = []
        self.cpu_error = []
        self.unaccounted_ns = 0
        self.wall_ns = 0
        self.right = collections.Counter()
        self.wrong = collections.Counter()

    def judge(self, what, ok):
        (self.right if ok else self.wrong)[what] += 1

    def share(self, what):
        n = self.right[what] + self.wrong[what]
        return None if n == 0 else 100.0 * self.right[what] / n


class Comparison:
    JUDGED = ("cause", "site", "call", "object", "holder", "count")

    def __init__(self, truth, trace, limits):
        self.truth = truth
        self.limits = limits
        self.kinds = collections.defaultdict(Kind)
        self.failures = []
        self.examples = collections.defaultdict(list)
        self.invented = []
        self.crowded = 0
        self.records = collections.defaultdict(list)
        for record in trace:
            self.records[record.get("type")].append(record)
        self.stalls = self.final_stalls()

    def final_stalls(self):
        """A stall that was reported while under way comes again, with the same start."""
        last = {}
        for stall in self.records["stall"]:
            last[stall["pid"], stall["tid"], stall["start_ns"]] = stall
        return list(last.values())

    def fail(self, text):
        self.failures.append(text)

    def example(self, what, it, stall):
        if len(self.examples[what]) < 3:
            self.examples[what].append(
                "#%d %s wall %.3f ms cpu %.3f runqueue %.3f: ledger %s causes %s" % (
                    it["index"], it["kind"], it["wall_ns"] / 1e6, it["cpu_ns"] / 1e6,
                    it["runqueue_ns"] / 1e6,
                    {k: round(v / 1e6, 3) for k, v in stall["ledger"].items() if v},
                    [{k: c.get(k) for k in ("cause", "ns", "count", "call", "site", "holder")
                      if c.get(k) is not None} for c in stall.get("causes", [])[:2]]))

    def compare(self):
        self.match()
        for it in self.truth.iterations:
            self.judge_presence(it)
        self.judge_totals()
        self.judge_books()
        return not self.failures

    def match(self):
        head = self.truth.head
        self.found = {}
        for stall in self.stalls:
            it = self.truth.nearest(stall["start_ns"])
            ours = (stall["pid"], stall["tid"]) == (head["pid"], head["tid"])
            if ours and overlap_share(it, stall) > 0.5 and it["index"] not in self.found:
                self.found[it["index"]] = stall
            elif not (ours and self.outside(stall)):
                self.invented.append("%s (%d/%d) of %.3f ms %s: start %+.3f ms from #%d, %s" % (
                    stall.get("comm"), stall["pid"], stall["tid"], stall["wall_ns"] / 1e6,
                    "matches no iteration" if ours else "is of no loop thread",
                    (stall["start_ns"] - it["start_ns"]) / 1e6, it["index"],
                    {k: round(v / 1e6, 3) for k, v in stall["ledger"].items() if v}))

    def outside(self, stall):
        """Before the first and after the last iteration the loop keeps no books."""
        head = self.truth.head
        return (stall["start_ns"] + stall["wall_ns"] < head["first_ns"]
                or stall["start_ns"] > head["last_ns"])

    def judge_presence(self, it):
        kind = self.kinds[it["kind"]]
        threshold_ns = self.limits.threshold_ms * 1e6
        edge_ns = self.limits.edge_us * 1e3
        stall = self.found.get(it["index"])
        if it["wall_ns"] >= threshold_ns + edge_ns:
            kind.due += 1
            if not stall:
                kind.judge("found", False)
                self.examples["found"].append("#%d %s of %.3f ms" % (
                    it["index"], it["kind"], it["wall_ns"] / 1e6))
        elif stall and it["wall_ns"] < threshold_ns - edge_ns:
            self.invented.append("#%d %s was only %.3f ms, not %.3f" % (
                it["index"], it["kind"], it["wall_ns"] / 1e6, stall["wall_ns"] / 1e6))
        if stall:
            kind.matched += 1
            self.judge_stall(kind, it, stall)

    def judge_stall(self, kind, it, stall):
        ledger = stall["ledger"]
        kind.wall_ns += stall["wall_ns"]
        kind.unaccounted_ns += ledger.get("unaccounted", 0)
        kind.wall_error_us.append(abs(stall["wall_ns"] - it["wall_ns"]) / 1e3)
        if kind.wall_error_us[-1] > self.limits.wall_us:
            self.example("wall", it, stall)
        if 100.0 * it["runqueue_ns"] > self.limits.crowded * it["wall_ns"]:
            self.crowded += 1
            return
        kind.cpu_error.append(100.0 * abs(ledger["cpu"] - it["cpu_ns"]) / it["wall_ns"])
        if kind.cpu_error[-1] > self.limits.cpu_share:
            self.example("cpu", it, stall)
        for what, ok in self.verdicts(it, stall):
            kind.judge(what, ok)
            if not ok:
                self.example(what, it, stall)

    def verdicts(self, it, stall):
        right = right_causes(it, self.limits.edge_us * 1e3)
        causes = stall.get("causes", [])
        first = causes[0].get("cause") if causes else None
        top = top_of(stall["ledger"])
        # The list is by place in the code, the ledger by class: a class can be first by its sum.
        # Waiting for a CPU has no place in the code: it need not be in the list.
        listed = first in right or top in WAITING_FOR_CPU or bool(own_causes(stall, top))
        yield "cause", top in right and listed
        if it["cause"] not in right:
            return  # it mostly waited for a CPU, which is nowhere in the code
        own = own_causes(stall, it["cause"])
        best = own[0] if own else {}
        yield "site", best.get("site", {}).get("function") == it["site"]
        call = best.get("call", {})
        if it["calls"]:
            yield "call", call.get("name") in it["calls"]
        if "object" in it:
            yield "object", it["object"] in call.get("object", "")
        if "holder" in it:
            holder = best.get("holder", {})
            yield "holder", {k: holder.get(k) for k in ("tid", "comm")} == it["holder"]
        if it["kind"] == "naps":
            count = sum(c.get("count", 0) for c in own)
            yield "count", abs(count - it["count"]) <= max(2, 0.1 * it["count"])

    def judge_totals(self):
        limits, kinds = self.limits, self.kinds.values()
        missed = sum(k.wrong["found"] for k in kinds)
        if missed:
            self.fail("%d stalls missed" % missed)
        if self.invented:
            self.fail("%d stalls invented" % len(self.invented))
            self.examples["invented"] = self.invented[:5]
        if not any(k.matched for k in kinds):
            self.fail("no stall was matched at all")
            return
        for what in self.JUDGED:
            share = self.overall(what)
            if share is not None and share < limits.right:
                self.fail("%s right in %.2f %%, not %g %%" % (what, share, limits.right))
        wall = percentile([e for k in kinds for e in k.wall_error_us], limits.percentile / 100)
        if wall >= limits.wall_us:
            self.fail("length off by %.1f us at p%g, not < %g us"
                      % (wall, limits.percentile, limits.wall_us))
        cpu = percentile([e for k in kinds for e in k.cpu_error] or [0], limits.percentile / 100)
        if cpu >= limits.cpu_share:
            self.fail("CPU share off by %.2f %% of wall at p%g, not < %g %%"
                      % (cpu, limits.percentile, limits.cpu_share))
        unaccounted = (100.0 * sum(k.unaccounted_ns for k in kinds)
                       / sum(k.wall_ns for k in kinds))
        if unaccounted >= limits.unaccounted:
            self.fail("%.2f %% unaccounted, not < %g %%" % (unaccounted, limits.unaccounted))

    def overall(self, what):
        right = sum(k.right[what] for k in self.kinds.values())
        wrong = sum(k.wrong[what] for k in self.kinds.values())
        return None if right + wrong == 0 else 100.0 * right / (right + wrong)

    def judge_books(self):
        """What holds for every record, whatever it says."""
        for stall in self.stalls:
            if sum(stall["ledger"].values()) != stall["wall_ns"]:
                self.fail("the ledger of the stall at %d sums to %d, its wall time is %d" % (
                    stall["start_ns"], sum(stall["ledger"].values()), stall["wall_ns"]))
                break
            ns = [c["ns"] for c in stall.get("causes", [])]
            if ns != sorted(ns, reverse=True):
                self.fail("the causes of the stall at %d are not sorted" % stall["start_ns"])
                break
        if len(self.records["summary"]) != 1:
            self.fail("%d summary records, not one" % len(self.records["summary"]))
            return
        summary = self.records["summary"][0]
        lost = {k: v for k, v in summary["lost"].items() if v}
        if lost:
            self.fail("lost: %s" % lost)
        tid = self.truth.head["tid"]
        said = sum(loop["stalls"] for loop in summary["loops"] if loop["tid"] == tid)
        seen = sum(1 for s in self.stalls if s["tid"] == tid)
        if said != seen:
            self.fail("the summary counts %d stalls, %d were reported" % (said, seen))

    def table(self):
        rows = [("kind", "stalls", "missed", "wall us p50", "p99", "cpu % p99", "unacc. %")
                + tuple(what + " %" for what in self.JUDGED)]
        everything = Kind()
        for name, kind in sorted(self.kinds.items()):
            if kind.due or kind.matched:
                rows.append(self.row(name, kind))
            everything.due += kind.due
            everything.matched += kind.matched
            everything.wall_ns += kind.wall_ns
            everything.unaccounted_ns += kind.unaccounted_ns
            everything.wall_error_us += kind.wall_error_us
            everything.cpu_error += kind.cpu_error
            everything.right += kind.right
            everything.wrong += kind.wrong
        rows.append(self.row("all", everything))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                      for i, (cell, w) in enumerate(zip(row, widths))).rstrip()
            for row in rows)

    def row(self, name, kind):
        shares = [kind.share(what) for what in self.JUDGED]
        return (name, str(kind.matched), str(kind.wrong["found"]),
                "%.1f" % percentile(kind.wall_error_us, 0.5),
                "%.1f" % percentile(kind.wall_error_us, 0.99),
                "%.2f" % percentile(kind.cpu_error or [0], 0.99),
                "%.2f" % (100.0 * kind.unaccounted_ns / kind.wall_ns if kind.wall_ns else 0),
                ) + tuple("-" if s is None else "%.1f" % s for s in shares)


def parse(argv):
    p = argparse.ArgumentParser(description="Hold a trace against the truth.")
    p.add_argument("--truth", required=True, help="what build/stallers/truth wrote")
    p.add_argument("--trace", required=True, help="what loopstall --json wrote")
    p.add_argument("--threshold-ms", type=float, default=10)
    p.add_argument("--edge-us", type=float, default=200,
                   help="how near to the threshold, or to each other, two times are one")
    p.add_argument("--percentile", type=float, default=99, help="at which the next two are held")
    p.add_argument("--wall-us", type=float, default=200, help="length error, below")
    p.add_argument("--cpu-share", type=float, default=1, help="CPU error, %% of wall, below")
    p.add_argument("--unaccounted", type=float, default=1, help="%% of all wall time, below")
    p.add_argument("--crowded", type=float, default=100,
                   help="a stall that waited for a CPU for more than this %% of its time is held to its "
                   "presence, length and sum alone: its times on and off the CPU are the machine's")
    p.add_argument("--right", type=float, default=99, help="%% of causes, sites …, at least")
    return p.parse_args(argv)


def main(argv=None):
    limits = parse(argv)
    try:
        comparison = Comparison(Truth(read_lines(limits.truth)), read_lines(limits.trace), limits)
        ok = comparison.compare()
    except (ValueError, KeyError, OSError) as e:
        print("truth.py: cannot compare: %s: %s" % (type(e).__name__, e), file=sys.stderr)
        return 1
    print(comparison.table())
    stolen_ms = comparison.truth.head.get("stolen_ms", 0)
    if stolen_ms:
        print("the hypervisor took %d ms of the CPUs meanwhile" % stolen_ms)
    if comparison.crowded:
        print("%d stalls waited for a CPU over %g %% of their time: of these only the length is held"
              % (comparison.crowded, limits.crowded))
    for what, lines in comparison.examples.items():
        for line in lines[:5]:
            print("  %s: %s" % (what, line))
    for failure in comparison.failures:
        print("NOT SO: " + failure)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
