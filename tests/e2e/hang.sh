#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# A loop that hangs now, since before we came, is reported within a second as ongoing, with its
# cause and stack; one that begins to hang while traced, too; and the end of the trace says so.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq

# ongoing FILE FUNCTION CAUSE WHAT: the first ongoing stall is this. One that spins may well have
# waited longer for a CPU than it had it.
ongoing() {
	local filter
	filter="map(select(.type == \"stall\" and .ongoing))[0]
		| (.causes | map(select(.cause != \"runqueue\"))[0]) as \$first
		| \$first.cause == \"$3\"
		and (\$first.stack | map(.function) | index(\"$2\") != null)
		and (.ledger | add) == .wall_ns"
	assert_jq "$1" "$filter" "$4: ongoing, cause $3, $2 in the stack"
}

declare -A cause=([read]=pipe [spin]=cpu [mutex]=lock [open]=other)
export HANG_FIFO=$T/fifo
mkfifo "$HANG_FIFO"
for how in read spin mutex open; do
	# Hanging since before.
	start "$how" "$STALLERS/hang" "$how" 100
	hang=$pid
	wait_for 5 grep -q '^hanging' "$T/$how.out" || fail "$how: does not hang" "$T/$how.out"
	sleep 0.3
	for try in 1 2 3; do # a crowded machine may need another
		begin=${EPOCHREALTIME/./}
		start "trace-$how" loopstall -p "$hang" --json
		tracer=$pid
		wait_for 5 grep -q '"ongoing":true' "$T/trace-$how.out" ||
			fail "$how: not reported" "$T/trace-$how.out" "$T/trace-$how.err"
		ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
		waited=$(waited_ms "$tracer")
		say "hung in $how since before: reported $ms ms after exec, $waited of them without a CPU"
		stop "$tracer" INT
		assert_eq 0 "$rc" "$how: exit status"
		[ $((ms - waited)) -ge 1000 ] || break
		[ "$try" -lt 3 ] || fail "$how: reported only after $ms ms"
	done
	ongoing "$T/trace-$how.out" "hang_$how" "${cause[$how]}" "$how, since before"
	stop "$hang"

	# Hanging from now on.
	rm -f "$T/hang.in"
	staller hang "$how"
	hang=$pid
	trace "$hang"
	wait_for 10 grep -q '"type":"loop"' "$T/trace.out" || fail "$how: no loop found" "$T/trace.err"
	go
	wait_for 5 grep -q '^hanging' "$T/hang.out" || fail "$how: does not hang" "$T/hang.out"
	start_ns=$(sed -n 's/^hanging [a-z]* //p' "$T/hang.out")
	wait_for 5 grep -q '"ongoing":true' "$T/trace.out" ||
		fail "$how: not reported while traced" "$T/trace.out" "$T/trace.err"
	stop "$tracer" INT
	ongoing "$T/trace.out" "hang_$how" "${cause[$how]}" "$how, while traced"
	assert_jq "$T/trace.out" "map(select(.type == \"stall\" and .ongoing))[0]
		| (.start_ns - $start_ns | fabs) < 1000000
		and (.causes | map(select(.cause != \"runqueue\"))[0].site.function) == \"hang_$how\"" \
		"$how: when and where it began"
	if [ "$how" = mutex ]; then
		assert_jq "$T/trace.out" 'map(select(.type == "stall" and .ongoing))[0]
			| .causes[0].holder.comm == "lock-holder"' "the holder is named"
	fi
	if [ "$how" = read ]; then # what is otherwise seen at a block's end only
		assert_jq "$T/trace.out" 'map(select(.type == "stall" and .ongoing))[0].causes[0]
			| .call.object == "pipe" and (.stack | any(.kind == "kernel"))' \
			"the object and the kernel stack are named"
	fi
	if [ "$how" = open ]; then # its path is in the program's memory
		assert_jq "$T/trace.out" "map(select(.type == \"stall\" and .ongoing))[0]
			| .causes[0].call | .name == \"openat\" and .object == \"$HANG_FIFO\"" \
			"the path is named"
	fi
	stop "$hang"
done
