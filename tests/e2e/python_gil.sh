#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# A thread pool that runs pure Python stalls the loop by the GIL: cause gil, its 5 ms slices added up, and the pool's
# function is the holder.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
loops=asyncio
"$PYTHON3" -c 'import uvloop' 2>/dev/null && loops='asyncio uvloop'

for loop in $loops; do
	start gil "$PYTHON3" "$ROOT/tests/python/gil.py" "$loop"
	wait_for 10 grep -q ready "$T/gil.out" || fail "it does not begin" "$T/gil.err"
	trace "$pid" -m 4ms -d 3
	finish "$tracer" 20
	assert_eq 0 "$rc" "loopstall's exit status"
	f=$T/trace.json
	assert_jq "$f" 'map(select(.type == "stall")) | length >= 20' "the loop stalls"
	assert_jq "$f" 'map(select(.type == "summary")) | .[0].loops[0].ledger
		| .gil > 0.6 * ((to_entries | map(.value) | add) - .runqueue - .throttled)' "most of the stalls' time is the GIL's"
	# shellcheck disable=SC2016 # jq's variables
	assert_jq "$f" '[.[] | select(.type == "stall") | .causes[] | select(.cause == "gil" and .ns > 2000000)] as $all
		| ($all | map(select(.holder.stack | any(.[]?; .function == "pool_work")))) as $named
		| ($all | length) > 10 and ($named | length) >= 0.8 * ($all | length)' "the pool's function is the holder"
	assert_jq "$f" '[.[] | select(.type == "stall") | .causes[] | select(.cause == "gil") | .ns]
		| max > 4000000' "slices of waiting are added up"
	assert_jq "$f" '[.[] | select(.type == "stall") | .causes[] | select(.cause == "gil") | .advice]
		| any(contains("process pool"))' "the advice is a process pool"
	lost_nothing "$f"
	stop "$pid"
done
