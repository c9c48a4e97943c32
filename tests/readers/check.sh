#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# make check-readers: every format of `report` in the program that people open it with.
#   speedscope (npm) in headless Chromium imports its own format, folded stacks, pprof and the Chrome trace
#   protoc decodes pprof by its field numbers; go tool pprof too, where there is one
#   Chromium runs the page and the SVG, and says whether a script failed; screenshots stay in build/readers
set -eu
cd "$(dirname "$0")/../.."
here=$PWD/tests/readers out=$PWD/build/readers loopstall=$PWD/build/loopstall
speedscope=speedscope@1.25.0
mkdir -p "$out"

for p in chromium protoc npm jq; do
	command -v $p >/dev/null || { echo "$p is missing: apt-get install chromium protobuf-compiler npm jq"; exit 77; }
done
[ -d "$out/node_modules/speedscope" ] ||
	npm install --prefix "$out" --no-audit --no-fund --silent "$speedscope"

browser() { # browser URL ARG...: without a network
	local url=$1
	shift
	timeout 60 chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
		--user-data-dir="$out/chromium" --host-resolver-rules='MAP * ~NOTFOUND' \
		--allow-file-access-from-files --virtual-time-budget=4000 --enable-logging=stderr \
		"$@" "$url" 2>"$out/log"
}

console_is_clean() { # console_is_clean WHAT
	if grep -q 'CONSOLE.*\(Uncaught\|Error\|error\)' "$out/log"; then
		grep CONSOLE "$out/log"
		echo "FAIL: $1: its script failed"
		exit 1
	fi
}

imports() { # imports FILE TEXT: speedscope opens the file and shows the text
	local js=$out/profile.js
	printf 'speedscope.loadFileFromBase64("%s", "%s")' "$(basename "$1")" "$(base64 -w0 "$1")" >"$js"
	browser "file://$out/node_modules/speedscope/dist/release/index.html#localProfilePath=$js" \
		--dump-dom >"$out/dom"
	grep -q "$2" "$out/dom" || { echo "FAIL: speedscope does not open $1"; exit 1; }
	browser "file://$out/node_modules/speedscope/dist/release/index.html#localProfilePath=$js" \
		--window-size=1200,600 --screenshot="$out/speedscope-$(basename "$1").png" >/dev/null
	echo "speedscope opens $(basename "$1")"
}

build/tests/make_trace "$out/a.lst"
for f in json folded flamegraph speedscope pprof perfetto html; do
	"$loopstall" report "$out/a.lst" --format $f -o "$out/a.$f"
done
cp "$out/a.flamegraph" "$out/a.svg"
cp "$out/a.speedscope" "$out/a.speedscope.json"
cp "$out/a.perfetto" "$out/a.trace.json"
cp "$out/a.pprof" "$out/a.pb.gz"

all=$(jq -s 'map(select(.type == "stall").wall_ns) | add' "$out/a.json")

[ "$(awk '{ n += $NF } END { print n }' "$out/a.folded")" = "$all" ]
if grep -vE '^[^;]+(;[^;]+)+ [0-9]+$' "$out/a.folded"; then exit 1; fi
echo "folded: $(wc -l <"$out/a.folded") lines, $all ns"
"$here/pprof.py" "$out/a.pb.gz" "$here/profile.proto" >"$out/pprof.txt"
[ "$(tail -1 "$out/pprof.txt")" = "$all" ] || { echo "FAIL: pprof sums up to $(tail -1 "$out/pprof.txt")"; exit 1; }
head -1 "$out/pprof.txt"
"$here/chrome_trace.py" "$out/a.trace.json"
if command -v go >/dev/null; then
	go tool pprof -top "$out/a.pb.gz" | grep recv >/dev/null
	echo "go tool pprof opens a.pb.gz"
fi
xmllint --noout "$out/a.svg" 2>/dev/null || /usr/bin/python3 -c "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])" "$out/a.svg"

imports "$out/a.speedscope.json" 'uvicorn (asyncio)'
imports "$out/a.folded" 'a.folded'
imports "$out/a.pb.gz" 'a.pb.gz'
imports "$out/a.trace.json" 'asyncio loop'

browser "file://$out/a.html" --dump-dom >"$out/dom"
console_is_clean a.html
for text in 'external' 'recvfrom tcp 127.0.0.1:9009' '182 ms' 'class="dot network"' 'threshold 10.0 ms'; do
	grep -q "$text" "$out/dom" || { echo "FAIL: the page lacks $text"; exit 1; }
done
browser "file://$out/a.html" --window-size=1280,1900 --screenshot="$out/html.png" >/dev/null
echo "html: drawn, script ran"

# Zoom into the GIL's box and search, as a user would.
sed 's|</svg>$|<script>var s=document.querySelector("svg");s.search("recv");s.zoom(document.querySelectorAll(".f")[3]);document.title=String(document.querySelectorAll(".found").length)+" found, "+document.querySelectorAll(".f[style*=none]").length+" hidden"</script></svg>|' \
	"$out/a.svg" >"$out/zoomed.svg"
browser "file://$out/zoomed.svg" --dump-dom >"$out/dom"
console_is_clean a.svg
grep -q 'of the stalled time' "$out/dom"
browser "file://$out/zoomed.svg" --window-size=1200,400 --screenshot="$out/svg.png" >/dev/null
echo "flamegraph: drawn, zoomed and searched; screenshots are in build/readers"
