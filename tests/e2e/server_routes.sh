#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What each route answers, in both modes.
cd "$(dirname "$0")/server" && exec "${PYTHON3:-/usr/bin/python3}" -B routes.py
