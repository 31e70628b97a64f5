/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

#define KNOBS "\"deployer\":{\"on\":false},\"operations\":{\"create\":\"1m\",\"update\":\"1m\"}"
#define STATUS "properties.instanceView.status."

static char *package(struct fixture *f, const char *system)
{
	mdc_autofree char *path =
		xasprintf(SECURITY "/mdeOnboardings/%s?api-version=2021-10-01-preview", system);
	mdc_autofree char *member = xasprintf("properties.onboardingPackage%s", system);

	assert_int_equal(get(f, path), 200);
	return xstrdup(text(f, member));
}

/* Installs MDE.<system> with those settings; the resulting document is peeked at. */
static const json_t *install(
	struct fixture *f, const char *system, const char *settings, const char *script)
{
	mdc_autofree char *path = xasprintf(MACHINE "/extensions/MDE.%s?" ARC, system);
	mdc_autofree char *id = xasprintf(MACHINE "/extensions/MDE.%s", system);
	mdc_autofree char *own = script == NULL ? package(f, system) : NULL;
	mdc_autofree char *body = xasprintf(
		"{\"location\":\"westeurope\",\"properties\":{\"publisher\":"
		"\"Microsoft.Azure.AzureDefenderForServers\",\"type\":\"MDE.%s\",\"settings\":%s,"
		"\"protectedSettings\":{\"defenderForEndpointOnboardingScript\":\"%s\"}}}",
		system, settings, script != NULL ? script : own);

	assert_int_equal(put(f, path, body), 202);
	pass(f, DUR_MIN(1));
	return estate_peek(f->e, id);
}

static const struct {
	const char *os, *system, *code;
} systems[] = {
	{"Windows Server 2012 R2 Standard", "Windows", "0"},
	{"Windows Server 2016 Datacenter Evaluation", "Windows", "0"},
	{"Windows Server 2019 Datacenter", "Windows", "0"},
	{"Windows Server 2022 Datacenter Azure Edition", "Windows", "0"},
	{"Windows Server 2025 Standard", "Windows", "0"},
	{"Azure Stack HCI", "Windows", "0"},
	{"Windows Server 2012 Datacenter", "Windows", "51"},
	{"Windows 10 Enterprise", "Windows", "51"},
	{"Windows 11 Enterprise multi-session", "Windows", "51"},
	{"Ubuntu 22.04.4 LTS", "Linux", "0"},
	{"Ubuntu 16.04.7 LTS", "Linux", "0"},
	{"Ubuntu 14.04.6 LTS", "Linux", "11"},
	{"Red Hat Enterprise Linux 10.0 (Coughlan)", "Linux", "0"},
	{"Red Hat Enterprise Linux Server 7.1 (Maipo)", "Linux", "11"},
	{"Debian GNU/Linux 12 (bookworm)", "Linux", "0"},
	{"SUSE Linux Enterprise Server 15 SP5", "Linux", "0"},
	{"SUSE Linux Enterprise Server 16.0", "Linux", "11"},
	{"Rocky Linux 8.6 (Green Obsidian)", "Linux", "11"},
	{"Rocky Linux 10.0 (Red Quartz)", "Linux", "11"},
	{"Amazon Linux 2023", "Linux", "0"},
	{"Amazon Linux 2", "Linux", "0"},
	{"CentOS Linux 7 (Core)", "Linux", "0"},
	{"Gentoo Linux", "Linux", "10"},
	{"Red Hat Enterprise Linux CoreOS 416.94", "Linux", "10"},
	{"Ubuntu 22.04.4 LTS", "Windows", "10"},
	{"Windows Server 2019 Datacenter", "Linux", "51"},
};

static void each_system_takes_the_sensor_or_says_why_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(systems); i++) {
		struct fixture f;
		mdc_autofree char *sub =
			xasprintf("\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"os\":\"%s\"}]",
				systems[i].os);
		const json_t *doc;
		bool good = str_equal(systems[i].code, "0");

		fixture_open(&f, sub, KNOBS);
		doc = install(&f, systems[i].system, "{}", NULL);
		if (!str_equal(tree_text(doc, STATUS "code"), systems[i].code))
			fail_msg("%s: %s", systems[i].os, tree_text(doc, STATUS "code"));
		assert_string_equal(tree_text(doc, "properties.provisioningState"),
			good ? "Succeeded" : "Failed");
		assert_string_equal(tree_text(doc, STATUS "level"), good ? "Information" : "Error");
		assert_non_null(strstr(tree_text(doc, STATUS "message"), "Extension Message: "));
		fixture_close(&f);
	}
}

static void the_script_must_be_there_and_the_tenants_own(void **state)
{
	struct fixture f;
	mdc_autofree char *other = NULL;
	const json_t *doc;

	(void)state;
	fixture_open(&f, "\"machines\":[{\"name\":\"m1\",\"group\":\"rg\"}]", KNOBS);
	doc = install(&f, "Windows", "{}", "");
	assert_string_equal(tree_text(doc, STATUS "code"), "30");
	assert_non_null(strstr(tree_text(doc, STATUS "message"), "please use mdeOnboardings API"));
	other = package(&f, "Linux");
	doc = install(&f, "Windows", "{\"a\":1}", other);
	assert_string_equal(tree_text(doc, STATUS "code"), "31");
	fixture_close(&f);
}

static void the_same_number_means_different_things(void **state)
{
	static const char *const oses[] = {"Windows Server 2016 Standard", "Ubuntu 22.04.4 LTS"};
	static const char *const names[] = {"Windows", "Linux"};
	static const char *const words[] = {"restart is pending", "Insufficient requirements"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(oses); i++) {
		struct fixture f;
		mdc_autofree char *sub =
			xasprintf("\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"os\":\"%s\","
				  "\"outcomes\":[\"12\"]}]",
				oses[i]);
		const json_t *doc;

		fixture_open(&f, sub, KNOBS);
		doc = install(&f, names[i], "{}", NULL);
		assert_string_equal(tree_text(doc, STATUS "code"), "12");
		assert_non_null(strstr(tree_text(doc, STATUS "message"), words[i]));
		fixture_close(&f);
	}
}

static void outcomes_come_in_turn_and_the_last_one_stays(void **state)
{
	static const char *const codes[] = {"4", "1603", "0", "0"};
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"outcomes\":[\"4\",\"1603\","
		"\"0\"]}]",
		KNOBS);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		mdc_autofree char *settings = xasprintf("{\"attempt\":%zu}", i);

		assert_string_equal(
			tree_text(install(&f, "Windows", settings, NULL), STATUS "code"), codes[i]);
	}
	fixture_close(&f);
}

static void a_retry_without_a_change_is_not_a_retry(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"outcomes\":[\"4\",\"0\"]}]",
		KNOBS);
	assert_string_equal(tree_text(install(&f, "Windows", "{}", NULL), STATUS "code"), "4");
	assert_string_equal(tree_text(install(&f, "Windows", "{}", NULL), STATUS "code"), "4");
	assert_string_equal(
		tree_text(install(&f, "Windows", "{\"new\":true}", NULL), STATUS "code"), "0");
	fixture_close(&f);
}

static void a_pending_restart_stays_until_the_restart(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"os\":\"Windows Server 2016 "
		"Standard\",\"outcomes\":[\"12\"],\"rebootAfter\":\"10m\"}]",
		KNOBS);
	assert_string_equal(
		tree_text(install(&f, "Windows", "{\"a\":1}", NULL), STATUS "code"), "12");
	assert_string_equal(
		tree_text(install(&f, "Windows", "{\"a\":2}", NULL), STATUS "code"), "12");
	pass(&f, DUR_MIN(10));
	assert_string_equal(
		tree_text(install(&f, "Windows", "{\"a\":3}", NULL), STATUS "code"), "0");
	fixture_close(&f);
}

static const struct {
	const char *agent;
	bool blocked;
} agents[] = {
	{"\"allow\":[]", false},
	{"\"allow\":[{\"publisher\":\"Other\",\"type\":\"Other\"}]", true},
	{"\"allow\":[{\"publisher\":\"microsoft.azure.azuredefenderforservers\",\"type\":"
	 "\"mde.windows\"}]",
		false},
	{"\"block\":[{\"publisher\":\"Microsoft.Azure.AzureDefenderForServers\",\"type\":"
	 "\"MDE.Windows\"}]",
		true},
	{"\"extensionsEnabled\":false", true},
	{"\"configMode\":\"monitor\"", false},
};

static void the_agents_own_lists_decide_on_the_machine(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(agents); i++) {
		struct fixture f;
		mdc_autofree char *sub = xasprintf(
			"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",%s}]", agents[i].agent);

		fixture_open(&f, sub, KNOBS);
		assert_string_equal(tree_text(install(&f, "Windows", "{}", NULL),
					    "properties.provisioningState"),
			agents[i].blocked ? "Failed" : "Succeeded");
		fixture_close(&f);
	}
}

static void monitor_mode_refuses_what_is_not_for_security(void **state)
{
	static const char other[] = MACHINE "/extensions/Other?" ARC;
	struct fixture f;

	(void)state;
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"configMode\":\"monitor\"}]",
		KNOBS);
	put(&f, other,
		"{\"location\":\"westeurope\",\"properties\":{\"publisher\":\"P\",\"type\":"
		"\"Other\"}}");
	pass(&f, DUR_MIN(1));
	assert_string_equal(
		peek(&f, MACHINE "/extensions/Other", "properties.provisioningState"), "Failed");
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_system_takes_the_sensor_or_says_why_not),
	cmocka_unit_test(the_script_must_be_there_and_the_tenants_own),
	cmocka_unit_test(the_same_number_means_different_things),
	cmocka_unit_test(outcomes_come_in_turn_and_the_last_one_stays),
	cmocka_unit_test(a_retry_without_a_change_is_not_a_retry),
	cmocka_unit_test(a_pending_restart_stays_until_the_restart),
	cmocka_unit_test(the_agents_own_lists_decide_on_the_machine),
	cmocka_unit_test(monitor_mode_refuses_what_is_not_for_security),
};
RUN_ESTATE_TESTS(tests)
