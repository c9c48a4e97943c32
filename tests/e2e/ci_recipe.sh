#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The CI recipe of docs/ci, as it is printed, on the reference server: the fix passes, the bug fails.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
need_loopstall
need curl
gate=$ROOT/docs/ci/loopstall-gate.sh

port=$("$PYTHON3" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
cat >"$T/load.sh" <<END
#!/bin/bash
until curl -sf $url/healthz >/dev/null; do sleep 0.05; done
curl -s --rate 500/s -o /dev/null '$url/fast?[1-99999]' &
while sleep 0.05; do
	curl -sf -o /dev/null '$url/sleep?ms=30' -o /dev/null '$url/external?ms=30'
done
END
chmod +x "$T/load.sh"

serve() { # serve MODE: the command that starts the server so
	echo "offload-server --listen 127.0.0.1:$port --data-dir $T --mode $1"
}

# through BEFORE AFTER ARG...: the recipe from one mode to the other; $rc is its exit status
through() {
	local before=$1 after=$2
	shift 2
	start gate "$gate" -b "$(serve "$before")" -a "$(serve "$after")" -l "$T/load.sh" \
		-n 1 -d 5 -o "$T/stalls" "$@"
	finish "$pid" 40
}

through inline offload
assert_eq 0 "$rc" "the fix: exit status ($(cat "$T/gate.out" "$T/gate.err"))"
grep -q '^passed' "$T/gate.out" || fail "the fix does not pass" "$T/gate.out"
grep -q 'handle\\_sleep' "$T/stalls/stalls.md" || fail "no site in the markdown" "$T/stalls/stalls.md"
grep -q 'failures="0" errors="0"' "$T/stalls/stalls.xml" || fail "junit" "$T/stalls/stalls.xml"

through offload inline -- --fail-on 'p99>+10%' --fail-on 'new-site>50ms'
assert_eq 1 "$rc" "the bug: exit status ($(cat "$T/gate.out" "$T/gate.err"))"
grep -q 'failures="2" errors="0"' "$T/stalls/stalls.xml" || fail "junit" "$T/stalls/stalls.xml"
grep -q '^### Event-loop stalls: failed' "$T/stalls/stalls.md" || fail "markdown" "$T/stalls/stalls.md"

through inline false -d 1
assert_eq 4 "$rc" "a service that does not start"
curl -s "$url/healthz" && fail "a server is left behind"

# The workflow's steps are shell that parses, and call the script as it is.
"$PYTHON3" -c 'import yaml' 2>/dev/null || {
	say "the workflow is not checked: no python3-yaml"
	exit 0
}
"$PYTHON3" - "$ROOT/docs/ci/github-actions.yml" >"$T/steps" <<'END' || fail "the workflow is no YAML"
import sys, yaml
job = yaml.safe_load(open(sys.argv[1]))["jobs"]["stalls"]
print("\n".join(s["run"] for s in job["steps"] if "run" in s))
END
bash -n "$T/steps" || fail "the workflow's steps do not parse" "$T/steps"
grep -q '^loopstall/docs/ci/loopstall-gate.sh' "$T/steps" || fail "the workflow lacks the script"
