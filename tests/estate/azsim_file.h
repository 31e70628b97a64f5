/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim_file: whole files. What is written replaces the old file at once, never half; what goes
 * wrong is said on stderr, except that a file which is not there is only -ENOENT.
 */
#ifndef MDC_TEST_AZSIM_FILE_H
#define MDC_TEST_AZSIM_FILE_H

#include "lib/base/base.h"

#include <sys/types.h>

/* The caller frees *ret, a string. -EFBIG above `max` bytes. */
int azsim_file_read(const char *name, size_t max, char **ret) MDC_MUST_CHECK;
int azsim_file_write(const char *name, const char *data, size_t len, mode_t mode) MDC_MUST_CHECK;

#endif
