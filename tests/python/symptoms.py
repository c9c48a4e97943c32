# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A FastAPI service with one blocking mistake a route, and the same done right. A comment
`# stall: ROUTE CAUSE[,CAUSE] [CALLEE...]` marks the line to blame; routes without one must not stall.
Needs UPSTREAM and ECHO (ports) and DATA (a folder)."""
import asyncio
import hashlib
import json
import os
import queue
import re
import socket
import sqlite3
import subprocess
import threading
import time

import requests
import sqlalchemy
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import BaseHTTPMiddleware

UPSTREAM = "http://127.0.0.1:%s/30" % os.environ["UPSTREAM"]
ECHO = ("127.0.0.1", int(os.environ["ECHO"]))
DATA = os.environ["DATA"]
app = FastAPI()
database = sqlalchemy.create_engine("sqlite:///" + DATA + "/session.db")
lock = threading.Lock()
wanted = queue.SimpleQueue()
echo = socket.create_connection(ECHO)
echo.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
open(DATA + "/fsync.bin", "wb").close()
SLOW_QUERY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT sum(i) FROM n"
FLOAT = "a" * 21 + "b"


@app.middleware("http")
async def authenticate(request, call_next):
    if request.url.path == "/middleware":
        requests.get(UPSTREAM)  # stall: middleware network get
    return await call_next(request)


class Delays(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        if request.url.path == "/delayed":
            time.sleep(0.03)  # stall: delayed sleep time.sleep
        return await call_next(request)


app.add_middleware(Delays)


@app.get("/external")
async def external():
    return requests.get(UPSTREAM).text  # stall: external network get


@app.get("/session")
async def session():
    with Session(database) as sync_session:
        sync_session.execute(sqlalchemy.text(SLOW_QUERY))  # stall: session cpu Session.execute


@app.get("/sleep")
async def sleep():
    time.sleep(0.03)  # stall: sleep sleep time.sleep


def heavy_pure_python_loop():
    total = 0
    for i in range(500000):
        total += i * i
    return total


@app.get("/cpu")
async def cpu():
    return heavy_pure_python_loop()  # stall: cpu cpu heavy_pure_python_loop


@app.get("/middleware")
async def behind_middleware():
    return {}


@app.get("/delayed")
async def behind_class():
    return {}


@app.get("/names")
async def names():
    socket.getaddrinfo("slow.example.test", 80)  # stall: names network getaddrinfo


@app.get("/sqlite")
async def sqlite():
    holder = sqlite3.connect(DATA + "/locked.db", check_same_thread=False, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.03, holder.rollback).start()
    with sqlite3.connect(DATA + "/locked.db") as waiter:
        waiter.execute("CREATE TABLE IF NOT EXISTS t (x)")  # stall: sqlite sleep waiter.execute
    waiter.close()


@app.get("/command")
async def command():
    subprocess.run(["/bin/sleep", "0.03"])  # stall: command process run


def hold_lock():
    while taken := wanted.get():
        with lock:
            taken.set()
            time.sleep(0.05)


threading.Thread(target=hold_lock, daemon=True).start()


@app.get("/lock")
async def locked():
    taken = threading.Event()
    wanted.put(taken)
    while not taken.is_set():
        await asyncio.sleep(0.001)
    with lock:  # stall: lock lock
        pass


def hold_once(taken):
    with lock:
        taken.set()
        time.sleep(0.05)


@app.get("/started")
async def started():
    """Short waits for the same cause come before the long one: for the new thread, and for its sign."""
    taken = threading.Event()
    threading.Thread(target=hold_once, args=(taken,)).start()
    taken.wait()
    with lock:  # stall: started lock with lock
        pass


@app.get("/fsync")
async def fsync():
    with open(DATA + "/fsync.bin", "r+b", 0) as f:
        until = time.monotonic() + 0.03  # however fast the disk is
        while time.monotonic() < until:
            f.write(b"a line of a log\n")
            os.fsync(f.fileno())  # stall: fsync disk os.fsync


@app.get("/regex")
async def regex():
    return bool(re.match("(a+)+$", FLOAT))  # stall: regex cpu match


@app.get("/queries")
async def queries():
    for _ in range(60):
        echo.sendall(b"query")
        echo.recv(64)  # stall: queries network echo.recv


@app.get("/digest")
async def digest():
    return hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 120000).hex()  # stall: digest cpu hashlib.pbkdf2_hmac


@app.get("/encode")
async def encode():
    return len(json.dumps(list(range(300000))))  # stall: encode cpu dumps


def on_timer():
    time.sleep(0.03)  # stall: timer sleep time.sleep


@app.get("/timer")
async def timer():
    asyncio.get_running_loop().call_later(0.001, on_timer)
    await asyncio.sleep(0.05)


# --- the same, done right


@app.get("/clean")
async def clean():
    await asyncio.sleep(0.03)


@app.get("/offloaded")
async def offloaded():
    return (await run_in_threadpool(requests.get, UPSTREAM)).text


@app.get("/threaded")
def threaded():
    time.sleep(0.03)
    return {}
