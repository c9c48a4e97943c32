#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/bench/server.sh [routes|fast|cpu|bare|connections]...: what offload-server's pools are worth.
# All of it without arguments.
#   routes       each route inline and offloaded, at concurrency 1 and 50, side by side: where the work is
#                waiting, p95 must grow with concurrency inline, and not when offloaded
#   fast         /fast beside a load on each slow route, offloaded: p99 must stay below 5 ms
#   cpu          /encode by processes and by threads, one and one a CPU: in C, threads help too
#   bare         /fast against the least evhttp server with the same answer: at least 90 % of it
#   connections  10,000 kept-alive connections: within 300 MB
# BENCH_SECONDS (3) is the length of one run; `bare` has BENCH_PAIRS (5) pairs of two and two. Exits 1 when a bound is
# missed, 77 without hey or wrk.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
seconds=${BENCH_SECONDS:-3} pairs=${BENCH_PAIRS:-5}
need hey wrk
missed=0

server() { # server FLAG...: one on a free port; sets $pid and $url
	rm -f "$T/server.err" # of the last one
	start server offload-server --listen 127.0.0.1:0 "$@"
	wait_for 10 grep -q listening "$T/server.err" || fail "no server" "$T/server.err"
	url=$(grep -o 'http://[0-9.:]*' "$T/server.err")
}

head -c 100000 /bin/bash >"$T/body"
# The arguments of hey for a route.
request() { # request URL ROUTE
	case $2 in
	/encode) echo -m POST -D "$T/body" "$1$2" ;;
	*) echo "$1$2" ;;
	esac
}

# One run's "p50 p95 p99 requests/s", times in ms; "-" where there were too few requests to tell.
load() { # load CONCURRENCY HEY-ARGUMENT...
	local concurrency=$1
	shift
	hey -z "${seconds}s" -c "$concurrency" "$@" | awk '
		/Requests\/sec/ { rate = $2 }
		/50% in/ { p50 = ms($3) } /95% in/ { p95 = ms($3) } /99% in/ { p99 = ms($3) }
		function ms(s) { return s > 0 ? sprintf("%.1f", s * 1000) : "" }
		function shown(p) { return p == "" ? "-" : p }
		END { printf "%s %s %s %.0f", shown(p50), shown(p95), shown(p99), rate }'
}

slow_routes="/external?ms=20 /db?ms=20 /sleep?ms=20 /file?kb=1024 /encode"

bench_routes() {
	local inline offload inline_url offload_url inline_pid offload_pid
	server --mode inline
	inline_url=$url inline_pid=$pid
	server --mode offload
	offload_url=$url offload_pid=$pid
	printf '%-16s %4s | %8s %8s %8s %8s | %8s %8s %8s %8s\n' route conc \
		p50 p95 p99 req/s p50 p95 p99 req/s
	printf '%-16s %4s | %-35s | %-35s\n' '' '' '  inline (ms)' '  offload (ms)'
	for route in /fast $slow_routes; do
		for concurrency in 1 50; do
			# shellcheck disable=SC2046 # arguments
			inline=$(load $concurrency $(request "$inline_url" "$route"))
			# shellcheck disable=SC2046
			offload=$(load $concurrency $(request "$offload_url" "$route"))
			# shellcheck disable=SC2086 # four numbers each
			printf '%-16s %4s | %8s %8s %8s %8s | %8s %8s %8s %8s\n' \
				"$route" $concurrency $inline $offload
		done
	done | tee "$T/routes"
	stop "$inline_pid"
	stop "$offload_pid"
	judge_routes
}

# Fifty threads wait as easily as one; a disk and two CPUs have only so much to give, so those are not judged.
judge_routes() {
	awk '
		{ inline[$1, $2] = $5; offload[$1, $2] = $10 }
		$2 == 50 && $1 ~ /external|db|sleep/ {
			if (inline[$1, 1] + 0 == 0 || offload[$1, 1] + 0 == 0)
				next # too few requests
			printf "%s: p95 at concurrency 50 is %.0f times that at 1 inline, %.1f times offloaded\n", $1,
				inline[$1, 50] / inline[$1, 1], offload[$1, 50] / offload[$1, 1]
			if (inline[$1, 50] < 10 * inline[$1, 1] || offload[$1, 50] > 3 * offload[$1, 1])
				missed = 1
		}
		END { exit missed }' "$T/routes" || { echo "  missed: above 10 times, below 3"; missed=1; }
}

bench_cpu() {
	local kind workers
	printf '/encode, 50 clients   %16s %16s\n' 'one worker' "$(nproc) workers"
	for kind in processes threads; do
		printf '%-20s ' "--cpu-pool $kind"
		for workers in 1 "$(nproc)"; do
			server --mode offload --cpu-pool $kind --cpu-workers "$workers"
			# shellcheck disable=SC2046 # arguments
			printf '%12s/s  ' "$(load 50 $(request "$url" /encode) | cut -d' ' -f4)"
			stop "$pid"
		done
		echo
	done
}

bench_fast() {
	local beside p99
	server --mode offload
	printf '/fast at 200/s beside 50 clients of %-16s %8s %8s %8s\n' '' p50 p95 p99
	for route in $slow_routes; do
		# shellcheck disable=SC2046
		nice hey -z $((seconds + 1))s -c 50 $(request "$url" "$route") >/dev/null &
		beside=$!
		sleep 0.5
		read -r p50 p95 p99 _ < <(load 2 -q 100 "$url/fast")
		wait $beside
		printf '%-52s %8s %8s %8s\n' "$route" "$p50" "$p95" "$p99"
		awk -v p99="$p99" 'BEGIN { exit !(p99 >= 5) }' && { echo "  missed: 5 ms"; missed=1; }
	done
	stop "$pid"
}

bench_bare() {
	local port bare_pid ratio bare ours
	port=$(free_port)
	make -s -C "$ROOT" build/bench/server_bare || exit 1
	start bare "$ROOT/build/bench/server_bare" "$port"
	bare_pid=$pid
	server --mode offload
	rate() { wrk -t1 -c50 -d"${seconds}s" "$1/fast" | awk '/Requests\/sec/ { print $2 }'; }
	rate "$url" >/dev/null # warm
	# In pairs, each both ways round, so that a change of the machine's mood meets both alike.
	for ((i = 0; i < pairs; i++)); do
		bare=$(rate "http://127.0.0.1:$port") ours=$(rate "$url")
		ours+=" $(rate "$url")" bare+=" $(rate "http://127.0.0.1:$port")"
		echo "$bare $ours" | awk '{ print ($1 + $2) / 2, ($3 + $4) / 2 }'
	done >"$T/pairs"
	awk '{ printf "bare %d/s, offload-server %d/s: %.0f %%\n", $1, $2, 100 * $2 / $1 }' "$T/pairs"
	ratio=$(awk '{ print 100 * $2 / $1 }' "$T/pairs" | sort -n | sed -n "$(((pairs + 1) / 2))p")
	printf 'median of the pairs: %.0f %%\n' "$ratio"
	awk -v r="$ratio" 'BEGIN { exit !(r < 90) }' && { echo "  missed: 90 %"; missed=1; }
	stop "$pid"
	stop "$bare_pid"
}

bench_connections() {
	local rss_mb
	server --mode offload
	"$PYTHON3" - "${url##*:}" "$pid" >"$T/rss" <<-'PYTHON' || { missed=1; return; }
		import resource, socket, sys
		port, pid = map(int, sys.argv[1:])
		resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
		held = []
		for i in range(10000):
		    s = socket.create_connection(("127.0.0.1", port))
		    s.sendall(b"GET /fast HTTP/1.1\r\nHost: x\r\n\r\n")
		    held.append(s)
		for again in False, True: # each has been used twice
		    for s in held:
		        assert b"200 OK" in s.recv(4096)
		        if not again:
		            s.sendall(b"GET /fast HTTP/1.1\r\nHost: x\r\n\r\n")
		with open(f"/proc/{pid}/status") as status:
		    print(next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024)
	PYTHON
	rss_mb=$(cat "$T/rss")
	echo "10,000 kept-alive connections: $rss_mb MB"
	[ "$rss_mb" -le 300 ] || { echo "  missed: 300 MB"; missed=1; }
	stop "$pid"
}

[ $# -gt 0 ] || set -- routes fast cpu bare connections
for part; do
	case $part in
	routes) bench_routes ;;
	fast) bench_fast ;;
	cpu) bench_cpu ;;
	bare) bench_bare ;;
	connections) bench_connections ;;
	*) echo "no such part: $part (see the head of this script)" && exit 2 ;;
	esac
done
exit $missed
