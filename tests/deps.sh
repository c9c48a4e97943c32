#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/deps.sh [build]: install the Debian packages that the build and the tests (with `build`: the build and the
# demo) need and that are missing.
set -eu

build="gcc make pkg-config clang llvm bpftool libbpf-dev libelf-dev libdw-dev libiberty-dev zlib1g-dev
libzstd-dev libjansson-dev libmicrohttpd-dev libevent-dev libsqlite3-dev curl"
tests="libcmocka-dev python3 prometheus redis-server redis-tools procps psmisc jq time
python3-fastapi python3-uvicorn python3-uvloop python3-requests python3-sqlalchemy python3-aiohttp
python3-tornado python3-gunicorn python3-yaml valgrind openssl systemd man-db zstd xz-utils"
readers="chromium protobuf-compiler libxml2-utils"
bench="hey wrk linux-perf strace libbpf-tools"
lint="clang-format clang-tidy cppcheck shellcheck"
fuzz="libclang-rt-dev"
wanted="$build $tests $readers $bench $lint $fuzz"
[ "${1:-}" != build ] || wanted=$build

if ! command -v dpkg-query >/dev/null; then
	# shellcheck disable=SC2086 # on one line
	echo "deps: not Debian; needed, by Debian's names:" $wanted >&2
	exit 1
fi
missing=
for p in $wanted; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
# Node may have come from elsewhere, with its own npm: Debian's would replace it.
if [ "${1:-}" != build ]; then
	command -v node >/dev/null || missing="$missing nodejs"
	command -v npm >/dev/null || missing="$missing npm"
fi
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "deps: to be installed, by root with apt-get:$missing" >&2
	exit 1
fi

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
