#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# guest.sh PATH ITERATIONS: the truth test inside a guest of tests/vm/run, by busybox, with loopstall
# attached by PATH: fentry or tracepoint.
#
# Emulation is 10 to 20 times slower than the machine: a system call is some 3 us, a capture some
# hundreds. Lengths are longer in proportion and tolerances wider; what was found, and its cause,
# call, object and place, are held to the same bar; so few stalls have no p99. There is no disk, so
# fsync is not among them.
set -u
export LOOPSTALL_ATTACH="$1"
iterations=$2

until_line() { # until_line PATTERN FILE SECONDS
	n=$(($3 * 10))
	until grep -q "$1" "$2" 2>/dev/null; do
		n=$((n - 1))
		[ $n -gt 0 ] || return 1
		sleep 0.1
	done
}

give_up() {
	echo "FAIL: $1"
	tail -n 20 ./*.err
	exit 1
}

mkfifo go
exec 9<>go
./truth --wait-ready --iterations "$iterations" --min-ms 2 --max-ms 100 --out truth.json \
	--kinds cpu,sleep,naps,pipe_read,poll_pipe,nested_epoll,tcp_recv,mutex,child \
	<go >truth.out 2>truth.err &
truth=$!
until_line '^ready' truth.out 10 || give_up "truth is not ready"
./loopstall -p $truth -m 20ms --json -v >trace.json 2>trace.err &
tracer=$!
until_line '"type":"start"' trace.json 30 || give_up "loopstall does not begin"
grep -q "\"attach\":\"$1\"" trace.json || give_up "not attached by $1: $(head -n 1 trace.json)"
sleep 1
echo go >&9
wait $truth || give_up "truth fails"
wait $tracer || give_up "loopstall fails"
python3 truth.py --truth truth.json --trace trace.json --threshold-ms 20 \
	--edge-us 1000 --percentile 95 --wall-us 2000 --cpu-share 5 || {
	cp truth.json trace.json trace.err /out
	exit 1
}
