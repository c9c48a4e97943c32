#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Samples of CPU time, by the kernel's tick and by a clock of our own: a loop that computes has the stack of its code,
# one that is in the kernel has what the kernel did there, and neither has the interrupt that took the sample.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq

cat >"$T/busy.py" <<'END'
import asyncio, os, time

def computes(until):
    while time.monotonic() < until:
        sum(range(1000))

def reads(until):
    while time.monotonic() < until:
        os.read(zeros, 1 << 20)

async def main():
    while True:
        for busy in computes, reads:
            await asyncio.sleep(0.01)
            busy(time.monotonic() + 0.025)

zeros = os.open("/dev/urandom", os.O_RDONLY)
asyncio.run(main())
END

# Stacks of the CPU time of stalls in a function of the program, an array a line.
stacks_in() { # stacks_in FUNCTION
	jq -c --arg f "$1" 'select(.type == "stall") | .causes[] | select(.cause == "cpu" and .callee.function == $f).stack' \
		"$T/trace.json"
}

share() { # share FUNCTION FILTER: percent of the stacks that it is true for; at least ten must be there
	stacks_in "$1" | jq -s "if length < 10 then -1 else 100 * (map(select($2)) | length) / length | floor end"
}

start busy "$PYTHON3" "$T/busy.py"
busy=$pid
tick_ms=$("$PYTHON3" -c 'import time; print(round(time.clock_getres(6) * 1000))') # CLOCK_MONOTONIC_COARSE
for threshold in 10 2; do
	trace "$busy" -v -m ${threshold}ms -d 3
	finish "$tracer" 10
	grep -Eq "sampled by (the kernel's tick, every $tick_ms|a clock, every [0-9])\.0 ms" "$T/trace.err" ||
		fail "-v does not say by what CPU time is sampled" "$T/trace.err"
	[ $threshold = 10 ] || grep -q 'sampled by a clock, every 1.0 ms' "$T/trace.err" ||
		fail "the tick is too rare for stalls of $threshold ms" "$T/trace.err"
	computes=$(share computes 'all(.kind != "kernel")')
	reads=$(share reads '.[0].kind == "kernel" and any(.function | test("random")?)')
	# A sample may meet what another interrupt has left to do (a softirq), which is then the kernel's time.
	[ "$computes" -ge 70 ] || fail "of stacks that compute, $computes % are free of the kernel" "$T/trace.err"
	[ "$reads" -ge 90 ] || fail "of stacks that read, $reads % have the kernel's random numbers" "$T/trace.err"
	assert_eq '' "$({ stacks_in reads && stacks_in computes; } | jq -r '.[0].function // empty' |
		grep -E '^bpf|hrtimer|sysvec|^__?traceiter' | sort -u)" "frames of the interrupt that samples"
	say "ok: -m ${threshold}ms: $(sed -n "s/.*CPU time //p" "$T/trace.err"); right: $computes %, $reads %"
done
