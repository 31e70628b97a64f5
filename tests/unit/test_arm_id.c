/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_id.h"

#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S "/subscriptions/11111111-aaaa-BBBB-cccc-222222222222"
#define S_LOW "11111111-aaaa-bbbb-cccc-222222222222"
#define G S "/resourceGroups/Rg-1"
#define M G "/providers/Microsoft.HybridCompute/machines/Web01"

static void knows_the_kinds_that_the_daemon_works_with(void **state)
{
	static const struct {
		const char *text;
		enum arm_kind kind;
		const char *group, *name, *parent;
	} rows[] = {
		{S, ARM_KIND_SUBSCRIPTION, NULL, "11111111-aaaa-BBBB-cccc-222222222222", NULL},
		{G, ARM_KIND_RESOURCE_GROUP, "Rg-1", "Rg-1", NULL},
		{S "/providers/Microsoft.Security/pricings/VirtualMachines", ARM_KIND_PRICING, NULL,
			"VirtualMachines", NULL},
		{S "/providers/Microsoft.Security/settings/WDATP", ARM_KIND_SETTING, NULL, "WDATP",
			NULL},
		{S "/providers/Microsoft.Security/serverVulnerabilityAssessmentsSettings/"
		   "AzureServersSetting",
			ARM_KIND_VA_SETTING, NULL, "AzureServersSetting", NULL},
		{S "/providers/Microsoft.Security/mdeOnboardings/default", ARM_KIND_MDE_ONBOARDING,
			NULL, "default", NULL},
		{M, ARM_KIND_ARC_MACHINE, "Rg-1", "Web01", NULL},
		{M "/extensions/MDE.Windows", ARM_KIND_ARC_EXTENSION, "Rg-1", "MDE.Windows",
			"Web01"},
		{G "/providers/Microsoft.Compute/virtualMachines/vm", ARM_KIND_VIRTUAL_MACHINE,
			"Rg-1", "vm", NULL},
		{G "/providers/Microsoft.Compute/virtualMachines/vm/extensions/MDE.Linux",
			ARM_KIND_VM_EXTENSION, "Rg-1", "MDE.Linux", "vm"},
		{M "/providers/Microsoft.Security/pricings/VirtualMachines",
			ARM_KIND_RESOURCE_PRICING, "Rg-1", "VirtualMachines", "Web01"},
		{G "/providers/Microsoft.OperationalInsights/workspaces/ws", ARM_KIND_WORKSPACE,
			"Rg-1", "ws", NULL},
		{G "/providers/Microsoft.OperationsManagement/solutions/Security(ws)",
			ARM_KIND_SOLUTION, "Rg-1", "Security(ws)", NULL},
		{G "/providers/Microsoft.Insights/dataCollectionRules/r", ARM_KIND_COLLECTION_RULE,
			"Rg-1", "r", NULL},
		{G "/providers/Microsoft.Compute/machines/m", ARM_KIND_OTHER, "Rg-1", "m", NULL},
		{S "/resourceGroups", ARM_KIND_OTHER, NULL, "resourceGroups", NULL},
		{S "/providers/Microsoft.HybridCompute/machines/m", ARM_KIND_OTHER, NULL, "m",
			NULL},
		{M "/runCommands/r", ARM_KIND_OTHER, "Rg-1", "r", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arm_id id;

		assert_int_equal(arm_id_parse(rows[i].text, &id), 0);
		if (id.kind != rows[i].kind)
			fail_msg("%s is a %s", rows[i].text, arm_kind_name(id.kind));
		assert_string_equal(id.text, rows[i].text);
		assert_string_equal(id.subscription, S_LOW);
		assert_true(str_equal(id.group, rows[i].group));
		assert_string_equal(id.name, rows[i].name);
		assert_true(str_equal(id.parent_name, rows[i].parent));
		arm_id_fini(&id);
	}
}

static void ids_without_a_subscription_are_of_another_kind(void **state)
{
	static const char *const rows[] = {
		"/providers/Microsoft.Management/managementGroups/mg",
		"/subscriptions",
		"/subscriptions/not-a-guid",
		"/subscriptions/not-a-guid/resourceGroups/g/providers/x.y/machines/m",
		"x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arm_id id;

		assert_int_equal(arm_id_parse(rows[i], &id), 0);
		assert_int_equal(id.kind, ARM_KIND_OTHER);
		assert_string_equal(id.subscription, "");
		assert_null(id.group);
		arm_id_fini(&id);
	}
}

static void casing_and_a_missing_slash_do_not_matter(void **state)
{
	static const char text[] =
		"SUBSCRIPTIONS/11111111-AAAA-bbbb-CCCC-222222222222/resourcegroups/"
		"RG-1/Providers/microsoft.HYBRIDcompute/Machines/web01/Extensions/"
		"mde.windows";
	struct arm_id id;
	char *parent;

	(void)state;
	assert_int_equal(arm_id_parse(text, &id), 0);
	assert_int_equal(id.kind, ARM_KIND_ARC_EXTENSION);
	assert_int_equal(id.text[0], '/');
	assert_string_equal(id.text + 1, text);
	assert_string_equal(id.subscription, S_LOW);
	assert_string_equal(id.parent_name, "web01");
	parent = arm_id_parent(&id);
	assert_true(arm_id_same(parent, M));
	free(parent);
	arm_id_fini(&id);
	assert_null(id.text);
}

static void machines_and_groups_may_be_called_extensions(void **state)
{
	static const char text[] =
		S "/resourceGroups/extensions/providers/Microsoft.HybridCompute/machines/"
		  "extensions/extensions/extensions";
	static const char machine[] =
		S "/resourceGroups/extensions/providers/Microsoft.HybridCompute/machines/"
		  "extensions";
	struct arm_id id;
	char *parent;

	(void)state;
	assert_int_equal(arm_id_parse(text, &id), 0);
	assert_int_equal(id.kind, ARM_KIND_ARC_EXTENSION);
	assert_string_equal(id.parent_name, "extensions");
	parent = arm_id_parent(&id);
	assert_string_equal(parent, machine);
	free(parent);
	arm_id_fini(&id);
	assert_int_equal(arm_id_parse(machine, &id), 0);
	assert_int_equal(id.kind, ARM_KIND_ARC_MACHINE);
	assert_null(arm_id_parent(&id));
	arm_id_fini(&id);
}

static void refuses_what_could_lead_a_path_elsewhere(void **state)
{
	static const char *const rows[] = {
		NULL,
		"",
		"/",
		"//",
		"//subscriptions",
		S "/",
		S "//resourceGroups/g",
		S "/../x",
		S "/./x",
		G "/providers/Microsoft.HybridCompute/machines/..",
		G "/providers/Microsoft.HybridCompute/machines/m?api-version=1",
		G "/providers/Microsoft.HybridCompute/machines/m#x",
		G "/providers/Microsoft.HybridCompute/machines/m%2f..",
		G "/providers/Microsoft.HybridCompute/machines/m\\x",
		G "/providers/Microsoft.HybridCompute/machines/m\n",
		G "/providers/Microsoft.HybridCompute/machines/m\r\nHost: x",
		G "/providers/Microsoft.HybridCompute/machines/<m>",
		G "/providers/Microsoft.HybridCompute/machines/\"m\"",
		G "/providers/Microsoft.HybridCompute/machines/m\x7f",
		"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/"
		"31/32/33",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arm_id id = {.kind = ARM_KIND_PRICING};

		if (arm_id_parse(rows[i], &id) != -EINVAL)
			fail_msg("%s was taken", rows[i]);
		assert_int_equal(id.kind, ARM_KIND_PRICING);
	}
}

static void length_is_capped(void **state)
{
	char text[ARM_ID_MAX + 2];
	struct arm_id id;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[ARM_ID_MAX + 1] = '\0';
	assert_int_equal(arm_id_parse(text, &id), -ENAMETOOLONG);
	text[ARM_ID_MAX] = '\0';
	assert_int_equal(arm_id_parse(text, &id), 0);
	arm_id_fini(&id);
}

static void keys_are_folded_with_a_slash(void **state)
{
	char *a = arm_id_key(M), *b = arm_id_key(&M[1]);

	(void)state;
	assert_string_equal(a, b);
	assert_int_equal(a[0], '/');
	for (const char *p = a; *p != '\0'; p++)
		assert_int_equal(*p, str_lower(*p));
	free(a);
	free(b);
}

static void sameness_ignores_casing_and_slash_only(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"/a/B", "A/b", true},
		{"/a/b", "/a/b/", false},
		{"/a/b", "//a/b", false},
		{"", "/", true},
		{NULL, "/a", false},
		{NULL, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(arm_id_same(rows[i].a, rows[i].b), rows[i].same);
		assert_int_equal(arm_id_same(rows[i].b, rows[i].a), rows[i].same);
	}
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (unsigned k = 0; k < ARM_KIND_N_; k++)
		assert_true(strlen(arm_kind_name((enum arm_kind)k)) > 3);
}

/* Segments are drawn at random, casing is shuffled: the key of what was parsed never changes. */
static void what_was_parsed_keeps_its_key(void **state)
{
	static const char *const words[] = {"subscriptions", "11111111-aaaa-bbbb-cccc-222222222222",
		"resourceGroups", "providers", "Microsoft.HybridCompute", "machines", "extensions",
		"Microsoft.Security", "pricings", "VirtualMachines", "x", "r\xc3\xa4ger"};
	const uint64_t seed = 20271;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned round = 0; round < 20000; round++) {
		char text[600] = "", *key, *again;
		struct arm_id id;

		for (uint64_t n = 1 + rng_below(&r, 12); n > 0; n--) {
			strcat(text, "/");
			strcat(text, words[rng_below(&r, ARRAY_LEN(words))]);
		}
		for (char *p = text; *p != '\0'; p++)
			if (*p >= 'a' && *p <= 'z' && rng_below(&r, 4) == 0)
				*p = (char)(*p - 'a' + 'A');
		assert_int_equal(arm_id_parse(text + rng_below(&r, 2), &id), 0);
		key = arm_id_key(text);
		again = arm_id_key(id.text);
		assert_string_equal(key, again);
		assert_true(arm_id_same(id.text, text));
		assert_true(str_ends_nocase(text, id.name));
		free(key);
		free(again);
		arm_id_fini(&id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_kinds_that_the_daemon_works_with),
		cmocka_unit_test(ids_without_a_subscription_are_of_another_kind),
		cmocka_unit_test(casing_and_a_missing_slash_do_not_matter),
		cmocka_unit_test(machines_and_groups_may_be_called_extensions),
		cmocka_unit_test(refuses_what_could_lead_a_path_elsewhere),
		cmocka_unit_test(length_is_capped),
		cmocka_unit_test(keys_are_folded_with_a_slash),
		cmocka_unit_test(sameness_ignores_casing_and_slash_only),
		cmocka_unit_test(every_kind_has_a_name),
		cmocka_unit_test(what_was_parsed_keeps_its_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
