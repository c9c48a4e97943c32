# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Load on offload-server for SOAK_SECONDS (600), its workers killed at random.

Each client knows from every answer whether it is the one to its own request; so none may be lost,
doubled or swapped. Afterwards: memory and descriptors as before, an orderly end, nothing left behind;
and, where loopstall can trace (root), no stall over 10 ms in the server's own loop.
"""
import collections
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e/server"))
from harness import Server, wait_for  # pylint: disable=wrong-import-position

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
CLIENTS = 24
GROWTH_MB = 16
NOISE = os.urandom(1 << 20)


class Client(threading.Thread):
    """One kept-alive connection with one request after the other."""

    def __init__(self, server, seed, end):
        super().__init__()
        self.server, self.end, self.random = server, end, random.Random(seed)
        self.statuses, self.wrong = collections.Counter(), []
        self.connection = None

    def run(self):
        try:
            while time.monotonic() < self.end:
                self.one()
        except Exception as error:  # pylint: disable=broad-except
            self.wrong.append(repr(error))
        finally:
            self.leave()

    def leave(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def ask(self, method, path, body=None):
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.connection.request(method, path, body)
        if self.random.random() < 0.02:  # goes without waiting for the answer
            self.leave()
            return None
        answer = self.connection.getresponse()
        data = answer.read()
        self.statuses[path.partition("?")[0], answer.status] += 1
        return (answer.status, data)

    def expect(self, path, answer, allowed, good):
        if answer is None:
            return
        status, data = answer
        if status not in allowed or (status == 200 and not good(data)):
            self.wrong.append(f"{path}: {status} {data[:80]!r}")

    def one(self):
        ms = self.random.randrange(60)
        kind = self.random.randrange(12)
        if kind < 4:
            start = self.random.randrange(len(NOISE) // 2)
            body = NOISE[start:start + self.random.randrange(200000)]
            body += bytes(self.random.randrange(300000))
            self.expect("/encode", self.ask("POST", "/encode", body), (200, 500, 503, 504),
                        lambda data: zlib.decompress(data) == body)
        elif kind < 6:
            self.expect("/external", self.ask("GET", f"/external?ms={ms}"), (200, 503, 504),
                        lambda data: json.loads(data)["ms"] == ms)
        elif kind < 8:
            self.expect("/db", self.ask("GET", f"/db?ms={ms}"), (200, 503, 504),
                        lambda data: json.loads(data) == {"rows": 100, "ms": ms})
        elif kind < 9:
            self.expect("/file", self.ask("GET", f"/file?kb={ms}"), (200, 503, 504),
                        lambda data: json.loads(data)["stored_kb"] == ms)
        elif kind < 11:
            self.expect("/sleep", self.ask("GET", f"/sleep?ms={ms}"), (200,),
                        lambda data: json.loads(data)["slept_ms"] == ms)
        else:
            self.expect("/fast", self.ask("GET", "/fast"), (200,),
                        lambda data: data == b'{"ok":true}\n')


class Killer(threading.Thread):
    """Kills a worker, or stops one so that it hangs, every now and then."""

    def __init__(self, server, end):
        super().__init__()
        self.server, self.end, self.kills = server, end, 0

    def run(self):
        while time.monotonic() < self.end:
            time.sleep(random.uniform(0.2, 2))
            workers = self.server.workers()
            if workers:
                try:
                    os.kill(random.choice(workers), random.choice([signal.SIGKILL, signal.SIGKILL,
                                                                   signal.SIGSTOP]))
                    self.kills += 1
                except ProcessLookupError:
                    pass


def resources(server):
    wait_for(lambda: server.metric("offload_connections") == 1, "connections to close")
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        rss_kb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return rss_kb // 1024, len(os.listdir(f"/proc/{server.pid}/fd"))


def start_trace(server, path):
    """loopstall on the server, or None where it cannot."""
    if os.geteuid() != 0:
        return None
    try:
        trace = subprocess.Popen(["loopstall", "-p", str(server.pid), "--json", "-m", "10ms",
                                  "-o", path], stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return None
    time.sleep(3)
    return trace if trace.poll() is None else None


def own_loop(path, pid):
    """The iterations of the server's loop, and the stalls that are its own doing: waiting for a CPU
    is the machine's. Also what the trace has lost: nothing may have been missed."""
    iterations, stalls, lost = 0, [], None
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["type"] == "summary":
                iterations = sum(loop["iterations"] for loop in record["loops"] if loop["tid"] == pid)
                lost = sum(record["lost"].values())
            if record["type"] != "stall" or record["tid"] != pid:
                continue
            ledger = record["ledger"]
            if record["wall_ns"] - ledger["runqueue"] - ledger["throttled"] >= 10e6:
                stalls.append(record)
    return iterations, stalls, lost


def describe(stall):
    cause = stall["causes"][0]
    frames = [frame.get("function") or "?" for frame in cause.get("stack", [])]
    return f"{stall['wall_ns'] / 1e6:.1f} ms, {cause['cause']}: {' < '.join(frames)}"


def load(server, seconds, killing):
    end = time.monotonic() + seconds
    clients = [Client(server, random.random(), end) for _ in range(CLIENTS)]
    killer = Killer(server, end if killing else 0)
    for thread in [*clients, killer]:
        thread.start()
    for thread in [*clients, killer]:
        thread.join()
    statuses = sum((client.statuses for client in clients), collections.Counter())
    return statuses, [wrong for client in clients for wrong in client.wrong], killer.kills


def check(what, good):
    print(f"{'ok  ' if good else 'FAIL'} {what}", flush=True)
    return 0 if good else 1


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as directory:
        with Server("--deadline", "2s", "--io-threads", "8", "--data-dir", directory) as server:
            load(server, min(SECONDS / 4, 10), False)  # memory and threads reach their level
            rss_mb, fds = resources(server)
            path = os.path.join(directory, "trace.json")
            trace = start_trace(server, path)
            statuses, wrong, kills = load(server, SECONDS, True)
            if trace:
                trace.send_signal(signal.SIGINT)
                trace.wait()
            for (route, status), n in sorted(statuses.items()):
                print(f"     {route} {status}: {n}")
            failures += check(f"every answer was its request's own ({sum(statuses.values())}) "
                              f"{wrong[:3] or ''}", not wrong)
            lost = sum(n for (_, status), n in statuses.items() if status == 500)
            failures += check(f"{kills} workers killed or stopped cost {lost} requests",
                              kills > 0 and lost <= kills)
            wait_for(lambda: server.metric("offload_workers") > 0, "workers to be back")
            after_mb, after_fds = resources(server)
            failures += check(f"memory: {rss_mb} MB before, {after_mb} MB after",
                              after_mb - rss_mb <= GROWTH_MB)
            failures += check(f"descriptors: {fds} before, {after_fds} after", after_fds <= fds + 4)
            if trace:
                iterations, found, missed = own_loop(path, server.pid)
                failures += check(f"{len(found)} stalls over 10 ms in {iterations} iterations of its "
                                  f"own loop, of which the trace lost {missed}",
                                  iterations > 1000 and not found and missed == 0)
                for stall in found[:10]:
                    print("     " + describe(stall))
                os.unlink(path)
            else:
                print("skip stalls in its own loop: loopstall cannot trace here")
            workers = server.workers()
        failures += check("an orderly end", True)  # or Server would have raised
        failures += check("nothing left behind", not os.listdir(directory) and
                          not any(os.path.exists(f"/proc/{pid}") for pid in workers))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
