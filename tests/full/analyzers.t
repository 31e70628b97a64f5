#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What reads the source without running it. Findings are fixed, or stand with their reason in
# tests/full/cppcheck.supp or beside the line.
. "${0%/*}/lib.sh"
cppcheck -q -j "$(nproc)" --std=c11 --enable=warning,portability --inline-suppr \
	--library=tests/lint/cppcheck.cfg --suppressions-list=tests/full/cppcheck.supp \
	-I. -D_GNU_SOURCE --template='{file}:{line}: {id}: {message}' lib daemon conf >"$work/cppcheck" 2>&1
empty "cppcheck finds nothing" "$work/cppcheck"
# shellcheck disable=SC2016
git ls-files 'lib/*.c' 'daemon/*.c' | xargs -P "$(nproc)" -n 8 sh -c 'clang-tidy --quiet \
	--checks="-*,bugprone-infinite-loop,bugprone-misplaced-operator-in-strlen-in-alloc,bugprone-misplaced-pointer-arithmetic-in-alloc,bugprone-signal-handler,bugprone-string-*,bugprone-suspicious-*,bugprone-terminating-continue,bugprone-too-small-loop-variable,cert-fio38-c,cert-pos44-c,misc-redundant-expression" \
	"$@" -- -std=gnu11 -I. -D_GNU_SOURCE "-DMDC_VERSION=\"\"" || echo "error: clang-tidy failed on $*"' \
	sh 2>"$work/tidy.err" | grep -E 'warning:|error:' >"$work/tidy"
empty "clang-tidy finds nothing" "$work/tidy"
# Tests share variables with their lib.sh, which is found at run time; some words are split, or are
# those of the shell, on purpose.
git ls-files '*.sh' '*.t' .ci/run tests/packages tests/demo/demo | while read -r file; do
	head -n 2 "$file" | grep -qE '^#!/bin/sh|shellcheck shell=' && echo "$file"
done | xargs shellcheck -S warning -e SC1010,SC1091,SC2034,SC2046,SC2154 >"$work/shellcheck" 2>&1
empty "shellcheck warns of nothing" "$work/shellcheck"
finish
