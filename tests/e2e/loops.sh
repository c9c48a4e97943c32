#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Loops of every wait are found, a wait inside a callback is a stall and not idle time; threads and
# children that come later are found; idle loops have no stall.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq

# A machine's own hiccups are no stall of the program: only what is not waiting for a CPU counts.
real='select(.type == "stall" and .wall_ns - .ledger.runqueue - .ledger.throttled >= 10000000)'

# traced_run NAME ARG…: staller NAME traced from its readiness to its end, into $T/trace.json
traced_run() {
	local name=$1
	rm -f "$T/$name.in"
	staller "$@"
	target=$pid
	trace "$target"
	sleep 0.5 # healthy ticks
	go
	finish "$target" 20
	local status=$rc
	exec {go_fd}>&-
	finish "$tracer" 10
	assert_eq 0 "$rc" "$*: exit status of loopstall"
	assert_eq 0 "$status" "$*: exit status"
	lost_nothing "$T/trace.json"
}

# check_stalls WAIT CAUSE SITE NAME: one loop which waits so, and as many stalls as NAME says it had
check_stalls() {
	local wanted got
	assert_jq "$T/trace.json" "map(select(.type == \"loop\")) | length == 1 and .[0].wait == \"$1\"" \
		"$4: one loop, waiting in $1"
	wanted=$(sed -n 's/^stalls //p' "$T/$4.out")
	got=$(jq -c "$real | select(.wall_ns > 19500000)
		| .causes | map(select(.cause != \"runqueue\"))[0]
		| select(.cause == \"$2\" and .site.function == \"$3\")" "$T/trace.json" | wc -l)
	[ "$got" = "$wanted" ] || {
		jq -c "$real | [.wall_ns, .ledger, .causes[0]]" "$T/trace.json" | cut -c1-400 >"$T/stalls"
		fail "$4 on $1: $got of $wanted stalls with cause $2 in $3" "$T/stalls"
	}
	assert_eq "$wanted" "$(jq -c "$real" "$T/trace.json" | wc -l)" "$4 on $1: stalls in all"
	say "$1: $got stalls"
}

for home in poll ppoll select pselect6 epoll_pwait epoll_pwait2; do
	traced_run pollers "$home" 1
	check_stalls "$home" pipe tick pollers # which calls stall_nested_poll
done

if "$STALLERS/uring" 1 </dev/null >/dev/null 2>"$T/uring.err"; then
	traced_run uring 1
	check_stalls io_uring_enter sleep stall_sleep uring
else
	say "io_uring not tested: $(cat "$T/uring.err")"
fi

# --- threads and children that begin later ---
traced_run forker 3
while read -r _ name p tid; do
	n=$(jq -c "$real | select(.pid == $p and .tid == $tid)" "$T/trace.json" | wc -l)
	say "$name: $n stalls"
	case $name in
	forker) # a fork may itself take long on a crowded machine; what its descendants do is not its doing
		n=$(jq -c "$real | select(.pid == $p and .tid == $tid)
			| select(any(.causes[]; .site.function // \"\" | test(\"^stall_\")))" "$T/trace.json" | wc -l)
		[ "$n" = 0 ] || fail "$n stalls of others are told of the parent's loop"
		;;
	late-loop) [ "$n" -ge 6 ] || fail "$name: only $n stalls" ;;
	*) [ "$n" -ge 10 ] || fail "$name: only $n stalls" ;;
	esac
done < <(grep '^loop ' "$T/forker.out")
assert_jq "$T/trace.json" 'map(select(.type == "stall" and .comm == "child-loop"))
	| length > 0 and all(.causes | map(select(.cause != "runqueue"))[0].site.function == "stall_in_child")' \
	"the child's site"

# --- idle ones ---
start idle "$STALLERS/idle" 4 5
trace "$pid" -d 1
finish "$tracer" 20
assert_eq 4 "$(records "$T/trace.json" loop | wc -l)" "idle: loops found"
assert_eq 0 "$(jq -c "$real" "$T/trace.json" | wc -l)" "idle: stalls"
