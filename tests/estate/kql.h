/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql: the query language of Azure Resource Graph as far as it is documented there, with the
 * functions for which evidence exists, and a refusal of everything else, as the service refuses.
 *
 * A query is parsed and bound to the columns of its tables, then evaluated over rows (JSON objects
 * in the shape of Resource Graph's tables). hash() is XXH64 with seed 0, as the documented values
 * show.
 *
 * Parsing and running give -EINVAL with the error filled, and nothing else. Texts, values and rows
 * have caps ("QueryLimitsExceeded"), so that any query ends. A query may be run often, and by
 * several runs at once.
 */
#ifndef MDC_TEST_KQL_H
#define MDC_TEST_KQL_H

#include "lib/base/base.h"
#include "lib/base/buf.h"
#include "lib/base/tick.h"

#include <jansson.h>

struct kql_query;

/* What a query failed with, in the words of the service's error body. */
struct kql_error {
	const char *code; /* "InvalidQuery", "ParserFailure", "UnknownFunction", … */
	char text[256];   /* printable ASCII, whatever the query holds */
};

int kql_parse(const char *text, struct kql_query **ret, struct kql_error *error) MDC_MUST_CHECK;
struct kql_query *kql_free(struct kql_query *q);

/* Gives the rows of a table by name ("resources"): a borrowed JSON array, or NULL if unknown. */
typedef const json_t *(*kql_table_fn)(void *ctx, const char *name);

struct kql_result {
	json_t *columns; /* [{"name","type"}], types as the table format names them */
	json_t *rows; /* array of objects, all rows, not paged; shares values of the tables' rows */
	bool pageable; /* whether a $skipToken may be given (no take, a scalar column, no group) */
};

int kql_run(const struct kql_query *q, kql_table_fn table, void *ctx, struct wall now,
	struct kql_result *ret, struct kql_error *error) MDC_MUST_CHECK;
void kql_result_fini(struct kql_result *r);

/* XXH64, seed 0, of the bytes; exported for its own test against the documented values. */
uint64_t kql_xxh64(const void *data, size_t len);

#endif
