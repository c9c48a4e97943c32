#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# make check-diff: diff's false alarms and power on made-up runs, and what a trace of ten minutes with
# 100,000 stalls costs. Exit status 1 when a bound is missed.
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d) failed=0
trap 'rm -rf "$dir"' EXIT

# bound NAME VALUE LIMIT UNIT
bound() {
	if awk "BEGIN { exit !($2 < $3) }"; then
		printf '%-28s %s %s (less than %s)\n' "$1" "$2" "$4" "$3"
	else
		printf '%-28s %s %s, MISSED: not less than %s\n' "$1" "$2" "$4" "$3"
		failed=1
	fi
}

build/tests/make_trace "$dir/big.lst" 100000 || exit 1
bound "trace of 100,000 stalls" "$(awk "BEGIN { print $(stat -c %s "$dir/big.lst") / 1e6 }")" 20 MB
# Of the CPU: it has one thread, and other work on the machine is not its time.
/usr/bin/time -f '%U %S %M' -o "$dir/time" \
	build/loopstall report "$dir/big.lst" --format flamegraph -o "$dir/big.svg" || exit 1
read -r user system kb <"$dir/time"
bound "its flame graph" "$(awk "BEGIN { print $user + $system }")" 2 "s of CPU"
bound "and its memory" "$((kb / 1024))" 200 MB

build/bench/diff_power check || failed=1
exit $failed
