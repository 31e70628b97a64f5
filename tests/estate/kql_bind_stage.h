/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_bind_stage: building the stages of a plan, for the binder of tabular operators.
 */
#ifndef MDC_TEST_KQL_BIND_STAGE_H
#define MDC_TEST_KQL_BIND_STAGE_H

#include "tests/estate/kql_bind.h"

bool kql_bind_add_step(struct kql_binder *b, struct kql_step step);
bool kql_bind_add_column(struct kql_binder *b, struct kql_schema *schema, struct kql_column column);
/* The column of that name; NULL with an error when there is none. */
const struct kql_column *kql_bind_resolve(
	struct kql_binder *b, const struct kql_schema *schema, const char *name);
/* The slot that holds the expression's value, a new one if need be; UINT_MAX after an error. */
unsigned kql_bind_slot_of(struct kql_binder *b, struct kql_expr *e);
/* Every column of the present schema, as items without names of their own. */
struct kql_list kql_bind_all_columns(struct kql_binder *b);

/*
 * Ends the present stage and starts the next, whose rows have these types. The schema stays what it
 * was: the caller says what names stand for in the new stage.
 */
bool kql_bind_finish(
	struct kql_binder *b, enum kql_finish finish, enum kql_type *types, unsigned width);
/* The same for rows that are the columns of the present schema. */
bool kql_bind_finish_columns(struct kql_binder *b, enum kql_finish finish);

/* A first stage without rows, for a query that starts with a union. */
bool kql_bind_start_empty(struct kql_binder *b);
/* A plan of its own for a leg of a join or union. */
struct kql_plan *kql_bind_leg(struct kql_binder *b, const struct kql_pipe *pipe);
bool kql_bind_join(struct kql_binder *b, const struct kql_clause *clause);
bool kql_bind_union(struct kql_binder *b, const struct kql_clause *clause);
bool kql_bind_clause(struct kql_binder *b, const struct kql_clause *clause);

#endif
