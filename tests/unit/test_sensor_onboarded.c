/* SPDX-License-Identifier: Apache-2.0 */
/* What the inventory of Defender for Endpoint says of a sensor that Azure calls installed. */
#include "tests/unit/control_fixture.h"

#include "lib/engine/assess.h"

static const struct {
	const char *about;
	bool listed, onboarded;
	enum sensor_health health;
	const char *version;
	enum verdict_kind kind;
	enum reason reason;
} sensors[] = {
	{"active", true, true, SENSOR_ACTIVE, "10.8760.20348.2461", VERDICT_COMPLIANT,
		REASON_IN_SYNC},
	{"too old to be correlated", true, true, SENSOR_ACTIVE, "10.8048.1", VERDICT_COMPLIANT,
		REASON_SENSOR_OUTDATED},
	{"impaired", true, true, SENSOR_IMPAIRED, "10.8760.1", VERDICT_BLOCKED,
		REASON_SENSOR_SILENT},
	{"mute", true, true, SENSOR_MUTE, "10.8760.1", VERDICT_BLOCKED, REASON_SENSOR_SILENT},
	{"of a health that nobody knows", true, true, SENSOR_HEALTH_UNKNOWN, "10.8760.1",
		VERDICT_UNKNOWN, REASON_FACT_UNKNOWN},
	{"discovered only", true, false, SENSOR_ACTIVE, "", VERDICT_BLOCKED, REASON_SENSOR_ABSENT},
	{"not there", false, false, SENSOR_HEALTH_UNKNOWN, "", VERDICT_BLOCKED,
		REASON_SENSOR_ABSENT},
};

static void show(struct fixture *f, size_t i)
{
	struct sensor_facts facts = {.listed = sensors[i].listed,
		.onboarded = sensors[i].onboarded,
		.health = sensors[i].health,
		.version = sensors[i].version,
		.last_seen = f->e.now,
		.at = f->e.now};
	bool changed;

	inventory_set_sensor(f->e.inv, f->m, &facts, &changed);
}

/* Long enough ago for the inventory to know it. */
static void install(struct fixture *f, struct dur ago)
{
	f->m = estate_machine(&f->e, f->s, "m1", WINDOWS_2022);
	estate_extension(
		&f->e, f->m, &(struct estate_extension){.at = wall_add(f->e.now, DUR_MS(-ago.ms))});
	f->m->mde.changed = wall_add(f->e.now, DUR_MS(-ago.ms));
}

static struct verdict assessed(struct fixture *f)
{
	struct control_view view = estate_view(&f->e, f->s, f->m, CONTROL_SENSOR_ONBOARDED);

	return assess(control_by_id(CONTROL_SENSOR_ONBOARDED), &view);
}

static void an_installed_sensor_is_judged_by_its_device(void **state)
{
	struct fixture *f = *state;

	install(f, DUR_H(27));
	for (size_t i = 0; i < ARRAY_LEN(sensors); i++) {
		struct verdict verdict;

		show(f, i);
		verdict = assessed(f);
		if (verdict.kind != sensors[i].kind || verdict.reason != sensors[i].reason)
			fail_msg("%s: kind %d, %s", sensors[i].about, verdict.kind,
				reason_word(verdict.reason));
		assert_int_equal(verdict.stamp.source, SOURCE_DEFENDER);
	}
}

static void a_device_may_show_a_day_later_than_its_sensor(void **state)
{
	struct fixture *f = *state;
	struct verdict verdict;

	install(f, DUR_H(25));
	show(f, ARRAY_LEN(sensors) - 1);
	verdict = assessed(f);
	expect_verdict(verdict, VERDICT_WAITING, REASON_SENSOR_AWAITED);
	assert_int_equal(verdict.until.ms, wall_add(f->m->mde.changed, DUR_H(26)).ms);
	f->e.now = verdict.until;
	expect_verdict(assessed(f), VERDICT_BLOCKED, REASON_SENSOR_ABSENT);
}

static void it_applies_only_where_something_is_known_and_a_sensor_is_due(void **state)
{
	struct fixture *f = *state;

	install(f, DUR_H(27));
	expect_verdict(assessed(f), VERDICT_NOT_APPLICABLE, REASON_NONE);
	show(f, 0);
	expect_verdict(assessed(f), VERDICT_COMPLIANT, REASON_IN_SYNC);
	f->e.policy.deploy = DEPLOY_NEVER;
	expect_verdict(assessed(f), VERDICT_NOT_APPLICABLE, REASON_NONE);
	f->e.policy.deploy = DEPLOY_AFTER_GRACE;
	estate_no_extension(&f->e, f->m, f->e.now);
	expect_verdict(assessed(f), VERDICT_NOT_APPLICABLE, REASON_NONE);
}

static void a_machine_that_is_not_connected_is_not_blamed(void **state)
{
	struct fixture *f = *state;

	install(f, DUR_H(27));
	show(f, 3);
	estate_status(&f->e, f->m, "Disconnected");
	expect_verdict(assessed(f), VERDICT_UNREACHABLE, REASON_DISCONNECTED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(an_installed_sensor_is_judged_by_its_device),
		CASE(a_device_may_show_a_day_later_than_its_sensor),
		CASE(it_applies_only_where_something_is_known_and_a_sensor_is_due),
		CASE(a_machine_that_is_not_connected_is_not_blamed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
