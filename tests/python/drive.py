# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""drive.py BASE_URL COUNT ROUTE...: each route COUNT times, in turns. Prints one JSON object a request:
route and when it was under way (CLOCK_MONOTONIC), for check.py to match stalls with."""
import json
import sys
import time

import requests

base, count, routes = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
session = requests.Session()
for _ in range(count):
    for route in routes:
        begin = time.monotonic_ns()
        status = session.get(base + "/" + route).status_code
        print(json.dumps({"route": route, "begin": begin, "end": time.monotonic_ns(), "status": status}))
        time.sleep(0.005)  # a stall's end and the next request must not meet
