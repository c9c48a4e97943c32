#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/bench/soak_export.sh [SECONDS]: processes start, exec, fork, stall and die under `export --all`
# for SECONDS (900: a day's worth of them). Memory, descriptors, loops, processes and the kernel's maps
# must be as flat at the end as in the middle, and no counter may go back. Programs that others start on the
# host meanwhile are traced too, and the first of each kind costs memory; on such a host rather
# EXPORT_TARGETS='--comm idle,many,hang,sh' instead of --all.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
need_loopstall
need "$PYTHON3" bpftool
read -ra targets <<<"${EXPORT_TARGETS:---all}"
start export "$ROOT/build/loopstall" export "${targets[@]}" --listen 127.0.0.1:0 --expire 5 --max-loops 512
wait_for 30 grep -q 'metrics at' "$T/export.err" || fail "export does not begin" "$T/export.err"
"$PYTHON3" -B "$ROOT/tests/bench/soak_export.py" "$pid" \
	"$(sed -n 's/.*metrics at //p' "$T/export.err")" "$STALLERS" "${1:-900}" ||
	fail "soak" "$T/export.err"
stop "$pid"
assert_eq 0 "$rc" "exit status of export"
