#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The host's own Python: sites, lines and stacks of each shape that frames can have. `make check-python` does the others.
exec "$(dirname "$0")/../python/check.sh" host
