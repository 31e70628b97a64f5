/* SPDX-License-Identifier: Apache-2.0 */
/* azsim_lines: a file of JSON objects, one a line, that is appended to. */
#ifndef MDC_TEST_AZSIM_LINES_H
#define MDC_TEST_AZSIM_LINES_H

#include "lib/base/base.h"

#include <jansson.h>

struct azsim_lines;

/* Says on stderr what is wrong. `name` NULL: none, and *ret is NULL. */
int azsim_lines_open(const char *name, struct azsim_lines **ret) MDC_MUST_CHECK;
struct azsim_lines *azsim_lines_close(struct azsim_lines *lines);

/* Takes the object. */
void azsim_lines_add(struct azsim_lines *lines, json_t *take_object);
/* Called once per turn of the loop, so that a busy second costs few writes. NULL is fine. */
void azsim_lines_flush(struct azsim_lines *lines);

#endif
