#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The sweeps that `make check` runs as they are, with the sanitizers; and the store's threads.
. "${0%/*}/lib.sh"
check "the sweeps build with ASan and UBSan" quiet_make sanitized-sweeps
# shellcheck disable=SC2046
check "the sweeps pass with ASan and UBSan" env BUILD="$build/sanitized" tests/run -t 3600 \
	$(for sweep in $SWEEPS; do echo "$build/sanitized/${sweep#"$build"/}"; done)
check "the tests build with TSan" quiet_make threads
check "nothing races where threads are" env BUILD="$build/threads" tests/run -t 3600 \
	"$build"/threads/tests/daemon/test_store* "$build"/threads/tests/daemon/test_loop_ev
finish
