#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libFuzzer looks for FUZZ_SECONDS (60) at each parser of text from outside. What it found new stays
# under $BUILD/fuzzed/corpus and is where the next run begins.
. "${0%/*}/lib.sh"
seconds=${FUZZ_SECONDS:-60}
check "the fuzzers build" quiet_make fuzzed
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	found=$build/fuzzed/corpus/${name#fuzz_}
	mkdir -p "$found"
	check "$name finds nothing in $seconds s" "$build/fuzzed/fuzzers/$name" -max_total_time="$seconds" \
		-timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
		-artifact_prefix="$build/fuzzed/$name-" "$found" "tests/fuzz/corpus/${name#fuzz_}"
done
finish
