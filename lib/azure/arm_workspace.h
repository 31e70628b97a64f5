/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm_workspace: Log Analytics workspaces (Microsoft.OperationalInsights/workspaces 2023-09-01),
 * the solutions on them (Microsoft.OperationsManagement/solutions 2015-11-01-preview) and the data
 * collection rules that send to them (Microsoft.Insights/dataCollectionRules 2023-03-11).
 *
 * The plan of a workspace is the solution "Security(<workspace>)" beside it. Texts are borrowed
 * from the JSON tree, as in arm_document.h.
 */
#ifndef MDC_ARM_WORKSPACE_H
#define MDC_ARM_WORKSPACE_H

#include "lib/azure/arm_document.h"

struct arm_workspace {
	const char *id;
	const char *location;
	const char *customer; /* the GUID by which legacy agents name it; NULL: not told */
};
/* -EINVAL for what is not a workspace's document. */
int arm_workspace_read(const json_t *document, struct arm_workspace *ret) MDC_MUST_CHECK;

enum solution_kind { SOLUTION_OTHER, SOLUTION_SECURITY, SOLUTION_SECURITY_FREE };
struct arm_solution {
	const char *id;
	const char *workspace; /* the resource id that it is on */
	const char *state;     /* provisioningState; NULL: not told */
	enum solution_kind kind;
};
/* -EINVAL for what is not a solution's document, or does not say what it is on. */
int arm_solution_read(const json_t *document, struct arm_solution *ret) MDC_MUST_CHECK;

/* The id that the plan of that workspace has, or would have; NULL for no workspace's id. */
char *arm_solution_id(const char *workspace_id);
/* The document that puts the plan on the workspace. */
json_t *arm_solution_document(const char *workspace_id, const char *location);

/*
 * Calls `found` with the resource id of each workspace to which the rule sends Windows security
 * events, which are what the plan is about. A destination that no flow of them names receives none.
 * -EINVAL for what is not a rule's document.
 */
typedef void (*arm_destination_fn)(void *ctx, const char *workspace_id);
int arm_rule_destinations(
	const json_t *document, arm_destination_fn found, void *ctx) MDC_MUST_CHECK;

#endif
