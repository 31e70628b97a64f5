/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every request that the daemon can compose, held against Microsoft's published OpenAPI documents:
 * path, method and api-version are an operation; query members are declared and complete; bodies
 * have what is required and nothing that is read-only or unknown.
 *
 * The documents are not part of the project. Where they are not found (MDC_AZURE_SPECS, or
 * ../shared/azure-specs beside the repository) the tests are skipped.
 */
#include "lib/azure/access_request.h"
#include "lib/azure/arm_connector.h"
#include "lib/azure/arm_document.h"
#include "lib/azure/arm_request.h"
#include "lib/azure/arm_workspace.h"
#include "lib/azure/graph_query.h"
#include "lib/base/buf.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SUB "11111111-aaaa-bbbb-cccc-222222222222"
#define MACHINE \
	"/subscriptions/" SUB "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m1"
#define VM "/subscriptions/" SUB "/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/v1"
#define WORKSPACE \
	"/subscriptions/" SUB \
	"/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/w1"
#define SOLUTION \
	"/subscriptions/" SUB \
	"/resourcegroups/rg/providers/Microsoft.OperationsManagement/solutions/Security(w1)"
#define COLLECTION_RULE \
	"/subscriptions/" SUB \
	"/resourceGroups/rg/providers/Microsoft.Insights/dataCollectionRules/r1"
#define CONNECTOR \
	"/subscriptions/" SUB \
	"/resourceGroups/rg/providers/Microsoft.Security/securityConnectors/c1"
#define PARTS_MAX 32

static const char *root;
static struct map files; /* path to its document */

static void forget_document(void *value)
{
	json_decref(value);
}

static json_t *document_at(const char *path)
{
	json_t *document = map_get(&files, path);

	if (document == NULL) {
		json_error_t error;

		document = json_load_file(path, 0, &error);
		if (document == NULL)
			fail_msg("%s: %s", path, error.text);
		map_set(&files, path, document);
	}
	return document;
}

/* --- references --- */

/* A node of a document, with the file that its relative references start from. */
struct node {
	const char *file;
	json_t *json;
};

static json_t *by_pointer(json_t *document, const char *pointer)
{
	mdc_autofree char *copy = xstrdup(pointer);
	char *rest = copy, *key;

	while ((key = strsep(&rest, "/")) != NULL)
		if (*key != '\0')
			document = json_object_get(document, key);
	return document;
}

/* Follows $ref, if there is one. */
static struct node resolved(struct node node)
{
	const char *ref = json_string_value(json_object_get(node.json, "$ref"));

	while (ref != NULL) {
		size_t len = strcspn(ref, "#");

		if (len > 0) {
			int dir = (int)(strrchr(node.file, '/') - node.file);
			mdc_autofree char *path =
				xasprintf("%.*s/%.*s", dir, node.file, (int)len, ref);
			size_t at = 0;
			struct map_entry *entry;

			document_at(path);
			while ((entry = map_walk(&files, &at)) != NULL)
				if (str_equal(entry->key, path))
					node.file = entry->key;
		}
		node.json = by_pointer(document_at(node.file), ref + len + 1);
		if (node.json == NULL)
			fail_msg("%s: dangling %s", node.file, ref);
		ref = json_string_value(json_object_get(node.json, "$ref"));
	}
	return node;
}

/* --- bodies --- */

static void check_value(struct node schema, json_t *value, const char *where);

static bool find_property(struct node schema, const char *name, struct node *ret, bool *ret_open)
{
	json_t *property, *part;
	size_t i;

	schema = resolved(schema);
	property = json_object_get(json_object_get(schema.json, "properties"), name);
	if (property != NULL) {
		*ret = (struct node){schema.file, property};
		return true;
	}
	if (json_object_get(schema.json, "additionalProperties") != NULL)
		*ret_open = true;
	json_array_foreach (json_object_get(schema.json, "allOf"), i, part)
		if (find_property((struct node){schema.file, part}, name, ret, ret_open))
			return true;
	return false;
}

static void check_required(struct node schema, json_t *value, const char *where)
{
	json_t *name, *part;
	size_t i;

	schema = resolved(schema);
	json_array_foreach (json_object_get(schema.json, "required"), i, name)
		if (json_object_get(value, json_string_value(name)) == NULL)
			fail_msg("%s lacks the required %s", where, json_string_value(name));
	json_array_foreach (json_object_get(schema.json, "allOf"), i, part)
		check_required((struct node){schema.file, part}, value, where);
}

/* Whether the definition extends that schema: words stand for others under another discriminator.
 */
static bool extends(struct node definition, struct node schema)
{
	json_t *part;
	size_t i;

	json_array_foreach (json_object_get(definition.json, "allOf"), i, part)
		if (resolved((struct node){definition.file, part}).json == schema.json)
			return true;
	return false;
}

/* The definition that the discriminator's value names. */
static struct node specialised(struct node schema, json_t *value)
{
	const char *member = json_string_value(json_object_get(schema.json, "discriminator"));
	const char *word = member != NULL ? json_text(value, member) : NULL;
	json_t *definition;
	const char *name;

	if (word == NULL)
		return schema;
	json_object_foreach (
		json_object_get(document_at(schema.file), "definitions"), name, definition) {
		json_t *mark = json_object_get(definition, "x-ms-discriminator-value");

		struct node found = {schema.file, definition};

		if (str_equal(mark != NULL ? json_string_value(mark) : name, word) &&
			extends(found, schema))
			return found;
	}
	fail_msg("%s: no %s is called %s", schema.file, member, word);
	return schema;
}

static void check_object(struct node schema, json_t *value, const char *where)
{
	const char *name;
	json_t *member;

	if (!json_is_object(value))
		fail_msg("%s is no object", where);
	schema = specialised(schema, value);
	check_required(schema, value, where);
	/* Free form. */
	if (json_object_get(schema.json, "properties") == NULL &&
		json_object_get(schema.json, "allOf") == NULL)
		return;
	json_object_foreach (value, name, member) {
		mdc_autofree char *path = xasprintf("%s.%s", where, name);
		struct node property;
		bool open = false;

		if (!find_property(schema, name, &property, &open)) {
			if (!open)
				fail_msg("%s is not known", path);
			continue;
		}
		if (json_is_true(json_object_get(property.json, "readOnly")) ||
			json_is_true(json_object_get(resolved(property).json, "readOnly")))
			fail_msg("%s is read-only", path);
		check_value(property, member, path);
	}
}

static void check_string(struct node schema, json_t *value, const char *where)
{
	json_t *words = json_object_get(schema.json, "enum"), *word;
	size_t i;

	if (!json_is_string(value))
		fail_msg("%s is no string", where);
	if (words == NULL)
		return;
	json_array_foreach (words, i, word)
		if (str_equal(json_string_value(word), json_string_value(value)))
			return;
	fail_msg("%s may not be %s", where, json_string_value(value));
}

static void check_array(struct node schema, json_t *value, const char *where)
{
	json_t *items = json_object_get(schema.json, "items"), *item;
	size_t i;

	if (!json_is_array(value))
		fail_msg("%s is no array", where);
	json_array_foreach (value, i, item)
		check_value((struct node){schema.file, items}, item, where);
}

static void check_value(struct node schema, json_t *value, const char *where)
{
	const char *type;

	schema = resolved(schema);
	type = json_string_value(json_object_get(schema.json, "type"));
	if (type == NULL || str_equal(type, "object"))
		check_object(schema, value, where);
	else if (str_equal(type, "string"))
		check_string(schema, value, where);
	else if (str_equal(type, "array"))
		check_array(schema, value, where);
	else if (str_equal(type, "boolean") && !json_is_boolean(value))
		fail_msg("%s is no boolean", where);
	else if (str_equal(type, "integer") && !json_is_integer(value))
		fail_msg("%s is no integer", where);
}

/* --- paths --- */

struct parts {
	char *scratch;
	char *v[PARTS_MAX];
	size_t n;
};

static void parts_fini(struct parts *p)
{
	free(p->scratch);
}

static struct parts split(const char *path, const char *separators)
{
	struct parts p = {.scratch = xstrdup(path)};
	char *rest = p.scratch, *part;

	while ((part = strsep(&rest, separators)) != NULL)
		if (*part != '\0' && p.n < PARTS_MAX)
			p.v[p.n++] = part;
	return p;
}

static bool is_variable(const char *part)
{
	return part[0] == '{';
}

/* A variable at the front ("/{scope}/…") stands for any number of segments: align at the end. */
static bool fits(const struct parts *template, const struct parts *path)
{
	size_t shift = path->n - template->n;

	if (path->n < template->n || (shift > 0 && !is_variable(template->v[0])))
		return false;
	for (size_t i = shift > 0 ? 1 : 0; i < template->n; i++)
		if (!is_variable(template->v[i]) &&
			!str_equal_nocase(template->v[i], path->v[i + shift]))
			return false;
	return true;
}

static const char *value_of(
	const struct parts *template, const struct parts *path, const char *variable)
{
	for (size_t i = 0; i < template->n; i++) {
		size_t len = strlen(variable);

		if (is_variable(template->v[i]) &&
			strncmp(template->v[i] + 1, variable, len) == 0 &&
			template->v[i][len + 1] == '}')
			return path->v[i + path->n - template->n];
	}
	return NULL;
}

/* --- operations --- */

struct row {
	char *version, *operation, *method, *path, *spec;
};

static struct row *rows;
static size_t row_count;

static FILE *open_list(void)
{
	mdc_autofree char *name = xasprintf("%s/OPERATIONS.tsv", root);

	return fopen(name, "re");
}

static void load_operations(void)
{
	FILE *file = open_list();
	char *line = NULL;
	size_t size = 0;

	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		char *rest = line, *columns[11];
		size_t n = 0;

		while (n < ARRAY_LEN(columns) && rest != NULL)
			columns[n++] = strsep(&rest, "\t\n");
		if (n < ARRAY_LEN(columns))
			continue;
		rows = xreallocarray(rows, row_count + 1, sizeof(*rows));
		rows[row_count++] = (struct row){xstrdup(columns[0]), xstrdup(columns[1]),
			xstrdup(columns[2]), xstrdup(columns[3]), xstrdup(columns[10])};
	}
	free(line);
	fclose(file);
	assert_true(row_count > 300);
}

struct question {
	struct parts path, query;
};

static bool asks(const struct question *q, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < q->query.n; i++)
		if (strncmp(q->query.v[i], name, len) == 0 && q->query.v[i][len] == '=')
			return true;
	return false;
}

static void check_variable(const struct row *row, const struct question *q, json_t *parameter)
{
	const char *name = json_string_value(json_object_get(parameter, "name"));
	json_t *words = json_object_get(parameter, "enum"), *word;
	struct parts template = split(row->path, "/");
	const char *value = value_of(&template, &q->path, name);
	bool known = words == NULL;
	size_t i;

	json_array_foreach (words, i, word)
		known = known || str_equal_nocase(json_string_value(word), value);
	if (!known)
		fail_msg("%s: %s may not be %s", row->operation, name, value);
	parts_fini(&template);
}

/* Returns how many query members the parameter accounts for. */
static size_t check_parameter(const struct row *row, struct node parameter,
	const struct question *q, const struct arm_request *r)
{
	const char *in, *name;
	bool required;

	parameter = resolved(parameter);
	in = json_string_value(json_object_get(parameter.json, "in"));
	name = json_string_value(json_object_get(parameter.json, "name"));
	required = json_is_true(json_object_get(parameter.json, "required"));
	if (str_equal(in, "path"))
		check_variable(row, q, parameter.json);
	if (str_equal(in, "body")) {
		if (r->body == NULL && required)
			fail_msg("%s: no body", row->operation);
		if (r->body == NULL)
			return 0;
		check_value(
			(struct node){parameter.file, json_object_get(parameter.json, "schema")},
			r->body, row->operation);
	}
	if (!str_equal(in, "query"))
		return 0;
	if (required && !asks(q, name))
		fail_msg("%s: %s is not asked", row->operation, name);
	return asks(q, name) ? 1 : 0;
}

static void check_operation(
	const struct row *row, const struct question *q, const struct arm_request *r)
{
	mdc_autofree char *file = xasprintf("%s/%s", root, row->spec);
	mdc_autofree char *method = xstrdup(row->method);
	json_t *document = document_at(file), *item, *parameter;
	size_t i, members = 0;

	str_fold(method);
	item = json_object_get(json_object_get(document, "paths"), row->path);
	if (item == NULL)
		item = json_object_get(json_object_get(document, "x-ms-paths"), row->path);
	item = json_object_get(item, method);
	if (item == NULL)
		fail_msg("%s is not in %s", row->operation, file);
	json_array_foreach (json_object_get(item, "parameters"), i, parameter)
		members += check_parameter(row, (struct node){file, parameter}, q, r);
	if (members != q->query.n)
		fail_msg("%s: the query has a member that is not declared", row->operation);
}

/* The one that says most: "/{resourceId}" fits everything. */
static const struct row *find_operation(const struct question *q, const char *method)
{
	const struct row *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < row_count; i++) {
		struct parts template = split(rows[i].path, "/");
		mdc_autofree char *version = xasprintf("api-version=%s", rows[i].version);
		bool found = str_equal(rows[i].method, method) && q->query.n > 0 &&
			str_equal(q->query.v[0], version) && fits(&template, &q->path);

		if (found && template.n > most) {
			most = template.n;
			best = &rows[i];
		}
		parts_fini(&template);
	}
	return best;
}

static void check(struct arm_request *r, const char *operation)
{
	struct parts halves = split(r->path, "?");
	struct question q = {split(halves.v[0], "/"), split(halves.v[1], "&")};
	const struct row *row = find_operation(&q, r->method);

	if (row == NULL)
		fail_msg("%s %s is no operation", r->method, r->path);
	if (!str_equal(row->operation, operation))
		fail_msg("%s %s is %s", r->method, r->path, row->operation);
	check_operation(row, &q, r);
	parts_fini(&q.path);
	parts_fini(&q.query);
	parts_fini(&halves);
	arm_request_fini(r);
}

/* --- tests --- */

static void reads_are_operations(void **state)
{
	struct arm_request r;

	(void)state;
	arm_list_subscriptions(&r);
	check(&r, "Subscriptions_List");
	arm_get_subscription(SUB, &r);
	check(&r, "Subscriptions_Get");
	arm_get_pricing(SUB, &r);
	check(&r, "Pricings_Get");
	arm_get_machine_plan(MACHINE, &r);
	check(&r, "Pricings_Get");
	arm_list_settings(SUB, &r);
	check(&r, "Settings_List");
	arm_get_setting(SUB, "WDATP", &r);
	check(&r, "Settings_Get");
	arm_get_vulnerability_setting(SUB, &r);
	check(&r, "ServerVulnerabilityAssessmentsSettings_Get");
	arm_get_auto_provisioning(SUB, &r);
	check(&r, "AutoProvisioningSettings_Get");
	arm_list_policy_assignments(SUB, &r);
	check(&r, "PolicyAssignments_List");
	arm_list_policy_exemptions(SUB, &r);
	check(&r, "PolicyExemptions_List");
	arm_list_connectors(SUB, &r);
	check(&r, "SecurityConnectors_List");
	arm_get_connector(CONNECTOR, &r);
	check(&r, "SecurityConnectors_Get");
	arm_list_workspaces(SUB, &r);
	check(&r, "Workspaces_List");
	arm_list_solutions(SUB, &r);
	check(&r, "Solutions_ListBySubscription");
	arm_get_solution(SOLUTION, &r);
	check(&r, "Solutions_Get");
	assert_int_equal(arm_get_collection_rule(COLLECTION_RULE, &r), 0);
	check(&r, "DataCollectionRules_Get");
	arm_get_provider(SUB, "Microsoft.Security", &r);
	check(&r, "Providers_Get");
	arm_get_onboarding(SUB, &r);
	check(&r, "MdeOnboardings_List");
	arm_get_machine(MACHINE, &r);
	check(&r, "Machines_Get");
	arm_list_machines(SUB, &r);
	check(&r, "Machines_ListBySubscription");
	arm_get_extension(MACHINE, "MDE.Linux", &r);
	check(&r, "MachineExtensions_Get");
	arm_list_extensions(MACHINE, &r);
	check(&r, "MachineExtensions_List");
	arm_get_machine(VM, &r);
	check(&r, "VirtualMachines_Get");
	arm_list_vms(SUB, false, &r);
	check(&r, "VirtualMachines_ListAll");
	arm_list_vms(SUB, true, &r);
	check(&r, "VirtualMachines_ListAll");
	arm_get_extension(VM, "MDE.Linux", &r);
	check(&r, "VirtualMachineExtensions_Get");
	arm_list_extensions(VM, &r);
	check(&r, "VirtualMachineExtensions_List");
	arm_get_machine_plan(VM, &r);
	check(&r, "Pricings_Get");
	arm_list_descendants("mg prod", &r);
	check(&r, "ManagementGroups_GetDescendants");
	arm_find_activity(SUB, SUB, (struct wall){1}, (struct wall){2}, &r);
	check(&r, "ActivityLogs_List");
}

/* Permissions of a subscription are in no published document, those of a group are. */
static void questions_of_the_preflight_are_operations(void **state)
{
	struct arm_request r;

	(void)state;
	access_list_permissions(SUB, "rg 1", &r);
	check(&r, "Permissions_ListForResourceGroup");
	access_get_registration(SUB, "Microsoft.Security", &r);
	check(&r, "Providers_Get");
	access_list_locks(SUB, &r);
	check(&r, "ManagementLocks_ListAtSubscriptionLevel");
	access_list_deny_assignments(SUB, &r);
	check(&r, "DenyAssignments_List");
	access_check_policies(SUB, NULL, json_pack("{s:s}", "type", "Microsoft.Security/pricings"),
		"2024-01-01", &r);
	check(&r, "PolicyRestrictions_CheckAtSubscriptionScope");
	access_check_policies(SUB, MACHINE, json_pack("{s:s}", "type", "x"), "2025-01-13", &r);
	check(&r, "PolicyRestrictions_CheckAtSubscriptionScope");
}

static void every_question_to_resource_graph_is_an_operation(void **state)
{
	static const char *const subscriptions[] = {SUB};
	struct arm_request r;

	(void)state;
	for (unsigned t = 0; t < GRAPH_TABLE_N_; t++) {
		struct graph_question question = {.table = (enum graph_table)t};

		graph_request(&question, &r);
		check(&r, "Resources");
		question.partitions = 7;
		question.index = 3;
		question.subscriptions = subscriptions;
		question.subscription_count = 1;
		question.skip_token = "token";
		question.rows = 250;
		graph_request(&question, &r);
		check(&r, "Resources");
	}
}

static void every_setting_that_is_switched_is_known(void **state)
{
	static const char *const names[] = {
		"WDATP", "WDATP_UNIFIED_SOLUTION", "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"};
	struct arm_request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		arm_put_setting(SUB, names[i], true, &r);
		check(&r, "Settings_Update");
		arm_put_setting(SUB, names[i], false, &r);
		check(&r, "Settings_Update");
	}
}

static void registrations_and_assessors_can_be_written(void **state)
{
	struct arm_request r;

	(void)state;
	arm_register_provider(SUB, "Microsoft.Security", &r);
	check(&r, "Providers_Register");
	arm_put_vulnerability_setting(SUB, &r);
	check(&r, "ServerVulnerabilityAssessmentsSettings_CreateOrUpdate");
}

static void plans_made_from_what_was_read_can_be_put(void **state)
{
	static const char *const current[] = {
		"{}",
		"{\"properties\":{\"pricingTier\":\"Free\",\"freeTrialRemainingTime\":\"P30D\"}}",
		"{\"id\":\"i\",\"name\":\"n\",\"type\":\"t\",\"properties\":{\"pricingTier\":"
		"\"Standard\",\"subPlan\":\"P1\",\"enforce\":\"True\",\"freeTrialRemainingTime\":"
		"\"PT0S\",\"enablementTime\":\"2023-03-01T12:42:42.1921106Z\",\"inherited\":"
		"\"True\","
		"\"inheritedFrom\":\"x\",\"resourcesCoverageStatus\":\"FullyCovered\","
		"\"deprecated\":"
		"false,\"replacedBy\":[],\"extensions\":[{\"name\":\"AgentlessVmScanning\","
		"\"isEnabled\":\"True\",\"additionalExtensionProperties\":{\"ExclusionTags\":\"[]"
		"\"},"
		"\"operationStatus\":{\"code\":\"Succeeded\",\"message\":\"m\"}},{\"name\":"
		"\"MdeDesignatedSubscription\",\"isEnabled\":false}]}}",
	};
	static const char *const plans[] = {"P1", "P2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(current) * ARRAY_LEN(plans); i++) {
		json_t *document = json_loads(current[i / 2], 0, NULL);
		struct arm_request r;

		assert_non_null(document);
		arm_put_pricing(SUB, arm_pricing_document(document, "Standard", plans[i % 2]), &r);
		arm_pricing_switch_on(r.body, PLAN_DESIGNATED_SUBSCRIPTION);
		json_decref(document);
		check(&r, "Pricings_Update");
	}
}

/* With all that is read-only, and everything switched on. */
static void connectors_made_from_what_was_read_can_be_put(void **state)
{
#define DOCUMENT(cloud, environment, offering, members) \
	"{\"id\":\"" CONNECTOR "\",\"name\":\"c1\",\"type\":\"t\",\"kind\":\"\",\"etag\":\"\"," \
	"\"location\":\"l\",\"tags\":{},\"systemData\":{},\"properties\":{" \
	"\"hierarchyIdentifier\":\"1\",\"hierarchyIdentifierTrialEndDate\":" \
	"\"2022-01-01T00:00:00Z\",\"environmentName\":\"" cloud \
	"\",\"environmentData\":{" environment \
	",\"scanInterval\":4},\"offerings\":[{\"offeringType\":\"" offering \
	"\",\"description\":\"d\"," members "}]}}"
	static const char *const current[] = {
		DOCUMENT("AWS",
			"\"environmentType\":\"AwsAccount\",\"accountName\":\"a\",\"regions\":[]",
			"DefenderForServersAws",
			"\"defenderForServers\":{\"cloudRoleArn\":\"arn:s\"},\"subPlan\":\"P1\","
			"\"arcAutoProvisioning\":{\"enabled\":false,\"cloudRoleArn\":\"arn:a\"},"
			"\"vmScanners\":{\"enabled\":false,\"cloudRoleArn\":\"arn:v\"}"),
		DOCUMENT("GCP",
			"\"environmentType\":\"GcpProject\",\"projectDetails\":{\"projectNumber\":"
			"\"1\",\"projectId\":\"p\",\"projectName\":\"n\","
			"\"workloadIdentityPoolId\":\"w\"}",
			"DefenderForServersGcp",
			"\"defenderForServers\":{\"workloadIdentityProviderId\":\"w\","
			"\"serviceAccountEmailAddress\":\"a@b\"}"),
	};
#undef DOCUMENT

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(current); i++) {
		json_t *read = json_loads(current[i], 0, NULL);
		json_t *document = arm_connector_document(read);
		struct arm_request r;

		assert_non_null(read);
		arm_connector_set_plan(document, "P2");
		for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
			arm_connector_switch(document, (enum connector_part)p, true);
		arm_put_connector(CONNECTOR, document, &r);
		json_decref(read);
		check(&r, "SecurityConnectors_CreateOrUpdate");
	}
}

/* Of a single account or project, and of an organization, with all that can be said. */
static void connectors_that_are_described_can_be_put(void **state)
{
	static char text[] = "x", *excluded[] = {text};
	static const bool all[CONNECTOR_PART_N_] = {true, true, true, true}, none[] = {0, 0, 0, 0};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct connector_description d = {.cloud = i & 1 ? CONNECTOR_GCP : CONNECTOR_AWS,
			.location = text,
			.hierarchy = text,
			.project = text,
			.scan_hours = 12};
		struct arm_request r;

		for (unsigned k = 0; k < CONNECTOR_IDENTITY_N_; k++)
			d.identities[k] = text;
		if (i & 2) {
			d.stackset = d.organization_provider = d.organization_account = text;
			d.excluded = excluded;
			d.excluded_count = 1;
		}
		arm_put_connector(CONNECTOR,
			arm_connector_new(&d, i & 4 ? "P1" : "P2", i & 4 ? none : all), &r);
		check(&r, "SecurityConnectors_CreateOrUpdate");
	}
}

static void the_plan_of_a_workspace_can_be_put(void **state)
{
	mdc_autofree char *id = arm_solution_id(WORKSPACE);
	struct arm_request r;

	(void)state;
	assert_string_equal(id, SOLUTION);
	arm_put_solution(id, arm_solution_document(WORKSPACE, "westeurope"), &r);
	check(&r, "Solutions_CreateOrUpdate");
}

static void sensors_can_be_put_also_over_what_is_there(void **state)
{
	json_t *current =
		json_loads("{\"id\":\"i\",\"name\":\"n\",\"type\":\"t\",\"location\":\"l\","
			   "\"tags\":{\"a\":\"b\"},\"systemData\":{},\"properties\":{"
			   "\"provisioningState\":\"Failed\",\"instanceView\":{\"status\":{}},"
			   "\"settings\":{\"x\":1},\"protectedSettings\":{},"
			   "\"typeHandlerVersion\":\"1.0.1\"}}",
			0, NULL);
	struct arm_request r;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		arm_put_mde_extension(
			MACHINE, "l", i & 1, i & 2, "cGFja2FnZQ==", i & 4 ? current : NULL, &r);
		check(&r, "MachineExtensions_CreateOrUpdate");
		arm_put_mde_extension(
			VM, "l", i & 1, i & 2, "cGFja2FnZQ==", i & 4 ? current : NULL, &r);
		check(&r, "VirtualMachineExtensions_CreateOrUpdate");
	}
	json_decref(current);
}

static void plans_of_machines_can_be_put(void **state)
{
	struct arm_request r;

	(void)state;
	arm_write_machine_plan(MACHINE, MACHINE_PLAN_P1, &r);
	check(&r, "Pricings_Update");
	arm_write_machine_plan(MACHINE, MACHINE_PLAN_OFF, &r);
	check(&r, "Pricings_Update");
}

static void deletes_are_operations(void **state)
{
	struct arm_request r;

	(void)state;
	arm_delete_extension(MACHINE, "MicrosoftMonitoringAgent", &r);
	check(&r, "MachineExtensions_Delete");
	arm_delete_extension(VM, "MDE.Windows", &r);
	check(&r, "VirtualMachineExtensions_Delete");
	arm_write_machine_plan(MACHINE, MACHINE_PLAN_INHERITED, &r);
	check(&r, "Pricings_Delete");
}

static int set_up(void **state)
{
	(void)state;
	map_init(&files, forget_document);
	load_operations();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		free(rows[i].version);
		free(rows[i].operation);
		free(rows[i].method);
		free(rows[i].path);
		free(rows[i].spec);
	}
	free(rows);
	map_fini(&files);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_are_operations),
		cmocka_unit_test(questions_of_the_preflight_are_operations),
		cmocka_unit_test(every_question_to_resource_graph_is_an_operation),
		cmocka_unit_test(every_setting_that_is_switched_is_known),
		cmocka_unit_test(registrations_and_assessors_can_be_written),
		cmocka_unit_test(plans_made_from_what_was_read_can_be_put),
		cmocka_unit_test(connectors_made_from_what_was_read_can_be_put),
		cmocka_unit_test(connectors_that_are_described_can_be_put),
		cmocka_unit_test(the_plan_of_a_workspace_can_be_put),
		cmocka_unit_test(sensors_can_be_put_also_over_what_is_there),
		cmocka_unit_test(plans_of_machines_can_be_put),
		cmocka_unit_test(deletes_are_operations),
	};

	const char *given = getenv("MDC_AZURE_SPECS");
	FILE *list;

	root = given != NULL ? given : "../shared/azure-specs";
	list = open_list();
	if (list == NULL) {
		printf("1..0 # SKIP no OpenAPI documents at %s: set MDC_AZURE_SPECS\n", root);
		return 0;
	}
	fclose(list);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
