#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/bench/overhead.sh [redis|emptyloop|latency|node]...: what tracing costs. All without arguments.
#   redis      throughput of redis-benchmark GET (50 clients, no pipelining) with a tracer as a share of
#              that without: in each pair without, with, with, without or the other way round, so that drift
#              cancels; the median of the pairs with its 95 % confidence interval (order statistics).
#              loopstall must reach 98 %.
#              Beside it nothing at all (the noise), a tracepoint of a system call that nobody makes (what
#              the kernel's own slower way through every system call costs wherever any is traced),
#              offcputime, perf trace -s and strace -c.
#   emptyloop  nanoseconds that each adds to an iteration of an empty epoll_wait loop
#   latency    from exec to the "start" record (< 500 ms), from a stall's end to its line (< 200 ms)
#   node       the same with Node's large binary, its first symbolization included (< 1 s)
# and the tracer's greatest resident memory (< 64 MB).
# BENCH_PAIRS (60) pairs of runs of BENCH_REQUESTS (30000); the slow tracers have 5. BENCH_TOOLS (all of
# them) names the tracers.
# Exits 1 when a bound is missed. Run it on an idle machine.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq redis-server redis-benchmark redis-cli "$PYTHON3"
read -ra tools <<<"${BENCH_TOOLS:-nothing tracepoint loopstall offcputime perf strace}"
rss_kb=0

# --- the tracers ------------------------------------------------------------------------------

# Prints why a tracer cannot be run here; nothing when it can.
lacks() {
	case $1 in
	nothing | loopstall) ;;
	offcputime) command -v offcputime >/dev/null || echo "no offcputime (libbpf-tools)" ;;
	perf | tracepoint) command -v perf >/dev/null || echo "no perf (linux-perf)" ;;
	strace) command -v strace >/dev/null || echo "no strace" ;;
	*) echo "unknown" ;;
	esac
}

# start_tracer TOOL PID: returns when it is attached; $tracer is it.
start_tracer() {
	case $1 in
	nothing | tracepoint) "start_$1" ;;
	loopstall)
		trace "$2"
		sleep 0.3
		;;
	offcputime)
		start tracer offcputime -p "$2"
		tracer=$pid
		sleep 1.5
		;;
	perf)
		start tracer unshare -m perf trace -s -p "$2" -o /dev/null
		tracer=$pid
		sleep 1.5
		;;
	strace)
		start tracer strace -c -f -o /dev/null -p "$2"
		tracer=$pid
		wait_for 5 grep -q attached "$T/tracer.err"
		;;
	esac
	alive "$tracer" || return 1
}

stop_tracer() {
	local kb
	kb=$(sed -n 's/^VmHWM:[\t ]*\([0-9]*\).*/\1/p' "/proc/$tracer/status" 2>/dev/null)
	[ "$1" != loopstall ] || [ "${kb:-0}" -le "$rss_kb" ] || rss_kb=$kb
	stop "$tracer" INT 20
}

# --- redis ------------------------------------------------------------------------------------

bench_redis() {
	local tool why n
	redis_start
	say "redis-benchmark GET, 50 clients, $pairs pairs of $requests requests:"
	for tool in "${tools[@]}"; do
		why=$(lacks "$tool")
		[ -z "$why" ] || {
			line "  $tool" "-" && say "    skipped: $why"
			continue
		}
		case $tool in
		perf | strace) n=5 ;;
		*) n=$pairs ;;
		esac
		share_of_pairs "$n" "$tool" || {
			line "  $tool" "-" && say "    skipped: it does not run here"
			sed 's/^/    /; 3q' "$T/tracer.err"
			continue
		}
		report_redis "$tool"
	done
	stop "$loaded"
}

report_redis() { # report_redis TOOL
	local bound=()
	[ "$1" != loopstall ] || bound=(">= 98 %" "$(compare "$share" '>=' 98)")
	line "  $1: $share_text" "$share % ($share_low-$share_high)" "${bound[@]}"
}

# --- an empty loop ----------------------------------------------------------------------------

# CPU nanoseconds an iteration over about a second from now
slices() {
	local from
	from=$(wc -l <"$T/emptyloop.out")
	sleep 1.3
	tail -n "+$((from + 2))" "$T/emptyloop.out" | awk '/^slice/ { print $6 }'
}

bench_emptyloop() {
	local tool i loop why alone with
	start emptyloop "$STALLERS/emptyloop" 200
	loop=$pid
	sleep 1
	say "an empty epoll_wait loop, CPU time added an iteration:"
	for tool in "${tools[@]}"; do
		why=$(lacks "$tool")
		[ -z "$why" ] || continue
		: >"$T/alone"
		: >"$T/with"
		for ((i = 0; i < 3; i++)); do
			slices >>"$T/alone"
			start_tracer "$tool" "$loop" || continue 2
			slices >>"$T/with"
			stop_tracer "$tool"
		done
		alone=$(median <"$T/alone") with=$(median <"$T/with")
		line "  $tool: $(printf '%.0f -> %.0f ns' "$alone" "$with")" \
			"$(awk "BEGIN { printf \"%+.0f ns\", $with - $alone }")"
	done
	stop "$loop"
}

# --- latencies --------------------------------------------------------------------------------

# latencies NAME ARG…: the JSON line of tests/bench/latency.py
latencies() {
	"$PYTHON3" "$ROOT/tests/bench/latency.py" "$@" >"$T/latency" ||
		fail "latency.py" "$T/latency"
	rss_kb=$(jq "[.rss_kb, $rss_kb] | max" "$T/latency")
}

bench_latency() {
	latencies --runs 10 -- "$STALLERS/truth" --wait-ready --iterations 60 --max-ms 20 --out /dev/null
	report_latency "a small C program" 500 200
}

bench_node() {
	command -v node >/dev/null || {
		say "node: skipped, it is not installed"
		return
	}
	cat >"$T/stall.js" <<-'EOF'
		// Stalls 30 ms every 200: by computing, and by waiting.
		const cell = new Int32Array(new SharedArrayBuffer(4));
		function stallCpu() { const end = Date.now() + 30; while (Date.now() < end); }
		function stallWait() { Atomics.wait(cell, 0, 0, 30); }
		let n = 0;
		process.stdin.once("data", () => {
			const timer = setInterval(() => {
				(n % 2 ? stallWait : stallCpu)();
				if (++n === 20) { clearInterval(timer); process.exit(0); }
			}, 200);
		});
		setInterval(() => {}, 5);
		console.log("ready " + process.pid);
	EOF
	latencies --runs 5 -- node "$T/stall.js"
	report_latency "node" 500 1000
}

report_latency() { # report_latency TARGET START_BOUND FIRST_BOUND
	local start first rest
	read -r start first rest < <(jq -r '"\(.start_ms) \(.first_line_ms) \(.line_ms)"' "$T/latency")
	say "$1, medians of $(jq .runs "$T/latency") runs with $(jq .lines "$T/latency") stalls:"
	line "  exec to the start record" "$start ms" "< $2 ms" "$(compare "$start" '<' "$2")"
	line "  end of the first stall to its line" "$first ms" "< $3 ms" "$(compare "$first" '<' "$3")"
	line "  end of a later stall to its line (p99)" "$rest ms" "< 200 ms" \
		"$(compare "$rest" '<' 200)"
}

# ----------------------------------------------------------------------------------------------
[ $# -gt 0 ] || set -- redis emptyloop latency node
say "$(uname -r), $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
for part; do
	case $part in
	redis | emptyloop | latency | node) "bench_$part" ;;
	*) fail "no such part: $part" ;;
	esac
done
[ "$rss_kb" = 0 ] || line "loopstall's greatest resident memory" "$((rss_kb / 1024)) MB" "< 64 MB" \
	"$(compare "$rss_kb" '<' 65536)"
[ "$missed" = 0 ]
