#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/demo.sh: the reference server with the bug, traced; then with the fix; then the two compared.
# Needs root, no terminal; ends by itself and leaves nothing behind. DEMO_SECONDS: of each part (6).
set -eu
cd "$(dirname "$0")/.."
seconds=${DEMO_SECONDS:-6}
dir=$(mktemp -d)
server='' load=''

finish() {
	for pid in $load $server; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() {
	printf '\n=== %s\n' "$*"
}

start_server() { # start_server MODE
	build/offload-server --listen 127.0.0.1:0 --mode "$1" --data-dir "$dir/$1" >"$dir/log" 2>&1 &
	server=$!
	port=
	for _ in $(seq 50); do
		port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$dir/log" | head -1)
		[ -n "$port" ] && curl -sf "http://127.0.0.1:$port/fast" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "the server does not answer:" && cat "$dir/log" && exit 1
}

# Five clients, each with one kind of slow request; one more asks for what should be fast.
start_load() {
	(
		trap 'kill $(jobs -p) 2>/dev/null' EXIT
		base=http://127.0.0.1:$port
		for path in 'external?ms=40' 'db?ms=30' 'sleep?ms=20' 'file?kb=512' fast; do
			while :; do
				curl -s -o /dev/null "$base/$path"
				sleep 0.1
			done &
		done
		while :; do
			curl -s -o /dev/null --data-binary @"$dir/body" "$base/encode"
			sleep 0.1
		done &
		wait
	) &
	load=$!
}

stop() {
	kill "$load" "$server" 2>/dev/null || true
	wait "$load" "$server" 2>/dev/null || true
	load='' server=''
}

show() { # show MODE WHAT
	mkdir -p "$dir/$1"
	start_server "$1"
	say "$2"
	start_load
	echo "\$ loopstall -p $server -d $seconds"
	build/loopstall -p "$server" -d "$seconds" >"$dir/$1.txt"
	# The first stalls as they were printed live, then the summary.
	awk -v max="${DEMO_LINES:-45}" '/^--- /{end = 1; print ""} end || NR <= max' "$dir/$1.txt"
	echo "\$ loopstall record -p $server -d $seconds -o $1.lst"
	build/loopstall record -p "$server" -d "$seconds" -o "$dir/$1.lst"
	stop
}

seq 1 200000 >"$dir/body"
show inline 'The reference server does all its work in its event loop: the bug'
show offload 'The same server and load; the work is handed to pools: the fix'
if build/loopstall diff -h >/dev/null 2>&1; then
	say 'Before and after'
	echo '$ loopstall diff inline.lst -- offload.lst'
	build/loopstall diff "$dir/inline.lst" -- "$dir/offload.lst"
fi
