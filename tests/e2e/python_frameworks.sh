#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# aiohttp, tornado (native and generator coroutines), and gunicorn, whose workers are followed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/python/lib.sh"
need_loopstall
need curl
need_modules aiohttp tornado gunicorn uvicorn fastapi requests sqlalchemy
DATA=$T/data UPSTREAM=$(free_port) ECHO=$(free_port)
export DATA UPSTREAM ECHO
mkdir "$DATA"

serve() { # serve COMMAND...: in the background, until it answers on $port
	start app "$@"
	wait_for 20 answers "$port" || fail "$2 does not begin" "$T/app.out" "$T/app.err"
	app=$pid
}

kinds() { # kinds KIND: of every loop found
	assert_jq "$T/trace.json" "map(select(.type == \"loop\")) | length >= 1 and all(.kind == \"$1\")" "the loops' kind"
}

port=$(free_port)
serve "$PYTHON3" "$ROOT/tests/python/aiohttp_app.py" "$port"
drive_and_check "$app" "$port" aiohttp_app.py "sleep cpu clean offloaded"
kinds asyncio
stop "$app" INT

port=$(free_port)
serve "$PYTHON3" "$ROOT/tests/python/tornado_app.py" "$port"
drive_and_check "$app" "$port" tornado_app.py "sleep generator clean"
kinds asyncio
stop "$app"

start upstream "$PYTHON3" "$ROOT/tests/python/upstream.py" "$UPSTREAM" "$ECHO"
wait_for 10 grep -q ready "$T/upstream.out" || fail "the upstream does not begin" "$T/upstream.err"
port=$(free_port)
serve "$PYTHON3" -m gunicorn --chdir "$ROOT/tests/python" -w 2 -k uvicorn.workers.UvicornWorker \
	--log-level warning -b "127.0.0.1:$port" symptoms:app
drive_and_check "$app" "$port" symptoms.py "sleep external cpu clean offloaded" external="tcp 127.0.0.1:$UPSTREAM"
kinds uvloop
stop "$app"
