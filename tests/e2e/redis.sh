#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Debian's Redis, stripped as it is: what blocks it is named, and plain GETs are no stall.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need redis-server redis-cli redis-benchmark jq

start redis redis-server --port 0 --unixsocket "$T/redis.sock" --dir "$T" --save '' \
	--enable-debug-command yes --daemonize no
redis=$pid

cli() {
	redis-cli -s "$T/redis.sock" "$@"
}
wait_for 10 cli ping || fail "redis-server does not answer" "$T/redis.out"
cli debug populate 200000 key 20 >/dev/null

# traced NAME COMMAND…: what loopstall says of redis-server while the command runs
traced() {
	local name=$1
	shift
	pid=$redis
	trace "$redis" -m 10ms
	"$@" >"$T/$name.cmd" 2>&1 || fail "$name: the command fails" "$T/$name.cmd"
	sleep 0.3
	stop "$tracer" INT
	[ "$rc" = 0 ] || fail "$name: loopstall ends with $rc" "$T/trace.err"
	cp "$T/trace.out" "$T/$name.json"
	lost_nothing "$T/$name.json"
}

# longest NAME FILTER WHAT: the longest stall of the trace must be so
longest() {
	[ "$(records "$T/$1.json" stall | jq -s "max_by(.wall_ns) | $2")" = true ] || {
		records "$T/$1.json" stall | jq -sc 'max_by(.wall_ns)' >"$T/longest"
		fail "$1: $3" "$T/longest"
	}
}

top='([.ledger | to_entries[] | select(.key | IN("unaccounted", "runqueue", "throttled") | not)]
	| max_by(.value).key)'
# A crowded machine's waiting for a CPU may come before the first of Redis' own causes.
first='([.causes[] | select(.cause != "runqueue" and .cause != "throttled")][0])'
functions="[$first.stack[].function]"

traced sleep cli debug sleep 0.1
longest sleep '.kind == "redis"' "a redis loop"
longest sleep "$top == \"sleep\" and $first.cause == \"sleep\"" "the cause is sleep"
longest sleep '.wall_ns >= 100000000 and .wall_ns - .ledger.runqueue - .ledger.throttled < 150000000' \
	"100 ms long"
longest sleep "$first.call.name | test(\"nanosleep\")" "the call is a nanosleep"
longest sleep "$functions | index(\"debugCommand\") != null" "debugCommand is in the stack"
longest sleep "$first.site.function == \"debugCommand\"" "the site is the command"

# Long enough to matter, short enough not to be interrupted (lua-time-limit is 5 s).
traced lua cli eval 'local x = 0 for i = 1, 2e7 do x = x + i end return x' 0
longest lua "$top == \"cpu\"" "the cause is CPU"
longest lua '[.causes[] | select(.cause == "cpu")][0].stack | map(.function)
	| any(.[]; . != null and test("^(evalCommand|evalGenericCommand|luaCallFunction|lua)"))' \
	"a function of the script engine is in the stack"

longest lua '[.causes[] | select(.cause == "cpu")][0].site.function
	| test("^eval(Generic)?Command$")' "the site is the command"

# Some of it writes, some computes, and the last of it is an fsync.
traced save cli save
longest save "[$top] | inside([\"cpu\", \"disk\"])" "the cause is CPU or disk"
longest save '[.causes[] | select(.cause == "cpu" or .cause == "disk")][0].stack
	| map(.function) | any(.[]; . != null and test("^(saveCommand|rdbSave)"))' \
	"saveCommand or rdbSave is in the stack"

longest save '[.causes[] | select(.cause == "cpu" or .cause == "disk")][0].site.function
	== "saveCommand"' "the site is the command"

# Plain GETs: waiting for a CPU on a crowded machine is not Redis' doing; anything else would be.
traced get redis-benchmark -s "$T/redis.sock" -t get -c 50 -n 200000 -q
worst=$(records "$T/get.json" stall |
	jq -s 'map(.wall_ns - .ledger.runqueue - .ledger.throttled) | max // 0')
[ "$worst" -lt 10000000 ] || {
	records "$T/get.json" stall | jq -sc 'max_by(.wall_ns)' >"$T/longest"
	fail "a stall of $worst ns, its waiting for a CPU not counted, in plain GETs" "$T/longest"
}
assert_jq "$T/get.json" '(map(select(.type == "summary"))[0].loops | map(.iterations) | add) > 1000' \
	"the loop's iterations were seen"
say "plain GETs$(tr '\r' '\n' <"$T/get.cmd" | sed -n 's/^GET\(.*per second\).*/\1/p')," \
	"$(records "$T/get.json" stall | wc -l) stalls, which waited for a CPU"
