/* SPDX-License-Identifier: Apache-2.0 */
/* Where Resource Graph refuses, lists of ARM do its work. */
#include "tests/daemon/observer_fixture.h"

static void refuse_graph(void *ctx, struct fake_azure *a, enum azure_call call,
	const struct http_request *request, struct azure_reply *reply)
{
	const struct fixture *f = ctx;
	const char *token = http_headers_get(&request->headers, "Authorization");

	(void)a;
	if (call < AZURE_GRAPH_GROUPS || call > AZURE_GRAPH_EXTENSIONS)
		return;
	/* Identities of which `watched_count` bits say so: the first, the second. */
	if ((strstr(token, OTHER_CLIENT) != NULL ? 2u : 1u) & f->judging)
		return;
	reply->status = 403;
	reply->raw = xstrdup("{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"no\"}}");
}

static void describe_extension(const struct extension_facts *e, struct buf *ret)
{
	buf_addf(ret, " [%d %d %d %d %s %s %s %s %s]", e->present, e->foreign_owner,
		e->provisioning, e->vnext, e->name, e->version, e->state, e->code, e->message);
}

/* Every fact that has no time in it. */
static void describe(struct fixture *f, struct buf *ret)
{
	struct map_entry *entry;

	map_for_each (&f->inv->machines, entry) {
		const struct machine *m = entry->value;

		buf_addf(ret, "%s %s %s %s %s %s %s %s %s %d %d %d %d %d %d %d %lld", m->id,
			m->group, m->name, m->location, m->status, m->os_sku, m->os_type,
			m->agent_version, m->cloud, m->os, m->extensions_enabled, m->mde_allowed,
			m->connected, m->connector_made, m->extensions_known, m->tags_unknown,
			(long long)m->status_since.ms);
		buf_addf(ret, " {%s}", m->tags);
		describe_extension(&m->mde, ret);
		describe_extension(&m->legacy, ret);
		buf_addc(ret, '\n');
	}
	map_for_each (&f->inv->subscriptions, entry) {
		const struct subscription *s = entry->value;

		buf_addf(ret, "%s %s %d %d %s %s %d %lld %s %u\n", s->id, s->name, s->state,
			s->visible, s->pricing.tier, s->pricing.sub_plan, s->pricing.enforce,
			(long long)s->pricing.enabled_at.ms, s->pricing.failure, s->machine_count);
	}
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Order does not matter. */
static char *sorted(const char *text)
{
	mdc_autofree char *copy = xstrdup(text);
	char *lines[200], *rest = copy, *line;
	struct buf ret = BUF_INIT(1 << 20);
	size_t n = 0;

	while ((line = strsep(&rest, "\n")) != NULL && n < ARRAY_LEN(lines))
		lines[n++] = line;
	qsort(lines, n, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < n; i++)
		buf_addf(&ret, "%s\n", lines[i]);
	return buf_steal(&ret);
}

/* Everything in which a document of ARM and a row of Graph could be read differently. */
static void put_odd_documents(struct fixture *f)
{
	json_t *m, *e, *plan;

	fake_azure_subscription(f->azure, SUB_A);
	plan = json_object_get(fake_azure_subscription_of(f->azure, SUB_A), "plan");
	json_object_set_new(plan, "properties",
		json_loads("{\"pricingTier\":\"Standard\",\"subPlan\":\"P1\",\"enforce\":\"False\","
			   "\"enablementTime\":\"2026-01-02T03:04:05.678Z\",\"extensions\":[{"
			   "\"name\":\"x\",\"isEnabled\":\"True\",\"operationStatus\":{\"code\":"
			   "\"Failed\",\"message\":\"m\"}}],\"deprecated\":false}",
			0, NULL));
	fake_azure_subscription(f->azure, SUB_B);
	json_object_set_new(json_object_get(fake_azure_subscription_of(f->azure, SUB_B), "plan"),
		"properties", json_pack("{s:s}", "pricingTier", "Free"));
	m = fake_azure_machine(f->azure, SUB_A, "full");
	json_object_set_new(m, "tags",
		json_pack("{s:s, s:s, s:n}", "Env", "Lab", "mdfcsecurityconnector", "TRUE", "n"));
	json_object_update_new(json_object_get(m, "properties"),
		json_loads("{\"osType\":\"Windows\",\"osName\":\"windows\",\"osSku\":\"Windows "
			   "Server 2016 Datacenter\",\"cloudMetadata\":{\"provider\":\"AWS\"},"
			   "\"agentConfiguration\":{\"extensionsEnabled\":\"true\",\"configMode\":"
			   "\"full\",\"extensionsAllowList\":[{\"publisher\":\"a\",\"type\":\"b\"}]"
			   ",\"extensionsBlockList\":null,\"proxyUrl\":\"p\"}}",
			0, NULL));
	m = fake_azure_machine(f->azure, SUB_A, "booleans");
	json_object_set_new(m, "tags", json_null());
	json_object_update_new(json_object_get(m, "properties"),
		json_loads("{\"agentConfiguration\":{\"extensionsEnabled\":false,\"configMode\":"
			   "\"monitor\",\"extensionsBlockList\":[]}}",
			0, NULL));
	m = fake_azure_machine(f->azure, SUB_A, "nulls");
	json_object_set_new(m, "properties",
		json_loads("{\"status\":null,\"lastStatusChange\":null,\"osType\":null,\"osSku\":"
			   "null,\"agentVersion\":null,\"cloudMetadata\":null,"
			   "\"agentConfiguration\":null}",
			0, NULL));
	json_object_del(m, "location");
	m = fake_azure_machine(f->azure, SUB_A, "odd");
	json_object_update_new(json_object_get(m, "properties"),
		json_loads("{\"status\":\"Expired\",\"lastStatusChange\":\"0001-01-01T00:00:00Z\","
			   "\"osSku\":\"\",\"agentVersion\":\"1.2\"}",
			0, NULL));
	e = fake_azure_extension(f->azure, SUB_A, "full", "MDE.Windows", "Failed");
	json_object_update_new(json_object_get(e, "properties"),
		json_loads("{\"settings\":{\"vNextEnabled\":true,\"azureResourceId\":\"/else\"},"
			   "\"instanceView\":{\"status\":{\"code\":-310,\"message\":\"failed\"}}}",
			0, NULL));
	e = fake_azure_extension(f->azure, SUB_A, "booleans", "MDE.Linux", "Canceled");
	json_object_update_new(json_object_get(e, "properties"),
		json_loads("{\"settings\":null,\"instanceView\":{\"status\":{}},"
			   "\"typeHandlerVersion\":null}",
			0, NULL));
	e = fake_azure_extension(f->azure, SUB_A, "odd", "MDE.Linux", "Succeeded");
	json_object_update_new(json_object_get(e, "properties"),
		json_loads("{\"settings\":{\"vNextEnabled\":\"maybe\"},\"instanceView\":null}", 0,
			NULL));
	fake_azure_extension(f->azure, SUB_A, "full", "MicrosoftMonitoringAgent", "Succeeded");
	fake_azure_extension(f->azure, SUB_A, "odd", "MDE.Windows", "Succeeded");
	fake_azure_extension(f->azure, SUB_A, "nulls", "MDE.Windows", "Succeeded");
	add_machines(f, SUB_B, 0, 30);
	fake_azure_extension(f->azure, SUB_B, "m004", "OmsAgentForLinux", "Updating");
}

static void where_graph_refuses_arm_gives_the_same_facts(void **state)
{
	struct fixture *f = *state, from_arm;
	struct buf graph = BUF_INIT(1 << 20), arm = BUF_INIT(1 << 20);
	mdc_autofree char *a = NULL, *b = NULL;

	put_odd_documents(f);
	pass_both(f);
	assert_false(observer_graph_is_refused(f->observer));
	assert_int_equal(machine(f, SUB_A, "full")->stamp.source, SOURCE_GRAPH);
	describe(f, &graph);

	fixture_init(&from_arm);
	put_odd_documents(&from_arm);
	from_arm.azure->hook = refuse_graph;
	from_arm.azure->hook_ctx = &from_arm;
	from_arm.azure->arm_page = 7;
	pass_both(&from_arm);
	assert_true(observer_graph_is_refused(from_arm.observer));
	assert_int_equal(machine(&from_arm, SUB_A, "full")->stamp.source, SOURCE_ARM);
	assert_int_equal(from_arm.azure->calls[AZURE_GRAPH_MACHINES], 0);
	assert_int_equal(from_arm.report.machines, 34);
	describe(&from_arm, &arm);

	a = sorted(buf_str(&graph));
	b = sorted(buf_str(&arm));
	assert_string_equal(a, b);
	buf_fini(&graph);
	buf_fini(&arm);
	fixture_fini(&from_arm);
}

static void from_arm_too_only_complete_lists_conclude(void **state)
{
	static const struct {
		enum azure_call call;
		int status;
		const char *body;
	} rows[] = {
		{AZURE_MACHINES, 500, NULL},
		{AZURE_MACHINES, 403, NULL},
		{AZURE_MACHINES, 0, "{\"value\":["},
		{AZURE_MACHINES, 0, "{\"value\":[{\"id\":\"/x\"}]}"},
		{AZURE_MACHINES, 0,
			"{\"value\":[{\"id\":\"/subscriptions/" SUB_C
			"/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m\"}]}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct spoiler spoiler = {
			.call = rows[i].call, .status = rows[i].status, .body = rows[i].body};
		struct spoiler refuse = {.call = AZURE_GRAPH_COUNTS, .status = 403};

		(void)state;
		fixture_init(&f);
		prepare_forty(&f);
		spoil_with(&f, &refuse);
		pass(&f, PASS_MACHINES);
		assert_int_equal(f.report.problems, 0);
		assert_int_equal(times(&f.gone, "m000"), 1);
		assert_false(machine(&f, SUB_A, "m001")->mde.present);
		fake_azure_remove(f.azure, SUB_A, "m002");
		/* Graph is left alone for an hour. */
		spoil_with(&f, &spoiler);
		pass(&f, PASS_MACHINES);
		assert_int_equal(f.azure->calls[AZURE_GRAPH_COUNTS], 0);
		assert_int_not_equal(f.report.problems, 0);
		assert_int_equal(map_count(&f.gone), 0);
		assert_non_null(machine(&f, SUB_A, "m002"));
		fixture_fini(&f);
	}
}

static void one_broken_machine_leaves_the_others_known(void **state)
{
	static const struct spoiler spoilers[] = {
		{.call = AZURE_EXTENSIONS, .status = 404, .from = 5, .to = 5},
		{.call = AZURE_EXTENSIONS, .status = 409, .from = 5, .to = 5},
		{.call = AZURE_EXTENSIONS, .body = "{", .from = 5, .to = 5},
		{.call = AZURE_EXTENSIONS,
			.body = "{\"value\":[{\"id\":\"/subscriptions/" SUB_A
				"/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/"
				"else/extensions/MDE.Linux\"}]}",
			.from = 5,
			.to = 5},
	};

	for (size_t i = 0; i < ARRAY_LEN(spoilers); i++) {
		struct fixture f;
		struct spoiler refuse = {.call = AZURE_GRAPH_COUNTS, .status = 403};
		struct spoiler broken = spoilers[i];
		unsigned unknown = 0;

		(void)state;
		fixture_init(&f);
		prepare_forty(&f);
		spoil_with(&f, &refuse);
		pass(&f, PASS_MACHINES);
		spoil_with(&f, &broken);
		pass(&f, PASS_MACHINES);
		assert_int_equal(f.report.problems, 1);
		for (uint32_t k = 0; k < 39; k++)
			unknown += !inventory_subscription(f.inv, SUB_A)
					    ->machines[k]
					    ->extensions_known;
		assert_int_equal(unknown, 1);
		spoil_with(&f, NULL);
		pass(&f, PASS_MACHINES);
		assert_int_equal(f.report.problems, 0);
		fixture_fini(&f);
	}
}

static void what_fails_for_every_machine_is_not_tried_for_all(void **state)
{
	struct fixture *f = *state;
	struct spoiler refuse = {.call = AZURE_GRAPH_COUNTS, .status = 403};
	struct spoiler denied = {.call = AZURE_EXTENSIONS, .status = 403};

	prepare_forty(f);
	spoil_with(f, &refuse);
	pass(f, PASS_MACHINES);
	spoil_with(f, &denied);
	pass(f, PASS_MACHINES);
	assert_in_range(f->azure->calls[AZURE_EXTENSIONS], 3, 12);
	assert_true(machine(f, SUB_A, "m003")->mde.present);
	for (uint32_t k = 0; k < 39; k++)
		assert_true(inventory_subscription(f->inv, SUB_A)->machines[k]->extensions_known);
}

static void graph_is_asked_again_after_an_hour_and_after_a_reload(void **state)
{
	struct fixture *f = *state;

	fake_azure_subscription(f->azure, SUB_A);
	f->azure->hook = refuse_graph;
	f->azure->hook_ctx = f;
	pass_both(f);
	assert_true(observer_graph_is_refused(f->observer));
	f->azure->hook = NULL;
	pass_both(f);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_COUNTS], 0);
	/* Somebody sets the clock back meanwhile. */
	loop_virtual_set_wall(f->fake.world.loop, (struct wall){INT64_C(1000000000000)});
	run(f, DUR_MIN(61));
	pass_both(f);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_COUNTS], 1);
	assert_false(observer_graph_is_refused(f->observer));
	f->azure->hook = refuse_graph;
	pass_both(f);
	f->azure->hook = NULL;
	reconfigure(f);
	pass_both(f);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_COUNTS], 1);
}

static void a_refusal_is_about_one_identity(void **state)
{
	struct fixture *f = *state;
	char *ids_a[] = {(char *)SUB_A}, *ids_b[] = {(char *)SUB_B};

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
	f->azure->hook = refuse_graph;
	f->azure->hook_ctx = f;
	f->judging = 2; /* the second one may */
	pass(f, PASS_SUBSCRIPTIONS);
	f->judging = 2;
	pass(f, PASS_MACHINES);
	f->judging = 2;
	pass(f, PASS_MACHINES);
	assert_int_equal(machine(f, SUB_A, "a")->stamp.source, SOURCE_ARM);
	assert_int_equal(machine(f, SUB_B, "b")->stamp.source, SOURCE_GRAPH);
	assert_true(observer_graph_is_refused(f->observer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(where_graph_refuses_arm_gives_the_same_facts),
		cmocka_unit_test(from_arm_too_only_complete_lists_conclude),
		cmocka_unit_test(one_broken_machine_leaves_the_others_known),
		CASE(what_fails_for_every_machine_is_not_tried_for_all),
		CASE(graph_is_asked_again_after_an_hour_and_after_a_reload),
		CASE(a_refusal_is_about_one_identity),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
