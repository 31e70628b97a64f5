/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_plan: a query ready to run.
 *
 * A plan is a chain of stages. Rows stream through a stage one at a time: out of a table or out of
 * the rows of the stage before, through its steps (filters, expansions, limits), into its finish
 * (a grouping, a sort, a join, a union, or nothing), which gives the rows of the next stage.
 *
 * What a row has in a stage are slots: a column of the source, or an expression over other slots.
 * A slot is computed when something asks for it, and once per row; so a filter that drops a row
 * saves the cost of every `extend` before it. `project` and its kin only change which names stand
 * for which slots, and cost nothing at run time.
 */
#ifndef MDC_TEST_KQL_PLAN_H
#define MDC_TEST_KQL_PLAN_H

#include "tests/estate/kql_ast.h"

struct kql_expr;
struct kql_frame;
struct kql_plan;
struct kql_regex;
struct kql_run;

/* --- expressions --- */

typedef struct kql_value (*kql_eval_fn)(struct kql_frame *f, const struct kql_expr *e);
typedef struct kql_value (*kql_apply_fn)(
	struct kql_run *run, const struct kql_value *args, unsigned count);

/* Constants of an `in`, found by hash. */
struct kql_set {
	struct kql_index index;
	struct kql_value *items;
	bool nocase;
	struct kql_set *next; /* of the query's sets */
};

struct kql_patterns {
	struct kql_pattern *items;
	size_t count;
	size_t columns;
};

struct kql_expr {
	kql_eval_fn eval;
	enum kql_type type;
	unsigned depth; /* of the evaluation, through the slots it uses */
	struct kql_expr **args;
	unsigned count;
	enum kql_operator op;
	bool negated;
	union {
		struct kql_value literal;
		unsigned slot;
		struct kql_value key; /* of a member */
		kql_apply_fn apply;
		const struct kql_set *set;
		const struct kql_regex *regex;
		const struct kql_patterns *patterns;
	};
};

static inline struct kql_value kql_eval(struct kql_frame *f, const struct kql_expr *e)
{
	return e->eval(f, e);
}

/* --- functions (kql_functions.c) --- */

/* How the binder treats a call. */
enum kql_call {
	KQL_CALL_PLAIN, /* all arguments are evaluated, then `apply` */
	KQL_CALL_PAIRS, /* the same, of keys and values */
	KQL_CALL_CASE,  /* also iff() */
	KQL_CALL_COALESCE,
	KQL_CALL_EXTRACT,
};

/*
 * `params` has a letter for each argument, the last of which may be left out down to `min`; they
 * start over for more arguments than letters: a anything, b bool, d dynamic, i long, s string or
 * dynamic (made a string), t timespan, x anything (made a string).
 */
struct kql_function {
	const char *name;
	const char *params;
	unsigned short min, max;
	enum kql_type type;
	kql_apply_fn apply;
	bool converts; /* a column made by it is named as its argument is */
	enum kql_call call;
};
const struct kql_function *kql_function_find(const char *name);

/* --- aggregates (kql_aggregates.c) --- */

struct kql_aggregate;
struct kql_accumulator {
	int64_t number;
	double real;
	struct kql_value *items; /* in the run's arena */
	uint32_t count, room;
	bool started;
	struct kql_index set; /* of items */
};

struct kql_aggregate_function {
	const char *name;
	/* As above; also c a scalar that has an order, n a number or timespan, # a constant. */
	const char *params;
	unsigned short min, max;
	enum kql_type type; /* KQL_TYPE_N_: that of the first argument */
	bool wide;          /* gives a value for each argument */
	const char *prefix; /* of the column's name */
	bool named_alone;   /* the name takes nothing from the argument */
	void (*add)(struct kql_frame *f, const struct kql_aggregate *a, struct kql_accumulator *c);
	void (*finish)(struct kql_run *run, const struct kql_aggregate *a,
		struct kql_accumulator *c, struct kql_value *ret);
};
const struct kql_aggregate_function *kql_aggregate_find(const char *name);

struct kql_aggregate {
	const struct kql_aggregate_function *function;
	struct kql_expr **args;
	unsigned count;
	unsigned width; /* values that finish() gives */
	uint32_t limit; /* elements of a list or set */
};

/* --- stages --- */

struct kql_column {
	const char *name;
	enum kql_type type;
	unsigned slot;
};
struct kql_schema {
	struct kql_column *columns;
	unsigned count;
};

enum kql_slot_kind {
	KQL_SLOT_MEMBER, /* of the row of a table */
	KQL_SLOT_STORED, /* by the stage before */
	KQL_SLOT_EXPRESSION,
	KQL_SLOT_EXPANDED, /* set by a step */
};
struct kql_slot {
	enum kql_slot_kind kind;
	enum kql_type type;
	struct kql_value key;
	unsigned stored;
	const struct kql_expr *expr;
};

/* One array of an mv-expand; zipped when there are several. */
struct kql_expanded {
	const struct kql_expr *expr;
	unsigned slot;
	enum kql_type type; /* KQL_DYNAMIC, or what "to typeof" says */
};
struct kql_expansion {
	struct kql_expanded *items;
	unsigned count;
	unsigned first_slot; /* this and those behind it differ from element to element */
	unsigned index_slot; /* UINT_MAX: none */
	int64_t limit;
	bool pairs; /* a bag gives [key, value], not {key: value} */
};

enum kql_step_kind { KQL_STEP_FILTER, KQL_STEP_EXPAND, KQL_STEP_TAKE };
struct kql_step {
	enum kql_step_kind kind;
	const struct kql_expr *filter;
	const struct kql_expansion *expansion;
	uint64_t take;
};

struct kql_sort_key {
	const struct kql_expr *expr;
	bool descending, nulls_first;
};

enum kql_join_kind {
	KQL_JOIN_INNER_UNIQUE,
	KQL_JOIN_INNER,
	KQL_JOIN_LEFT_OUTER,
	KQL_JOIN_FULL_OUTER
};

/* A leg of a union: which of its columns goes where; -1 where it has none. */
struct kql_leg {
	struct kql_plan *plan; /* NULL: the stage's own rows */
	int *from;
	const char *name;
};

enum kql_finish {
	KQL_FINISH_NONE,
	KQL_FINISH_GROUP,
	KQL_FINISH_SORT,
	KQL_FINISH_JOIN,
	KQL_FINISH_UNION,
};

struct kql_stage {
	const char *table; /* NULL: the rows of the stage before */
	struct kql_slot *slots;
	unsigned slot_count;
	struct kql_step *steps;
	unsigned step_count;
	struct kql_schema schema; /* at its end */

	enum kql_finish finish;
	struct kql_expr **keys; /* group */
	unsigned key_count;     /* group and join */
	struct kql_aggregate *aggregates;
	unsigned aggregate_count;
	struct kql_sort_key *sort;
	unsigned sort_count;
	int64_t sort_limit; /* of top; -1: none */
	enum kql_join_kind join;
	struct kql_plan *right;
	unsigned *left_keys, *right_keys; /* columns of both sides */
	struct kql_leg *legs;
	unsigned leg_count;
	bool with_source;     /* the last column of a union is the name of the leg */
	enum kql_type *types; /* of the rows it gives, where columns may stay empty */
	unsigned width;       /* of the rows it gives */

	struct kql_stage *next;
};

struct kql_plan {
	struct kql_stage *first;
	struct kql_schema schema;
};

/* --- the binder --- */

struct kql_bound {
	struct kql_plan *plan;
	bool limited;         /* has take, limit, sample or top */
	bool grouped;         /* the rows are groups */
	struct kql_set *sets; /* whose indexes the owner of the plan frees */
};
int kql_bind_pipe(struct kql_arena *arena, const struct kql_pipe *pipe, struct kql_error *error,
	struct kql_bound *ret) MDC_MUST_CHECK;

#endif
