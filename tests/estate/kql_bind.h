/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_bind: what the halves of the binder share: expressions (kql_bind.c) and tabular operators
 * (kql_bind_operators.c). Here a query is refused for what Kusto refuses before it runs: names that
 * do not exist, types that do not fit, functions that are not there.
 *
 * Functions give NULL or false after an error.
 */
#ifndef MDC_TEST_KQL_BIND_H
#define MDC_TEST_KQL_BIND_H

#include "tests/estate/kql_plan.h"

struct kql_binder {
	struct kql_arena *arena;
	struct kql_error *error;
	const char *word;         /* the operator being bound, for messages */
	struct kql_stage *stage;  /* being built */
	struct kql_schema schema; /* what names stand for at this point */
	unsigned slot_room, step_room;

	bool aggregating; /* within the items of a summarize, outside of its aggregates */
	unsigned aggregate_room;

	/* Of the whole query. */
	unsigned joins, expands, legs;
	const char *table; /* the first one */
	unsigned foreign;  /* times that another table was read */
	bool beyond;       /* a table besides Resources and ResourceContainers was read */
	bool in_union;
	struct kql_bound bound;
};

void *kql_bind_take(struct kql_binder *b, size_t size);
/* "InvalidQuery" with the operator's name before the text; always NULL. */
void *kql_bind_fail(struct kql_binder *b, const char *format, ...) MDC_PRINTF(2, 3);
/* The same, always false. */
#define kql_bind_refuse(...) (kql_bind_fail(__VA_ARGS__), false)

/* An expression over the present schema, and its parts. */
struct kql_expr *kql_bind_expression(struct kql_binder *b, const struct kql_node *node);
struct kql_expr *kql_bind_binary(struct kql_binder *b, const struct kql_node *node);
struct kql_expr *kql_bind_in(struct kql_binder *b, const struct kql_node *node);
/* A program for a constant pattern. */
const struct kql_regex *kql_bind_regex(
	struct kql_binder *b, const struct kql_node *node, unsigned group);
/* An expression of type string that says the same. */
struct kql_expr *kql_bind_string(struct kql_binder *b, struct kql_expr *e);
struct kql_expr *kql_bind_unary(
	struct kql_binder *b, kql_eval_fn eval, enum kql_type type, struct kql_expr *arg);
/* The same as kql_bind_expression(), which must be a bool. */
struct kql_expr *kql_bind_predicate(struct kql_binder *b, const struct kql_node *node);
/* Refuses dynamic, which has no order and makes no group. `what` is "group key" or the like. */
bool kql_bind_scalar(struct kql_binder *b, const struct kql_expr *e, const char *what);
/* Expressions of two types made one of a common type; false when there is none (no error). */
bool kql_bind_unify(struct kql_binder *b, struct kql_expr **left, struct kql_expr **right);
/* The value of a slot, as an expression. */
struct kql_expr *kql_bind_slot(struct kql_binder *b, unsigned slot, enum kql_type type);
struct kql_expr *kql_bind_new(struct kql_binder *b, kql_eval_fn eval, enum kql_type type,
	struct kql_expr **args, unsigned count);
/* A literal integer within the limits. */
bool kql_bind_constant(
	struct kql_binder *b, const struct kql_node *node, int64_t min, int64_t max, int64_t *ret);
/* Adds an aggregate to the stage's; it may give several values. */
struct kql_aggregate *kql_bind_aggregate(struct kql_binder *b, const struct kql_node *call);
/* Where the values of the last aggregate added are in the rows of the next stage. */
unsigned kql_bind_aggregate_slot(const struct kql_binder *b);
enum kql_type kql_bind_aggregate_type(const struct kql_aggregate *a);

/* The column a name stands for, or NULL. */
const struct kql_column *kql_bind_find(const struct kql_schema *schema, const char *name);
/* A new slot of the stage; UINT_MAX after an error. */
unsigned kql_bind_add_slot(struct kql_binder *b, struct kql_slot slot);

/* --- names and tables (kql_bind_names.c) --- */

/* The name that a column made by the expression gets by itself, or NULL. */
const char *kql_implied_name(struct kql_binder *b, const struct kql_node *node);
/* `base`, or with the least number behind it that makes it new. */
const char *kql_unique_name(
	struct kql_binder *b, const struct kql_schema *schema, const char *base);
/* Whether "a*b" stands for the name. */
bool kql_name_matches(const char *pattern, const char *name);

#define KQL_TABLE_COLUMNS 16
struct kql_table_column {
	const char *name;
	enum kql_type type;
};
/* The columns that every table has. */
extern const struct kql_table_column kql_table_columns[KQL_TABLE_COLUMNS];
/* The table's name as the service lists it, in lower case; NULL when there is no such table. */
const char *kql_table_find(const char *name);

#endif
