#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Back-pressure, deadlines, clients that go, workers that crash or hang.
cd "$(dirname "$0")/server" && exec "${PYTHON3:-/usr/bin/python3}" -B pools.py
