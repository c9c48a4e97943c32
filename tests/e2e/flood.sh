#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# 5,000 stalls a second over 8 loops, with a threshold of 50 us: each is reported, or counted lost.
# FLOOD_SECONDS (default 4).
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq
seconds=${FLOOD_SECONDS:-4}

staller many --seconds "$seconds"
many=$pid
start trace loopstall -p "$many" -m 50us --json -o "$T/trace.json"
tracer=$pid
wait_for 10 grep -q '"type":"start"' "$T/trace.json" || fail "loopstall does not begin" "$T/trace.err"
sleep 0.5
go
finish "$many" $((seconds + 20))
finish "$tracer" 20
assert_eq 0 "$rc" "exit status"

done_stalls=$(jq -s 'map(select(.stalls)) | .[0].stalls' <(grep '^{' "$T/many.out"))
reported=$(records "$T/trace.json" stall | wc -l)
lost=$(records "$T/trace.json" summary | jq '.lost.stalls')
said=$(records "$T/trace.json" summary | jq '[.loops[].stalls] | add')
say "$done_stalls stalls in $seconds s: $reported reported, $lost lost;" \
	"$(records "$T/trace.json" summary | jq -c .overhead)"
[ "$done_stalls" -ge $((seconds * 4000)) ] || skip "this machine did only $done_stalls stalls"
# A loop is known at its second wait, and at 50 us a stall by its own clock may be none by ours.
missing=$((done_stalls - reported - lost))
[ "$missing" -le $((done_stalls / 500 + 16)) ] || fail "$missing stalls are neither reported nor lost"
[ "$missing" -ge -$((done_stalls / 20)) ] || fail "$((-missing)) stalls too many"
[ -z "${FLOOD_KEEP:-}" ] || cp "$T/trace.json" "$FLOOD_KEEP"
assert_eq "$said" $((reported + lost)) "stalls in the summary, and those reported or lost"
[ "$(jq -s 'map(select(.type == "stall") | .wall_ns == (.ledger | add)) | all' "$T/trace.json")" = true ] ||
	fail "a ledger does not sum"
assert_eq 8 "$(records "$T/trace.json" stall | jq -r .tid | sort -u | wc -l)" "loops that stall"
