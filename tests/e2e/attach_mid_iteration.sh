#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Attached in the midst of iterations: a loop that comes to its wait while loopstall gets ready does not hang there,
# and no stall is invented.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
staller many --loops 2 --per-second 50 --seconds 60 --stall-us 12000
many=$pid
go
for ((i = 0; i < 12; i++)); do
	trace "$many" -m 10ms -d 0.3
	finish "$tracer" 15
	assert_eq 0 "$rc" "loopstall's exit status"
	assert_jq "$T/trace.json" '[.[] | select(.type == "stall")] | length > 0 and all(.ledger.poll == 0)' \
		"nothing but the program's own stalls"
done
stop "$many"

# Attached while a callback blocks, a select loop is not taken for one on the epoll descriptor that it has besides.
staller pollers pselect6 30
pollers=$pid
go
for ((i = 0; i < 10; i++)); do
	trace "$pollers" -m 10ms -d 0.7
	finish "$tracer" 15
	assert_jq "$T/trace.json" 'map(select(.type == "loop").wait) | unique == ["pselect6"]' "the loop's wait"
done
stop "$pollers"
