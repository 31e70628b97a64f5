/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_bind.h"

#include "lib/base/str.h"

#include <stdio.h>

const struct kql_table_column kql_table_columns[KQL_TABLE_COLUMNS] = {
	{"id", KQL_STRING},
	{"name", KQL_STRING},
	{"type", KQL_STRING},
	{"tenantId", KQL_STRING},
	{"kind", KQL_STRING},
	{"location", KQL_STRING},
	{"resourceGroup", KQL_STRING},
	{"subscriptionId", KQL_STRING},
	{"managedBy", KQL_STRING},
	{"sku", KQL_DYNAMIC},
	{"plan", KQL_DYNAMIC},
	{"properties", KQL_DYNAMIC},
	{"tags", KQL_DYNAMIC},
	{"identity", KQL_DYNAMIC},
	{"zones", KQL_DYNAMIC},
	{"extendedLocation", KQL_DYNAMIC},
};

static const char *const tables[] = {"advisorresources", "alertsmanagementresources",
	"appserviceresources", "authorizationresources", "awsresources",
	"azurebusinesscontinuityresources", "chaosresources", "communitygalleryresources",
	"computeresources", "desktopvirtualizationresources", "dnsresources", "edgeorderresources",
	"elasticsanresources", "extendedlocationresources", "extensibilityresourcechanges",
	"featureresources", "guestconfigurationresources", "healthresourcechanges",
	"healthresources", "insightsresources", "iotsecurityresources",
	"kubernetesconfigurationresources", "kustoresources", "maintenanceresources",
	"managedservicesresources", "migrateresources", "networkresources", "orbitalresources",
	"patchassessmentresources", "patchinstallationresources", "policyresources",
	"quotaresources", "recoveryservicesresources", "resourcechanges",
	"resourcecontainerchanges", "resourcecontainers", "resources", "securityresources",
	"servicefabricresources", "servicehealthresources", "spotresources", "supportresources",
	"tagsresources", "workloadmonitorresources"};

const char *kql_table_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (str_equal_nocase(tables[i], name))
			return tables[i];
	return NULL;
}

/* "left" + "right" in the query's memory. */
static const char *joined(struct kql_binder *b, const char *left, const char *right)
{
	size_t first = strlen(left), second = strlen(right);
	char *name;

	if (left == NULL || right == NULL || first + second > KQL_NAME_MAX)
		return NULL;
	name = kql_bind_take(b, first + second + 1);
	if (name == NULL)
		return NULL;
	memcpy(name, left, first);
	memcpy(name + first, right, second);
	return name;
}

static const char *index_name(struct kql_binder *b, const struct kql_node *node)
{
	const char *of = kql_implied_name(b, node->args[0]);
	const struct kql_node *index = node->args[1];
	char number[32];

	if (of == NULL || index->kind != KQL_NODE_LITERAL || index->literal.kind != KQL_IS_LONG)
		return NULL;
	snprintf(number, sizeof(number), "_%lld", (long long)index->literal.number);
	return joined(b, of, number);
}

static const char *call_name(struct kql_binder *b, const struct kql_node *call)
{
	const struct kql_aggregate_function *aggregate = kql_aggregate_find(call->name);
	const struct kql_function *function = kql_function_find(call->name);
	const char *argument = NULL;

	if (call->count > 0)
		argument = kql_implied_name(b, call->args[0]);
	if (aggregate != NULL && !aggregate->wide)
		return joined(b, aggregate->prefix,
			argument != NULL && !aggregate->named_alone ? argument : "");
	if (aggregate != NULL || (function != NULL && function->converts))
		return argument;
	return NULL;
}

const char *kql_implied_name(struct kql_binder *b, const struct kql_node *node)
{
	const char *of;

	switch (node->kind) {
	case KQL_NODE_NAME: return node->name;
	case KQL_NODE_MEMBER:
		of = kql_implied_name(b, node->args[0]);
		of = of != NULL ? joined(b, of, "_") : NULL;
		return of != NULL ? joined(b, of, node->name) : NULL;
	case KQL_NODE_INDEX: return index_name(b, node);
	case KQL_NODE_CALL: return call_name(b, node);
	case KQL_NODE_LITERAL:
	case KQL_NODE_NEGATE:
	case KQL_NODE_BINARY:
	case KQL_NODE_ALL:
	case KQL_NODE_ANY:
	case KQL_NODE_IN:
	case KQL_NODE_STAR:
	case KQL_NODE_TYPE: break;
	}
	return NULL;
}

const char *kql_unique_name(struct kql_binder *b, const struct kql_schema *schema, const char *base)
{
	char number[16];
	const char *name = base;

	for (unsigned i = 1; name != NULL && kql_bind_find(schema, name) != NULL; i++) {
		snprintf(number, sizeof(number), "%u", i);
		name = joined(b, base, number);
	}
	if (name == NULL)
		kql_bind_fail(b, "the name of a column is too long");
	return name;
}

bool kql_name_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *retry = NULL;

	/* On a mismatch the last star takes one more character. */
	while (*name != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			retry = name;
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
