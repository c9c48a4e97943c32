# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
# Shared by tests/e2e/python_*.sh, after tests/e2e/lib.sh.
: "${tracer?tests/e2e/lib.sh first}" "${rc?}"
rounds=${ROUNDS:-6}

answers() { # answers PORT: the service there
	curl -sf -o "$T/answer" "http://127.0.0.1:$1/clean"
}

# need_modules NAME...: of Python; skips the test when one is missing
need_modules() {
	local m
	for m; do
		"$PYTHON3" -c "import $m" 2>/dev/null || skip "no $m for $PYTHON3 (make deps)"
	done
}

# drive_and_check PID PORT APP ROUTES [ROUTE=OBJECT...]: traces the service while its routes are asked for; every
# stall must be as tests/python/APP's marks say. The trace is $T/trace.json.
drive_and_check() {
	local app=$1 port=$2 source=$ROOT/tests/python/$3 routes=$4
	shift 4
	trace "$app" -m 10ms
	# shellcheck disable=SC2086 # a list of routes
	"$PYTHON3" "$ROOT/tests/python/drive.py" "http://127.0.0.1:$port" "$rounds" $routes >"$T/requests" ||
		fail "the driver fails" "$T"/*.err
	stop "$tracer" INT
	assert_eq 0 "$rc" "loopstall's exit status"
	"$PYTHON3" "$ROOT/tests/python/check.py" "$source" "$T/trace.json" "$T/requests" "$@" ||
		fail "not all stalls are right" "$T/trace.err"
	lost_nothing "$T/trace.json"
}
