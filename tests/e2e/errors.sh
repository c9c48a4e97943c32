#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What cannot be done is said in one line, with how to mend it, and by the exit status; what is
# ended in the middle is complete.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq setpriv

# refuses STATUS PATTERN COMMAND…: exactly this exit status, exactly one line on stderr, like this
refuses() {
	local status=$1 pattern=$2
	shift 2
	start refused "$@"
	finish "$pid" 20
	assert_eq "$status" "$rc" "$*: exit status"
	assert_one_line "$T/refused.err" "$pattern" "$*"
}

# complete FILE WHAT: every line is JSON, from start to summary
complete() {
	jq -e . "$1" >/dev/null 2>&1 || fail "$2: a line is not JSON" "$1"
	assert_jq "$1" '.[0].type == "start" and .[-1].type == "summary"' "$2: complete"
}

no_process() { # prints a pid that nobody has
	local p
	for ((p = 30000; p > 300; p--)); do
		[ -e "/proc/$p" ] || break
	done
	echo "$p"
}

staller many --seconds 60 --per-second 50 --stall-us 12000 --loops 2
many=$pid
go

# --- usage ---
refuses 2 '-p PID' loopstall
refuses 2 'process ids?: write' loopstall -p 1x
refuses 2 '10ms' loopstall -p $$ -m soon
refuses 2 'seconds' loopstall -p $$ -d never
refuses 2 '--no-such-flag.*loopstall -h' loopstall -p $$ --no-such-flag
refuses 2 'no-such-command.*loopstall -h' loopstall no-such-command

# --- the wrong process ---
refuses 1 'no process' loopstall -p "$(no_process)"
refuses 1 'kernel thread.*user process' loopstall -p 2
start sleeper sleep 1000
sleeper=$pid
refuses 1 'no event loop.*nanosleep.*-p|no event loop.*nanosleep.*-t|no event loop.*nanosleep.*name' \
	loopstall -p "$sleeper" -d 5

# --- doctor: each line that is not ok says how to mend it ---
diagnosed() { # diagnosed STATUS WHAT PATTERN...: all in what doctor has said
	local status=$1 what=$2 pattern
	shift 2
	finish "$pid" 20
	assert_eq "$status" "$rc" "doctor, $what: exit status"
	for pattern; do
		grep -Eq -- "$pattern" "$T/doctor.out" || fail "doctor, $what: no /$pattern/" "$T/doctor.out"
	done
	! grep -E '^(FAILS|lacks)' "$T/doctor.out" | grep -v ': ' || fail "doctor, $what: no mend"
}
start doctor loopstall doctor -p "$many"
diagnosed 0 "a loop" '^ok +privileges' "^ok +process $many .*looked at" \
	'^ok +an event loop:.*epoll_wait' '^ok +symbols of .*/many'
start doctor loopstall doctor -p "$sleeper"
diagnosed 0 "no loop" '^lacks +an event loop:.*nanosleep'
stop "$sleeper"

# --- the wrong user: the program where nobody can read it, too ---
cp "$ROOT/build/loopstall" "$T/loopstall"
chmod 755 "$T" "$T/loopstall"
refuses 1 'CAP_BPF.*CAP_PERFMON' setpriv --reuid nobody --regid nogroup --clear-groups \
	"$T/loopstall" -p "$many" -d 1
start doctor setpriv --reuid nobody --regid nogroup --clear-groups "$T/loopstall" doctor -p "$many"
diagnosed 1 "nobody" '^FAILS +privileges: .*CAP_BPF' "^FAILS +process $many .*CAP_SYS_PTRACE"
rm "$T/loopstall"

# --- nowhere to write to ---
refuses 1 '/dev/full.*[Nn]o space' loopstall -p "$many" -d 1 -o /dev/full
refuses 1 '[Nn]o space' bash -c "exec loopstall -p $many -d 1 --json >/dev/full"
refuses 1 '/nonexistent/report' loopstall -p "$many" -d 1 -o /nonexistent/report
if mkdir "$T/full" && mount -t tmpfs -o size=4k tmpfs "$T/full" 2>/dev/null; then
	# shellcheck disable=SC2317 # called by lib.sh
	at_exit() {
		umount -l "$T/full"
	}
	refuses 1 '[Nn]o space' loopstall -p "$many" -d 2 --json -o "$T/full/report"
	umount "$T/full"
	at_exit() {
		:
	}
fi

# --- -o is complete, and nothing but it is written ---
start output loopstall -p "$many" -d 1 --json -o "$T/report"
finish "$pid" 20
assert_eq 0 "$rc" "-o: exit status"
complete "$T/report" "-o"
[ ! -s "$T/output.out" ] || fail "-o: something went to stdout too" "$T/output.out"
assert_jq "$T/report" 'map(select(.type == "stall")) | length > 10' "-o: the stalls are in it"

# --- two at once ---
start one loopstall -p "$many" -d 2 --json
one=$pid
start two loopstall -p "$many" -d 2 --json
two=$pid
for p in "$one" "$two"; do
	finish "$p" 20
	assert_eq 0 "$rc" "two at once: exit status"
done
for f in one two; do
	complete "$T/$f.out" "two at once"
	assert_jq "$T/$f.out" 'map(select(.type == "stall")) | length > 30' "two at once: $f sees"
	lost_nothing "$T/$f.out"
done

# --- Ctrl-C at any moment: from before it is attached to well into the run ---
for ms in 0 3 10 30 60 100 150 200 300 450 600 800; do
	start interrupted loopstall -p "$many" --json
	sleep "$(printf '0.%03d' $((ms + RANDOM % 20)))"
	kill -INT "$pid"
	wait_for 10 ended "$pid" || fail "Ctrl-C after $ms ms: still there" "$T/interrupted.err"
	finish "$pid" 1
	# Before it came to do anything at all, the signal itself is the end of it.
	[ "$rc" = 130 ] && [ "$ms" -lt 200 ] && [ ! -s "$T/interrupted.out" ] && continue
	assert_eq 0 "$rc" "Ctrl-C after $ms ms: exit status"
	complete "$T/interrupted.out" "Ctrl-C after $ms ms"
	[ ! -s "$T/interrupted.err" ] || fail "Ctrl-C after $ms ms: not silent" "$T/interrupted.err"
done

# --- the target goes away: an end like any other ---
start gone loopstall -p "$many" --json
gone=$pid
wait_for 10 grep -q '"type":"stall"' "$T/gone.out" || fail "no stall" "$T/gone.out" "$T/gone.err"
stop "$many" KILL
finish "$gone" 5
assert_eq 0 "$rc" "target killed: exit status"
complete "$T/gone.out" "target killed"
