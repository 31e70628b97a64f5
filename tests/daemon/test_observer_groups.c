/* SPDX-License-Identifier: Apache-2.0 */
/* A subscription's management groups decide about its scope, and so are known or not. */
#include "tests/daemon/observer_fixture.h"

static char prod[] = "mg-prod", root[] = "MG-Root";
static char *prod_list[] = {prod}, *root_list[] = {root};

/* Scope 0 is everything, scope 1 the group of production, scope 2 all below the root group. */
static void use_groups(struct fixture *f)
{
	f->scopes[0].name = (char *)"all";
	f->scopes[1].name = (char *)"prod";
	f->scopes[1].management_groups = prod_list;
	f->scopes[1].management_group_count = 1;
	f->scopes[2].name = (char *)"root";
	f->scopes[2].management_groups = root_list;
	f->scopes[2].management_group_count = 1;
	f->small.config.scope_count = 3;
}

static void put_in(
	struct fixture *f, const char *subscription, const char *nearest, const char *above)
{
	json_t *chain = json_array();

	if (nearest != NULL)
		json_array_append_new(chain, json_string(nearest));
	if (above != NULL)
		json_array_append_new(chain, json_string(above));
	json_object_set_new(fake_azure_subscription_of(f->azure, subscription), "groups", chain);
}

static void prepare(struct fixture *f)
{
	use_groups(f);
	fake_azure_subscription(f->azure, SUB_A);
	fake_azure_subscription(f->azure, SUB_B);
	fake_azure_subscription(f->azure, SUB_C);
	put_in(f, SUB_A, "MG-PROD", "mg-root");
	put_in(f, SUB_B, "mg-test", "mg-root");
	put_in(f, SUB_C, "mg-else", NULL);
}

static const char *scope_name(struct fixture *f, const char *subscription)
{
	const struct scope_config *scope = inventory_subscription(f->inv, subscription)->scope;

	return scope != NULL ? scope->name : "none";
}

static void assert_scopes(struct fixture *f, const char *a, const char *b, const char *c)
{
	assert_string_equal(scope_name(f, SUB_A), a);
	assert_string_equal(scope_name(f, SUB_B), b);
	assert_string_equal(scope_name(f, SUB_C), c);
}

static void the_nearest_group_decides(void **state)
{
	struct fixture *f = *state;

	prepare(f);
	assert_int_equal(pass(f, PASS_SUBSCRIPTIONS).problems, 0);
	assert_scopes(f, "prod", "root", "all");
	assert_int_equal(f->azure->calls[AZURE_GRAPH_GROUPS], 1);
	assert_int_equal(f->azure->calls[AZURE_DESCENDANTS], 0);
	assert_int_equal(f->azure->calls[AZURE_SETTINGS], 3);
}

static void groups_that_no_scope_names_are_not_asked_for(void **state)
{
	struct fixture *f = *state;

	fake_azure_subscription(f->azure, SUB_A);
	pass(f, PASS_SUBSCRIPTIONS);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_GROUPS], 0);
	assert_string_equal(scope_name(f, SUB_A), "scope");
}

static void groups_in_another_tenant_do_not_matter(void **state)
{
	struct fixture *f = *state;

	prepare(f);
	f->small.identities[1].tenant = (char *)OTHER_TENANT;
	f->scopes[1].identity = f->scopes[2].identity = &f->small.identities[1];
	pass(f, PASS_SUBSCRIPTIONS);
	assert_int_equal(f->azure->calls[AZURE_GRAPH_GROUPS], 0);
	assert_scopes(f, "all", "all", "all");
}

static void forget_chain(struct spoiler *s, json_t *body)
{
	json_t *row = json_array_get(json_object_get(body, "data"), s->argument);

	set_property(row, "managementGroupAncestorsChain", json_null());
}

static void a_subscription_of_unknown_groups_is_in_no_scope(void **state)
{
	static const struct spoiler spoilers[] = {
		{.call = AZURE_GRAPH_GROUPS, .status = 500},
		{.call = AZURE_GRAPH_GROUPS, .status = 429},
		{.call = AZURE_GRAPH_GROUPS, .body = "{"},
		{.call = AZURE_GRAPH_GROUPS, .change = lose_rows, .argument = 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(spoilers); i++) {
		struct fixture f;
		struct spoiler spoiler = spoilers[i];

		(void)state;
		fixture_init(&f);
		prepare(&f);
		spoil_with(&f, &spoiler);
		pass(&f, PASS_SUBSCRIPTIONS);
		assert_int_not_equal(f.report.problems, 0);
		assert_scopes(&f, "none", "none", "none");
		/* Nothing is read for a scope that it may not be in. */
		assert_int_equal(f.azure->calls[AZURE_SETTINGS], 0);
		/* What is known is kept when it cannot be read again. */
		spoil_with(&f, NULL);
		run(&f, DUR_MIN(15));
		pass(&f, PASS_SUBSCRIPTIONS);
		assert_scopes(&f, "prod", "root", "all");
		spoil_with(&f, &spoiler);
		pass(&f, PASS_SUBSCRIPTIONS);
		assert_int_not_equal(f.report.problems, 0);
		assert_scopes(&f, "prod", "root", "all");
		fixture_fini(&f);
	}
}

static void one_chain_that_is_not_told_is_one_subscription_without_a_scope(void **state)
{
	struct fixture *f = *state;
	struct spoiler spoiler = {
		.call = AZURE_GRAPH_GROUPS, .change = forget_chain, .argument = 1};

	prepare(f);
	spoil_with(f, &spoiler);
	pass(f, PASS_SUBSCRIPTIONS);
	assert_int_equal(f->report.problems, 1);
	assert_scopes(f, "prod", "none", "all");
}

static void a_subscription_named_by_id_needs_no_groups(void **state)
{
	struct fixture *f = *state;
	struct spoiler spoiler = {.call = AZURE_GRAPH_GROUPS, .status = 500};
	char *ids[] = {(char *)SUB_B};

	prepare(f);
	f->scopes[3].name = (char *)"by id";
	f->scopes[3].subscriptions = ids;
	f->scopes[3].subscription_count = 1;
	f->small.config.scope_count = 4;
	spoil_with(f, &spoiler);
	pass(f, PASS_SUBSCRIPTIONS);
	assert_scopes(f, "none", "by id", "none");
}

static void a_move_to_another_group_is_a_move_to_another_scope(void **state)
{
	struct fixture *f = *state;

	prepare(f);
	pass(f, PASS_SUBSCRIPTIONS);
	put_in(f, SUB_A, "mg-else", NULL);
	put_in(f, SUB_C, "mg-prod", "mg-root");
	pass(f, PASS_SUBSCRIPTIONS);
	assert_scopes(f, "all", "root", "prod");
}

static void a_subscription_that_has_left_its_scope_is_told(void **state)
{
	struct fixture *f = *state;

	prepare(f);
	f->scopes[0].everything = false;
	pass(f, PASS_SUBSCRIPTIONS);
	assert_scopes(f, "prod", "root", "none");
	put_in(f, SUB_A, "mg-else", NULL);
	pass(f, PASS_SUBSCRIPTIONS);
	assert_scopes(f, "none", "root", "none");
	assert_int_equal(times(&f->subscriptions, SUB_A), 1);
}

/* --- from ARM --- */

static void where_graph_refuses_the_groups_are_asked_what_is_below_them(void **state)
{
	struct fixture *f = *state;
	struct spoiler refuse = {.call = AZURE_GRAPH_GROUPS, .status = 403};

	prepare(f);
	f->azure->arm_page = 1;
	spoil_with(f, &refuse);
	assert_int_equal(pass(f, PASS_SUBSCRIPTIONS).problems, 0);
	assert_scopes(f, "prod", "root", "all");
	assert_int_equal(f->azure->calls[AZURE_GRAPH_GROUPS], 1);
	assert_true(f->azure->calls[AZURE_DESCENDANTS] >= 2);
	/* And the next time at once. */
	put_in(f, SUB_B, "mg-prod", "mg-root");
	pass(f, PASS_SUBSCRIPTIONS);
	assert_scopes(f, "prod", "prod", "all");
	assert_int_equal(f->azure->calls[AZURE_GRAPH_GROUPS], 0);
}

static void deny_second_group(void *ctx, struct fake_azure *a, enum azure_call call,
	const struct http_request *request, struct azure_reply *reply)
{
	(void)ctx;
	(void)request;
	if (call == AZURE_GRAPH_GROUPS || (call == AZURE_DESCENDANTS && a->calls[call] == 2)) {
		reply->status = 403;
		reply->raw = xstrdup("");
	}
}

static void one_group_that_cannot_be_listed_leaves_all_unknown(void **state)
{
	struct fixture *f = *state;

	prepare(f);
	f->azure->hook = deny_second_group;
	pass(f, PASS_SUBSCRIPTIONS);
	assert_int_equal(f->report.problems, 1);
	assert_scopes(f, "none", "none", "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_nearest_group_decides),
		CASE(groups_that_no_scope_names_are_not_asked_for),
		CASE(groups_in_another_tenant_do_not_matter),
		cmocka_unit_test(a_subscription_of_unknown_groups_is_in_no_scope),
		CASE(one_chain_that_is_not_told_is_one_subscription_without_a_scope),
		CASE(a_subscription_named_by_id_needs_no_groups),
		CASE(a_move_to_another_group_is_a_move_to_another_scope),
		CASE(a_subscription_that_has_left_its_scope_is_told),
		CASE(where_graph_refuses_the_groups_are_asked_what_is_below_them),
		CASE(one_group_that_cannot_be_listed_leaves_all_unknown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
