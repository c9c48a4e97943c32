#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Node: computing, the *Sync calls of files and of processes; by the binding that was called and, where V8
# writes a perf map, by the JavaScript function.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need jq node

cd "$T" || exit 1 # V8 leaves a log where it is started
# shellcheck disable=SC2317 # called by lib.sh
at_exit() {
	rm -f "${maps[@]}"
}
maps=()
head -c 67108864 /dev/zero >"$T/data"
cat >"$T/app.js" <<'E2'
const fs = require("fs"), { execSync } = require("child_process");
const data = process.argv[2];
function compute() { const end = process.cpuUsage().user + 80000; while (process.cpuUsage().user < end); }
function readAll() { for (let i = 0; i < 3; i++) fs.readFileSync(data); }
function runChild() { execSync("sleep 0.1"); }
const todo = [compute, readAll, runChild];
process.stdin.once("data", () => {
	const timer = setInterval(() => {
		const next = todo.shift();
		if (!next) { clearInterval(timer); process.exit(0); }
		next();
	}, 300);
});
setInterval(() => {}, 5);
console.log("ready " + process.pid);
E2

# traced_node FLAG...: the three stalls into $T/trace.json
traced_node() {
	local stdin=$T/node.in
	rm -f "$stdin"
	mkfifo "$stdin"
	exec {go_fd}<>"$stdin"
	start node node "$@" "$T/app.js" "$T/data"
	local node=$pid
	maps+=("/tmp/perf-$node.map")
	wait_for 10 grep -q '^ready' "$T/node.out" || fail "node does not begin" "$T/node.err"
	trace "$node" -m 20ms
	wait_for 10 grep -q '"type":"loop"' "$T/trace.out" || fail "no loop found" "$T/trace.err"
	go
	finish "$node" 20
	finish "$tracer" 10
	assert_eq 0 "$rc" "node $*: exit status of loopstall"
	exec {go_fd}>&-
	lost_nothing "$T/trace.json"
	assert_jq "$T/trace.json" 'map(select(.type == "loop")) | any(.kind == "node")' "the loop's kind"
}

# caused WHAT FILTER: some cause of a stall is so
caused() {
	assert_jq "$T/trace.json" "[.[] | select(.type == \"stall\") | .causes[]]
		| any($2)" "$1"
}

traced_node
caused "computing is CPU" '.cause == "cpu" and .ns > 20000000'
caused "execSync waits, and not in the loop's own wait" '(.cause == "pipe" or .cause == "process")
	and (.call.name | startswith("epoll_")) and (.stack | any((.function // "")
	| test("SyncProcessRunner::"))) and (.site.function | test("uv__|uv_run") | not)
	and .callee.function == "node::SyncProcessRunner::Spawn"'

start probe node --perf-basic-prof --interpreted-frames-native-stack -e 0
maps+=("/tmp/perf-$pid.map")
finish "$pid" 20
if [ "$rc" = 0 ]; then
	traced_node --perf-basic-prof --interpreted-frames-native-stack
	for f in compute readAll runChild; do
		caused "$f is a site, with its file" ".site.function == \"$f\"
			and (.site.file | endswith(\"/app.js\")) and .site.line > 1"
	done
	caused "runChild called execSync" \
		'.site.function == "runChild" and .callee.function == "execSync"'
fi
say "$(records "$T/trace.json" stall | jq -r '.causes[0] | "\(.cause) in \(.site.function);"' | paste -sd' ')"
