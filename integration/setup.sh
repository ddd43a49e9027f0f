#!/bin/sh
# Makes sure that what the tests need besides Go is there: a C compiler for the
# race detector, redis-server, and curl for the README's session. What is
# missing is installed from Debian's packages where that is allowed; otherwise
# this says what to install, and fails.
set -eu

command -v go >/dev/null || {
	echo "Go is not on the PATH: install the version that go.mod names, or a newer one." >&2
	exit 1
}

missing=
need() { # program, packages
	command -v "$1" >/dev/null || missing="$missing $2"
}
need "$(go env CC)" "gcc libc6-dev"
need redis-server redis-server
need curl curl
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	why="this system has no apt-get"
elif [ "$(id -u)" = 0 ]; then
	why= sudo=
elif sudo -n true 2>/dev/null; then
	why= sudo=sudo
else
	why="that takes root, or sudo without a password"
fi
if [ -n "$why" ]; then
	echo "The tests need what is not installed, and $why." >&2
	echo "Install these packages (Debian's names), then try again:$missing" >&2
	exit 1
fi

echo "Installing for the tests:$missing" >&2
$sudo apt-get update -qq >&2
# The words of $missing are meant to be split.
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >&2
