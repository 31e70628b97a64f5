/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/long_running.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ORIGIN "https://management.example"
#define STATUS_URL ORIGIN "/operationstatus/1?api-version=1&t=1&s=secret"
#define RESULT_URL ORIGIN "/operationresults/1?api-version=1&t=1&s=secret"

static const struct wall now = {INT64_C(1795528800000)};

/* `headers` alternates names and values, up to NULL. */
static struct http_reply reply_of(int status, const char *body, const char *const *headers)
{
	struct http_reply reply = {
		.status = status, .body = xstrdup(body), .body_len = strlen(body)};

	for (; headers != NULL && *headers != NULL; headers += 2)
		http_headers_add(&reply.headers, headers[0], headers[1]);
	return reply;
}

#define H(...) ((const char *const[]){__VA_ARGS__, NULL})
#define STATUS_HEADER "Azure-AsyncOperation", STATUS_URL
#define RESULT_HEADER "Location", RESULT_URL
#define STATE(word) "{\"properties\":{\"provisioningState\":\"" word "\"}}"

static void an_answer_to_a_write_starts_or_ends_an_operation(void **state)
{
	const struct {
		const char *what, *method;
		int status;
		const char *body;
		const char *const *headers;
		enum operation_progress progress;
		enum operation_shape shape;
		const char *url;
	} rows[] = {
		{"Arc extension, as recorded", "PUT", 202, "", H(STATUS_HEADER, RESULT_HEADER),
			OPERATION_RUNNING, OPERATION_STATUS, STATUS_URL},
		{"the order of headers does not matter", "PUT", 202, "",
			H(RESULT_HEADER, STATUS_HEADER), OPERATION_RUNNING, OPERATION_STATUS,
			STATUS_URL},
		{"created, watched by status", "PUT", 201, STATE("Creating"), H(STATUS_HEADER),
			OPERATION_RUNNING, OPERATION_STATUS, STATUS_URL},
		{"done in the body, but the status is to be asked", "PUT", 200, STATE("Succeeded"),
			H(STATUS_HEADER), OPERATION_RUNNING, OPERATION_STATUS, STATUS_URL},
		{"created, watched by location", "PUT", 201, STATE("Creating"), H(RESULT_HEADER),
			OPERATION_RUNNING, OPERATION_LOCATION, RESULT_URL},
		{"created, watched by itself", "PUT", 201, STATE("Creating"), NULL,
			OPERATION_RUNNING, OPERATION_BODY, NULL},
		{"a state that nobody knows is running", "PUT", 200, STATE("Pondering"), NULL,
			OPERATION_RUNNING, OPERATION_BODY, NULL},
		{"legacy: accepted without a URL", "PUT", 202, "", NULL, OPERATION_RUNNING,
			OPERATION_BODY, NULL},
		{"synchronous", "PUT", 200, "{\"properties\":{\"pricingTier\":\"Standard\"}}", NULL,
			OPERATION_SUCCEEDED, OPERATION_NONE, NULL},
		{"synchronous with a state", "PUT", 200, STATE("Succeeded"), NULL,
			OPERATION_SUCCEEDED, OPERATION_NONE, NULL},
		{"synchronous with a location, as 201 may have", "PUT", 201, "{}", H(RESULT_HEADER),
			OPERATION_SUCCEEDED, OPERATION_NONE, NULL},
		{"a byte order mark", "PUT", 200, "\xef\xbb\xbf" STATE("Creating"), NULL,
			OPERATION_RUNNING, OPERATION_BODY, NULL},
		{"failed at once", "PUT", 200, STATE("Failed"), NULL, OPERATION_FAILED,
			OPERATION_NONE, NULL},
		{"canceled at once", "PUT", 201, STATE("canceled"), NULL, OPERATION_FAILED,
			OPERATION_NONE, NULL},
		{"a page of some proxy", "PUT", 200, "<html>ok</html>", NULL, OPERATION_RUNNING,
			OPERATION_BODY, NULL},
		{"a list is no resource", "PUT", 200, "[]", NULL, OPERATION_RUNNING, OPERATION_BODY,
			NULL},
		{"deleted", "DELETE", 200, "", NULL, OPERATION_SUCCEEDED, OPERATION_NONE, NULL},
		{"nothing to delete", "DELETE", 204, "", NULL, OPERATION_SUCCEEDED, OPERATION_NONE,
			NULL},
		{"nothing to delete, with a URL", "DELETE", 204, "", H(STATUS_HEADER),
			OPERATION_SUCCEEDED, OPERATION_NONE, NULL},
		{"deleting", "DELETE", 202, "", H(STATUS_HEADER, RESULT_HEADER), OPERATION_RUNNING,
			OPERATION_STATUS, STATUS_URL},
		{"deleting, watched by location", "DELETE", 202, "", H(RESULT_HEADER),
			OPERATION_RUNNING, OPERATION_LOCATION, RESULT_URL},
		{"deleting, watched by itself", "DELETE", 202, "", NULL, OPERATION_RUNNING,
			OPERATION_BODY, NULL},
		{"registering", "POST", 200, "{\"registrationState\":\"Registering\"}", NULL,
			OPERATION_RUNNING, OPERATION_BODY, NULL},
		{"registered", "POST", 200, "{\"registrationState\":\"Registered\"}", NULL,
			OPERATION_SUCCEEDED, OPERATION_NONE, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_reply reply = reply_of(rows[i].status, rows[i].body, rows[i].headers);
		struct operation_poll poll;
		struct arm_error error;

		if (operation_started(&reply, rows[i].method, ORIGIN, now, &poll, &error) !=
				rows[i].progress ||
			poll.shape != rows[i].shape || !str_equal(poll.url, rows[i].url))
			fail_msg("%s", rows[i].what);
		operation_poll_fini(&poll);
		http_reply_fini(&reply);
	}
}

static void urls_of_other_origins_are_not_followed(void **state)
{
	static const char *const urls[] = {
		"https://evil.example/operationstatus/1",
		"http://management.example/operationstatus/1",
		"https://management.example:8443/operationstatus/1",
		"https://management.example.evil.example/",
		"https://x@management.example/",
		"/operationstatus/1",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct http_reply reply = reply_of(202, "", H("Azure-AsyncOperation", urls[i]));
		struct operation_poll poll;
		struct arm_error error;

		assert_int_equal(operation_started(&reply, "PUT", ORIGIN, now, &poll, &error),
			OPERATION_RUNNING);
		assert_int_equal(poll.shape, OPERATION_BODY);
		assert_null(poll.url);
		http_reply_fini(&reply);
	}
}

static void a_good_location_stands_in_for_a_bad_status_url(void **state)
{
	struct http_reply reply = reply_of(
		202, "", H("Azure-AsyncOperation", "https://evil.example/", RESULT_HEADER));
	struct operation_poll poll;
	struct arm_error error;

	(void)state;
	assert_int_equal(
		operation_started(&reply, "PUT", ORIGIN, now, &poll, &error), OPERATION_RUNNING);
	assert_int_equal(poll.shape, OPERATION_LOCATION);
	assert_string_equal(poll.url, RESULT_URL);
	operation_poll_fini(&poll);
	http_reply_fini(&reply);
}

static void signed_urls_may_be_long_but_not_endless(void **state)
{
	static char url[OPERATION_URL_MAX + 2];

	(void)state;
	memset(url, 'a', sizeof(url) - 1);
	memcpy(url, STATUS_URL, strlen(STATUS_URL));
	for (unsigned over = 0; over < 2; over++) {
		struct http_reply reply;
		struct operation_poll poll;
		struct arm_error error;

		url[OPERATION_URL_MAX] = over ? 'a' : '\0';
		reply = reply_of(202, "", H("azure-asyncoperation", url));
		operation_started(&reply, "PUT", ORIGIN, now, &poll, &error);
		assert_int_equal(poll.shape, over ? OPERATION_BODY : OPERATION_STATUS);
		operation_poll_fini(&poll);
		http_reply_fini(&reply);
	}
}

static void waits_as_long_as_asked_within_reason(void **state)
{
	static const struct {
		const char *after;
		int64_t ms;
	} rows[] = {
		{NULL, 60000},
		{"30", 30000},
		{"0", 1000},
		{"86400", 600000},
		{"soon", 60000},
		{"Tue, 24 Nov 2026 14:00:45 GMT", 45000},
		{"Tue, 24 Nov 2026 13:00:00 GMT", 1000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_reply reply = reply_of(202, "", H(STATUS_HEADER));
		struct http_reply poll_reply = reply_of(200, "{\"status\":\"InProgress\"}", NULL);
		struct operation_poll poll;
		struct arm_error error;

		if (rows[i].after != NULL) {
			http_headers_add(&reply.headers, "Retry-After", rows[i].after);
			http_headers_add(&poll_reply.headers, "Retry-After", rows[i].after);
		}
		operation_started(&reply, "PUT", ORIGIN, now, &poll, &error);
		assert_int_equal(poll.after.ms, rows[i].ms);
		poll.after = DUR_MS(0);
		operation_polled(&poll_reply, ORIGIN, now, &poll, &error);
		assert_int_equal(poll.after.ms, rows[i].ms);
		operation_poll_fini(&poll);
		http_reply_fini(&reply);
		http_reply_fini(&poll_reply);
	}
}

static const struct {
	enum operation_shape shape;
	int status;
	const char *body;
	enum operation_progress progress;
	const char *code; /* of the failure */
} polls[] = {
	{OPERATION_STATUS, 200, "{\"status\":\"Queued\"}", OPERATION_RUNNING, NULL},
	{OPERATION_STATUS, 200, "{\"status\":\"InProgress\",\"percentComplete\":5}",
		OPERATION_RUNNING, NULL},
	{OPERATION_STATUS, 200, "{\"status\":\"Whatever\"}", OPERATION_RUNNING, NULL},
	{OPERATION_STATUS, 200, "{\"Status\":\"SUCCEEDED\"}", OPERATION_SUCCEEDED, NULL},
	{OPERATION_STATUS, 200, "\xef\xbb\xbf{\"status\":\"Succeeded\"}", OPERATION_SUCCEEDED,
		NULL},
	{OPERATION_STATUS, 202, "{\"status\":\"Succeeded\"}", OPERATION_SUCCEEDED, NULL},
	{OPERATION_STATUS, 200,
		"{\"status\":\"Failed\",\"error\":{\"code\":\"51\",\"message\":\"m\"}}",
		OPERATION_FAILED, "51"},
	{OPERATION_STATUS, 200, "{\"status\":\"canceled\"}", OPERATION_FAILED, "canceled"},
	{OPERATION_STATUS, 200, "{}", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 200, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 200, "<html>", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 200, "{\"status\":5}", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 204, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 400, "{\"error\":{\"code\":\"x\"}}", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 401, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 403, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 429, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 500, "{\"status\":\"Failed\"}", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 307, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_STATUS, 404, "", OPERATION_EXPIRED, NULL},
	{OPERATION_STATUS, 410, "", OPERATION_EXPIRED, NULL},

	{OPERATION_LOCATION, 202, "", OPERATION_RUNNING, NULL},
	{OPERATION_LOCATION, 202, STATE("Succeeded"), OPERATION_RUNNING, NULL},
	{OPERATION_LOCATION, 200, STATE("Succeeded"), OPERATION_SUCCEEDED, NULL},
	{OPERATION_LOCATION, 200, "{}", OPERATION_SUCCEEDED, NULL},
	{OPERATION_LOCATION, 200, "", OPERATION_SUCCEEDED, NULL},
	{OPERATION_LOCATION, 201, STATE("Creating"), OPERATION_RUNNING, NULL},
	{OPERATION_LOCATION, 204, "", OPERATION_SUCCEEDED, NULL},
	{OPERATION_LOCATION, 200, STATE("Failed"), OPERATION_FAILED, "Failed"},
	{OPERATION_LOCATION, 200, "<html>", OPERATION_UNREADABLE, NULL},
	/* The error of the operation itself, as a synchronous call would give it. */
	{OPERATION_LOCATION, 400, "{\"error\":{\"code\":\"Bad\"}}", OPERATION_FAILED, "Bad"},
	{OPERATION_LOCATION, 409, "{\"error\":{\"code\":\"HCRP409\"}}", OPERATION_FAILED,
		"HCRP409"},
	{OPERATION_LOCATION, 401, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_LOCATION, 403, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_LOCATION, 408, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_LOCATION, 429, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_LOCATION, 503, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_LOCATION, 302, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_LOCATION, 404, "", OPERATION_EXPIRED, NULL},

	{OPERATION_BODY, 200, STATE("Creating"), OPERATION_RUNNING, NULL},
	{OPERATION_BODY, 200, STATE("Succeeded"), OPERATION_SUCCEEDED, NULL},
	{OPERATION_BODY, 200, "{\"properties\":null}", OPERATION_SUCCEEDED, NULL},
	{OPERATION_BODY, 200, STATE("Failed"), OPERATION_FAILED, "Failed"},
	{OPERATION_BODY, 200, "", OPERATION_UNREADABLE, NULL},
	{OPERATION_BODY, 200, "<html>", OPERATION_UNREADABLE, NULL},
	{OPERATION_BODY, 404, "", OPERATION_EXPIRED, NULL},
	{OPERATION_BODY, 409, "{\"error\":{\"code\":\"x\"}}", OPERATION_UNREADABLE, NULL},
	{OPERATION_BODY, 502, "", OPERATION_UNREADABLE, NULL},
};

static void polls_tell_how_far_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(polls); i++) {
		struct http_reply reply = reply_of(polls[i].status, polls[i].body, NULL);
		struct operation_poll poll = {.shape = polls[i].shape,
			.url = polls[i].shape != OPERATION_BODY ? xstrdup(STATUS_URL) : NULL};
		struct arm_error error = {.code = "none"};

		if (operation_polled(&reply, ORIGIN, now, &poll, &error) != polls[i].progress)
			fail_msg("row %zu: %d %s", i, polls[i].status, polls[i].body);
		assert_string_equal(error.code, polls[i].code != NULL ? polls[i].code : "none");
		assert_int_equal(poll.shape, polls[i].shape);
		operation_poll_fini(&poll);
		http_reply_fini(&reply);
	}
}

static void the_newest_url_is_asked_next(void **state)
{
	static const char new_url[] = ORIGIN "/operationstatus/1?t=2";
	struct operation_poll poll = {.shape = OPERATION_STATUS, .url = xstrdup(STATUS_URL)};
	struct http_reply reply = reply_of(200, "{\"status\":\"InProgress\"}",
		H("Azure-AsyncOperation", new_url, "Location", ORIGIN "/x", "Retry-After", "15"));
	struct arm_error error;

	(void)state;
	operation_polled(&reply, ORIGIN, now, &poll, &error);
	assert_int_equal(poll.shape, OPERATION_STATUS);
	assert_string_equal(poll.url, new_url);
	assert_int_equal(poll.after.ms, 15000);
	operation_poll_fini(&poll);
	http_reply_fini(&reply);

	poll = (struct operation_poll){.shape = OPERATION_LOCATION, .url = xstrdup(RESULT_URL)};
	reply = reply_of(202, "", H("Location", ORIGIN "/operationresults/2"));
	operation_polled(&reply, ORIGIN, now, &poll, &error);
	assert_string_equal(poll.url, ORIGIN "/operationresults/2");
	operation_poll_fini(&poll);
	http_reply_fini(&reply);
}

static void a_status_url_is_kept_when_the_new_one_is_of_no_use(void **state)
{
	static const char *const headers[][2] = {
		{"Location", ORIGIN "/operationresults/2"},
		{"Azure-AsyncOperation", "https://evil.example/"},
		{"Azure-AsyncOperation", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct operation_poll poll = {
			.shape = OPERATION_STATUS, .url = xstrdup(STATUS_URL)};
		struct http_reply reply = reply_of(200, "{\"status\":\"InProgress\"}",
			H(headers[i][0], headers[i][1], "Retry-After", "15"));
		struct arm_error error;

		operation_polled(&reply, ORIGIN, now, &poll, &error);
		assert_int_equal(poll.shape, OPERATION_STATUS);
		assert_string_equal(poll.url, STATUS_URL);
		assert_int_equal(poll.after.ms, 15000);
		operation_poll_fini(&poll);
		http_reply_fini(&reply);
	}
}

static void a_location_gives_way_to_a_status_url(void **state)
{
	struct operation_poll poll = {.shape = OPERATION_LOCATION, .url = xstrdup(RESULT_URL)};
	struct http_reply reply = reply_of(202, "", H(STATUS_HEADER, RESULT_HEADER));
	struct arm_error error;

	(void)state;
	operation_polled(&reply, ORIGIN, now, &poll, &error);
	assert_int_equal(poll.shape, OPERATION_STATUS);
	assert_string_equal(poll.url, STATUS_URL);
	operation_poll_fini(&poll);
	operation_poll_fini(&poll);
	http_reply_fini(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_to_a_write_starts_or_ends_an_operation),
		cmocka_unit_test(urls_of_other_origins_are_not_followed),
		cmocka_unit_test(a_good_location_stands_in_for_a_bad_status_url),
		cmocka_unit_test(signed_urls_may_be_long_but_not_endless),
		cmocka_unit_test(waits_as_long_as_asked_within_reason),
		cmocka_unit_test(polls_tell_how_far_it_is),
		cmocka_unit_test(the_newest_url_is_asked_next),
		cmocka_unit_test(a_status_url_is_kept_when_the_new_one_is_of_no_use),
		cmocka_unit_test(a_location_gives_way_to_a_status_url),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
