/* SPDX-License-Identifier: Apache-2.0 */
/*
 * single: documents of a subscription that are read one by one, each with one word that counts:
 * which they are, where the word stands, and when it is worth a call.
 */
#ifndef MDC_SINGLE_H
#define MDC_SINGLE_H

#include "lib/azure/arm_request.h"
#include "lib/model/inventory.h"

struct single_row {
	const char *label; /* for people */
	enum arm_kind kind;
	const char *name; /* last segment of the id */
	const char *path; /* of the word in the document */
	/* Its word decides: where it cannot be read, the pass was incomplete. */
	bool decides;
};
const struct single_row *single_row(enum single_id id);
/* SINGLE_N_ for a resource that is none of them. */
enum single_id single_of(enum arm_kind kind, const char *name);
/* Its scope wants plans of workspaces. */
bool provider_of_solutions_matters(const struct subscription *s);
/* The GET of the document. */
void single_request(const char *subscription, enum single_id id, struct arm_request *ret);
/* Whether it decides something that the subscription's scope wants, however fresh it is. */
bool single_is_worth(const struct subscription *s, enum single_id id);
/* Whether a pass should read it: the scope wants to know it, and what is known is old. */
bool single_is_due(const struct subscription *s, enum single_id id, struct wall now);

#endif
