# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tests/bench/python.sh measures on: /fast does nothing; /naps?n=N blocks N times for 0.6 ms, 20 Python frames
below its route."""
import time

from fastapi import FastAPI

app = FastAPI()


def nap(depth):
    if depth:
        nap(depth - 1)
    else:
        time.sleep(0.0006)


@app.get("/fast")
async def fast():
    return "ok"


@app.get("/naps")
async def naps(n: int):
    for _ in range(n):
        nap(18)
    return n
