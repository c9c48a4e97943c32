#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/python/check.sh [VERSION...]: tests/python/own.py under each Python that Debian's suites have (3.9, 3.11, 3.13,
# 3.14; fetched, unpacked and cached), traced; every site and line must be right. Needs root. `host` is /usr/bin/python3.
# The others run in a root directory of their own, like in a container.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
need_loopstall
[ $# -gt 0 ] || set -- host 3.9 3.11 3.13 3.14
own=$ROOT/tests/python/own.py

for version; do
	if [ "$version" = host ]; then
		start python "$PYTHON3" "$own"
	else
		root=$("$ROOT/tests/python/fetch.sh" "$version" 2>"$T/fetch.err" | cut -d' ' -f2)
		[ -n "$root" ] || fail "Python $version cannot be fetched" "$T/fetch.err"
		cp "$own" "$root/tmp/own.py"
		start python chroot "$root" "/usr/bin/python$version" /tmp/own.py
	fi
	python=$pid
	wait_for 10 grep -q ready "$T/python.out" || fail "Python $version does not begin" "$T/python.err"
	trace "$python" -m 10ms -d 4
	finish "$tracer" 30
	assert_eq 0 "$rc" "loopstall's exit status"
	"$PYTHON3" "$ROOT/tests/python/check_own.py" "$own" "$T/trace.json" >"$T/check.out" ||
		fail "Python $version: sites or lines are wrong" "$T/check.out" "$T/trace.err"
	say "$version: $(cat "$T/check.out")"
	assert_jq "$T/trace.json" 'map(select(.type == "loop")) | map(.kind) == ["asyncio"]' "the loop's kind"
	lost_nothing "$T/trace.json"
	stop "$python"
done
