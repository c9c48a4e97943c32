# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""aiohttp_app.py PORT: blocking and clean handlers; the marks are those of symptoms.py."""
import asyncio
import sys
import time

from aiohttp import web

routes = web.RouteTableDef()


@routes.get("/sleep")
async def sleep(request):
    time.sleep(0.03)  # stall: sleep sleep time.sleep
    return web.Response(text="ok")


@routes.get("/cpu")
async def cpu(request):
    return web.Response(text=str(sum(i * i for i in range(500000))))  # stall: cpu cpu


@routes.get("/clean")
async def clean(request):
    await asyncio.sleep(0.03)
    return web.Response(text="ok")


@routes.get("/offloaded")
async def offloaded(request):
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.03)
    return web.Response(text="ok")


app = web.Application()
app.add_routes(routes)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
