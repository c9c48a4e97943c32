#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Flags, start, drain, and what is left behind.
cd "$(dirname "$0")/server" && exec "${PYTHON3:-/usr/bin/python3}" -B lifecycle.py
