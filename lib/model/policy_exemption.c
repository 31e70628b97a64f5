/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/policy_exemption.h"

#include "lib/azure/arm_document.h"
#include "lib/azure/arm_id.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define MARK "/providers/microsoft.authorization/policyexemptions/"
#define GROUPS "/providers/microsoft.management/managementgroups/"
#define REFERENCES_MAX 1000
#define TEXT_MAX 600

/* --- a document --- */

/* The id up to the mark, which comes last: names may look like types. NULL where there is none. */
static char *scope_of(const char *id)
{
	size_t len = id != NULL ? strlen(id) : 0;

	if (len == 0 || len > ARM_ID_MAX)
		return NULL;
	for (size_t at = len; at-- > 0;)
		if (str_starts_nocase(id + at, MARK) && id[at + strlen(MARK)] != '\0')
			return xstrndup(id, at);
	return NULL;
}

static char *first_text(const json_t *document, const char *const *paths)
{
	for (; *paths != NULL; paths++) {
		const char *text = json_path_text(document, *paths);

		if (!str_empty(text))
			return xstrdup(text);
	}
	return xstrdup("");
}

/* Members of metadata are the authors' own; these are the ones that Microsoft's examples have. */
static const char *const owners[] = {"properties.metadata.requestedBy",
	"properties.metadata.approvedBy", "systemData.createdBy", NULL};
static const char *const tickets[] = {
	"properties.metadata.ticketRef", "properties.metadata.ticket", NULL};
static const char *const assignments[] = {"properties.policyAssignmentId", NULL};
static const char *const reasons[] = {"properties.description", NULL};
static const char *const names[] = {"properties.displayName", "name", "id", NULL};

static void add_references(struct policy_exemption *e, const json_t *list)
{
	size_t i;
	json_t *one;

	json_array_foreach (list, i, one) {
		if (!json_is_string(one) || e->reference_count >= REFERENCES_MAX)
			continue;
		e->references = xreallocarray(
			e->references, e->reference_count + 1, sizeof(*e->references));
		e->references[e->reference_count++] = xstrdup(json_string_value(one));
	}
}

static char *text_of(const struct policy_exemption *e, const json_t *document)
{
	const char *category = json_path_text(document, "properties.exemptionCategory");
	const char *slash = strrchr(e->assignment, '/');
	struct buf b = BUF_INIT(TEXT_MAX + 1);
	char until[WALL_TEXT_SIZE];
	char *text;

	buf_addf(&b, "\"%.100s\" (%.20s) from \"%.100s\"", e->name,
		category != NULL ? category : "no category",
		slash != NULL ? slash + 1 : e->assignment);
	if (*e->owner != '\0')
		buf_addf(&b, " by %.100s", e->owner);
	if (*e->ticket != '\0')
		buf_addf(&b, ", %.60s", e->ticket);
	if (e->expires.ms != WALL_NEVER.ms) {
		wall_format(e->expires, until);
		buf_addf(&b, ", until %s", until);
	}
	if (*e->why != '\0')
		buf_addf(&b, ": %.150s", e->why);
	text = xstrdup(buf_str(&b));
	buf_fini(&b);
	return text;
}

/* An end that cannot be read may have come: that is no exemption to rely on. */
static bool read_end(const json_t *document, struct wall *ret)
{
	const json_t *end = json_path(document, "properties.expiresOn");

	*ret = WALL_NEVER;
	if (end == NULL || json_is_null(end) || str_equal(json_string_value(end), ""))
		return true;
	return json_is_string(end) && wall_parse(json_string_value(end), ret) == 0;
}

static char *owner_of(const json_t *document, const struct policy_exemptions *before)
{
	char *owner = first_text(document, owners);
	const char *id = json_text(document, "id");

	if (*owner != '\0' || before == NULL)
		return owner;
	free(owner);
	for (size_t i = 0; i < before->n; i++)
		if (arm_id_same(before->v[i].id, id))
			return xstrdup(before->v[i].owner);
	return NULL;
}

static int check(
	const struct policy_exemptions *p, const json_t *document, struct wall *ret_expires)
{
	const char *assignment = json_path_text(document, "properties.policyAssignmentId");
	mdc_autofree char *scope = scope_of(json_text(document, "id"));

	if (scope == NULL || str_empty(assignment) || !read_end(document, ret_expires))
		return -EINVAL;
	return p->n < POLICY_EXEMPTIONS_MAX ? 0 : -ENOSPC;
}

int policy_exemptions_add(
	struct policy_exemptions *p, const json_t *document, const struct policy_exemptions *before)
{
	struct policy_exemption *e;
	struct wall expires;
	int error = check(p, document, &expires);
	char *owner = error == 0 ? owner_of(document, before) : NULL;

	if (owner == NULL)
		return error != 0 ? error : -EAGAIN;
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	e = &p->v[p->n++];
	*e = (struct policy_exemption){
		.id = xstrdup(json_text(document, "id")),
		.name = first_text(document, names),
		.scope = scope_of(json_text(document, "id")),
		.assignment = first_text(document, assignments),
		.expires = expires,
		.owner = owner,
		.ticket = first_text(document, tickets),
		.why = first_text(document, reasons),
	};
	add_references(e, json_path(document, "properties.policyDefinitionReferenceIds"));
	e->text = text_of(e, document);
	return 0;
}

/* --- the list --- */

static void exemption_fini(struct policy_exemption *e)
{
	for (size_t i = 0; i < e->reference_count; i++)
		free(e->references[i]);
	free(e->references);
	free(e->id);
	free(e->name);
	free(e->scope);
	free(e->assignment);
	free(e->owner);
	free(e->ticket);
	free(e->why);
	free(e->text);
}

void policy_exemptions_fini(struct policy_exemptions *p)
{
	for (size_t i = 0; i < p->n; i++)
		exemption_fini(&p->v[i]);
	free(p->v);
	*p = (struct policy_exemptions){0};
}

static bool is_same(const struct policy_exemption *a, const struct policy_exemption *b)
{
	bool same = str_equal_nocase(a->id, b->id) && str_equal(a->text, b->text) &&
		a->expires.ms == b->expires.ms && a->reference_count == b->reference_count;

	for (size_t i = 0; same && i < a->reference_count; i++)
		same = str_equal_nocase(a->references[i], b->references[i]);
	return same;
}

bool policy_exemptions_equal(const struct policy_exemptions *a, const struct policy_exemptions *b)
{
	bool same = a->n == b->n && wall_is_set(a->at) == wall_is_set(b->at);

	for (size_t i = 0; same && i < a->n; i++)
		same = is_same(&a->v[i], &b->v[i]);
	return same;
}

bool policy_exemptions_known(const struct policy_exemptions *p, struct wall now)
{
	return wall_is_set(p->at) && wall_since(now, p->at).ms <= ASSIGNED_POLICIES_AGE.ms;
}

/* --- one of them --- */

bool policy_exemption_reaches(const struct policy_exemption *e, const char *resource_id)
{
	return str_starts_nocase(e->scope, GROUPS) || policy_scope_is_above(e->scope, resource_id);
}

struct wall policy_exemption_until(const struct policy_exemption *e, struct dur grace)
{
	return e->expires.ms == WALL_NEVER.ms ? e->expires : wall_add(e->expires, grace);
}

static bool is_id_or_name(const char *id, const char *text)
{
	const char *slash = strrchr(id, '/');

	return arm_id_same(id, text) || (slash != NULL && str_equal_nocase(slash + 1, text));
}

bool policy_exemption_is_named(const struct policy_exemption *e,
	const struct assigned_policies *policies, char *const *list, size_t count)
{
	const struct assigned_policy *policy = assigned_policies_find(policies, e->assignment);

	for (size_t i = 0; i < count; i++)
		if (is_id_or_name(e->assignment, list[i]) ||
			(policy != NULL &&
				(str_equal_nocase(policy->name, list[i]) ||
					is_id_or_name(policy->definition, list[i]))))
			return true;
	return false;
}

static bool has_reference(const struct policy_exemption *e, const char *reference)
{
	if (e->reference_count == 0 || reference == NULL)
		return true;
	for (size_t i = 0; i < e->reference_count; i++)
		if (str_equal_nocase(e->references[i], reference))
			return true;
	return false;
}

enum tri policy_exemption_is_from(const struct policy_exemption *e,
	const struct assigned_policies *policies, unsigned deeds, struct wall now)
{
	const struct assigned_policy *policy = assigned_policies_find(policies, e->assignment);

	for (size_t i = 0; policy != NULL && i < policy->part_count; i++)
		if (((1u << policy->parts[i].deed) & deeds) != 0 &&
			has_reference(e, policy->parts[i].reference))
			return TRI_YES;
	/* A list that is whole has every assignment of which something is known. */
	return assigned_policies_known(policies, now) ? TRI_NO : TRI_UNKNOWN;
}

const char *policy_exemption_group(const char *id, size_t *ret_len)
{
	if (!str_starts_nocase(id, GROUPS))
		return NULL;
	id += strlen(GROUPS);
	*ret_len = strcspn(id, "/");
	return id;
}
