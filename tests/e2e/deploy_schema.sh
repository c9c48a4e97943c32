#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The Kubernetes manifest against Kubernetes' own API: kubernetes-types from npm, made of its OpenAPI
# schema, with which the TypeScript compiler checks it, unknown fields included. Installed once, into build/.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need npm node "$PYTHON3"
"$PYTHON3" -c 'import yaml' 2>/dev/null || skip "no python3-yaml on this machine (make deps)"
modules=$ROOT/build/kubernetes-types
if [ ! -x "$modules/node_modules/.bin/tsc" ]; then
	mkdir -p "$modules"
	npm install --prefix "$modules" --no-audit --no-fund --ignore-scripts kubernetes-types@1.30.0 \
		typescript@5.9 >"$T/npm.out" 2>&1 ||
		skip "npm cannot install kubernetes-types here: $(tail -n 1 "$T/npm.out")"
fi

cat >"$T/write.py" <<'P'
import json, sys, yaml
print('import type { Namespace } from "kubernetes-types/core/v1";')
print('import type { DaemonSet } from "kubernetes-types/apps/v1";')
mistakes = [lambda s: s] if sys.argv[2] == "right" else [
    lambda s: s.replace('"hostPID"', '"hostPid"'),  # misspelt
    lambda s: s.replace('"readinessProbe"', '"replicas": 1, "readinessProbe"'),  # in the wrong place
    lambda s: s.replace('"timeoutSeconds": 5', '"timeoutSeconds": "5"'),  # of the wrong type
]
for number, mistake in enumerate(mistakes):
    for item in yaml.safe_load_all(open(sys.argv[1])):
        print(f"export const {item['kind'].lower()}{number}: {item['kind']} = {mistake(json.dumps(item))};")
P
errors() { # errors right|wrong: how many the compiler finds in it
	"$PYTHON3" "$T/write.py" "$ROOT/dashboards/deploy/daemonset.yaml" "$1" >"$modules/manifest.ts" ||
		fail "the manifest is no YAML"
	(cd "$modules" && node_modules/.bin/tsc --strict --noEmit --target es2020 --moduleResolution bundler \
		--module esnext manifest.ts) >"$T/tsc.out" 2>&1
	grep -c 'error TS' "$T/tsc.out"
}
assert_eq 0 "$(errors right)" "departures from Kubernetes' schema ($(cat "$T/tsc.out"))"
assert_eq 3 "$(errors wrong)" "mistakes found, of three that were made"
say "ok"
