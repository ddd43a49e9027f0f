#!/bin/sh
# Makes sure that what the tests need besides Go is there: a C compiler for the
# race detector, curl for the README's session, and the servers that tests
# start: redis-server, rabbitmq-server, and Java with the jars of Kafka and
# RocketMQ. Programs are installed from Debian's packages where that is allowed
# (no service is started); otherwise this says what to install, and fails. Jars
# come through Maven, as servers/pom-*.xml pin them, into OMCONNECT_JARS, by
# default omconnect/jars in the user's cache folder. Where everything is there
# already, this takes no time and asks nobody.
set -eu
cd "$(dirname "$0")"

command -v go >/dev/null || {
	echo "Go is not on the PATH: install the version that go.mod names, or a newer one." >&2
	exit 1
}

# bounded ends a command that hangs, such as on a network.
bounded() { # seconds, command
	if command -v timeout >/dev/null; then
		timeout "$@"
	else
		shift
		"$@"
	fi
}

cache=${OMCONNECT_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/omconnect/jars}
parts="kafka rocketmq"

# jars prints the folder for the jars of one part, named by its pinned version.
jars() { # part
	version=$(sed -n 's:^  <version>\(.*\)</version>:\1:p' "servers/pom-$1.xml")
	echo "$cache/$1-$version"
}

# The pom lies beside the jars once all of them are there.
complete() { # part
	cmp -s "servers/pom-$1.xml" "$(jars "$1")/pom.xml"
}

missing=
need() { # program, packages
	command -v "$1" >/dev/null || missing="$missing $2"
}
need "$(go env CC)" "gcc libc6-dev"
need curl curl
need redis-server redis-server
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || need rabbitmq-server rabbitmq-server
[ -x "${JAVA_HOME:-}/bin/java" ] || need java default-jre-headless
for part in $parts; do
	complete "$part" || {
		need mvn maven
		break
	}
done

install() {
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
	# A package that brings a service asks this program whether to start it.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap '$sudo rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
		$sudo chmod 755 "$policy"
	fi
	bounded 300 $sudo apt-get update -qq >&2
	# The words of $missing are meant to be split.
	bounded 900 $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >&2
}
[ -z "$missing" ] || install

# fetch puts the jars of one part into its folder, all of them or none.
fetch() { # part
	target=$(jars "$1")
	echo "Fetching the jars of $1 into $target" >&2
	rm -rf "$target.$$"
	mkdir -p "$target.$$"
	if ! bounded 900 mvn -B -q -Dstyle.color=never -f "servers/pom-$1.xml" dependency:copy-dependencies \
		-DincludeScope=runtime "-DoutputDirectory=$target.$$" >&2; then
		rm -rf "$target.$$"
		echo "Maven could not fetch the jars of $1, see above. Without a way to its registry, copy" >&2
		echo "the folder $target from a machine that has it, then try again." >&2
		exit 1
	fi
	cp "servers/pom-$1.xml" "$target.$$/pom.xml"
	rm -rf "$target"
	mv "$target.$$" "$target"
}
for part in $parts; do
	complete "$part" || fetch "$part"
done
