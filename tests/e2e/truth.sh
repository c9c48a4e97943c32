#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Stalls of known cause and length: every one is found, none invented, and each is told truly.
# TRUTH_ITERATIONS (default 250, and then what a crowded machine took of the CPU is not held against the
# trace; the full bar is 1000, all of them held), TRUTH_SEED, and TRUTH_ARGS and TRUTH_LIMITS
# for slow machines: more arguments to the program and to the comparison. TRUTH_KEEP: a directory for
# the two files when they differ.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq "$PYTHON3"
n=${TRUTH_ITERATIONS:-250} seed=${TRUTH_SEED:-$(date +%s)}
read -ra args <<<"${TRUTH_ARGS:-}"
read -ra limits <<<"${TRUTH_LIMITS:-}"

# Of 150 stalls the hundredth part is one, which a hypervisor may have to itself; what is wrong with a kind of
# stall is wrong with 15 and more of them.
[ -n "${TRUTH_ITERATIONS:-}" ] || limits+=(--crowded 5 --percentile 95)

staller truth --wait-ready --iterations "$n" --seed "$seed" --out "$T/truth.json" \
	${args[@]+"${args[@]}"}
truth=$pid
trace "$truth" -m 10ms -d $((n / 5 + 60))
sleep 0.2 # some ticks, by which a loop is known
go
finish "$truth" $((n / 5 + 60))
[ "$rc" = 0 ] || fail "truth ends with $rc" "$T/truth.err"
# The target is gone: the trace ends with its summary.
finish "$tracer" 10
[ "$rc" = 0 ] || fail "loopstall ends with $rc" "$T/trace.err"
say "$n iterations, seed $seed"
"$PYTHON3" "$ROOT/tests/truth.py" --truth "$T/truth.json" --trace "$T/trace.json" \
	${limits[@]+"${limits[@]}"} || {
	[ -z "${TRUTH_KEEP:-}" ] || cp "$T/truth.json" "$T/trace.json" "$T/trace.err" "$TRUTH_KEEP"
	fail "the trace is not the truth" "$T/trace.err"
}
