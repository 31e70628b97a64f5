/* SPDX-License-Identifier: Apache-2.0 */
/* fake_children: programs that only seem to run: what was asked for is remembered, and the test
 * says how it ends. One at a time. */
#ifndef MDC_TEST_FAKE_CHILDREN_H
#define MDC_TEST_FAKE_CHILDREN_H

#include "daemon/world.h"

struct child_processes *fake_children_new(void);
struct child_processes *fake_children_free(struct child_processes *c);
/* From now on nothing can be started, for that reason (-errno); 0: it can. */
void fake_children_refuse(struct child_processes *c, int error);
/* The last command, its words divided by blanks; "" before the first. */
const char *fake_children_command(const struct child_processes *c);
unsigned fake_children_started(const struct child_processes *c);
bool fake_children_runs(const struct child_processes *c);
bool fake_children_was_cancelled(const struct child_processes *c);
/* As child_processes.done() is told. */
void fake_children_end(struct child_processes *c, int exit_status, const char *output);

#endif
