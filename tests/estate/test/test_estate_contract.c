/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The estate's answers against Microsoft's OpenAPI descriptions, and the requests of their examples
 * against the estate. The descriptions are no part of this tree: MDC_AZURE_SPECS names their
 * folder, or it lies at ../shared/azure-specs; without them these tests are skipped.
 */
#include "tests/estate/test/estate_fixture.h"
#include "tests/estate/test/openapi.h"

#define OTHER_MACHINE MACHINES "/m2"
#define VMS SUB_PATH "/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines"
#define COMPUTE "/Microsoft.Compute/"

/* --- the list of operations --- */

static char *folder;
static char *operations; /* the text of OPERATIONS.tsv */

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	struct buf all = BUF_INIT(4 << 20);
	char chunk[8192];
	size_t n;

	if (file == NULL)
		return NULL;
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&all, chunk, n);
	fclose(file);
	return buf_steal(&all);
}

static bool find_descriptions(void)
{
	const char *told = getenv("MDC_AZURE_SPECS");
	mdc_autofree char *path = NULL;

	folder = xstrdup(told != NULL ? told : "../shared/azure-specs");
	path = xasprintf("%s/OPERATIONS.tsv", folder);
	operations = read_file(path);
	return operations != NULL;
}

enum column {
	COLUMN_VERSION,
	COLUMN_NAME,
	COLUMN_METHOD,
	COLUMN_PATH,
	COLUMN_CODES,
	COLUMN_LRO,
	COLUMN_FINAL,
	COLUMN_NEXT,
	COLUMN_PARAMETERS,
	COLUMN_EXAMPLES,
	COLUMN_SPEC,
	COLUMN_N_
};

struct operation_row {
	char *v[COLUMN_N_];
};

static void row_fini(struct operation_row *row)
{
	for (size_t i = 0; i < COLUMN_N_; i++)
		free(row->v[i]);
}

static void split_row(const char *line, struct operation_row *ret)
{
	for (size_t i = 0; i < COLUMN_N_; i++) {
		size_t len = strcspn(line, "\t\n");

		ret->v[i] = xstrndup(line, len);
		line += len;
		line += *line == '\t';
	}
}

/* The operation of that version and name whose description lies below `under`. */
static bool find_operation(
	const char *version, const char *name, const char *under, struct operation_row *ret)
{
	for (const char *line = operations; line != NULL && *line != '\0';) {
		struct operation_row row = {0};

		split_row(line, &row);
		if (str_equal(row.v[COLUMN_VERSION], version) &&
			str_equal(row.v[COLUMN_NAME], name) &&
			strstr(row.v[COLUMN_SPEC], under) != NULL) {
			*ret = row;
			return true;
		}
		row_fini(&row);
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	return false;
}

static bool lists_code(const struct operation_row *row, int status)
{
	char code[16];

	snprintf(code, sizeof(code), "%d", status);
	return strstr(row->v[COLUMN_CODES], code) != NULL;
}

/* Segment by segment; a leading "{scopeId}" stands for several. */
static bool path_fits(const char *pattern, const char *path)
{
	size_t len = strcspn(path, "?");
	const char *end = path + len;

	if (str_starts_nocase(pattern, "/{scope")) {
		const char *tail = strstr(pattern, "}/") + 1;
		const char *at = path;

		for (const char *next = path; next != NULL && next < end;
			next = strstr(next + 1, "/providers/Microsoft.Security/"))
			at = next;
		return path_fits(tail, at);
	}
	while (*pattern == '/' && *path == '/' && path < end) {
		size_t a = strcspn(++pattern, "/");
		size_t b = strcspn(++path, "/?");

		if (*pattern != '{' && (a != b || strncasecmp(pattern, path, a) != 0))
			return false;
		pattern += a;
		path += b;
	}
	return *pattern == '\0' && path == end;
}

/* --- answers --- */

#define PUT_MDE "{\"location\":\"eastus2euap\",\"properties\":{\"publisher\":\"P\",\"type\":\"T\"}}"
#define SETTING_ON "{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":true}}"
#define CONNECTORS SUB_PATH "/resourceGroups/rg/providers/Microsoft.Security/securityConnectors"
#define CONNECTOR_BODY \
	"{\"location\":\"westeurope\",\"properties\":{\"hierarchyIdentifier\":\"123456789012\"," \
	"\"environmentName\":\"AWS\",\"environmentData\":{\"environmentType\":\"AwsAccount\"}," \
	"\"offerings\":[{\"offeringType\":\"DefenderForServersAws\",\"defenderForServers\":{" \
	"\"cloudRoleArn\":\"arn:aws:iam::123456789012:role/" \
	"s\"},\"subPlan\":{\"type\":\"P2\"},\"mdeAutoProvisioning\":{" \
	"\"enabled\":true}}]}}"
#define WORKSPACE_ID RG "/providers/Microsoft.OperationalInsights/workspaces/w1"
#define SOLUTIONS SUB_PATH "/providers/Microsoft.OperationsManagement/solutions"
#define SOLUTION RG "/providers/Microsoft.OperationsManagement/solutions/Security(w1)"
#define SOLUTION_BODY \
	"{\"location\":\"westeurope\",\"plan\":{\"name\":\"Security(w1)\",\"publisher\":" \
	"\"Microsoft\",\"product\":\"OMSGallery/Security\",\"promotionCode\":\"\"}," \
	"\"properties\":{\"workspaceResourceId\":\"" WORKSPACE_ID "\"}}"
#define LOGS "/Microsoft.OperationalInsights/"
#define SOLUTION_SPEC "/Microsoft.OperationsManagement/"
#define MONITOR "/Microsoft.Insights/"
#define VA_BODY \
	"{\"kind\":\"AzureServersSetting\",\"properties\":{\"selectedProvider\":\"MdeTvm\"}}"
#define RG SUB_PATH "/resourceGroups/rg"
#define HYBRID "/Microsoft.HybridCompute/"
#define MDC "/Microsoft.Security/"
#define ARM_RESOURCES "/Microsoft.Resources/"
#define GROUPS "/providers/Microsoft.Management/managementGroups"
#define EVENTS \
	SUB_PATH \
	"/providers/Microsoft.Insights/eventtypes/management/" \
	"values?$filter=eventTimestamp%20ge%20'" \
	"2026-01-01T00:00:00Z'%20and%20eventTimestamp%20le%20'2027-01-01T00:00:00Z'"
#define QUERY "{\"query\":\"resources\",\"subscriptions\":[\"" SUB "\"]}"

static const struct {
	const char *version, *name, *under, *method, *path, *body;
	int status;
} asked[] = {
	{"2022-12-01", "Subscriptions_List", ARM_RESOURCES, "GET", "/subscriptions", NULL, 200},
	{"2022-12-01", "Subscriptions_Get", ARM_RESOURCES, "GET", SUB_PATH, NULL, 200},
	{"2022-12-01", "Tenants_List", ARM_RESOURCES, "GET", "/tenants", NULL, 200},
	{"2024-03-01", "Providers_List", ARM_RESOURCES, "GET", SUB_PATH "/providers", NULL, 200},
	{"2024-03-01", "Providers_Get", ARM_RESOURCES, "GET",
		SUB_PATH "/providers/Microsoft.Security", NULL, 200},
	{"2024-03-01", "Providers_Register", ARM_RESOURCES, "POST",
		SUB_PATH "/providers/Microsoft.Compute/register", NULL, 200},
	{"2024-03-01", "ResourceGroups_List", ARM_RESOURCES, "GET", SUB_PATH "/resourcegroups",
		NULL, 200},
	{"2024-03-01", "ResourceGroups_Get", ARM_RESOURCES, "GET", RG, NULL, 200},
	{"2024-03-01", "ResourceGroups_CheckExistence", ARM_RESOURCES, "HEAD", RG, NULL, 204},
	{"2023-04-01", "ManagementGroups_List", "/Microsoft.Management/", "GET", GROUPS, NULL, 200},
	{"2023-04-01", "ManagementGroups_Get", "/Microsoft.Management/", "GET", GROUPS "/mg", NULL,
		200},
	{"2023-04-01", "ManagementGroups_GetDescendants", "/Microsoft.Management/", "GET",
		GROUPS "/root/descendants", NULL, 200},
	{"2023-04-01", "ManagementGroupSubscriptions_GetSubscriptionsUnderManagementGroup",
		"/Microsoft.Management/", "GET", GROUPS "/mg/subscriptions", NULL, 200},
	{"2023-04-01", "Entities_List", "/Microsoft.Management/", "POST",
		"/providers/Microsoft.Management/getEntities", NULL, 200},
	{"2022-04-01", "Permissions_ListForResourceGroup", "/Microsoft.Authorization/", "GET",
		RG "/providers/Microsoft.Authorization/permissions", NULL, 200},
	{"2022-04-01", "RoleAssignments_ListForSubscription", "/Microsoft.Authorization/", "GET",
		SUB_PATH "/providers/Microsoft.Authorization/roleAssignments", NULL, 200},
	{"2022-04-01", "DenyAssignments_List", "/Microsoft.Authorization/", "GET",
		SUB_PATH "/providers/Microsoft.Authorization/denyAssignments", NULL, 200},
	{"2020-05-01", "ManagementLocks_ListAtSubscriptionLevel", "/Microsoft.Authorization/",
		"GET", SUB_PATH "/providers/Microsoft.Authorization/locks", NULL, 200},
	{"2023-03-01", "PolicyRestrictions_CheckAtSubscriptionScope", "/Microsoft.PolicyInsights/",
		"POST", SUB_PATH "/providers/Microsoft.PolicyInsights/checkPolicyRestrictions",
		"{\"resourceDetails\":{\"resourceContent\":{\"type\":"
		"\"Microsoft.Security/pricings\"}}}",
		200},
	{"2015-04-01", "ActivityLogs_List", "/Microsoft.Insights/", "GET", EVENTS, NULL, 200},
	{"2022-10-01", "Resources", "/Microsoft.ResourceGraph/", "POST",
		"/providers/Microsoft.ResourceGraph/resources", QUERY, 200},
	{"2024-04-01", "Resources", "/Microsoft.ResourceGraph/", "POST",
		"/providers/Microsoft.ResourceGraph/resources", QUERY, 200},
	{"2024-01-01", "Pricings_List", MDC, "GET", SECURITY "/pricings", NULL, 200},
	{"2024-01-01", "Pricings_Get", MDC, "GET", SECURITY "/pricings/VirtualMachines", NULL, 200},
	{"2024-01-01", "Pricings_Get", MDC, "GET", SECURITY "/pricings/KeyVaults", NULL, 200},
	{"2024-01-01", "Pricings_Update", MDC, "PUT", SECURITY "/pricings/VirtualMachines",
		"{\"properties\":{\"pricingTier\":\"Standard\"}}", 200},
	{"2024-01-01", "Pricings_Get", MDC, "GET",
		MACHINE "/providers/Microsoft.Security/pricings/VirtualMachines", NULL, 200},
	{"2024-01-01", "Pricings_List", MDC, "GET",
		MACHINE "/providers/Microsoft.Security/pricings", NULL, 200},
	{"2024-01-01", "Pricings_Update", MDC, "PUT",
		MACHINE "/providers/Microsoft.Security/pricings/VirtualMachines",
		"{\"properties\":{\"pricingTier\":\"Free\"}}", 201},
	{"2024-01-01", "Pricings_Delete", MDC, "DELETE",
		MACHINE "/providers/Microsoft.Security/pricings/VirtualMachines", NULL, 200},
	{"2024-01-01", "Pricings_Delete", MDC, "DELETE",
		MACHINE "/providers/Microsoft.Security/pricings/VirtualMachines", NULL, 204},
	{"2023-01-01", "Pricings_Get", MDC, "GET", SECURITY "/pricings/VirtualMachines", NULL, 200},
	{"2023-01-01", "Pricings_List", MDC, "GET", SECURITY "/pricings", NULL, 200},
	{"2022-05-01", "Settings_Update", MDC, "PUT", SECURITY "/settings/WDATP", SETTING_ON, 200},
	{"2022-05-01", "Settings_Get", MDC, "GET", SECURITY "/settings/WDATP", NULL, 200},
	{"2022-05-01", "Settings_List", MDC, "GET", SECURITY "/settings", NULL, 200},
	{"2021-10-01-preview", "MdeOnboardings_List", MDC, "GET", SECURITY "/mdeOnboardings", NULL,
		200},
	{"2021-10-01-preview", "MdeOnboardings_Get", MDC, "GET", SECURITY "/mdeOnboardings/default",
		NULL, 200},
	{"2023-05-01", "ServerVulnerabilityAssessmentsSettings_CreateOrUpdate", MDC, "PUT",
		SECURITY "/serverVulnerabilityAssessmentsSettings/azureServersSetting", VA_BODY,
		201},
	{"2023-05-01", "ServerVulnerabilityAssessmentsSettings_Get", MDC, "GET",
		SECURITY "/serverVulnerabilityAssessmentsSettings/azureServersSetting", NULL, 200},
	{"2023-05-01", "ServerVulnerabilityAssessmentsSettings_ListBySubscription", MDC, "GET",
		SECURITY "/serverVulnerabilityAssessmentsSettings", NULL, 200},
	{"2023-05-01", "ServerVulnerabilityAssessmentsSettings_Delete", MDC, "DELETE",
		SECURITY "/serverVulnerabilityAssessmentsSettings/azureServersSetting", NULL, 200},
	{"2017-08-01-preview", "AutoProvisioningSettings_List", MDC, "GET",
		SECURITY "/autoProvisioningSettings", NULL, 200},
	{"2017-08-01-preview", "AutoProvisioningSettings_Create", MDC, "PUT",
		SECURITY "/autoProvisioningSettings/default",
		"{\"properties\":{\"autoProvision\":\"Off\"}}", 200},
	{"2024-08-01-preview", "SecurityConnectors_CreateOrUpdate", MDC, "PUT", CONNECTORS "/aws",
		CONNECTOR_BODY, 201},
	{"2024-08-01-preview", "SecurityConnectors_CreateOrUpdate", MDC, "PUT", CONNECTORS "/aws",
		CONNECTOR_BODY, 200},
	{"2024-08-01-preview", "SecurityConnectors_Get", MDC, "GET", CONNECTORS "/aws", NULL, 200},
	{"2024-08-01-preview", "SecurityConnectors_List", MDC, "GET",
		SECURITY "/securityConnectors", NULL, 200},
	{"2024-08-01-preview", "SecurityConnectors_ListByResourceGroup", MDC, "GET", CONNECTORS,
		NULL, 200},
	{"2024-08-01-preview", "SecurityConnectors_Delete", MDC, "DELETE", CONNECTORS "/aws", NULL,
		200},
	{"2023-09-01", "Workspaces_List", LOGS, "GET",
		SUB_PATH "/providers/Microsoft.OperationalInsights/workspaces", NULL, 200},
	{"2023-09-01", "Workspaces_Get", LOGS, "GET", WORKSPACE_ID, NULL, 200},
	{"2015-11-01-preview", "Solutions_CreateOrUpdate", SOLUTION_SPEC, "PUT", SOLUTION,
		SOLUTION_BODY, 201},
	{"2015-11-01-preview", "Solutions_Get", SOLUTION_SPEC, "GET", SOLUTION, NULL, 200},
	{"2015-11-01-preview", "Solutions_ListBySubscription", SOLUTION_SPEC, "GET", SOLUTIONS,
		NULL, 200},
	{"2015-11-01-preview", "Solutions_CreateOrUpdate", SOLUTION_SPEC, "PUT", SOLUTION, "{}",
		404},
	{"2015-11-01-preview", "Solutions_Delete", SOLUTION_SPEC, "DELETE", SOLUTION, NULL, 200},
	{"2023-03-11", "DataCollectionRules_ListBySubscription", MONITOR, "GET",
		SUB_PATH "/providers/Microsoft.Insights/dataCollectionRules", NULL, 200},
	{"2023-03-11", "DataCollectionRules_Get", MONITOR, "GET",
		RG "/providers/Microsoft.Insights/dataCollectionRules/r1", NULL, 200},
	{"2025-01-13", "Machines_ListBySubscription", HYBRID, "GET",
		SUB_PATH "/providers/Microsoft.HybridCompute/machines", NULL, 200},
	{"2025-01-13", "Machines_ListByResourceGroup", HYBRID, "GET", MACHINES, NULL, 200},
	{"2025-01-13", "Machines_Get", HYBRID, "GET", MACHINE, NULL, 200},
	{"2025-01-13", "Machines_Get", HYBRID, "GET", MACHINES "/shell", NULL, 200},
	{"2022-12-27", "Machines_Get", HYBRID, "GET", MACHINES "/shell", NULL, 200},
	{"2025-01-13", "MachineExtensions_List", HYBRID, "GET", MACHINE "/extensions", NULL, 200},
	{"2025-01-13", "MachineExtensions_Get", HYBRID, "GET", MACHINE "/extensions/MDE.Windows",
		NULL, 200},
	{"2022-12-27", "MachineExtensions_Get", HYBRID, "GET", MACHINE "/extensions/MDE.Windows",
		NULL, 200},
	{"2025-01-13", "MachineExtensions_CreateOrUpdate", HYBRID, "PUT", MACHINE "/extensions/New",
		PUT_MDE, 202},
	{"2025-01-13", "MachineExtensions_Update", HYBRID, "PATCH",
		OTHER_MACHINE "/extensions/MDE.Windows", "{\"properties\":{}}", 202},
	{"2025-01-13", "MachineExtensions_Delete", HYBRID, "DELETE",
		MACHINE "/extensions/MDE.Windows", NULL, 202},
	{"2025-01-13", "MachineExtensions_Delete", HYBRID, "DELETE", MACHINE "/extensions/none",
		NULL, 204},
	{"2024-07-01", "VirtualMachines_ListAll", COMPUTE, "GET",
		SUB_PATH "/providers/Microsoft.Compute/virtualMachines", NULL, 200},
	{"2024-07-01", "VirtualMachines_ListAll", COMPUTE, "GET",
		SUB_PATH "/providers/Microsoft.Compute/virtualMachines?statusOnly=true", NULL, 200},
	{"2024-07-01", "VirtualMachines_List", COMPUTE, "GET", VMS, NULL, 200},
	{"2024-07-01", "VirtualMachines_Get", COMPUTE, "GET", VMS "/v1?$expand=instanceView", NULL,
		200},
	{"2024-07-01", "VirtualMachines_Get", COMPUTE, "GET", VMS "/v2", NULL, 200},
	{"2024-07-01", "VirtualMachines_InstanceView", COMPUTE, "GET", VMS "/v2/instanceView", NULL,
		200},
	{"2024-07-01", "VirtualMachineExtensions_List", COMPUTE, "GET",
		VMS "/v1/extensions?$expand=instanceView", NULL, 200},
	{"2024-07-01", "VirtualMachineExtensions_Get", COMPUTE, "GET",
		VMS "/v1/extensions/MDE.Windows?$expand=instanceView", NULL, 200},
	{"2024-07-01", "VirtualMachineExtensions_CreateOrUpdate", COMPUTE, "PUT",
		VMS "/v1/extensions/New", PUT_MDE, 201},
	{"2024-07-01", "VirtualMachineExtensions_Delete", COMPUTE, "DELETE",
		VMS "/v1/extensions/MDE.Windows", NULL, 202},
	{"2024-07-01", "VirtualMachineExtensions_Delete", COMPUTE, "DELETE",
		VMS "/v1/extensions/none", NULL, 204},
	/* Refusals have a description too. */
	{"2024-07-01", "VirtualMachineExtensions_CreateOrUpdate", COMPUTE, "PUT",
		VMS "/v2/extensions/New", PUT_MDE, 409},
	{"2024-01-01", "Pricings_Update", MDC, "PUT", SECURITY "/pricings/VirtualMachines", "{}",
		400},
	{"2022-05-01", "Settings_Get", MDC, "GET", SECURITY "/settings/MCAS", NULL, 404},
	{"2025-01-13", "MachineExtensions_Get", HYBRID, "GET", MACHINE "/extensions/none", NULL,
		404},
	{"2025-01-13", "MachineExtensions_CreateOrUpdate", HYBRID, "PUT", MACHINE "/extensions/Bad",
		"{}", 400},
	{"2022-10-01", "Resources", "/Microsoft.ResourceGraph/", "POST",
		"/providers/Microsoft.ResourceGraph/resources", "{}", 400},
};

static void open_estate(struct fixture *f)
{
	json_t *doc = fixture_document(
		"\"managementGroup\":\"mg\",\"plan\":{\"tier\":\"Standard\",\"subPlan\":\"P2\"},"
		"\"tags\":{\"a\":\"b\"},\"locks\":[{\"name\":\"l\",\"level\":\"CanNotDelete\","
		"\"scope\":"
		"\"" SUB_PATH "/resourceGroups/locked\",\"notes\":\"n\"}],"
		"\"workspaces\":[{\"name\":\"w1\",\"customer\":\"" SUB "\"}],"
		"\"rules\":[{\"name\":\"r1\",\"destinations\":[\"" WORKSPACE_ID "\"]}],"
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"location\":\"eastus2euap\","
		"\"tags\":{"
		"\"a\":\"b\"},\"allow\":[{\"publisher\":\"P\",\"type\":\"T\"}],\"extensions\":[{"
		"\"type\":"
		"\"MDE.Windows\"}]},{\"name\":\"m2\",\"group\":\"rg\",\"location\":\"eastus2euap\","
		"\"extensions\":[{\"type\":\"MDE.Windows\",\"state\":\"Failed\"}]},{\"name\":"
		"\"shell\","
		"\"group\":\"rg\",\"status\":\"NeverConnected\"},"
		"{\"name\":\"v1\",\"group\":\"rg\",\"location\":\"eastus2euap\",\"vm\":{"
		"\"scaleSet\":\"web\"},\"extensions\":[{\"type\":\"MDE.Windows\"}]},"
		"{\"name\":\"v2\",\"group\":\"rg\",\"location\":\"eastus2euap\",\"vm\":{"
		"\"ownImage\":true},\"status\":\"deallocated\"}]",
		"\"deployer\":{\"on\":false},\"activity\":{\"delay\":\"0s\"},\"plan\":{\"write\":"
		"\"0s\"},"
		"\"tokens\":{\"life\":\"24h\"}");

	json_object_set_new(doc, "managementGroups",
		json_pack("[{s:s, s:s}, {s:s, s:s, s:s}]", "name", "root", "tenant", TENANT, "name",
			"mg", "tenant", TENANT, "parent", "root"));
	fixture_open_json(f, doc);
}

static char *with_version(const char *path, const char *version)
{
	return xasprintf(
		"%s%capi-version=%s", path, strchr(path, '?') != NULL ? '&' : '?', version);
}

/* The schema of that operation's answer with that status. */
static struct schema answer_schema(struct openapi *o, const struct operation_row *row, int status)
{
	mdc_autofree char *file = xasprintf("%s/%s", folder, row->v[COLUMN_SPEC]);
	mdc_autofree char *method = xstrdup(row->v[COLUMN_METHOD]);
	const json_t *responses, *response;
	char code[16];

	str_fold(method);
	snprintf(code, sizeof(code), "%d", status);
	responses = json_object_get(
		json_object_get(json_object_get(json_object_get(openapi_file(o, file), "paths"),
					row->v[COLUMN_PATH]),
			method),
		"responses");
	response = json_object_get(responses, status < 400 ? code : "default");
	return (struct schema){json_object_get(response, "schema"), openapi_key(o, file)};
}

static void check_answer(
	struct openapi *o, const struct operation_row *row, const struct fixture *f)
{
	struct schema schema = answer_schema(o, row, f->answer.reply.status);

	if (schema.node != NULL && f->doc == NULL)
		/* An acceptance has no body. */
		assert_int_equal(f->answer.reply.status, 202);
	if (schema.node != NULL && f->doc != NULL)
		openapi_check(o, schema, f->doc, row->v[COLUMN_NAME]);
	if (schema.node == NULL)
		assert_int_equal(f->answer.reply.body_len, 0);
}

static void answers_are_as_described(void **state)
{
	struct fixture f;
	struct openapi o;

	(void)state;
	openapi_open(&o);
	open_estate(&f);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		mdc_cleanup(row_fini) struct operation_row row = {0};
		mdc_autofree char *path = with_version(asked[i].path, asked[i].version);

		if (!find_operation(asked[i].version, asked[i].name, asked[i].under, &row))
			fail_msg("%s is not in the list", asked[i].name);
		assert_string_equal(row.v[COLUMN_METHOD], asked[i].method);
		if (!path_fits(row.v[COLUMN_PATH], path))
			fail_msg("%s is not %s", path, row.v[COLUMN_PATH]);
		call(&f, asked[i].method, path, asked[i].body);
		if (f.answer.reply.status != asked[i].status)
			fail_msg("%s: %d %s", path, f.answer.reply.status, f.answer.reply.body);
		if (f.answer.reply.status < 400 && !lists_code(&row, f.answer.reply.status))
			fail_msg("%s may not answer %d", asked[i].name, f.answer.reply.status);
		check_answer(&o, &row, &f);
		arrive(&f);
	}
	if (o.errors.len > 0)
		fail_msg("%s", buf_str(&o.errors));
	fixture_close(&f);
	openapi_close(&o);
}

/* --- the examples' requests --- */

static const struct {
	const char *version, *name, *under, *path, *body;
} sent[] = {
	{"2024-01-01", "Pricings_Update", MDC, NULL, "pricing"},
	{"2022-05-01", "Settings_Update", MDC, SECURITY "/settings/WDATP", "setting"},
	{"2023-05-01", "ServerVulnerabilityAssessmentsSettings_CreateOrUpdate", MDC,
		SECURITY "/serverVulnerabilityAssessmentsSettings/azureServersSetting",
		"serverVulnerabilityAssessmentsSetting"},
	{"2017-08-01-preview", "AutoProvisioningSettings_Create", MDC,
		SECURITY "/autoProvisioningSettings/default", "setting"},
	{"2024-08-01-preview", "SecurityConnectors_CreateOrUpdate", MDC, CONNECTORS "/example",
		"securityConnector"},
	{"2025-01-13", "MachineExtensions_CreateOrUpdate", HYBRID,
		MACHINE "/extensions/CustomScriptExtension", "extensionParameters"},
	{"2022-12-27", "MachineExtensions_CreateOrUpdate", HYBRID,
		OTHER_MACHINE "/extensions/CustomScriptExtension", "extensionParameters"},
	{"2022-10-01", "Resources", "/Microsoft.ResourceGraph/",
		"/providers/Microsoft.ResourceGraph/resources", "query"},
};

static json_t *load_example(const struct operation_row *row, const char *name)
{
	mdc_autofree char *spec = xasprintf("%s/%s", folder, row->v[COLUMN_SPEC]);
	mdc_autofree char *path = openapi_join(spec, name);
	json_error_t error;
	json_t *example = json_load_file(path, 0, &error);

	if (example == NULL)
		fail_msg("%s: %s", path, error.text);
	return example;
}

/* Plans are named by the example; a scope with a machine is ours. */
static char *example_path(const json_t *parameters, const char *path)
{
	const char *scope = json_string_value(json_object_get(parameters, "scopeId"));

	if (path != NULL)
		return xstrdup(path);
	return xasprintf("%s/providers/Microsoft.Security/pricings/%s",
		strstr(scope, "virtualMachines") != NULL ? MACHINE : SUB_PATH,
		json_string_value(json_object_get(parameters, "pricingName")));
}

static void send_example(const struct operation_row *row, size_t i, const char *name)
{
	struct fixture f;
	json_t *example = load_example(row, name);
	const json_t *parameters = json_object_get(example, "parameters");
	mdc_autofree char *bare = example_path(parameters, sent[i].path);
	mdc_autofree char *path = with_version(bare, sent[i].version);
	mdc_autofree char *body = NULL;
	json_t *sent_body = json_deep_copy(json_object_get(parameters, sent[i].body));

	/* Graph examples: their subscription is not ours, and facets and the language are not here.
	 */
	if (json_object_get(sent_body, "subscriptions") != NULL)
		json_object_set_new(sent_body, "subscriptions", json_pack("[s]", SUB));
	if (json_object_get(sent_body, "query") != NULL)
		json_object_set_new(sent_body, "query", json_string("resources"));
	if (json_object_get(sent_body, "facets") == NULL &&
		json_object_get(sent_body, "managementGroups") == NULL &&
		tree_get(sent_body, "options.$skipToken") == NULL) {
		open_estate(&f);
		body = tree_dump(sent_body, NULL);
		call(&f, row->v[COLUMN_METHOD], path, body);
		if (f.answer.reply.status >= 300)
			fail_msg("%s: %d %s", name, f.answer.reply.status, f.answer.reply.body);
		fixture_close(&f);
	}
	json_decref(sent_body);
	json_decref(example);
}

static void the_examples_own_requests_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		mdc_cleanup(row_fini) struct operation_row row = {0};
		mdc_autofree char *names = NULL;

		assert_true(find_operation(sent[i].version, sent[i].name, sent[i].under, &row));
		names = xstrdup(row.v[COLUMN_EXAMPLES]);
		for (char *name = strtok(names, " "); name != NULL; name = strtok(NULL, " "))
			send_example(&row, i, name);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(answers_are_as_described),
	cmocka_unit_test(the_examples_own_requests_are_accepted),
};

int main(void)
{
	int failed = 0;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (find_descriptions())
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	else
		printf("1..0 # SKIP no descriptions in %s; MDC_AZURE_SPECS may name their folder\n",
			folder);
	free(folder);
	free(operations);
	return failed;
}
