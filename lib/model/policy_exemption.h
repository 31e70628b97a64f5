/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_exemption: exemptions from assigned policies (Microsoft.Authorization/policyExemptions).
 * One from a policy that installs the sensor is its author's written "not here".
 *
 * What it reaches is its scope: the management group, subscription, resource group or machine that
 * it was made on. Selectors of resources in it are not read: it is taken to hold everywhere in its
 * scope, which only keeps writes away. A management group is known to be above the subscription
 * because ARM lists it there.
 */
#ifndef MDC_POLICY_EXEMPTION_H
#define MDC_POLICY_EXEMPTION_H

#include "lib/azure/arm_document.h"
#include "lib/model/assigned_policy.h"

struct policy_exemption {
	char *id;
	char *name; /* for people */
	char *scope;
	char *assignment;  /* id of what it is exempt from */
	char **references; /* of that set; none: of all of it */
	size_t reference_count;
	struct wall expires; /* WALL_NEVER: it does not end */
	char *owner;         /* who asked for it, or made it; "" */
	char *ticket, *why;  /* "" */
	char *text;          /* all of that in one line */
};
struct policy_exemptions {
	struct wall at;     /* of the last complete list; WALL_UNSET: not known */
	struct wall proven; /* when ARM last listed them: Graph hides what may not be read */
	struct policy_exemption *v;
	size_t n;
};
/* Azure allows 1000 at one place. */
#define POLICY_EXEMPTIONS_MAX 5000

void policy_exemptions_fini(struct policy_exemptions *p);
/*
 * From ARM or Graph. Only ARM tells who made it: where nobody is named otherwise, that is taken
 * from `before`, what was known until now (NULL: this is ARM's). -EINVAL for what is no exemption,
 * -ENOSPC, -EAGAIN where ARM has to tell.
 */
int policy_exemptions_add(struct policy_exemptions *p, const json_t *document,
	const struct policy_exemptions *before) MDC_MUST_CHECK;
bool policy_exemptions_equal(const struct policy_exemptions *a, const struct policy_exemptions *b);
bool policy_exemptions_known(const struct policy_exemptions *p, struct wall now);
bool policy_exemption_reaches(const struct policy_exemption *e, const char *resource_id);
/* From when on it counts as absent, where it holds for `grace` after its end. */
struct wall policy_exemption_until(const struct policy_exemption *e, struct dur grace);
/* By a list of a scope: the assignment or its definition, by name or id. */
bool policy_exemption_is_named(const struct policy_exemption *e,
	const struct assigned_policies *policies, char *const *names, size_t count);
/*
 * Whether it is from something that does any of the deeds (a mask). TRI_UNKNOWN: what the
 * assignment does is not known.
 */
enum tri policy_exemption_is_from(const struct policy_exemption *e,
	const struct assigned_policies *policies, unsigned deeds, struct wall now);
/* The management group that it was made on, within the id; NULL: on something else. */
const char *policy_exemption_group(const char *id, size_t *ret_len);

#endif
