#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What make install puts there to run loopstall always: the systemd unit (valid, its documentation there,
# its exposure), the Kubernetes files, the manual.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need make systemd-analyze man "$PYTHON3"
"$PYTHON3" -c 'import yaml' 2>/dev/null || skip "no python3-yaml on this machine (make deps)"
[ -x "$ROOT/build/loopstall" ] || skip "build/loopstall is not built"

make -s -C "$ROOT" install DESTDIR='' PREFIX="$T/usr" >"$T/install.out" 2>&1 ||
	fail "make install" "$T/install.out"
deploy=$T/usr/share/loopstall/dashboards/deploy
for f in dashboards/deploy/{loopstall-export.service,daemonset.yaml,podmonitor.yaml,Dockerfile} \
	dashboards/grafana/loopstall.json dashboards/prometheus/{loopstall.rules,prometheus}.yml; do
	[ -s "$T/usr/share/loopstall/$f" ] || fail "make install leaves out $f"
done

# --- systemd ----------------------------------------------------------------------------------------
unit=$deploy/loopstall-export.service
MANPATH=$T/usr/share/man systemd-analyze verify "$unit" >"$T/verify.out" 2>&1 ||
	fail "systemd-analyze verify" "$T/verify.out"
[ ! -s "$T/verify.out" ] || fail "systemd-analyze verify has something to say" "$T/verify.out"
for file in $(sed -n 's/^Documentation=//p' "$unit" | tr ' ' '\n' | sed -n 's/^file://p'); do
	[ -s "$file" ] || fail "the unit's documentation is not there: $file"
done
systemd-analyze security --no-pager --offline=true --threshold=30 "$unit" >"$T/security.out" 2>&1 ||
	fail "systemd-analyze security: more than 3.0" "$T/security.out"
exposure=$(sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p' "$T/security.out")
grep -q "gives it $exposure " "$ROOT/docs/export.md" ||
	fail "docs/export.md tells another exposure than $exposure"
say "exposure $exposure"

# --- Kubernetes -------------------------------------------------------------------------------------
"$PYTHON3" -B "$ROOT/tests/e2e/export/manifests.py" "$deploy" >"$T/manifests.out" 2>&1 ||
	fail "the manifests" "$T/manifests.out"

# --- the manual -------------------------------------------------------------------------------------
for page in "$ROOT"/docs/*.[18]; do
	man --warnings -l "$page" 2>"$T/man.err" >"$T/man.out" || fail "man $page" "$T/man.err"
	[ ! -s "$T/man.err" ] || fail "man --warnings: ${page##*/}" "$T/man.err"
done
told() { # told OPTION PAGE
	grep -Eq -- "$(sed 's/\./\\./g; s/-/\\\\-/g' <<<"$1")(\\\\f|[ ,]|\$)" "$2"
}
for sub in '' record report diff export run doctor; do
	# shellcheck disable=SC2086 # none without a name
	"$ROOT/build/loopstall" $sub -h >"$T/usage"
	while read -r option; do
		told "$option" "$ROOT/docs/loopstall.8" || fail "loopstall(8) does not tell $option of '$sub'"
	done < <(grep -oE '^ +(-[A-Za-z]|--[a-z][a-z.-]*)' "$T/usage")
done
"$ROOT/build/offload-server" -h >"$T/usage"
while read -r option; do
	told "$option" "$ROOT/docs/offload-server.1" || fail "offload-server(1) does not tell $option"
done < <(grep -oE '^ +--[a-z-]*' "$T/usage")
say ok
