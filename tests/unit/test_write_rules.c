/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

#include "lib/engine/write_rules.h"

#include <string.h>

static int setup_all(void **state)
{
	setup(state);
	estate_want_everything(&((struct fixture *)*state)->e);
	return 0;
}
#undef CASE
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup_all, teardown)

/* A write that is allowed, to be spoilt in one place. */
struct attempt {
	struct control_view view;
	struct arm_request request;
	json_t *current;
	struct write_context context;
};

static const char plan_p1[] = "{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\"}";

static json_t *security_document(
	const struct fixture *f, const char *path, const char *name, const char *properties)
{
	return json_pack("{s:o, s:s, s:o}", "id",
		json_sprintf("/subscriptions/%s/providers/Microsoft.Security/%s/%s", f->s->id, path,
			name),
		"name", name, "properties", json_loads(properties, 0, NULL));
}

static json_t *plan_document(const struct fixture *f, const char *properties)
{
	return security_document(f, "pricings", "VirtualMachines", properties);
}

static void attempt_init(struct fixture *f, struct attempt *a, enum control_id control)
{
	*a = (struct attempt){
		.view = estate_view(
			&f->e, f->s, control < FIRST_MACHINE_CONTROL ? NULL : f->m, control),
	};
	a->context = (struct write_context){
		.view = &a->view,
		.request = &a->request,
		.read_at = f->e.now,
		.intent_durable = true,
		.identity_tenant = ESTATE_TENANT,
	};
}

static void attempt_plan(struct fixture *f, struct attempt *a)
{
	attempt_init(f, a, CONTROL_SERVERS_PLAN);
	a->current = plan_document(f, plan_p1);
	arm_put_pricing(f->s->id, arm_pricing_document(a->current, "Standard", "P2"), &a->request);
}

static void attempt_setting(struct fixture *f, struct attempt *a, enum control_id control)
{
	enum setting_id setting = control == CONTROL_MDE_INTEGRATION ? SETTING_WDATP
		: control == CONTROL_LINUX_INTEGRATION               ? SETTING_EXCLUDE_LINUX
								     : SETTING_UNIFIED;

	attempt_init(f, a, control);
	arm_put_setting(f->s->id, setting_name(setting), setting_protects_on(setting), &a->request);
}

static void attempt_vulnerability(struct fixture *f, struct attempt *a)
{
	attempt_init(f, a, CONTROL_VULNERABILITY_MANAGEMENT);
	arm_put_vulnerability_setting(f->s->id, &a->request);
}

static void attempt_registration(struct fixture *f, struct attempt *a)
{
	attempt_init(f, a, CONTROL_PROVIDER);
	arm_register_provider(f->s->id, "Microsoft.Security", &a->request);
}

static void attempt_extension(struct fixture *f, struct attempt *a)
{
	if (f->m == NULL)
		f->m = estate_machine(&f->e, f->s, "srv (1)", WINDOWS_2016);
	attempt_init(f, a, CONTROL_MDE_EXTENSION);
	arm_put_mde_extension(f->m->id, "westeurope", true, true, "secret", NULL, &a->request);
}

static enum write_refusal try_it(struct fixture *f, struct attempt *a)
{
	a->context.current = a->current;
	return write_rules_check(&a->context, f->e.now);
}

static void attempt_fini(struct attempt *a)
{
	arm_request_fini(&a->request);
	json_decref(a->current);
	*a = (struct attempt){0};
}

#define expect_refusal(f, attempt, wanted) \
	assert_string_equal(write_refusal_text(try_it(f, attempt)), write_refusal_text(wanted))

/* --- what is allowed --- */

static void each_control_may_write_its_own(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	attempt_plan(f, &a);
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
	attempt_setting(f, &a, CONTROL_MDE_INTEGRATION);
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
	attempt_setting(f, &a, CONTROL_UNIFIED_SOLUTION);
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
	attempt_setting(f, &a, CONTROL_LINUX_INTEGRATION);
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
	attempt_vulnerability(f, &a);
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
	attempt_registration(f, &a);
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
	attempt_extension(f, &a);
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
	f->m = estate_machine(&f->e, f->s, "linux", UBUNTU);
	attempt_init(f, &a, CONTROL_MDE_EXTENSION);
	arm_put_mde_extension(f->m->id, "x", false, false, "secret", NULL, &a.request);
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
}

static void each_control_of_a_subscription_needs_its_option(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	f->e.policy = (struct policy_config){.name = f->e.policy.name};
	for (unsigned c = 0; c < FIRST_CONNECTOR_CONTROL; c++) {
		switch ((enum control_id)c) {
		case CONTROL_PROVIDER: attempt_registration(f, &a); break;
		case CONTROL_SERVERS_PLAN: attempt_plan(f, &a); break;
		case CONTROL_VULNERABILITY_MANAGEMENT: attempt_vulnerability(f, &a); break;
		case CONTROL_MDE_INTEGRATION:
		case CONTROL_UNIFIED_SOLUTION:
		case CONTROL_LINUX_INTEGRATION:
		case CONTROL_CONNECTOR:
		case CONTROL_WORKSPACE_PLAN:
		case CONTROL_ARC_CONNECTED:
		case CONTROL_SENSOR_ONBOARDED:
		case CONTROL_MDE_EXTENSION:
		case CONTROL_LEGACY_REPLACED:
		case CONTROL_SUBSCRIPTION_MOVE:
		case CONTROL_MACHINE_PLAN:
		case CONTROL_N_: attempt_setting(f, &a, (enum control_id)c); break;
		}
		expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
		attempt_fini(&a);
	}
}

static void a_registration_is_asked_for_and_nothing_else(void **state)
{
	static const struct {
		const char *method, *path;
	} rows[] = {
		{"POST", "/providers/Microsoft.Security?api-version=2024-03-01"},
		{"POST", "/providers/Microsoft.Security/unregister?api-version=2024-03-01"},
		{"POST", "/providers/Microsoft.Security/register/register?api-version=2024-03-01"},
		{"POST", "/providers/Microsoft.Security/register?api-version=2024-01-01"},
		{"POST", "/providers/Microsoft.Compute/register?api-version=2024-03-01"},
		{"PUT", "/providers/Microsoft.Security/register?api-version=2024-03-01"},
		{"PUT", "/providers/Microsoft.Security?api-version=2024-03-01"},
		{"DELETE", "/providers/Microsoft.Security?api-version=2024-03-01"},
	};
	struct fixture *f = *state;
	struct attempt a;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		attempt_registration(f, &a);
		free(a.request.path);
		a.request.method = rows[i].method;
		a.request.path = xasprintf("/subscriptions/%s%s", f->s->id, rows[i].path);
		if (try_it(f, &a) != WRITE_REFUSED_NOT_LISTED)
			fail_msg("allowed: %s %s", rows[i].method, rows[i].path);
		attempt_fini(&a);
	}
	attempt_registration(f, &a);
	a.request.body = json_object();
	expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
	attempt_fini(&a);
}

static void no_control_may_write_what_is_anothers(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	for (unsigned c = 0; c < CONTROL_N_; c++) {
		if (c != CONTROL_SERVERS_PLAN) {
			attempt_plan(f, &a);
			a.view = estate_view(&f->e, f->s, c < FIRST_MACHINE_CONTROL ? NULL : f->m,
				(enum control_id)c);
			expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
			attempt_fini(&a);
		}
		if (c != CONTROL_MDE_EXTENSION) {
			attempt_extension(f, &a);
			a.view = estate_view(&f->e, f->s, c < FIRST_MACHINE_CONTROL ? NULL : f->m,
				(enum control_id)c);
			expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
			attempt_fini(&a);
		}
	}
}

static void what_the_policy_does_not_want_is_not_written(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	f->e.policy.plan = PLAN_UNMANAGED;
	attempt_plan(f, &a);
	expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
	attempt_fini(&a);
	f->e.policy.integration = false;
	attempt_setting(f, &a, CONTROL_MDE_INTEGRATION);
	expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
	attempt_fini(&a);
	f->e.policy.deploy = DEPLOY_NEVER;
	attempt_extension(f, &a);
	expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
	attempt_fini(&a);
}

/* Only to VMs that Defender for Cloud leaves out, and only where the policy says so. */
static void vms_are_left_to_defender_for_cloud(void **state)
{
	struct fixture *f = *state;
	mdc_autofree char *document = xasprintf(
		"{\"id\":\"/subscriptions/%s/resourceGroups/rg/providers/Microsoft.Compute/"
		"virtualMachines/v\",\"location\":\"westeurope\",\"properties\":{"
		"\"storageProfile\":{},\"extended\":{\"instanceView\":{\"osName\":"
		"\"Windows Server 2016 Datacenter\",\"powerState\":{\"code\":"
		"\"PowerState/running\"}}}}}",
		f->s->id);
	struct attempt a;

	f->m = estate_machine_document(&f->e, document);
	f->m->extensions_known = true;
	for (unsigned i = 0; i < 4; i++) {
		f->m->own_image = i & 1;
		f->e.policy.own_images = i & 2;
		attempt_extension(f, &a);
		expect_refusal(f, &a, i == 3 ? WRITE_ALLOWED : WRITE_REFUSED_NOT_LISTED);
		attempt_fini(&a);
	}
}

/* --- the target --- */

#define SUB "/subscriptions/aaaaaaaa-0000-4000-8000-000000000001"
#define MACHINE SUB "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m"

static const struct {
	enum control_id control;
	const char *path;
} bad_paths[] = {
	{CONTROL_SERVERS_PLAN, SUB "/providers/Microsoft.Security/pricings/VirtualMachines"},
	{CONTROL_SERVERS_PLAN,
		SUB
		"/providers/Microsoft.Security/pricings/VirtualMachines?api-version=2023-01-01"},
	{CONTROL_SERVERS_PLAN,
		SUB "/providers/Microsoft.Security/pricings/"
		    "VirtualMachines?api-version=2024-01-01&x=y"},
	{CONTROL_SERVERS_PLAN,
		SUB "/providers/Microsoft.Security/pricings/Containers?api-version=2024-01-01"},
	{CONTROL_SERVERS_PLAN,
		SUB "/providers/Microsoft.Security/pricings/"
		    "virtualmachines?api-version=2024-01-01"},
	{CONTROL_SERVERS_PLAN,
		"/subscriptions/aaaaaaaa-0000-4000-8000-000000000002/providers/"
		"Microsoft.Security/pricings/VirtualMachines?api-version=2024-01-01"},
	{CONTROL_SERVERS_PLAN,
		MACHINE "/providers/Microsoft.Security/pricings/"
			"VirtualMachines?api-version=2024-01-01"},
	{CONTROL_SERVERS_PLAN, "?api-version=2024-01-01"},
	{CONTROL_SERVERS_PLAN, ""},
	{CONTROL_SERVERS_PLAN, "https://management.azure.com/"},
	{CONTROL_MDE_INTEGRATION,
		SUB "/providers/Microsoft.Security/settings/MCAS?api-version=2022-05-01"},
	{CONTROL_MDE_INTEGRATION,
		SUB "/providers/Microsoft.Security/settings/"
		    "WDATP_UNIFIED_SOLUTION?api-version=2022-05-01"},
	{CONTROL_MDE_INTEGRATION,
		SUB "/providers/Microsoft.Security/settings/WDATP/x?api-version=2022-05-01"},
	{CONTROL_LINUX_INTEGRATION,
		SUB "/providers/Microsoft.Security/settings/WDATP?api-version=2022-05-01"},
	{CONTROL_VULNERABILITY_MANAGEMENT,
		SUB "/providers/Microsoft.Security/serverVulnerabilityAssessmentsSettings/"
		    "other?api-version=2023-05-01"},
	{CONTROL_VULNERABILITY_MANAGEMENT,
		SUB "/providers/Microsoft.Security/autoProvisioningSettings/"
		    "default?api-version=2017-08-01-preview"},
	{CONTROL_MDE_EXTENSION, MACHINE "?api-version=2025-01-13"},
	{CONTROL_MDE_EXTENSION, MACHINE "/extensions/MDE.Linux?api-version=2025-01-13"},
	{CONTROL_MDE_EXTENSION, MACHINE "/extensions/MDE.Windows?api-version=2024-07-10"},
	{CONTROL_MDE_EXTENSION, MACHINE "2/extensions/MDE.Windows?api-version=2025-01-13"},
	{CONTROL_MDE_EXTENSION, MACHINE "/../n/extensions/MDE.Windows?api-version=2025-01-13"},
	{CONTROL_MDE_EXTENSION, MACHINE "%2Fextensions/MDE.Windows?api-version=2025-01-13"},
	{CONTROL_MDE_EXTENSION, MACHINE "%2/extensions/MDE.Windows?api-version=2025-01-13"},
	{CONTROL_MDE_EXTENSION, MACHINE "%00/extensions/MDE.Windows?api-version=2025-01-13"},
	{CONTROL_MDE_EXTENSION, MACHINE "/extensions/other?api-version=2025-01-13"},
	{CONTROL_MDE_EXTENSION,
		SUB "/resourceGroups/other/providers/Microsoft.HybridCompute/machines/m/"
		    "extensions/MDE.Windows?api-version=2025-01-13"},
	{CONTROL_MDE_EXTENSION,
		SUB "/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/m/extensions/"
		    "MDE.Windows?api-version=2024-07-01"},
};

static void only_the_views_own_targets_are_on_the_list(void **state)
{
	struct fixture *f = *state;

	estate_subscription(&f->e, 2);
	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	for (size_t i = 0; i < ARRAY_LEN(bad_paths); i++) {
		struct attempt a;

		switch (bad_paths[i].control) {
		case CONTROL_SERVERS_PLAN: attempt_plan(f, &a); break;
		case CONTROL_MDE_EXTENSION: attempt_extension(f, &a); break;
		case CONTROL_VULNERABILITY_MANAGEMENT: attempt_vulnerability(f, &a); break;
		case CONTROL_PROVIDER: attempt_registration(f, &a); break;
		case CONTROL_MDE_INTEGRATION:
		case CONTROL_UNIFIED_SOLUTION:
		case CONTROL_LINUX_INTEGRATION:
		case CONTROL_CONNECTOR:
		case CONTROL_WORKSPACE_PLAN:
		case CONTROL_ARC_CONNECTED:
		case CONTROL_SENSOR_ONBOARDED:
		case CONTROL_SUBSCRIPTION_MOVE:
		case CONTROL_MACHINE_PLAN:
		case CONTROL_LEGACY_REPLACED:
		case CONTROL_N_: attempt_setting(f, &a, bad_paths[i].control); break;
		}
		free(a.request.path);
		a.request.path = xstrdup(bad_paths[i].path);
		if (try_it(f, &a) != WRITE_REFUSED_NOT_LISTED)
			fail_msg("allowed: %s", bad_paths[i].path);
		attempt_fini(&a);
	}
}

static void ids_compare_without_case_and_may_be_escaped(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	attempt_extension(f, &a);
	free(a.request.path);
	a.request.path = xstrdup("/subscriptions/AAAAAAAA-0000-4000-8000-000000000001/"
				 "resourcegroups/RG/providers/microsoft.hybridcompute/Machines/%6d/"
				 "Extensions/MDE.Windows?api-version=2025-01-13");
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
}

static void no_method_but_put_is_anyones_but_the_two_that_delete(void **state)
{
	static const char *const methods[] = {"DELETE", "PATCH", "POST", "put", "GET", ""};
	static const char *const names[] = {
		"MDE.Windows", "MDE.Linux", "MicrosoftMonitoringAgent", "OmsAgentForLinux"};
	struct fixture *f = *state;
	struct attempt a;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		attempt_extension(f, &a);
		a.request.method = methods[i];
		expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
		attempt_fini(&a);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (unsigned c = FIRST_MACHINE_CONTROL; c < CONTROL_N_; c++) {
			attempt_init(f, &a, (enum control_id)c);
			arm_delete_extension(f->m->id, names[i], &a.request);
			/* What is not read beforehand is never deleted, by whomever. */
			expect_refusal(f, &a,
				c == CONTROL_SUBSCRIPTION_MOVE ? WRITE_REFUSED_NOT_READ
							       : WRITE_REFUSED_NOT_LISTED);
			attempt_fini(&a);
		}
}

/* --- the body --- */

static void set_member(json_t *body, const char *path, json_t *take_value)
{
	mdc_autofree char *parent = xstrdup(path);
	char *last = strrchr(parent, '.');
	json_t *object = body;

	if (last != NULL) {
		*last = '\0';
		object = json_path(body, parent);
	}
	if (take_value == NULL)
		json_object_del(object, last != NULL ? last + 1 : path);
	else
		json_object_set_new(object, last != NULL ? last + 1 : path, take_value);
}

static const struct {
	enum control_id control;
	const char *member, *value; /* JSON; NULL: taken out */
	enum write_refusal refusal;
} bodies[] = {
	{CONTROL_SERVERS_PLAN, "properties.pricingTier", "\"Free\"", WRITE_REFUSED_LOWERS},
	{CONTROL_SERVERS_PLAN, "properties.pricingTier", "\"Odd\"", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_SERVERS_PLAN, "properties.pricingTier", NULL, WRITE_REFUSED_NOT_LISTED},
	{CONTROL_SERVERS_PLAN, "properties.subPlan", "\"P9\"", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_SERVERS_PLAN, "properties.subPlan", "\"P1\"", WRITE_ALLOWED},
	{CONTROL_SERVERS_PLAN, "properties.inherited", "\"True\"", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_SERVERS_PLAN, "location", "\"x\"", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_SERVERS_PLAN, "properties", "7", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_INTEGRATION, "properties.enabled", "false", WRITE_REFUSED_LOWERS},
	{CONTROL_UNIFIED_SOLUTION, "properties.enabled", "false", WRITE_REFUSED_LOWERS},
	{CONTROL_MDE_INTEGRATION, "properties.enabled", "\"true\"", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_INTEGRATION, "properties.enabled", NULL, WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_INTEGRATION, "properties.more", "1", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_INTEGRATION, "kind", "\"AlertSyncSettings\"", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_LINUX_INTEGRATION, "properties.enabled", "true", WRITE_REFUSED_LOWERS},
	{CONTROL_VULNERABILITY_MANAGEMENT, "properties.selectedProvider", "\"Other\"",
		WRITE_REFUSED_NOT_LISTED},
	{CONTROL_VULNERABILITY_MANAGEMENT, "properties.more", "1", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_VULNERABILITY_MANAGEMENT, "kind", NULL, WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "properties.publisher", "\"Microsoft.Compute\"",
		WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "properties.type", "\"CustomScriptExtension\"",
		WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "properties.type", "\"MDE.Linux\"", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "properties.settings.azureResourceId", "\"/subscriptions/x\"",
		WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "properties.settings.azureResourceId", NULL,
		WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "properties.protectedSettings", NULL, WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "properties.protectedSettings.commandToExecute", "\"x\"",
		WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "properties.forceUpdateTag", "\"x\"", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "properties.provisioningState", "\"x\"", WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "location", NULL, WRITE_REFUSED_NOT_LISTED},
	{CONTROL_MDE_EXTENSION, "identity", "{}", WRITE_REFUSED_NOT_LISTED},
};

static void bodies_say_only_what_is_allowed(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct attempt a;

		if (bodies[i].control == CONTROL_SERVERS_PLAN)
			attempt_plan(f, &a);
		else if (bodies[i].control == CONTROL_MDE_EXTENSION)
			attempt_extension(f, &a);
		else if (bodies[i].control == CONTROL_VULNERABILITY_MANAGEMENT)
			attempt_vulnerability(f, &a);
		else
			attempt_setting(f, &a, bodies[i].control);
		set_member(a.request.body, bodies[i].member,
			bodies[i].value != NULL ? json_loads(bodies[i].value, JSON_DECODE_ANY, NULL)
						: NULL);
		if (try_it(f, &a) != bodies[i].refusal)
			fail_msg("row %zu: %s", i, write_refusal_text(try_it(f, &a)));
		attempt_fini(&a);
	}
}

static void a_write_needs_a_body(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	attempt_plan(f, &a);
	json_decref(a.request.body);
	a.request.body = NULL;
	expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
	attempt_fini(&a);
}

/* --- never lower --- */

static const struct {
	const char *current, *sent; /* properties */
	bool lowers;
} plan_changes[] = {
	{"{\"pricingTier\": \"Free\"}", "{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\"}",
		false},
	{plan_p1, "{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\"}", false},
	{plan_p1, "{\"pricingTier\": \"Standard\"}", false},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\"}", plan_p1, true},
	/* No sub-plan is P2. */
	{"{\"pricingTier\": \"Standard\"}", plan_p1, true},
	{plan_p1, "{\"pricingTier\": \"Free\"}", true},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", \"extensions\": [{\"name\": \"A\", "
	 "\"isEnabled\": \"True\"}]}",
		"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\"}", true},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", \"extensions\": [{\"name\": \"A\", "
	 "\"isEnabled\": \"True\"}]}",
		"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", \"extensions\": [{\"name\": "
		"\"A\", \"isEnabled\": \"False\"}]}",
		true},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", \"extensions\": [{\"name\": \"A\", "
	 "\"isEnabled\": \"True\"}]}",
		"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", \"extensions\": [{\"name\": "
		"\"a\", \"isEnabled\": true}, {\"name\": \"B\", \"isEnabled\": \"True\"}]}",
		false},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", \"extensions\": [{\"name\": \"A\", "
	 "\"isEnabled\": \"False\"}]}",
		"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\"}", false},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", \"enforce\": \"True\"}",
		"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\"}", true},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", \"enforce\": \"True\"}",
		"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", \"enforce\": \"False\"}",
		true},
	{"{\"pricingTier\": \"Standard\", \"subPlan\": \"P1\", \"enforce\": \"False\"}",
		"{\"pricingTier\": \"Standard\", \"subPlan\": \"P2\", \"enforce\": \"True\"}",
		false},
};

static void plans_are_not_lowered_without_a_grant(void **state)
{
	struct fixture *f = *state;

	f->e.scopes[0].grants = &f->grant;
	for (size_t i = 0; i < ARRAY_LEN(plan_changes); i++) {
		struct attempt a;
		enum write_refusal wanted =
			plan_changes[i].lowers ? WRITE_REFUSED_LOWERS : WRITE_ALLOWED;

		attempt_init(f, &a, CONTROL_SERVERS_PLAN);
		a.current = plan_document(f, plan_changes[i].current);
		arm_put_pricing(f->s->id,
			json_pack("{s:o}", "properties", json_loads(plan_changes[i].sent, 0, NULL)),
			&a.request);
		f->e.scopes[0].grant_count = 0;
		if (try_it(f, &a) != wanted)
			fail_msg("row %zu: %s", i, write_refusal_text(try_it(f, &a)));
		f->e.scopes[0].grant_count = 1;
		expect_refusal(f, &a, WRITE_ALLOWED);
		f->grant.until = wall_add(f->e.now, DUR_MS(-1));
		if (try_it(f, &a) != wanted)
			fail_msg("row %zu: an expired grant counted", i);
		f->grant.until = WALL_NEVER;
		attempt_fini(&a);
	}
}

static void a_grant_counts_for_its_control_only(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	f->e.scopes[0].grants = &f->grant;
	f->e.scopes[0].grant_count = 1;
	attempt_setting(f, &a, CONTROL_MDE_INTEGRATION);
	set_member(a.request.body, "properties.enabled", json_false());
	expect_refusal(f, &a, WRITE_REFUSED_LOWERS);
	attempt_fini(&a);
}

static void the_unified_solution_is_not_switched_off(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	attempt_extension(f, &a);
	a.current = estate_extension_document(f->m, EXTENSION(.vnext = "true"));
	expect_refusal(f, &a, WRITE_ALLOWED);
	set_member(a.request.body, "properties.settings.vNextEnabled", NULL);
	expect_refusal(f, &a, WRITE_REFUSED_LOWERS);
	set_member(a.request.body, "properties.settings.vNextEnabled", json_false());
	expect_refusal(f, &a, WRITE_REFUSED_LOWERS);
	attempt_fini(&a);
}

static void another_products_extension_is_not_overwritten(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	attempt_extension(f, &a);
	a.current = estate_extension_document(
		f->m, EXTENSION(.type = "MicrosoftMonitoringAgent", .name = "MDE.Windows"));
	expect_refusal(f, &a, WRITE_REFUSED_NOT_LISTED);
	attempt_fini(&a);
}

/* --- scope, holds, facts: each rule broken on an allowed write --- */

enum breach {
	IN_OBSERVE_MODE,
	IN_NO_SCOPE,
	IN_A_TIE,
	WITHOUT_SELECTOR,
	IN_ANOTHER_TENANT,
	IN_AN_UNKNOWN_TENANT,
	AFTER_A_MOVE_TO_ANOTHER_TENANT,
	WITHOUT_A_TENANT_OF_OURS,
	WHEN_HALTED,
	WHEN_PAUSED,
	WHEN_UNCONFIRMED,
	WITHOUT_READING,
	READ_TOO_LONG_AGO,
	READ_IN_THE_FUTURE,
	ON_AN_INVISIBLE_SUBSCRIPTION,
	ON_AN_OLD_LIST_OF_SUBSCRIPTIONS,
	ON_AN_OLD_LIST_OF_MACHINES,
	ON_AN_INCOMPLETE_LIST,
	WITH_UNKNOWN_TAGS,
	ON_A_DISABLED_SUBSCRIPTION,
	ON_A_WARNED_SUBSCRIPTION,
	ON_A_SUBSCRIPTION_IN_A_STATE_THAT_IS_NOT_KNOWN,
	ON_A_BUSY_TARGET,
	WITHOUT_INTENT,
};

static const struct {
	enum breach breach;
	enum write_refusal refusal;
} breaches[] = {
	{IN_OBSERVE_MODE, WRITE_REFUSED_OBSERVE_MODE},
	{IN_NO_SCOPE, WRITE_REFUSED_OBSERVE_MODE},
	{IN_A_TIE, WRITE_REFUSED_SCOPE_CONFLICT},
	{WITHOUT_SELECTOR, WRITE_REFUSED_NO_SELECTOR},
	{IN_ANOTHER_TENANT, WRITE_REFUSED_FOREIGN_TENANT},
	{IN_AN_UNKNOWN_TENANT, WRITE_REFUSED_FOREIGN_TENANT},
	{WITHOUT_A_TENANT_OF_OURS, WRITE_REFUSED_FOREIGN_TENANT},
	{AFTER_A_MOVE_TO_ANOTHER_TENANT, WRITE_REFUSED_TENANT_CHANGED},
	{WHEN_HALTED, WRITE_REFUSED_HALTED},
	{WHEN_PAUSED, WRITE_REFUSED_PAUSED},
	{WHEN_UNCONFIRMED, WRITE_REFUSED_UNCONFIRMED},
	{WITHOUT_READING, WRITE_REFUSED_NOT_READ},
	{READ_TOO_LONG_AGO, WRITE_REFUSED_NOT_READ},
	{READ_IN_THE_FUTURE, WRITE_REFUSED_NOT_READ},
	{ON_AN_INVISIBLE_SUBSCRIPTION, WRITE_REFUSED_INCOMPLETE},
	{ON_AN_OLD_LIST_OF_SUBSCRIPTIONS, WRITE_REFUSED_INCOMPLETE},
	{ON_AN_OLD_LIST_OF_MACHINES, WRITE_REFUSED_INCOMPLETE},
	{ON_AN_INCOMPLETE_LIST, WRITE_REFUSED_INCOMPLETE},
	{WITH_UNKNOWN_TAGS, WRITE_REFUSED_INCOMPLETE},
	{ON_A_DISABLED_SUBSCRIPTION, WRITE_REFUSED_SUBSCRIPTION_STATE},
	{ON_A_WARNED_SUBSCRIPTION, WRITE_REFUSED_SUBSCRIPTION_STATE},
	{ON_A_SUBSCRIPTION_IN_A_STATE_THAT_IS_NOT_KNOWN, WRITE_REFUSED_SUBSCRIPTION_STATE},
	{ON_A_BUSY_TARGET, WRITE_REFUSED_TARGET_BUSY},
	{WITHOUT_INTENT, WRITE_REFUSED_NO_INTENT},
};

static void commit(struct fixture *f, struct attempt *a, enum breach breach)
{
	struct wall day_ago = wall_add(f->e.now, DUR_DAYS(-1));

	switch (breach) {
	case IN_OBSERVE_MODE: f->e.scopes[0].mode = MODE_OBSERVE; break;
	case IN_NO_SCOPE: a->view.scope = NULL; break;
	case IN_A_TIE: f->s->scope_conflict = "two"; break;
	case WITHOUT_SELECTOR: f->e.scopes[0].everything = false; break;
	case IN_ANOTHER_TENANT: f->s->tenant[0] = '9'; break;
	case AFTER_A_MOVE_TO_ANOTHER_TENANT: memset(f->s->home, '9', 8); break;
	case IN_AN_UNKNOWN_TENANT: f->s->tenant[0] = '\0'; break;
	case WITHOUT_A_TENANT_OF_OURS: a->context.identity_tenant = NULL; break;
	case WHEN_HALTED: a->context.halted = true; break;
	case WHEN_PAUSED: a->context.paused = true; break;
	case WHEN_UNCONFIRMED: a->context.unconfirmed = true; break;
	case WITHOUT_READING: a->context.read_at = WALL_UNSET; break;
	case READ_TOO_LONG_AGO:
		a->context.read_at = wall_add(f->e.now, DUR_MS(-WRITE_READ_AGE.ms - 1));
		break;
	case READ_IN_THE_FUTURE: a->context.read_at = wall_add(f->e.now, DUR_S(1)); break;
	case ON_AN_INVISIBLE_SUBSCRIPTION: f->s->visible = false; break;
	case ON_AN_OLD_LIST_OF_SUBSCRIPTIONS: f->s->stamp.at = day_ago; break;
	case ON_AN_OLD_LIST_OF_MACHINES: f->s->machines_stamp.at = day_ago; break;
	case ON_AN_INCOMPLETE_LIST: f->m->extensions_known = false; break;
	case WITH_UNKNOWN_TAGS: f->m->tags_unknown = true; break;
	case ON_A_DISABLED_SUBSCRIPTION: f->s->state = SUBSCRIPTION_DISABLED; break;
	case ON_A_WARNED_SUBSCRIPTION: f->s->state = SUBSCRIPTION_WARNED; break;
	case ON_A_SUBSCRIPTION_IN_A_STATE_THAT_IS_NOT_KNOWN:
		f->s->state = SUBSCRIPTION_STATE_UNKNOWN;
		break;
	case ON_A_BUSY_TARGET: a->context.target_busy = true; break;
	case WITHOUT_INTENT: a->context.intent_durable = false; break;
	}
}

static void every_rule_is_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(breaches); i++) {
		void *fresh;
		struct fixture *f;
		struct attempt a;

		setup(&fresh);
		f = fresh;
		attempt_extension(f, &a);
		expect_refusal(f, &a, WRITE_ALLOWED);
		commit(f, &a, breaches[i].breach);
		if (try_it(f, &a) != breaches[i].refusal)
			fail_msg("breach %d: %s", breaches[i].breach,
				write_refusal_text(try_it(f, &a)));
		f->s->scope_conflict = NULL;
		attempt_fini(&a);
		teardown(&fresh);
	}
}

/* All later breaches together do not hide an earlier one. */
static void the_first_rule_that_is_broken_is_told(void **state)
{
	struct fixture *f = *state;
	enum write_refusal last = WRITE_REFUSAL_N_;
	struct attempt a;

	attempt_extension(f, &a);
	for (size_t i = ARRAY_LEN(breaches); i-- > 0;) {
		enum write_refusal now;

		if (breaches[i].breach == IN_NO_SCOPE)
			continue;
		commit(f, &a, breaches[i].breach);
		now = try_it(f, &a);
		assert_true(now <= last);
		assert_int_equal(now, breaches[i].refusal);
		last = now;
	}
	f->s->scope_conflict = NULL;
	attempt_fini(&a);
}

static void another_tenants_subscription_has_to_be_listed_by_id(void **state)
{
	struct fixture *f = *state;
	char *ids[] = {f->s->id};
	struct attempt a;

	attempt_plan(f, &a);
	f->s->tenant[0] = '9';
	expect_refusal(f, &a, WRITE_REFUSED_FOREIGN_TENANT);
	f->e.scopes[0].subscriptions = ids;
	f->e.scopes[0].subscription_count = 1;
	expect_refusal(f, &a, WRITE_ALLOWED);
	attempt_fini(&a);
}

static void a_plan_that_was_not_or_not_well_read_is_not_written(void **state)
{
	struct fixture *f = *state;
	struct attempt a;

	attempt_plan(f, &a);
	json_decref(a.current);
	a.current = NULL;
	expect_refusal(f, &a, WRITE_REFUSED_NOT_READ);
	a.current = plan_document(f, "{\"pricingTier\": \"Odd\"}");
	expect_refusal(f, &a, WRITE_REFUSED_NOT_READ);
	json_decref(a.current);
	a.current = json_pack("{s:s}", "id", "/x");
	expect_refusal(f, &a, WRITE_REFUSED_NOT_READ);
	attempt_fini(&a);
}

static void the_plan_holds_what_the_rules_would_refuse(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	for (size_t i = 0; i < ARRAY_LEN(breaches); i++) {
		void *fresh;
		struct fixture *g;
		struct attempt a;
		enum write_refusal target;

		setup(&fresh);
		g = fresh;
		attempt_extension(g, &a);
		commit(g, &a, breaches[i].breach);
		target = write_rules_check_target(&a.view, a.context.identity_tenant);
		if (breaches[i].refusal < WRITE_REFUSED_HALTED ||
			breaches[i].refusal == WRITE_REFUSED_INCOMPLETE ||
			breaches[i].refusal == WRITE_REFUSED_SUBSCRIPTION_STATE)
			assert_int_equal(target, breaches[i].refusal);
		else
			assert_int_equal(target, WRITE_ALLOWED);
		g->s->scope_conflict = NULL;
		attempt_fini(&a);
		teardown(&fresh);
	}
}

static void refusals_have_texts(void **state)
{
	(void)state;
	for (unsigned r = 0; r <= WRITE_REFUSAL_N_; r++)
		assert_false(str_empty(write_refusal_text((enum write_refusal)r)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_control_may_write_its_own),
		CASE(each_control_of_a_subscription_needs_its_option),
		CASE(a_registration_is_asked_for_and_nothing_else),
		CASE(no_control_may_write_what_is_anothers),
		CASE(what_the_policy_does_not_want_is_not_written),
		CASE(vms_are_left_to_defender_for_cloud),
		CASE(only_the_views_own_targets_are_on_the_list),
		CASE(ids_compare_without_case_and_may_be_escaped),
		CASE(no_method_but_put_is_anyones_but_the_two_that_delete),
		CASE(bodies_say_only_what_is_allowed),
		CASE(a_write_needs_a_body),
		CASE(plans_are_not_lowered_without_a_grant),
		CASE(a_grant_counts_for_its_control_only),
		CASE(the_unified_solution_is_not_switched_off),
		CASE(another_products_extension_is_not_overwritten),
		CASE(every_rule_is_kept),
		CASE(the_first_rule_that_is_broken_is_told),
		CASE(another_tenants_subscription_has_to_be_listed_by_id),
		CASE(a_plan_that_was_not_or_not_well_read_is_not_written),
		CASE(the_plan_holds_what_the_rules_would_refuse),
		CASE(refusals_have_texts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
