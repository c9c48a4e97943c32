#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# /fast beside a load on each slow route.
cd "$(dirname "$0")/server" && exec "${PYTHON3:-/usr/bin/python3}" -B fast.py
