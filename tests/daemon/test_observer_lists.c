/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is concluded from an observation that is not complete. */
#include "tests/daemon/observer_fixture.h"

/* --- lists that are not all --- */

static void drop_last_row(struct spoiler *s, json_t *body)
{
	json_t *data = json_object_get(body, "data");

	(void)s;
	json_array_remove(data, json_array_size(data) - 1);
}

static void say_truncated(struct spoiler *s, json_t *body)
{
	(void)s;
	json_object_set_new(body, "resultTruncated", json_string("true"));
}

static void add_row(json_t *body, json_t *take_row)
{
	json_t *data = json_object_get(body, "data");

	json_array_append_new(data, take_row);
	json_object_set_new(body, "count", json_integer((json_int_t)json_array_size(data)));
	json_object_set_new(body, "totalRecords", json_integer((json_int_t)json_array_size(data)));
}

static void add_foreign_row(struct spoiler *s, json_t *body)
{
	(void)s;
	add_row(body,
		json_pack("{s:s, s:{}}", "id",
			"/subscriptions/" SUB_C "/resourceGroups/rg/providers/"
			"Microsoft.HybridCompute/machines/foreign",
			"properties"));
}

static void add_row_without_id(struct spoiler *s, json_t *body)
{
	(void)s;
	add_row(body, json_pack("{s:{}}", "properties"));
}

static void add_row_of_another_kind(struct spoiler *s, json_t *body)
{
	(void)s;
	add_row(body,
		json_pack("{s:s, s:{}}", "id", "/subscriptions/" SUB_A "/resourceGroups/rg",
			"properties"));
}

static void add_bad_count(struct spoiler *s, json_t *body)
{
	(void)s;
	add_row(body, json_pack("{s:s, s:s}", "subscriptionId", SUB_A, "machines", "many"));
}

static void nothing_is_concluded_from_a_list_that_is_not_all(void **state)
{
	static const struct spoiler spoilers[] = {
		{.call = AZURE_GRAPH_COUNTS, .status = 500},
		{.call = AZURE_GRAPH_COUNTS, .status = 429},
		{.call = AZURE_GRAPH_COUNTS, .body = "{\"totalRecords\":"},
		{.call = AZURE_GRAPH_COUNTS, .change = drop_last_row},
		{.call = AZURE_GRAPH_COUNTS, .change = say_truncated},
		{.call = AZURE_GRAPH_COUNTS, .change = add_bad_count},
		{.call = AZURE_GRAPH_MACHINES, .status = 500},
		{.call = AZURE_GRAPH_MACHINES, .status = 403},
		{.call = AZURE_GRAPH_MACHINES, .status = 404},
		{.call = AZURE_GRAPH_MACHINES, .status = 410},
		{.call = AZURE_GRAPH_MACHINES, .status = 429},
		{.call = AZURE_GRAPH_MACHINES, .status = 400},
		{.call = AZURE_GRAPH_MACHINES, .body = "<html>"},
		{.call = AZURE_GRAPH_MACHINES, .change = drop_last_row},
		{.call = AZURE_GRAPH_MACHINES, .change = say_truncated},
		{.call = AZURE_GRAPH_MACHINES, .change = lose_rows, .argument = 5},
		{.call = AZURE_GRAPH_MACHINES, .change = lose_rows, .argument = 39},
		{.call = AZURE_GRAPH_MACHINES, .change = add_foreign_row},
		{.call = AZURE_GRAPH_MACHINES, .change = add_row_without_id},
		{.call = AZURE_GRAPH_MACHINES, .change = add_row_of_another_kind},
		{.call = AZURE_GRAPH_EXTENSIONS, .status = 500},
		{.call = AZURE_GRAPH_EXTENSIONS, .status = 403},
		{.call = AZURE_GRAPH_EXTENSIONS, .body = ""},
		{.call = AZURE_GRAPH_EXTENSIONS, .change = drop_last_row},
		{.call = AZURE_GRAPH_EXTENSIONS, .change = say_truncated},
		{.call = AZURE_GRAPH_EXTENSIONS, .change = lose_rows, .argument = 5},
		{.call = AZURE_GRAPH_EXTENSIONS, .change = lose_rows, .argument = 38},
		{.call = AZURE_GRAPH_EXTENSIONS, .change = add_foreign_row},
		{.call = AZURE_GRAPH_EXTENSIONS, .change = add_row_without_id},
		{.call = AZURE_GRAPH_EXTENSIONS, .change = add_row_of_another_kind},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(spoilers); i++) {
		struct fixture f;
		struct spoiler spoiler = spoilers[i];
		struct pass_report r;

		fixture_init(&f);
		prepare_forty(&f);
		spoil_with(&f, &spoiler);
		r = pass(&f, PASS_MACHINES);
		if (spoiler.hits == 0 || r.problems == 0 || *r.first_problem == '\0')
			fail_msg("row %zu: %u hits, %llu problems", i, spoiler.hits,
				(unsigned long long)r.problems);
		if (map_count(&f.gone) > 0 || machine(&f, SUB_A, "m000") == NULL ||
			!machine(&f, SUB_A, "m001")->mde.present)
			fail_msg("row %zu: something was concluded", i);
		assert_null(inventory_subscription(f.inv, SUB_C));
		/* Once everything is there again, it is. */
		spoil_with(&f, NULL);
		run(&f, DUR_MIN(20));
		r = pass(&f, PASS_MACHINES);
		assert_int_equal(r.problems, 0);
		assert_int_equal(times(&f.gone, "m000"), 1);
		assert_false(machine(&f, SUB_A, "m001")->mde.present);
		fixture_fini(&f);
	}
}

static void what_was_read_before_a_failure_counts(void **state)
{
	struct fixture *f = *state;
	struct spoiler spoiler = {.call = AZURE_GRAPH_EXTENSIONS, .change = say_truncated};
	json_t *m;

	prepare_forty(f);
	m = fake_azure_machine(f->azure, SUB_A, "m010");
	set_property(m, "status", json_string("Disconnected"));
	fake_azure_extension(f->azure, SUB_A, "m011", "MDE.Linux", "Failed");
	spoil_with(f, &spoiler);
	pass(f, PASS_MACHINES);
	assert_false(machine(f, SUB_A, "m010")->connected);
	assert_int_equal(machine(f, SUB_A, "m011")->mde.provisioning, PROVISIONING_FAILED);
	assert_int_equal(times(&f->machines, "m010"), 1);
	assert_int_equal(times(&f->machines, "m011"), 1);
}

static void lost_access_looks_like_no_machines_and_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct spoiler counts = {.call = AZURE_GRAPH_COUNTS, .change = lose_rows, .argument = 1};

	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, 2);
	pass_both(f);
	/* Graph shows nothing of it, in any answer. */
	fake_azure_remove(f->azure, SUB_A, "m000");
	fake_azure_remove(f->azure, SUB_A, "m001");
	(void)counts;
	pass(f, PASS_MACHINES);
	assert_int_not_equal(f->report.problems, 0);
	assert_int_equal(map_count(&f->gone), 0);
	assert_int_equal(inventory_subscription(f->inv, SUB_A)->machine_count, 2);
	run(f, DUR_H(25));
	pass(f, PASS_MACHINES);
	assert_int_equal(map_count(&f->gone), 2);
}

static void an_extension_before_its_machine_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct spoiler hide = {.call = AZURE_GRAPH_MACHINES, .change = lose_rows, .argument = 1};

	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, 20);
	fake_azure_extension(f->azure, SUB_A, "m000", "MDE.Linux", "Succeeded");
	spoil_with(f, &hide);
	pass_both(f);
	assert_null(machine(f, SUB_A, "m000"));
	spoil_with(f, NULL);
	pass_both(f);
	assert_true(machine(f, SUB_A, "m000")->mde.present);
	assert_true(machine(f, SUB_A, "m000")->extensions_known);
}

static void forget_publisher(struct spoiler *s, json_t *body)
{
	json_t *row = json_array_get(json_object_get(body, "data"), s->argument);

	set_property(row, "publisher", json_string(""));
}

static void an_extension_that_does_not_say_what_it_is_makes_one_machine_unknown(void **state)
{
	struct fixture *f = *state;
	struct spoiler unclear = {
		.call = AZURE_GRAPH_EXTENSIONS, .change = forget_publisher, .argument = 3};

	prepare_forty(f);
	spoil_with(f, &unclear);
	pass(f, PASS_MACHINES);
	assert_int_equal(f->report.problems, 0);
	/* Rows are in the order of the names, and m000 and m001 have none. */
	assert_true(machine(f, SUB_A, "m005")->mde.present);
	assert_false(machine(f, SUB_A, "m005")->extensions_known);
	assert_int_equal(times(&f->machines, "m005"), 1);
	assert_true(machine(f, SUB_A, "m006")->extensions_known);
	assert_false(machine(f, SUB_A, "m001")->mde.present);
}

static void repeat_first_row(struct spoiler *s, json_t *body)
{
	json_t *data = json_object_get(body, "data");
	size_t last = json_array_size(data) - 1;

	(void)s;
	json_array_set(data, last, json_array_get(data, 0));
}

static void a_row_twice_on_one_page_is_only_a_row_twice(void **state)
{
	struct fixture *f = *state;
	struct spoiler twice = {.call = AZURE_GRAPH_MACHINES, .change = repeat_first_row};

	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, 40);
	pass_both(f);
	spoil_with(f, &twice);
	pass(f, PASS_MACHINES);
	assert_int_equal(f->report.problems, 0);
	/* One of forty is really not there: that may be. */
	assert_int_equal(inventory_subscription(f->inv, SUB_A)->machine_count, 39);
}

/* Two pages, and a row of the first one stands on the second one again. */
static void shift_pages(struct spoiler *s, json_t *body)
{
	json_t *data = json_object_get(body, "data");
	bool first = json_object_get(body, "$skipToken") == NULL && json_array_size(data) > 10;

	(void)s;
	if (first) {
		while (json_array_size(data) > 30)
			json_array_remove(data, 30);
		json_object_set_new(body, "count", json_integer(30));
		json_object_set_new(body, "$skipToken", json_string("29"));
	}
}

static void a_row_on_two_pages_means_that_pages_have_shifted(void **state)
{
	struct fixture *f = *state;
	struct spoiler shifted = {
		.call = AZURE_GRAPH_MACHINES, .change = shift_pages, .from = 1, .to = 1};

	prepare_forty(f);
	spoil_with(f, &shifted);
	pass(f, PASS_MACHINES);
	assert_int_equal(shifted.hits, 1);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_MACHINES], 2);
	assert_int_not_equal(f->report.problems, 0);
	assert_int_equal(map_count(&f->gone), 0);
}

static void one_failing_partition_does_not_end_the_others(void **state)
{
	struct fixture *f = *state;
	struct spoiler broken = {.call = AZURE_GRAPH_MACHINES, .status = 400, .from = 1, .to = 1};

	fake_azure_subscription(f->azure, SUB_A);
	add_machines(f, SUB_A, 0, 900);
	spoil_with(f, &broken);
	pass(f, PASS_SUBSCRIPTIONS);
	pass(f, PASS_MACHINES);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_MACHINES], 2);
	assert_in_range(inventory_subscription(f->inv, SUB_A)->machine_count, 300, 600);
	assert_false(inventory_subscription(f->inv, SUB_A)->machines[0]->extensions_known);
}

/* --- subscriptions that come and go --- */

static void drop_values(struct spoiler *s, json_t *body)
{
	(void)s;
	json_array_clear(json_object_get(body, "value"));
}

static void a_subscription_that_left_the_list_is_invisible_and_comes_back(void **state)
{
	struct fixture *f = *state;
	struct spoiler hidden = {.call = AZURE_SUBSCRIPTIONS, .change = drop_values};

	prepare_forty(f);
	spoil_with(f, &hidden);
	pass(f, PASS_SUBSCRIPTIONS);
	assert_false(inventory_subscription(f->inv, SUB_A)->visible);
	assert_int_equal(times(&f->subscriptions, SUB_A), 1);
	pass(f, PASS_MACHINES);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_MACHINES], 0);
	assert_int_equal(map_count(&f->gone), 0);
	assert_int_equal(inventory_subscription(f->inv, SUB_A)->machine_count, 40);
	assert_string_equal(inventory_subscription(f->inv, SUB_A)->pricing.tier, "Standard");
	spoil_with(f, NULL);
	pass_both(f);
	assert_true(inventory_subscription(f->inv, SUB_A)->visible);
	assert_int_equal(times(&f->gone, "m000"), 1);
}

static void an_incomplete_list_of_subscriptions_hides_none(void **state)
{
	static const struct spoiler spoilers[] = {
		{.call = AZURE_SUBSCRIPTIONS, .status = 500},
		{.call = AZURE_SUBSCRIPTIONS, .status = 403},
		{.call = AZURE_SUBSCRIPTIONS, .body = "{\"value\":["},
		{.call = AZURE_SUBSCRIPTIONS,
			.body = "{\"value\":[],\"nextLink\":\"https://evil.test/\"}"},
		{.call = AZURE_SUBSCRIPTIONS, .body = "{\"value\":[{\"subscriptionId\":\"x\"}]}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(spoilers); i++) {
		struct fixture f;
		struct spoiler spoiler = spoilers[i];

		(void)state;
		fixture_init(&f);
		prepare_forty(&f);
		spoil_with(&f, &spoiler);
		pass(&f, PASS_SUBSCRIPTIONS);
		assert_int_not_equal(f.report.problems, 0);
		assert_true(inventory_subscription(f.inv, SUB_A)->visible);
		fixture_fini(&f);
	}
}

/* Scope 0 with the first identity, scope 1 with the second one, which sees both. */
static void see_two_with_two(struct fixture *f, char **ids_a, char **ids_b)
{
	fake_azure_subscription(f->azure, SUB_A);
	fake_azure_subscription(f->azure, SUB_B);
	fake_azure_machine(f->azure, SUB_A, "a");
	fake_azure_machine(f->azure, SUB_B, "b");
	f->scopes[0].everything = false;
	f->scopes[0].subscriptions = ids_a;
	f->scopes[1].subscriptions = ids_b;
	f->scopes[0].subscription_count = f->scopes[1].subscription_count = 1;
	f->scopes[1].identity = &f->small.identities[1];
	f->small.config.scope_count = 2;
	f->small.config.identity_count = 2;
	reconfigure(f);
}

static void what_another_identity_sees_is_not_visible_to_its_own(void **state)
{
	struct fixture *f = *state;
	char *ids_a[] = {(char *)SUB_A}, *ids_b[] = {(char *)SUB_B};

	see_two_with_two(f, ids_a, ids_b);
	pass_both(f);
	assert_int_equal(f->report.subscriptions, 2);
	assert_non_null(machine(f, SUB_A, "a"));
	assert_non_null(machine(f, SUB_B, "b"));
	json_object_set_new(fake_azure_subscription_of(f->azure, SUB_A), "seen_by",
		json_pack("[s]", OTHER_CLIENT));
	pass(f, PASS_SUBSCRIPTIONS);
	assert_false(inventory_subscription(f->inv, SUB_A)->visible);
	assert_true(inventory_subscription(f->inv, SUB_B)->visible);
	pass(f, PASS_MACHINES);
	assert_int_equal(f->report.subscriptions, 1);
	assert_int_equal(map_count(&f->gone), 0);
	assert_non_null(machine(f, SUB_A, "a"));
}

/* The cloud of the first client: nobody is there, as long as `dead`. */
struct dead_cloud {
	bool dead;
	struct mono first_heard; /* since when the other one is asked */
	struct loop *loop;
	unsigned asked; /* of the dead one */
};

static void first_is_dead(void *ctx, struct fake_azure *a, enum azure_call call,
	const struct http_request *request, struct azure_reply *reply)
{
	struct dead_cloud *d = ctx;
	const char *token = http_headers_get(&request->headers, "Authorization");
	bool other = token != NULL && strstr(token, OTHER_CLIENT) != NULL;

	(void)a;
	if (call == AZURE_TOKEN)
		return;
	if (other && d->first_heard.ms == 0)
		d->first_heard = loop_mono(d->loop);
	d->asked += !other;
	if (other || !d->dead)
		return;
	reply->status = 0;
	reply->result = TRANSPORT_TIMEOUT;
	reply->delay = DUR_MIN(2);
}

static void a_cloud_that_does_not_answer_holds_nobody_back(void **state)
{
	struct fixture *f = *state;
	struct dead_cloud d = {.loop = f->fake.world.loop};
	char *ids_a[] = {(char *)SUB_A}, *ids_b[] = {(char *)SUB_B};
	struct mono begun;

	see_two_with_two(f, ids_a, ids_b);
	pass_both(f);
	f->azure->hook = first_is_dead;
	f->azure->hook_ctx = &d;
	d.dead = true;
	begun = loop_mono(d.loop);
	pass(f, PASS_SUBSCRIPTIONS);
	/* One question, then the other's turn, then it again, and nothing of all that would follow.
	 */
	assert_int_equal(mono_since(d.first_heard, begun).ms, DUR_MIN(2).ms);
	assert_int_equal(d.asked, 4);
	assert_int_not_equal(f->report.problems, 0);
	for (unsigned k = PASS_SUBSCRIPTIONS; k <= PASS_MACHINES; k++) {
		begun = loop_mono(d.loop);
		d.first_heard = (struct mono){0};
		d.asked = 0;
		pass(f, (enum pass_kind)k);
		assert_int_equal(mono_since(d.first_heard, begun).ms, 0);
		assert_int_equal(d.asked, 1);
		assert_int_not_equal(f->report.problems, 0);
	}
	/* Nothing was concluded of it. */
	assert_true(inventory_subscription(f->inv, SUB_A)->visible);
	assert_int_equal(map_count(&f->gone), 0);
	d.dead = false;
	pass_both(f);
	assert_int_equal(f->report.subscriptions, 2);
}

static void once_dead(void *ctx, struct fake_azure *a, enum azure_call call,
	const struct http_request *request, struct azure_reply *reply)
{
	struct dead_cloud *d = ctx;

	first_is_dead(ctx, a, call, request, reply);
	d->dead = d->dead && d->asked == 0;
}

/* Put off until the other one has had its turn, it is read whole. */
static void a_cloud_that_answers_a_little_later_is_read_in_the_same_pass(void **state)
{
	struct fixture *f = *state;
	struct dead_cloud d = {.loop = f->fake.world.loop};
	char *ids_a[] = {(char *)SUB_A}, *ids_b[] = {(char *)SUB_B};

	see_two_with_two(f, ids_a, ids_b);
	f->azure->hook = once_dead;
	f->azure->hook_ctx = &d;
	d.dead = true;
	pass_both(f);
	assert_int_equal(f->report.subscriptions, 2);
	assert_non_null(machine(f, SUB_A, "a"));
	assert_non_null(machine(f, SUB_B, "b"));
}

static void plan_of_another(struct spoiler *s, json_t *body)
{
	(void)s;
	json_object_set_new(body, "id",
		json_string("/subscriptions/" SUB_B
			    "/providers/Microsoft.Security/pricings/VirtualMachines"));
	set_property(body, "pricingTier", json_string("Free"));
}

static void a_plan_that_graph_does_not_show_is_read_from_arm(void **state)
{
	struct fixture *f = *state;
	struct spoiler hidden = {.call = AZURE_GRAPH_PLANS, .change = lose_rows, .argument = 1};
	struct spoiler wrong = {.call = AZURE_PLAN, .change = plan_of_another};

	fake_azure_subscription(f->azure, SUB_A);
	fake_azure_subscription(f->azure, SUB_B);
	spoil_with(f, &hidden);
	pass(f, PASS_SUBSCRIPTIONS);
	assert_int_equal(f->report.problems, 0);
	assert_int_equal(f->azure->calls[AZURE_PLAN], 1);
	assert_int_equal(inventory_subscription(f->inv, SUB_A)->pricing.stamp.source, SOURCE_ARM);
	assert_int_equal(inventory_subscription(f->inv, SUB_B)->pricing.stamp.source, SOURCE_GRAPH);
	/* ARM answers with another one's. */
	json_object_set_new(fake_azure_subscription_of(f->azure, SUB_A), "plan", json_object());
	spoil_with(f, &wrong);
	pass(f, PASS_SUBSCRIPTIONS);
	assert_int_not_equal(f->report.problems, 0);
	assert_string_equal(inventory_subscription(f->inv, SUB_B)->pricing.tier, "Standard");
	assert_string_equal(inventory_subscription(f->inv, SUB_A)->pricing.tier, "Standard");
}

static void settings_are_absent_only_after_a_complete_list(void **state)
{
	static const struct spoiler spoilers[] = {
		{.call = AZURE_SETTINGS, .status = 500},
		{.call = AZURE_SETTINGS, .status = 404},
		{.call = AZURE_SETTINGS, .body = "{\"value\":[{\"id\":\"x\"}]}"},
		{.call = AZURE_SETTINGS,
			.body = "{\"value\":[{\"id\":\"/subscriptions/" SUB_B
				"/providers/Microsoft.Security/settings/WDATP\"}]}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(spoilers); i++) {
		struct fixture f;
		struct spoiler spoiler = spoilers[i];
		struct subscription *s;

		(void)state;
		fixture_init(&f);
		fake_azure_subscription(f.azure, SUB_A);
		pass(&f, PASS_SUBSCRIPTIONS);
		s = inventory_subscription(f.inv, SUB_A);
		spoil_with(&f, &spoiler);
		pass(&f, PASS_SUBSCRIPTIONS);
		assert_int_equal(f.report.problems, 1);
		assert_int_equal(s->settings[SETTING_WDATP].enabled, TRI_YES);
		spoil_with(&f, NULL);
		json_object_clear(
			json_object_get(fake_azure_subscription_of(f.azure, SUB_A), "settings"));
		pass(&f, PASS_SUBSCRIPTIONS);
		assert_int_equal(f.report.problems, 0);
		assert_int_equal(s->settings[SETTING_WDATP].enabled, TRI_UNKNOWN);
		fixture_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_concluded_from_a_list_that_is_not_all),
		CASE(what_was_read_before_a_failure_counts),
		CASE(lost_access_looks_like_no_machines_and_is_not_believed),
		CASE(an_extension_before_its_machine_waits_for_it),
		CASE(an_extension_that_does_not_say_what_it_is_makes_one_machine_unknown),
		CASE(a_row_twice_on_one_page_is_only_a_row_twice),
		CASE(a_row_on_two_pages_means_that_pages_have_shifted),
		CASE(one_failing_partition_does_not_end_the_others),
		CASE(a_subscription_that_left_the_list_is_invisible_and_comes_back),
		cmocka_unit_test(an_incomplete_list_of_subscriptions_hides_none),
		CASE(what_another_identity_sees_is_not_visible_to_its_own),
		CASE(a_cloud_that_does_not_answer_holds_nobody_back),
		CASE(a_cloud_that_answers_a_little_later_is_read_in_the_same_pass),
		CASE(a_plan_that_graph_does_not_show_is_read_from_arm),
		cmocka_unit_test(settings_are_absent_only_after_a_complete_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
