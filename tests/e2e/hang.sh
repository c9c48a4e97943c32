#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# A loop that hangs now, since before we came, is reported within a second as ongoing, with its
# cause and stack; one that begins to hang while traced, too; and the end of the trace says so.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq

# ongoing FILE FUNCTION CAUSE WHAT: the first ongoing stall is this
ongoing() {
	local filter
	filter="map(select(.type == \"stall\" and .ongoing))[0]
		| . != null and .causes[0].cause == \"$3\"
		and (.causes[0].stack | map(.function) | index(\"$2\") != null)
		and (.ledger | add) == .wall_ns"
	assert_jq "$1" "$filter" "$4: ongoing, cause $3, $2 in the stack"
}

declare -A cause=([read]=pipe [spin]=cpu [mutex]=lock)
for how in read spin mutex; do
	# Hanging since before.
	start "$how" "$STALLERS/hang" "$how" 100
	hang=$pid
	wait_for 5 grep -q '^hanging' "$T/$how.out" || fail "$how: does not hang" "$T/$how.out"
	sleep 0.3
	begin=${EPOCHREALTIME/./}
	start "trace-$how" loopstall -p "$hang" --json
	tracer=$pid
	wait_for 5 grep -q '"ongoing":true' "$T/trace-$how.out" ||
		fail "$how: not reported" "$T/trace-$how.out" "$T/trace-$how.err"
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	say "hung in $how since before: reported $ms ms after exec"
	[ "$ms" -lt 1000 ] || fail "$how: reported only after $ms ms"
	stop "$tracer" INT
	assert_eq 0 "$rc" "$how: exit status"
	ongoing "$T/trace-$how.out" "hang_$how" "${cause[$how]}" "$how, since before"
	if [ "$how" = mutex ]; then
		assert_jq "$T/trace-$how.out" 'map(select(.type == "stall" and .ongoing))[0]
			| .causes[0].holder.comm == "lock-holder"' "the holder is named"
	fi
	stop "$hang" KILL

	# Hanging from now on.
	start "$how" "$STALLERS/hang" "$how" 1500
	hang=$pid
	wait_for 5 grep -q '^ready' "$T/$how.out"
	start "trace-$how" loopstall -p "$hang" --json
	tracer=$pid
	wait_for 5 grep -q '^hanging' "$T/$how.out" || fail "$how: does not hang" "$T/$how.out"
	start_ns=$(sed -n 's/^hanging [a-z]* //p' "$T/$how.out")
	wait_for 5 grep -q '"ongoing":true' "$T/trace-$how.out" ||
		fail "$how: not reported while traced" "$T/trace-$how.out" "$T/trace-$how.err"
	stop "$tracer" INT
	ongoing "$T/trace-$how.out" "hang_$how" "${cause[$how]}" "$how, while traced"
	assert_jq "$T/trace-$how.out" "map(select(.type == \"stall\" and .ongoing))[0]
		| (.start_ns - $start_ns | fabs) < 1000000
		and .causes[0].site.function == \"hang_$how\"" "$how: when and where it began"
	stop "$hang" KILL
done
