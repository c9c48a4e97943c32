#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/bench/export.sh [scrape|redis]...: what `export --all` costs.
#	scrape	1,000 idle loops and 16 busy ones in 200 processes: scrape p99, CPU, memory, series
#	redis	redis-benchmark GET, with and without export in turn: the median of the ratios of pairs
# PROCESSES (200), TICK_MS (1000), SECONDS_IDLE (20), SCRAPES (200), PAIRS (9), REQUESTS (200000).
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
need_loopstall
need curl "$PYTHON3"
processes=${PROCESSES:-200}

begin_export() { # begin_export ARG...: $exporter, $url
	start export "$ROOT/build/loopstall" export --listen 127.0.0.1:0 "$@"
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

bench_scrape() {
	local i before bpf
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
	before=$(cpu_ticks) bpf=$(value loopstall_bpf_seconds_total)
	sleep "${SECONDS_IDLE:-20}"
	awk -v t=$(($(cpu_ticks) - before)) -v s="${SECONDS_IDLE:-20}" -v hz="$(getconf CLK_TCK)" \
		'BEGIN { printf "tracer %.2f %% of one core\n", 100 * t / hz / s }'
	awk -v a="$bpf" -v b="$(value loopstall_bpf_seconds_total)" -v s="${SECONDS_IDLE:-20}" \
		'BEGIN { printf "probes %.2f %% of one core\n", 100 * (b - a) / s }'
	"$PYTHON3" - "$url" "${SCRAPES:-200}" <<-'P'
		import sys, time, urllib.request
		took = []
		for _ in range(int(sys.argv[2])):
		    begin = time.monotonic()
		    text = urllib.request.urlopen(sys.argv[1], timeout=10).read()
		    took.append(time.monotonic() - begin)
		    time.sleep(0.22)  # so that each is a new text
		took.sort()
		print("scrape p50 %.1f ms, p99 %.1f ms, %.1f MB" % (took[len(took) // 2] * 1e3,
		      took[int(len(took) * 0.99)] * 1e3, len(text) / 1e6))
		lines = [l for l in text.decode().split("\n") if l and not l.startswith("#")]
		sites = [l for l in lines if l.startswith("loopstall_site_seconds_total") and 'site="other"' not in l]
		assert len(sites) <= 50, len(sites)
		print("%d series, %d of them sites" % (len(lines), len(sites)))
	P
	awk '/^VmRSS|^RssAnon/ { printf "%s %.1f MB  ", $1, $2 / 1024 } END { print "" }' \
		"/proc/$exporter/status"
	curl -sS "$url" | grep '^loopstall_lost_events_total.* [1-9]'
	stop "$exporter"
}

bench_redis() {
	local pair with without
	need redis-server redis-benchmark
	start redis redis-server --port 0 --unixsocket "$T/redis.sock" --dir "$T" --save '' --daemonize no
	wait_for 10 test -S "$T/redis.sock"
	gets() {
		redis-benchmark -s "$T/redis.sock" -t get -n "${REQUESTS:-200000}" -c 50 -q --csv |
			awk -F'"' '$2 == "GET" { print $4 }'
	}
	gets >/dev/null
	for ((pair = 0; pair < ${PAIRS:-9}; pair++)); do
		without=$(gets)
		begin_export --comm redis-server
		sleep 1.5
		with=$(gets)
		stop "$exporter"
		echo "$with $without"
	done | awk '{ printf "%.4f  with %.0f, without %.0f\n", $1 / $2, $1, $2 }' | sort -n | tee "$T/pairs"
	awk '{ r[NR] = $1 } END { printf "median of the ratios %.3f\n", r[int((NR + 1) / 2)] }' "$T/pairs"
}

[ $# -gt 0 ] || set -- scrape redis
for what; do
	say "== $what"
	"bench_$what"
done
