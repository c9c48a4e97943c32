#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# A FastAPI service with each blocking mistake, on asyncio and on uvloop: at least 99 % of the stalls with the right
# cause, site, line, callee and object; none for what is offloaded or clean.
. "$(dirname "$0")/lib.sh"
need_loopstall
need curl unshare
rounds=${ROUNDS:-6}
"$PYTHON3" -c 'import fastapi, uvicorn, uvloop, requests, sqlalchemy' 2>/dev/null ||
	skip "no FastAPI, uvicorn, uvloop, requests or SQLAlchemy for $PYTHON3 (make deps)"

free_port() {
	"$PYTHON3" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

answers() {
	curl -sf -o "$T/answer" "http://127.0.0.1:$1/clean"
}

DATA=$T/data UPSTREAM=$(free_port) ECHO=$(free_port)
export DATA UPSTREAM ECHO
mkdir "$DATA"
name_server=127.0.0.77 # of this test's own: the service sees another /etc/resolv.conf
echo "nameserver $name_server" >"$T/resolv.conf"
start upstream "$PYTHON3" "$ROOT/tests/python/upstream.py" "$UPSTREAM" "$ECHO" "$name_server"
wait_for 10 grep -q ready "$T/upstream.out" || fail "the upstream does not begin" "$T/upstream.err"

for loop in asyncio uvloop; do
	port=$(free_port)
	start app unshare -m bash -c "mount --bind $T/resolv.conf /etc/resolv.conf
		exec $PYTHON3 -m uvicorn --app-dir $ROOT/tests/python --loop $loop --log-level warning --port $port symptoms:app"
	app=$pid
	wait_for 20 answers "$port" || fail "the service does not begin" "$T/app.out" "$T/app.err"
	trace "$app" -m 10ms
	"$PYTHON3" "$ROOT/tests/python/drive.py" "http://127.0.0.1:$port" "$rounds" \
		external session sleep cpu middleware names sqlite command lock fsync regex queries encode \
		timer clean offloaded threaded >"$T/requests" || fail "the driver fails" "$T/app.err"
	stop "$tracer" INT
	assert_eq 0 "$rc" "loopstall's exit status"
	"$PYTHON3" "$ROOT/tests/python/check.py" "$ROOT/tests/python/symptoms.py" "$T/trace.json" "$T/requests" \
		external="tcp 127.0.0.1:$UPSTREAM" middleware="tcp 127.0.0.1:$UPSTREAM" \
		queries="tcp 127.0.0.1:$ECHO" names="udp $name_server:53" fsync='fsync\.bin$' ||
		fail "$loop: not all stalls are right" "$T/trace.err"
	assert_jq "$T/trace.json" "map(select(.type == \"loop\")) | map(.kind) == [\"$loop\"]" "the loop's kind"
	lost_nothing "$T/trace.json"
	stop "$app"
done
