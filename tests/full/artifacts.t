#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same source gives the same programs wherever it lies, and uninstall leaves nothing.
. "${0%/*}/lib.sh"
git ls-files -z | xargs -0 cp --parents -t "$work/" 2>/dev/null
check "another copy builds" "${MAKE:-make}" -s --no-print-directory -j "$(nproc)" -C "$work" BUILD=elsewhere programs
for program in mdcd mdcctl azsim; do
	check "$program has the same bits there" cmp "$build/$program" "$work/elsewhere/$program"
done
for prefix in /usr /usr/local /opt/mdcd; do
	root=$work/root$prefix
	check "it installs under $prefix" quiet_make DESTDIR="$root" PREFIX="$prefix" install-files
	check "mdcctl runs from $prefix" "$root$prefix/bin/mdcctl" --version
	check "it uninstalls from $prefix" quiet_make DESTDIR="$root" PREFIX="$prefix" uninstall
	find "$root" ! -type d >"$work/left"
	empty "nothing is left under $prefix" "$work/left"
done
finish
