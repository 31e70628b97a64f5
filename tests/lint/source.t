#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How the source is written: format, headers that stand alone, length of functions and files.
cd "$(dirname "$0")/../.." || exit 1
echo 1..6
for tool in git clang-format ctags gcc; do
	command -v "$tool" >/dev/null || { echo "Bail out! $tool is not installed"; exit 1; }
done
files=$(git ls-files '*.c' '*.h')
[ -n "$files" ] || { echo "Bail out! this is no checkout of git"; exit 1; }
check() { # NUMBER NAME FINDINGS
	if [ -z "$3" ]; then echo "ok $1 - $2"; else echo "not ok $1 - $2"; echo "$3" | head -40 | sed 's/^/# /'; fi
}

check 1 "clang-format has nothing to change" \
	"$(git ls-files '*.c' '*.h' | xargs -P "$(nproc)" -n 40 clang-format --dry-run -Werror 2>&1 | grep error:)"

# shellcheck disable=SC2016
bad=$(git ls-files '*.h' | xargs -P "$(nproc)" -n 16 sh -c 'for header; do
		printf "#include \"%s\"\n" "$header" |
			gcc -x c -std=gnu11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only - 2>/dev/null ||
			echo "$header"
	done' sh)
check 2 "each header stands alone" "$bad"

# shellcheck disable=SC2086
check 3 "no function is longer than 80 lines" "$(ctags --languages=C --kinds-C=f --fields=+ne -f - $files |
	awk -F'\t' '{s=0;e=0;for(i=4;i<=NF;i++){if($i~/^line:/)s=substr($i,6);if($i~/^end:/)e=substr($i,5)}
		if(e-s+1>80)print $2": "$1" has "e-s+1" lines"}')"

# shellcheck disable=SC2086
check 4 "no file is longer than 900 lines" "$(wc -l $files | awk '$1>900 && $2!="total"{print $2": "$1" lines"}')"

bad=
for file in $(git ls-files '*.c' '*.h' '*.t' '*.sh' Makefile systemd conf .ci tests/run tests/packages); do
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || bad="$bad $file"
done
check 5 "each file names its licence" "$(echo "$bad" | tr ' ' '\n' | grep -vE '^$|/corpus/|\.5$|\.8$|\.1$')"

check 6 "nothing is left to be done, and no call that has a better one" "$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b|\b(strcpy|strcat|sprintf|gets|strtok|atoi|atol|sscanf|alloca|system|popen)\(' lib/*/*.[ch] daemon/*.[ch])"
