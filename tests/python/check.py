# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""check.py APP TRACE REQUESTS [ROUTE=OBJECT...]: every request of a stalling route has its stall, with the
cause, site and line that APP's comments say, and on the object given (a regular expression); the others
have none. Prints a line a route; exit status 1 below 99 % of the stalls."""
import collections
import json
import os
import re
import sys

MARK = re.compile(r"# stall: (\w+) (\S+)(?: (.+))?")
MEANT_NS = 3e6
OURS = ("runqueue", "throttled")  # the machine's doing


def read_marks(path):
    marks, functions = {}, []
    for number, line in enumerate(open(path), 1):
        indent = len(line) - len(line.lstrip())
        if line.strip():
            functions = [f for f in functions if f[0] < indent]
        defined = re.match(r"\s*(?:async )?def (\w+)", line)
        if defined:
            functions.append((indent, defined.group(1)))
        mark = MARK.search(line)
        if mark and functions:
            route, causes, callee = mark.groups()
            marks[route] = {"line": number, "function": functions[-1][1], "causes": causes.split(","), "callee": callee}
    return marks


def complaint(stall, mark, wanted_object):
    ours = [c for c in stall["causes"] if c["cause"] not in OURS]
    # A crowded machine may leave the program little of the stall: what counts then is its share of that.
    enough = min(MEANT_NS, sum(c["ns"] for c in ours) / 4)
    meant = [c for c in ours if c["cause"] in mark["causes"] and c["ns"] >= enough]
    found = [complaint_of(c, mark, wanted_object) for c in meant or ours or [{"cause": "none"}]]
    return None if None in found else found[0]


def complaint_of(cause, mark, wanted_object):
    site = cause.get("site", {})
    if cause["cause"] not in mark["causes"]:
        return "cause %s, not %s" % (cause["cause"], mark["causes"])
    if site.get("function", "").split(".")[-1] != mark["function"]:
        return "site %s, not %s" % (site.get("function"), mark["function"])
    if site.get("line") != mark["line"]:
        return "line %s, not %d" % (site.get("line"), mark["line"])
    callee = cause.get("callee", {}).get("function", "")
    if mark["callee"] and callee != mark["callee"]:
        return "callee %s, not %s" % (callee, mark["callee"])
    found = cause.get("call", {}).get("object", "")
    if wanted_object and not re.search(wanted_object, found):
        return "object '%s', not /%s/" % (found, wanted_object)
    return None


def main(app, trace, requests, *objects):
    app = os.path.realpath(app)
    marks, objects = read_marks(app), dict(o.split("=", 1) for o in objects)
    records = [json.loads(line) for line in open(trace)]
    stalls = [r for r in records if r["type"] == "stall" and not r.get("ongoing")]
    right, wrong, extra, total = collections.Counter(), collections.Counter(), collections.Counter(), collections.Counter()
    for request in map(json.loads, open(requests)):
        route = request["route"]
        total[route] += 1
        if request["status"] != 200:
            sys.exit("%s answered %d" % (route, request["status"]))
        within = [s for s in stalls if s["start_ns"] < request["end"] and s["start_ns"] + s["wall_ns"] > request["begin"]]
        if route not in marks:
            # On a busy machine even starting a thread may stall; that is no fault of the route's.
            if any(c["ns"] > 10e6 and c.get("site", {}).get("file") == app for s in within for c in s["causes"]):
                extra[route] += 1
                print("%s: a stall that should not be: %s" % (route, json.dumps(within[0])[:600]))
            continue
        if not within:
            complaints = ["no stall"]
        else:
            complaints = [complaint(s, marks[route], objects.get(route)) for s in within]
        if None in complaints:
            right[route] += 1
        else:
            wrong[route] += 1
            print("%s: %s" % (route, complaints))
            for s in within:
                print("   ", json.dumps({**s, "causes": [{**c, "stack": [f.get("function") for f in c.get("stack", [])[:6]]} for c in s["causes"]]})[:1500])
    for route in total:
        print("%-12s %3d requests, %3d right, %d wrong, %d that should not be" % (route, total[route], right[route], wrong[route], extra[route]))
    share = sum(right.values()) / max(1, sum(right.values()) + sum(wrong.values()))
    print("%.1f %% of %d stalls right" % (100 * share, sum(right.values()) + sum(wrong.values())))
    return 0 if share >= 0.99 and not extra else 1


sys.exit(main(*sys.argv[1:]))
