#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/demo.sh [--built]: the reference server with the bug, traced; then with the fix; then the two compared.
# Installs what the build needs and builds first, unless --built. Needs root and no terminal; ends by itself and
# leaves nothing but build/. DEMO_SECONDS (6) is the length of a live run; a recording takes twice that.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C
seconds=${DEMO_SECONDS:-6}
server='' load='' tracer='' reader='' dir=''

finish() { # at most some two seconds, whatever they are doing; the clients end with the server
	local pid left
	trap '' INT TERM HUP
	for _ in $(seq 20); do
		left=
		for pid in $tracer $reader $load $server; do
			! kill "$pid" 2>/dev/null || left="$left $pid"
		done
		[ -n "$left" ] || break
		sleep 0.1
	done
	for pid in $left; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	[ -z "$dir" ] || rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() {
	printf '\n=== %s\n' "$*"
}

build() {
	say 'Building loopstall and offload-server'
	tests/deps.sh build || echo 'going on with what is installed'
	mkdir -p build
	if ! MAKEFLAGS='' make -j"$(nproc)" all >build/demo.log 2>&1; then
		tail -n 20 build/demo.log
		echo 'make demo: the build failed (all of it: build/demo.log)'
		exit 1
	fi
}

start_server() { # start_server MODE: on a free port
	local port
	: >"$dir/log" # before it is read
	build/offload-server --listen 127.0.0.1:0 --mode "$1" --data-dir "$dir" >"$dir/log" 2>&1 &
	server=$!
	for _ in $(seq 100); do
		port=$(sed -n 's/.*listening on .*:\([0-9]*\) .*/\1/p' "$dir/log")
		url=http://127.0.0.1:$port
		[ -n "$port" ] && curl -sf "$url/fast" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo 'the server does not answer:' && cat "$dir/log"
	exit 1
}

# One client for each kind of slow request, with a pause between two; one more asks for /fast, and writes down how
# long it took.
start_load() { # start_load MODE
	(
		trap 'kill $(jobs -p) 2>/dev/null' EXIT
		trap 'exit 143' TERM
		for path in 'external?ms=40' 'db?ms=30' 'sleep?ms=20' 'file?kb=16384'; do
			while curl -s -o /dev/null "$url/$path"; do sleep 0.1; done &
		done
		while curl -s -o /dev/null --data-binary @"$dir/body" "$url/encode"; do sleep 0.1; done &
		while curl -s -o /dev/null -w '%{time_total}\n' "$url/fast"; do sleep 0.05; done >"$dir/fast.$1" &
		wait
	) &
	load=$!
}

# A run's output as it comes: the first stall at each site, and the first that has none; of a stack the first frames;
# then the summary, without the upstream's loop.
show_live() {
	local line block='' sites='' seen='' frames=0
	while IFS= read -r line; do
		case $line in
		'---'*) break ;;
		'')
			case $block in
			*' stall '*) [ -n "$sites" ] || sites=none ;;
			*) sites='' && printf '%s\n' "$block" ;; # the head
			esac
			for site in $sites; do
				[[ " $seen " == *" $site "* ]] || { printf '%s\n' "$block" && break; }
			done
			seen+=" $sites" block='' sites='' frames=0
			continue
			;;
		'    site '*)
			site=${line#    site }
			sites+=" ${site// /}"
			;;
		'    stack '*) frames=1 ;;
		'            '*) frames=$((frames + 1)) ;;
		*) frames=0 ;;
		esac
		if [ $frames -le 4 ]; then
			block+=$line$'\n'
		elif [ $frames = 5 ]; then
			block+="            ... (cut)"$'\n'
		fi
	done
	printf '%s\n' "$line"
	sed '/^upstream /,/^$/d'
}

# On a terminal, lines are broken between words.
shape() {
	if [ -t 1 ]; then
		fold -s -w "$(tput cols 2>/dev/null || echo 80)"
	else
		cat
	fi
}

show() { # show MODE
	start_server "$1"
	start_load "$1"
	echo "\$ loopstall -p $server -d $seconds"
	exec {out}< <(exec build/loopstall -p "$server" -d "$seconds")
	tracer=$!
	show_live <&"$out" | shape &
	reader=$!
	exec {out}<&-
	wait "$reader" "$tracer"
	reader='' tracer=''
	(cd "$dir" && exec "$OLDPWD/build/loopstall" record -p "$server" -d $((2 * seconds)) -o "$1.lst") &
	tracer=$!
	printf '$ loopstall record -p %s -d %s -o %s.lst\n' "$server" $((2 * seconds)) "$1"
	wait "$tracer"
	tracer=''
	kill "$load" "$server"
	wait "$load" "$server" || true
	load='' server=''
}

# Median and greatest of the times in a file, as "12.3 ms, 45.6 ms".
times() {
	sort -n "$1" | awk '{ t[NR] = $1 * 1000 } END {
		printf "%.1f ms, %.1f ms", t[int((NR + 1) / 2)], t[NR] }'
}

# How many stalls of the server's loop a recording has, and how many of them would have been some without the time
# in which other tasks had the CPU.
stalls() {
	build/loopstall report "$1" --format json | awk '
		function field(name) {
			if (!match($0, "\"" name "\":[0-9]+"))
				return 0
			return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
		}
		/"type":"stall"/ && !/"ongoing":true/ && field("tid") == field("pid") {
			all++
			own += field("wall_ns") - field("runqueue") - field("throttled") >= 10e6
		}
		END { print all + 0, own + 0 }'
}

[ "$(id -u)" = 0 ] || {
	echo 'make demo: needs root, to load BPF programs (sudo make demo)' >&2
	exit 1
}
[ "${1:-}" = --built ] || build
dir=$(mktemp -d)
seq 1 200000 >"$dir/body"

say 'The bug: a server that does slow work in its event loop'
cat <<-'TEXT'
	One thread serves all clients. While it waits for another service, a database
	or the disk, or compresses a body, nobody else is served: not even GET /fast,
	which needs nothing. loopstall attaches to the running server and names each
	such wait and the line to change ("site"). Of each line, the first stall:

TEXT
show inline

say 'The fix: the same server and clients; the slow work goes to pools'
cat <<-'TEXT'
	Now threads wait, processes compute and a timer sleeps; the loop only takes
	requests and sends answers. What loopstall still finds:

TEXT
show offload

say 'Side by side'
echo '$ loopstall diff inline.lst -- offload.lst'
(cd "$dir" && exec "$OLDPWD/build/loopstall" diff inline.lst -- offload.lst)

say 'Verdict'
read -r before before_own < <(stalls "$dir/inline.lst")
read -r after after_own < <(stalls "$dir/offload.lst")
printf '%-38s%-22s%s\n' "In $((2 * seconds)) s" 'with the bug' 'with the fix' \
	'  stalls of the loop' "$before" "$after" \
	'  of which its own code made' "$before_own" "$after_own" \
	'  GET /fast: median, worst' "$(times "$dir/fast.inline")" "$(times "$dir/fast.offload")"
if [ "$after_own" = 0 ]; then
	echo 'The fix works: no line of the server holds up its loop any more.'
	[ "$after" = 0 ] || echo 'What stalls are left waited for a CPU: this machine is busy.'
else
	echo 'Something still holds up the loop: see the worst sites above.'
fi
