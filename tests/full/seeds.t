#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each sweep and property in full, with many more seeds (MDC_SEEDS, 200). A failure prints its seed.
. "${0%/*}/lib.sh"
check "scenarios hold for MDC_SEEDS seeds and at every moment" \
	env MDC_FULL=1 MDC_SEEDS="${MDC_SEEDS:-200}" BUILD="$build" tests/run -t 7200 \
	"$build"/tests/scenario/test_*
finish
