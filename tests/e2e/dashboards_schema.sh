#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The dashboard's JSON against Grafana's published schema: @grafana/schema from npm, whose types the
# TypeScript compiler checks it with. Installed once, into build/.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need npm node
modules=$ROOT/build/grafana-schema
if [ ! -x "$modules/node_modules/.bin/tsc" ]; then
	mkdir -p "$modules"
	npm install --prefix "$modules" --no-audit --no-fund --ignore-scripts --omit=peer \
		@grafana/schema@10.4.19 typescript@5.9 >"$T/npm.out" 2>&1 ||
		skip "npm cannot install @grafana/schema here: $(tail -n 1 "$T/npm.out")"
fi

cp "$ROOT/tests/e2e/export/schema.ts" "$modules/schema.ts"
{
	printf 'import type { Known } from "./schema";\nexport const dashboard: Known = '
	cat "$ROOT/dashboards/grafana/loopstall.json"
} >"$modules/dashboard.ts"
check() {
	(cd "$modules" && node_modules/.bin/tsc --strict --noEmit --skipLibCheck --target es2020 \
		--moduleResolution bundler --module esnext dashboard.ts) >"$T/tsc.out" 2>&1
}
check || fail "the dashboard does not follow Grafana's schema" "$T/tsc.out"
# It does find what is wrong.
sed -i 's/"displayMode": "table"/"displayMode": "tabel"/' "$modules/dashboard.ts"
! check || fail "a wrong option passes for a right one"
say "ok"
