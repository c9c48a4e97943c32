#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""chrome_trace.py FILE: the Trace Event Format, strictly: fields and types by phase, slices nested."""
import json
import sys

NUMBER = (int, float)
FIELDS = {  # of every event, then by phase
    "*": {"ph": str, "name": str, "pid": int, "tid": int},
    "X": {"ts": NUMBER, "dur": NUMBER, "cat": str, "args": dict},
    "M": {"args": dict},
    "C": {"ts": NUMBER, "args": dict},
}
METADATA = {"process_name": "name", "thread_name": "name", "process_labels": "labels"}


def check(event):
    for key, kind in {**FIELDS["*"], **FIELDS[event["ph"]]}.items():
        assert isinstance(event.get(key), kind), (key, event)
    if event["ph"] == "M":
        assert isinstance(event["args"][METADATA[event["name"]]], str)
    if event["ph"] == "C":
        assert all(isinstance(v, NUMBER) for v in event["args"].values())
    if event["ph"] == "X":
        assert event["dur"] >= 0 and event["ts"] >= 0


def nested(slices):
    """On a track, a slice that begins within another ends within it."""
    open_ends = []
    for ts, dur in sorted(slices, key=lambda s: (s[0], -s[1])):
        while open_ends and open_ends[-1] <= ts + 0.002:
            open_ends.pop()
        assert not open_ends or ts + dur <= open_ends[-1] + 0.002, (ts, dur, open_ends[-1])
        open_ends.append(ts + dur)


def main():
    trace = json.load(open(sys.argv[1]))
    events, tracks, names = trace["traceEvents"], {}, set()
    for e in events:
        check(e)
        if e["ph"] == "X":
            tracks.setdefault((e["pid"], e["tid"]), []).append((e["ts"], e["dur"]))
        if e["name"] == "thread_name":
            names.add((e["pid"], e["tid"]))
    for track in tracks.values():
        nested(track)
    assert set(tracks) <= names, "a track without a name"
    print(f"perfetto: {len(events)} events on {len(tracks)} tracks")


main()
