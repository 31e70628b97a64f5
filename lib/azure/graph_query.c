/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/graph_query.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#define USES_MAX "10000" /* GRAPH_USES_MAX */
#define VMS_ONLY "type =~ 'microsoft.compute/virtualmachines'"
#define MACHINES_ONLY \
	"type in~ ('microsoft.hybridcompute/machines', 'microsoft.compute/virtualmachines')"
#define ALL_EXTENSIONS \
	"type in~ ('microsoft.hybridcompute/machines/extensions', " \
	"'microsoft.compute/virtualmachines/extensions')"
#define EXTENSIONS_ONLY \
	ALL_EXTENSIONS \
	" and tostring(properties.type) in~ " \
	"('MDE.Windows', 'MDE.Linux', 'MicrosoftMonitoringAgent', 'OmsAgentForLinux')"

#define NUMBERED(what) "strcat_array(pack_array(tostring(n), " what "), ' ')"
#define MACHINE_OF_ID "strcat_array(array_slice(split(tolower(id), '/'), 0, 8), '/')"
#define TEXT(name, path) "'" name "', tostring(properties." path ")"
/* What the inventory keeps of a message; guests write them at any length. */
#define MESSAGE_CHARACTERS "400"

/* `where` and `tail` around the place of the partition filter. */
/* clang-format off */
static const struct {
	const char *where, *tail;
} texts[] = {
	[GRAPH_SUBSCRIPTIONS] = {
		"resourcecontainers\n"
		"| where type =~ 'microsoft.resources/subscriptions'\n",
		"| project id, subscriptionId, properties = pack('managementGroupAncestorsChain', "
		"properties.managementGroupAncestorsChain)\n"
		"| order by id asc",
	},
	[GRAPH_PRICINGS] = {
		"securityresources\n"
		"| where type =~ 'microsoft.security/pricings' and name =~ 'VirtualMachines'\n"
		"| where id !contains '/resourcegroups/'\n",
		"| project id, properties = pack("
		TEXT("pricingTier", "pricingTier") ", "
		TEXT("subPlan", "subPlan") ", "
		TEXT("enforce", "enforce") ", "
		TEXT("enablementTime", "enablementTime") ", "
		TEXT("resourcesCoverageStatus", "resourcesCoverageStatus") ", "
		TEXT("deprecated", "deprecated") ", "
		"'replacedBy', properties.replacedBy, "
		"'extensions', properties.extensions)\n"
		"| order by id asc",
	},
	[GRAPH_MACHINE_COUNTS] = {
		"resources\n"
		"| where " MACHINES_ONLY " or (" EXTENSIONS_ONLY ")\n",
		"| summarize machines = countif(" MACHINES_ONLY "), extensions = "
		"countif(" ALL_EXTENSIONS ") by subscriptionId\n"
		"| order by subscriptionId asc",
	},
	[GRAPH_MACHINES] = {
		"resources\n"
		"| where " MACHINES_ONLY "\n",
		"| project id, location, tags, properties = iff(" VMS_ONLY ", pack("
		TEXT("timeCreated", "timeCreated") ", "
		"'extended', pack('instanceView', pack("
		TEXT("osName", "extended.instanceView.osName") ", "
		TEXT("osVersion", "extended.instanceView.osVersion") ", "
		"'powerState', pack("
		TEXT("code", "extended.instanceView.powerState.code") "))), "
		/* Whether it is there at all says what the VM was made of. */
		"'osProfile', iff(isempty(tostring(properties.osProfile)), dynamic(null), pack("
		TEXT("allowExtensionOperations", "osProfile.allowExtensionOperations") ")), "
		"'virtualMachineScaleSet', pack("
		TEXT("id", "virtualMachineScaleSet.id") "), "
		"'storageProfile', pack("
		"'osDisk', pack(" TEXT("osType", "storageProfile.osDisk.osType") "), "
		"'imageReference', pack("
		TEXT("id", "storageProfile.imageReference.id") ", "
		TEXT("sharedGalleryImageId", "storageProfile.imageReference.sharedGalleryImageId")
		", "
		TEXT("communityGalleryImageId",
			"storageProfile.imageReference.communityGalleryImageId") ", "
		TEXT("publisher", "storageProfile.imageReference.publisher") ", "
		TEXT("offer", "storageProfile.imageReference.offer") ", "
		TEXT("sku", "storageProfile.imageReference.sku") "))), pack("
		TEXT("status", "status") ", "
		TEXT("lastStatusChange", "lastStatusChange") ", "
		TEXT("osType", "osType") ", "
		TEXT("osName", "osName") ", "
		TEXT("osSku", "osSku") ", "
		TEXT("agentVersion", "agentVersion") ", "
		"'cloudMetadata', pack(" TEXT("provider", "cloudMetadata.provider") "), "
		"'agentConfiguration', pack("
		TEXT("extensionsEnabled", "agentConfiguration.extensionsEnabled") ", "
		TEXT("configMode", "agentConfiguration.configMode") ", "
		TEXT("proxyUrl", "agentConfiguration.proxyUrl") ", "
		"'extensionsAllowList', properties.agentConfiguration.extensionsAllowList, "
		"'extensionsBlockList', properties.agentConfiguration.extensionsBlockList)))\n"
		"| order by id asc",
	},
	[GRAPH_EXTENSIONS] = {
		"resources\n"
		"| where " EXTENSIONS_ONLY "\n",
		"| project id, properties = pack("
		TEXT("publisher", "publisher") ", "
		TEXT("type", "type") ", "
		TEXT("provisioningState", "provisioningState") ", "
		TEXT("typeHandlerVersion", "typeHandlerVersion") ", "
		"'settings', pack("
		TEXT("vNextEnabled", "settings.vNextEnabled") ", "
		TEXT("azureResourceId", "settings.azureResourceId") ", "
		TEXT("workspaceId", "settings.workspaceId") "), "
		/* Of a VM's extension there is none. */
		"'instanceView', pack('status', pack("
		TEXT("code", "instanceView.status.code") ", "
		"'message', substring(tostring(properties.instanceView.status.message), 0, "
		MESSAGE_CHARACTERS "))))\n"
		"| order by id asc",
	},
	/* Rules send nothing without the Azure Monitor agent on the machine. */
	[GRAPH_RULES_IN_USE] = {
		"insightsresources\n"
		"| where type =~ 'microsoft.insights/datacollectionruleassociations'\n"
		"| extend rule = tolower(tostring(properties.dataCollectionRuleId))\n"
		"| where isnotempty(rule)\n"
		"| extend machine = " MACHINE_OF_ID "\n"
		"| join kind=inner (resources\n"
		"    | where " ALL_EXTENSIONS "\n"
		"    | where tostring(properties.type) in~ "
		"('AzureMonitorWindowsAgent', 'AzureMonitorLinuxAgent')\n"
		"    | extend machine = " MACHINE_OF_ID "\n"
		"    | distinct machine) on machine\n",
		"| summarize n = count() by subscriptionId, rule\n"
		"| summarize uses = make_list(" NUMBERED("rule") ", " USES_MAX ") by "
		"subscriptionId\n"
		"| order by subscriptionId asc",
	},
	[GRAPH_AGENT_WORKSPACES] = {
		"resources\n"
		"| where " ALL_EXTENSIONS "\n"
		"| where tostring(properties.type) in~ "
		"('MicrosoftMonitoringAgent', 'OmsAgentForLinux')\n"
		"| extend workspace = tolower(tostring(properties.settings.workspaceId))\n"
		"| where isnotempty(workspace)\n",
		"| summarize n = count() by subscriptionId, workspace\n"
		"| summarize uses = make_list(" NUMBERED("workspace") ", " USES_MAX ") by "
		"subscriptionId\n"
		"| order by subscriptionId asc",
	},
	[GRAPH_EXEMPTIONS] = {
		"policyresources\n"
		"| where type =~ 'microsoft.authorization/policyexemptions'\n",
		"| project id, name, properties = pack("
		TEXT("policyAssignmentId", "policyAssignmentId") ", "
		TEXT("exemptionCategory", "exemptionCategory") ", "
		TEXT("expiresOn", "expiresOn") ", "
		TEXT("displayName", "displayName") ", "
		"'description', substring(tostring(properties.description), 0, "
		MESSAGE_CHARACTERS "), "
		"'metadata', pack("
		TEXT("requestedBy", "metadata.requestedBy") ", "
		TEXT("approvedBy", "metadata.approvedBy") ", "
		TEXT("ticketRef", "metadata.ticketRef") "), "
		"'policyDefinitionReferenceIds', properties.policyDefinitionReferenceIds)\n"
		"| order by id asc",
	},
};
/* clang-format on */
_Static_assert(ARRAY_LEN(texts) == GRAPH_TABLE_N_, "a text for each table");

char *graph_query_text(enum graph_table table, unsigned partitions, unsigned index)
{
	if (partitions <= 1)
		return xasprintf("%s%s", texts[table].where, texts[table].tail);
	return xasprintf("%s| where hash(tolower(id)) %% %u == %u\n%s", texts[table].where,
		partitions, index, texts[table].tail);
}

static json_t *subscription_list(const char *const *subscriptions, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(subscriptions[i]));
	return list;
}

void graph_request(const struct graph_question *q, struct arm_request *ret)
{
	mdc_autofree char *text = graph_query_text(q->table, q->partitions, q->index);
	json_t *options = json_pack("{s:i, s:s}", "$top",
		q->rows > 0 ? (int)q->rows : LIST_GRAPH_ROWS_MAX, "resultFormat", "objectArray");
	json_t *body = json_pack("{s:s, s:o}", "query", text, "options", options);

	/* Else those that were made on management groups are left out in silence. */
	if (q->table == GRAPH_EXEMPTIONS)
		json_object_set_new(
			options, "authorizationScopeFilter", json_string("AtScopeAboveAndBelow"));
	if (q->skip_token != NULL)
		json_object_set_new(options, "$skipToken", json_string(q->skip_token));
	if (q->subscriptions != NULL)
		json_object_set_new(body, "subscriptions",
			subscription_list(q->subscriptions, q->subscription_count));
	*ret = (struct arm_request){
		.method = "POST",
		.path = xstrdup(
			"/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"),
		.body = body,
		.quota = ARM_QUOTA_GRAPH,
		.provider = "Microsoft.ResourceGraph",
	};
}

int graph_uses_read(const json_t *row, struct graph_uses *ret)
{
	const char *subscription = json_text(row, "subscriptionId");
	const json_t *uses = json_object_get(row, "uses");

	if (!str_is_guid(subscription) || !json_is_array(uses))
		return -EINVAL;
	*ret = (struct graph_uses){.subscription = subscription, .uses = uses};
	return 0;
}

int graph_use_read(const json_t *use, uint32_t *ret_machines, const char **ret_target)
{
	const char *text = json_string_value(use);
	uint64_t n = 0;

	if (text == NULL || *text < '1' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9' && n < UINT32_MAX; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	if (*text != ' ' || text[1] == '\0' || n > UINT32_MAX)
		return -EINVAL;
	*ret_machines = (uint32_t)n;
	*ret_target = text + 1;
	return 0;
}

int graph_count_read(const json_t *row, struct graph_count *ret)
{
	const char *subscription = json_text(row, "subscriptionId");
	const json_t *machines = json_object_get(row, "machines");
	const json_t *extensions = json_object_get(row, "extensions");

	if (!str_is_guid(subscription) || !json_is_integer(machines) ||
		!json_is_integer(extensions) || json_integer_value(machines) < 0 ||
		json_integer_value(extensions) < 0)
		return -EINVAL;
	*ret = (struct graph_count){
		.subscription = subscription,
		.machines = (uint64_t)json_integer_value(machines),
		.extensions = (uint64_t)json_integer_value(extensions),
	};
	return 0;
}
