/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure_groups: failures with one cause are one trouble, be it of a hundred thousand machines.
 * Grouped by control, class, code and scope, they are counted, and it says when a group is worth a
 * line: the first failure and the second (it is no single case, then), after that by its count,
 * less and less often, and once when it is over.
 *
 * A group is over when nothing of its kind has failed for longer than its slowest retry takes; or
 * sooner, when a write of the same control in the same scope has got through since.
 */
#ifndef MDC_FAILURE_GROUPS_H
#define MDC_FAILURE_GROUPS_H

#include "lib/azure/arm_error.h"
#include "lib/base/tick.h"
#include "lib/model/item.h"

/* Codes come from outside: beyond this the group that was quiet for longest is forgotten. */
#define FAILURE_GROUPS_MAX 200

struct failure {
	enum control_id control;
	enum arm_error_class class;
	const char *code;
	const char *scope;
	const char *resource_id, *message;
};

struct failure_group {
	enum control_id control;
	enum arm_error_class class;
	const char *code;
	const char *scope;
	uint64_t count;
	struct wall began, last;
	const char *resource_id, *message; /* of the last one */
};

struct failure_groups;

struct failure_groups *failure_groups_new(void);
struct failure_groups *failure_groups_free(struct failure_groups *g);

enum failure_news {
	FAILURE_FIRST,   /* tell it with all that is known about it */
	FAILURE_SECOND,  /* tell that there is a group */
	FAILURE_COUNTED, /* nothing to tell now */
	FAILURE_MORE,    /* more of them since the group was last told */
	FAILURE_OVER,
};
/* Counts it. The group is borrowed until the next call. */
enum failure_news failure_groups_add(struct failure_groups *g, const struct failure *f,
	struct wall now, const struct failure_group **ret);
/* A write of that control in that scope got through. */
void failure_groups_passed(
	struct failure_groups *g, enum control_id control, const char *scope, struct wall now);

/* When to ask next; WALL_NEVER when there is nothing. */
struct wall failure_groups_due(const struct failure_groups *g);
/* The next group to tell of (MORE or OVER), borrowed until the next call; false when none is due.
 */
bool failure_groups_next(struct failure_groups *g, struct wall now, enum failure_news *ret_news,
	const struct failure_group **ret);
/* All of them, in the order in which they began. */
size_t failure_groups_count(const struct failure_groups *g);
const struct failure_group *failure_groups_at(const struct failure_groups *g, size_t n);

#endif
