# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# Shared by tests/bench/*.sh: source it first. Lines with a verdict, and pairs of runs under load.
#
#	line "scrape p99" "29 ms" "< 50 ms" "$(compare 29 '<' 50)"	# counts $missed
#	redis_start; share_of_pairs 25 TOOL				# $share, with start_tracer and stop_tracer;
#	$loaded is the process under load, requests_per_second() the load
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"
requests=${BENCH_REQUESTS:-30000} pairs=${BENCH_PAIRS:-60}
# The process under load and its clients have a CPU each.
on_cpu_of_loaded=(taskset -c 0) on_cpu_of_clients=(taskset -c $(($(nproc) - 1)))
missed=0
loaded='' redis_port='' share='' share_low='' share_high='' share_text=''
export pairs loaded redis_port share share_low share_high share_text

median() {
	sort -g | awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

line() { # line WHAT VALUE [BOUND MET]
	local verdict=''
	if [ $# -gt 2 ]; then
		verdict="must be $3: $([ "$4" = 1 ] && echo met || echo MISSED)"
		[ "$4" = 1 ] || missed=$((missed + 1))
	fi
	printf '%-52s %22s  %s\n' "$1" "$2" "$verdict" | sed 's/ *$//'
}

compare() { # compare NUMBER OPERATOR NUMBER: 1 or 0
	awk "BEGIN { print ($1 $2 $3) ? 1 : 0 }"
}

# --- what tracers are held against ----------------------------------------------------------------

start_nothing() { # the noise
	start tracer sleep 600
	tracer=$pid
	sleep 0.3
}

# A tracepoint of a system call that nobody makes: what it costs that the kernel goes its slower way through
# every call of every process as long as any is traced. perf mounts tracefs where it is missing: in a mount name space
# of its own, that goes with it.
start_tracepoint() {
	start tracer unshare -m perf stat -a -e syscalls:sys_exit_acct -o /dev/null
	tracer=$pid
	sleep 1
}

# --- redis: GETs of 50 clients, no pipelining; Redis and its clients on a CPU each ------------------

redis_start() { # $loaded is its pid, $redis_port its port
	redis_port=$(free_port)
	start redis "${on_cpu_of_loaded[@]}" redis-server --port "$redis_port" --dir "$T" --save ''
	loaded=$pid
	wait_for 10 redis-cli -p "$redis_port" ping || fail "no redis" "$T/redis.out"
	requests_per_second >/dev/null # warm
}

requests_per_second() {
	"${on_cpu_of_clients[@]}" redis-benchmark -p "$redis_port" -t get -c 50 -n "$requests" --csv 2>/dev/null |
		awk -F'"' '/GET/ { print $4 }'
}

# one_pair TOOL FIRST: "ALONE WITH", sums of requests a second of two runs each: without, with, with, without when
# FIRST is 0, the other way round when it is 1, so that drift cancels. Each run comes after a like pause.
one_pair() {
	local sums=(0 0) with rate
	for with in "$2" $((1 - $2)) $((1 - $2)) "$2"; do
		if [ "$with" = 1 ]; then
			start_tracer "$1" "$loaded" || return 1
		else
			sleep 0.3
		fi
		rate=$(requests_per_second)
		[ "$with" = 0 ] || stop_tracer "$1"
		sums[with]=$(awk "BEGIN { print ${sums[with]} + $rate }")
	done
	echo "${sums[*]}"
}

# share_of_pairs PAIRS TOOL: throughput with it, in % of that without: $share, the median of the pairs, with
# its 95 % confidence interval by order statistics; $share_text. 1 when the tool does not run.
share_of_pairs() {
	local i
	: >"$T/pairs"
	for ((i = 0; i < $1; i++)); do
		one_pair "$2" $((i % 2)) >>"$T/pairs" || break
	done
	[ -s "$T/pairs" ] || return 1
	read -r share share_low share_high < <(awk '{ print 100 * $2 / $1 }' "$T/pairs" | sort -g | awk '
		{ v[NR] = $1 }
		END {
			m = (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
			k = int(NR / 2 - 0.98 * sqrt(NR)); if (k < 1) k = 1
			printf "%.1f %.1f %.1f\n", m, v[k], v[NR + 1 - k]
		}')
	share_text=$(awk '{ print $2 / 2 }' "$T/pairs" | median | xargs printf '%.0f /s with')
	share_text+=", $(awk '{ print $1 / 2 }' "$T/pairs" | median | xargs printf '%.0f /s without')"
}
