#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# A process that lies about being CPython costs a cut stack, and no more: the stalls are still there, the report is
# clean text, and neither memory nor time runs away.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall

for mode in sane cyclic wild long text threads version; do
	start fake "$STALLERS/fakepython" "$mode"
	fake=$pid
	wait_for 5 grep -q ready "$T/fake.out" || fail "fakepython does not begin" "$T/fake.err"
	trace "$fake" -m 10ms -d 2
	finish "$tracer" 15
	f=$T/trace.json
	assert_eq 0 "$rc" "$mode: loopstall's exit status"
	iconv -f utf-8 -t utf-8 "$f" >"$T/iconv.out" || fail "$mode: not UTF-8"
	grep -q -P '[\x00-\x08\x0b-\x1f\x7f]|\\u001b' "$f" && fail "$mode: control characters in the report"
	# of a stall that was under way at the attach only the rest is seen
	# shellcheck disable=SC2016 # jq's variable
	assert_jq "$f" '(map(select(.type == "start"))[0].mono_ns) as $begin | map(select(.type == "stall" and .start_ns > $begin))
		| length >= 5 and all(.ledger.sleep > 15000000)' "$mode: the stalls"
	assert_jq "$f" '.[-1].overhead | .tracer_cpu_ns < 2e9 and .tracer_rss_bytes < 150e6' "$mode: the tracer's own cost"
	case $mode in
	sane) assert_jq "$f" '[.[] | select(.type == "stall").causes[] | select(.cause == "sleep")] | length > 4 and all(.site.function == "inner" and .site.line == 7
		and ([.stack[] | select(.kind == "python").function] | .[-2:] == ["inner", "outer"]))' "sane: frames" ;;
	cyclic | long | text) assert_jq "$f" '[.[] | select(.type == "stall").causes[].stack[]? | select(.kind == "python")]
		| length > 0' "$mode: what can be read is there" ;;
	version) assert_one_line "$T/trace.err" 'CPython 3.15: unknown version' "version: refused by name" ;;
	esac
	stop "$fake"
done
