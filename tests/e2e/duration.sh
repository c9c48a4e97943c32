#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# -d with a command: when the time is over the command gets SIGTERM, and what was traced is whole. One
# that ends before, or runs without -d, gives its own exit status.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq

served() { # served NAME SECONDS ARG...: loopstall with the arguments ends by itself
	local name=$1 seconds=$2
	shift 2
	start "$name" loopstall "$@"
	finish "$pid" "$seconds"
}

served record 8 record -d 1 -o "$T/service.lst" -- \
	offload-server --listen 127.0.0.1:0 --data-dir "$T"
assert_eq 0 "$rc" "record -d of a service: exit status"
grep -q listening "$T/record.err" || fail "the service did not start" "$T/record.err"
loopstall report "$T/service.lst" --format json >"$T/service.json" || fail "no whole trace"
assert_jq "$T/service.json" '.[-1].seconds | . > 0.9 and . < 3' "record -d 1 traces a second"

served run 8 run --json -d 1 -- bash -c 'trap "echo ended >'"$T"'/term; exit 5" TERM; while :; do sleep 0.05; done'
assert_eq 0 "$rc" "run -d: exit status"
assert_eq ended "$(cat "$T/term")" "run -d: SIGTERM"
assert_jq "$T/run.out" '.[-1].type == "summary"' "run -d: complete"

served before 8 run --json -d 30 -- bash -c 'exit 7'
assert_eq 7 "$rc" "a command that ends before -d"
served without 8 run --json -- bash -c 'sleep 1; exit 6'
assert_eq 6 "$rc" "a command without -d"

# One that does not end is left alone, with a note.
served deaf 12 record -d 0.5 -o "$T/deaf.lst" -- \
	bash -c 'trap "" TERM; echo $$ >'"$T"'/deaf.pid; while :; do sleep 0.2; done'
deaf=$(cat "$T/deaf.pid")
alive "$deaf" || fail "the command that ignores SIGTERM was killed"
kill -KILL "$deaf"
assert_eq 0 "$rc" "a command that ignores SIGTERM: exit status"
assert_one_line "$T/deaf.err" "process $deaf, is still there" "a command that ignores SIGTERM"
