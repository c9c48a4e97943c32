#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""record_lines.py [--positions] [MODULE...]: line tables of code objects, and what the interpreter itself says of
them. Without arguments, of the whole standard library. One code object a line:

    FORMAT FIRSTLINENO TABLE START:END:LINE[,START:END:LINE...]

TABLE in hexadecimal, ranges in bytes of bytecode, half open; LINE 0 where there is none.
With --positions (3.11 and later) OFFSET:LINE:END_LINE:COLUMN:END_COLUMN, where the columns are known.
FORMAT is the number of enum python_line_format: 0 lnotab, 1 PEP 626, 2 locations.
"""
import dis
import os
import sys
import sysconfig

FORMAT = 2 if sys.version_info >= (3, 11) else 1 if sys.version_info >= (3, 10) else 0


def ranges(code):
    if FORMAT:
        return [(a, b, line or 0) for a, b, line in code.co_lines()]
    starts = list(dis.findlinestarts(code))
    ends = [start for start, _ in starts[1:]] + [len(code.co_code)]
    return [(start, end, line) for (start, line), end in zip(starts, ends)]


def positions(code):
    known = ((2 * i,) + p for i, p in enumerate(code.co_positions()))
    return ((o, line, end_line, a, b) for o, line, end_line, a, b in known if None not in (line, end_line, a, b))


def record(code):
    table = code.co_linetable if FORMAT else code.co_lnotab
    if POSITIONS:
        text = ",".join("%d:%d:%d:%d:%d" % p for p in positions(code))
    else:
        text = ",".join("%d:%d:%d" % r for r in ranges(code))
    print(FORMAT, code.co_firstlineno, table.hex() or "-", text or "-")
    for const in code.co_consts:
        if hasattr(const, "co_code"):
            record(const)


def files(names):
    root = sysconfig.get_path("stdlib")
    if names:
        return [os.path.join(root, name) for name in names]
    skip = ("site-packages", "dist-packages", "test", "tests", "lib2to3", "idlelib", "__pycache__")
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in skip]
        found += [os.path.join(folder, n) for n in names if n.endswith(".py")]
    return sorted(found)


POSITIONS = "--positions" in sys.argv
for path in files([a for a in sys.argv[1:] if a != "--positions"]):
    try:
        with open(path, "rb") as f:
            source = f.read()
        record(compile(source, path, "exec", dont_inherit=True))
    except (SyntaxError, ValueError):  # some files there are wrong on purpose
        pass
