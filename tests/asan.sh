#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/asan.sh BUILD: unit tests and user-space programs of a build with sanitizers. A finding is the
# end; the last lines say where.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
build=$1
# What a handful of these would report else: libraries' pools that live until the end.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
failed=0

# run STATUS COMMAND…: exactly this exit status, and no word of a sanitizer
run() {
	local want=$1 rc
	shift
	timeout 300 "$@" >"$T/out" 2>"$T/err" </dev/null
	rc=$?
	if [ "$rc" = "$want" ] && ! grep -q -e 'Sanitizer' -e 'runtime error' "$T/err" "$T/out"; then
		printf 'ok    %s\n' "${*#"$build/"}"
		return
	fi
	printf 'FAIL  %s (exit status %s, not %s)\n' "$*" "$rc" "$want"
	tail -n 40 "$T/err" "$T/out"
	failed=$((failed + 1))
}

for t in "$build"/tests/test_*; do
	case $t in *.d) continue ;; esac
	run 0 "$t"
done

loopstall=$build/loopstall
run 0 "$loopstall" -V
run 2 "$loopstall" -p nobody
run 2 "$loopstall" --no-such-flag
run 1 "$loopstall" -p 4194303
run 0 "$build/tests/make_trace" "$T/one.lst"
run 0 "$build/tests/make_trace" "$T/large.lst" 2000
for format in text json folded flamegraph html speedscope perfetto pprof; do
	run 0 "$loopstall" report "$T/one.lst" --format $format
	run 0 "$loopstall" report "$T/large.lst" --format $format
done
if "$loopstall" diff -h >/dev/null 2>&1; then
	for format in text markdown json junit; do
		run 0 "$loopstall" diff --format $format "$T/large.lst" -- "$T/large.lst"
	done
	run 3 "$loopstall" diff "$T/nothing" -- "$T/one.lst"
fi
# Cut and corrupt traces are refused, not followed.
for ((n = 1; n < 40; n++)); do
	head -c $((n * 97)) "$T/one.lst" >"$T/cut.lst"
	cmp -s "$T/cut.lst" "$T/one.lst" || run 1 "$loopstall" report "$T/cut.lst"
	[ "$(stat -c %s "$T/one.lst")" -gt $((n * 97)) ] || break
done
if [ "$(id -u)" = 0 ] && [ -x "$build/stallers/truth" ]; then
	run 0 "$loopstall" run -d 2 -m 1ms --json -- "$build/stallers/many" --seconds 1 --per-second 50 \
		--stall-us 3000 --loops 2
fi
if [ -x "$build/offload-server" ]; then
	export OFFLOAD_SERVER=$PWD/$build/offload-server
	for t in routes limits pools lifecycle; do # each ends the server in order, which then tells of leaks
		run 0 "tests/e2e/server_$t.sh"
	done
fi
[ "$failed" = 0 ]
