/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim_log: what is told of each request. The short form says that it was made and how it was
 * answered; the long one, a pair of request and answer, has the form in which Microsoft's validator
 * of traffic reads it. Both hold no secrets (see azsim_redact.h).
 */
#ifndef MDC_TEST_AZSIM_LOG_H
#define MDC_TEST_AZSIM_LOG_H

#include "lib/base/http_message.h"
#include "lib/base/tick.h"
#include "tests/estate/estate.h"

/* New references. */
json_t *azsim_log_entry(
	struct wall now, const struct http_request *request, const struct estate_answer *answer);
json_t *azsim_log_pair(const struct http_request *request, const struct estate_answer *answer);

#endif
