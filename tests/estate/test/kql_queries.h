/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_queries: the texts by which machines are observed in bulk: a head that makes one record of
 * each row, and a tail that fingerprints, lists or folds the records. A query is a head, an
 * optional filter, a salt and a tail.
 */
#ifndef MDC_TEST_KQL_QUERIES_H
#define MDC_TEST_KQL_QUERIES_H

/* Length-prefixed pieces of a record. */
#define KQL_R(field) "string_size(" field "), ':', " field

#define KQL_HEAD_MACHINES \
	"resources\n" \
	"| where type =~ 'microsoft.hybridcompute/machines'\n" \
	"| extend p = split(tolower(id), '/')\n" \
	"| extend a0 = tostring(p[4]), a1 = tostring(p[8])\n" \
	"| extend b = hash(strcat(a0, '/', a1)) % 64\n" \
	"| extend a2 = location, a3 = tostring(properties.status), a4 = " \
	"tostring(properties.osType), a5 = tostring(properties.osSku), a6 = " \
	"tostring(properties.osVersion), a7 = tostring(properties.agentVersion), a8 = " \
	"tostring(properties.cloudMetadata.provider)\n" \
	"| extend a9 = tostring(properties.agentConfiguration.extensionsEnabled), a10 = " \
	"tostring(properties.agentConfiguration.configMode), a11 = " \
	"tostring(properties.agentConfiguration.extensionsAllowList), a12 = " \
	"tostring(properties.agentConfiguration.extensionsBlockList), a13 = " \
	"tostring(tags['MDFCSecurityConnector'])\n" \
	"| extend r = strcat(" KQL_R("a0") ", " KQL_R("a1") ", " KQL_R("a2") ", " KQL_R( \
		"a3") ", " KQL_R("a4") ", " KQL_R("a5") ", " KQL_R("a6") ", " KQL_R("a7") "," \
											  " " KQL_R("a8") ", " KQL_R("a9") ", " KQL_R("a10") ", " KQL_R( \
												  "a11") ", " KQL_R("a12") ", " KQL_R("a13") ")\n"

#define KQL_HEAD_EXTENSIONS_OF(kind) \
	"resources\n" \
	"| where type =~ '" kind "'\n" \
	"| extend a2 = tostring(properties.type)\n" \
	"| where a2 in~ ('MDE.Windows', 'MDE.Linux', 'MicrosoftMonitoringAgent', " \
	"'OmsAgentForLinux', 'AzureMonitorWindowsAgent', 'AzureMonitorLinuxAgent')\n" \
	"| extend p = split(tolower(id), '/')\n" \
	"| extend a0 = tostring(p[4]), a1 = tostring(p[8]), a3 = tostring(p[10])\n" \
	"| extend b = hash(strcat(a0, '/', a1)) % 64\n" \
	"| extend a4 = tostring(properties.publisher), a5 = " \
	"tostring(properties.provisioningState), a6 = tostring(properties.typeHandlerVersion), " \
	"a7 = tostring(properties.enableAutomaticUpgrade), a8 = " \
	"tostring(properties.settings.vNextEnabled), rid = " \
	"tolower(tostring(properties.settings.azureResourceId)), a10 = " \
	"tostring(properties.settings.workspaceId), a11 = " \
	"tostring(properties.instanceView.status.code)\n" \
	"| extend a9 = case(isempty(rid), '-', rid == strcat_array(array_slice(p, 0, 8), '/'), " \
	"'=', rid), a12 = iff(a5 =~ 'Succeeded', '', " \
	"substring(tostring(properties.instanceView.status.message), 0, 400))\n" \
	"| extend r = strcat(" KQL_R("a0") ", " KQL_R("a1") ", " KQL_R("a2") ", " KQL_R( \
		"a3") ", " KQL_R("a4") ", " KQL_R("a5") ", " KQL_R("a6") ", " KQL_R("a7") "," \
											  " " KQL_R("a8") ", " KQL_R("a9") ", " KQL_R( \
												  "a10") ", " KQL_R("a11") ", " KQL_R("a12") ")\n"
#define KQL_HEAD_EXTENSIONS KQL_HEAD_EXTENSIONS_OF("microsoft.hybridcompute/machines/extensions")
#define KQL_HEAD_VM_EXTENSIONS \
	KQL_HEAD_EXTENSIONS_OF("microsoft.compute/virtualmachines/extensions")

#define KQL_HEAD_VMS \
	"resources\n" \
	"| where type =~ 'microsoft.compute/virtualmachines'\n" \
	"| extend p = split(tolower(id), '/')\n" \
	"| extend a0 = tostring(p[4]), a1 = tostring(p[8])\n" \
	"| extend b = hash(strcat(a0, '/', a1)) % 64\n" \
	"| extend img = tolower(tostring(properties.storageProfile.imageReference.id)), pub = " \
	"tostring(properties.storageProfile.imageReference.publisher)\n" \
	"| extend a2 = location, a3 = " \
	"tostring(properties.extended.instanceView.powerState.code), a4 = " \
	"tostring(properties.storageProfile.osDisk.osType), a5 = pub, a6 = " \
	"tostring(properties.storageProfile.imageReference.offer), a7 = " \
	"tostring(properties.storageProfile.imageReference.sku), a8 = case(isnotempty(pub), '', " \
	"isnotempty(img), img, tostring(properties.storageProfile.osDisk.createOption))\n" \
	"| extend a9 = tostring(properties.osProfile.allowExtensionOperations), a10 = " \
	"iff(isempty(tostring(properties.osProfile)), '0', '1'), a11 = " \
	"tostring(properties.provisioningState)\n" \
	"| extend r = strcat(" KQL_R("a0") ", " KQL_R("a1") ", " KQL_R("a2") ", " KQL_R( \
		"a3") ", " KQL_R("a4") ", " KQL_R("a5") ", " KQL_R("a6") ", " KQL_R("a7") "," \
											  " " KQL_R("a8") ", " KQL_R("a9") ", " KQL_R( \
												  "a10") ", " KQL_R("a11") ")\n"

#define KQL_HEAD_RULES \
	"insightsresources\n" \
	"| where type =~ 'microsoft.insights/datacollectionruleassociations'\n" \
	"| extend a3 = tolower(tostring(properties.dataCollectionRuleId))\n" \
	"| where isnotempty(a3)\n" \
	"| extend p = split(tolower(id), '/')\n" \
	"| extend a2 = strcat(p[6], '/', p[7])\n" \
	"| where a2 in ('microsoft.hybridcompute/machines', " \
	"'microsoft.compute/virtualmachines')\n" \
	"| extend a0 = tostring(p[4]), a1 = tostring(p[8])\n" \
	"| extend b = hash(strcat(a0, '/', a1)) % 64\n" \
	"| extend r = strcat(" KQL_R("a0") ", " KQL_R("a1") ", " KQL_R("a2") ", " KQL_R( \
		"a3") ")\n"

#define KQL_ONLY_BUCKETS "| where b in (3, 17, 40)\n"

#define KQL_SALT_TWO \
	"| extend h1 = hash(strcat('A', r), 2147483647), h2 = hash(strcat('B', r), 2147483647)\n"
#define KQL_SALT_ONE \
	"| extend h1 = hash(strcat('A', r)) % 2147483647, h2 = hash(strcat('B', r)) % " \
	"2147483647\n"

#define KQL_SUMS "n = count(), z = sum(string_size(r)), s1 = sum(h1), s2 = sum(h2)"
/* `by` is what gives the subscription of a row. */
#define KQL_TAIL_FINGERPRINT(by) \
	"| summarize " KQL_SUMS " by " by ", b\n" \
	"| order by subscriptionId asc, b asc\n"
#define KQL_TAIL_FOLDED(by) \
	"| summarize " KQL_SUMS " by " by ", b\n" \
	"| extend c = strcat(b, ',', n, ',', z, ',', s1, ',', s2)\n" \
	"| summarize k = count(), n = sum(n), z = sum(z), cells = make_list(c, 1024) by " \
	"subscriptionId\n" \
	"| order by subscriptionId asc\n"
#define KQL_TAIL_PACKED(by) \
	"| summarize " KQL_SUMS ", l = make_list(r, 100000) by " by ", b\n" \
	"| order by subscriptionId asc, b asc\n"
#define KQL_BY_COLUMN "subscriptionId"
#define KQL_BY_ID "subscriptionId = tostring(p[2])"

/* Machines with their extensions beside them, one row each; the partition is {index} of {count}. */
#define KQL_MACHINES_JOINED(count, index) \
	"resources | where type =~ 'microsoft.hybridcompute/machines' | extend mid = tolower(id) " \
	"| where hash(mid) % " count " == " index "\n" \
	"| project mid, id, subscriptionId, resourceGroup, location, status = " \
	"tostring(properties.status), os = tostring(properties.osType), sku = " \
	"tostring(properties.osSku), agent = tostring(properties.agentVersion)\n" \
	"| join kind=leftouter (resources | where type =~ " \
	"'microsoft.hybridcompute/machines/extensions'\n" \
	"    | where tostring(properties.type) in~ ('MDE.Windows','MDE.Linux')\n" \
	"    | extend mid = tostring(split(tolower(id), '/extensions/')[0]) | where hash(mid) " \
	"% " count " == " index "\n" \
	"    | project mid, mdeId = id, mdeType = tostring(properties.type), mdeState = " \
	"tostring(properties.provisioningState), mdeVer = " \
	"tostring(properties.typeHandlerVersion), mdeAuto = " \
	"tobool(properties.enableAutomaticUpgrade), mdeMsg = " \
	"tostring(properties.instanceView.status.message)) on mid\n" \
	"| join kind=leftouter (resources | where type =~ " \
	"'microsoft.hybridcompute/machines/extensions'\n" \
	"    | where tostring(properties.type) in~ " \
	"('MicrosoftMonitoringAgent','OmsAgentForLinux')\n" \
	"    | extend mid = tostring(split(tolower(id), '/extensions/')[0]) | where hash(mid) " \
	"% " count " == " index "\n" \
	"    | project mid, mmaId = id, mmaState = tostring(properties.provisioningState), wsId " \
	"= " \
	"tostring(properties.settings.workspaceId)) on mid\n" \
	"| project-away mid, mid1, mid2 | order by id asc\n"

#endif
