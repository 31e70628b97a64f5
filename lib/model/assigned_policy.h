/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assigned_policy: assignments of Azure Policy that do what controls do, or undo it: that install
 * the sensor or switch plan and settings on, and those that install the Log Analytics agent, which
 * would come back if it were removed.
 *
 * Known are Microsoft's own definitions and every set that holds one of them; a definition of one's
 * own that does the same is not recognised. Selectors of resources, and overrides for a part of
 * them, are not read: such an assignment is taken to act everywhere in its scope. What is exempt
 * stands in exemptions of their own (policy_exemption.h).
 */
#ifndef MDC_ASSIGNED_POLICY_H
#define MDC_ASSIGNED_POLICY_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

#include <jansson.h>

enum policy_deed {
	DEED_AGENT, /* installs the Log Analytics agent */
	DEED_SENSOR_WINDOWS,
	DEED_SENSOR_LINUX,
	DEED_SENSOR_VM_WINDOWS,
	DEED_SENSOR_VM_LINUX,
	DEED_PLAN,
	DEED_INTEGRATION,
	DEED_UNIFIED,
	DEED_LINUX,
	DEED_VULNERABILITY,
	DEED_MACHINE_PLAN,
	DEED_N_
};
#define DEED(name) (1u << DEED_##name)
#define DEEDS_SENSOR \
	(DEED(SENSOR_WINDOWS) | DEED(SENSOR_LINUX) | DEED(SENSOR_VM_WINDOWS) | \
		DEED(SENSOR_VM_LINUX))

struct policy_part {
	enum policy_deed deed;
	char *reference; /* the definition's name in its set; NULL where no set is assigned */
};

struct assigned_policy {
	char *id;
	char *name;       /* for people */
	char *scope;      /* id of what it is assigned to */
	char *definition; /* id of the definition or set */
	char *principal;  /* object id that it deploys as; "" */
	bool deploys;     /* it is enforced, and does more than to look */
	char **exempt;    /* scopes that the assignment itself leaves out */
	size_t exempt_count;
	struct policy_part *parts; /* what it does that is known here */
	size_t part_count;
};
struct assigned_policies {
	struct wall at; /* of the last complete list of assignments; WALL_UNSET: not known */
	bool whole;     /* what every assigned set consists of is known, too */
	struct assigned_policy *v;
	size_t n;
};
void assigned_policies_fini(struct assigned_policies *p);
/* Read, and not too long ago to rely on. */
#define ASSIGNED_POLICIES_AGE DUR_H(24)
bool assigned_policies_known(const struct assigned_policies *p, struct wall now);
bool assigned_policies_equal(const struct assigned_policies *a, const struct assigned_policies *b);
/* The first one that deploys any of the deeds (a mask) on the resource, or NULL. */
const struct assigned_policy *assigned_policies_on(
	const struct assigned_policies *p, unsigned deeds, const char *resource_id);
/* Deploying or not; NULL: no such assignment is known. */
const struct assigned_policy *assigned_policies_find(
	const struct assigned_policies *p, const char *assignment_id);
/* Which one deploys as that object, or NULL. */
const struct assigned_policy *assigned_policies_by(
	const struct assigned_policies *p, const char *principal);
unsigned assigned_policy_deeds(const struct assigned_policy *p);

/* By the id of the definition; DEED_N_: none that is known. */
enum policy_deed policy_deed_of(const char *definition_id);
bool policy_is_set(const char *definition_id);
/* The definition or set that an assignment's document assigns, or NULL. */
const char *assignment_definition(const json_t *document);
/* Whether it deploys: it is enforced, and its effect does more than to look. */
bool assignment_deploys(const json_t *document);
/*
 * Adds the assignment, whose parts are copied. `set` is the document of the set that it assigns
 * (Microsoft.Authorization/policySetDefinitions); NULL: a single definition.
 */
void assigned_policies_add(
	struct assigned_policies *p, const json_t *assignment, const json_t *set);
/* Segment by segment: "rg" is not above what is in "rg-2". */
bool policy_scope_is_above(const char *scope, const char *id);

#endif
