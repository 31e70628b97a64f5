/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_policy: assignments of Azure Policy that install the Log Analytics agent. While one acts on
 * a machine the agent is needed there, and would come back if it were removed.
 *
 * Known are Microsoft's own definitions and every set that holds one of them; a definition of one's
 * own that does the same is not recognised. Exemptions are not read: they leave an assignment that
 * counts, which only keeps an agent.
 */
#ifndef MDC_AGENT_POLICY_H
#define MDC_AGENT_POLICY_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

#include <jansson.h>

struct agent_policy {
	char *name;  /* for people */
	char *scope; /* id of what it is assigned to */
	char **exempt;
	size_t exempt_count;
};
struct agent_policies {
	struct wall at; /* of the last complete list of assignments; WALL_UNSET: not known */
	struct agent_policy *v;
	size_t n;
};
void agent_policies_fini(struct agent_policies *p);
/* Read, and not too long ago to rely on. */
#define AGENT_POLICIES_AGE DUR_H(24)
bool agent_policies_known(const struct agent_policies *p, struct wall now);
bool agent_policies_equal(const struct agent_policies *a, const struct agent_policies *b);
/* The first one that acts on the machine, or NULL. */
const struct agent_policy *agent_policies_on(
	const struct agent_policies *p, const char *machine_id);

/* By the id of the definition. */
bool policy_installs_agent(const char *definition_id);
/* A document of Microsoft.Authorization/policySetDefinitions. */
bool policy_set_installs_agent(const json_t *document);
bool policy_is_set(const char *definition_id);
/*
 * The definition or set that a document of Microsoft.Authorization/policyAssignments assigns, or
 * NULL where it deploys nothing: it is not enforced, or its effect only looks.
 */
const char *assignment_deploys(const json_t *document);
/* Adds the assignment; what it is assigned to and exempts is copied. */
void agent_policies_add(struct agent_policies *p, const json_t *assignment);

#endif
