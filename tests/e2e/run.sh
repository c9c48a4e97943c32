#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# loopstall run -- COMMAND: its exit status, its standard input, the signals passed on, and its first iteration.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
loopstall=$ROOT/build/loopstall

status() { # status WANTED COMMAND...: the exit status of the command, run
	local wanted=$1 got
	shift
	"$loopstall" run -o "$T/report" -- "$@" </dev/null >"$T/out" 2>"$T/err"
	got=$?
	assert_eq "$wanted" "$got" "exit status of run -- $*"
}

status 0 true
status 7 sh -c 'exit 7'
status 137 sh -c 'kill -KILL $$'
status 127 "$T/nothing"
assert_one_line "$T/err" 'cannot start .*/nothing: No such file' "no such command"
status 126 /etc/passwd
"$loopstall" run 2>"$T/err"
assert_eq 2 $? "exit status without a command"
assert_one_line "$T/err" 'which process\? loopstall run -- COMMAND' "without a command"

echo "a line" | "$loopstall" run -o "$T/report" -- cat >"$T/out" || fail "run -- cat"
assert_eq "a line" "$(cat "$T/out")" "standard input and output"

# The stall before the loop has ever waited twice, and those after it, with their line; then a signal ends it.
cat >"$T/app.py" <<'PY'
import asyncio, signal, sys, time

def leave(name):
    print(name, flush=True)
    sys.exit(5)

async def main():
    for name in "SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1":
        asyncio.get_running_loop().add_signal_handler(getattr(signal, name), leave, name)
    for _ in range(3):
        time.sleep(0.05)  # the line
        await asyncio.sleep(0.001)
    print("ready", flush=True)
    await asyncio.sleep(60)

time.sleep(0.2)  # as long as an application imports
asyncio.run(main())
PY
line=$(grep -n 'the line' "$T/app.py" | cut -d: -f1)

reported() { # reported COUNT: so many stalls are in the report
	[ "$(grep -c '"type":"stall"' "$T/trace.json")" -ge "$1" ]
}

for signal in INT TERM HUP USR1; do
	: >"$T/trace.json"
	start app "$loopstall" run --json -o "$T/trace.json" -- "$PYTHON3" "$T/app.py"
	wait_for 20 reported 3 || fail "the stalls are not reported" "$T/app.err"
	stop "$pid" "$signal"
	assert_eq 5 "$rc" "the command's exit status after $signal"
	assert_eq "SIG$signal" "$(tail -n 1 "$T/app.out")" "the signal that arrived"
	assert_jq "$T/trace.json" "map(select(.type == \"stall\" and .causes[0].cause == \"sleep\" and
		.causes[0].site.line == $line)) | map(.iteration) | length == 3 and .[0] == 1" "each stall, from the first iteration on"
	lost_nothing "$T/trace.json"
done

# Who waits once is no loop, whatever it does then.
cat >"$T/once.py" <<'PY'
import os, select, time
epoll, (reader, writer) = select.epoll(), os.pipe()
epoll.register(reader, select.EPOLLIN)
os.write(writer, b"x")
epoll.poll()
time.sleep(1)
PY
"$loopstall" run --json -o "$T/trace.json" -- "$PYTHON3" "$T/once.py" || fail "run -- once.py"
assert_jq "$T/trace.json" 'all(.type != "stall" and .type != "loop")' "no loop there"
