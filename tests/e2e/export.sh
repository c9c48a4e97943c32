#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# loopstall export on real stalling processes: what it serves is true, valid, monotone; processes come
# and go; privileges are given up.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need curl jq "$PYTHON3"

export_start() { # export_start ARG...: $exporter, $url
	start export "$ROOT/build/loopstall" export --listen 127.0.0.1:0 "$@"
	exporter=$pid
	wait_for 30 grep -q 'metrics at' "$T/export.err" ||
		fail "export does not begin" "$T/export.err"
	url=$(sed -n 's/.*metrics at //p' "$T/export.err")
}

scrape() { # scrape FILE [CURL-ARG...]
	local file=$1
	shift
	curl -sS -m 30 -o "$file" "$@" "$url" || fail "no answer from $url" "$T/export.err"
}

value() { # value FILE PATTERN: the sum over the series that match
	awk -v p="$2" '$0 ~ p { s += $NF; n++ } END { if (n) printf "%.9f\n", s; else print "none" }' "$1"
}

at_least() { # at_least VALUE BOUND WHAT
	awk -v v="$1" -v b="$2" 'BEGIN { exit !(v != "none" && v >= b) }' ||
		fail "$3: $1, not at least $2" "$T/export.err" "$T/m.txt"
}

has() { # has FILE-FROM-SCRAPE PATTERN
	scrape "$T/now.txt" && grep -Eq -- "$1" "$T/now.txt"
}

# --- one process: stalls, sites, exemplars, counters ---------------------------------------------
staller many --loops 4 --per-second 40 --seconds 8 --stall-us 15000
many=$pid
counted() { # counted PATTERN LEAST
	scrape "$T/now.txt" && awk -v v="$(value "$T/now.txt" "$1")" -v b="$2" 'BEGIN { exit !(v != "none" && v >= b) }'
}
export_start -p "$many"
go
wait_for 30 counted '^loopstall_stall_seconds_count' 60 || fail "few stalls are counted" "$T/export.err" "$T/now.txt"
scrape "$T/m.txt"
at_least "$(value "$T/m.txt" '^loopstall_stalled_seconds_total.*cause="sleep"')" 0.3 "time asleep"
at_least "$(value "$T/m.txt" '^loopstall_site_seconds_total.*cause="sleep",site="stall_sleep ')" 0.3 \
	"time of the site"
at_least "$(value "$T/m.txt" '^loopstall_iteration_seconds_count.*comm="loop-')" 60 "iterations"
assert_eq 4 "$(grep -c '^loopstall_loop_busy_ratio{.*comm="loop-' "$T/m.txt")" "loops"
at_least "$(value "$T/m.txt" '^loopstall_build_info')" 1 "build info"
grep -q '^Content-Type: text/plain; version=0.0.4' <(curl -sSI -m 30 "$url" | sed 's/content-t/Content-T/') ||
	fail "not Prometheus' text format"
if command -v promtool >/dev/null; then
	promtool check metrics <"$T/m.txt" >"$T/promtool.out" 2>&1 ||
		fail "promtool does not accept the metrics" "$T/promtool.out"
fi

scrape "$T/om.txt" -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5'
assert_eq '# EOF' "$(tail -n 1 "$T/om.txt")" "OpenMetrics ends"
grep -Eq '^loopstall_stall_seconds_bucket\{.*cause="sleep",le="[0-9.]+"\} [0-9]+ # \{site="stall_sleep \(.*many.c:[0-9]+\)"\} 0\.01[0-9]+ [0-9.]+$' \
	"$T/om.txt" || fail "no exemplar with a site" "$T/om.txt"

: >"$T/series.txt"
for _ in 1 2 3 4 5 6; do
	scrape "$T/now.txt"
	cat "$T/now.txt" >>"$T/series.txt"
	sleep 0.3
done
awk '/^#/ { next }
	/^[a-z_]+(_total|_count|_sum|_bucket)({| )/ {
		v = $NF; k = $0; sub(/ [^ ]*$/, "", k)
		if (k in last && v + 0 < last[k] + 0) { print k, last[k], v; bad = 1 }
		last[k] = v
	} END { exit bad }' "$T/series.txt" >"$T/back.txt" || fail "a counter goes back" "$T/back.txt"
assert_eq 0 "$(value "$T/now.txt" '^loopstall_lost_events_total' | cut -d. -f1)" "lost events"

# What it says agrees with what the process measured itself.
finish "$many" 60
scrape "$T/m.txt"
own=$(jq -r '.stalled_ns / 1e9' "$T/many.out" 2>/dev/null || tail -n 1 "$T/many.out" | jq -r '.stalled_ns / 1e9')
[ -n "$own" ] && at_least "$(value "$T/m.txt" '^loopstall_iteration_seconds_sum.*comm="loop-')" \
	"$(awk -v o="$own" 'BEGIN { print o * 0.9 }')" "time in iterations"

# --- privileges -----------------------------------------------------------------------------------
assert_eq 65534 "$(awk '/^Uid/ { print $2 }' "/proc/$exporter/status")" "user"
# bpf, perfmon, sys_ptrace, dac_read_search, syslog: and nothing that this test was run without
assert_eq 0 "$((0x$(awk '/^CapEff/ { print $2 }' "/proc/$exporter/status") & ~0xc400080004))" \
	"capabilities that should be gone"
assert_eq 1 "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$exporter/status")" "no new privileges"
# Its child, which opens the windows for the probes' cost, has CAP_SYS_ADMIN for one system call.
child=$(pgrep -P "$exporter" -x loopstall-stats) || fail "no child for the probes' cost" "$T/export.err"
assert_eq "65534 65534 65534 65534" "$(awk '/^Uid/ { print $2, $3, $4, $5 }' "/proc/$child/status")" \
	"users of the child"
assert_eq "65534 65534 65534 65534" "$(awk '/^Gid/ { print $2, $3, $4, $5 }' "/proc/$child/status")" \
	"groups of the child"
assert_eq "" "$(awk '/^Groups/ { print $2 }' "/proc/$child/status")" "other groups of the child"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	assert_eq 0 "$((0x$(awk -v s="$set:" '$1 == s { print $2 }' "/proc/$child/status") & ~(1 << 21)))" \
		"$set of the child, besides CAP_SYS_ADMIN"
done
assert_eq 1 "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$child/status")" "no new privileges of the child"
assert_eq 2 "$(awk '/^Seccomp:/ { print $2 }' "/proc/$child/status")" "system calls of the child filtered"
scrape "$T/m.txt"
at_least "$(value "$T/m.txt" '^loopstall_bpf_seconds_total')" 0.000001 "cost of the probes"
stop "$exporter"
assert_eq 0 "$rc" "exit status of export"

# --- processes that come and go --------------------------------------------------------------------
export_start --comm truth --comm hang --expire 2 --labels cgroup
at_least "$(scrape "$T/m.txt" && value "$T/m.txt" '^loopstall_loops ')" 0 "runs without a target"
start hang "$STALLERS/hang" read 300
hang=$pid
wait_for 30 has '^loopstall_ongoing_stall_seconds\{.*comm="hang".*\} [1-9]' ||
	fail "a loop that hangs does not show" "$T/now.txt" "$T/export.err"
has '^loopstall_loop_busy_ratio\{.*cgroup="[^"]*",container="[^"]*"\}' ||
	fail "no cgroup label" "$T/now.txt"
kill -KILL "$hang"
# shellcheck disable=SC2016 # evaluated each time
wait_for 30 eval '! has "pid=\"$hang\",.*kind"' || fail "series of a dead process stay" "$T/now.txt"
# Forked and renamed: found by its new name.
start truth "$STALLERS/truth" --iterations 10000 --seed 1 --dir "$T" --out /dev/null
truth=$pid
wait_for 30 has '^loopstall_iteration_seconds_count\{.*comm="truth"' ||
	fail "a new process is not found" "$T/now.txt" "$T/export.err"
stop "$truth" KILL
stop "$exporter"
assert_eq 0 "$rc" "exit status of export"

# --- all of the host, and what HTTP may do -----------------------------------------------------------
export_start --all --expire 2 --buckets 8 # a text that a slow reader is slow to read
start idle "$STALLERS/idle" 40 50
wait_for 30 has '^loopstall_loop_busy_ratio\{.*comm="idle-7"' ||
	fail "--all does not find a new process" "$T/now.txt" "$T/export.err"
! grep -q "pid=\"$exporter\"" "$T/now.txt" || fail "export traces itself"
base=${url%/metrics}
assert_eq ok "$(curl -sS -m 30 "$base/healthz")" "health"
assert_eq 404 "$(curl -sS -m 30 -o /dev/null -w '%{http_code}' "$base/nothing")" "an unknown path"
assert_eq 405 "$(curl -sS -m 30 -o /dev/null -w '%{http_code}' -d x "$base/metrics")" "a POST"
curl -sS -m 30 "$base/" | grep /metrics >/dev/null || fail "no index page"
"$PYTHON3" -B "$ROOT/tests/e2e/export/hostile.py" "$url" "$exporter" >"$T/hostile.out" 2>&1 ||
	fail "hostile clients" "$T/hostile.out" "$T/export.err"
cat "$T/hostile.out"
stop "$exporter"
assert_eq 0 "$rc" "exit status of export"

# --- unix socket, users, TLS --------------------------------------------------------------------------
start export "$ROOT/build/loopstall" export --all --listen "unix:$T/sock"
wait_for 30 grep -q 'metrics at' "$T/export.err" || fail "no unix socket" "$T/export.err"
curl -sS -m 30 --unix-socket "$T/sock" http://localhost/metrics | grep '^loopstall_loops' >/dev/null ||
	fail "nothing on the unix socket" "$T/export.err"
stop "$pid"
if command -v openssl >/dev/null; then
	openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout "$T/key.pem" \
		-out "$T/cert.pem" 2>/dev/null
	# shellcheck disable=SC2016 # a hash of "secret": bcrypt, cost 4
	printf 'tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  p: %s\n' \
		'$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW' >"$T/web.yml"
	export_start --all --web.config.file "$T/web.yml"
	code() {
		curl -sS -m 30 -k -o /dev/null -w '%{http_code}' "$@" "$url"
	}
	assert_eq 401 "$(code)" "without a password"
	tried() { # 503: passwords are looked at only so fast
		local got=503
		while [ "$got" = 503 ]; do
			got=$(code -u "p:$1")
		done
		echo "$got"
	}
	assert_eq 401 "$(tried wrong)" "with a wrong one"
	assert_eq 200 "$(tried secret)" "with the right one"
	assert_eq 200 "$(code --tls-max 1.2 -u p:secret)" "TLS 1.2"
	printf 'basic_auth_users: {p: x}\n' >"$T/bad.yml"
	"$ROOT/build/loopstall" export --all --web.config.file "$T/bad.yml" >"$T/u.out" 2>"$T/u.err" </dev/null
	assert_eq 1 $? "users in braces"
	assert_one_line "$T/u.err" 'bad.yml: .*basic_auth_users' "users in braces"
	stop "$exporter"
fi

# --- never root: the five capabilities of the systemd unit -----------------------------------------------
if command -v setpriv >/dev/null; then
	five='-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search,+syslog'
	# shellcheck disable=SC2016 # for the inner shell
	export_unprivileged='[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
		exec setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps "$1" \
		--ambient-caps "$1" --bounding-set "$1" "$2" export --all --listen 127.0.0.1:0'
	start export unshare -m sh -c "$export_unprivileged" sh "$five" "$ROOT/build/loopstall"
	exporter=$pid
	wait_for 30 grep -q 'metrics at' "$T/export.err" || fail "not with five capabilities" "$T/export.err"
	url=$(sed -n 's/.*metrics at //p' "$T/export.err")
	wait_for 30 has '^loopstall_loop_busy_ratio\{.*comm="idle-7"' ||
		fail "no loop is found with five capabilities" "$T/now.txt" "$T/export.err"
	stop "$exporter"
fi

# --- what cannot be done is said ----------------------------------------------------------------------
"$ROOT/build/loopstall" export >"$T/u.out" 2>"$T/u.err" </dev/null
assert_eq 2 $? "no target"
assert_one_line "$T/u.err" '--all' "no target"
"$ROOT/build/loopstall" export --all --listen 300.1.1.1:x >"$T/u.out" 2>"$T/u.err" </dev/null
assert_eq 2 $? "what is no address"
assert_one_line "$T/u.err" '127.0.0.1:9964' "what is no address"
export_start --comm nobody-is-called-so
"$ROOT/build/loopstall" export --all --listen "$(sed 's,.*//,,; s,/.*,,' <<<"$url")" >"$T/u.out" 2>"$T/u.err" </dev/null
assert_eq 1 $? "a port in use"
assert_one_line "$T/u.err" 'in use' "a port in use"
stop "$exporter" INT
assert_eq 0 "$rc" "exit status of export after Ctrl-C"
echo precious >"$T/file"
"$ROOT/build/loopstall" export --all --listen "unix:$T/file" >"$T/u.out" 2>"$T/u.err" </dev/null
assert_eq 1 $? "a file for a socket"
assert_one_line "$T/u.err" 'in use' "a file for a socket"
assert_eq precious "$(cat "$T/file")" "a file which is no socket"
say "ok"
