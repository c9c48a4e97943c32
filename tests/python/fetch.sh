#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# tests/python/fetch.sh VERSION...: unpack other Pythons from Debian's suites, without installing them:
# $CACHE/VERSION becomes a root directory to chroot into. Prints one line a version: VERSION ROOT.
# Exit status 1: one could not be had.
set -euo pipefail
cache=${LS_PYTHON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/loopstall-python}
mkdir -p "$cache"/apt/{lists/partial,archives/partial,empty}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# shellcheck disable=SC2016 # a format of apt's, not a variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed -n 's|/debian/*$||p' | sed -n 1p)

suite_of() {
	case $1 in
	3.9) echo bullseye ;;
	3.11) echo bookworm ;;
	3.13) echo trixie ;;
	3.14) echo forky ;;
	*) echo sid ;;
	esac
}

configure() { # configure SUITE: an apt of its own, which leaves the system's lists alone
	local dir=$cache/apt/$1
	mkdir -p "$dir"/{lists/partial,archives/partial}
	echo "deb [arch=amd64 signed-by=$keyring] $mirror/debian $1 main" >"$dir/sources.list"
	cat >"$dir/conf" <<-C
		Dir::Etc::sourcelist "$dir/sources.list"; Dir::Etc::sourceparts "$cache/apt/empty";
		Dir::State::lists "$dir/lists"; Dir::Cache "$dir"; Dir::State::status "/dev/null";
		APT::Default-Release ""; Acquire::Languages "none"; APT::Sandbox::User "root";
	C
	export APT_CONFIG=$dir/conf
	[ -n "$(find "$dir/lists" -name '*Packages*' -mtime -1 -print -quit)" ] || apt-get -qq update
}

unpack() { # unpack VERSION ROOT
	local work=$2.new packages
	packages="python$1 python$1-minimal libpython$1-minimal libpython$1-stdlib libc6 libgcc-s1 libexpat1 zlib1g"
	rm -rf "$work" && mkdir -p "$work"/{debs,root/usr/lib,root/usr/lib64,root/usr/bin,root/tmp}
	ln -s usr/lib usr/lib64 usr/bin "$work/root/"
	# shellcheck disable=SC2086 # a list of packages
	(cd "$work/debs" && apt-get -qq download $packages)
	for deb in "$work"/debs/*.deb; do
		dpkg -x "$deb" "$work/root"
	done
	chroot "$work/root" "/usr/bin/python$1" -c 'import asyncio'
	rm -rf "$2" && mv "$work/root" "$2" && rm -rf "$work"
}

for version in "$@"; do
	root=$cache/$version
	if [ ! -x "$root/usr/bin/python$version" ]; then
		(configure "$(suite_of "$version")" && unpack "$version" "$root") >&2 || exit 1
	fi
	echo "$version $root"
done
