/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few words of the query language for trees that do not hold the evaluator: `table`, then
 * `| where type =~ '...'`, `| take N`, `| summarize n = count() by subscriptionId` and anything
 * else ignored, but for "!!", which is a syntax error. Vanishes where tests/estate/kql.c exists.
 */
#ifndef MDC_TEST_KQL_STANDIN_H
#define MDC_TEST_KQL_STANDIN_H

#if !__has_include("tests/estate/kql.c")

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/kql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kql_query {
	char table[64];
	char type[128];
	unsigned long take;
	bool counts;
};

int kql_parse(const char *text, struct kql_query **ret, struct kql_error *error)
{
	struct kql_query *q;
	const char *type = strstr(text, "type =~ '");
	const char *take = strstr(text, "| take ");

	if (strstr(text, "!!") != NULL) {
		error->code = "ParserFailure";
		str_copy(error->text, sizeof(error->text), "ParserFailure");
		return -EINVAL;
	}
	q = xcalloc(1, sizeof(*q));
	str_copy(q->table, sizeof(q->table), text);
	q->table[strcspn(q->table, " \n|")] = '\0';
	if (type != NULL) {
		str_copy(q->type, sizeof(q->type), type + strlen("type =~ '"));
		q->type[strcspn(q->type, "'")] = '\0';
	}
	q->take = take != NULL ? strtoul(take + strlen("| take "), NULL, 10) : 0;
	q->counts = strstr(text, "summarize") != NULL;
	*ret = q;
	return 0;
}

struct kql_query *kql_free(struct kql_query *q)
{
	free(q);
	return NULL;
}

static json_t *standin_column(const char *name, const char *type)
{
	return json_pack("{s:s, s:s}", "name", name, "type", type);
}

static json_t *standin_counts(const json_t *rows)
{
	json_t *groups = json_object();
	json_t *list = json_array();
	const char *key;
	size_t i;
	json_t *row, *n;

	json_array_foreach (rows, i, row) {
		key = json_string_value(json_object_get(row, "subscriptionId"));
		n = json_object_get(groups, key);
		if (n == NULL)
			json_object_set_new(groups, key, json_integer(1));
		else
			json_integer_set(n, json_integer_value(n) + 1);
	}
	json_object_foreach (groups, key, n)
		json_array_append_new(list, json_pack("{s:s, s:O}", "subscriptionId", key, "n", n));
	json_decref(groups);
	return list;
}

int kql_run(const struct kql_query *q, kql_table_fn table, void *ctx, struct wall now,
	struct kql_result *ret, struct kql_error *error)
{
	const json_t *all = table(ctx, q->table);
	json_t *rows;
	size_t i;
	json_t *row;

	(void)now;
	if (all == NULL) {
		error->code = "InvalidTableName";
		snprintf(error->text, sizeof(error->text), "Table %s was not found", q->table);
		return -EINVAL;
	}
	rows = json_array();
	json_array_foreach (all, i, row)
		if ((q->type[0] == '\0' ||
			    str_equal_nocase(
				    q->type, json_string_value(json_object_get(row, "type")))) &&
			(q->take == 0 || json_array_size(rows) < q->take))
			json_array_append(rows, row);
	*ret = (struct kql_result){.pageable = q->take == 0 && !q->counts};
	if (q->counts) {
		ret->columns = json_pack("[o, o]", standin_column("subscriptionId", "string"),
			standin_column("n", "integer"));
		ret->rows = standin_counts(rows);
		json_decref(rows);
	} else {
		ret->columns = json_pack(
			"[o, o]", standin_column("id", "string"), standin_column("name", "string"));
		ret->rows = rows;
	}
	return 0;
}

void kql_result_fini(struct kql_result *r)
{
	json_decref(r->columns);
	json_decref(r->rows);
}

uint64_t kql_xxh64(const void *data, size_t len)
{
	return str_hash(data, len);
}

#endif
#endif
