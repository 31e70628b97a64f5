#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manual and the example of the configuration say what the table of options says, and every
# manual is written as mandoc wants it.
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
echo 1..3
check() {
	if [ -z "$3" ]; then echo "ok $1 - $2"; else echo "not ok $1 - $2"; echo "$3" | head -40 | sed 's/^/# /'; fi
}
${MAKE:-make} -s --no-print-directory BUILD="$build" "$build/config_doc" >/dev/null ||
	{ echo "Bail out! config_doc cannot be built"; exit 1; }
command -v mandoc >/dev/null || { echo "Bail out! mandoc is not installed"; exit 1; }
check 1 "the example is what the table says; make conf writes it" \
	"$("$build/config_doc" --example | diff -u conf/mdcd.conf - 2>&1)"
check 2 "the manual is what the table says; make conf writes it" \
	"$("$build/config_doc" --manual conf/mdcd.conf.5.in | diff -u conf/mdcd.conf.5 - 2>&1)"
check 3 "mandoc warns of no manual" "$(mandoc -T lint -W warning conf/*.[158] 2>&1)"
