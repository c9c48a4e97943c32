#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/bench/export.sh [scrape|redis]...: what `export` costs. Both without arguments.
#   scrape     1,000 idle loops and 16 busy ones in 200 processes, --all: scrape p99 (< 50 ms), CPU of the tracer
#              without its probes (< 1 % of one core), memory (< 100 MB), sites (<= 50)
#   redis      redis-benchmark GET with export as a share of that without, in pairs as tests/bench/overhead.sh
#              has them: >= 99 %
# PROCESSES (200), TICK_MS (1000), BENCH_SECONDS (20), SCRAPES (200), EXPORT_ARGS (""); BENCH_PAIRS (60) pairs
# of runs of BENCH_REQUESTS (30000).
# Exits 1 when a bound is missed. Run it on an idle machine.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need curl redis-server redis-benchmark redis-cli "$PYTHON3"
seconds=${BENCH_SECONDS:-20}
read -ra export_args <<<"${EXPORT_ARGS:-}"
processes=${PROCESSES:-200}

begin_export() { # begin_export ARG...: $exporter, $url
	start export "$ROOT/build/loopstall" export --listen 127.0.0.1:0 "$@" "${export_args[@]}"
	exporter=$pid
	wait_for 30 grep -q 'metrics at' "$T/export.err" || fail "export does not begin" "$T/export.err"
	url=$(sed -n 's/.*metrics at //p' "$T/export.err")
}

value() {
	curl -sS -m 10 "$url" | awk -v n="$1" '$1 == n { print $2 }'
}

cpu_ticks() {
	awk '{ print $14 + $15 }' "/proc/$exporter/stat"
}

# Of one core in percent, while nothing asks: "TRACER PROBES".
measure_cpu() {
	local ticks bpf
	ticks=$(cpu_ticks) bpf=$(value loopstall_bpf_seconds_total)
	sleep "$seconds"
	ticks=$(($(cpu_ticks) - ticks))
	awk -v t="$ticks" -v a="$bpf" -v b="$(value loopstall_bpf_seconds_total)" -v s="$seconds" \
		-v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f %.2f\n", 100 * t / hz / s, 100 * (b - a) / s }'
}

# Of its maps in the kernel, in MB.
kernel_mb() {
	cat "/proc/$exporter"/fdinfo/* 2>/dev/null |
		awk '/^map_type/ { map = 1 } /^memlock/ && map { sum += $2; map = 0 } END { printf "%.0f\n", sum / 1e6 }'
}

# "P50 P99 MB SERIES SITES"
measure_scrapes() {
	"$PYTHON3" - "$url" "${SCRAPES:-200}" <<-'P'
		import sys, time, urllib.request
		took = []
		for _ in range(int(sys.argv[2])):
		    begin = time.monotonic()
		    text = urllib.request.urlopen(sys.argv[1], timeout=10).read()
		    took.append(time.monotonic() - begin)
		    time.sleep(0.22)  # so that each is a new text
		took.sort()
		lines = [l for l in text.decode().split("\n") if l and not l.startswith("#")]
		sites = [l for l in lines if l.startswith("loopstall_site_seconds_total") and 'site="other"' not in l]
		print("%.1f %.1f %.1f %d %d" % (took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3,
		      len(text) / 1e6, len(lines), len(sites)))
	P
}

bench_scrape() {
	local i tracer_cpu probes_cpu ticks waited p50 p99 mb series sites rss
	for ((i = 0; i < processes; i++)); do
		start "idle$i" "$STALLERS/idle" 5 "${TICK_MS:-1000}"
	done
	staller many --loops 16 --per-second 160 --seconds 600 --stall-us 12000
	begin_export --all
	go
	# shellcheck disable=SC2016 # evaluated each time
	wait_for 60 eval '[ "$(value loopstall_loops)" -ge '$((processes * 5 + 16))' ]' ||
		fail "only $(value loopstall_loops) loops found" "$T/export.err"
	sleep 5
	read -r tracer_cpu probes_cpu < <(measure_cpu)
	ticks=$(cpu_ticks) waited=$(waited_ms "$exporter")
	read -r p50 p99 mb series sites < <(measure_scrapes)
	ticks=$(($(cpu_ticks) - ticks)) waited=$(($(waited_ms "$exporter") - waited))
	rss=$(awk '/^VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/$exporter/status")
	say "$(value loopstall_loops) loops, $series series in $mb MB:"
	line "  scrape p50" "$p50 ms"
	line "  scrape p99" "$p99 ms" "< 50 ms" "$(compare "${p99:-99}" '<' 50)"
	line "  CPU of a scrape" "$(awk -v t="$ticks" -v n="${SCRAPES:-200}" -v hz="$(getconf CLK_TCK)" \
		'BEGIN { printf "%.1f ms", 1000 * t / hz / n }')"
	line "  waiting for a CPU, a scrape" "$((waited / ${SCRAPES:-200})) ms"
	line "  the tracer, of one core" "$tracer_cpu %" "< 1 %" "$(compare "${tracer_cpu:-99}" '<' 1)"
	line "  its probes, of one core" "$probes_cpu %"
	line "  its resident memory" "$rss MB" "< 100 MB" "$(compare "${rss:-999}" '<' 100)"
	line "  its maps in the kernel" "$(kernel_mb) MB"
	line "  series of sites" "$sites" "<= 50" "$(compare "${sites:-99}" '<=' 50)"
	curl -sS "$url" | grep '^loopstall_lost_events_total.* [1-9]'
	stop "$exporter"
}

# For the pairs.
start_tracer() {
	begin_export --comm redis-server
	# shellcheck disable=SC2016 # evaluated each time
	wait_for 10 eval '[ "$(value loopstall_loops)" -ge 1 ]' || fail "redis is not found" "$T/export.err"
	sleep 0.3
}

stop_tracer() {
	stop "$exporter"
}

bench_redis() {
	redis_start
	share_of_pairs "$pairs" export || fail "no pairs" "$T/export.err"
	say "redis-benchmark GET, 50 clients, $(wc -l <"$T/pairs") pairs of $requests requests:"
	line "  export: $share_text" "$share % ($share_low-$share_high)" ">= 99 %" \
		"$(compare "$share" '>=' 99)"
	stop "$loaded"
}

[ $# -gt 0 ] || set -- scrape redis
say "$(uname -r), $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
for part; do
	case $part in
	scrape | redis) "bench_$part" ;;
	*) fail "no such part: $part" ;;
	esac
done
[ "$missed" = 0 ]
