#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang finds nothing to warn of, and what it makes passes.
. "${0%/*}/lib.sh"
check "clang builds everything without a warning" quiet_make clang
# shellcheck disable=SC2046
check "what clang has built passes" env BUILD="$build/clang" tests/run $(test_programs "$build/clang")
finish
