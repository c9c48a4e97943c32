#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/bench/python.sh [fast|capture]...: what tracing a FastAPI service costs. Both without arguments.
#   fast     /fast under wrk with loopstall as a share of that without: the median of BENCH_PAIRS (25) pairs, which
#            must reach 99 %; beside it nothing at all (the noise)
#   capture  BPF time of a blocking call with its capture: registers, stack, kernel stack, object and 20 Python frames
#            and more; switch out and switch in together, by the kernel's count. It must be at most 5 us.
# Exits 1 when a bound is missed. Run it on an idle machine.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need wrk curl bpftool jq
pairs=${BENCH_PAIRS:-25}

service() { # sets $loaded and $url
	local port
	port=$(free_port)
	start service "$PYTHON3" -m uvicorn --app-dir "$ROOT/tests/bench" --log-level warning --port "$port" fastapi_app:app
	loaded=$pid url=http://127.0.0.1:$port
	wait_for 20 curl -sf "$url/fast" || fail "the service does not begin" "$T/service.err"
}

start_tracer() {
	case $1 in
	nothing) start tracer sleep 600 && tracer=$pid ;;
	*) trace "$2" ;;
	esac
	sleep 0.5
	alive "$tracer"
}

stop_tracer() {
	stop "$tracer" INT 20
}

requests_per_second() {
	wrk -t1 -c16 -d1s "$url/fast" | awk '/Requests\/sec/ { print $2 }'
}

bench_fast() {
	local what
	service
	requests_per_second >/dev/null # warm
	say "wrk on /fast of FastAPI, 16 connections, $pairs pairs of runs of a second:"
	for what in nothing loopstall; do
		share_of_pairs "$pairs" "$what" || fail "$what does not run" "$T/tracer.err"
		if [ "$what" = nothing ]; then
			line "  $what: $share_text" "$share % ($share_low-$share_high)"
		else
			line "  $what: $share_text" "$share % ($share_low-$share_high)" ">= 99 %" "$(compare "$share" '>=' 99)"
		fi
	done
	stop "$loaded"
}

# Nanoseconds that on_sched_switch of the tracer begun last has run, by the kernel's count.
switch_ns() {
	bpftool -j prog show | jq 'map(select(.name == "on_sched_switch")) | max_by(.id).run_time_ns // 0'
}

bench_capture() {
	local naps=2000 from to frames
	service
	trace "$loaded" -m 10ms
	curl -sf "$url/naps?n=100" >/dev/null
	sysctl -qw kernel.bpf_stats_enabled=1
	from=$(switch_ns)
	curl -sf "$url/naps?n=$naps" >/dev/null
	to=$(switch_ns)
	sysctl -qw kernel.bpf_stats_enabled=0
	stop "$tracer" INT
	frames=$(jq -s '[.[] | select(.type == "stall").causes[] | select(.cause == "sleep").stack | map(select(.kind == "python")) | length] | max' "$T/trace.json")
	[ "${frames:-0}" -ge 20 ] || fail "no capture of 20 frames, but of ${frames:-none}" "$T/trace.err"
	line "a blocking call with $frames Python frames, BPF time" "$(((to - from) / naps)) ns" "<= 5 us" \
		"$(compare "$(((to - from) / naps))" '<=' 5000)"
	stop "$loaded"
}

at_exit() {
	sysctl -qw kernel.bpf_stats_enabled=0
}

[ $# -gt 0 ] || set -- fast capture
say "$(uname -r), $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
for part; do
	case $part in
	fast | capture) "bench_$part" ;;
	*) fail "no such part: $part" ;;
	esac
done
[ "$missed" = 0 ]
