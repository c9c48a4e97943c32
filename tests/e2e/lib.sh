# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# Shared by tests/e2e/*.sh and tests/bench: source it first.
#
#	. "$(dirname "$0")/lib.sh"
#	need redis-server jq			# skips the test when one is missing
#	start truth build/stallers/truth …	# in the background; $pid is its pid
#	wait_for 5 grep -q ready "$T/truth.out"
#	trace "$pid" -m 10ms -d 5		# loopstall --json into $T/trace.json; $tracer
#	finish "$tracer" 10			# waits for its end; $rc is its exit status
#	assert_jq "$T/trace.json" 'select(.type == "summary") | .lost.events == 0' "nothing lost"
#
# $T is a directory of the test's own. At its end, however it comes, the processes that it
# started are ended (by pid) and $T goes.

set -u -o pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PATH=$ROOT/build:$PATH LC_ALL=C
PYTHON3=${PYTHON3:-/usr/bin/python3}
STALLERS=$ROOT/build/stallers
T=$(mktemp -d "${TMPDIR:-/tmp}/loopstall-test.XXXXXX") || exit 1
started=()	# pids still to be ended
pid='' rc='' tracer=''
export pid rc tracer STALLERS PYTHON3

say() {
	printf '%s\n' "$*"
}

skip() { # skip WHY
	say "skip: $*"
	exit 77
}

fail() { # fail WHAT [FILE...]: with the ends of the files that may tell why
	local f
	say "FAIL: $1" >&2
	shift
	for f; do
		[ -s "$f" ] || continue
		printf -- '--- %s\n' "${f##*/}"
		tail -n 8 "$f" | cut -c1-300
	done >&2
	exit 1
}

need() { # need COMMAND...
	local c
	for c; do
		command -v "$c" >/dev/null || skip "no $c on this machine (make deps)"
	done
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

need_loopstall() {
	need_root
	[ -x "$ROOT/build/loopstall" ] || skip "build/loopstall is not built"
}

# start NAME COMMAND...: output to $T/NAME.out and $T/NAME.err, standard input from $stdin (or
# /dev/null). A background command of a script has SIGINT ignored, which a Ctrl-C must not be.
start() {
	local name=$1
	shift
	: >"$T/$name.out" # empty at once, for who waits for a line in them
	: >"$T/$name.err"
	env --default-signal=INT,QUIT,PIPE "$@" <"${stdin:-/dev/null}" \
		>"$T/$name.out" 2>"$T/$name.err" &
	pid=$!
	started+=("$pid")
}

alive() { # alive PID: and not a zombie
	local state
	state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[ -n "$state" ] && [ "$state" != Z ]
}

# wait_for SECONDS COMMAND...: until the command succeeds; 1 when it does not in time
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.02
	done
}

ended() { # ended PID
	! alive "$1"
}

# Milliseconds that a process's main thread has waited for a CPU: what a crowded machine, and not
# the program, took.
waited_ms() { # waited_ms PID
	local waited=0
	read -r _ waited _ 2>/dev/null <"/proc/$1/schedstat"
	echo $((waited / 1000000))
}

free_port() {
	"$PYTHON3" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# finish PID SECONDS: wait for a started process to end by itself; $rc is its exit status
finish() {
	wait_for "$2" ended "$1" || fail "process $1 ($(tr '\0' ' ' <"/proc/$1/cmdline")) is still \
there after $2 s" "$T"/*.err
	{ wait "$1"; } 2>/dev/null # the shell would tell of a signal
	rc=$?
	forget "$1"
}

forget() { # forget PID: it is gone, and its number may soon be another's
	local p kept=()
	for p in "${started[@]}"; do
		[ "$p" = "$1" ] || kept+=("$p")
	done
	started=(${kept[@]+"${kept[@]}"})
}

# stop PID [SIGNAL [SECONDS]]: send the signal (TERM) and wait; $rc is the exit status
stop() {
	alive "$1" && kill -s "${2:-TERM}" "$1" 2>/dev/null
	finish "$1" "${3:-10}"
}

cleanup() {
	local p
	trap - EXIT INT TERM
	for p in ${started[@]+"${started[@]}"}; do
		kill -TERM "$p" 2>/dev/null
	done
	for p in ${started[@]+"${started[@]}"}; do
		wait_for 2 ended "$p" || kill -KILL "$p" 2>/dev/null
	done
	at_exit
	rm -rf "$T"
}
at_exit() { # a test may say more
	:
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# staller NAME ARG...: start build/stallers/NAME which prints `ready PID` and begins at a line
# on its standard input (see go)
staller() {
	local name=$1 stdin=$T/$1.in
	shift
	[ -x "$STALLERS/$name" ] || fail "build/stallers/$name is not built"
	mkfifo "$stdin"
	exec {go_fd}<>"$stdin"	# so that neither side waits for the other to open it
	start "$name" "$STALLERS/$name" "$@"
	wait_for 10 grep -q '^ready' "$T/$name.out" ||
		fail "$name does not become ready" "$T/$name.out" "$T/$name.err"
}

go() { # begin, staller
	echo go >&"$go_fd"
}

# trace PIDS ARG...: loopstall --json to $T/trace.json; returns when it is attached. $tracer is it.
trace() {
	local pids=$1 target=$pid
	shift
	start trace "$ROOT/build/loopstall" -p "$pids" --json "$@"
	tracer=$pid
	pid=$target
	ln -f "$T/trace.out" "$T/trace.json"
	wait_for 15 attached ||
		fail "loopstall does not begin" "$T/trace.err" "$T/trace.out"
}

attached() {
	grep -q '"type":"start"' "$T/trace.out" || ended "$tracer"
}

records() { # records FILE TYPE: those of the type, one compact JSON object a line
	jq -c --arg t "$2" 'select(.type == $t)' "$1"
}

# assert_jq FILE FILTER WHAT: the filter, over the array of all records, must be true
assert_jq() {
	[ "$(jq -s "$2" "$1" 2>&1)" = true ] ||
		fail "$3: not so: $2" "$1"
}

assert_eq() { # assert_eq WANTED GOT WHAT
	[ "$1" = "$2" ] || fail "$3: $2, not $1"
}

# assert_one_line FILE PATTERN WHAT: exactly one line, and it has the pattern
assert_one_line() {
	[ "$(wc -l <"$1")" = 1 ] || fail "$3: $(wc -l <"$1") lines on stderr, not one" "$1"
	grep -Eq -- "$2" "$1" || fail "$3: the line does not say /$2/" "$1"
}

lost_nothing() { # lost_nothing FILE
	assert_jq "$1" 'map(select(.type == "summary"))
		| length == 1 and (.[0].lost | to_entries | all(.value == 0))' "nothing lost"
}
