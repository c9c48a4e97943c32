#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/bench/diff_real.sh: diff's false alarms and power on recordings of a real program, one a side. Records the
# reference server, which blocks in its loop, under a constant random load: RUNS (21) times as it is, and
# WORSE (10) times with its slow iterations 20 % longer, SECONDS_EACH (30) each, ATONCE (2) at a time. Then compares
# each pair of equal ones (210), and each of the first with each of the worse (210), at diff's defaults. Pairs
# share recordings, so they are not as many independent trials. The recordings stay in DIR, if that is given, and
# those which are there are not made again.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq
nr_same=${RUNS:-21} nr_worse=${WORSE:-10} seconds=${SECONDS_EACH:-30} at_once=${ATONCE:-2} dir=${DIR:-$T}
mkdir -p "$dir"

record_one() { # record_one FILE SCALE
	local recorder url
	"$ROOT/build/loopstall" record -d "$seconds" -o "$1" -- "$ROOT/build/offload-server" \
		--listen 127.0.0.1:0 --data-dir "$T" --mode inline 2>"$1.err" &
	recorder=$!
	wait_for 20 grep -q 'http://' "$1.err" || return
	url=$(grep -o 'http://[0-9.:]*' "$1.err")
	"$PYTHON3" "$ROOT/tests/bench/diff_load.py" "$url" "$2" 2>"$1.load" &
	wait "$recorder" && wait $! && rm -f "$1.err" "$1.load"
}

# In turn, so that what drifts on this machine meets both alike.
for ((i = 0; i < (nr_same > nr_worse ? nr_same : nr_worse); i++)); do
	for kind in same worse; do
		nr=nr_$kind
		[ "$i" -lt "${!nr}" ] || continue
		[ ! -s "$dir/$kind-$i.lst" ] || continue
		[ "$(jobs -rp | wc -l)" -lt "$at_once" ] || wait -n
		record_one "$dir/$kind-$i.lst" "$([ $kind = same ] && echo 1 || echo 1.2)" &
	done
done
wait
rm -f "$dir"/*.err "$dir"/*.load

pairs=0 failed=0 called=0
compare_pair() { # compare_pair BEFORE AFTER: counts into $pairs, $failed, and $called, when p99 is called worse
	local rc=0
	loopstall diff "$1" -- "$2" --format json -o "$T/diff.json" || rc=$?
	[ $rc -lt 2 ] || fail "$1 and $2 are not compared"
	pairs=$((pairs + 1)) failed=$((failed + rc))
	jq -e '.metrics[] | select(.name == "p99").judgement == "worse"' "$T/diff.json" >/dev/null &&
		called=$((called + 1))
}

percent() { awk "BEGIN { printf \"%.1f\", 100 * $1 / ($2 ? $2 : 1) }"; }

for ((i = 0; i < nr_same; i++)); do
	for ((j = i + 1; j < nr_same; j++)); do
		compare_pair "$dir/same-$i.lst" "$dir/same-$j.lst"
	done
done
line "same program: a regression" "$failed of $pairs" "<= 5 %" "$(compare "$(percent $failed $pairs)" '<=' 5)"
pairs=0 failed=0 called=0
for ((i = 0; i < nr_same; i++)); do
	for ((j = 0; j < nr_worse; j++)); do
		compare_pair "$dir/same-$i.lst" "$dir/worse-$j.lst"
	done
done
line "slow iterations 20 % longer: p99 called worse" "$called of $pairs" ">= 95 %" \
	"$(compare "$(percent $called $pairs)" '>=' 95)"
line "slow iterations 20 % longer: a regression" "$failed of $pairs"
for kind in same worse; do
	for file in "$dir/$kind"-*.lst; do
		loopstall report "$file" --format json | jq -r 'select(.type == "summary").loops | max_by(.iterations) |
			[.p99_ns / 1e6, 100 * .ledger.runqueue / (.stalled_wall_ns // 1)] | @tsv'
	done >"$T/$kind"
	line "  $kind: p99, median" "$(cut -f1 "$T/$kind" | median) ms"
	line "  $kind: wait for a CPU, of the stalled time, median" "$(cut -f2 "$T/$kind" | median) %"
done
[ $missed = 0 ]
