/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: one condition that is kept true on one kind of resource.
 *
 * lib/controls/ has one file a control and one table of them (control.c). A control says where it
 * applies, which fields it reads, how observed compares with desired (owned fields only), what has
 * to be in sync first, and what to write. Adding a control is adding one file and one row.
 */
#ifndef MDC_CONTROL_H
#define MDC_CONTROL_H

#include "lib/azure/arm_error.h"
#include "lib/azure/arm_request.h"
#include "lib/model/config.h"
#include "lib/model/inventory.h"
#include "lib/model/operation.h"
#include "lib/model/scope.h"

/* What a control looks at. */
struct control_view {
	const struct config *config;
	const struct scope_config *scope;
	const struct subscription *subscription;
	const struct connector *connector; /* NULL for other controls than its own */
	const struct workspace *workspace; /* the same */
	const struct machine *machine;     /* the same */
	const struct item *item;
	struct wall now;
};

enum verdict_kind {
	VERDICT_NOT_APPLICABLE,
	VERDICT_UNKNOWN,
	VERDICT_COMPLIANT,
	VERDICT_DRIFTED,
	VERDICT_WAITING, /* until `until` */
	VERDICT_FAILED,  /* ours to correct again, but the last try failed: back off */
	VERDICT_BLOCKED,
	VERDICT_MANUAL,
	VERDICT_EXCLUDED,
	VERDICT_UNSUPPORTED,
	VERDICT_UNREACHABLE,
	VERDICT_N_
};

struct verdict {
	enum verdict_kind kind;
	enum reason reason;
	/* WAITING: its end; FAILED: not to be tried again before; others: when it may be another
	 * one by time alone. */
	struct wall until;
	struct stamp stamp; /* who told the facts it rests on, and when */
	const char *detail; /* borrowed from the view or the document, or static; "" */
};

/* For `plan` and `explain`: one owned field, as wanted and as observed. */
struct difference {
	const char *field;
	char wanted[96];
	char observed[160];
};
#define DIFFERENCES_MAX 8

enum compose_result {
	COMPOSED,         /* *ret is the request to send */
	COMPOSE_IN_SYNC,  /* the fresh document shows nothing to do */
	COMPOSE_WITHHELD, /* the decision is another now: *ret_verdict */
};

/* What composing needs besides the view. */
struct compose_input {
	const json_t *current; /* the exact resource just read from ARM; NULL: 404 */
	const char *package;   /* onboarding package where `needs_package`, else NULL */
};

struct control {
	enum control_id id;
	bool corrects;  /* false: only reported */
	bool once;      /* what someone undoes is never done again, unless an operator says so */
	bool in_turn;   /* of such writes one runs at a time in a subscription */
	bool exempted;  /* an exemption from policies that install the sensor excludes it */
	unsigned deeds; /* of policies that make the same correction (a mask of DEED) */
	bool needs_package; /* the correction carries the onboarding package (a secret) */
	const char *help;   /* what it keeps true, in one sentence */
	/* Facts it reads, as paths in ARM's documents: for `explain`; NULL ends. */
	const char *const *fields;
	/*
	 * The actions that Azure has to allow (its role-based access control) for observing it, and
	 * besides these for correcting it, polling included; NULL ends, and NULL is none.
	 */
	const char *const *reads;
	const char *const *writes;
	bool read_if_wanted; /* it is observed only where a policy makes it write */
	/* Controls of the same subscription that have to be in sync first; CONTROL_N_ ends. */
	const enum control_id *after;
	/* Whether one of these matters for this resource; NULL: all do. */
	bool (*needs)(const struct control_view *v, enum control_id prerequisite);
	/* Whether a policy makes it write; NULL: it never does. */
	bool (*may_write)(const struct policy_config *policy);
	/* Why the facts it reads are not known, or REASON_NONE when they are. */
	enum reason (*unobserved)(const struct control_view *v);
	/* Decides on known facts alone; lib/engine/assess.h puts the common checks around it. */
	struct verdict (*assess)(const struct control_view *v);
	size_t (*differences)(const struct control_view *v, struct difference ret[DIFFERENCES_MAX]);
	/* The GET of the exact resource that is going to be written. */
	void (*read)(const struct control_view *v, struct arm_request *ret);
	/* Decides again on the fresh document and composes the write. */
	enum compose_result (*compose)(const struct control_view *v, const struct compose_input *in,
		struct arm_request *ret, struct verdict *ret_verdict);
	/*
	 * What a refused read or write means where its class says too little: REASON_NONE: nothing
	 * more. NULL: never more.
	 */
	enum reason (*refusal)(const struct control_view *v, const struct arm_error *error);
	/* What only a person can do for it, a line each, for `explain`; NULL: nothing. */
	void (*by_hand)(const struct control_view *v, struct buf *ret);
	/*
	 * Whether the answer to an accepted write says that a part of it failed: why, and what
	 * failed. NULL: an accepted write has no parts.
	 */
	bool (*failed_in_part)(
		const json_t *answer, enum reason *ret_reason, struct buf *ret_detail);
	/* How long after acceptance the effect may take to show, and an operation may run. */
	struct dur settle;
	struct dur operation_limit;
	/* Least time from a write that may have begun something to the next; NULL: none. */
	struct dur (*pause)(const struct control_view *v);
};

const struct control *control_by_id(enum control_id id);

#endif
