/* SPDX-License-Identifier: Apache-2.0 */
/* `mdcctl preflight` as the daemon answers it, against an estate that lacks things. */
#include "tests/daemon/daemon_fixture.h"

#define OBSERVE FIXTURE_POLICY FIXTURE_SCOPE("observe")
#define ENFORCE FIXTURE_POLICY FIXTURE_SCOPE("enforce")
#define BY_ID \
	FIXTURE_POLICY "scope \"all\" { identity = \"main\"  subscriptions = { \"" ESTATE_SUB \
		       "\" }  policy = \"servers\"  mode = enforce }\n"
#define READER "[{'scope': '/', 'role': 'Reader'}]"
#define SUB_ID "/subscriptions/" ESTATE_SUB
#define HYBRID "Microsoft.HybridCompute/machines/extensions"
#define ARC_ADMIN "Azure Connected Machine Resource Administrator"

/* JSON with single quotes. */
static json_t *json_of(const char *text)
{
	mdc_autofree char *copy = xstrdup(text);
	json_t *value;

	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	value = json_loads(copy, 0, NULL);
	if (value == NULL)
		fail_msg("%s", text);
	return value;
}

/* What is special about the estate: roles of the principal, members of the first subscription. */
struct special {
	const char *roles, *first;
	const char *object; /* id of the principal; NULL: any */
	const char *estate; /* NULL: SMALL_ESTATE */
};

static void special_estate(struct fixture *f, const struct special *s)
{
	const struct estate_options options = {.seed = 7,
		.start = loop_wall(f->fake.world.loop),
		.arm_host = "arm.test",
		.login_host = "login.test"};
	json_t *document = NULL, *first, *changes;

	assert_int_equal(estate_generate(s->estate != NULL ? s->estate : SMALL_ESTATE, 7,
				 options.start, &f->diags, &document),
		0);
	if (s->roles != NULL)
		json_object_set_new(json_array_get(json_object_get(document, "principals"), 0),
			"roles", json_of(s->roles));
	if (s->object != NULL)
		json_object_set_new(json_array_get(json_object_get(document, "principals"), 0),
			"object", json_string(s->object));
	if (s->first != NULL) {
		first = json_array_get(json_object_get(document, "subscriptions"), 0);
		changes = json_of(s->first);
		json_object_update(first, changes);
		json_decref(changes);
	}
	f->estate = estate_free(f->estate);
	if (estate_new(&options, document, &f->diags, &f->estate) != 0)
		fail_msg("%s", f->diags.v[0].text);
	json_decref(document);
}

static void begin(struct fixture *f, const char *config, const struct special *s)
{
	fixture_init(f, SMALL_ESTATE, config);
	special_estate(f, s);
	fixture_start(f);
	pass(f, DUR_MIN(1));
}

/* The report of one whole run; the caller's. */
static json_t *report(struct fixture *f)
{
	json_t *r = ask(f, "preflight", NULL);

	for (int i = 0; i < 600 && !json_is_true(json_object_get(r, "finished")); i++) {
		mdc_autofree char *run =
			xasprintf("{\"run\": %lld}", (long long)number_at(r, "run"));

		json_decref(r);
		pass(f, DUR_S(1));
		r = ask(f, "preflight", run);
	}
	assert_true(json_is_true(json_object_get(r, "finished")));
	return r;
}

static json_t *report_of(struct fixture *f, const char *config, const struct special *s)
{
	begin(f, config, s);
	return report(f);
}

static void expect_verdict(const json_t *r, const char *verdict, size_t missing, size_t unread)
{
	mdc_autofree char *text = json_dumps(r, JSON_INDENT(1));

	if (!str_equal(text_at(r, "verdict"), verdict) ||
		json_array_size(at(r, "missing")) != missing ||
		json_array_size(at(r, "unread")) != unread)
		fail_msg("not %s, %zu, %zu: %s", verdict, missing, unread, text);
}

/* "missing.0": all of its texts. */
static void expect_finding(
	const json_t *r, const char *path, const char *kind, const char *what, const char *help)
{
	const json_t *row = at(r, path);

	assert_non_null(row);
	assert_string_equal(text_at(row, "kind"), kind);
	assert_string_equal(text_at(row, "what"), what);
	assert_string_equal(text_at(row, "help"), help);
}

static uint64_t requests(const struct fixture *f, const char *part)
{
	const struct transport *t = f->fake.world.transport;
	uint64_t n = 0;

	for (int i = 0; i < (int)fake_transport_count(t); i++)
		n += strstr(fake_transport_request(t, i)->request.url, part) != NULL;
	return n;
}

static void an_owner_lacks_nothing(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, ENFORCE, &(struct special){0});
	expect_verdict(r, "good", 0, 0);
	assert_int_equal(number_at(r, "total"), 2);
	assert_int_equal(number_at(r, "done"), 2);
	json_decref(r);
	fixture_fini(&f);
}

static void a_reader_may_observe(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, OBSERVE, &(struct special){.roles = READER});
	expect_verdict(r, "good", 0, 0);
	/* What cannot matter is not asked for. */
	assert_int_equal(requests(&f, "/locks"), 0);
	assert_int_equal(requests(&f, "/denyAssignments"), 0);
	assert_int_equal(requests(&f, "/checkPolicyRestrictions"), 0);
	assert_int_equal(requests(&f, "Microsoft.Authorization/permissions"), 2);
	json_decref(r);
	fixture_fini(&f);
}

static void a_reader_who_shall_correct_lacks_two_roles(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, ENFORCE, &(struct special){.roles = READER});
	expect_verdict(r, "missing", 2, 0);
	expect_finding(r, "missing.0", "role", HYBRID "/delete, " HYBRID "/write",
		"az role assignment create --assignee 20000000-0000-4000-8000-000000000001 "
		"--role \"" ARC_ADMIN "\" --scope /subscriptions/SUBSCRIPTION");
	/* Both subscriptions in one line. */
	expect_finding(r, "missing.1", "role",
		"Microsoft.Security/pricings/write, Microsoft.Security/settings/write",
		"az role assignment create --assignee 20000000-0000-4000-8000-000000000001 "
		"--role \"Security Admin\" --scope /subscriptions/SUBSCRIPTION");
	assert_int_equal(number_at(r, "missing.1.subscription_count"), 2);
	assert_string_equal(text_at(r, "missing.1.subscriptions.0.id"), ESTATE_SUB);
	assert_string_equal(text_at(r, "missing.1.identity"), "main");
	json_decref(r);
	fixture_fini(&f);
}

static void the_two_documented_roles_and_reader_are_enough(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, ENFORCE,
		&(struct special){.roles = "[{'scope': '/', 'role': 'Reader'}, {'scope': '/', "
					   "'role': 'Security Admin'}, {'scope': '/', 'role': "
					   "'" ARC_ADMIN "'}]"});
	expect_verdict(r, "good", 0, 0);
	json_decref(r);
	fixture_fini(&f);
}

static void where_only_one_subscription_lacks_a_role_it_is_named(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, ENFORCE,
		&(struct special){.roles = "[{'scope': '/', 'role': 'Reader'}, {'scope': '/', "
					   "'role': 'Security Admin'}, {'scope': "
					   "'/subscriptions/" ESTATE_SUB_2 "', 'role': 'Owner'}]"});
	expect_verdict(r, "missing", 1, 0);
	expect_finding(r, "missing.0", "role", HYBRID "/delete, " HYBRID "/write",
		"az role assignment create --assignee 20000000-0000-4000-8000-000000000001 "
		"--role \"" ARC_ADMIN "\" --scope " SUB_ID);
	json_decref(r);
	fixture_fini(&f);
}

/* One assignment there does for all of its subscriptions. */
static void in_a_scope_of_one_management_group_the_role_is_assigned_there(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f,
		FIXTURE_POLICY
		"scope \"all\" { identity = \"main\"  management-groups = { \"mg-01\" }  "
		"policy = \"servers\"  mode = enforce }\n",
		&(struct special){.estate = "subscriptions=2,machines=4,management-groups=1",
			.roles = READER});
	expect_verdict(r, "missing", 2, 0);
	expect_finding(r, "missing.0", "role", HYBRID "/delete, " HYBRID "/write",
		"az role assignment create --assignee 20000000-0000-4000-8000-000000000001 "
		"--role \"" ARC_ADMIN
		"\" --scope /providers/Microsoft.Management/managementGroups/mg-01");
	assert_int_equal(number_at(r, "missing.0.subscription_count"), 2);
	json_decref(r);
	fixture_fini(&f);
}

/* Extensions may be granted on the groups of the machines alone. */
static void a_role_on_the_machines_groups_is_enough(void **state)
{
	struct buf roles = BUF_INIT(65536);
	struct fixture f;
	struct subscription *s;
	json_t *r;

	(void)state;
	begin(&f, ENFORCE, &(struct special){0});
	s = inventory_subscription(f.d->inventory, ESTATE_SUB);
	assert_true(s->machine_count > 0);
	buf_adds(&roles,
		"[{'scope': '/', 'role': 'Reader'}, {'scope': '/', 'role': 'Security Admin'}, "
		"{'scope': '/subscriptions/" ESTATE_SUB_2 "', 'role': 'Owner'}");
	for (uint32_t i = 0; i < s->machine_count; i++)
		buf_addf(&roles,
			", {'scope': '" SUB_ID "/resourceGroups/%s', 'role': '" ARC_ADMIN "'}",
			s->machines[i]->group);
	fixture_fini(&f);
	buf_addc(&roles, ']');
	r = report_of(&f, ENFORCE, &(struct special){.roles = buf_str(&roles)});
	expect_verdict(r, "good", 0, 0);
	buf_fini(&roles);
	json_decref(r);
	fixture_fini(&f);
}

static void what_is_configured_and_not_visible_is_told(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, BY_ID,
		&(struct special){.roles = "[{'scope': '/subscriptions/" ESTATE_SUB_2
					   "', 'role': 'Owner'}]"});
	expect_verdict(r, "missing", 1, 0);
	expect_finding(r, "missing.0", "subscription", "not visible to the identity",
		"az role assignment create --assignee 20000000-0000-4000-8000-000000000001 "
		"--role \"Reader\" --scope " SUB_ID);
	assert_int_equal(requests(&f, "Microsoft.Authorization/permissions"), 0);
	json_decref(r);
	fixture_fini(&f);
}

static void a_scope_without_any_subscription_is_told(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, OBSERVE, &(struct special){.roles = "[]"});
	expect_verdict(r, "missing", 1, 0);
	assert_string_equal(
		text_at(r, "missing.0.what"), "no subscription is visible in scope \"all\"");
	json_decref(r);
	fixture_fini(&f);
}

static void an_identity_without_a_token_is_all_that_is_told(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, ENFORCE);
	memory_files_put(f.fake.world.secrets, "/secret", "wrong");
	fixture_start(&f);
	pass(&f, DUR_MIN(1));
	r = report(&f);
	expect_verdict(r, "missing", 1, 0);
	assert_string_equal(text_at(r, "missing.0.kind"), "identity");
	assert_string_equal(text_at(r, "missing.0.identity"), "main");
	assert_non_null(strstr(text_at(r, "missing.0.what"), "AADSTS7000215"));
	assert_int_equal(requests(&f, "Microsoft.Authorization"), 0);
	json_decref(r);
	fixture_fini(&f);
}

static void locks_that_refuse_writes_are_told(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	/* One forbids deletions only, which moved machines need; another lies where no machine is.
	 */
	r = report_of(&f, ENFORCE,
		&(struct special){.first = "{'locks': [{'name': 'freeze it', 'level': 'ReadOnly'}, "
					   "{'name': 'keep', 'level': 'CanNotDelete'}, {'name': "
					   "'else', 'level': 'ReadOnly', 'scope': '" SUB_ID
					   "/resourceGroups/nowhere'}]}"});
	expect_verdict(r, "missing", 2, 0);
	expect_finding(r, "missing.0", "lock", "lock \"freeze it\" (ReadOnly) on the subscription",
		"az lock delete --name 'freeze it' --subscription " ESTATE_SUB);
	expect_finding(r, "missing.1", "lock", "lock \"keep\" (CanNotDelete) on the subscription",
		"az lock delete --name keep --subscription " ESTATE_SUB);
	json_decref(r);
	fixture_fini(&f);
}

static void a_lock_on_a_group_counts_its_machines(void **state)
{
	struct fixture f;
	mdc_autofree char *group = NULL, *lock = NULL, *what = NULL;
	uint32_t machines = 0;
	struct subscription *s;
	json_t *r;

	(void)state;
	begin(&f, ENFORCE, &(struct special){0});
	s = inventory_subscription(f.d->inventory, ESTATE_SUB);
	group = xstrdup(s->machines[0]->group);
	for (uint32_t i = 0; i < s->machine_count; i++)
		machines += str_equal_nocase(s->machines[i]->group, group);
	fixture_fini(&f);
	lock = xasprintf("{'locks': [{'name': 'freeze', 'level': 'ReadOnly', 'scope': '" SUB_ID
			 "/resourceGroups/%s'}]}",
		group);
	r = report_of(&f, ENFORCE, &(struct special){.first = lock});
	expect_verdict(r, "missing", 1, 0);
	what = xasprintf("lock \"freeze\" (ReadOnly) on the resource group %s", group);
	assert_string_equal(text_at(r, "missing.0.what"), what);
	assert_int_equal(number_at(r, "missing.0.machines"), machines);
	json_decref(r);
	fixture_fini(&f);
}

static void a_lock_on_a_machine_or_its_extension_is_one_machines(void **state)
{
	static const char *const under[] = {"m1", "m1/extensions/MDE.Windows", "m2", "m1/other/x"};
	static const size_t found[] = {1, 1, 0, 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(under); i++) {
		mdc_autofree char *first = xasprintf(
			"{'machines': [{'name': 'm1', 'group': 'rg'}], 'locks': [{'name': "
			"'freeze', "
			"'level': 'ReadOnly', 'scope': '" SUB_ID
			"/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/%s'}]}",
			under[i]);
		struct fixture f;
		json_t *r = report_of(&f, ENFORCE,
			&(struct special){.estate = "subscriptions=1,machines=0", .first = first});

		expect_verdict(r, found[i] > 0 ? "missing" : "good", found[i], 0);
		if (found[i] > 0)
			assert_int_equal(number_at(r, "missing.0.machines"), 1);
		json_decref(r);
		fixture_fini(&f);
	}
}

static void deny_assignments_are_certain_for_whom_they_name(void **state)
{
#define OWN_ID "40000000-0000-4000-8000-00000000abcd"
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, ENFORCE,
		&(struct special){.object = OWN_ID,
			.first = "{'denyAssignments': [{'name': 'us', 'actions': "
				 "['Microsoft.Security/*/write'], 'principals': ['" OWN_ID
				 "']}, {'name': 'but-us', 'actions': ['*/write'], 'except': "
				 "['" OWN_ID "']}]}"});
	expect_verdict(r, "missing", 1, 0);
	assert_string_equal(text_at(r, "missing.0.what"),
		"deny assignment \"us\" forbids Microsoft.Security/pricings/write, "
		"Microsoft.Security/settings/write");
	json_decref(r);
	fixture_fini(&f);
}

static void deny_assignments_are_certain_for_all_and_doubtful_for_some(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, ENFORCE,
		&(struct special){
			.first = "{'denyAssignments': [{'name': 'stack', 'actions': ['*'], "
				 "'notActions': ['*/read']}, {'name': 'others', 'actions': "
				 "['Microsoft.Security/*/write'], 'principals': "
				 "['40000000-0000-4000-8000-00000000ffff']}, {'name': "
				 "'harmless', 'actions': ['Microsoft.Storage/*']}]}"});
	expect_verdict(r, "missing", 1, 1);
	assert_string_equal(text_at(r, "missing.0.what"),
		"deny assignment \"stack\" forbids Microsoft.Security/pricings/write, "
		"Microsoft.Security/settings/write, " HYBRID "/delete, " HYBRID "/write");
	assert_string_equal(text_at(r, "unread.0.what"),
		"deny assignment \"others\" forbids some principals, perhaps this one: "
		"Microsoft.Security/pricings/write, Microsoft.Security/settings/write");
	json_decref(r);
	fixture_fini(&f);
}

static void a_policy_that_denies_is_told_with_its_assignment(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, ENFORCE,
		&(struct special){.first = "{'policies': [{'name': 'no-extensions', 'deny': "
					   "'" HYBRID "'}]}"});
	expect_verdict(r, "missing", 1, 0);
	expect_finding(r, "missing.0", "policy",
		"policy assignment " SUB_ID "/providers/Microsoft.Authorization/policyAssignments/"
		"no-extensions denies " HYBRID,
		"az policy exemption create --name mdcd --exemption-category Waiver "
		"--policy-assignment " SUB_ID "/providers/Microsoft.Authorization/"
		"policyAssignments/no-extensions --scope " SUB_ID);
	json_decref(r);
	fixture_fini(&f);
}

static void a_provider_that_is_not_registered_is_told(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, OBSERVE,
		&(struct special){.first = "{'providers': ['Microsoft.HybridCompute']}"});
	assert_string_equal(text_at(r, "verdict"), "missing");
	expect_finding(r, "missing.0", "provider", "Microsoft.Security is NotRegistered",
		"az provider register --namespace Microsoft.Security --subscription " ESTATE_SUB);
	json_decref(r);
	fixture_fini(&f);
}

static void agents_that_refuse_extensions_are_counted(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, ENFORCE,
		&(struct special){.estate = "subscriptions=1,machines=0",
			.first = "{'machines': [{'name': 'm1', 'group': 'rg', "
				 "'extensionsEnabled': false}, {'name': 'm2', 'group': 'rg', "
				 "'extensionsEnabled': false}, {'name': 'm3', 'group': 'rg'}]}"});
	expect_verdict(r, "missing", 1, 0);
	expect_finding(r, "missing.0", "agent", "the Arc agent has its extensions switched off",
		"run azcmagent config set extensions.enabled true on the machine");
	assert_int_equal(number_at(r, "missing.0.machines"), 2);
	json_decref(r);
	fixture_fini(&f);
}

static void a_disabled_subscription_is_told_where_it_would_be_written(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	r = report_of(&f, ENFORCE, &(struct special){.first = "{'state': 'Disabled'}"});
	expect_verdict(r, "missing", 1, 0);
	assert_string_equal(text_at(r, "missing.0.what"), "disabled: nothing can be written");
	json_decref(r);
	fixture_fini(&f);
}

static void what_may_not_be_read_is_unknown_and_not_good(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	/* Everything that the daemon needs, and not what the preflight asks for. */
	r = report_of(&f, ENFORCE,
		&(struct special){.roles = "[{'scope': '/', 'actions': ['*'], 'notActions': "
					   "['Microsoft.Authorization/locks/*', "
					   "'Microsoft.PolicyInsights/*']}]"});
	expect_verdict(r, "unread", 0, 2);
	expect_finding(r, "unread.0", "lock",
		"its locks could not be read: Microsoft.Authorization/locks/read is missing",
		"az role assignment create --assignee 20000000-0000-4000-8000-000000000001 "
		"--role \"Reader\" --scope /subscriptions/SUBSCRIPTION");
	assert_string_equal(text_at(r, "unread.1.kind"), "policy");
	json_decref(r);
	fixture_fini(&f);
}

static void who_asks_during_a_run_joins_it(void **state)
{
	struct fixture f;
	json_t *first, *second;

	(void)state;
	begin(&f, ENFORCE, &(struct special){0});
	first = ask(&f, "preflight", NULL);
	second = ask(&f, "preflight", NULL);
	assert_int_equal(number_at(first, "run"), number_at(second, "run"));
	json_decref(first);
	json_decref(second);
	first = report(&f);
	/* And afterwards begins another. */
	second = report(&f);
	assert_int_equal(number_at(first, "run") + 1, number_at(second, "run"));
	expect_verdict(second, "good", 0, 0);
	json_decref(first);
	json_decref(second);
	refused(&f, "preflight", "{\"run\": 1}", "changed");
	refused(&f, "preflight", "{\"run\": 99}", "changed");
	refused(&f, "preflight", "{\"run\": \"x\"}", "usage");
	fixture_fini(&f);
}

static void before_the_first_observation_it_waits(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, ENFORCE);
	fixture_start(&f);
	r = ask(&f, "preflight", NULL);
	assert_true(json_is_true(json_object_get(r, "waiting")));
	assert_false(json_is_true(json_object_get(r, "finished")));
	json_decref(r);
	r = report(&f);
	expect_verdict(r, "good", 0, 0);
	assert_int_equal(number_at(r, "total"), 2);
	json_decref(r);
	fixture_fini(&f);
}

static void a_reload_gives_a_run_up(void **state)
{
	struct fixture f;
	json_t *r;

	(void)state;
	begin(&f, ENFORCE, &(struct special){0});
	tell(&f, "preflight", NULL);
	pass(&f, DUR_MS(50));
	fixture_configure(&f, OBSERVE);
	tell(&f, "reload", NULL);
	refused(&f, "preflight", "{\"run\": 1}", "changed");
	pass(&f, DUR_MIN(2));
	r = report(&f);
	expect_verdict(r, "good", 0, 0);
	json_decref(r);
	fixture_fini(&f);
}

static void who_may_look_may_ask(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, OBSERVE, &(struct special){0});
	json_decref(run_as(&f, &reader, "preflight", NULL));
	assert_null(run_as(&f, &nobody, "preflight", NULL));
	assert_string_equal(f.error.code, "denied");
	fixture_fini(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_owner_lacks_nothing),
		cmocka_unit_test(a_reader_may_observe),
		cmocka_unit_test(a_reader_who_shall_correct_lacks_two_roles),
		cmocka_unit_test(the_two_documented_roles_and_reader_are_enough),
		cmocka_unit_test(where_only_one_subscription_lacks_a_role_it_is_named),
		cmocka_unit_test(in_a_scope_of_one_management_group_the_role_is_assigned_there),
		cmocka_unit_test(a_role_on_the_machines_groups_is_enough),
		cmocka_unit_test(what_is_configured_and_not_visible_is_told),
		cmocka_unit_test(a_scope_without_any_subscription_is_told),
		cmocka_unit_test(an_identity_without_a_token_is_all_that_is_told),
		cmocka_unit_test(locks_that_refuse_writes_are_told),
		cmocka_unit_test(a_lock_on_a_group_counts_its_machines),
		cmocka_unit_test(a_lock_on_a_machine_or_its_extension_is_one_machines),
		cmocka_unit_test(deny_assignments_are_certain_for_whom_they_name),
		cmocka_unit_test(deny_assignments_are_certain_for_all_and_doubtful_for_some),
		cmocka_unit_test(a_policy_that_denies_is_told_with_its_assignment),
		cmocka_unit_test(a_provider_that_is_not_registered_is_told),
		cmocka_unit_test(agents_that_refuse_extensions_are_counted),
		cmocka_unit_test(a_disabled_subscription_is_told_where_it_would_be_written),
		cmocka_unit_test(what_may_not_be_read_is_unknown_and_not_good),
		cmocka_unit_test(who_asks_during_a_run_joins_it),
		cmocka_unit_test(before_the_first_observation_it_waits),
		cmocka_unit_test(a_reload_gives_a_run_up),
		cmocka_unit_test(who_may_look_may_ask),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
