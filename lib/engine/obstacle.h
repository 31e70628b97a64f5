/* SPDX-License-Identifier: Apache-2.0 */
/*
 * obstacle: what refuses a write although a role allows it: locks, deny assignments, policies. Each
 * is read from the document that ARM tells of it.
 */
#ifndef MDC_OBSTACLE_H
#define MDC_OBSTACLE_H

#include "lib/azure/arm_document.h"

/* Microsoft.Authorization/locks, 2020-05-01 */
struct lock {
	const char *name; /* borrowed from the document */
	char *scope;      /* what is locked, with all below it; owned */
	bool read_only;   /* else only deletions are refused */
};
/* -EINVAL for a document that is no lock; levels that we do not know count as the stricter one. */
int lock_read(const json_t *document, struct lock *ret) MDC_MUST_CHECK;
void lock_fini(struct lock *l);
/* "…/write", "…/delete" or "…/action" on the resource or something below that scope. */
bool lock_refuses(const struct lock *l, const char *action);
/* True when `id` is `scope` or lies below it, segment by segment and without case. */
bool id_is_below(const char *id, const char *scope);

/* Microsoft.Authorization/denyAssignments, 2022-04-01 */
enum denial {
	DENIAL_NONE,
	/* For some principals, or with exceptions, and perhaps for the caller: groups are not
	 * followed. */
	DENIAL_FOR_SOME,
	DENIAL_FOR_CALLER,
};
/* `caller` is the object id of the principal, NULL where it is not known. */
enum denial deny_assignment_denies(const json_t *document, const char *action, const char *caller);
/* The scope and name of a deny assignment; "" where it does not tell. */
const char *deny_assignment_scope(const json_t *document);
const char *deny_assignment_name(const json_t *document);

/*
 * An answer of Microsoft.PolicyInsights/checkPolicyRestrictions, 2023-03-01: the assignment whose
 * policy would refuse the write, or NULL. NULL proves nothing: whether exemptions and selectors are
 * honoured is not documented.
 */
const char *policy_refusal(const json_t *answer);

#endif
