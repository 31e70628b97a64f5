/* SPDX-License-Identifier: Apache-2.0 */
/* Identities, clouds and proxies in configurations. */
#include "tests/unit/config_cases.h"

/* --- what is wrong --- */

static void an_identity_says_what_its_method_does_not_use(void **state)
{
#define METHOD(word, lines) \
	"identity \"x\" {\n	tenant = " ID1 "\n	method = " word "\n" lines "}\n" BASE
	static const struct trouble cases[] = {
		{METHOD("managed-identity", ""), ""},
		{METHOD("managed-identity", "	client = " ID2 "\n"), ""},
		{METHOD("arc-managed-identity", "	client = " ID2 "\n"), ""},
		{METHOD("azure-cli", "	client = " ID2 "\n"),
			"t.conf:4: warning: client: the method azure-cli does not use it; remove "
			"it\n"},
		{METHOD("arc-managed-identity", "	certificate-chain = on\n"),
			"t.conf:4: warning: certificate-chain: the method arc-managed-identity "
			"does not use it; remove it\n"},
		{METHOD("workload-identity",
			 "	client = " ID2 "\n	federated-token-file = /t\n"
			 "	secret-expires = 2027-01-31\n"),
			"t.conf:6: warning: secret-expires: the method workload-identity does not "
			"use it; remove it\n"},
	};
#undef METHOD

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void azure_cli_is_for_looking_only(void **state)
{
#define CLI(mode) \
	"identity \"me\" {\n	tenant = " ID1 "\n	method = azure-cli\n}\n" POLICY \
	"scope \"s\" {\n	identity = me\n	policy = servers\n	subscriptions = *\n" \
	"	mode = " mode "\n}\n"
	static const struct trouble cases[] = {
		{CLI("observe"), ""},
		{CLI("enforce"),
			"t.conf:11: error: mode: the identity \"me\" signs in with azure-cli, "
			"which is for observing only; write mode = observe, or name another "
			"identity\n"},
	};
#undef CLI

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void a_cloud_without_a_login_is_warned_of_where_somebody_signs_in(void **state)
{
#define LAB "cloud \"lab\" {\n	resource-manager = https://r.example\n}\n"
	static const struct trouble cases[] = {
		{LAB BASE, ""},
		{LAB "identity \"x\" {\n	cloud = lab\n" CREDENTIALS "}\n" BASE,
			"t.conf:1: warning: cloud \"lab\" has no login, so identity \"x\" gets "
			"no token; write login = \"https://HOST\", or start: the "
			"resource-manager will be asked, and what to write will be told\n"},
		{LAB "identity \"x\" {\n	cloud = lab\n	tenant = " ID1
		     "\n	method = managed-identity\n}\n" BASE,
			""},
		{"cloud \"lab\" {\n	resource-manager = https://r.example\n	logim = "
		 "https://l.example\n}\nidentity \"x\" {\n	cloud = lab\n" CREDENTIALS
		 "}\n" BASE,
			"t.conf:3: error: there is no option \"logim\" in cloud \"lab\"; write "
			"login\n"},
	};
#undef LAB

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

static void proxies_are_told_with_what_to_write(void **state)
{
	static const struct trouble cases[] = {
		{"proxy {\n	url = http://me:hunter2@p.example:3128\n}\n" BASE,
			"t.conf:2: error: url: user and password do not belong into a "
			"configuration; write \"http://HOST:PORT\", and credentials-file = "
			"\"/etc/mdcd/credentials/proxy\" with a file that holds "
			"USER:PASSWORD\n"},
		{"proxy {\n	url = http://p.example:3128/\n}\n" BASE,
			"t.conf:2: error: url: \"http://p.example:3128/\" ends with a slash; "
			"write \"http://p.example:3128\"\n"},
		{"proxy {\n	credentials-file = /p\n	ca-file = /c\n}\n" BASE,
			"t.conf:2: warning: credentials-file: it has no effect on a proxy of the "
			"environment; write url = \"http://HOST:PORT\" beside it\n"
			"t.conf:3: warning: ca-file: it has no effect on a proxy of the "
			"environment; write url = \"http://HOST:PORT\" beside it\n"},
		{"cloud \"public\" {\n	proxy {\n		no-proxy = [10.0.0.0/8, "
		 "a;b, https://x]\n	}\n}\n" BASE,
			"t.conf:3: error: no-proxy: \"a;b\" is neither a name, an address nor a "
			"network; write one such as \"example.com\", \"10.0.0.5\" or "
			"\"10.0.0.0/8\"\n"
			"t.conf:3: error: no-proxy: \"https://x\" is neither a name, an address "
			"nor a network; write one such as \"example.com\", \"10.0.0.5\" or "
			"\"10.0.0.0/8\"\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

/* --- what is in force --- */

static const struct cloud_config *cloud_named(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->cloud_count; i++)
		if (strcmp(c->clouds[i].name, name) == 0)
			return &c->clouds[i];
	fail_msg("there is no cloud %s", name);
	return NULL;
}

static void the_clouds_of_azure_exist_without_being_written(void **state)
{
	struct config *c = build_well(BASE);

	(void)state;
	assert_int_equal(c->cloud_count, 3);
	assert_ptr_equal(c->identities[0].cloud, cloud_named(c, "public"));
	assert_string_equal(cloud_named(c, "public")->login, "https://login.microsoftonline.com");
	assert_string_equal(
		cloud_named(c, "public")->resource_manager, "https://management.azure.com");
	assert_string_equal(cloud_named(c, "public")->audience, "https://management.azure.com");
	assert_string_equal(
		cloud_named(c, "us-government")->login, "https://login.microsoftonline.us");
	assert_string_equal(cloud_named(c, "us-government")->resource_manager,
		"https://management.usgovcloudapi.net");
	assert_string_equal(cloud_named(c, "china")->login, "https://login.chinacloudapi.cn");
	assert_string_equal(
		cloud_named(c, "china")->audience, "https://management.chinacloudapi.cn");
	assert_null(cloud_named(c, "china")->defender);
	assert_null(cloud_named(c, "public")->ca_file);
	config_free(c);
}

static void a_cloud_section_changes_a_built_in_cloud_or_adds_one(void **state)
{
	struct config *c =
		build_well("cloud \"public\" {\n"
			   "	resource-manager = https://127.0.0.1:8443\n"
			   "	ca-file = /tmp/ca.pem\n}\n"
			   "cloud \"lab\" {\n	login = https://l.example\n"
			   "	resource-manager = https://r.example\n"
			   "	audience = https://a.example/\n}\n"
			   "identity \"lab\" {\n	cloud = lab\n" CREDENTIALS "}\n" BASE);
	const struct cloud_config *public = cloud_named(c, "public");
	const struct cloud_config *lab = cloud_named(c, "lab");

	(void)state;
	assert_int_equal(c->cloud_count, 4);
	assert_string_equal(public->login, "https://login.microsoftonline.com");
	assert_string_equal(public->resource_manager, "https://127.0.0.1:8443");
	assert_string_equal(public->audience, "https://127.0.0.1:8443");
	assert_string_equal(public->ca_file, "/tmp/ca.pem");
	assert_string_equal(lab->audience, "https://a.example/");
	assert_null(lab->defender);
	assert_ptr_equal(c->identities[0].cloud, lab);
	config_free(c);
}

static void quota_is_counted_as_each_cloud_does(void **state)
{
	struct config *c = build_well(
		"cloud \"us-government\" {\n	quota-model = buckets-and-tenant\n}\n"
		"cloud \"lab\" {\n	login = https://l.example\n"
		"	resource-manager = https://r.example\n	quota-model = hourly\n}\n" BASE);

	(void)state;
	assert_int_equal(cloud_named(c, "public")->quota, CLOUD_QUOTA_BUCKETS);
	assert_int_equal(cloud_named(c, "china")->quota, CLOUD_QUOTA_HOURLY);
	assert_int_equal(cloud_named(c, "us-government")->quota, CLOUD_QUOTA_BUCKETS_AND_TENANT);
	assert_int_equal(cloud_named(c, "lab")->quota, CLOUD_QUOTA_HOURLY);
	config_free(c);
	c = build_well("cloud \"china\" {\n	quota-model = buckets\n}\n" BASE);
	assert_int_equal(cloud_named(c, "china")->quota, CLOUD_QUOTA_BUCKETS);
	config_free(c);
}

static void a_proxy_of_a_cloud_takes_nothing_from_the_one_of_all(void **state)
{
	struct config *c =
		build_well("proxy {\n	url = http://p.example:3128\n"
			   "	credentials-file = /c\n"
			   "	no-proxy = [10.0.0.0/8, .example.com]\n}\n"
			   "cloud \"china\" {\n	proxy {\n		url = none\n	}\n}\n"
			   "cloud \"us-government\" {\n	proxy {\n		url = "
			   "https://q.example:443\n		ca-file = /ca\n		no-proxy = "
			   "[]\n	}\n}\n" BASE);
	const struct proxy_config *all = &cloud_named(c, "public")->proxy;
	const struct proxy_config *own = &cloud_named(c, "us-government")->proxy;

	(void)state;
	assert_string_equal(all->url, "http://p.example:3128");
	assert_string_equal(all->credentials_file, "/c");
	assert_string_equal(all->no_proxy, "10.0.0.0/8,.example.com");
	assert_null(all->ca_file);
	assert_string_equal(cloud_named(c, "china")->proxy.url, "none");
	assert_null(cloud_named(c, "china")->proxy.no_proxy);
	assert_string_equal(own->url, "https://q.example:443");
	assert_null(own->credentials_file);
	assert_string_equal(own->ca_file, "/ca");
	/* Nothing is excepted, whatever the environment says. */
	assert_string_equal(own->no_proxy, ",");
	config_free(c);
	c = build_well(BASE);
	assert_null(cloud_named(c, "public")->proxy.url);
	assert_null(cloud_named(c, "public")->proxy.no_proxy);
	config_free(c);
}

static void the_end_of_a_secret_may_be_written_down(void **state)
{
	struct config *c = build_well(
		"identity \"x\" {\n" CREDENTIALS "	secret-expires = 2027-01-31\n}\n" BASE);
	char end[WALL_TEXT_SIZE];

	(void)state;
	wall_format(c->identities[0].secret_expires, end);
	assert_string_equal(end, "2027-01-31T23:59:59.999Z");
	assert_false(wall_is_set(c->identities[1].secret_expires));
	config_free(c);
}

static void ids_are_kept_in_lower_case(void **state)
{
	struct config *c = build_well("identity \"x\" {\n"
				      "	tenant = AAAAAAAA-1111-1111-1111-111111111111\n"
				      "	client = BBBBBBBB-1111-1111-1111-111111111111\n"
				      "	method = client-certificate\n	certificate = /c\n"
				      "	certificate-password-file = /p\n}\n" BASE);
	const struct identity_config *i = &c->identities[0];

	(void)state;
	assert_string_equal(i->tenant, "aaaaaaaa-1111-1111-1111-111111111111");
	assert_string_equal(i->client, "bbbbbbbb-1111-1111-1111-111111111111");
	assert_int_equal(i->method, IDENTITY_CLIENT_CERTIFICATE);
	assert_string_equal(i->certificate, "/c");
	assert_string_equal(i->certificate_password_file, "/p");
	assert_null(i->secret_file);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_says_what_its_method_does_not_use),
		cmocka_unit_test(azure_cli_is_for_looking_only),
		cmocka_unit_test(a_cloud_without_a_login_is_warned_of_where_somebody_signs_in),
		cmocka_unit_test(proxies_are_told_with_what_to_write),
		cmocka_unit_test(the_clouds_of_azure_exist_without_being_written),
		cmocka_unit_test(a_cloud_section_changes_a_built_in_cloud_or_adds_one),
		cmocka_unit_test(quota_is_counted_as_each_cloud_does),
		cmocka_unit_test(a_proxy_of_a_cloud_takes_nothing_from_the_one_of_all),
		cmocka_unit_test(the_end_of_a_secret_may_be_written_down),
		cmocka_unit_test(ids_are_kept_in_lower_case),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
