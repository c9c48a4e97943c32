# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""naps.py: what tests/bench/python.sh measures captures on. Each line on standard input is a number of naps of 0.6 ms,
taken in one iteration of a loop 20 Python frames deep; answers each with a line."""
import asyncio
import sys
import time


def nap(depth):
    if depth:
        nap(depth - 1)
    else:
        time.sleep(0.0006)


def on_line():
    for _ in range(int(sys.stdin.readline())):
        nap(11)
    print("done", flush=True)


async def main():
    asyncio.get_running_loop().add_reader(sys.stdin, on_line)
    print("ready", flush=True)
    await asyncio.sleep(3600)


asyncio.run(main())
