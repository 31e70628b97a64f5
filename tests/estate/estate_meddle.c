/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another hand: changes that tests make behind everyone's back, without any check, and hands that a
 * document describes, which change the same thing again and again.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define CALLER "another.hand@contoso.test"

#define ACTIONS(type) \
	{ \
		type "/write", type "/delete" \
	}
static const struct {
	const char *mark;
	enum resource_kind kind;
	const char *actions[2];
} marks[] = {
	{"/providers/Microsoft.Authorization/locks/", RESOURCE_LOCK,
		ACTIONS("Microsoft.Authorization/locks")},
	{"/providers/Microsoft.Authorization/policyExemptions/", RESOURCE_POLICY,
		ACTIONS("Microsoft.Authorization/policyExemptions")},
	{"/providers/Microsoft.Authorization/policyAssignments/", RESOURCE_POLICY,
		ACTIONS("Microsoft.Authorization/policyAssignments")},
	{"/providers/Microsoft.Security/pricings/", RESOURCE_PRICING,
		ACTIONS("Microsoft.Security/pricings")},
	{"/providers/Microsoft.Security/settings/", RESOURCE_SETTING,
		ACTIONS("Microsoft.Security/settings")},
	{"/providers/Microsoft.Security/serverVulnerabilityAssessmentsSettings/",
		RESOURCE_VA_SETTING,
		ACTIONS("Microsoft.Security/serverVulnerabilityAssessmentsSettings")},
	{"/providers/Microsoft.Security/autoProvisioningSettings/", RESOURCE_AUTO_PROVISIONING,
		ACTIONS("Microsoft.Security/autoProvisioningSettings")},
	{"/providers/Microsoft.Security/securityConnectors/", RESOURCE_CONNECTOR,
		ACTIONS("Microsoft.Security/securityConnectors")},
	{"/providers/Microsoft.OperationsManagement/solutions/", RESOURCE_SOLUTION,
		ACTIONS("Microsoft.OperationsManagement/solutions")},
	{"/providers/Microsoft.OperationalInsights/workspaces/", RESOURCE_WORKSPACE,
		ACTIONS("Microsoft.OperationalInsights/workspaces")},
	{"/providers/Microsoft.Insights/dataCollectionRules/", RESOURCE_RULE,
		ACTIONS("Microsoft.Insights/dataCollectionRules")},
	{"/providers/Microsoft.Insights/dataCollectionRuleAssociations/", RESOURCE_ASSOCIATION,
		ACTIONS("Microsoft.Insights/dataCollectionRuleAssociations")},
	{"/extensions/", RESOURCE_EXTENSION,
		ACTIONS("Microsoft.HybridCompute/machines/extensions")},
	{"/providers/Microsoft.HybridCompute/machines/", RESOURCE_MACHINE,
		ACTIONS("Microsoft.HybridCompute/machines")},
	{"/providers/Microsoft.Compute/virtualMachines/", RESOURCE_MACHINE,
		ACTIONS("Microsoft.Compute/virtualMachines")},
};

/* The last place of a mark: names may look like types. */
static const char *find_mark(const char *id, const char *mark)
{
	const char *found = NULL;

	for (const char *at = strcasestr(id, mark); at != NULL; at = strcasestr(at + 1, mark))
		found = at;
	return found;
}

static const char *action_on(const char *id, bool deleted)
{
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (find_mark(id, marks[i].mark) != NULL)
			return marks[i].actions[deleted];
	if (str_ends_nocase(id, "/providers/Microsoft.Security"))
		return "Microsoft.Security/unregister/action";
	return deleted ? "Microsoft.Resources/resources/delete"
		       : "Microsoft.Resources/resources/write";
}

static enum resource_kind kind_of(const char *id)
{
	size_t slashes = 0;

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		const char *at = find_mark(id, marks[i].mark);

		if (at == NULL || strchr(at + strlen(marks[i].mark), '/') != NULL)
			continue;
		if (marks[i].kind == RESOURCE_PRICING &&
			(strcasestr(id, "/machines/") != NULL ||
				strcasestr(id, "/Microsoft.Compute/virtualMachines/") != NULL))
			return RESOURCE_MACHINE_PRICING;
		return marks[i].kind;
	}
	for (const char *p = id; *p != '\0'; p++)
		slashes += *p == '/';
	if (slashes == 4 && strcasestr(id, "/resourceGroups/") != NULL)
		return RESOURCE_GROUP;
	return slashes == 4 && strcasestr(id, "/providers/") != NULL ? RESOURCE_PROVIDER
								     : RESOURCE_OTHER;
}

static struct subscription *subscription_of(struct estate *e, const char *id)
{
	static const char prefix[] = "/subscriptions/";
	char guid[GUID_SIZE];

	if (!str_starts_nocase(id, prefix))
		return NULL;
	str_copy(guid, sizeof(guid), id + strlen(prefix));
	return estate_subscription(e, guid);
}

/* An extension needs its machine, a machine a group in its id. */
static bool has_parent(struct estate *e, const char *id, enum resource_kind kind)
{
	mdc_autofree char *up = xstrdup(id);
	const char *cut;

	if (kind == RESOURCE_MACHINE)
		return str_starts_nocase(
			id + strlen("/subscriptions/") + GUID_SIZE - 1, "/resourceGroups/");
	if (kind != RESOURCE_EXTENSION && kind != RESOURCE_MACHINE_PRICING)
		return true;
	cut = find_mark(
		id, kind == RESOURCE_EXTENSION ? "/extensions/" : "/providers/Microsoft.Security/");
	up[cut - id] = '\0';
	return machine_of(estate_find(e, up)) != NULL;
}

static void record(struct estate *e, struct subscription *sub, const char *caller, const char *id,
	bool deleted)
{
	char correlation[GUID_SIZE];

	estate_guid(e, correlation);
	activity_record(e, sub,
		&(struct activity_event){
			.resource_id = id,
			.action = action_on(id, deleted),
			.caller = caller,
			.correlation_id = correlation,
			.method = deleted ? "DELETE" : "PUT",
			.status = "Succeeded",
			.http_status = 200,
		});
	ledger_meddled(e, id);
}

static int create(struct estate *e, struct subscription *sub, const char *id, json_t *take_doc)
{
	enum resource_kind kind = kind_of(id);

	if (!has_parent(e, id, kind)) {
		json_decref(take_doc);
		return -ENOENT;
	}
	estate_create(e, kind, id, sub, take_doc);
	if (kind == RESOURCE_MACHINE)
		heartbeat_start(e, machine_of(estate_find(e, id)));
	return 0;
}

/* Not in its document: where it hangs in the tree of management groups. */
static int move(struct estate *e, struct subscription *sub, const json_t *name)
{
	struct management_group *group =
		map_get(&e->management_groups, json_is_string(name) ? json_string_value(name) : "");

	if (group == NULL)
		return -ENOENT;
	sub->group = group;
	estate_replace(e, &sub->res, json_deep_copy(sub->res.doc));
	return 0;
}

/* Nor is this: no part of Azure knows what the sensor on a machine does. */
static int set_sensor(struct estate *e, struct machine *m, const json_t *word)
{
	static const char *const words[] = {[SENSOR_REPORTS] = "reporting",
		[SENSOR_IS_SILENT] = "silent",
		[SENSOR_IS_FOREIGN] = "foreign"};

	for (unsigned i = 0; i < SENSOR_WAY_N_; i++) {
		if (!str_equal(json_string_value(word), words[i]))
			continue;
		m->sensor = (enum sensor_way)i;
		m->silent_since = e->now;
		return 0;
	}
	return -ENOENT;
}

int meddle_as(struct estate *e, const char *caller, const char *resource_id, const char *member,
	json_t *value)
{
	struct subscription *sub = subscription_of(e, resource_id);
	struct resource *r = estate_find(e, resource_id);

	if (sub == NULL || (r == NULL && (value == NULL || member != NULL)))
		return -ENOENT;
	if (r == &sub->res && str_equal(member, "managementGroup"))
		return move(e, sub, value);
	if (machine_of(r) != NULL && str_equal(member, "sensor"))
		return set_sensor(e, machine_of(r), value);
	record(e, sub, caller, resource_id, value == NULL && member == NULL);
	if (member != NULL)
		estate_replace(e, r, tree_with(r->doc, member, json_deep_copy(value)));
	else if (value == NULL)
		estate_remove(e, r);
	else if (r != NULL)
		estate_replace(e, r, json_deep_copy(value));
	else
		return create(e, sub, resource_id, json_deep_copy(value));
	return 0;
}

int estate_meddle(struct estate *e, const char *resource_id, const char *member, json_t *value)
{
	return meddle_as(e, CALLER, resource_id, member, value);
}

/* --- hands of their own accord --- */

static void hand_strikes(struct estate *e, struct estate_event *event)
{
	struct hand *h = container_of(event, struct hand, event);

	/* What is not there now may be there the next time. */
	if (meddle_as(e, h->caller != NULL ? h->caller : CALLER, h->resource, h->member,
		    h->value) == 0)
		h->struck++;
	if (h->every.ms > 0 && (h->times == 0 || h->struck < h->times))
		estate_schedule(e, event, wall_add(e->now, h->every));
}

void hand_start(struct estate *e, struct hand *h)
{
	h->event.fire = hand_strikes;
	vec_add(&e->hands, h);
	estate_schedule(e, &h->event, wall_add(e->start, h->after));
}

void hand_free(struct hand *h)
{
	free(h->resource);
	free(h->member);
	free(h->caller);
	json_decref(h->value);
	free(h);
}
