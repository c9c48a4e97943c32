#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# A FastAPI service with each blocking mistake, on asyncio and on uvloop: at least 99 % of the stalls with the right
# cause, site, line, callee and object; none for what is offloaded or clean.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/python/lib.sh"
need_loopstall
need curl unshare
need_modules fastapi uvicorn uvloop requests sqlalchemy

DATA=$T/data UPSTREAM=$(free_port) ECHO=$(free_port)
export DATA UPSTREAM ECHO
mkdir "$DATA"
name_server=127.0.0.77 # of this test's own: the service sees another /etc/resolv.conf
echo "nameserver $name_server" >"$T/resolv.conf"
start upstream "$PYTHON3" "$ROOT/tests/python/upstream.py" "$UPSTREAM" "$ECHO" "$name_server"
wait_for 10 grep -q ready "$T/upstream.out" || fail "the upstream does not begin" "$T/upstream.err"

advised() { # advised SITE CAUSE TEXT: what a stall's cause says
	assert_jq "$T/trace.json" "[.[] | select(.type == \"stall\").causes[] | select(.site.function == \"$1\" and
		.cause == \"$2\" and .ns > 10000000).advice] | length > 0 and all(contains(\"$3\"))" "the advice for $1"
}

for loop in asyncio uvloop; do
	port=$(free_port)
	start app unshare -m bash -c "mount --bind $T/resolv.conf /etc/resolv.conf
		exec $PYTHON3 -m uvicorn --app-dir $ROOT/tests/python --loop $loop --log-level warning --port $port symptoms:app"
	app=$pid
	wait_for 20 answers "$port" || fail "the service does not begin" "$T/app.out" "$T/app.err"
	drive_and_check "$app" "$port" symptoms.py \
		"external session sleep cpu middleware names sqlite command lock started fsync regex
		queries digest encode delayed timer clean offloaded threaded" \
		external="tcp 127.0.0.1:$UPSTREAM" middleware="tcp 127.0.0.1:$UPSTREAM" \
		queries="tcp 127.0.0.1:$ECHO" names="udp $name_server:53" fsync='fsync\.bin$'
	assert_jq "$T/trace.json" '[.[] | select(.type == "stall").causes[] | select(.cause == "lock" and .ns > 10000000
		and (.site.function == "locked" or .site.function == "started")) | .holder.stack // [] | map(.function) |
		select(any(. == "hold_lock" or . == "hold_once"))] | length >= 6' "what the lock's holder ran"
	advised digest cpu 'without the GIL: hand the call to a thread'
	advised cpu cpu 'process pool'
	advised sleep sleep 'await asyncio.sleep()'
	advised external network 'run_in_threadpool'
	advised authenticate network 'this middleware blocks every request'
	advised Delays.dispatch sleep 'this middleware blocks every request'
	assert_jq "$T/trace.json" "map(select(.type == \"loop\")) | map(.kind) == [\"$loop\"]" "the loop's kind"
	stop "$app"
done
