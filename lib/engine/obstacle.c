/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/obstacle.h"

#include "lib/azure/arm_id.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/permission.h"

#include <string.h>

/* --- locks --- */

int lock_read(const json_t *document, struct lock *ret)
{
	static const char mark[] = "/providers/Microsoft.Authorization/locks/";
	const char *id = json_text(document, "id");
	const char *level = json_path_text(document, "properties.level");
	const char *end = NULL;

	if (id == NULL || strlen(id) > ARM_ID_MAX || level == NULL)
		return -EINVAL;
	for (const char *p = id; *p != '\0'; p++)
		if (str_starts_nocase(p, mark))
			end = p;
	if (end == NULL)
		return -EINVAL;
	*ret = (struct lock){
		.name = end + sizeof(mark) - 1,
		.scope = xstrndup(id, (size_t)(end - id)),
		.read_only = !str_equal_nocase(level, "CanNotDelete"),
	};
	return 0;
}

void lock_fini(struct lock *l)
{
	free(l->scope);
	*l = (struct lock){0};
}

bool lock_refuses(const struct lock *l, const char *action)
{
	if (str_ends_nocase(action, "/delete"))
		return true;
	return l->read_only && !str_ends_nocase(action, "/read");
}

bool id_is_below(const char *id, const char *scope)
{
	size_t len = strlen(scope);

	while (len > 0 && scope[len - 1] == '/')
		len--;
	return str_starts_nocase(id, scope) && (id[len] == '\0' || id[len] == '/');
}

/* --- deny assignments --- */

static bool names_everybody(const json_t *principals)
{
	static const char everybody[] = "00000000-0000-0000-0000-000000000000";
	size_t i;
	json_t *one;

	json_array_foreach (principals, i, one)
		if (str_equal_nocase(json_text(one, "id"), everybody) ||
			str_equal_nocase(json_text(one, "type"), "Everyone"))
			return true;
	return false;
}

static bool names(const json_t *principals, const char *id)
{
	size_t i;
	json_t *one;

	json_array_foreach (principals, i, one)
		if (str_equal_nocase(json_text(one, "id"), id))
			return true;
	return false;
}

enum denial deny_assignment_denies(const json_t *document, const char *action, const char *caller)
{
	const json_t *excluded = json_path(document, "properties.excludePrincipals");
	const json_t *principals = json_path(document, "properties.principals");
	bool is_named = caller != NULL && names(principals, caller);

	/* As with roles: what is denied minus what is taken back, of each entry. */
	if (!permission_allows(json_path(document, "properties.permissions"), action) ||
		(caller != NULL && names(excluded, caller)))
		return DENIAL_NONE;
	if (json_array_size(excluded) == 0 && (is_named || names_everybody(principals)))
		return DENIAL_FOR_CALLER;
	return DENIAL_FOR_SOME;
}

const char *deny_assignment_scope(const json_t *document)
{
	const char *scope = json_path_text(document, "properties.scope");

	return scope != NULL ? scope : "";
}

const char *deny_assignment_name(const json_t *document)
{
	const char *name = json_path_text(document, "properties.denyAssignmentName");

	if (name == NULL)
		name = json_text(document, "name");
	return name != NULL ? name : "";
}

/* --- policies --- */

static const char *assignment_of(const json_t *policy)
{
	const char *id = json_text(policy, "policyAssignmentId");

	return id != NULL ? id : "an assignment without an id";
}

static bool refuses(const json_t *restriction)
{
	const char *result = json_text(restriction, "result");

	/* A field that is removed is one that we need. */
	return str_equal_nocase(result, "Deny") || str_equal_nocase(result, "Removed");
}

static const char *content_refusal(const json_t *evaluations)
{
	size_t i;
	json_t *one;

	json_array_foreach (evaluations, i, one)
		if (str_equal_nocase(json_path_text(one, "effectDetails.policyEffect"), "Deny") &&
			!str_equal_nocase(json_text(one, "evaluationResult"), "Compliant"))
			return assignment_of(json_path(one, "policyInfo"));
	return NULL;
}

const char *policy_refusal(const json_t *answer)
{
	const json_t *fields = json_path(answer, "fieldRestrictions");
	const char *found =
		content_refusal(json_path(answer, "contentEvaluationResult.policyEvaluations"));
	size_t i, k;
	json_t *field, *restriction;

	if (found != NULL)
		return found;
	json_array_foreach (fields, i, field)
		json_array_foreach (json_path(field, "restrictions"), k, restriction)
			if (refuses(restriction) && json_path(restriction, "values") == NULL)
				return assignment_of(json_path(restriction, "policy"));
	return NULL;
}
