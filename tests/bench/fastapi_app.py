# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What tests/bench/python.sh puts under load: /fast does nothing."""
from fastapi import FastAPI

app = FastAPI()


@app.get("/fast")
async def fast():
    return "ok"
