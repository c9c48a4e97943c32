#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/bench/python.sh [fast|capture]...: what tracing a FastAPI service costs. Both without arguments.
#   fast     /fast under wrk with loopstall as a share of that without: the median of BENCH_PAIRS (60) pairs, which
#            must reach 99 %; beside it nothing at all (the noise), and a tracepoint of a system call that nobody
#            makes (what the kernel alone takes wherever any is traced). BENCH_TOOLS names some of the three
#   capture  BPF time of walking 20 Python frames at a blocking call, by the kernel's count: it must be at most 5 us.
#            It is the difference to such calls without them. Beside it the whole: registers, stack, kernel stack, object;
#            the switch out and the switch in.
# Exits 1 when a bound is missed. Run it on an idle machine.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need wrk curl bpftool jq perf

service() { # sets $loaded and $url
	local port
	port=$(free_port)
	start service "${on_cpu_of_loaded[@]}" "$PYTHON3" -m uvicorn --app-dir "$ROOT/tests/bench" --log-level warning \
		--port "$port" fastapi_app:app
	loaded=$pid url=http://127.0.0.1:$port
	wait_for 20 curl -sf "$url/fast" || fail "the service does not begin" "$T/service.err"
}

start_tracer() {
	case $1 in
	nothing | tracepoint) "start_$1" ;;
	*) trace "$2" && sleep 0.3 ;;
	esac
	alive "$tracer"
}

stop_tracer() {
	stop "$tracer" INT 20
}

requests_per_second() {
	"${on_cpu_of_clients[@]}" wrk -t1 -c16 -d1s "$url/fast" | awk '/Requests\/sec/ { print $2 }'
}

bench_fast() {
	local what bound
	service
	requests_per_second >/dev/null # warm
	say "wrk on /fast of FastAPI, 16 connections, $pairs pairs of runs of a second:"
	for what in ${BENCH_TOOLS:-nothing tracepoint loopstall}; do
		share_of_pairs "$pairs" "$what" || fail "$what does not run" "$T/tracer.err"
		bound=()
		[ "$what" != loopstall ] || bound=(">= 99 %" "$(compare "$share" '>=' 99)")
		line "  $what: $share_text" "$share % ($share_low-$share_high)" "${bound[@]}"
	done
	stop "$loaded"
}

# "NS RUNS" of the tracer's on_sched_switch, by the kernel's count; others may trace here too.
switches() {
	local ids
	ids=$(sed -n 's/^prog_id:[[:space:]]*//p' "/proc/$tracer/fdinfo/"* 2>/dev/null | jq -s .)
	bpftool -j prog show | jq -r --argjson ids "$ids" 'map(select(.name == "on_sched_switch" and (.id | IN($ids[]))))
		| .[0] | "\(.run_time_ns // 0) \(.run_cnt // 0)"'
}

naps() { # naps COUNT: taken by the service
	local before
	before=$(wc -l <"$T/naps.out")
	echo "$1" >&"$naps_fd"
	wait_for 60 more_lines "$before"
}

more_lines() {
	[ "$(wc -l <"$T/naps.out")" -gt "$1" ]
}

# BPF nanoseconds a nap, into $cost: the median of 15 rounds. The switches of all other tasks of the machine run the
# program too: what each costs is measured before, without naps.
measure() { # measure COUNT
	local ns0 runs0 ns1 runs1 ns2 runs2 other _
	sysctl -qw kernel.bpf_stats_enabled=1
	read -r ns0 runs0 < <(switches)
	sleep 1
	read -r ns1 runs1 < <(switches)
	other=$(awk "BEGIN { print ($ns1 - $ns0) / ($runs1 - $runs0 + 1) }")
	cost=$(for _ in {1..15}; do
		naps "$1"
		read -r ns2 runs2 < <(switches)
		awk "BEGIN { print int(($ns2 - $ns1 - $other * ($runs2 - $runs1 - 2 * $1)) / $1) }"
		ns1=$ns2 runs1=$runs2
	done | median)
	sysctl -qw kernel.bpf_stats_enabled=0
}

# The tracer no longer knows the service as a CPython.
forget_python() {
	local map key
	map=$(sed -n 's/^map_id:[[:space:]]*//p' "/proc/$tracer/fdinfo/"* 2>/dev/null | while read -r id; do
		bpftool -j map show id "$id"
	done | jq -s 'map(select(.name == "py_processes"))[0].id')
	key=$(printf '%d %d %d %d' $((loaded & 255)) $((loaded >> 8 & 255)) $((loaded >> 16 & 255)) $((loaded >> 24)))
	# shellcheck disable=SC2086 # four bytes
	bpftool map delete id "$map" key $key
}

bench_capture() {
	local count=400 frames naps_fd cost whole
	mkfifo "$T/naps.in"
	exec {naps_fd}<>"$T/naps.in"
	stdin=$T/naps.in start naps "$PYTHON3" "$ROOT/tests/bench/naps.py"
	loaded=$pid
	wait_for 10 grep -q ready "$T/naps.out" || fail "naps.py does not begin" "$T/naps.err"
	trace "$loaded" -m 10ms
	naps 100
	naps 100
	measure "$count"
	whole=$cost
	forget_python || fail "the tracer's map of CPython processes is not there" "$T/trace.err"
	measure "$count"
	stop "$tracer" INT
	stop "$loaded"
	exec {naps_fd}>&-
	frames=$(jq -s '[.[] | select(.type == "stall").causes[] | select(.cause == "sleep").stack // []
		| map(select(.kind == "python" and .file)) | length] | max' "$T/trace.json")
	[ "${frames:-0}" -ge 20 ] || fail "no capture of 20 frames, but of ${frames:-none}" "$T/trace.err"
	line "BPF time of $frames Python frames" "$((whole - cost)) ns" "<= 5 us" "$(compare "$((whole - cost))" '<=' 5000)"
	line "  of a blocking call that has them, all in all" "$whole ns"
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
