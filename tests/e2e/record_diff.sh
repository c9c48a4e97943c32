#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# record, report and diff on the reference server: the fix is seen and passes, the bug fails, by exit
# status; what is no trace is said in one line; a recording that ends early is whole, one that cannot
# be written leaves nothing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq curl setpriv unshare readelf gzip zstd

# In the way of fresh eyes: neither root nor libbpf is needed to read a trace.
cp "$ROOT/build/loopstall" "$T/loopstall"
chmod 755 "$T" "$T/loopstall"
as_nobody() {
	setpriv --reuid=nobody --regid=nogroup --clear-groups "$T/loopstall" "$@"
}

# says STATUS PATTERN COMMAND...: this exit status, and exactly one line on stderr, like this
says() {
	local status=$1 pattern=$2 rc=0
	shift 2
	"$@" >"$T/says.out" 2>"$T/says.err" || rc=$?
	assert_eq "$status" "$rc" "$*: exit status"
	assert_one_line "$T/says.err" "$pattern" "$*"
}

# whole FILE WHAT: a trace from start to summary
whole() {
	loopstall report "$1" --format json >"$T/whole.json" || fail "$2: no whole trace"
	assert_jq "$T/whole.json" '.[0].type == "start" and .[-1].type == "summary"' "$2"
}

# --- the bug and the fix, each under the same small load -----------------------------------------
head -c 400000 "$ROOT/build/loopstall" >"$T/body"

serve_load() { # serve_load URL: until the server is gone
	local url=$1
	curl -s --rate 400/s -o /dev/null "$url/fast?[1-4000]" &
	while curl -sf -o /dev/null "$url/sleep?ms=20" -o /dev/null "$url/external?ms=20" \
		-o /dev/null "$url/db?ms=20" -o /dev/null "$url/file?kb=16384" &&
		curl -sf -o /dev/null --data-binary "@$T/body" "$url/encode"; do
		:
	done
	wait
}

record_server() { # record_server MODE: into $T/MODE.lst
	local url load
	start "$1" loopstall record -m 5ms -d 5 -o "$T/$1.lst" -- \
		offload-server --listen 127.0.0.1:0 --data-dir "$T" --mode "$1"
	local recorder=$pid
	wait_for 10 grep -q 'http://' "$T/$1.err" || fail "no server" "$T/$1.err"
	url=$(grep -o 'http://[0-9.:]*' "$T/$1.err")
	serve_load "$url" &
	load=$!
	finish "$recorder" 15
	assert_eq 0 "$rc" "record of $1: exit status"
	wait "$load"
}

record_server inline
record_server offload

# --- report, as anyone, in every format ---------------------------------------------------------
if ldd "$T/loopstall" | grep libbpf; then fail "libbpf is needed to read a trace"; fi
for format in text json folded flamegraph speedscope pprof perfetto html; do
	as_nobody report "$T/inline.lst" --format $format >"$T/inline.$format" 2>"$T/report.err" ||
		fail "report --format $format" "$T/report.err"
	[[ -s $T/inline.$format && ! -s $T/report.err ]] ||
		fail "$format is empty" "$T/report.err"
done
for format in text json folded flamegraph html; do
	grep -q handle_sleep "$T/inline.$format" || fail "$format lacks handle_sleep"
done
# The command is the one that was traced, though it was to be started yet when the trace began.
assert_jq "$T/inline.json" '.[0].commands | length == 1 and (.[0] | startswith("offload-server --listen"))' \
	"the command line"
grep -q '^recorded ....-..-.. .* on ' "$T/inline.text" || fail "the text lacks when and where" "$T/inline.text"
grep -q '^[0-9]*  offload-server --listen' "$T/inline.text" || fail "the text lacks the command" "$T/inline.text"
gzip -dc <"$T/inline.pprof" >"$T/pprof.pb"
id=$(LC_ALL=C readelf -n "$ROOT/build/offload-server" | sed -n 's/^ *Build ID: //p')
grep -qa "$id" "$T/pprof.pb" || fail "pprof lacks the build id of the server, $id"
loopstall report - <"$T/inline.lst" | cmp -s - "$T/inline.text" || fail "report - is not the same"

# --- diff ----------------------------------------------------------------------------------------
as_nobody diff "$T/inline.lst" -- "$T/offload.lst" >"$T/fixed" || fail "the fix does not pass" "$T/fixed"
for site in handle_sleep handle_external handle_db handle_file handle_encode; do
	grep -Eq "^  (gone|better)  .*$site" "$T/fixed" || fail "$site is not named as fixed" "$T/fixed"
done
as_nobody diff "$T/offload.lst" -- "$T/inline.lst" >"$T/broken"
assert_eq 1 $? "reversed: exit status"
grep -q '^regression' "$T/broken" || fail "reversed: no regression" "$T/broken"
loopstall diff - -- "$T/offload.lst" <"$T/inline.lst" | grep '^no regression' >/dev/null || fail "diff -"
for format in text markdown json junit; do
	loopstall diff "$T/offload.lst" "$T/inline.lst" --format $format --fail-on 'new-site>50ms' \
		-o "$T/diff.$format"
	assert_eq 1 $? "new-site, $format"
	grep -q 'new-site' "$T/diff.$format" || fail "$format lacks the condition" "$T/diff.$format"
done
# The rate that diff goes by is that of the report.
jq -s '(map(select(.type == "summary"))[0] | ([.loops[].stalls] | add) / .seconds)' \
	"$T/inline.json" >"$T/rate"
assert_jq "$T/diff.json" ".[0].metrics | map(select(.name == \"stalls_per_s\"))[0].after
	| . / $(cat "$T/rate") | . > 0.98 and . < 1.02" "stalls_per_s is the report's"

# --- conditions that are none, and those that cannot be judged -----------------------------------
loopstall diff "$T/inline.lst" -- "$T/offload.lst" --fail-on 'p99>+ten%' 2>"$T/point"
assert_eq 2 $? "bad grammar: exit status"
assert_eq "  p99>+ten%
       ^" "$(tail -2 "$T/point")" "bad grammar: points at the character"
says 3 'p99.9>\+10%: too few iterations' loopstall diff "$T/inline.lst" -- "$T/offload.lst" \
	--fail-on 'p99.9>+10%'

# --- what is no trace ----------------------------------------------------------------------------
: >"$T/empty.lst"
head -c 5000 /dev/urandom >"$T/garbage.lst"
head -c $(($(stat -c %s "$T/inline.lst") / 2)) "$T/inline.lst" >"$T/truncated.lst"
zstd -dcq "$T/inline.lst" | sed '200s/[0-9]/{/' | zstd -q >"$T/damaged.lst"
for bad in empty garbage truncated damaged missing; do
	says 1 "$bad.lst: .+" loopstall report "$T/$bad.lst"
	says 3 "$bad.lst: .+" loopstall diff "$T/$bad.lst" -- "$T/inline.lst"
	says 3 "$bad.lst: .+" loopstall diff "$T/inline.lst" -- "$T/$bad.lst"
done

# --- recordings that end early -------------------------------------------------------------------
staller many --seconds 60 --per-second 2000 --stall-us 60 --loops 2
many=$pid
go

mkdir "$T/full"
says 1 "cannot write $T/full/f.lst: No space" unshare -m bash -c "
	mount -t tmpfs -o size=16k tmpfs $T/full || exit 77
	loopstall record -p $many -m 50us -d 3 -o $T/full/f.lst
	rc=\$?
	[ -z \"\$(ls -A $T/full)\" ] || { echo 'half a file is left' >&2; ls -la $T/full >&2; }
	exit \$rc"

start ctrl_c loopstall record -p "$many" -m 50us -o "$T/ctrl_c.lst"
sleep 1
stop "$pid" INT
assert_eq 0 "$rc" "Ctrl-C: exit status"
whole "$T/ctrl_c.lst" "Ctrl-C"

start filtered loopstall record -p "$many" -m 50us -M 90us -d 2 -o "$T/filtered.lst"
finish "$pid" 10
zstd -dcq "$T/filtered.lst" >"$T/filtered.json"
# shellcheck disable=SC2016 # variables of jq
assert_jq "$T/filtered.json" '(map(select(.type == "slice").stalls) | add) as $slices
	| (map(select(.type == "total").stalls) | add) as $all | ($slices - $all | fabs) <= 2 and $all > 0' \
	"-M: the slices have what the total has"

start dying loopstall record -p "$many" -m 50us -o "$T/dying.lst"
recorder=$pid
sleep 1
stop "$many" KILL
finish "$recorder" 5
assert_eq 0 "$rc" "the target dies: exit status"
whole "$T/dying.lst" "the target dies"
