#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# valgrind sees what the sanitizers do not: bytes that nobody has set. Everything runs under it but
# the sweeps and the scenarios, of which one goes the whole way.
. "${0%/*}/lib.sh"
suppressions=$PWD/tests/full/valgrind.supp
chosen=$(test_programs "$build" | grep -E "^$build/tests/(unit|daemon|estate|fuzz|scenario/test_migration)" |
	while read -r program; do
		case " $SWEEPS " in *" $program "*) ;; *) echo "$program" ;; esac
	done)
for program in $chosen; do
	mkdir -p "$work/$(dirname "${program#"$build"/}")"
	wrapper=$work/${program#"$build"/}
	cat >"$wrapper" <<-END
		#!/bin/sh
		exec valgrind -q --error-exitcode=99 --leak-check=no --child-silent-after-fork=yes \\
			--suppressions='$suppressions' $PWD/${program#"$PWD"/}
	END
	chmod +x "$wrapper"
done
# shellcheck disable=SC2046
check "nothing reads what was not set" env BUILD="$work" tests/run -t 3600 $(test_programs "$work")
finish
