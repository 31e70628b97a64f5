/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim_redact: requests and answers as they may be written to a file. Tokens, signatures, page
 * tokens, onboarding packages and protected settings are replaced by "***", or by something else of
 * the same type and format, so that what is left still has the form of the contract.
 */
#ifndef MDC_TEST_AZSIM_REDACT_H
#define MDC_TEST_AZSIM_REDACT_H

#include "lib/base/http_message.h"

#include <jansson.h>

/* Of a query only the members that hold no secret keep their values (api-version, $filter, …).
 * Caller frees. */
char *azsim_redact_query(const char *query);
char *azsim_redact_url(const char *url);
/* JSON null for NULL; text that is not UTF-8 is escaped. */
json_t *azsim_text(const char *text);
/* An object of all headers; those that repeat are joined. */
json_t *azsim_redact_headers(const struct http_headers *headers);
/* The JSON document, or the text as a string where it is none. NULL for an empty body. */
json_t *azsim_redact_body(const char *body, size_t len);

#endif
