#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How soon loopstall speaks: from its exec to its start record, and from the end of a stall to the
arrival of its line.

    tests/bench/latency.py [--runs N] -- PROGRAM ARG…

The program prints `ready PID` and begins to stall at a line on its standard input. Each run starts it
and loopstall anew. Prints one JSON line: medians of the runs, of the later lines their p99.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time


def resident_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def run(program):
    target = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    tracer = None
    try:
        pid = int(target.stdout.readline().split()[1])
        time.sleep(0.3)
        begin = time.monotonic_ns()
        tracer = subprocess.Popen(["loopstall", "-p", str(pid), "--json"], stdout=subprocess.PIPE)
        return follow(target, tracer, begin)
    finally:
        for process in filter(None, (target, tracer)):
            process.kill()
            process.wait()


def follow(target, tracer, begin):
    start_ms, late_ms, rss_kb = None, [], 0
    for line in tracer.stdout:
        now = time.monotonic_ns()
        record = json.loads(line)
        if record["type"] == "start":
            start_ms = (now - begin) / 1e6
            time.sleep(0.5)  # ticks, by which a loop is known
            target.stdin.write(b"go\n")
            target.stdin.flush()
        elif record["type"] == "stall" and not record["ongoing"]:
            # Its line cannot have been read before the last one was dealt with: that takes no time.
            late_ms.append((now - record["start_ns"] - record["wall_ns"]) / 1e6)
            rss_kb = resident_kb(tracer.pid)
    return start_ms, late_ms, rss_kb


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("program", nargs="+")
    args = p.parse_args()
    runs = [run(args.program) for _ in range(args.runs)]
    if not all(start and len(late) > 1 for start, late, _ in runs):
        sys.exit("latency.py: a run without stalls: %s" % runs)
    later = sorted(ms for _, late, _ in runs for ms in late[1:])
    print(json.dumps({
        "runs": len(runs), "lines": sum(len(late) for _, late, _ in runs),
        "start_ms": round(statistics.median(start for start, _, _ in runs), 1),
        "first_line_ms": round(statistics.median(late[0] for _, late, _ in runs), 1),
        "line_ms": round(later[max(0, len(later) * 99 // 100 - 1)], 1),
        "rss_kb": max(rss for _, _, rss in runs)}))


if __name__ == "__main__":
    os.environ["PATH"] = "%s:%s" % (os.path.abspath("build"), os.environ["PATH"])
    main()
