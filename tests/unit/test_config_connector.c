/* SPDX-License-Identifier: Apache-2.0 */
/* Connectors that a configuration describes. */
#include "tests/unit/config_cases.h"

#include <string.h>

#define ROLE "arn:aws:iam::123456789012:role/"
#define EMAIL "mdc@servers-prod.iam.gserviceaccount.com"
#define PLANNED(parts) \
	"policy \"p\" {\n	connector {\n		plan = P2\n" parts "	}\n}\n"
#define IN_SCOPE(connectors) \
	"scope \"s\" {\n	identity = main\n	policy = p\n	subscriptions = [ " ID1 \
	" ]\n" connectors "}\n"
#define PLACE \
	"		subscription = " ID1 "\n		resource-group = rg\n" \
	"		location = westeurope\n"
#define AWS(name, members) \
	"	aws-connector \"" name "\" {\n" PLACE \
	"		account = 123456789012\n		servers-role = " ROLE \
	"servers\n" members "	}\n"
#define GCP(name, members) \
	"	gcp-connector \"" name "\" {\n" PLACE \
	"		project-number = 7788\n		project-id = servers-prod\n" \
	"		workload-identity-provider = defender-for-servers\n" \
	"		service-account = " EMAIL "\n" members "	}\n"
/* The connector begins at line 10. */
#define WITH(connectors) PLANNED("") IN_SCOPE(connectors) BASE

static void both_clouds_are_described_with_all_that_creating_takes(void **state)
{
	struct config *c = build_well(WITH(AWS("a-1",
		"		arc-role = " ROLE "x/arc\n		stackset = set\n"
		"		excluded-accounts = [ 210987654321 ]\n") GCP("g_1",
		"		scan-hours = 4\n"
		"		organization-provider = auto-provisioner\n"
		"		organization-account = " EMAIL "\n")));
	const struct scope_config *s = &c->scopes[0];
	const struct connector_config *a = &s->connectors[0], *g = &s->connectors[1];

	(void)state;
	assert_int_equal(s->connector_count, 2);
	assert_string_equal(a->id,
		"/subscriptions/" ID1
		"/resourceGroups/rg/providers/Microsoft.Security/securityConnectors/a-1");
	assert_int_equal(a->is.cloud, CONNECTOR_AWS);
	assert_string_equal(a->is.hierarchy, "123456789012");
	assert_string_equal(a->is.identities[CONNECTOR_SERVERS_ROLE], ROLE "servers");
	assert_string_equal(a->is.identities[CONNECTOR_ARC_ROLE], ROLE "x/arc");
	assert_null(a->is.identities[CONNECTOR_AGENTLESS_ROLE]);
	assert_int_equal(a->is.scan_hours, 12);
	assert_string_equal(a->is.stackset, "set");
	assert_int_equal(a->is.excluded_count, 1);
	assert_int_equal(g->is.cloud, CONNECTOR_GCP);
	assert_string_equal(g->is.hierarchy, "7788");
	assert_string_equal(g->is.project, "servers-prod");
	assert_string_equal(g->is.organization_account, EMAIL);
	assert_int_equal(g->is.scan_hours, 4);
	assert_ptr_equal(scope_connector(s,
				 "/Subscriptions/" ID1 "/resourcegroups/RG/providers/"
				 "microsoft.security/securityconnectors/A-1"),
		a);
	assert_null(scope_connector(s, "/subscriptions/" ID1));
	/* Others are asked as well, whether they have the account. */
	assert_true(c->scopes[0].lists_connectors);
	assert_true(c->scopes[1].lists_connectors);
	config_free(c);
	c = build_well(BASE);
	assert_false(c->scopes[0].lists_connectors);
	config_free(c);
}

/* Each text that does not have the form that its cloud gives it. */
static void texts_of_another_form_are_refused(void **state)
{
	static const struct {
		const char *kind, *option, *text;
	} cases[] = {
		{"aws", "account", "12345678901"},
		{"aws", "account", "1234567890123"},
		{"aws", "account", "12345678901a"},
		{"aws", "servers-role", "arn:aws:iam::12345678901:role/x"},
		{"aws", "servers-role", "arn:aws:iam::123456789012:user/x"},
		{"aws", "servers-role", "arn:aws:iam::123456789012:role/"},
		{"aws", "servers-role", "arn:aws:iam::123456789012:role/x/"},
		{"aws", "servers-role", "arn:aws:iam::123456789012:role/x y"},
		{"aws", "servers-role", "arn:aws-other:iam::123456789012:role/x"},
		{"aws", "servers-role", "arn:aws:sts::123456789012:role/x"},
		{"aws", "servers-role", "role/x"},
		{"aws", "stackset", "1x"},
		{"aws", "resource-group", "rg."},
		{"aws", "resource-group", "a/b"},
		{"aws", "location", "west-europe"},
		{"aws", "excluded-accounts", "1"},
		{"gcp", "project-number", "servers-prod"},
		{"gcp", "project-number", "0123"},
		{"gcp", "project-id", "short"},
		{"gcp", "project-id", "Servers-Prod"},
		{"gcp", "project-id", "1servers"},
		{"gcp", "project-id", "servers-"},
		{"gcp", "workload-identity-provider",
			"projects/1/locations/global/workloadIdentityPools/p/providers/x"},
		{"gcp", "service-account", "mdc"},
		{"gcp", "service-account", "mdc@example.com"},
		{"gcp", "service-account", "@x.iam.gserviceaccount.com"},
		{"gcp", "service-account", "a@b@x.iam.gserviceaccount.com"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		mdc_cleanup(buf_fini) struct buf said = BUF_INIT(1 << 16);
		bool list = strstr(cases[i].option, "excluded") != NULL;
		char text[2048], begin[256];

		snprintf(text, sizeof(text),
			PLANNED("") "scope \"s\" {\n	identity = main\n	policy = p\n"
				    "	%s-connector \"c\" {\n		%s = %s%s%s\n	"
				    "}\n}\n" BASE,
			cases[i].kind, cases[i].option, list ? "[ " : "\"", cases[i].text,
			list ? " ]" : "\"");
		snprintf(begin, sizeof(begin), "t.conf:10: error: %s: \"", cases[i].option);
		assert_null(build(text, &said));
		if (strstr(buf_str(&said), begin) == NULL)
			fail_msg("%s = %s: %s", cases[i].option, cases[i].text, buf_str(&said));
	}
}

static void what_does_not_fit_together_is_told(void **state)
{
	static const struct trouble cases[] = {
		{WITH("	aws-connector \"a\" {\n	}\n"),
			"t.conf:10: error: aws-connector \"a\" has no subscription; write "
			"subscription = \"00000000-0000-0000-0000-000000000000\"\n"
			"t.conf:10: error: aws-connector \"a\" has no resource-group; write "
			"resource-group = \"rg-connectors\"\n"
			"t.conf:10: error: aws-connector \"a\" has no location; write location = "
			"\"westeurope\"\n"
			"t.conf:10: error: aws-connector \"a\" has no account; write account = "
			"\"123456789012\"\n"
			"t.conf:10: error: aws-connector \"a\" has no servers-role; write "
			"servers-role = \"arn:aws:iam::123456789012:role/"
			"DefenderForCloud-DefenderForServers\"\n"},
		{WITH(AWS("a", "		arc-role = arn:aws:iam::210987654321:role/arc\n")),
			"t.conf:16: error: arc-role: the role is of account 210987654321, and the "
			"connector of 123456789012; write a role of that account\n"},
		{WITH(AWS("a b", "")),
			"t.conf:10: error: aws-connector \"a b\": the title is the connector's "
			"name in Azure; write letters, digits and - _ .\n"},
		{WITH(AWS("a", "") AWS("b", "")),
			"t.conf:17: error: aws-connector \"b\" is about the same account as "
			"connector \"a\"; remove one\n"},
		{WITH(AWS("a", "") GCP("a", "")),
			"t.conf:17: error: gcp-connector \"a\" is about the same resource as "
			"connector \"a\"; remove one\n"},
		{PLANNED("") "scope \"s\" {\n	identity = main\n	policy = p\n"
			     "	subscriptions = [ " ID2 " ]\n" AWS("a", "") "}\n" BASE,
			"t.conf:11: error: subscription: \"" ID1
			"\" is not in scope \"s\"; write one of its subscriptions, or describe "
			"the connector in the scope of that one\n"},
		{WITH(GCP("g", "		organization-provider = auto-provisioner\n")),
			"t.conf:10: error: gcp-connector \"g\" has only one of "
			"organization-provider and organization-account; write both for a "
			"project that manages an organization, or none\n"},
		{WITH(AWS("a", "		excluded-accounts = [ 210987654321 ]\n")),
			"t.conf:16: warning: excluded-accounts: it has no effect on the connector "
			"of a single account; write stackset for one of an organization\n"},
		{PLANNED("		arc = on\n		agentless = on\n")
				IN_SCOPE(AWS("a", "") GCP("g", "")) BASE,
			"t.conf:12: error: aws-connector \"a\" has no arc-role; write arc-role = "
			"\"ARN\", or take out of policy \"p\" what needs it\n"
			"t.conf:12: error: aws-connector \"a\" has no agentless-role; write "
			"agentless-role = \"ARN\", or take out of policy \"p\" what needs it\n"},
		{"policy \"p\" {\n}\n" IN_SCOPE(AWS("a", "")) BASE,
			"t.conf:7: warning: aws-connector \"a\" is not made while policy \"p\" "
			"does not say with which plan; write connector { plan = P1 } or P2 "
			"there\n"},
		{WITH(AWS("a", "		project-id = servers-prod\n")),
			"t.conf:16: error: there is no option \"project-id\" in aws-connector "
			"\"a\"; it belongs into gcp-connector\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_clouds_are_described_with_all_that_creating_takes),
		cmocka_unit_test(texts_of_another_form_are_refused),
		cmocka_unit_test(what_does_not_fit_together_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
