/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/activity_log.h"

#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define EVENT(operation, status, rest) \
	"{\"operationName\":{\"value\":\"" operation "\"},\"status\":{\"value\":\"" status \
	"\"}" rest "}"
#define WRITE "Microsoft.HybridCompute/machines/extensions/write"
#define AUDIT "Microsoft.Authorization/policies/audit/action"
#define LOG(events) "{\"value\":[" events "]}"

static json_t *parsed(const char *text)
{
	return json_loads(text, 0, NULL);
}

static void the_outcome_of_a_write_is_read(void **state)
{
	static const struct {
		const char *log;
		enum activity_outcome outcome;
	} rows[] = {
		{"{}", ACTIVITY_UNREADABLE},
		{"[]", ACTIVITY_UNREADABLE},
		{"{\"value\":{}}", ACTIVITY_UNREADABLE},
		{LOG(""), ACTIVITY_NONE},
		/* An empty page is not the whole list. */
		{"{\"value\":[],\"nextLink\":\"https://management.azure.com/x\"}", ACTIVITY_OPEN},
		{LOG(EVENT(WRITE, "Started", "")), ACTIVITY_OPEN},
		{LOG(EVENT(WRITE, "Started", "") "," EVENT(WRITE, "Accepted", "")), ACTIVITY_OPEN},
		{LOG(EVENT(WRITE, "Accepted", "") "," EVENT(WRITE, "succeeded", "")),
			ACTIVITY_SUCCEEDED},
		{LOG(EVENT(WRITE, "Failed", "") "," EVENT(WRITE, "Accepted", "")), ACTIVITY_FAILED},
		{LOG(EVENT(WRITE, "Failed", "") "," EVENT(WRITE, "Succeeded", "")),
			ACTIVITY_SUCCEEDED},
		/* A policy that looked on has not written. */
		{LOG(EVENT(AUDIT, "Succeeded", "")), ACTIVITY_OPEN},
		{LOG(EVENT(AUDIT, "Succeeded", "") "," EVENT(WRITE, "Failed", "")),
			ACTIVITY_FAILED},
		{LOG("{\"status\":{\"value\":\"Failed\"}}"), ACTIVITY_FAILED},
		{LOG("17, null, \"x\""), ACTIVITY_OPEN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *log = parsed(rows[i].log);

		assert_non_null(log);
		if (activity_outcome(log) != rows[i].outcome)
			fail_msg("%s", rows[i].log);
		json_decref(log);
	}
	assert_int_equal(activity_outcome(NULL), ACTIVITY_UNREADABLE);
}

#define BY(who, at) ",\"caller\":\"" who "\",\"eventTimestamp\":\"" at "\""
#define CLIENT "22222222-2222-2222-2222-222222222222"

static void the_last_other_writer_is_named(void **state)
{
	struct activity_writer writer;
	json_t *log = parsed(LOG(EVENT(
		WRITE, "Succeeded", BY("early@x", "2026-11-24T10:00:00Z")) "," EVENT(WRITE,
		"Succeeded", BY("late@x", "2026-11-24T12:00:00Z")) "," EVENT(WRITE, "Succeeded",
		BY("middle@x", "2026-11-24T11:00:00Z")) "," EVENT(WRITE, "Failed",
		BY("failed@x", "2026-11-24T13:00:00Z")) "," EVENT(AUDIT, "Succeeded",
		BY("policy", "2026-11-24T13:00:00Z")) "," EVENT(WRITE, "Succeeded",
		BY(CLIENT, "2026-11-24T14:00:00Z")) "," EVENT(WRITE, "Succeeded",
		BY("ours", "2026-11-24T14:00:00Z") ",\"claims\":{\"appid\":\"" CLIENT
						   "\"}") "," EVENT(WRITE, "Succeeded",
		",\"caller\":\"timeless\"")));

	(void)state;
	assert_non_null(log);
	assert_true(activity_last_writer(log, CLIENT, &writer));
	assert_string_equal(writer.caller, "late@x");
	assert_string_equal(writer.operation, WRITE);
	json_decref(log);
}

static void who_takes_a_provider_away_has_written(void **state)
{
	static const char unregister[] = LOG(EVENT("Microsoft.Security/unregister/action",
		"Succeeded",
		BY("x", "2026-11-24T10:00:00Z") ",\"claims\":{\"http://schemas.microsoft.com/"
						"identity/claims/objectidentifier\":\"o\"}"));
	struct activity_writer writer;
	json_t *log = parsed(unregister);

	(void)state;
	assert_true(activity_last_writer(log, CLIENT, &writer));
	assert_string_equal(writer.object, "o");
	assert_null(activity_caller_name(writer.caller));
	assert_non_null(activity_caller_name("D2A590E7-6906-4a45-8f41-cecfdca9bca1"));
	json_decref(log);
}

static void an_application_is_named_by_its_id(void **state)
{
	struct activity_writer writer;
	json_t *log = parsed(LOG("{\"claims\":{\"appid\":\"app-7\"},"
				 "\"eventTimestamp\":\"2026-11-24T10:00:00Z\"}"));

	(void)state;
	assert_true(activity_last_writer(log, CLIENT, &writer));
	assert_string_equal(writer.caller, "app-7");
	assert_string_equal(writer.operation, "");
	json_decref(log);
}

static void nobody_is_named_where_nobody_is(void **state)
{
	static const char *const logs[] = {
		"{}", LOG(""), LOG(EVENT(WRITE, "Succeeded", BY(CLIENT, "2026-11-24T14:00:00Z")))};
	struct activity_writer writer;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
		json_t *log = parsed(logs[i]);

		assert_false(activity_last_writer(log, CLIENT, &writer));
		json_decref(log);
	}
	assert_false(activity_last_writer(NULL, CLIENT, &writer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_outcome_of_a_write_is_read),
		cmocka_unit_test(the_last_other_writer_is_named),
		cmocka_unit_test(an_application_is_named_by_its_id),
		cmocka_unit_test(who_takes_a_provider_away_has_written),
		cmocka_unit_test(nobody_is_named_where_nobody_is),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
