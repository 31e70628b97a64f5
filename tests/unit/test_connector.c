/* SPDX-License-Identifier: Apache-2.0 */
/* The control `connector`: what differs, what is sent, and what machines of a connector wait for.
 */
#include "tests/unit/control_fixture.h"

#include "lib/engine/assess.h"
#include "lib/engine/write_rules.h"
#include "lib/model/inventory_document.h"

#include <string.h>

#define ON(part) "\"" part "\":{\"enabled\":true}"
#define OFF(part) "\"" part "\":{\"enabled\":false}"
#define ARC_READY "\"arcAutoProvisioning\":{\"enabled\":false,\"cloudRoleArn\":\"arn:arc\"}"
#define SCAN_READY "\"vmScanners\":{\"enabled\":false,\"cloudRoleArn\":\"arn:scan\"}"
#define TVM "\"vaAutoProvisioning\":{\"enabled\":true,\"configuration\":{\"type\":\"TVM\"}}"
#define QUALYS "\"vaAutoProvisioning\":{\"enabled\":true,\"configuration\":{\"type\":\"Qualys\"}}"
#define P1 "\"subPlan\":{\"type\":\"P1\"}"
#define P2 "\"subPlan\":{\"type\":\"P2\"}"

/* `wants`: of a(rc), m(de), v(ulnerability), s(canning). */
static void want(struct fixture *f, enum servers_plan plan, const char *wants)
{
	static const char letters[] = "amvs";

	f->e.policy.connector.plan = plan;
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		f->e.policy.connector.parts[p] = strchr(wants, letters[p]) != NULL;
}

static const struct {
	enum servers_plan plan;
	const char *wants;
	const char *cloud;
	const char *offering;
	bool granted;
	enum verdict_kind kind;
	enum reason reason;
	const char *detail;
} cases[] = {
	/* Nothing is named: it is nobody's business. */
	{PLAN_UNMANAGED, "", "AWS", NULL, false, VERDICT_NOT_APPLICABLE, REASON_NONE, ""},
	/* The offering, and the role or identity that it acts by. */
	{PLAN_P2, "", "AWS", NULL, false, VERDICT_BLOCKED, REASON_CONNECTOR_NOT_OFFERED, "AWS"},
	{PLAN_UNMANAGED, "m", "GCP", NULL, false, VERDICT_BLOCKED, REASON_CONNECTOR_NOT_OFFERED,
		"GCP"},
	{PLAN_P2, "", "AWS", "\"defenderForServers\":{}", false, VERDICT_BLOCKED,
		REASON_CONNECTOR_ROLE, "defenderForServers"},
	/* The plan, as an object and as a word. */
	{PLAN_P2, "", "AWS", P2, false, VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{PLAN_P2, "", "GCP", "\"subPlan\":\"P2\"", false, VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{PLAN_P2, "", "AWS", P1, false, VERDICT_DRIFTED, REASON_CONNECTOR_PLAN, ""},
	{PLAN_P2, "", "AWS", "\"subPlan\":\"p1\"", false, VERDICT_DRIFTED, REASON_CONNECTOR_PLAN,
		""},
	{PLAN_P2, "", "AWS", "", false, VERDICT_DRIFTED, REASON_CONNECTOR_PLAN, ""},
	{PLAN_P1, "", "AWS", P2, false, VERDICT_BLOCKED, REASON_PLAN_HIGHER, "P2"},
	{PLAN_P1, "", "AWS", "", false, VERDICT_BLOCKED, REASON_PLAN_HIGHER, ""},
	{PLAN_P1, "", "AWS", P2, true, VERDICT_DRIFTED, REASON_CONNECTOR_PLAN, ""},
	{PLAN_P1, "", "GCP", P1, false, VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{PLAN_P2, "", "AWS", "\"subPlan\":{\"type\":\"P3\"}", false, VERDICT_UNKNOWN,
		REASON_FACT_UNKNOWN, "subPlan"},
	{PLAN_UNMANAGED, "m", "AWS", P1 "," ON("mdeAutoProvisioning"), false, VERDICT_COMPLIANT,
		REASON_IN_SYNC, ""},
	/* Each switch only where it is named. */
	{PLAN_P2, "", "AWS", P2 "," OFF("mdeAutoProvisioning"), false, VERDICT_COMPLIANT,
		REASON_IN_SYNC, ""},
	{PLAN_P2, "m", "AWS", P2 "," OFF("mdeAutoProvisioning"), false, VERDICT_DRIFTED,
		REASON_CONNECTOR_PART_OFF, "mdeAutoProvisioning"},
	{PLAN_P2, "m", "AWS", P2, false, VERDICT_DRIFTED, REASON_CONNECTOR_PART_OFF,
		"mdeAutoProvisioning"},
	{PLAN_P2, "v", "AWS", P2 "," TVM, false, VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{PLAN_P2, "v", "AWS", P2 "," QUALYS, false, VERDICT_DRIFTED, REASON_CONNECTOR_PART_OFF,
		"vaAutoProvisioning"},
	{PLAN_P2, "", "AWS", P2 "," QUALYS, false, VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
	{PLAN_P2, "a", "AWS", P2 "," ARC_READY, false, VERDICT_DRIFTED, REASON_CONNECTOR_PART_OFF,
		"arcAutoProvisioning"},
	{PLAN_P2, "a", "AWS", P2 "," OFF("arcAutoProvisioning"), false, VERDICT_BLOCKED,
		REASON_CONNECTOR_ROLE, "arcAutoProvisioning"},
	{PLAN_P2, "a", "GCP", P2 "," OFF("arcAutoProvisioning"), false, VERDICT_DRIFTED,
		REASON_CONNECTOR_PART_OFF, "arcAutoProvisioning"},
	{PLAN_P2, "s", "AWS", P2 "," SCAN_READY, false, VERDICT_DRIFTED, REASON_CONNECTOR_PART_OFF,
		"vmScanners"},
	{PLAN_P2, "s", "AWS", P2, false, VERDICT_BLOCKED, REASON_CONNECTOR_ROLE, "vmScanners"},
	{PLAN_UNMANAGED, "s", "AWS", P1 "," SCAN_READY, false, VERDICT_BLOCKED,
		REASON_CONNECTOR_NEEDS_P2, "vmScanners"},
	/* What can be corrected is, beside what cannot. */
	{PLAN_P1, "m", "AWS", P2 "," OFF("mdeAutoProvisioning"), false, VERDICT_DRIFTED,
		REASON_CONNECTOR_PART_OFF, "mdeAutoProvisioning"},
	{PLAN_P2, "am", "AWS", P2 "," OFF("arcAutoProvisioning"), false, VERDICT_DRIFTED,
		REASON_CONNECTOR_PART_OFF, "mdeAutoProvisioning"},
	{PLAN_P2, "amvs", "AWS",
		P2 "," TVM
		   "," ON("arcAutoProvisioning") "," ON("mdeAutoProvisioning") "," ON("vmScanners"),
		false, VERDICT_COMPLIANT, REASON_IN_SYNC, ""},
};

static void allow_less(struct fixture *f, bool granted)
{
	static char control[] = "connector";

	f->grant.control = control;
	f->e.scopes[0].grants = &f->grant;
	f->e.scopes[0].grant_count = granted ? 1 : 0;
}

static void offerings_are_judged(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct connector *c;
		struct verdict verdict;

		want(f, cases[i].plan, cases[i].wants);
		allow_less(f, cases[i].granted);
		c = estate_connector(&f->e, f->s,
			&(struct estate_connector){
				.cloud = cases[i].cloud, .offering = cases[i].offering});
		assert_ptr_equal(c, f->s->connectors[0]);
		verdict = own(f, CONTROL_CONNECTOR);
		expect_verdict(verdict, cases[i].kind, cases[i].reason);
		assert_string_equal(verdict.detail, cases[i].detail);
	}
	assert_int_equal(f->s->connector_count, 1);
}

/* Judged on the fresh document as on the remembered facts; what is sent brings it about. */
static void what_is_sent_is_in_sync_and_nothing_else(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct estate_connector shape = {
			.cloud = cases[i].cloud, .offering = cases[i].offering};
		json_t *document = estate_connector_document(f->s, &shape);
		struct arm_request request = {0};
		struct verdict verdict = {.detail = ""};
		enum compose_result result;
		json_t *before;

		want(f, cases[i].plan, cases[i].wants);
		allow_less(f, cases[i].granted);
		estate_connector(&f->e, f->s, &shape);
		if (cases[i].kind == VERDICT_NOT_APPLICABLE) {
			json_decref(document);
			continue;
		}
		result = compose(f, CONTROL_CONNECTOR, document, NULL, &request, &verdict);
		assert_int_equal(result,
			cases[i].kind == VERDICT_DRIFTED             ? COMPOSED
				: cases[i].kind == VERDICT_COMPLIANT ? COMPOSE_IN_SYNC
								     : COMPOSE_WITHHELD);
		if (result != COMPOSED) {
			assert_int_equal(verdict.kind, cases[i].kind);
			json_decref(document);
			continue;
		}
		before = arm_connector_document(document);
		assert_true(arm_connector_same_besides(before, request.body));
		assert_int_equal(
			json_integer_value(json_object_get(
				json_array_get(json_path(request.body, "properties.offerings"), 0),
				"keep")),
			7);
		/* As the service would answer then. */
		json_object_set(request.body, "id", json_object_get(document, "id"));
		json_decref(document);
		document = json_deep_copy(request.body);
		arm_request_fini(&request);
		result = compose(f, CONTROL_CONNECTOR, document, NULL, &request, &verdict);
		if (result == COMPOSE_WITHHELD)
			assert_int_equal(verdict.kind, VERDICT_BLOCKED);
		else
			assert_int_equal(result, COMPOSE_IN_SYNC);
		json_decref(before);
		json_decref(document);
	}
}

static void two_offerings_or_no_document_decide_nothing(void **state)
{
	struct fixture *f = *state;
	struct arm_request request = {0};
	struct verdict verdict = {.detail = ""};
	json_t *document;
	struct noted noted;

	want(f, PLAN_P2, "m");
	document = estate_connector_document(f->s, &(struct estate_connector){.offering = P1});
	json_array_append(json_path(document, "properties.offerings"),
		json_array_get(json_path(document, "properties.offerings"), 1));
	assert_int_equal(
		inventory_note(f->e.inv, document, (struct stamp){f->e.now, SOURCE_ARM}, &noted),
		0);
	expect_verdict(own(f, CONTROL_CONNECTOR), VERDICT_UNKNOWN, REASON_FACT_UNKNOWN);
	assert_int_equal(compose(f, CONTROL_CONNECTOR, document, NULL, &request, &verdict),
		COMPOSE_WITHHELD);
	assert_int_equal(
		compose(f, CONTROL_CONNECTOR, NULL, NULL, &request, &verdict), COMPOSE_WITHHELD);
	json_decref(document);
}

static void p1_under_a_grant_takes_the_scanning_along(void **state)
{
	struct fixture *f = *state;
	struct estate_connector shape = {.offering = P2 "," ON("vmScanners")};
	json_t *document = estate_connector_document(f->s, &shape), *servers;
	struct arm_request request = {0};
	struct verdict verdict;

	want(f, PLAN_P1, "");
	allow_less(f, true);
	estate_connector(&f->e, f->s, &shape);
	assert_int_equal(
		compose(f, CONTROL_CONNECTOR, document, NULL, &request, &verdict), COMPOSED);
	servers = json_array_get(json_path(request.body, "properties.offerings"), 1);
	assert_string_equal(json_path_text(servers, "subPlan.type"), "P1");
	assert_true(json_is_false(json_path(servers, "vmScanners.enabled")));
	arm_request_fini(&request);
	json_decref(document);
}

static void differences_name_each_field(void **state)
{
	struct fixture *f = *state;
	struct difference d[DIFFERENCES_MAX];
	struct control_view view;

	want(f, PLAN_P2, "mv");
	estate_connector(&f->e, f->s, &(struct estate_connector){.offering = P1 "," QUALYS});
	view = estate_view(&f->e, f->s, NULL, CONTROL_CONNECTOR);
	assert_int_equal(control_by_id(CONTROL_CONNECTOR)->differences(&view, d), 3);
	assert_string_equal(d[0].field, "offerings[].subPlan");
	assert_string_equal(d[0].observed, "P1");
	assert_string_equal(d[0].wanted, "P2");
	assert_string_equal(d[1].field, "offerings[].mdeAutoProvisioning.enabled");
	assert_string_equal(d[1].observed, "not there");
	assert_string_equal(d[2].observed, "not TVM");
}

static void members_wait_for_their_organization(void **state)
{
	struct fixture *f = *state;
	struct estate_connector organization = {.name = "org", .offering = P1};
	struct estate_connector member = {.name = "member",
		.offering = P1,
		.properties = ",\"organizationalData\":{\"parentHierarchyId\":\"111122223333\"}"};
	struct control_view view;
	struct connector *c;

	want(f, PLAN_P2, "");
	c = estate_connector(&f->e, f->s, &member);
	view = estate_view(&f->e, f->s, NULL, CONTROL_CONNECTOR);
	assert_ptr_equal(view.connector, c);
	expect_verdict(own(f, CONTROL_CONNECTOR), VERDICT_DRIFTED, REASON_CONNECTOR_PLAN);
	estate_connector(&f->e, f->s, &organization);
	expect_verdict(own(f, CONTROL_CONNECTOR), VERDICT_WAITING, REASON_PREREQUISITE);
	organization.offering = P2;
	estate_connector(&f->e, f->s, &organization);
	expect_verdict(own(f, CONTROL_CONNECTOR), VERDICT_DRIFTED, REASON_CONNECTOR_PLAN);
}

/* --- the inventory --- */

static void what_complete_lists_lack_vanishes_first(void **state)
{
	struct fixture *f = *state;
	struct connector *c;
	const struct control *control = control_by_id(CONTROL_CONNECTOR);
	struct control_view view;

	want(f, PLAN_P2, "");
	c = estate_connector(&f->e, f->s, &(struct estate_connector){.offering = P1});
	f->e.now = wall_add(f->e.now, DUR_MIN(15));
	inventory_connectors_complete(f->s, (struct stamp){f->e.now, SOURCE_ARM});
	view = estate_view(&f->e, f->s, NULL, CONTROL_CONNECTOR);
	expect_verdict(assess(control, &view), VERDICT_UNKNOWN, REASON_VANISHED);
	assert_int_equal(write_rules_check_target(&view, ESTATE_TENANT), WRITE_REFUSED_INCOMPLETE);
	view.now = wall_add(f->e.now, DUR_H(23));
	expect_verdict(control->assess(&view), VERDICT_NOT_APPLICABLE, REASON_NONE);
	estate_connector(&f->e, f->s, &(struct estate_connector){.offering = P1});
	assert_false(wall_is_set(c->missing));
	view.now = f->e.now;
	expect_verdict(assess(control, &view), VERDICT_DRIFTED, REASON_CONNECTOR_PLAN);
}

static void connectors_of_other_environments_are_not_kept(void **state)
{
	struct fixture *f = *state;
	json_t *document = estate_connector_document(
		f->s, &(struct estate_connector){.cloud = "Github", .offering = ""});
	struct noted noted;

	assert_int_equal(
		inventory_note(f->e.inv, document, (struct stamp){f->e.now, SOURCE_ARM}, &noted),
		-ENOTSUP);
	assert_int_equal(f->s->connector_count, 0);
	json_decref(document);
}

/* --- the rules of writing --- */

static enum write_refusal refusal_of(
	struct fixture *f, const json_t *current, const struct arm_request *request)
{
	struct control_view view = estate_view(&f->e, f->s, NULL, CONTROL_CONNECTOR);
	struct write_context context = {.view = &view,
		.request = request,
		.current = current,
		.read_at = f->e.now,
		.intent_durable = true,
		.identity_tenant = ESTATE_TENANT};

	return write_rules_check(&context, f->e.now);
}

/* What somebody else composes. */
static const struct {
	const char *current, *sent;
	bool granted;
	enum write_refusal refusal;
} writes[] = {
	{P1, P2, false, WRITE_ALLOWED},
	{P1, P2 "," ON("mdeAutoProvisioning"), false, WRITE_ALLOWED},
	{P1 "," QUALYS, P1 "," TVM, false, WRITE_ALLOWED},
	{P2, P1, false, WRITE_REFUSED_LOWERS},
	{P2, P1, true, WRITE_ALLOWED},
	{P2, "", false, WRITE_REFUSED_LOWERS},
	{P1 "," ON("vmScanners"), P1 "," OFF("vmScanners"), false, WRITE_REFUSED_LOWERS},
	{P1 "," ON("mdeAutoProvisioning"), P1, false, WRITE_REFUSED_LOWERS},
	{P1 "," TVM, P1 "," QUALYS, false, WRITE_REFUSED_LOWERS},
	{P1, P1 ",\"other\":1", false, WRITE_REFUSED_NOT_LISTED},
	{P1 ",\"other\":1", P2, false, WRITE_REFUSED_NOT_LISTED},
	{P1 "," ARC_READY, P1 "," ON("arcAutoProvisioning"), false, WRITE_REFUSED_NOT_LISTED},
	{P1, NULL, false, WRITE_REFUSED_NOT_LISTED},
	{NULL, P1, false, WRITE_REFUSED_NOT_READ},
};

static void the_rules_hold_the_rest_of_the_document(void **state)
{
	struct fixture *f = *state;

	want(f, PLAN_P2, "m");
	for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
		struct estate_connector before = {.offering = writes[i].current};
		struct estate_connector after = {.offering = writes[i].sent};
		json_t *current = estate_connector_document(f->s, &before);
		json_t *sent = estate_connector_document(f->s, &after);
		struct arm_request request = {0};
		struct connector *c = estate_connector(&f->e, f->s, &before);

		allow_less(f, writes[i].granted);
		arm_put_connector(c->id, arm_connector_document(sent), &request);
		assert_int_equal(refusal_of(f, current, &request), writes[i].refusal);
		assert_int_equal(refusal_of(f, NULL, &request), WRITE_REFUSED_NOT_READ);
		arm_request_fini(&request);
		json_decref(current);
		json_decref(sent);
	}
}

static void only_the_connector_itself_is_written_to_and_only_as_named(void **state)
{
	struct fixture *f = *state;
	struct estate_connector shape = {.offering = P1};
	json_t *current = estate_connector_document(f->s, &shape);
	struct connector *c = estate_connector(&f->e, f->s, &shape);
	mdc_autofree char *other = xasprintf("%s2", c->id);
	struct arm_request request = {0};
	json_t *document;

	want(f, PLAN_P2, "");
	document = arm_connector_document(current);
	arm_put_connector(other, document, &request);
	assert_int_equal(refusal_of(f, current, &request), WRITE_REFUSED_NOT_LISTED);
	arm_request_fini(&request);
	arm_put_connector(c->id, arm_connector_document(current), &request);
	assert_int_equal(refusal_of(f, current, &request), WRITE_ALLOWED);
	request.method = "DELETE";
	assert_int_equal(refusal_of(f, current, &request), WRITE_REFUSED_NOT_LISTED);
	request.method = "PUT";
	want(f, PLAN_UNMANAGED, "");
	assert_int_equal(refusal_of(f, current, &request), WRITE_REFUSED_NOT_LISTED);
	arm_request_fini(&request);
	json_decref(current);
}

/* --- its machines --- */

static struct machine *made_machine(struct fixture *f, const char *account)
{
	mdc_autofree char *text = xasprintf(
		"{\"id\":\"/subscriptions/%s/resourceGroups/rg/providers/Microsoft.HybridCompute/"
		"machines/i-1\",\"location\":\"westeurope\",\"tags\":{\"MDFCSecurityConnector\":"
		"\"true\",\"AccountId\":\"%s\"},\"properties\":{\"status\":\"Connected\","
		"\"osType\":"
		"\"linux\",\"osName\":\"linux\",\"osSku\":\"" UBUNTU "\",\"agentVersion\":\"1.60\","
		"\"cloudMetadata\":{\"provider\":\"AWS\"},\"agentConfiguration\":{"
		"\"extensionsEnabled\":\"true\"},\"lastStatusChange\":\"2027-01-10T00:00:00Z\"}}",
		f->s->id, account);
	struct machine *m = estate_machine_document(&f->e, text);

	estate_no_extension(&f->e, m, wall_add(f->e.now, DUR_H(-240)));
	return m;
}

static struct verdict judged_sensor(struct fixture *f)
{
	struct control_view view = estate_view(&f->e, f->s, f->m, CONTROL_MDE_EXTENSION);

	return assess(control_by_id(CONTROL_MDE_EXTENSION), &view);
}

static void machines_wait_for_the_connector_that_made_them(void **state)
{
	struct fixture *f = *state;
	struct estate_connector shape = {.offering = P2};

	f->m = made_machine(f, "111122223333");
	want(f, PLAN_UNMANAGED, "");
	expect_verdict(judged_sensor(f), VERDICT_EXCLUDED, REASON_CONNECTOR_OWNED);
	want(f, PLAN_UNMANAGED, "m");
	/* No connector that could have made it is known. */
	expect_verdict(judged_sensor(f), VERDICT_EXCLUDED, REASON_CONNECTOR_OWNED);
	estate_connector(&f->e, f->s, &shape);
	expect_verdict(judged_sensor(f), VERDICT_WAITING, REASON_PREREQUISITE);
	/* From then on it has two of its scans. */
	shape.offering = P2 "," ON("mdeAutoProvisioning");
	f->e.now = wall_add(f->e.now, DUR_MIN(5));
	estate_connector(&f->e, f->s, &shape);
	f->s->stamp.at = f->s->machines_stamp.at = f->e.now;
	expect_verdict(judged_sensor(f), VERDICT_WAITING, REASON_GRACE);
	assert_int_equal(judged_sensor(f).until.ms, wall_add(f->e.now, DUR_H(12)).ms);
	f->e.now = wall_add(f->e.now, DUR_H(12));
	expect_verdict(judged_sensor(f), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
}

static void machines_of_other_accounts_are_not_its_own(void **state)
{
	struct fixture *f = *state;
	struct connector *c;

	want(f, PLAN_UNMANAGED, "m");
	c = estate_connector(&f->e, f->s, &(struct estate_connector){.offering = P2});
	f->m = made_machine(f, "999");
	assert_false(connector_owns(c, f->m));
	expect_verdict(judged_sensor(f), VERDICT_EXCLUDED, REASON_CONNECTOR_OWNED);
	f->m = made_machine(f, "111122223333");
	assert_true(connector_owns(c, f->m));
	f->m->connector_made = false;
	assert_false(connector_owns(c, f->m));
}

/* --- the plan --- */

static void a_step_is_planned_for_each_connector_by_id(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"c2", "c1", "c3"};
	struct plan_limits limits = {.now = f->e.now};
	struct plan plan;

	want(f, PLAN_P2, "");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct connector *c = estate_connector(&f->e, f->s,
			&(struct estate_connector){.name = names[i], .offering = i == 2 ? P2 : P1});
		struct item *item = connector_item(c, CONTROL_CONNECTOR);

		item->applies = true;
		item->state = i == 2 ? ITEM_COMPLIANT : ITEM_DRIFTED;
	}
	plan_build(&f->e.config, f->e.inv, &limits, &plan);
	assert_int_equal(plan.count, 2);
	assert_string_equal(plan.steps[0].connector->name, "c1");
	assert_string_equal(plan.steps[1].connector->name, "c2");
	assert_null(plan.steps[0].machine);
	assert_int_equal(plan.ready, 2);
	plan_fini(&plan);
	f->e.scopes[0].mode = MODE_OBSERVE;
	plan_build(&f->e.config, f->e.inv, &limits, &plan);
	assert_int_equal(plan.steps[0].held, REASON_OBSERVE_ONLY);
	plan_fini(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(offerings_are_judged),
		CASE(what_is_sent_is_in_sync_and_nothing_else),
		CASE(two_offerings_or_no_document_decide_nothing),
		CASE(p1_under_a_grant_takes_the_scanning_along),
		CASE(differences_name_each_field),
		CASE(members_wait_for_their_organization),
		CASE(what_complete_lists_lack_vanishes_first),
		CASE(connectors_of_other_environments_are_not_kept),
		CASE(the_rules_hold_the_rest_of_the_document),
		CASE(only_the_connector_itself_is_written_to_and_only_as_named),
		CASE(machines_wait_for_the_connector_that_made_them),
		CASE(machines_of_other_accounts_are_not_its_own),
		CASE(a_step_is_planned_for_each_connector_by_id),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
