/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim_log: one JSON object a line for each request. Of a query only the members that hold no
 * secret keep their values (api-version, $filter, …): operation URLs and page tokens are signed.
 */
#ifndef MDC_TEST_AZSIM_LOG_H
#define MDC_TEST_AZSIM_LOG_H

#include "lib/base/http_message.h"
#include "lib/base/tick.h"
#include "tests/estate/estate.h"

struct azsim_log;

/* Appends to the file. Says on stderr what is wrong. `name` NULL: a log that keeps nothing. */
int azsim_log_open(const char *name, struct azsim_log **ret) MDC_MUST_CHECK;
struct azsim_log *azsim_log_close(struct azsim_log *log);

void azsim_log_add(struct azsim_log *log, struct wall now, const struct http_request *request,
	const struct estate_answer *answer);
/* Called once per turn of the loop, so that a busy second costs few writes. */
void azsim_log_flush(struct azsim_log *log);

#endif
