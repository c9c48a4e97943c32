#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The comparison with the truth is itself right: it accepts a right trace and refuses wrong ones.
set -u
exec "${PYTHON3:-/usr/bin/python3}" "$(dirname "$0")/../test_truth.py"
