# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Stalls of each shape that frames can have, with only the standard library; check_own.sh knows the
lines by their marks: `# NAME`. Runs on CPython 3.8 and later."""
import asyncio
import sys
import time


def helper():
    time.sleep(0.03)


def through():
    helper()  # helper


async def nested():
    through()  # nested


async def awaits():
    await nested()


def burn():
    total = 0
    for i in range(400000):
        total += i * i
    return total


async def computes():
    burn()  # computes


class Slow:
    def __init__(self):
        time.sleep(0.03)


async def constructs():
    Slow()  # constructs


async def calls_back():
    max([1], key=lambda _: time.sleep(0.03) or 1)  # calls_back


async def generates():
    def generator():
        time.sleep(0.03)
        yield 1

    for _ in generator():  # generates
        pass


async def produces():
    async def producer():
        helper()  # producer
        yield 1

    async for _ in producer():
        pass


def plain():
    helper()


def recurses(n):
    return recurses(n - 1) if n else helper()


async def deep():
    recurses(300)  # deep


async def main():
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    while True:
        for coroutine in awaits, computes, constructs, calls_back, generates, produces, deep:
            await coroutine()
            await asyncio.sleep(0.002)
        loop.call_soon(plain)
        await asyncio.sleep(0.04)


sys.setrecursionlimit(5000)
asyncio.run(main())
