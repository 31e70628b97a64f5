/* SPDX-License-Identifier: Apache-2.0 */
/* version: dotted numbers, such as 1.52.02927.1937 and 10.8560.25364.1036. */
#ifndef MDC_VERSION_H
#define MDC_VERSION_H

#include "lib/base/base.h"

/*
 * Number by number; one that ends early counts as followed by zeros ("1.46" is "1.46.0"). What is
 * no number ends a version. Negative, 0 or positive.
 */
int version_compare(const char *a, const char *b);
/* It begins with a number. */
bool version_is_one(const char *text);
/* The first numbers are those of `prefix`: "10.3720.16299.2010" is of "10.3720", "10.37201" not. */
bool version_is_of(const char *version, const char *prefix);

#endif
