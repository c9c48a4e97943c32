#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# loopstall-gate.sh -b BEFORE -a AFTER -l LOAD [-n RUNS] [-d SECONDS] [-m LENGTH] [-o DIR] [-- DIFF-OPTION...]
#
# Does a change make the event loop stall? Records BEFORE and AFTER (commands that start the service,
# which listens where LOAD expects it) in turn, RUNS times each (3) for SECONDS (30), while LOAD runs;
# then compares. DIR (stalls) gets the traces, stalls.md for a pull request and stalls.xml for a test
# report. The exit status is that of loopstall diff: 0 passed, 1 a regression, 2 usage, 3 could not
# compare; 4 when a recording failed. Run by root, or by who may use sudo: then the service runs as that user.
set -u
before='' after='' load='' runs=3 seconds=30 length=10ms dir=stalls

while getopts b:a:l:n:d:m:o: option; do
	case $option in
	b) before=$OPTARG ;;
	a) after=$OPTARG ;;
	l) load=$OPTARG ;;
	n) runs=$OPTARG ;;
	d) seconds=$OPTARG ;;
	m) length=$OPTARG ;;
	o) dir=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
if [ -z "$before" ] || [ -z "$after" ] || [ -z "$load" ]; then
	echo "usage: $0 -b BEFORE -a AFTER -l LOAD [-n RUNS] [-d SECONDS] [-m LENGTH] [-o DIR] [-- DIFF-OPTION...]" >&2
	exit 2
fi
[ $# -gt 0 ] || set -- --fail-on regression --fail-on 'p99>+10%' --fail-on 'new-site>50ms'

# Tracing takes root, the service does not.
loopstall=$(command -v loopstall) || { echo "$0: no loopstall in PATH" >&2 && exit 4; }
trace() { # trace FILE COMMAND
	if [ "$(id -u)" = 0 ]; then
		"$loopstall" record -m "$length" -d "$seconds" -o "$1" -- sh -c "exec $2"
	else
		sudo -E "$loopstall" record -m "$length" -d "$seconds" -o "$1" -- \
			setpriv --reuid "$(id -u)" --regid "$(id -g)" --init-groups \
			env "PATH=$PATH" sh -c "exec $2"
	fi
}

# The load ends with the recording; what it began is ended with it.
record() { # record FILE COMMAND
	timeout "$seconds" sh -c "$load" &
	trace "$1" "$2"
	status=$?
	kill $! 2>/dev/null
	wait $!
	[ $status = 0 ] || { echo "$0: no recording of: $2" >&2 && exit 4; }
}

mkdir -p "$dir" && rm -f "$dir"/before-*.lst "$dir"/after-*.lst || exit 4
run=1
while [ "$run" -le "$runs" ]; do # in turn: what drifts on this machine meets both alike
	record "$dir/before-$run.lst" "$before"
	record "$dir/after-$run.lst" "$after"
	run=$((run + 1))
done

compare() { # compare DIFF-OPTION...
	"$loopstall" diff "$dir"/before-*.lst -- "$dir"/after-*.lst "$@"
}
compare --format markdown -o "$dir/stalls.md" "$@" 2>/dev/null
compare --format junit -o "$dir/stalls.xml" "$@" 2>/dev/null
compare "$@"
