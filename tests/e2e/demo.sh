#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# make demo, without its build: it names what is wrong and what is left of it, and however it ends, it leaves nothing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need curl ps

export TMPDIR=$T/tmp
mkdir "$TMPDIR"
demo() { # demo SECONDS: in a session of its own, so that nothing of it can hide; $pid is its leader
	start demo env DEMO_SECONDS="$1" setsid "$ROOT/tests/demo.sh" --built
}

nothing_runs() {
	[ -z "$(ps -o pid= -s "$1")" ]
}

leaves_nothing() { # leaves_nothing SESSION
	wait_for 10 nothing_runs "$1" || fail "still there: $(ps -o args= -s "$1")"
	assert_eq '' "$(ls -A "$TMPDIR")" "what is left in \$TMPDIR"
}

demo 2
finish "$pid" 120
assert_eq 0 "$rc" "exit status of the demo"
leaves_nothing "$pid"
[ ! -s "$T/demo.err" ] || fail "words on stderr" "$T/demo.err"
# Of two seconds on a crowded machine not every route may have had its turn; server_stalls.sh asks for each.
named=0
sed -n '/The bug/,/The fix/p' "$T/demo.out" >"$T/bug"
sed -n '/The fix/,/Side by side/p' "$T/demo.out" >"$T/fix"
for site in handle_external handle_db handle_sleep handle_file handle_encode; do
	! grep -q "$site (" "$T/bug" || named=$((named + 1))
	! grep -q "$site" "$T/fix" || fail "$site is named in the fixed server" "$T/fix"
done
[ "$named" -ge 3 ] || fail "only $named sites are named" "$T/bug"
grep -q '^no regression' "$T/demo.out" || fail "no verdict of diff" "$T/demo.out"
grep -q '^The fix works' "$T/demo.out" || fail "no verdict" "$T/demo.out"
say "ok: $named sites named, none of them left"

interrupt() { # interrupt PATTERN SIGNAL PREFIX-OF-PID SECONDS: once the output has the pattern
	demo "$4"
	wait_for 60 grep -q "$1" "$T/demo.out" ||
		fail "the demo does not come to '$1'" "$T/demo.out" "$T/demo.err"
	kill -s "$2" -- "$3$pid"
	finish "$pid" 20 # with a run of a minute under way, at once
	[ "$rc" = 130 ] || [ "$rc" = 143 ] || fail "exit status $rc" "$T/demo.err"
	leaves_nothing "$pid"
}
interrupt '^. loopstall record' INT - 4 # as by Ctrl-C: all of the terminal's processes
interrupt '^. loopstall -p' TERM '' 60 # as by kill: only the script
say "ok: an interrupted one leaves nothing"
