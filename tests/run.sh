#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/run.sh TEST...: run the unit tests given, then every tests/e2e/*.sh; a summary line at the end.
# An e2e script exits 0 (passed), 77 (skipped; it printed why) or else (failed).
# In CI (CI=true) a skip counts as a failure: nothing there may be missing unnoticed.
set -u
cd "$(dirname "$0")/.." || exit 1
export PATH=$PWD/build:$PATH
passed=0 failed=0 skipped=0

report() { # report STATUS NAME SECONDS
	case $1 in
	0) passed=$((passed + 1)) word=ok ;;
	77) skipped=$((skipped + 1)) word=SKIP ;;
	*) failed=$((failed + 1)) word=FAIL ;;
	esac
	printf '%-5s %s (%ss)\n' "$word" "$2" "$3"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for t in "$@" tests/e2e/*.sh; do
	[ -e "$t" ] || continue
	case $t in */lib.sh) continue ;; esac
	begin=$SECONDS
	timeout 300 "$t" >"$log" 2>&1 </dev/null
	rc=$?
	case $rc in
	0) ;;
	77) cat "$log" ;;
	*) cat "$log" ;;
	esac
	report "$rc" "${t#build/}" $((SECONDS - begin))
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && { [ "${CI:-}" != true ] || [ "$skipped" = 0 ]; }
