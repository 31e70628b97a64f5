/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/estate_fixture.h"

static json_t *generate(const char *spec, uint64_t seed)
{
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct buf errors = BUF_INIT(65536);
	json_t *doc = NULL;

	if (estate_generate(spec, seed, (struct wall){1}, &diags, &doc) != 0) {
		diags_render(&diags, &errors);
		fail_msg("%s", buf_str(&errors));
	}
	return doc;
}

static void open_generated(struct fixture *f, const char *spec)
{
	struct estate_options options = {
		.seed = 7, .arm_host = "management.test", .login_host = "login.test"};
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	json_t *doc = generate(spec, 7);

	*f = (struct fixture){0};
	assert_int_equal(wall_parse("2026-11-24T08:00:00Z", &f->now), 0);
	options.start = f->now;
	assert_int_equal(estate_new(&options, doc, &diags, &f->e), 0);
	json_decref(doc);
	assert_int_equal(log_in(f, CLIENT, "estate-secret"), 200);
}

/* Machines of a document for which the member has that value. */
static size_t count(const json_t *doc, const char *member, const char *value)
{
	size_t n = 0, i, k;
	json_t *sub, *m;

	json_array_foreach (json_object_get(doc, "subscriptions"), i, sub)
		json_array_foreach (json_object_get(sub, "machines"), k, m)
			n += str_equal(tree_text(m, member), value);
	return n;
}

static size_t count_systems(const json_t *doc, const char *prefix)
{
	size_t n = 0, i, k;
	json_t *sub, *m;

	json_array_foreach (json_object_get(doc, "subscriptions"), i, sub)
		json_array_foreach (json_object_get(sub, "machines"), k, m)
			n += str_starts_nocase(tree_text(m, "os"), prefix);
	return n;
}

static void shares_are_met_exactly(void **state)
{
	json_t *doc = generate("subscriptions=3,machines=300,linux=40%,legacy=20%,clients=5%,"
			       "disconnected=10%,expired=1%,shells=2%",
		1);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(doc, "subscriptions")), 3);
	assert_int_equal(count(doc, "status", "Disconnected"), 30);
	assert_int_equal(count(doc, "status", "Expired"), 3);
	assert_int_equal(count(doc, "status", "NeverConnected"), 6);
	assert_int_equal(count(doc, "status", "Connected"), 261);
	json_decref(doc);
	doc = generate("machines=200,legacy=25%,linux=0,clients=10%", 1);
	assert_int_equal(count_systems(doc, "Windows Server 2012 R2") +
			count_systems(doc, "Windows Server 2016"),
		50);
	assert_int_equal(count_systems(doc, "Windows 10") + count_systems(doc, "Windows 11"), 20);
	json_decref(doc);
}

static void the_same_seed_gives_the_same_document(void **state)
{
	static const char spec[] = "machines=60,legacy=20%,failing=10%,connector=10%,moved=5%";
	json_t *a = generate(spec, 5), *b = generate(spec, 5), *c = generate(spec, 6);

	(void)state;
	assert_true(json_equal(a, b));
	assert_false(json_equal(a, c));
	json_decref(a);
	json_decref(b);
	json_decref(c);
}

static void what_is_generated_can_be_read(void **state)
{
	struct fixture f;

	(void)state;
	open_generated(&f,
		"subscriptions=4 machines=400 groups=3 management-groups=2 linux=30% legacy=20% "
		"clients=2% unsupported=5% disconnected=5% expired=1% shells=1% provisioned=30% "
		"moved=3% failing=5% codes=12+13 connector=5% blocked=2% unreached=10% flapping=5% "
		"plan=mixed integration=on unified=on exclude-linux=on vulnerability=on "
		"throttling=hourly shape=location lag=5s pace=10 regions=eastus+westus");
	assert_int_equal(get(&f, "/subscriptions?api-version=2022-12-01"), 200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 4);
	assert_true(verdict(&f).machines > 300);
	assert_true(verdict(&f).protected_before > 50);
	assert_true(verdict(&f).legacy_before > 20);
	pass(&f, DUR_DAYS(2));
	assert_true(verdict(&f).protected_after > verdict(&f).protected_before);
	fixture_close(&f);
}

static const char *const bad_specs[] = {"machine=3", "machines", "machines=-1", "machines=x",
	"legacy=120%", "linux=60%,legacy=60%", "plan=P3", "deployer=perhaps", "lag=5", "tenant=x",
	"subscriptions=0", "machines=99999999"};

static void what_is_wrong_with_a_specification_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_specs); i++) {
		mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
		json_t *doc = NULL;

		if (estate_generate(bad_specs[i], 1, (struct wall){1}, &diags, &doc) != -EINVAL)
			fail_msg("%s was accepted", bad_specs[i]);
		assert_true(diags.n > 0);
		assert_null(doc);
	}
}

static void the_help_names_every_key(void **state)
{
	struct buf help = BUF_INIT(65536);

	(void)state;
	assert_int_equal(estate_spec_help(&help), 0);
	assert_non_null(strstr(buf_str(&help), "machines=N"));
	assert_non_null(strstr(buf_str(&help), "pace=N"));
	buf_fini(&help);
}

static void a_switch_turns_the_whole_fleet(void **state)
{
	struct fixture f;

	(void)state;
	open_generated(&f, "machines=50,linux=30%,legacy=20%,pace=100,lag=0s");
	get(&f, PLAN);
	put(&f, PLAN, "{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P2\"}}");
	arrive(&f);
	get(&f, SECURITY "/settings?api-version=2022-05-01");
	put(&f, SETTING("WDATP_UNIFIED_SOLUTION"),
		"{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":true}}");
	put(&f, SETTING("WDATP"),
		"{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":true}}");
	pass(&f, DUR_H(1));
	assert_int_equal(verdict(&f).machines, 50);
	assert_int_equal(verdict(&f).protected_after, 50);
	assert_int_equal(verdict(&f).legacy_after, 0);
	assert_true(verdict(&f).good);
	fixture_close(&f);
}

/* --- the same requests, the same answers --- */

static uint64_t history(void)
{
	static const char *const paths[] = {PLAN, SETTING("WDATP"),
		SUB_PATH "/providers/Microsoft.HybridCompute/machines?" ARC,
		SECURITY "/mdeOnboardings?api-version=2021-10-01-preview"};
	struct fixture f;
	uint64_t digest = 0;

	open_generated(&f,
		"machines=40,plan=P2,integration=on,failing=20%,flapping=30%,disconnected=10%,pace="
		"20");
	for (int i = 0; i < 200; i++) {
		get(&f, paths[i % 4]);
		digest = digest * 31 + str_hash(f.answer.reply.body, f.answer.reply.body_len);
		digest = digest * 31 + (uint64_t)f.answer.delay.ms;
		for (size_t k = 0; k < f.answer.reply.headers.n; k++)
			digest = digest * 31 +
				str_hash(f.answer.reply.headers.v[k].value,
					strlen(f.answer.reply.headers.v[k].value));
		pass(&f, DUR_MS(1700));
	}
	pass(&f, DUR_DAYS(1));
	digest = digest * 31 + verdict(&f).protected_after;
	fixture_close(&f);
	return digest;
}

static void the_same_requests_get_the_same_answers(void **state)
{
	(void)state;
	assert_int_equal(history(), history());
}

static void a_big_fleet_is_served_without_searching(void **state)
{
	struct fixture f;
	size_t machines = 0;
	mdc_autofree char *next = NULL;

	(void)state;
	open_generated(&f, "subscriptions=2,machines=6000,throttling=off,deployer=off");
	next = xstrdup(SUB_PATH "/providers/Microsoft.HybridCompute/machines?" ARC);
	while (next != NULL) {
		const char *link;

		assert_int_equal(get(&f, next), 200);
		machines += json_array_size(tree_get(f.doc, "value"));
		link = text(&f, "nextLink");
		free(next);
		next = link != NULL ? xstrdup(link) : NULL;
	}
	assert_int_equal(machines, 3000);
	fixture_close(&f);
}

static void the_root_group_bears_the_tenants_id(void **state)
{
	struct fixture f;

	(void)state;
	open_generated(&f, "subscriptions=2,machines=2,management-groups=1");
	assert_int_equal(get(&f,
				 "/providers/Microsoft.Management/managementGroups/" TENANT
				 "/descendants?api-version=2023-04-01"),
		200);
	assert_int_equal(json_array_size(tree_get(f.doc, "value")), 3);
	fixture_close(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(shares_are_met_exactly),
	cmocka_unit_test(the_same_seed_gives_the_same_document),
	cmocka_unit_test(what_is_generated_can_be_read),
	cmocka_unit_test(what_is_wrong_with_a_specification_is_said),
	cmocka_unit_test(the_help_names_every_key),
	cmocka_unit_test(a_switch_turns_the_whole_fleet),
	cmocka_unit_test(the_same_requests_get_the_same_answers),
	cmocka_unit_test(a_big_fleet_is_served_without_searching),
	cmocka_unit_test(the_root_group_bears_the_tenants_id),
};
RUN_ESTATE_TESTS(tests)
