#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Every kind of request and every way to end one, under valgrind: no leak, no bad access.
cd "$(dirname "$0")/server" && exec "${PYTHON3:-/usr/bin/python3}" -B leaks.py
