# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""diff_load.py URL SCALE: what tests/bench/diff_real.sh puts on the reference server, until it is gone. Requests come
at random at a constant rate, whether the last are answered or not; most are fast, and some block the loop for about
15 ms times SCALE, by sleeping or by asking the upstream."""
import asyncio
import random
import sys
from urllib.parse import urlsplit

FAST_PER_S, SLOW_PER_S, CONNECTIONS = 500, 30, 16


def path(scale):
    if random.random() > SLOW_PER_S / (FAST_PER_S + SLOW_PER_S):
        return "/fast"
    ms = random.lognormvariate(0, 0.25) * 15 * scale
    return f"/{random.choice(('sleep', 'external'))}?ms={ms:.0f}"


async def client(url, jobs):
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    while True:
        writer.write(f"GET {await jobs.get()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(length[0].split(b":")[1]))


async def arrivals(jobs, scale):
    while True:
        await asyncio.sleep(random.expovariate(FAST_PER_S + SLOW_PER_S))
        jobs.put_nowait(path(scale))


async def main():
    jobs = asyncio.Queue()
    tasks = [client(urlsplit(sys.argv[1]), jobs) for _ in range(CONNECTIONS)]
    await asyncio.gather(arrivals(jobs, float(sys.argv[2])), *tasks)


try:
    asyncio.run(main())
except (asyncio.IncompleteReadError, ConnectionError):
    pass  # the recording is over, and the server with it
