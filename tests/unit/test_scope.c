/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/estate_builder.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int setup(void **state)
{
	struct estate *e = xcalloc(1, sizeof(*e));

	estate_init(e);
	e->config.scope_count = 3;
	for (size_t i = 0; i < 3; i++)
		e->scopes[i].everything = false;
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	estate_fini(*state);
	free(*state);
	return 0;
}

static void put_in_groups(
	struct estate *e, struct subscription *s, const char *nearest, const char *root)
{
	json_t *groups = json_pack("[{s:s}, {s:s}]", "name", nearest, "name", root);
	struct arm_subscription facts = {.state = "Enabled", .management_groups = groups};
	bool changed;

	inventory_set_subscription(
		e->inv, s, &facts, (struct stamp){.at = e->now, .source = SOURCE_GRAPH}, &changed);
	json_decref(groups);
}

/* What each of the three scopes names: by id, nearest group, root group, everything, nothing. */
enum naming { NOTHING, BY_ID, BY_NEAR, BY_ROOT, BY_ALL };

static char nearest[] = "mg-near", root[] = "MG-ROOT";
static char *near_list[] = {nearest}, *root_list[] = {root};

static void name_subscription(struct scope_config *scope, enum naming naming, char **ids)
{
	scope->subscription_count = naming == BY_ID;
	scope->subscriptions = ids;
	scope->management_group_count = naming == BY_NEAR || naming == BY_ROOT;
	scope->management_groups = naming == BY_NEAR ? near_list : root_list;
	scope->everything = naming == BY_ALL;
}

static const struct {
	enum naming names[3];
	enum scope_match match;
	int winner; /* or one of the rivals */
} precedence[] = {
	{{NOTHING, NOTHING, NOTHING}, SCOPE_NONE, -1},
	{{BY_ALL, NOTHING, NOTHING}, SCOPE_ONE, 0},
	{{BY_ALL, BY_ROOT, NOTHING}, SCOPE_ONE, 1},
	{{BY_NEAR, BY_ROOT, BY_ALL}, SCOPE_ONE, 0},
	{{BY_NEAR, BY_ROOT, BY_ID}, SCOPE_ONE, 2},
	{{BY_ALL, BY_ALL, BY_ID}, SCOPE_ONE, 2},
	{{BY_ID, BY_ALL, BY_ALL}, SCOPE_ONE, 0},
	{{BY_ALL, BY_ALL, NOTHING}, SCOPE_TIE, 0},
	{{BY_ROOT, BY_ALL, BY_ROOT}, SCOPE_TIE, 0},
	{{BY_ID, BY_NEAR, BY_ID}, SCOPE_TIE, 0},
};

static void the_closest_scope_wins(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	char *ids[] = {s->id};

	put_in_groups(e, s, "mg-near", "mg-root");
	for (size_t i = 0; i < ARRAY_LEN(precedence); i++) {
		const struct scope_config *scope, *a, *b;

		for (size_t k = 0; k < 3; k++)
			name_subscription(&e->scopes[k], precedence[i].names[k], ids);
		assert_int_equal(scope_of(&e->config, s, &scope, &a, &b), precedence[i].match);
		if (precedence[i].match == SCOPE_ONE)
			assert_ptr_equal(scope, &e->scopes[precedence[i].winner]);
		if (precedence[i].match == SCOPE_TIE) {
			assert_null(scope);
			assert_ptr_not_equal(a, b);
			assert_ptr_equal(a, &e->scopes[precedence[i].winner]);
		}
	}
}

static void a_tie_is_judged_under_one_and_names_both(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);

	e->scopes[0].everything = e->scopes[1].everything = true;
	estate_resolve(e);
	assert_non_null(s->scope);
	assert_string_equal(s->scope_conflict, "\"all\" and \"second\"");
	e->scopes[1].everything = false;
	estate_resolve(e);
	assert_ptr_equal(s->scope, &e->scopes[0]);
	assert_null(s->scope_conflict);
}

static void a_subscription_that_no_scope_names_is_in_none(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);

	assert_null(s->scope);
	assert_null(s->scope_conflict);
}

static char lab[] = "lab", env[] = "env", web[] = "web*", reason_text[] = "as agreed";
static char control_name[] = "servers-plan";

static void exclusions_end_with_their_date(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct exclude_config exclude = {.name = lab, .until = e->now, .reason = reason_text};

	e->scopes[0].excludes = &exclude;
	e->scopes[0].exclude_count = 1;
	assert_ptr_equal(scope_exclusion(&e->scopes[0], s, NULL, e->now), &exclude);
	assert_null(scope_exclusion(&e->scopes[0], s, NULL, wall_add(e->now, DUR_MS(1))));
	exclude.until = WALL_NEVER;
	assert_non_null(scope_exclusion(&e->scopes[0], s, NULL, wall_add(e->now, DUR_DAYS(9999))));
}

static void an_exclusion_of_machines_does_not_exclude_the_subscription(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "web1", "Ubuntu 22.04.4 LTS");
	struct machine *other = estate_machine(e, s, "db1", "Ubuntu 22.04.4 LTS");
	char *names[] = {web};
	struct exclude_config exclude = {.name = lab,
		.until = WALL_NEVER,
		.selector = {.machines = names, .machine_count = 1}};

	e->scopes[0].excludes = &exclude;
	e->scopes[0].exclude_count = 1;
	assert_null(scope_exclusion(&e->scopes[0], s, NULL, e->now));
	assert_non_null(scope_exclusion(&e->scopes[0], s, m, e->now));
	assert_null(scope_exclusion(&e->scopes[0], s, other, e->now));
}

static void an_exclusion_by_group_is_over_all_that_is_below(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct machine *m = estate_machine(e, s, "web1", "Ubuntu 22.04.4 LTS");
	struct exclude_config exclude = {.name = lab,
		.until = WALL_NEVER,
		.selector = {.management_groups = root_list, .management_group_count = 1}};

	e->scopes[0].excludes = &exclude;
	e->scopes[0].exclude_count = 1;
	/* As long as nobody knows where it is, it could be. */
	s->groups_known = false;
	assert_null(scope_exclusion(&e->scopes[0], s, NULL, e->now));
	assert_true(scope_exclusion_is_open(&e->scopes[0], s));
	assert_false(scope_exclusion_is_open(&e->scopes[1], s));
	put_in_groups(e, s, "mg-near", "mg-root");
	assert_ptr_equal(scope_exclusion(&e->scopes[0], s, NULL, e->now), &exclude);
	assert_ptr_equal(scope_exclusion(&e->scopes[0], s, m, e->now), &exclude);
	assert_false(scope_exclusion_is_open(&e->scopes[0], s));
	put_in_groups(e, s, "mg-near", "mg-other");
	assert_null(scope_exclusion(&e->scopes[0], s, NULL, e->now));
}

static void groups_are_of_one_tenant(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	const struct scope_config *scope, *a, *b;

	name_subscription(&e->scopes[0], BY_NEAR, NULL);
	name_subscription(&e->scopes[1], BY_ALL, NULL);
	put_in_groups(e, s, "mg-near", "mg-root");
	assert_int_equal(scope_of(&e->config, s, &scope, &a, &b), SCOPE_ONE);
	assert_ptr_equal(scope, &e->scopes[0]);
	str_copy(s->tenant, sizeof(s->tenant), "22222222-0000-4000-8000-000000000000");
	assert_int_equal(scope_of(&e->config, s, &scope, &a, &b), SCOPE_ONE);
	assert_ptr_equal(scope, &e->scopes[1]);
}

#define TENANT_A "11111111-0000-4000-8000-000000000000"
#define TENANT_B "22222222-0000-4000-8000-000000000000"
#define TENANT_C "33333333-0000-4000-8000-000000000000"
#define TENANT_D "44444444-0000-4000-8000-000000000000"

/* Scope 0 is over everything that tenant A sees, scope 1 over what B sees, scope 2 is of C. */
static const struct {
	const char *tenant, *managed_by;
	bool second;
	enum scope_match match;
	int winner;
} delegations[] = {
	{TENANT_A, "", true, SCOPE_ONE, 0},
	{TENANT_B, "", true, SCOPE_ONE, 1},
	/* At home in one, and both see it. */
	{TENANT_A, TENANT_B, true, SCOPE_ONE, 0},
	{TENANT_D, TENANT_A, true, SCOPE_ONE, 0},
	{TENANT_D, TENANT_C " " TENANT_B, true, SCOPE_ONE, 1},
	{TENANT_D, TENANT_A " " TENANT_B, true, SCOPE_TIE, -1},
	/* Who sees it is not known. */
	{TENANT_D, "", true, SCOPE_TIE, -1},
	{TENANT_D, "", false, SCOPE_ONE, 0},
	/* Seen by an identity that has no scope over everything. */
	{TENANT_C, "", true, SCOPE_NONE, -1},
	{TENANT_C, "", false, SCOPE_NONE, -1},
	{TENANT_C, TENANT_A, true, SCOPE_ONE, 0},
};

static void everything_is_what_the_identity_sees(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct identity_config identities[] = {{.tenant = (char *)TENANT_A},
		{.tenant = (char *)TENANT_B}, {.tenant = (char *)TENANT_C}};
	const struct scope_config *scope, *a, *b;

	e->config.identities = identities;
	e->config.identity_count = ARRAY_LEN(identities);
	for (size_t i = 0; i < 3; i++)
		e->scopes[i].identity = &identities[i];
	e->scopes[0].everything = true;
	for (size_t i = 0; i < ARRAY_LEN(delegations); i++) {
		e->scopes[1].everything = delegations[i].second;
		str_copy(s->tenant, sizeof(s->tenant), delegations[i].tenant);
		s->managed_by = delegations[i].managed_by;
		assert_int_equal(scope_of(&e->config, s, &scope, &a, &b), delegations[i].match);
		if (delegations[i].match == SCOPE_ONE)
			assert_ptr_equal(scope, &e->scopes[delegations[i].winner]);
	}
	s->managed_by = "";
	e->config.identity_count = 0;
}

static void a_change_of_scope_is_marked_until_it_is_acted_on(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);

	e->scopes[0].everything = true;
	estate_resolve(e);
	/* Into its first one is no change. */
	assert_false(s->rescoped);
	estate_resolve(e);
	assert_false(s->rescoped);
	e->scopes[0].everything = false;
	e->scopes[1].everything = true;
	estate_resolve(e);
	assert_true(s->rescoped);
	estate_resolve(e);
	assert_true(s->rescoped);
}

static void a_grant_is_for_one_control_and_ends(void **state)
{
	struct estate *e = *state;
	struct subscription *s = estate_subscription(e, 1);
	struct grant_config grant = {.name = env, .control = control_name, .until = e->now};
	struct wall after = wall_add(e->now, DUR_MS(1));

	e->scopes[0].grants = &grant;
	e->scopes[0].grant_count = 1;
	assert_ptr_equal(scope_grant(&e->scopes[0], CONTROL_SERVERS_PLAN, s, NULL, e->now), &grant);
	assert_null(scope_grant(&e->scopes[0], CONTROL_SERVERS_PLAN, s, NULL, after));
	assert_null(scope_grant(&e->scopes[0], CONTROL_MDE_INTEGRATION, s, NULL, e->now));
	assert_null(scope_grant(&e->scopes[1], CONTROL_SERVERS_PLAN, s, NULL, e->now));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_closest_scope_wins),
		CASE(a_tie_is_judged_under_one_and_names_both),
		CASE(a_subscription_that_no_scope_names_is_in_none),
		CASE(exclusions_end_with_their_date),
		CASE(an_exclusion_of_machines_does_not_exclude_the_subscription),
		CASE(an_exclusion_by_group_is_over_all_that_is_below),
		CASE(groups_are_of_one_tenant),
		CASE(everything_is_what_the_identity_sees),
		CASE(a_change_of_scope_is_marked_until_it_is_acted_on),
		CASE(a_grant_is_for_one_control_and_ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
