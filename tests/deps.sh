#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/deps.sh [build]: install the Debian packages that the build and the tests need and that are missing;
# with "build" those of the build alone.
set -eu

build="gcc make pkg-config clang llvm bpftool libbpf-dev libelf-dev libdw-dev libiberty-dev zlib1g-dev
libzstd-dev libjansson-dev libmicrohttpd-dev libevent-dev libsqlite3-dev libcmocka-dev"
tests="python3 curl prometheus redis-server redis-tools procps psmisc jq time
python3-fastapi python3-uvicorn python3-uvloop python3-requests python3-sqlalchemy python3-aiohttp
python3-tornado python3-gunicorn python3-yaml valgrind openssl systemd man-db"
readers="chromium protobuf-compiler libxml2-utils"
bench="hey wrk linux-perf strace libbpf-tools"
lint="clang-format clang-tidy cppcheck shellcheck"

all="$build $tests $readers $bench $lint node"
[ "${1:-}" != build ] || all=$build

missing=
for p in $all; do
	# Node may have come from elsewhere, with its own npm: Debian's would replace it.
	if [ "$p" = node ]; then
		command -v node >/dev/null || missing="$missing nodejs"
		command -v npm >/dev/null || missing="$missing npm"
		continue
	fi
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing" >&2
# A package's own service must not start here: the tests start their own servers.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
	trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086 # a list of packages
apt-get -qq install -y --no-install-recommends $missing >/dev/null
