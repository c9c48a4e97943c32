#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The dashboard and the rules against a real Prometheus which scrapes a real export of stalling
# processes: every expression of every panel and rule is executed, and must give data.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need prometheus promtool curl "$PYTHON3"
dash=$ROOT/dashboards

promtool check rules "$dash/prometheus/loopstall.rules.yml" >"$T/promtool.out" 2>&1 ||
	fail "promtool check rules" "$T/promtool.out"
promtool check config "$dash/prometheus/prometheus.yml" >"$T/promtool.out" 2>&1 ||
	fail "promtool check config" "$T/promtool.out"
(cd "$dash/prometheus" && promtool test rules loopstall.rules.test.yml) >"$T/promtool.out" 2>&1 ||
	fail "promtool test rules" "$T/promtool.out"

staller many --loops 4 --per-second 40 --seconds 300 --stall-us 15000
many=$pid
start hang "$STALLERS/hang" read 1500
hang=$pid
start export "$ROOT/build/loopstall" export -p "$many,$hang" --listen 127.0.0.1:0
wait_for 30 grep -q 'metrics at' "$T/export.err" || fail "export does not begin" "$T/export.err"
target=$(sed -n 's,.*metrics at http://\(.*\)/metrics,\1,p' "$T/export.err")
go

port=$(free_port)
sed "s/127\.0\.0\.1:9964/$target/; s/_interval: 15s/_interval: 1s/" "$dash/prometheus/prometheus.yml" \
	>"$T/prometheus.yml"
cp "$dash/prometheus/loopstall.rules.yml" "$T/"
start prometheus prometheus --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/tsdb" \
	--web.listen-address="127.0.0.1:$port" --enable-feature=exemplar-storage --log.level=warn
wait_for 60 curl -sf -m 2 "http://127.0.0.1:$port/-/ready" ||
	fail "prometheus does not become ready" "$T/prometheus.err"
"$PYTHON3" -B "$ROOT/tests/e2e/export/dashboards.py" "http://127.0.0.1:$port" \
	"$dash/grafana/loopstall.json" "$dash/prometheus/loopstall.rules.yml" ||
	fail "the dashboard" "$T/prometheus.err" "$T/export.err"
