/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_world: network and mount namespaces for one test program, where it may give files of the
 * system another content and where nothing answers but what it starts itself. Works for root and,
 * where the kernel allows it, for everybody.
 */
#ifndef MDC_OWN_WORLD_H
#define MDC_OWN_WORLD_H

#include "lib/base/base.h"

/* Before the first thread. False (with errno) where it is not possible: skip the tests. */
bool own_world_enter(void) MDC_MUST_CHECK;
/* From now on `target`, which exists, has that content. */
bool own_world_replace_file(const char *target, const char *text) MDC_MUST_CHECK;
/* From now on the folder `target` is empty and writable. */
bool own_world_empty_folder(const char *target) MDC_MUST_CHECK;

#endif
