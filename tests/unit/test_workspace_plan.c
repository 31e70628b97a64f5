/* SPDX-License-Identifier: Apache-2.0 */
/* The control `workspace-plan`: which workspaces get it, what is sent, who reports to them. */
#include "tests/unit/control_fixture.h"

#include "lib/azure/graph_query.h"
#include "lib/engine/write_rules.h"
#include "lib/model/inventory_document.h"

#include <string.h>

static struct workspace *make(struct fixture *f, const char *solution)
{
	f->e.policy.plan = PLAN_P2;
	f->e.policy.workspaces.from_machines = true;
	return estate_workspace(&f->e, f->s, &(struct estate_workspace){.solution = solution});
}

static void only_workspaces_with_reporters_get_the_plan(void **state)
{
	static const struct {
		const char *solution, *state;
		bool reported;
		enum verdict_kind kind;
		enum reason reason;
	} rows[] = {
		{NULL, NULL, false, VERDICT_NOT_APPLICABLE, REASON_NONE},
		{"Security", NULL, false, VERDICT_NOT_APPLICABLE, REASON_NONE},
		{NULL, NULL, true, VERDICT_DRIFTED, REASON_WORKSPACE_PLAN},
		{"SecurityCenterFree", NULL, true, VERDICT_DRIFTED, REASON_WORKSPACE_PLAN},
		{"Updates", NULL, true, VERDICT_DRIFTED, REASON_WORKSPACE_PLAN},
		{"Security", NULL, true, VERDICT_COMPLIANT, REASON_IN_SYNC},
		{"Security", "Creating", true, VERDICT_COMPLIANT, REASON_IN_SYNC},
		{"Security", "Failed", true, VERDICT_BLOCKED, REASON_WORKSPACE_PLAN_FAILED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f;
		struct workspace *w;

		setup(state);
		f = *state;
		make(f, NULL);
		w = estate_workspace(&f->e, f->s,
			&(struct estate_workspace){
				.solution = rows[i].solution, .state = rows[i].state});
		if (rows[i].reported)
			estate_reports(&f->e, f->s, w);
		expect_verdict(own(f, CONTROL_WORKSPACE_PLAN), rows[i].kind, rows[i].reason);
		teardown(state);
	}
}

static void it_follows_the_policy(void **state)
{
	struct fixture *f = *state;
	struct workspace *w = make(f, NULL);
	char *list[] = {w->id};

	estate_reports(&f->e, f->s, w);
	f->e.policy.plan = PLAN_P1;
	expect_verdict(own(f, CONTROL_WORKSPACE_PLAN), VERDICT_NOT_APPLICABLE, REASON_NONE);
	f->e.policy.plan = PLAN_P2;
	f->e.policy.workspaces.from_machines = false;
	expect_verdict(own(f, CONTROL_WORKSPACE_PLAN), VERDICT_NOT_APPLICABLE, REASON_NONE);
	f->e.policy.workspaces.list = list;
	f->e.policy.workspaces.list_count = 1;
	/* Listed: whoever reports, known or not. */
	f->s->reports = (struct stamp){0};
	expect_verdict(own(f, CONTROL_WORKSPACE_PLAN), VERDICT_DRIFTED, REASON_WORKSPACE_PLAN);
}

static void who_reports_decides(void **state)
{
	struct fixture *f = *state;
	struct workspace *w = make(f, NULL);
	struct subscription *other = estate_subscription(&f->e, 2);

	estate_reports(&f->e, f->s, w);
	f->s->reports = (struct stamp){0};
	expect_verdict(own(f, CONTROL_WORKSPACE_PLAN), VERDICT_UNKNOWN, REASON_PARTIAL);
	f->s->reports = (struct stamp){.at = f->e.now, .source = SOURCE_GRAPH};
	inventory_add_use(f->e.inv, other, USE_LEGACY, w->customer, 2);
	inventory_relate_workspaces(f->e.inv);
	assert_int_equal(w->reporter_count, 2);
	estate_plan(&f->e, other, "Standard", "P1");
	/* It is to have P2 as well: soon. */
	expect_verdict(own(f, CONTROL_WORKSPACE_PLAN), VERDICT_WAITING, REASON_PREREQUISITE);
	other->scope = NULL;
	expect_verdict(own(f, CONTROL_WORKSPACE_PLAN), VERDICT_BLOCKED, REASON_WORKSPACE_SHARED);
	assert_string_equal(own(f, CONTROL_WORKSPACE_PLAN).detail, other->id);
	estate_plan(&f->e, other, "Standard", "P2");
	expect_verdict(own(f, CONTROL_WORKSPACE_PLAN), VERDICT_DRIFTED, REASON_WORKSPACE_PLAN);
	/* What was known long ago decides nothing. */
	f->s->reports.at = wall_add(f->e.now, DUR_H(-5));
	expect_verdict(own(f, CONTROL_WORKSPACE_PLAN), VERDICT_UNKNOWN, REASON_PARTIAL);
	f->s->reports.at = f->e.now;
	/* A rule that cannot be read leads nowhere. */
	inventory_clear_uses(f->e.inv, f->s);
	inventory_add_use(f->e.inv, f->s, USE_UNREAD, w->id, 1);
	inventory_relate_workspaces(f->e.inv);
	assert_int_equal(w->reporter_count, 1);
	other->visible = false;
	inventory_relate_workspaces(f->e.inv);
	assert_int_equal(w->reporter_count, 0);
}

/* --- what is sent --- */

static struct arm_request composed(struct fixture *f)
{
	struct arm_request request = {0};
	struct verdict verdict;

	assert_int_equal(
		compose(f, CONTROL_WORKSPACE_PLAN, NULL, NULL, &request, &verdict), COMPOSED);
	return request;
}

static enum write_refusal refusal_of(
	struct fixture *f, const struct arm_request *request, const json_t *current)
{
	struct control_view view = estate_view(&f->e, f->s, NULL, CONTROL_WORKSPACE_PLAN);
	struct write_context context = {
		.view = &view,
		.request = request,
		.current = current,
		.read_at = f->e.now,
		.intent_durable = true,
		.identity_tenant = f->s->tenant,
	};

	return write_rules_check(&context, f->e.now);
}

static void nothing_but_the_plan_is_put_and_only_where_there_is_none(void **state)
{
	struct fixture *f = *state;
	struct arm_request request, other;
	json_t *current = json_pack("{s:s}", "id", "x");
	struct workspace *w = make(f, NULL);

	estate_reports(&f->e, f->s, w);
	request = composed(f);
	assert_string_equal(request.method, "PUT");
	assert_non_null(strstr(request.path, "/solutions/Security%28w1%29?api-version="));
	assert_string_equal(json_path_text(request.body, "plan.product"), "OMSGallery/Security");
	assert_string_equal(json_path_text(request.body, "location"), "westeurope");
	assert_int_equal(refusal_of(f, &request, NULL), WRITE_ALLOWED);
	assert_int_equal(refusal_of(f, &request, current), WRITE_REFUSED_NOT_LISTED);
	f->s->workspaces_stamp = (struct stamp){0};
	assert_int_equal(refusal_of(f, &request, NULL), WRITE_REFUSED_INCOMPLETE);
	f->s->workspaces_stamp = f->s->reports;
	json_object_set_new(json_path(request.body, "plan"), "product",
		json_string("OMSGallery/SecurityInsights"));
	assert_int_equal(refusal_of(f, &request, NULL), WRITE_REFUSED_NOT_LISTED);
	/* Another workspace's. */
	other = composed(f);
	free(other.path);
	other.path = xasprintf("/subscriptions/%s/resourceGroups/rg/providers/"
			       "Microsoft.OperationsManagement/solutions/"
			       "Security%%28w2%%29?api-version=2015-11-01-preview",
		f->s->id);
	assert_int_equal(refusal_of(f, &other, NULL), WRITE_REFUSED_NOT_LISTED);
	other.method = "DELETE";
	assert_int_equal(refusal_of(f, &other, NULL), WRITE_REFUSED_NOT_LISTED);
	arm_request_fini(&request);
	arm_request_fini(&other);
	json_decref(current);
}

static void what_was_put_meanwhile_is_in_sync(void **state)
{
	struct fixture *f = *state;
	struct workspace *w = make(f, NULL);
	mdc_autofree char *id = arm_solution_id(w->id);
	json_t *current = arm_solution_document(w->id, "westeurope");
	struct arm_request request;
	struct verdict verdict;

	estate_reports(&f->e, f->s, w);
	json_object_set_new(current, "id", json_string(id + 1));
	assert_int_equal(compose(f, CONTROL_WORKSPACE_PLAN, current, NULL, &request, &verdict),
		COMPOSE_IN_SYNC);
	/* What stands there under its name is left alone. */
	json_object_set_new(json_path(current, "plan"), "product", json_string("Other/Security"));
	assert_int_equal(compose(f, CONTROL_WORKSPACE_PLAN, current, NULL, &request, &verdict),
		COMPOSE_WITHHELD);
	assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
	json_decref(current);
}

/* --- lists --- */

static void what_lists_lack_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct workspace *w = make(f, "Security");
	struct stamp stamp = {.source = SOURCE_ARM};
	mdc_autofree char *id = arm_solution_id(w->id);
	struct noted noted;

	assert_true(w->plan);
	/* An earlier answer that comes late takes nothing back. */
	stamp.at = wall_add(f->e.now, DUR_MIN(-1));
	assert_int_equal(inventory_note_absent(f->e.inv, id, stamp, &noted), 0);
	assert_true(w->plan);
	stamp.at = wall_add(f->e.now, DUR_MIN(1));
	assert_int_equal(inventory_note_absent(f->e.inv, id, stamp, &noted), 0);
	assert_ptr_equal(noted.workspace, w);
	assert_false(w->plan);
	inventory_workspaces_complete(f->s, stamp);
	assert_true(wall_is_set(w->missing));
	assert_int_equal(
		control_by_id(CONTROL_WORKSPACE_PLAN)
			->unobserved(&(struct control_view){.workspace = w, .subscription = f->s}),
		REASON_VANISHED);
}

/* --- documents --- */

static void count_one(void *ctx, const char *workspace_id)
{
	(void)workspace_id;
	++*(unsigned *)ctx;
}

#define RULE_DOCUMENT(destinations, flows) \
	"{\"id\":\"/subscriptions/30000000-0000-4000-8000-000000000001/resourceGroups/rg/" \
	"providers/Microsoft.Insights/dataCollectionRules/r\",\"properties\":{\"destinations\":{" \
	"\"logAnalytics\":[" destinations "]},\"dataFlows\":[" flows "]}}"
#define TO(name) \
	"{\"name\":\"" name "\",\"workspaceResourceId\":\"/subscriptions/30000000-0000-4000-8000-" \
	"000000000001/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/w\"}"
#define FLOW(stream, name) \
	"{\"streams\":[\"Microsoft-Perf\",\"" stream "\"],\"destinations\":[\"x\",\"" name "\"]}"

static void only_destinations_of_security_events_count(void **state)
{
	static const struct {
		const char *document;
		int error;
		unsigned found;
	} rows[] = {
		{RULE_DOCUMENT(TO("a"), FLOW("Microsoft-SecurityEvent", "a")), 0, 1},
		{RULE_DOCUMENT(TO("a") "," TO("b"), FLOW("Microsoft-SecurityEvent", "b")), 0, 1},
		{RULE_DOCUMENT(TO("a"), FLOW("Microsoft-Event", "a")), 0, 0},
		{RULE_DOCUMENT(TO("a"), FLOW("Microsoft-SecurityEvent", "b")), 0, 0},
		{RULE_DOCUMENT("{\"name\":\"a\",\"workspaceResourceId\":\"w\"}",
			 FLOW("Microsoft-SecurityEvent", "a")),
			0, 0},
		{RULE_DOCUMENT("7", "[]"), 0, 0},
		{"{\"id\":\"/subscriptions/30000000-0000-4000-8000-000000000001\"}", -EINVAL, 0},
		{"{\"properties\":{}}", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *document = json_loads(rows[i].document, 0, NULL);
		unsigned found = 0;

		assert_non_null(document);
		assert_int_equal(arm_rule_destinations(document, count_one, &found), rows[i].error);
		assert_int_equal(found, rows[i].found);
		json_decref(document);
	}
}

static void uses_are_read_or_refused(void **state)
{
	static const struct {
		const char *text;
		uint32_t machines; /* 0: refused */
		const char *target;
	} rows[] = {
		{"12 /a b", 12, "/a b"},
		{"4294967295 x", UINT32_MAX, "x"},
		{"4294967296 x", 0, NULL},
		{"99999999999999999999999 x", 0, NULL},
		{"0 x", 0, NULL},
		{"-1 x", 0, NULL},
		{"1", 0, NULL},
		{"1 ", 0, NULL},
		{"1x", 0, NULL},
		{"", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *use = json_string(rows[i].text);
		const char *target = NULL;
		uint32_t machines = 0;
		int error = graph_use_read(use, &machines, &target);

		assert_int_equal(error, rows[i].target != NULL ? 0 : -EINVAL);
		assert_int_equal(machines, rows[i].machines);
		if (rows[i].target != NULL)
			assert_string_equal(target, rows[i].target);
		json_decref(use);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_workspaces_with_reporters_get_the_plan),
		CASE(it_follows_the_policy),
		CASE(who_reports_decides),
		CASE(nothing_but_the_plan_is_put_and_only_where_there_is_none),
		CASE(what_was_put_meanwhile_is_in_sync),
		CASE(what_lists_lack_is_not_there),
		cmocka_unit_test(only_destinations_of_security_events_count),
		cmocka_unit_test(uses_are_read_or_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
