# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""check_own.py OWN TRACE: the stalls of own.py have the right sites, lines and stacks. Prints what is wrong."""
import collections
import json
import re
import sys


def marked_lines(path):
    found = {}
    for number, line in enumerate(open(path), 1):
        mark = re.search(r"# (\w+)$", line)
        if mark:
            found[mark.group(1)] = number
    return found


def check_stack(cause):
    """Function and line of each frame of the program, leaf first; "time.sleep" may stand before them."""
    own = [(f["function"].split(".")[-1], f["line"]) for f in cause["stack"]
           if f["kind"] == "python" and f.get("file", "").endswith("own.py")]
    names = [name for name, _ in own]
    return names[:4] == ["helper", "through", "nested", "awaits"] and own[1][1] == lines["helper"]


lines = marked_lines(sys.argv[1])
lines["plain"] = None  # a plain callback: blamed at its innermost own frame, helper
records = [json.loads(line) for line in open(sys.argv[2])]
seen, wrong = collections.Counter(), []
for stall in records:
    # Of one that was under way at the attach only the rest is seen, and perhaps not where it was.
    if stall["type"] != "stall" or stall.get("before_attach") or stall.get("ongoing"):
        continue
    for cause in stall["causes"]:
        if cause["cause"] not in ("sleep", "cpu") or cause["ns"] < 8e6:
            continue
        site = cause.get("site", {})
        if cause["cause"] == "cpu" and not site.get("file", "").endswith("own.py"):
            continue  # the loop's own work, stretched by a busy machine
        name = site.get("function", "?").split(".")[-1]
        name = {"helper": "plain"}.get(name, name)
        if name not in lines:
            wrong.append("site %s" % site)
        elif lines[name] and site["line"] != lines[name]:
            wrong.append("%s at line %d, not %d" % (name, site["line"], lines[name]))
        elif name == "nested" and not check_stack(cause):
            wrong.append("stack of nested: %s" % [f.get("function") for f in cause["stack"]])
        elif name not in ("plain", "deep") and cause.get("task", "").split(": ")[-1] != "main":
            wrong.append("%s in task %s" % (name, cause.get("task")))  # of a cut stack the task is not known
        else:
            seen[name] += 1
    for frame in (f for c in stall["causes"] for f in c.get("stack", [])):
        if frame["kind"] == "python" and not frame.get("function"):
            wrong.append("a frame without a name: %s" % frame)
print(dict(seen))
print("\n".join(wrong[:10]))
missing = set(lines) - set(seen) - {"helper"}
if missing:
    print("never seen: %s" % sorted(missing))
sys.exit(1 if wrong or missing else 0)
