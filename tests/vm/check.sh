#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/vm/check.sh [SERIES...]: the truth test on Debian's 6.1, 6.12 and newest kernel, attached by
# fentry and by tracepoint; and 5.10, where loopstall works or says in one line what it lacks.
# VM_ITERATIONS (default 60). What goes wrong is kept in build/vm/SERIES-PATH.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh
vm_require || exit 1
iterations=${VM_ITERATIONS:-60}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

verdict() { # verdict STATUS WHAT
	printf '%-5s %s (%ss)\n' "$([ "$1" = 0 ] && echo ok || echo FAIL)" "$2" $((SECONDS - begin))
	[ "$1" = 0 ] || failed=$((failed + 1))
}

check_truth() { # check_truth SERIES PATH
	local status
	begin=$SECONDS
	tests/vm/run -k "$1" -c 1 -p -t 180 -o "build/vm/$1-$2" -f build/loopstall -f build/stallers/truth \
		-f tests/truth.py -f tests/vm/guest.sh -- ./guest.sh "$2" "$iterations" >"$log" 2>&1
	status=$?
	if [ $status = 0 ]; then
		rm -rf "build/vm/$1-$2"
		grep -E '^(kind|all)' "$log"
	else
		cat "$log"
	fi
	verdict $status "$(sed -n "s/^$1 //p" "$VM_CACHE/VERSIONS") $2"
}

# Works (exit 0), or refuses as documented: status 1, one line, which names the kernel or a feature.
check_old() { # check_old SERIES
	local status
	begin=$SECONDS
	# shellcheck disable=SC2016 # for the guest's shell
	tests/vm/run -k "$1" -t 60 -f build/loopstall -f build/stallers/idle -- sh -c \
		'./idle 2 5 >/dev/null & sleep 1; ./loopstall -p $! -d 2 --json >/dev/null 2>err
		status=$?; cat err; kill $!
		[ $status = 0 ] && exit 0
		[ $status = 1 ] && [ $(wc -l <err) = 1 ] && grep -qiE "kernel|linux|lacks|needs" err' \
		>"$log" 2>&1
	status=$?
	cat "$log"
	verdict $status "$(sed -n "s/^$1 //p" "$VM_CACHE/VERSIONS") works or says what it lacks"
}

[ $# -gt 0 ] || set -- 5.10 6.1 6.12 newest
series=$(tests/vm/fetch "$@") || exit 1
for one in $series; do
	if [ "$one" = 5.10 ]; then
		check_old "$one"
		continue
	fi
	for path in fentry tracepoint; do
		check_truth "$one" "$path"
	done
done
[ $failed = 0 ]
