#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Attach and Ctrl-C, again and again, to a Redis under load: no BPF program, map, link, pin or
# process stays behind, and Redis is as it was. ATTACH_RUNS (default 20; the full bar is 100).
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need redis-server redis-cli redis-benchmark jq bpftool
runs=${ATTACH_RUNS:-20}

start redis redis-server --port 0 --unixsocket "$T/redis.sock" --dir "$T" --save '' --daemonize no
redis=$pid
wait_for 10 redis-cli -s "$T/redis.sock" ping || fail "redis-server does not answer" "$T/redis.out"

# Every BPF object of the machine, as "prog_id 12".
bpf_objects() {
	local kind
	for kind in prog map link; do
		bpftool -j "$kind" 2>/dev/null | jq -r --arg k "$kind" '.[] | "\($k)_id \(.id)"'
	done | sort
}

# Those which a living process holds: other tests may be tracing at the same time.
held_objects() {
	cat /proc/[0-9]*/fdinfo/* 2>/dev/null | sed -n 's/^\([a-z]*_id\):\t/\1 /p' | sort -u
}

left_behind() {
	bpf_objects | comm -13 "$T/before" - | comm -23 - <(held_objects)
}

nothing_left() {
	[ -z "$(left_behind)" ]
}

# What tracing must not change: threads, descriptors, tracer, signals.
condition() {
	grep -E '^(TracerPid|Threads|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt|NoNewPrivs|Seccomp):' \
		"/proc/$redis/status"
	find "/proc/$redis/fd" -mindepth 1 -printf '%f %l\n' | sort -n
}

pins() {
	find /sys/fs/bpf -mindepth 1 2>/dev/null | sort
}

bpf_objects >"$T/before"
pins >"$T/pins"
condition >"$T/condition"

start load redis-benchmark -s "$T/redis.sock" -t get -c 20 -n 1000000000 -q
load=$pid
ids=()
for ((i = 1; i <= runs; i++)); do
	trace "$redis" -m 1ms
	ids+=("$tracer")
	sleep "0.$(printf '%03d' $((RANDOM % 250)))"
	stop "$tracer" INT
	assert_eq 0 "$rc" "run $i: exit status"
	assert_jq "$T/trace.out" '.[-1].type == "summary"' "run $i: ends with its summary"
	[ "$(redis-cli -s "$T/redis.sock" ping)" = PONG ] || fail "run $i: Redis does not answer"
done
alive "$load" || fail "the load has ended" "$T/load.out" "$T/load.err"
stop "$load" TERM

wait_for 10 nothing_left || fail "left behind: $(left_behind | tr '\n' ' ')"
pins | diff "$T/pins" - || fail "a pin is left behind"
for p in "${ids[@]}"; do
	[ "$(cat "/proc/$p/comm" 2>/dev/null)" != loopstall ] || fail "loopstall $p is still there"
	[ -z "$(pgrep -P "$p")" ] || fail "loopstall $p has left a child"
done
same() {
	condition | cmp -s "$T/condition" -
}
wait_for 5 same || {
	condition | diff "$T/condition" - >&2
	fail "Redis is not as it was"
}
say "$runs runs of attach and Ctrl-C: nothing left behind"
