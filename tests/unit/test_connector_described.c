/* SPDX-License-Identifier: Apache-2.0 */
/* Connectors that the configuration describes: when one is made, of what, and what only people do.
 */
#include "tests/unit/control_fixture.h"

#include "lib/engine/assess.h"
#include "lib/engine/write_rules.h"
#include "lib/model/inventory_document.h"

#include <string.h>

#define ACCOUNT "444455556666"
#define ROLE(name) "arn:aws:iam::" ACCOUNT ":role/" name
#define P2 "\"subPlan\":{\"type\":\"P2\"}"

static char *const aws_identities[CONNECTOR_IDENTITY_N_] = {
	[CONNECTOR_SERVERS_ROLE] = (char[]){ROLE("servers")},
	[CONNECTOR_ARC_ROLE] = (char[]){ROLE("arc")},
	[CONNECTOR_AGENTLESS_ROLE] = (char[]){ROLE("scan")},
};
static char *const gcp_identities[CONNECTOR_IDENTITY_N_] = {
	[CONNECTOR_WORKLOAD_PROVIDER] = (char[]){"defender-for-servers"},
	[CONNECTOR_SERVICE_ACCOUNT] = (char[]){"mdc@p.iam.gserviceaccount.com"},
};

static struct connector_config described;

static void take(struct connector_config *ret, struct fixture *f, enum connector_cloud cloud)
{
	static char name[] = "new", place[] = "westeurope", account[] = ACCOUNT, project[] = "prod";
	static char id[256];

	snprintf(id, sizeof(id),
		"/subscriptions/%s/resourceGroups/rg/providers/Microsoft.Security/"
		"securityConnectors/new",
		f->s->id);
	*ret = (struct connector_config){.name = name,
		.id = id,
		.subscription = f->s->id,
		.is = {.cloud = cloud,
			.location = place,
			.hierarchy = account,
			.project = cloud == CONNECTOR_GCP ? project : NULL,
			.scan_hours = 6}};
	memcpy(ret->is.identities, cloud == CONNECTOR_AWS ? aws_identities : gcp_identities,
		sizeof(aws_identities));
}

/* All subscriptions of the estate have been asked for their connectors. */
static void list_all(struct fixture *f)
{
	struct map_entry *entry;

	map_for_each (&f->e.inv->subscriptions, entry)
		inventory_connectors_complete(entry->value, (struct stamp){f->e.now, SOURCE_ARM});
}

static struct connector *describe(struct fixture *f, enum connector_cloud cloud)
{
	take(&described, f, cloud);
	f->e.policy.connector.plan = PLAN_P2;
	f->e.policy.connector.parts[CONNECTOR_MDE] = true;
	f->e.scopes[0].connectors = &described;
	f->e.scopes[0].connector_count = 1;
	list_all(f);
	return inventory_connector(f->e.inv, described.id);
}

static struct control_view view_of(struct fixture *f, struct connector *c)
{
	struct control_view view = estate_view(&f->e, f->s, NULL, CONTROL_CONNECTOR);

	view.connector = c;
	view.item = connector_item(c, CONTROL_CONNECTOR);
	return view;
}

static struct verdict judged(struct fixture *f, struct connector *c)
{
	struct control_view view = view_of(f, c);

	return assess(control_by_id(CONTROL_CONNECTOR), &view);
}

/* --- when --- */

static void what_is_described_and_not_there_is_to_be_made(void **state)
{
	struct fixture *f = *state;
	struct connector *c = describe(f, CONNECTOR_AWS);
	struct control_view view;
	struct difference d[DIFFERENCES_MAX];

	assert_non_null(c);
	assert_int_equal(c->cloud, CONNECTOR_AWS);
	expect_verdict(judged(f, c), VERDICT_DRIFTED, REASON_CONNECTOR_ABSENT);
	assert_string_equal(judged(f, c).detail, ACCOUNT);
	view = view_of(f, c);
	assert_int_equal(control_by_id(CONTROL_CONNECTOR)->differences(&view, d), 4);
	assert_string_equal(d[1].wanted, ACCOUNT);
	assert_string_equal(d[1].observed, "not there");
	assert_int_equal(write_rules_check_target(&view, ESTATE_TENANT), WRITE_ALLOWED);
	/* However long it takes, it does not count as gone. */
	f->e.now = wall_add(f->e.now, DUR_DAYS(3));
	f->s->stamp.at = f->e.now;
	list_all(f);
	expect_verdict(judged(f, c), VERDICT_DRIFTED, REASON_CONNECTOR_ABSENT);
	/* Nobody describes it any more: it was never there. */
	f->e.scopes[0].connector_count = 0;
	expect_verdict(judged(f, c), VERDICT_NOT_APPLICABLE, REASON_NONE);
}

static void nothing_is_made_without_a_plan_or_where_the_account_is_taken(void **state)
{
	struct fixture *f = *state;
	struct connector *c = describe(f, CONNECTOR_AWS), *rival;
	struct subscription *other = estate_subscription(&f->e, 2);
	json_t *document;
	struct noted noted;

	/* The other subscription may have it. */
	expect_verdict(judged(f, c), VERDICT_UNKNOWN, REASON_CONNECTORS_UNREAD);
	assert_string_equal(judged(f, c).detail, other->id);
	other->singles[SINGLE_SECURITY_PROVIDER].word = "NotRegistered";
	other->singles[SINGLE_SECURITY_PROVIDER].stamp = (struct stamp){f->e.now, SOURCE_ARM};
	expect_verdict(judged(f, c), VERDICT_DRIFTED, REASON_CONNECTOR_ABSENT);
	document = estate_connector_document(other, &(struct estate_connector){.offering = P2});
	json_object_set_new(json_object_get(document, "properties"), "hierarchyIdentifier",
		json_string(ACCOUNT));
	assert_int_equal(
		inventory_note(f->e.inv, document, (struct stamp){f->e.now, SOURCE_ARM}, &noted),
		0);
	rival = noted.connector;
	expect_verdict(judged(f, c), VERDICT_BLOCKED, REASON_CONNECTOR_TAKEN);
	assert_string_equal(judged(f, c).detail, rival->id);
	/* The number of a project is no account. */
	described.is.cloud = CONNECTOR_GCP;
	expect_verdict(judged(f, c), VERDICT_DRIFTED, REASON_CONNECTOR_ABSENT);
	described.is.cloud = CONNECTOR_AWS;
	rival->missing = f->e.now;
	expect_verdict(judged(f, c), VERDICT_DRIFTED, REASON_CONNECTOR_ABSENT);
	f->e.policy.connector.plan = PLAN_UNMANAGED;
	expect_verdict(judged(f, c), VERDICT_BLOCKED, REASON_CONNECTOR_PLANLESS);
	json_decref(document);
}

/* --- what there is already --- */

static void what_is_there_is_judged_as_before_and_by_its_account_and_identities(void **state)
{
	static const struct {
		const char *account, *role;
		enum verdict_kind kind;
		enum reason reason;
	} cases[] = {
		{ACCOUNT, ROLE("servers"), VERDICT_COMPLIANT, REASON_IN_SYNC},
		{ACCOUNT, ROLE("other"), VERDICT_BLOCKED, REASON_CONNECTOR_IDENTITY},
		{"999", ROLE("servers"), VERDICT_BLOCKED, REASON_CONNECTOR_OTHER},
	};
	struct fixture *f = *state;
	struct connector *c = describe(f, CONNECTOR_AWS);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arm_request request = {0};
		struct verdict verdict = {.detail = ""};
		struct noted noted;
		json_t *document = estate_connector_document(f->s,
			&(struct estate_connector){.name = "new",
				.offering = P2 ",\"mdeAutoProvisioning\":{\"enabled\":true}"});
		json_t *offering = json_array_get(json_path(document, "properties.offerings"), 1);

		json_object_set_new(json_object_get(offering, "defenderForServers"), "cloudRoleArn",
			json_string(cases[i].role));
		json_object_set_new(json_object_get(document, "properties"), "hierarchyIdentifier",
			json_string(cases[i].account));
		assert_int_equal(inventory_note(f->e.inv, document,
					 (struct stamp){f->e.now, SOURCE_ARM}, &noted),
			0);
		assert_ptr_equal(noted.connector, c);
		expect_verdict(judged(f, c), cases[i].kind, cases[i].reason);
		/* The same on the fresh document: nothing is ever sent over another's. */
		assert_int_not_equal(
			compose(f, CONTROL_CONNECTOR, document, NULL, &request, &verdict),
			COMPOSED);
		json_decref(document);
	}
}

/* --- of what --- */

static enum write_refusal refusal_of(
	struct fixture *f, struct connector *c, const struct arm_request *request)
{
	struct control_view view = view_of(f, c);
	struct write_context context = {.view = &view,
		.request = request,
		.read_at = f->e.now,
		.intent_durable = true,
		.identity_tenant = ESTATE_TENANT};

	return write_rules_check(&context, f->e.now);
}

static void what_is_sent_is_what_was_written_down_and_is_in_order_then(void **state)
{
	static const enum connector_cloud clouds[] = {CONNECTOR_AWS, CONNECTOR_GCP};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(clouds); i++) {
		struct connector *c = describe(f, clouds[i]);
		struct arm_request request = {0};
		struct verdict verdict = {.detail = ""};
		struct arm_connector sent;

		assert_int_equal(
			compose(f, CONTROL_CONNECTOR, NULL, NULL, &request, &verdict), COMPOSED);
		assert_int_equal(refusal_of(f, c, &request), WRITE_ALLOWED);
		json_object_set_new(request.body, "id", json_string(described.id));
		assert_int_equal(arm_connector_read(request.body, &sent), 0);
		assert_int_equal(sent.cloud, clouds[i]);
		assert_string_equal(sent.hierarchy, ACCOUNT);
		assert_int_equal(sent.scan_hours, 6);
		assert_string_equal(sent.offering.sub_plan, "P2");
		assert_int_equal(sent.offering.parts[CONNECTOR_MDE], TRI_YES);
		/* What the policy does not name is off, and says so. */
		assert_int_equal(sent.offering.parts[CONNECTOR_ARC], TRI_NO);
		assert_int_equal(sent.offering.parts[CONNECTOR_AGENTLESS], TRI_NO);
		assert_int_equal(
			compose(f, CONTROL_CONNECTOR, request.body, NULL, &request, &verdict),
			COMPOSE_IN_SYNC);
		arm_request_fini(&request);
	}
}

/* Each in one place another than the description. */
static const struct {
	const char *path, *member, *value;
} spoilt[] = {
	{"", "tags", "{}"},
	{"", "id", "\"x\""},
	{"properties", "hierarchyIdentifier", "\"111122223333\""},
	{"properties", "environmentName", "\"GCP\""},
	{"properties", "other", "1"},
	{"properties", "offerings", "[]"},
	{"properties", "offerings", "[{\"offeringType\": \"CspmMonitorAws\"}]"},
	{"offering", "other", "{}"},
	{"offering", "arcAutoProvisioning", "{\"enabled\": true}"},
	{"offering", "vmScanners", "{\"enabled\": true}"},
	{"offering", "arcAutoProvisioning",
		"{\"enabled\": false, \"cloudRoleArn\": \"arn:aws:iam::1:role/x\"}"},
	{"offering", "defenderForServers", "{\"cloudRoleArn\": \"arn:aws:iam::1:role/x\"}"},
	{"offering", "defenderForServers", "{}"},
};

static void the_rules_let_nothing_else_be_made(void **state)
{
	struct fixture *f = *state;
	struct connector *c = describe(f, CONNECTOR_AWS);
	struct arm_request request = {0};
	struct verdict verdict = {.detail = ""};

	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		json_t *place;

		assert_int_equal(
			compose(f, CONTROL_CONNECTOR, NULL, NULL, &request, &verdict), COMPOSED);
		place = request.body;
		if (*spoilt[i].path != '\0')
			place = json_object_get(place, "properties");
		if (strcmp(spoilt[i].path, "offering") == 0)
			place = json_array_get(json_object_get(place, "offerings"), 0);
		json_object_set_new(place, spoilt[i].member,
			json_loads(spoilt[i].value, JSON_DECODE_ANY, NULL));
		if (refusal_of(f, c, &request) != WRITE_REFUSED_NOT_LISTED)
			fail_msg("made with %s", spoilt[i].value);
		arm_request_fini(&request);
	}
	assert_int_equal(compose(f, CONTROL_CONNECTOR, NULL, NULL, &request, &verdict), COMPOSED);
	f->e.scopes[0].mode = MODE_OBSERVE;
	assert_int_equal(refusal_of(f, c, &request), WRITE_REFUSED_OBSERVE_MODE);
	f->e.scopes[0].mode = MODE_ENFORCE;
	assert_int_equal(refusal_of(f, c, &request), WRITE_ALLOWED);
	/* A list has shown it since. */
	c->missing = WALL_UNSET;
	assert_int_equal(refusal_of(f, c, &request), WRITE_REFUSED_NOT_READ);
	c->missing = f->e.now;
	f->e.scopes[0].connector_count = 0;
	assert_int_equal(refusal_of(f, c, &request), WRITE_REFUSED_NOT_READ);
	arm_request_fini(&request);
}

/* --- what stands in the way --- */

static void refusals_mean_something_only_while_it_is_made(void **state)
{
	static const struct {
		struct arm_error error;
		enum reason reason;
	} cases[] = {
		{{.class = ARM_ERROR_ABSENT, .status = 404, .code = "ResourceGroupNotFound"},
			REASON_GROUP_MISSING},
		{{.class = ARM_ERROR_BUSY, .status = 409, .code = "Conflict"},
			REASON_CONNECTOR_TAKEN},
		{{.class = ARM_ERROR_BUSY, .status = 409, .code = "HierarchyAlreadyExists"},
			REASON_CONNECTOR_TAKEN},
		{{.class = ARM_ERROR_BUSY, .status = 409, .code = "AnotherOperationInProgress"},
			REASON_NONE},
		{{.class = ARM_ERROR_REQUEST, .status = 400, .code = "InvalidInputJson"},
			REASON_CONNECTOR_REFUSED},
		{{.class = ARM_ERROR_DENIED, .status = 403, .code = "AuthorizationFailed"},
			REASON_NONE},
		{{.class = ARM_ERROR_TRANSIENT, .status = 500}, REASON_NONE},
	};
	const struct control *control = control_by_id(CONTROL_CONNECTOR);
	struct fixture *f = *state;
	struct connector *c = describe(f, CONNECTOR_AWS);
	struct control_view view = view_of(f, c);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		c->missing = f->e.now;
		assert_int_equal(control->refusal(&view, &cases[i].error), cases[i].reason);
		c->missing = WALL_UNSET;
		assert_int_equal(control->refusal(&view, &cases[i].error), REASON_NONE);
	}
}

static void the_work_by_hand_names_what_is_described(void **state)
{
	static const struct {
		enum connector_cloud cloud;
		bool arc;
		const char *there, *not_there;
	} cases[] = {
		{CONNECTOR_AWS, false, "CloudFormation", "SSM agent"},
		{CONNECTOR_AWS, false, ROLE("servers"), ROLE("arc")},
		{CONNECTOR_AWS, true, ROLE("arc"), ROLE("scan")},
		{CONNECTOR_AWS, true, "SSM agent", "GCP"},
		{CONNECTOR_AWS, true, "Owner", "StackSet"},
		{CONNECTOR_GCP, false, "workload identity pool", "OS Config agent"},
		{CONNECTOR_GCP, false, "mdc@p.iam.gserviceaccount.com", "AWS"},
		{CONNECTOR_GCP, true, "OS Config agent", "organization"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		mdc_cleanup(buf_fini) struct buf text = BUF_INIT(1 << 16);
		struct connector *c = describe(f, cases[i].cloud);
		struct control_view view = view_of(f, c);

		f->e.policy.connector.parts[CONNECTOR_ARC] = cases[i].arc;
		control_by_id(CONTROL_CONNECTOR)->by_hand(&view, &text);
		if (strstr(buf_str(&text), cases[i].there) == NULL ||
			strstr(buf_str(&text), cases[i].not_there) != NULL)
			fail_msg("%zu: %s", i, buf_str(&text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_described_and_not_there_is_to_be_made),
		CASE(nothing_is_made_without_a_plan_or_where_the_account_is_taken),
		CASE(what_is_there_is_judged_as_before_and_by_its_account_and_identities),
		CASE(what_is_sent_is_what_was_written_down_and_is_in_order_then),
		CASE(the_rules_let_nothing_else_be_made),
		CASE(refusals_mean_something_only_while_it_is_made),
		CASE(the_work_by_hand_names_what_is_described),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
