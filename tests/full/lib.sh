# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# What the long checks share. A check begins with `. "${0%/*}/lib.sh"`, which stands at the top of
# the tree then, and ends with `finish`.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
tests=0
work=$(mktemp -d "${TMPDIR:-/tmp}/mdcd-full.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

quiet_make() { ${MAKE:-make} --no-print-directory -s BUILD="$build" "$@"; }

# check NAME COMMAND...: passes when the command succeeds; what it printed is shown when not.
check() {
	name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$work/out" 2>&1; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		tail -n 200 "$work/out" | sed 's/^/# /'
	fi
}
# empty NAME FILE: passes when the file holds nothing.
empty() { check "$1" sh -c 'cat "$1"; ! [ -s "$1" ]' sh "$2"; }
finish() {
	echo "1..$tests"
	exit 0
}

# All programs of tests of that build, by names from the list of the makefile.
test_programs() { find "$1/tests" -type f -perm -100 \( -name 'test_*' -o -name 'fuzz_*' \) | sort; }
