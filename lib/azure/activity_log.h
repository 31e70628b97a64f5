/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activity_log: what Azure's activity log says of a write: how one of ours ended, and who else
 * wrote to a resource. An event appears minutes after it happened; that there is none says nothing
 * before.
 */
#ifndef MDC_ACTIVITY_LOG_H
#define MDC_ACTIVITY_LOG_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

#include <jansson.h>

/* Azure Monitor, "Activity log": 3 to 20 minutes. */
#define ACTIVITY_LAG DUR_MIN(25)

enum activity_outcome {
	ACTIVITY_UNREADABLE, /* no list of events */
	ACTIVITY_NONE,       /* a whole list without any */
	ACTIVITY_OPEN,       /* it arrived; how it ended is not said */
	ACTIVITY_SUCCEEDED,
	ACTIVITY_FAILED,
};
/* From the events of one correlation id. Policies that looked on are not the write. */
enum activity_outcome activity_outcome(const json_t *log);

struct activity_writer {
	const char *caller; /* borrowed from the log: a user's name or an id */
	const char *object; /* object id of an application or user, or NULL */
	const char *operation;
	struct wall at;
};
/*
 * From the events of one resource: who wrote to it last and is not the application `own_client`;
 * false when nobody is named.
 */
bool activity_last_writer(
	const json_t *log, const char *own_client, struct activity_writer *ret) MDC_MUST_CHECK;

/* What that caller is known to be, or NULL. */
const char *activity_caller_name(const char *caller);

#endif
