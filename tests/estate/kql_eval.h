/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_eval: running a plan: the state of a run and of the row at hand, and the evaluators that the
 * binder puts into expressions.
 *
 * Nothing here fails by a code: what cannot be computed is null, as in Kusto. Only a query that
 * needs too much ends the run, through the error of struct kql_run; evaluators then give null and
 * the loops over rows stop.
 */
#ifndef MDC_TEST_KQL_EVAL_H
#define MDC_TEST_KQL_EVAL_H

#include "tests/estate/kql_plan.h"

struct kql_run {
	kql_table_fn table;
	void *ctx;
	int64_t now;              /* ticks */
	struct kql_arena keep;    /* what lives to the end of the run */
	struct kql_arena scratch; /* what lives to the end of the row */
	struct kql_error *error;  /* its code tells that the run has failed */
	uint64_t work;
};

static inline bool kql_failed(const struct kql_run *run)
{
	return run->error->code != NULL;
}
/* Counts work; false when the run has failed or did too much. */
bool kql_work(struct kql_run *run, uint64_t amount);
/* Memory for the row; NULL, with the run failed, when there is too much of it. */
void *kql_scratch(struct kql_run *run, size_t size);
/* Makes the value live to the end of the run; null when there is too much of it. */
struct kql_value kql_kept(struct kql_run *run, struct kql_value v);
/* Says that the query needs too much; always false. */
bool kql_run_exhausted(struct kql_run *run);

struct kql_value kql_tostring(struct kql_run *run, struct kql_value v);
/* To what a cast function makes of it; null where it cannot ("" for strings). */
struct kql_value kql_convert(struct kql_run *run, struct kql_value v, enum kql_type type);

/* The state of one stage while rows stream through it. */
struct kql_frame {
	struct kql_run *run;
	const struct kql_stage *stage;
	const json_t *row;
	const struct kql_value *stored;
	struct kql_value *values; /* of slots */
	bool *known;
	uint64_t *taken; /* by each step */
};

struct kql_value kql_slot_value(struct kql_frame *f, unsigned slot);

/* Streams all rows through the stage and calls `sink` for each that comes out. */
typedef void (*kql_sink_fn)(void *ctx, struct kql_frame *f);
void kql_stage_stream(struct kql_run *run, const struct kql_stage *stage,
	const struct kql_rows *input, kql_sink_fn sink, void *ctx);
/* Rows of a whole plan; empty after a failure. */
struct kql_rows kql_plan_rows(struct kql_run *run, const struct kql_plan *plan);
/* Runs all stages but the last, whose rows `sink` gets. */
void kql_plan_stream(struct kql_run *run, const struct kql_plan *plan, kql_sink_fn sink, void *ctx);
/* The value of each column of the stage's schema, kept. */
void kql_collect_row(struct kql_frame *f, struct kql_value *ret);

/* Finishes (kql_group.c, kql_join.c). */
struct kql_rows kql_group_rows(
	struct kql_run *run, const struct kql_stage *stage, const struct kql_rows *input);
struct kql_rows kql_join_rows(struct kql_run *run, const struct kql_stage *stage,
	const struct kql_rows *left, const struct kql_rows *right);

/* Evaluators of bound expressions, by what they do (kql_eval.c). */
struct kql_value kql_eval_literal(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_slot(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_member(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_index(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_call(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_tostring(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_toreal(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_case(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_coalesce(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_extract(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_parse(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_element(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_all(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_any(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_negate(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_equal(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_equal_nocase(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_order(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_search(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_search_nocase(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_matches(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_in_set(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_in_list(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_in_list_nocase(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_long_math(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_real_math(struct kql_frame *f, const struct kql_expr *e);
struct kql_value kql_eval_time_math(struct kql_frame *f, const struct kql_expr *e);

/* In-list constants (kql_eval.c): adds to a set in the arena. */
bool kql_set_has(const struct kql_set *set, struct kql_value v);
void kql_set_add(struct kql_set *set, struct kql_value v, uint32_t ordinal);

#endif
