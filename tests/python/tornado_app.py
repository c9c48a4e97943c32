# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""tornado_app.py PORT: native coroutines, generator coroutines and plain methods; the marks are those of
symptoms.py."""
import asyncio
import sys
import time

import tornado.gen
import tornado.ioloop
import tornado.web


class Sleep(tornado.web.RequestHandler):
    async def get(self):
        await asyncio.sleep(0)
        time.sleep(0.03)  # stall: sleep sleep time.sleep


class Generator(tornado.web.RequestHandler):
    @tornado.gen.coroutine
    def get(self):
        yield tornado.gen.sleep(0.001)
        self.block()

    def block(self):
        time.sleep(0.03)  # stall: generator sleep time.sleep


class Clean(tornado.web.RequestHandler):
    async def get(self):
        await tornado.gen.sleep(0.03)


app = tornado.web.Application([("/sleep", Sleep), ("/generator", Generator), ("/clean", Clean)])
app.listen(int(sys.argv[1]), address="127.0.0.1")
tornado.ioloop.IOLoop.current().start()
