/* SPDX-License-Identifier: Apache-2.0 */
/*
 * long_running: the shapes of ARM's long-running operations (ARM RPC, async-api-reference): the
 * answer to a write, or to a poll, is turned into "done", "failed" or "ask there again then".
 */
#ifndef MDC_LONG_RUNNING_H
#define MDC_LONG_RUNNING_H

#include "lib/azure/arm_error.h"
#include "lib/base/http_message.h"
#include "lib/base/tick.h"

/* Signed operation URLs are about 3.5 KB; longer than this is refused. */
#define OPERATION_URL_MAX 16384

enum operation_shape {
	OPERATION_NONE,     /* the write was synchronous */
	OPERATION_STATUS,   /* Azure-AsyncOperation: a status document */
	OPERATION_LOCATION, /* Location: 202 until done */
	OPERATION_BODY,     /* provisioningState of the resource itself */
};

enum operation_progress {
	OPERATION_RUNNING,
	OPERATION_SUCCEEDED,
	OPERATION_FAILED,     /* *ret_error says why */
	OPERATION_UNREADABLE, /* the status could not be read: says nothing about the operation */
	OPERATION_EXPIRED,    /* 404 or 410 on the status URL: look at the resource instead */
};

struct operation_poll {
	enum operation_shape shape;
	char *url;        /* where to ask next; secret (signed); NULL for OPERATION_BODY */
	struct dur after; /* not before that */
};
void operation_poll_fini(struct operation_poll *p);

/*
 * After the answer to a PUT, PATCH, POST or DELETE with a 2xx status. URLs that are not on
 * `arm_origin` are ignored. A 202 without a usable URL gives OPERATION_RUNNING with shape BODY.
 */
enum operation_progress operation_started(const struct http_reply *reply, const char *method,
	const char *arm_origin, struct wall now, struct operation_poll *ret,
	struct arm_error *ret_error);
/* After the answer to a poll; `p` is brought up to date (new URL, new delay). */
enum operation_progress operation_polled(const struct http_reply *reply, const char *arm_origin,
	struct wall now, struct operation_poll *p, struct arm_error *ret_error);

#endif
