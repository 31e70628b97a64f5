/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_fixture.h"

#include "lib/controls/arc_agent.h"
#include "lib/controls/handler_code.h"
#include "lib/engine/backoff.h"

#define WINDOWS true
#define LINUX false

/* Every row: its class, what the item says, and when it is tried again at the earliest. */
static const struct {
	bool windows;
	const char *code;
	enum handler_class class;
	enum verdict_kind kind;
	enum reason reason;
	int64_t minutes; /* half of the schedule's first pause; 0: not by itself */
} rows[] = {
	{WINDOWS, "-310", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "1", HANDLER_RETRIES_ONCE, VERDICT_FAILED, REASON_EXTENSION_FAILED, 30},
	{WINDOWS, "3", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "4", HANDLER_NEEDS_WAY, VERDICT_FAILED, REASON_HANDLER_NETWORK, 60},
	{WINDOWS, "5", HANDLER_OTHER_PRODUCT, VERDICT_BLOCKED, REASON_OTHER_EDR, 0},
	{WINDOWS, "6", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "10", HANDLER_UNSUPPORTED, VERDICT_UNSUPPORTED, REASON_HANDLER_UNSUPPORTED, 0},
	{WINDOWS, "11", HANDLER_UNSUPPORTED, VERDICT_UNSUPPORTED, REASON_HANDLER_UNSUPPORTED, 0},
	{WINDOWS, "12", HANDLER_NEEDS_REBOOT, VERDICT_FAILED, REASON_REBOOT_PENDING, 720},
	{WINDOWS, "13", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "14", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "15", HANDLER_RETRIES_ONCE, VERDICT_FAILED, REASON_EXTENSION_FAILED, 30},
	{WINDOWS, "16", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "17", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "18", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "20", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "21", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "22", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "23", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "30", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "31", HANDLER_RETRIES_ONCE, VERDICT_FAILED, REASON_EXTENSION_FAILED, 30},
	{WINDOWS, "32", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "33", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "34", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "35", HANDLER_NEEDS_OFFBOARDING, VERDICT_BLOCKED, REASON_NOT_OFFBOARDED, 0},
	{WINDOWS, "36", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 5},
	{WINDOWS, "37", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "38", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "39", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{WINDOWS, "51", HANDLER_UNSUPPORTED, VERDICT_UNSUPPORTED, REASON_HANDLER_UNSUPPORTED, 0},
	{WINDOWS, "1603", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{LINUX, "1", HANDLER_RETRIES_ONCE, VERDICT_FAILED, REASON_EXTENSION_FAILED, 45},
	{LINUX, "2", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{LINUX, "3", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{LINUX, "5", HANDLER_OTHER_PRODUCT, VERDICT_BLOCKED, REASON_OTHER_EDR, 0},
	{LINUX, "10", HANDLER_UNSUPPORTED, VERDICT_UNSUPPORTED, REASON_HANDLER_UNSUPPORTED, 0},
	{LINUX, "11", HANDLER_UNSUPPORTED, VERDICT_UNSUPPORTED, REASON_HANDLER_UNSUPPORTED, 0},
	{LINUX, "12", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{LINUX, "13", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 45},
	{LINUX, "15", HANDLER_RETRIES_ONCE, VERDICT_FAILED, REASON_EXTENSION_FAILED, 45},
	{LINUX, "20", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 45},
	{LINUX, "21", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 45},
	{LINUX, "22", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 45},
	{LINUX, "23", HANDLER_NEEDS_WAY, VERDICT_FAILED, REASON_HANDLER_NETWORK, 60},
	{LINUX, "24", HANDLER_NEEDS_WAY, VERDICT_FAILED, REASON_HANDLER_NETWORK, 60},
	{LINUX, "25", HANDLER_NEEDS_WAY, VERDICT_FAILED, REASON_HANDLER_NETWORK, 60},
	{LINUX, "26", HANDLER_NEEDS_WAY, VERDICT_FAILED, REASON_HANDLER_NETWORK, 60},
	{LINUX, "30", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 45},
	{LINUX, "31", HANDLER_RETRIES_ONCE, VERDICT_FAILED, REASON_EXTENSION_FAILED, 45},
	{LINUX, "32", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{LINUX, "33", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{LINUX, "40", HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY, 45},
	{LINUX, "41", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{LINUX, "51", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
	{LINUX, "52", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED, REASON_HANDLER_BLOCKED, 0},
};

static void codes_mean_what_they_mean_on_their_system(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct handler_code *c = handler_code_find(rows[i].windows, rows[i].code);

		if (c->class != rows[i].class)
			fail_msg("%s on %s", rows[i].code, rows[i].windows ? "Windows" : "Linux");
		assert_false(str_empty(c->text));
		/* Whatever does not get better by itself says what helps. */
		if (handler_class_needs_person(c->class) || c->class == HANDLER_NEEDS_WAY ||
			c->class == HANDLER_NEEDS_REBOOT)
			assert_false(str_empty(handler_remedy(c)));
	}
}

/* The pause before the next attempt, as short as chance makes it. */
static int64_t shortest_pause(struct fixture *f, const struct verdict *verdict)
{
	struct item *item = extension_item(f);
	struct item_event event = item_event_from_verdict(verdict);

	event.random = backoff_schedule(verdict->reason)->first.ms / 2;
	estate_step(&f->e, item, &event);
	assert_int_equal(item->state, ITEM_BACKOFF);
	return wall_since(item->due, f->e.now).ms / 60000;
}

static void failures_are_told_and_tried_again_by_their_meaning(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verdict verdict;

		f->m = estate_machine(&f->e, f->s, "m", rows[i].windows ? WINDOWS_2016 : UBUNTU);
		estate_extension(&f->e, f->m,
			EXTENSION(.state = "Failed", .vnext = "true", .code = rows[i].code));
		verdict = own(f, CONTROL_MDE_EXTENSION);
		if (verdict.kind != rows[i].kind || verdict.reason != rows[i].reason)
			fail_msg("%s on %s: %s", rows[i].code,
				rows[i].windows ? "Windows" : "Linux", reason_word(verdict.reason));
		assert_false(str_empty(verdict.detail));
		if (rows[i].minutes > 0 && shortest_pause(f, &verdict) != rows[i].minutes)
			fail_msg("%s on %s is tried again after another time", rows[i].code,
				rows[i].windows ? "Windows" : "Linux");
		inventory_remove_machine(f->e.inv, f->m);
	}
}

static void what_is_no_known_code_is_tried_again(void **state)
{
	static const char *const codes[] = {"", "success", "77", "-1", "--5", "5x", " 51", "0x33",
		"99999999999999999999", "-", NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		for (int windows = 0; windows < 2; windows++)
			assert_int_equal(
				handler_code_find(windows, codes[i])->class, HANDLER_RETRIES);
}

static const struct {
	const char *message;
	enum handler_class class;
	enum verdict_kind kind;
	enum reason reason;
} messages[] = {
	{"Extension Message: Workspace already assigned to another WDATP tenant",
		HANDLER_NEEDS_OFFBOARDING, VERDICT_BLOCKED, REASON_NOT_OFFBOARDED},
	{"Failed to set crypt provider context with error 0x80090016", HANDLER_NEEDS_PERSON,
		VERDICT_BLOCKED, REASON_HANDLER_BLOCKED},
	{"Assignment package size exceeds the download limit (209715200)", HANDLER_OLD_AGENT,
		VERDICT_BLOCKED, REASON_AGENT_TOO_OLD},
	{"HandlerManifest.json file does not exist", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED,
		REASON_HANDLER_BLOCKED},
	{"Protected Setting defenderForEndpointOnboardingScript does not exist", HANDLER_RETRIES,
		VERDICT_FAILED, REASON_HANDLER_RETRY},
	{"Protected Settings did not decoded: argument of type 'NoneType' is not iterable",
		HANDLER_RETRIES, VERDICT_FAILED, REASON_HANDLER_RETRY},
	{"An extension of type 'MDE.Windows' is still processing.", HANDLER_BUSY, VERDICT_FAILED,
		REASON_BUSY},
	{"The extension is marked for deletion", HANDLER_BUSY, VERDICT_FAILED, REASON_BUSY},
	{"/var/lib/waagent is mounted NOEXEC", HANDLER_NEEDS_PERSON, VERDICT_BLOCKED,
		REASON_HANDLER_BLOCKED},
	{"something else", HANDLER_UNSUPPORTED, VERDICT_UNSUPPORTED, REASON_HANDLER_UNSUPPORTED},
	{NULL, HANDLER_UNSUPPORTED, VERDICT_UNSUPPORTED, REASON_HANDLER_UNSUPPORTED},
};

static void telling_messages_come_before_codes(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", WINDOWS_2016);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		const struct handler_code *c =
			handler_failure_find(WINDOWS, "51", messages[i].message);

		assert_int_equal(c->class, messages[i].class);
		assert_false(str_empty(c->text));
		estate_extension(&f->e, f->m,
			EXTENSION(.state = "Failed", .vnext = "true", .code = "51",
				.message = messages[i].message));
		expect_verdict(own(f, CONTROL_MDE_EXTENSION), messages[i].kind, messages[i].reason);
	}
}

static void each_class_has_its_own_reason_and_word(void **state)
{
	(void)state;
	for (unsigned a = 0; a < HANDLER_CLASS_N_; a++)
		for (unsigned b = 0; b < a; b++) {
			assert_int_not_equal(handler_class_reason((enum handler_class)a),
				handler_class_reason((enum handler_class)b));
			assert_string_not_equal(handler_class_word((enum handler_class)a),
				handler_class_word((enum handler_class)b));
		}
}

/* --- the agent's own age --- */

static const struct {
	const char *version;
	bool flawed, prevents, hangs;
} agents[] = {
	{"1.23.01905.001", true, true, true},
	{"1.30", true, true, true},
	{"1.39.02628.1379", true, true, true},
	{"1.43", true, true, true},
	{"1.45", true, false, true},
	{"1.46", true, false, false},
	{"1.52.02927.1937", true, false, false},
	{"1.67", false, false, false},
	{"2.0", false, false, false},
	{"", false, false, false},
	{"latest", false, false, false},
};

static void older_agents_have_the_flaws_that_later_ones_mend(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(agents); i++) {
		const struct arc_agent_flaw *flaw = arc_agent_flaw(agents[i].version);

		assert_int_equal(flaw != NULL, agents[i].flawed);
		assert_int_equal(flaw != NULL && flaw->prevents, agents[i].prevents);
		assert_int_equal(arc_agent_hangs(agents[i].version), agents[i].hangs);
	}
}

static void set_agent(struct fixture *f, const char *version)
{
	mdc_autofree char *json = xasprintf(
		"{\"id\": \"%s\", \"location\": \"x\", \"properties\": {\"status\": \"Connected\", "
		"\"osSku\": \"%s\", \"osType\": \"linux\", \"agentVersion\": \"%s\"}}",
		f->m->id, f->m->os_sku, version);

	estate_machine_document(&f->e, json);
}

static void an_agent_that_cannot_install_is_told_before_it_is_tried(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	set_agent(f, "1.39");
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_BLOCKED, REASON_AGENT_TOO_OLD);
	expect_verdict(own(f, CONTROL_ARC_CONNECTED), VERDICT_BLOCKED, REASON_AGENT_TOO_OLD);
	extension_item(f)->forced = true;
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_DRIFTED, REASON_EXTENSION_ABSENT);
	extension_item(f)->forced = false;
	set_agent(f, "1.45");
	expect_verdict(own(f, CONTROL_ARC_CONNECTED), VERDICT_COMPLIANT, REASON_IN_SYNC);
	/* With the sensor in place its age does not matter any more. */
	set_agent(f, "1.39");
	estate_extension(&f->e, f->m, EXTENSION(.state = "Succeeded"));
	expect_verdict(own(f, CONTROL_ARC_CONNECTED), VERDICT_COMPLIANT, REASON_IN_SYNC);
}

static void what_stays_in_creating_is_laid_to_an_old_agent(void **state)
{
	struct fixture *f = *state;

	f->m = estate_machine(&f->e, f->s, "m", UBUNTU);
	estate_extension(&f->e, f->m, EXTENSION(.state = "Creating"));
	f->e.now = wall_add(f->e.now, DUR_H(3));
	set_agent(f, "1.45");
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_BLOCKED, REASON_AGENT_TOO_OLD);
	set_agent(f, "1.67");
	expect_verdict(own(f, CONTROL_MDE_EXTENSION), VERDICT_BLOCKED, REASON_OPERATION_OVERDUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_mean_what_they_mean_on_their_system),
		CASE(failures_are_told_and_tried_again_by_their_meaning),
		cmocka_unit_test(what_is_no_known_code_is_tried_again),
		CASE(telling_messages_come_before_codes),
		cmocka_unit_test(each_class_has_its_own_reason_and_word),
		cmocka_unit_test(older_agents_have_the_flaws_that_later_ones_mend),
		CASE(an_agent_that_cannot_install_is_told_before_it_is_tried),
		CASE(what_stays_in_creating_is_laid_to_an_old_agent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
