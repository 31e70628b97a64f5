/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql.h"

#include "lib/base/xalloc.h"
#include "tests/estate/kql_eval.h"
#include "tests/estate/kql_text.h"

#include <stdarg.h>
#include <stdio.h>

struct kql_query {
	struct kql_arena arena;
	struct kql_bound bound;
};

int kql_refuse(struct kql_error *error, const char *code, const char *format, ...)
{
	va_list args;

	if (error->code != NULL)
		return -EINVAL;
	error->code = code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	/* Pieces of the query may be cut anywhere and hold anything. */
	for (char *c = error->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return -EINVAL;
}

static int bind_text(struct kql_query *q, const char *text, struct kql_error *error)
{
	size_t len = strnlen(text, KQL_QUERY_MAX + 1);
	const struct kql_pipe *pipe;

	if (len > KQL_QUERY_MAX)
		return kql_refuse(
			error, KQL_LIMITS, "The query is longer than %zu bytes.", KQL_QUERY_MAX);
	if (!kql_utf8_valid(text, len))
		return kql_refuse(error, KQL_PARSER_FAILURE, "ParserFailure: not UTF-8");
	/* Names and constants point into the text, which has to stay. */
	text = kql_arena_text(&q->arena, text, len);
	pipe = kql_parse_text(&q->arena, text, len, error);
	if (pipe == NULL)
		return -EINVAL;
	return kql_bind_pipe(&q->arena, pipe, error, &q->bound);
}

int kql_parse(const char *text, struct kql_query **ret, struct kql_error *error)
{
	struct kql_query *q = xcalloc(1, sizeof(*q));
	int failed;

	q->arena.cap = KQL_MEMORY_MAX;
	*error = (struct kql_error){0};
	failed = bind_text(q, text, error);
	if (failed != 0) {
		kql_free(q);
		return failed;
	}
	*ret = q;
	return 0;
}

struct kql_query *kql_free(struct kql_query *q)
{
	if (q == NULL)
		return NULL;
	for (struct kql_set *set = q->bound.sets; set != NULL; set = set->next)
		kql_index_fini(&set->index);
	kql_arena_fini(&q->arena);
	free(q);
	return NULL;
}

/* --- results --- */

/* As the table format of the service names them; int and long are both "integer" there. */
static const char *column_type(enum kql_type type)
{
	switch (type) {
	case KQL_BOOL: return "boolean";
	case KQL_LONG: return "integer";
	case KQL_REAL: return "number";
	case KQL_DATETIME: return "datetime";
	case KQL_STRING:
	case KQL_TIMESPAN: return "string";
	case KQL_DYNAMIC:
	case KQL_TYPE_N_: break;
	}
	return "object";
}

static json_t *columns_of(const struct kql_schema *schema)
{
	json_t *columns = json_array();

	for (unsigned i = 0; i < schema->count; i++)
		json_array_append_new(columns,
			json_pack("{s:s, s:s}", "name", schema->columns[i].name, "type",
				column_type(schema->columns[i].type)));
	return columns;
}

/* No token where the query limits or groups its rows, or has no scalar column. */
static bool is_pageable(const struct kql_bound *bound)
{
	const struct kql_schema *schema = &bound->plan->schema;

	if (bound->limited || bound->grouped)
		return false;
	for (unsigned i = 0; i < schema->count; i++)
		if (schema->columns[i].type != KQL_DYNAMIC)
			return true;
	return false;
}

static void add_result_row(void *ctx, struct kql_frame *f)
{
	const struct kql_schema *schema = &f->stage->schema;
	json_t *row = json_object();

	for (unsigned i = 0; i < schema->count; i++)
		json_object_set_new_nocheck(row, schema->columns[i].name,
			kql_to_json(kql_slot_value(f, schema->columns[i].slot)));
	json_array_append_new(ctx, row);
}

static int64_t ticks_of(struct wall t)
{
	const int64_t limit = INT64_C(253402300799999); /* the end of the year 9999 */
	int64_t ms = t.ms < 0 ? 0 : t.ms > limit ? limit : t.ms;

	return KQL_TICKS_AT_EPOCH + ms * KQL_TICKS_PER_MS;
}

int kql_run(const struct kql_query *q, kql_table_fn table, void *ctx, struct wall now,
	struct kql_result *ret, struct kql_error *error)
{
	struct kql_run run = {
		.table = table,
		.ctx = ctx,
		.now = ticks_of(now),
		.keep = {.cap = KQL_KEEP_MAX},
		.scratch = {.cap = KQL_SCRATCH_MAX},
		.error = error,
	};
	json_t *rows = json_array();

	*error = (struct kql_error){0};
	kql_plan_stream(&run, q->bound.plan, add_result_row, rows);
	kql_arena_fini(&run.keep);
	kql_arena_fini(&run.scratch);
	if (error->code != NULL) {
		json_decref(rows);
		return -EINVAL;
	}
	*ret = (struct kql_result){
		.columns = columns_of(&q->bound.plan->schema),
		.rows = rows,
		.pageable = is_pageable(&q->bound),
	};
	return 0;
}

void kql_result_fini(struct kql_result *r)
{
	json_decref(r->columns);
	json_decref(r->rows);
	*r = (struct kql_result){0};
}
