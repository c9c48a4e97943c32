#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/fuzz/run.sh SECONDS FUZZER...: run each so long, from its seeds; stop at the first finding, whose
# input is then in build/fuzz/.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=$1
shift
for fuzzer; do
	name=${fuzzer##*/}
	mkdir -p "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
	if ! "$fuzzer" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" \
		"build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1; then
		tail -40 "build/fuzz/$name.log"
		echo "FOUND $name (see build/fuzz)"
		exit 1
	fi
	echo "ok    $name: $(sed -n 's/^stat::number_of_executed_units: //p' "build/fuzz/$name.log") inputs"
done
