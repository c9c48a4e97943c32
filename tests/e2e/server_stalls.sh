#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Each route of offload-server inline: its stall is seen, with cause, call, object, site and advice.
# The same routes offloaded: the loop has no stall left.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq curl

head -c 1000000 "$ROOT/build/loopstall" >"$T/body"
common='map(select(.type == "stall" and .tid == .pid))' # the server's loop, not the upstream's

server() { # server FLAG...: sets $pid and $url
	rm -f "$T/server.err" # of the last one
	start server offload-server --listen 127.0.0.1:0 --data-dir "$T" "$@"
	wait_for 10 grep -q listening "$T/server.err" || fail "no server" "$T/server.err"
	url=$(grep -o 'http://[0-9.:]*' "$T/server.err")
}

ask() { # ask PATH: POST for /encode
	local body=() code
	[ "${1%%[?]*}" != /encode ] || body=(--data-binary "@$T/body")
	code=$(curl -s -o /dev/null -w '%{http_code}' "${body[@]}" "$url$1")
	[ "$code" = 200 ] || fail "$url$1 answers $code" "$T/server.err"
}

# inline PATH SITE CALLEE CAUSE CALL OBJECT ADVICE FLAG...: the route's stall has a cause that is all this
# (the last three are patterns; a cause without a call has call "")
inline() {
	local path=$1 want
	want=$(jq -n '$ARGS.named' --arg site "$2" --arg callee "$3" --arg cause "$4" --arg call "$5" \
		--arg object "$6" --arg advice "$7")
	shift 7
	server --mode inline "$@"
	trace "$pid" -m 5ms -d 30
	ask "$path"
	sleep 0.3
	stop "$tracer" INT
	stop "$pid"
	assert_eq 0 "$rc" "exit status of the server"
	assert_jq "$T/trace.json" "$want as \$want | $common | any(.[].causes[];
		.site.function == \$want.site and .callee.function == \$want.callee and
		.cause == \$want.cause and ((.advice // \"\") | test(\$want.advice)) and
		((.call.name // \"\") | test(\"^(\" + \$want.call + \")\$\")) and
		((.call.object // \"\") | test(\$want.object)))" "$path inline"
	lost_nothing "$T/trace.json"
	say "ok: $path inline: $(jq -rn "$want | \"\\(.cause) in \\(.site), which called \\(.callee): \\(.advice)\"")"
}

# What each is told to do is what the offloading server does.
upstream='^tcp 127[.]0[.]0[.]1:[0-9]+'
inline '/external?ms=60' handle_external do_external network recvfrom "$upstream" 'thread pool'
inline '/db?ms=60' handle_db query_slot sleep '(clock_)?nanosleep' '' 'in naps.*thread pool'
inline '/sleep?ms=60' handle_sleep sleep_ms sleep '(clock_)?nanosleep' '' 'timer of the loop'
inline '/file?kb=65536' handle_file store_slot disk fsync "^$T/.*/upload-" 'file I/O to a thread pool'
inline '/encode' handle_encode do_encode cpu '' '' 'worker thread or process'
inline '/fast' middleware_auth do_auth network recvfrom "$upstream" 'thread pool' --middleware auth

# A loop that only waited for a CPU, as on a busy machine, has no bug to be offloaded.
offload() { # offload FLAG...
	local path
	server --mode offload "$@"
	for path in /fast '/external?ms=60' '/db?ms=60' '/sleep?ms=60' '/file?kb=65536' /encode; do
		ask "$path" # pools warm: a thread opens its database at its first query
	done
	trace "$pid" -m 10ms -d 30
	for path in /fast '/external?ms=60' '/db?ms=60' '/sleep?ms=60' '/file?kb=65536' /encode; do
		for _ in 1 2 3; do ask "$path"; done
	done
	stop "$tracer" INT
	stop "$pid"
	assert_eq 0 "$rc" "exit status of the server"
	assert_jq "$T/trace.json" "$common | all(.wall_ns - .ledger.runqueue - .ledger.throttled < 10e6)" \
		"no stall when offloaded ($*)"
	assert_jq "$T/trace.json" 'map(select(.type == "summary"))[0].loops
		| any(.tid == .pid and .iterations > 50)' "the loop was seen"
	say "ok: no stall when offloaded $*"
}

offload
offload --cpu-pool threads
offload --middleware auth
