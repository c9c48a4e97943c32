# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An asyncio loop with little to do, and a thread pool that runs pure Python: threads do not help."""
import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor


def pool_work():
    total = 0
    for i in range(3000000):
        total += i * i
    return total


async def feed(pool):
    while True:
        await asyncio.get_running_loop().run_in_executor(pool, pool_work)


async def main():
    pool = ThreadPoolExecutor(2)
    feeders = [asyncio.create_task(feed(pool)) for _ in range(2)]
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.005)
    await asyncio.gather(*feeders)


if sys.argv[1:] == ["uvloop"]:
    import uvloop

    uvloop.install()
asyncio.run(main())
