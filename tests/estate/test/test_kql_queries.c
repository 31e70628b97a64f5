/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The questions put to Resource Graph about policies, roles, rules, images, plans and changes, and
 * those of graph_query.h, over a few rows each.
 */
#include "tests/estate/test/kql_fixture.h"
#include "tests/estate/test/kql_queries.h"

#include "lib/azure/graph_query.h"

#define S1 "00000000-0000-0000-0000-000000000001"
#define S2 "00000000-0000-0000-0000-000000000002"
#define GUID "37c043a6-6d64-656d-6465-b362dfeb354a"
#define ARC "/providers/Microsoft.HybridCompute/machines/"

static void check(const char *tables_text, const char *query, const char *want)
{
	json_t *tables = json_of(tables_text);

	assert_rows(tables, query, want);
	json_decref(tables);
}

static void policy_assignments_and_sets(void **state)
{
	static const char tables[] =
		"{'policyresources': ["
		"{'id': '/B/Assign', 'type': 'microsoft.authorization/policyassignments', "
		"'properties': {'policyDefinitionId': '/Def/X', 'scope': '/MG/Root', "
		"'enforcementMode': 'Default', 'notScopes': ['/a'], 'parameters': {'p': {'value': "
		"1}}}},"
		"{'id': '/a/assign', 'type': 'Microsoft.Authorization/policyAssignments', "
		"'properties': {'enforcementMode': 'DoNotEnforce', 'overrides': []}},"
		"{'id': '/set/1', 'type': 'microsoft.authorization/policysetdefinitions', "
		"'properties': {'policyType': 'Custom', 'policyDefinitions': "
		"[{'policyDefinitionId': "
		"'/x/" GUID "'}]}},"
		"{'id': '/set/2', 'type': 'microsoft.authorization/policysetdefinitions', "
		"'properties': {'policyType': 'BuiltIn', 'policyDefinitions': "
		"[{'policyDefinitionId': '/x/other'}]}}]}";

	(void)state;
	check(tables,
		"policyresources\n"
		"| where type =~ 'microsoft.authorization/policyassignments'\n"
		"| project id = tolower(id), def = "
		"tolower(tostring(properties.policyDefinitionId)), "
		"scope = tolower(tostring(properties.scope)), mode = "
		"tostring(properties.enforcementMode), notScopes = properties.notScopes, params = "
		"properties.parameters, sel = properties.resourceSelectors, ovr = "
		"properties.overrides\n"
		"| order by id asc",
		"[{'id': '/a/assign', 'def': '', 'scope': '', 'mode': 'DoNotEnforce', 'notScopes': "
		"null, 'params': null, 'sel': null, 'ovr': []}, {'id': '/b/assign', 'def': "
		"'/def/x', 'scope': '/mg/root', 'mode': 'Default', 'notScopes': ['/a'], 'params': "
		"{'p': {'value': 1}}, 'sel': null, 'ovr': null}]");
	check(tables,
		"policyresources\n"
		"| where type =~ 'microsoft.authorization/policysetdefinitions'\n"
		"| where tostring(properties.policyDefinitions) contains '" GUID "'\n"
		"| project id = tolower(id), ptype = tostring(properties.policyType), defs = "
		"properties.policyDefinitions\n"
		"| order by id asc",
		"[{'id': '/set/1', 'ptype': 'Custom', 'defs': [{'policyDefinitionId': '/x/" GUID
		"'}]}]");
}

static void policy_exemptions_that_still_hold(void **state)
{
	(void)state;
	check("{'policyresources': ["
	      "{'id': '/E/forever', 'type': 'microsoft.authorization/policyexemptions', "
	      "'properties': {'policyAssignmentId': '/A/1', 'exemptionCategory': 'Waiver'}},"
	      "{'id': '/E/later', 'type': 'microsoft.authorization/policyexemptions', "
	      "'properties': {'expiresOn': '2026-11-24T12:00:01Z', 'policyDefinitionReferenceIds': "
	      "['r']}},"
	      "{'id': '/E/over', 'type': 'microsoft.authorization/policyexemptions', 'properties': "
	      "{'expiresOn': '2026-11-24T12:00:00Z'}}]}",
		"policyresources\n"
		"| where type =~ 'microsoft.authorization/policyexemptions'\n"
		"| extend until = todatetime(properties.expiresOn)\n"
		"| where isnull(until) or until > now()\n"
		"| project id = tolower(id), asg = "
		"tolower(tostring(properties.policyAssignmentId)), "
		"cat = tostring(properties.exemptionCategory), refs = "
		"properties.policyDefinitionReferenceIds, until\n"
		"| order by id asc",
		"[{'id': '/e/forever', 'asg': '/a/1', 'cat': 'Waiver', 'refs': null, 'until': "
		"null}, "
		"{'id': '/e/later', 'asg': '', 'cat': '', 'refs': ['r'], 'until': "
		"'2026-11-24T12:00:01Z'}]");
}

static void policy_compliance_is_counted(void **state)
{
	(void)state;
	check("{'policyresources': ["
	      "{'type': 'microsoft.policyinsights/policystates', 'subscriptionId': '" S2 "', "
	      "'properties': {'policyDefinitionId': '/d/" GUID "', 'policyAssignmentId': '/A', "
	      "'complianceState': 'NonCompliant'}},"
	      "{'type': 'microsoft.policyinsights/policystates', 'subscriptionId': '" S1 "', "
	      "'properties': {'policyDefinitionId': '/D/37C043A6-6D64-656D-6465-B362DFEB354A', "
	      "'policyAssignmentId': '/a', 'complianceState': 'Compliant'}},"
	      "{'type': 'microsoft.policyinsights/policystates', 'subscriptionId': '" S1 "', "
	      "'properties': {'policyDefinitionId': '/d/" GUID "', 'policyAssignmentId': '/A', "
	      "'complianceState': 'Compliant'}},"
	      "{'type': 'microsoft.policyinsights/policystates', 'subscriptionId': '" S1 "', "
	      "'properties': {'policyDefinitionId': '/d/other'}}]}",
		"policyresources\n"
		"| where type =~ 'microsoft.policyinsights/policystates'\n"
		"| where tostring(properties.policyDefinitionId) endswith '/" GUID "'\n"
		"| summarize n = count() by subscriptionId, asg = "
		"tolower(tostring(properties.policyAssignmentId)), state = "
		"tostring(properties.complianceState)\n"
		"| order by subscriptionId asc, asg asc, state asc",
		"[{'subscriptionId': '" S1 "', 'asg': '/a', 'state': 'Compliant', 'n': 2}, "
		"{'subscriptionId': '" S2 "', 'asg': '/a', 'state': 'NonCompliant', 'n': 1}]");
}

static void role_assignments_of_a_principal(void **state)
{
	(void)state;
	check("{'authorizationresources': ["
	      "{'id': '/Ra/1', 'type': 'microsoft.authorization/roleassignments', 'properties': "
	      "{'principalId': '" S1 "', 'scope': '/Subscriptions/x', 'roleDefinitionId': '/Role', "
	      "'principalType': 'ServicePrincipal'}},"
	      "{'id': '/ra/2', 'type': 'microsoft.authorization/roleassignments', 'properties': "
	      "{'principalId': '" S2 "'}}]}",
		"authorizationresources\n"
		"| where type =~ 'microsoft.authorization/roleassignments'\n"
		"| where tostring(properties.principalId) =~ '" S1 "'\n"
		"| project id = tolower(id), scope = tolower(tostring(properties.scope)), role = "
		"tolower(tostring(properties.roleDefinitionId)), who = "
		"tostring(properties.principalType)\n"
		"| order by id asc",
		"[{'id': '/ra/1', 'scope': '/subscriptions/x', 'role': '/role', 'who': "
		"'ServicePrincipal'}]");
}

#define MACHINE(name) "/subscriptions/" S1 "/resourceGroups/RG" ARC name
#define ASSOCIATION(name) \
	MACHINE(name) "/providers/Microsoft.Insights/dataCollectionRuleAssociations/a"

static void data_collection_rules_in_use(void **state)
{
	static const char tables[] =
		"{'insightsresources': ["
		"{'id': '" ASSOCIATION(
			"m1") "', 'type': "
			      "'microsoft.insights/datacollectionruleassociations', 'properties': "
			      "{'dataCollectionRuleId': '/DCR/1'}},"
			      "{'id': '" ASSOCIATION(
				      "m2") "', 'type': "
					    "'microsoft.insights/datacollectionruleassociations', "
					    "'properties': "
					    "{'dataCollectionRuleId': '/dcr/1'}},"
					    "{'id': '" ASSOCIATION(
						    "m2") "', 'type': "
							  "'microsoft.insights/"
							  "datacollectionruleassociations', "
							  "'properties': {}}]}";
	static const char head[] =
		"insightsresources\n"
		"| where type =~ 'microsoft.insights/datacollectionruleassociations'\n"
		"| extend dcr = tolower(tostring(properties.dataCollectionRuleId)), p = "
		"split(tolower(id), '/')\n"
		"| where isnotempty(dcr)\n"
		"| extend sub = tostring(p[2]), kind2 = strcat(p[6], '/', p[7])\n"
		"| where kind2 in ('microsoft.hybridcompute/machines', "
		"'microsoft.compute/virtualmachines')\n"
		"| summarize n = count() by sub, kind2, dcr\n";
	mdc_autofree char *rows = xasprintf("%s| order by sub asc, dcr asc, kind2 asc", head);
	mdc_autofree char *fold =
		xasprintf("%s| summarize l = make_list(strcat(n, ',', dcr), 10000) by sub", head);

	(void)state;
	check(tables, rows,
		"[{'sub': '" S1 "', 'kind2': 'microsoft.hybridcompute/machines', 'dcr': '/dcr/1', "
		"'n': 2}]");
	check(tables, fold, "[{'sub': '" S1 "', 'l': ['2,/dcr/1']}]");
}

static void rules_and_plans_of_workspaces(void **state)
{
	static const char tables[] =
		"{'resources': ["
		"{'id': '/R/1', 'type': 'microsoft.insights/datacollectionrules', 'properties': "
		"{'destinations': {'logAnalytics': [{'name': 'w', 'workspaceResourceId': '/w'}]}, "
		"'dataFlows': [{'destinations': ['w']}]}},"
		"{'id': '/R/2', 'type': 'microsoft.insights/datacollectionrules', 'properties': "
		"{'destinations': {'azureMonitorMetrics': {}}}},"
		"{'id': '/S/1', 'type': 'microsoft.operationsmanagement/solutions', 'plan': "
		"{'product': 'omsgallery/security'}, 'properties': {'workspaceResourceId': '/W', "
		"'provisioningState': 'Succeeded'}},"
		"{'id': '/S/2', 'type': 'microsoft.operationsmanagement/solutions', 'plan': "
		"{'product': 'OMSGallery/Updates'}},"
		"{'id': '/S/3', 'type': 'microsoft.operationsmanagement/solutions'}]}";

	(void)state;
	check(tables,
		"resources\n"
		"| where type =~ 'microsoft.insights/datacollectionrules'\n"
		"| where isnotempty(tostring(properties.destinations.logAnalytics))\n"
		"| project id = tolower(id), la = properties.destinations.logAnalytics, flows = "
		"properties.dataFlows\n"
		"| order by id asc",
		"[{'id': '/r/1', 'la': [{'name': 'w', 'workspaceResourceId': '/w'}], 'flows': "
		"[{'destinations': ['w']}]}]");
	check(tables,
		"resources\n"
		"| where type =~ 'microsoft.operationsmanagement/solutions'\n"
		"| extend product = tostring(plan.product)\n"
		"| where product in~ ('OMSGallery/Security', 'OMSGallery/SecurityCenterFree')\n"
		"| project id = tolower(id), ws = "
		"tolower(tostring(properties.workspaceResourceId)), "
		"product, state = tostring(properties.provisioningState)\n"
		"| order by id asc",
		"[{'id': '/s/1', 'ws': '/w', 'product': 'omsgallery/security', 'state': "
		"'Succeeded'}]");
}

static void machines_with_an_agent_and_no_rule(void **state)
{
	(void)state;
	check("{'resources': ["
	      "{'id': '" MACHINE(
		      "M1") "/extensions/ama', 'subscriptionId': '" S1 "', 'type': "
			    "'microsoft.hybridcompute/machines/extensions', 'properties': {'type': "
			    "'AzureMonitorWindowsAgent'}},"
			    "{'id': '" MACHINE(
				    "M2") "/extensions/ama', 'subscriptionId': '" S1 "', 'type': "
					  "'microsoft.hybridcompute/machines/extensions', "
					  "'properties': {'type': "
					  "'azuremonitorlinuxagent'}},"
					  "{'id': '" MACHINE(
						  "M3") "/extensions/ama', 'subscriptionId': '" S1
							"', 'type': "
							"'microsoft.hybridcompute/machines/"
							"extensions', 'properties': {'type': "
							"'AzureMonitorLinuxAgent'}},"
							"{'id': '" MACHINE(
								"M4") "/extensions/mde', "
								      "'subscriptionId': '" S1
								      "', 'type': "
								      "'microsoft.hybridcompute/"
								      "machines/extensions', "
								      "'properties': {'type': "
								      "'MDE.Linux'}}],"
								      "'insightsresources': ["
								      "{'id': '" ASSOCIATION(
									      "m1") "', 'type': "
										    "'microsoft."
										    "insights/"
										    "datacollection"
										    "ruleassociatio"
										    "ns', "
										    "'properties': "
										    "{'"
										    "dataCollection"
										    "RuleId': "
										    "'/dcr'}},"
										    "{'id': "
										    "'" ASSOCIATION(
											    "m3") "', 'type': "
												  "'microsoft.insights/datacollectionruleassociations', 'properties': "
												  "{'dataCollectionEndpointId': '/dce'}}]}",
		"resources\n"
		"| where type =~ 'microsoft.hybridcompute/machines/extensions'\n"
		"| where tostring(properties.type) in~ ('AzureMonitorWindowsAgent', "
		"'AzureMonitorLinuxAgent')\n"
		"| extend mid = strcat_array(array_slice(split(tolower(id), '/'), 0, 8), '/')\n"
		"| project mid, subscriptionId\n"
		"| join kind=leftouter (insightsresources\n"
		"    | where type =~ 'microsoft.insights/datacollectionruleassociations'\n"
		"    | where isnotempty(tostring(properties.dataCollectionRuleId))\n"
		"    | extend mid = strcat_array(array_slice(split(tolower(id), '/'), 0, 8), '/')\n"
		"    | summarize d = count() by mid) on mid\n"
		"| where isnull(d)\n"
		"| summarize n = count() by subscriptionId\n"
		"| order by subscriptionId asc",
		"[{'subscriptionId': '" S1 "', 'n': 2}]");
}

static void images_with_their_state(void **state)
{
	(void)state;
	check("{'resources': ["
	      "{'id': '/I/2', 'type': 'microsoft.compute/images', 'properties': {'storageProfile': "
	      "{'osDisk': {'osState': 'Generalized'}}}},"
	      "{'id': '/I/1', 'type': 'microsoft.compute/galleries/images', 'properties': "
	      "{'osState': 'Specialized'}},"
	      "{'id': '/I/3', 'type': 'microsoft.compute/disks'}]}",
		"resources\n"
		"| where type in~ ('microsoft.compute/galleries/images', "
		"'microsoft.compute/images')\n"
		"| project id = tolower(id), st = iff(type =~ 'microsoft.compute/images', "
		"tostring(properties.storageProfile.osDisk.osState), "
		"tostring(properties.osState))\n"
		"| order by id asc",
		"[{'id': '/i/1', 'st': 'Specialized'}, {'id': '/i/2', 'st': 'Generalized'}]");
}

static void subscriptions_and_their_plans(void **state)
{
	(void)state;
	check("{'resourcecontainers': ["
	      "{'id': '/subscriptions/" S2 "', 'name': 'two', 'subscriptionId': '" S2 "', 'type': "
	      "'microsoft.resources/subscriptions', 'properties': {'state': 'Enabled'}},"
	      "{'id': '/subscriptions/" S1 "', 'name': 'one', 'subscriptionId': '" S1 "', 'type': "
	      "'microsoft.resources/subscriptions', 'properties': {}},"
	      "{'id': '/x', 'type': 'microsoft.resources/subscriptions/resourcegroups'}]}",
		"resourcecontainers | where type =~ 'microsoft.resources/subscriptions'\n"
		"| project id, subscriptionId, name, state = tostring(properties.state) | order by "
		"id "
		"asc",
		"[{'id': '/subscriptions/" S1 "', 'subscriptionId': '" S1 "', 'name': 'one', "
		"'state': ''}, {'id': '/subscriptions/" S2 "', 'subscriptionId': '" S2 "', 'name': "
		"'two', 'state': 'Enabled'}]");
	check("{'securityresources': ["
	      "{'id': '/subscriptions/" S1 "/p', 'name': 'VirtualMachines', 'subscriptionId': "
	      "'" S1 "', 'type': 'microsoft.security/pricings', 'properties': {'pricingTier': "
	      "'Standard', 'subPlan': 'P2', 'extensions': [{'name': 'x', 'isEnabled': 'True'}]}},"
	      "{'id': '/subscriptions/" S1 "/resourceGroups/r/p', 'name': 'virtualmachines', "
	      "'type': 'microsoft.security/pricings'},"
	      "{'id': '/subscriptions/" S1 "/q', 'name': 'KeyVaults', 'type': "
	      "'microsoft.security/pricings'}]}",
		"securityresources | where type =~ 'microsoft.security/pricings' and name =~ "
		"'VirtualMachines'\n"
		"| where id !contains '/resourcegroups/'\n"
		"| project id, subscriptionId, tier = tostring(properties.pricingTier), subPlan = "
		"tostring(properties.subPlan), ext = properties.extensions\n"
		"| order by id asc",
		"[{'id': '/subscriptions/" S1 "/p', 'subscriptionId': '" S1 "', 'tier': "
		"'Standard', 'subPlan': 'P2', 'ext': [{'name': 'x', 'isEnabled': 'True'}]}]");
}

static void connectors_and_workspaces(void **state)
{
	static const char tables[] =
		"{'resources': ["
		"{'id': '/c', 'subscriptionId': '" S1 "', 'type': "
		"'microsoft.security/securityconnectors', 'properties': {'environmentName': 'AWS', "
		"'hierarchyIdentifier': '123', 'offerings': [{'offeringType': 'X'}]}},"
		"{'id': '/w', 'subscriptionId': '" S1 "', 'type': "
		"'microsoft.operationalinsights/workspaces', 'properties': {'customerId': 'c1'}}]}";

	(void)state;
	check(tables,
		"resources | where type =~ 'microsoft.security/securityconnectors' | project id, "
		"subscriptionId, env = tostring(properties.environmentName), hid = "
		"tostring(properties.hierarchyIdentifier), offerings = properties.offerings | "
		"order "
		"by id asc",
		"[{'id': '/c', 'subscriptionId': '" S1
		"', 'env': 'AWS', 'hid': '123', 'offerings': "
		"[{'offeringType': 'X'}]}]");
	check(tables,
		"resources | where type =~ 'microsoft.operationalinsights/workspaces' | project "
		"id, "
		"subscriptionId, customerId = tostring(properties.customerId) | order by id asc",
		"[{'id': '/w', 'subscriptionId': '" S1 "', 'customerId': 'c1'}]");
}

/* M1 has both sensors, M2 none, M3 a failed one. */
#define FLEET \
	"{'resources': [" \
	"{'id': '" MACHINE( \
		"M1") "', 'subscriptionId': '" S1 "', 'resourceGroup': 'rg', " \
		      "'location': 'eu', 'type': 'microsoft.hybridcompute/machines', " \
		      "'properties': {'status': " \
		      "'Connected', 'osType': 'windows', 'osSku': 'Windows Server 2016', " \
		      "'agentVersion': " \
		      "'1.40'}}," \
		      "{'id': '" MACHINE( \
			      "M2") "', 'subscriptionId': '" S1 "', 'resourceGroup': 'rg', " \
				    "'location': 'eu', 'type': " \
				    "'microsoft.hybridcompute/machines', 'properties': " \
				    "{'status': " \
				    "'Disconnected'}}," \
				    "{'id': '" MACHINE( \
					    "M3") "', 'subscriptionId': '" S2 \
						  "', 'resourceGroup': 'rg', " \
						  "'location': 'us', 'type': " \
						  "'microsoft.hybridcompute/machines', " \
						  "'properties': {'status': " \
						  "'connected'}}," \
						  "{'id': '" MACHINE( \
							  "M1") "/extensions/MDE', 'name': " \
								"'MDE', 'type': " \
								"'microsoft.hybridcompute/" \
								"machines/extensions', " \
								"'properties': {'publisher': " \
								"'P', 'type': " \
								"'MDE.Windows', " \
								"'provisioningState': " \
								"'Succeeded', " \
								"'typeHandlerVersion': '1.0', " \
								"'enableAutomaticUpgrade': true, " \
								"'settings': {'vNextEnabled': " \
								"'true'}, 'instanceView': " \
								"{'status': {'message': " \
								"'fine'}}}}," \
								"{'id': '" MACHINE( \
									"M1") "/extensions/MMA', " \
									      "'name': 'MMA', " \
									      "'type': " \
									      "'microsoft." \
									      "hybridcompute/" \
									      "machines/" \
									      "extensions', " \
									      "'properties': " \
									      "{'type': " \
									      "'MicrosoftMonitori" \
									      "ngAgent', " \
									      "'provisioningState" \
									      "': 'Succeeded', " \
									      "'settings': " \
									      "{'workspaceId': " \
									      "'c1'}}}," \
									      "{'id': '" MACHINE( \
										      "M3") "/ext" \
											    "ensi" \
											    "ons/" \
											    "MDE'" \
											    ", " \
											    "'nam" \
											    "e': " \
											    "'MDE" \
											    "', " \
											    "'typ" \
											    "e': " \
											    "'mic" \
											    "roso" \
											    "ft." \
											    "hybr" \
											    "idco" \
											    "mput" \
											    "e/" \
											    "mach" \
											    "ines" \
											    "/ext" \
											    "ensi" \
											    "ons'" \
											    ", " \
											    "'pro" \
											    "pert" \
											    "ies'" \
											    ": " \
											    "{'" \
											    "type" \
											    "': " \
											    "'MDE" \
											    ".Lin" \
											    "ux'," \
											    " " \
											    "'pro" \
											    "visi" \
											    "onin" \
											    "gSta" \
											    "te':" \
											    " '" \
											    "Fail" \
											    "ed'}" \
											    "}]}"

#define ROW_1 \
	"{'id': '" MACHINE("M1") "', 'subscriptionId': '" S1 "', 'resourceGroup': 'rg', " \
				 "'location': 'eu', 'status': 'Connected', 'os': 'windows', " \
				 "'sku': 'Windows Server 2016', " \
				 "'agent': '1.40', 'mdeId': '" MACHINE( \
					 "M1") "/extensions/MDE', 'mdeType': 'MDE.Windows', " \
					       "'mdeState': 'Succeeded', 'mdeVer': '1.0', " \
					       "'mdeAuto': true, 'mdeMsg': 'fine', 'mmaId': " \
					       "'" MACHINE("M1") "/extensions/MMA', 'mmaState': " \
								 "'Succeeded', 'wsId': 'c1'}"
#define ROW_2 \
	"{'id': '" MACHINE("M2") "', 'subscriptionId': '" S1 "', 'resourceGroup': 'rg', " \
				 "'location': 'eu', 'status': 'Disconnected', 'os': '', 'sku': " \
				 "'', 'agent': '', 'mdeId': " \
				 "'', 'mdeType': '', 'mdeState': '', 'mdeVer': '', 'mdeAuto': " \
				 "null, 'mdeMsg': '', 'mmaId': " \
				 "'', 'mmaState': '', 'wsId': ''}"
#define ROW_3 \
	"{'id': '" MACHINE("M3") "', 'subscriptionId': '" S2 "', 'resourceGroup': 'rg', " \
				 "'location': 'us', 'status': 'connected', 'os': '', 'sku': '', " \
				 "'agent': '', 'mdeId': " \
				 "'" MACHINE("M3") "/extensions/MDE', 'mdeType': 'MDE.Linux', " \
						   "'mdeState': 'Failed', " \
						   "'mdeVer': '', 'mdeAuto': null, 'mdeMsg': '', " \
						   "'mmaId': '', 'mmaState': '', 'wsId': ''}"

static void machines_joined_with_their_extensions(void **state)
{
	(void)state;
	check(FLEET, KQL_MACHINES_JOINED("1", "0"), "[" ROW_1 ", " ROW_2 ", " ROW_3 "]");
	check(FLEET,
		KQL_MACHINES_JOINED("1", "0") "| where isnull(mdeState) or isempty(mdeState) or "
					      "mdeState !~ 'Succeeded' or isnotempty(mmaId)",
		"[" ROW_1 ", " ROW_2 ", " ROW_3 "]");
	check(FLEET,
		KQL_MACHINES_JOINED("1", "0") "| where isempty(mdeState) or mdeState !~ "
					      "'Succeeded'",
		"[" ROW_2 ", " ROW_3 "]");
}

/* Each row is in one partition, and none is in none. */
static void partitions_by_hash_share_out_the_machines(void **state)
{
	static const char *const texts[] = {KQL_MACHINES_JOINED("3", "0"),
		KQL_MACHINES_JOINED("3", "1"), KQL_MACHINES_JOINED("3", "2")};
	json_t *tables = json_of(FLEET), *seen = json_object();
	size_t total = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct kql_result result;

		run_query(tables, texts[i], &result);
		total += json_array_size(result.rows);
		for (size_t k = 0; k < json_array_size(result.rows); k++)
			json_object_set(seen,
				json_string_value(
					json_object_get(json_array_get(result.rows, k), "id")),
				json_null());
		kql_result_fini(&result);
	}
	assert_int_equal(total, 3);
	assert_int_equal(json_object_size(seen), 3);
	json_decref(seen);
	json_decref(tables);
}

static void counts_and_running_writes(void **state)
{
	(void)state;
	check(FLEET,
		"resources | where type =~ 'microsoft.hybridcompute/machines' | summarize n = "
		"count(), connected = countif(tostring(properties.status) =~ 'Connected') by "
		"subscriptionId",
		"[{'subscriptionId': '" S1 "', 'n': 2, 'connected': 1}, {'subscriptionId': '" S2
		"', 'n': 1, 'connected': 1}]");
	check(FLEET,
		"resources | where type =~ 'microsoft.hybridcompute/machines/extensions' and "
		"tostring(properties.provisioningState) !in~ ('Succeeded') | project id, st = "
		"tostring(properties.provisioningState)",
		"[{'id': '" MACHINE("M3") "/extensions/MDE', 'st': 'Failed'}]");
}

static void recent_changes_of_machines(void **state)
{
	(void)state;
	check("{'resourcechanges': ["
	      "{'id': '/c2', 'properties': {'targetResourceId': '/m2', 'targetResourceType': "
	      "'Microsoft.HybridCompute/machines', 'changeType': 'Update', 'changeAttributes': "
	      "{'timestamp': '2026-11-24T11:59:00.123Z', 'correlationId': 'k', 'changedBy': "
	      "'someone'}}},"
	      "{'id': '/c1', 'properties': {'targetResourceType': "
	      "'microsoft.hybridcompute/machines', 'changeAttributes': {'timestamp': "
	      "'2026-11-24T11:58:00Z'}}},"
	      "{'id': '/old', 'properties': {'targetResourceType': "
	      "'microsoft.hybridcompute/machines', 'changeAttributes': {'timestamp': "
	      "'2026-11-24T11:50:00Z'}}},"
	      "{'id': '/other', 'properties': {'targetResourceType': 'x', 'changeAttributes': "
	      "{'timestamp': '2026-11-24T11:59:00Z'}}}]}",
		"resourcechanges | extend t = todatetime(properties.changeAttributes.timestamp) | "
		"where t > ago(10m) | where tostring(properties.targetResourceType) =~ "
		"'microsoft.hybridcompute/machines' | project id, t, target = "
		"tostring(properties.targetResourceId), change = tostring(properties.changeType), "
		"corr = tostring(properties.changeAttributes.correlationId), who = "
		"tostring(properties.changeAttributes.changedBy) | order by t asc, id asc",
		"[{'id': '/c1', 't': '2026-11-24T11:58:00Z', 'target': '', 'change': '', 'corr': "
		"'', "
		"'who': ''}, {'id': '/c2', 't': '2026-11-24T11:59:00.123Z', 'target': '/m2', "
		"'change': 'Update', 'corr': 'k', 'who': 'someone'}]");
}

/* --- the texts of graph_query.h --- */

static void check_table(const char *tables, enum graph_table table, const char *want)
{
	mdc_autofree char *text = graph_query_text(table, 0, 0);

	check(tables, text, want);
}

static void the_daemons_own_queries_rebuild_documents(void **state)
{
	(void)state;
	check_table("{'resourcecontainers': [{'id': '/subscriptions/" S1 "', 'name': 'n', "
		    "'subscriptionId': '" S1 "', 'tenantId': 't', 'type': "
		    "'microsoft.resources/subscriptions', 'properties': {'state': 'Enabled', "
		    "'managementGroupAncestorsChain': [{'name': 'root'}], 'quotaId': 'x'}}]}",
		GRAPH_SUBSCRIPTIONS,
		"[{'id': '/subscriptions/" S1 "', 'subscriptionId': '" S1 "', 'properties': "
		"{'managementGroupAncestorsChain': [{'name': 'root'}]}}]");
	check_table("{'securityresources': [{'id': '/p', 'name': 'virtualMachines', 'type': "
		    "'microsoft.security/pricings', 'properties': {'pricingTier': 'Free', "
		    "'extensions': [{'name': 'x'}]}}]}",
		GRAPH_PRICINGS,
		"[{'id': '/p', 'properties': {'pricingTier': 'Free', 'subPlan': '', 'enforce': '', "
		"'enablementTime': '', 'resourcesCoverageStatus': '', 'deprecated': '', "
		"'replacedBy': null, 'extensions': [{'name': 'x'}]}}]");
	check_table(FLEET, GRAPH_MACHINE_COUNTS,
		"[{'subscriptionId': '', 'machines': 0, 'extensions': 3}, {'subscriptionId': "
		"'" S1 "', 'machines': 2, 'extensions': 0}, {'subscriptionId': '" S2 "', "
		"'machines': 1, 'extensions': 0}]");
}

static void the_daemons_machines_are_texts_but_for_lists_and_tags(void **state)
{
	(void)state;
	check_table("{'resources': [{'id': '/m', 'location': 'eu', 'tags': {'a': 'b'}, 'type': "
		    "'Microsoft.HybridCompute/machines', 'properties': {'status': 'Connected', "
		    "'vmId': 'left out', 'osSku': 7, 'agentConfiguration': {'extensionsEnabled': "
		    "true, 'extensionsAllowList': [{'type': 'x'}], 'proxyUrl': 'http://p', "
		    "'proxyBypass': 'left out'}}}]}",
		GRAPH_MACHINES,
		"[{'id': '/m', 'location': 'eu', 'tags': {'a': 'b'}, 'properties': {'status': "
		"'Connected', 'lastStatusChange': '', 'osType': '', 'osName': '', 'osSku': '7', "
		"'agentVersion': '', 'cloudMetadata': {'provider': ''}, 'agentConfiguration': "
		"{'extensionsEnabled': 'true', 'configMode': '', 'proxyUrl': 'http://p', "
		"'extensionsAllowList': [{'type': "
		"'x'}], 'extensionsBlockList': null}}}]");
}

/* clang-format off */
#define EXTENSION(id, publisher, type, state, version, vnext, workspace, message) \
	"{'id': '" id "', 'properties': {'publisher': '" publisher "', 'type': '" type "', " \
	"'provisioningState': '" state "', 'typeHandlerVersion': '" version "', 'settings': " \
	"{'vNextEnabled': '" vnext "', 'azureResourceId': '', 'workspaceId': '" workspace "'}, 'instanceView': {'status': " \
	"{'code': '', 'message': '" message "'}}}}"
/* clang-format on */

static void the_daemons_extensions_are_texts(void **state)
{
	(void)state;
	check_table(FLEET, GRAPH_EXTENSIONS,
		"[" EXTENSION(MACHINE("M1") "/extensions/MDE", "P", "MDE.Windows", "Succeeded",
			"1.0", "true", "", "fine") ", " EXTENSION(MACHINE("M1") "/extensions/MMA",
			"", "MicrosoftMonitoringAgent", "Succeeded", "", "", "c1",
			"") ", " EXTENSION(MACHINE("M3") "/extensions/MDE", "", "MDE.Linux",
			"Failed", "", "", "", "") "]");
}

static void what_others_may_write_at_any_length_or_type_is_short_text(void **state)
{
	struct buf tables = BUF_INIT(65536), want = BUF_INIT(65536);

	(void)state;
	buf_adds(&tables,
		"{'resources': [{'id': '/e', 'type': "
		"'microsoft.hybridcompute/machines/extensions', 'properties': {'type': "
		"'MDE.Linux', 'settings': {'vNextEnabled': 7.5, 'azureResourceId': "
		"[1.5, {}]}, 'instanceView': {'status': {'code': -310, 'message': '");
	buf_adds(&want,
		"[{'id': '/e', 'properties': {'publisher': '', 'type': 'MDE.Linux', "
		"'provisioningState': '', 'typeHandlerVersion': '', 'settings': "
		"{'vNextEnabled': '7.5', 'azureResourceId': '[1.5,{}]', 'workspaceId': ''}, "
		"'instanceView': {'status': {'code': '-310', 'message': '");
	for (unsigned i = 0; i < 3000; i++)
		buf_adds(&tables, "\xc3\xa4");
	for (unsigned i = 0; i < 400; i++)
		buf_adds(&want, "\xc3\xa4");
	buf_adds(&tables, "'}}}}]}");
	buf_adds(&want, "'}}}}]");
	check_table(buf_str(&tables), GRAPH_EXTENSIONS, buf_str(&want));
	buf_fini(&tables);
	buf_fini(&want);
}

static void the_daemons_partitions_cover_every_row_once(void **state)
{
	static const enum graph_table partitioned[] = {GRAPH_MACHINES, GRAPH_EXTENSIONS};
	json_t *tables = json_of(FLEET);

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(partitioned); t++) {
		size_t total = 0;

		for (unsigned i = 0; i < 5; i++) {
			mdc_autofree char *text = graph_query_text(partitioned[t], 5, i);
			struct kql_result result;

			run_query(tables, text, &result);
			assert_true(result.pageable);
			total += json_array_size(result.rows);
			kql_result_fini(&result);
		}
		assert_int_equal(total, 3);
	}
	json_decref(tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy_assignments_and_sets),
		cmocka_unit_test(policy_exemptions_that_still_hold),
		cmocka_unit_test(policy_compliance_is_counted),
		cmocka_unit_test(role_assignments_of_a_principal),
		cmocka_unit_test(data_collection_rules_in_use),
		cmocka_unit_test(rules_and_plans_of_workspaces),
		cmocka_unit_test(machines_with_an_agent_and_no_rule),
		cmocka_unit_test(images_with_their_state),
		cmocka_unit_test(subscriptions_and_their_plans),
		cmocka_unit_test(connectors_and_workspaces),
		cmocka_unit_test(machines_joined_with_their_extensions),
		cmocka_unit_test(partitions_by_hash_share_out_the_machines),
		cmocka_unit_test(counts_and_running_writes),
		cmocka_unit_test(recent_changes_of_machines),
		cmocka_unit_test(the_daemons_own_queries_rebuild_documents),
		cmocka_unit_test(the_daemons_machines_are_texts_but_for_lists_and_tags),
		cmocka_unit_test(the_daemons_extensions_are_texts),
		cmocka_unit_test(what_others_may_write_at_any_length_or_type_is_short_text),
		cmocka_unit_test(the_daemons_partitions_cover_every_row_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
