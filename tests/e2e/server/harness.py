# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Starts offload-server on a free port, and talks to it in whole requests or in raw bytes."""
import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time

BUILT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../build/offload-server")
PROGRAM = os.environ.get("OFFLOAD_SERVER", os.path.normpath(BUILT)).split()


class Server:
    """with Server("--mode", "inline") as s: ...; ends it, and checks that it ends well."""

    def __init__(self, *flags, status=0, wrapper=()):
        self.flags, self.expected_status, self.wrapper, self.log = flags, status, wrapper, []

    def __enter__(self):
        self.process = subprocess.Popen([*self.wrapper, *PROGRAM, "--listen", "127.0.0.1:0", *self.flags],
                                        stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r"listening on http://127.0.0.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                break
        else:
            raise AssertionError("did not start: " + "".join(self.log))
        self.reader = threading.Thread(target=self.log.extend, args=(self.process.stderr,))
        self.reader.start()
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        if not kind:
            assert status == self.expected_status, f"exit status {status}: {self.log}"

    def get(self, path, method="GET", body=None, headers=None):
        """(status, headers as a dict, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def connect(self, timeout=30):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def raw(self, data, timeout=30):
        """Everything that comes back until the server closes."""
        with self.connect(timeout) as s:
            s.sendall(data)
            return read_all(s)

    def raw_status(self, data, timeout=30):
        answer = self.raw(data, timeout)
        return int(answer.split(b" ", 2)[1]) if answer else None

    def metric(self, name):
        """The sample with exactly this name and these labels; 0 when there is none."""
        for line in self.get("/metrics")[2].decode().splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        return 0

    def wait_metric(self, name, value, seconds=30):
        wait_for(lambda: self.metric(name) == value, f"{name} = {value}", seconds)

    def workers(self):
        """Process ids of the pool's workers."""
        found = subprocess.run(["pgrep", "-P", str(self.pid), "-x", "offload-worker"],
                               stdout=subprocess.PIPE, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]


def read_all(s):
    out = b""
    while True:
        data = s.recv(65536)
        if not data:
            return out
        out += data


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


class Together:
    """Runs calls on threads of their own; their results, in order, or the first exception."""

    def __init__(self, calls):
        self.results = [None] * len(calls)
        self.threads = [threading.Thread(target=self.run, args=(i, call))
                        for i, call in enumerate(calls)]
        for thread in self.threads:
            thread.start()

    def run(self, i, call):
        try:
            self.results[i] = call()
        except Exception as error:  # pylint: disable=broad-except
            self.results[i] = error

    def join(self):
        for thread in self.threads:
            thread.join()
        for result in self.results:
            if isinstance(result, Exception):
                raise result
        return self.results


def least(call, enough, attempts=5):
    """The least that the call returns, tried again until it is enough: noise of the machine only adds."""
    results = []
    while not results or (min(results) >= enough and len(results) < attempts):
        results.append(call())
    return min(results)
