/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_error.h"

#include "lib/base/rng.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void read_text(int status, const char *body, struct arm_error *ret)
{
	arm_error_read(status, body, strlen(body), ret);
}

static void codes_have_their_meaning(void **state)
{
	static const struct {
		int status;
		const char *code;
		enum arm_error_class class;
		bool retryable;
	} rows[] = {
		{429, "TooManyRequests", ARM_ERROR_THROTTLED, true},
		{429, "SubscriptionRequestsThrottled", ARM_ERROR_THROTTLED, true},
		{429, "OperationNotAllowed", ARM_ERROR_THROTTLED, true},
		{429, "RateLimiting", ARM_ERROR_THROTTLED, true},
		{429, "RetryableErrorDueToAnotherOperation", ARM_ERROR_THROTTLED, true},
		{409, "TooManyRequests", ARM_ERROR_THROTTLED, true},
		{400, "RateLimiting", ARM_ERROR_THROTTLED, true},
		{408, "RequestTimeout", ARM_ERROR_TRANSIENT, true},
		{500, "InternalServerError", ARM_ERROR_TRANSIENT, true},
		{502, "BadGateway", ARM_ERROR_TRANSIENT, true},
		{503, "ServerTimeout", ARM_ERROR_TRANSIENT, true},
		{504, "GatewayTimeout", ARM_ERROR_TRANSIENT, true},
		{500, "AuthorizationFailed", ARM_ERROR_TRANSIENT, true},
		{409, "AnotherOperationInProgress", ARM_ERROR_BUSY, true},
		{409, "OperationInProgress", ARM_ERROR_BUSY, true},
		{409, "DeploymentActive", ARM_ERROR_BUSY, true},
		{409, "Conflict", ARM_ERROR_BUSY, true},
		{409, "HCRP409", ARM_ERROR_BUSY, true},
		{409, "SomethingNew", ARM_ERROR_BUSY, true},
		{409, "MissingSubscriptionRegistration", ARM_ERROR_UNREGISTERED, false},
		{409, "SubscriptionNotRegistered", ARM_ERROR_UNREGISTERED, false},
		{400, "NoRegisteredProviderFound", ARM_ERROR_UNREGISTERED, false},
		{404, "Subscription Not Registered", ARM_ERROR_UNREGISTERED, false},
		{403, "AuthorizationFailed", ARM_ERROR_DENIED, false},
		{403, "LinkedAuthorizationFailed", ARM_ERROR_DENIED, false},
		{403, "SomethingNew", ARM_ERROR_DENIED, false},
		{403, "RequestDisallowedByPolicy", ARM_ERROR_POLICY, false},
		{409, "ScopeLocked", ARM_ERROR_LOCKED, false},
		{409, "ReadOnlyDisabledSubscription", ARM_ERROR_DISABLED, false},
		{404, "SubscriptionNotFound", ARM_ERROR_NO_SUBSCRIPTION, false},
		{404, "ResourceGroupNotFound", ARM_ERROR_ABSENT, false},
		{404, "ResourceNotFound", ARM_ERROR_ABSENT, false},
		{404, "ParentResourceNotFound", ARM_ERROR_ABSENT, false},
		{404, "HCRP404", ARM_ERROR_ABSENT, false},
		{404, "SomethingNew", ARM_ERROR_ABSENT, false},
		{410, "Gone", ARM_ERROR_ABSENT, false},
		{401, "ExpiredAuthenticationToken", ARM_ERROR_TOKEN, false},
		{401, "InvalidAuthenticationToken", ARM_ERROR_TOKEN, false},
		{401, "InvalidAuthenticationTokenTenant", ARM_ERROR_IDENTITY, false},
		{401, "SomethingNew", ARM_ERROR_TOKEN, false},
		{400, "BadRequest", ARM_ERROR_REQUEST, false},
		{400, "InvalidInputJson", ARM_ERROR_REQUEST, false},
		{400, "HCRP400", ARM_ERROR_REQUEST, false},
		{405, "MethodNotAllowed", ARM_ERROR_REQUEST, false},
		{412, "PreconditionFailed", ARM_ERROR_CHANGED, true},
		{412, "ScopeLocked", ARM_ERROR_CHANGED, true},
		{413, "RequestEntityTooLarge", ARM_ERROR_TOO_LARGE, false},
		{400, "ResponsePayloadTooLarge", ARM_ERROR_TOO_LARGE, false},
		{414, "UriTooLong", ARM_ERROR_REQUEST, false},
		{422, "UnprocessableEntity", ARM_ERROR_REQUEST, false},
		{302, "Found", ARM_ERROR_TRANSIENT, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arm_error e;
		char body[300];

		snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\",\"message\":\"why\"}}",
			rows[i].code);
		read_text(rows[i].status, body, &e);
		if (e.class != rows[i].class)
			fail_msg("%d %s is %s", rows[i].status, rows[i].code,
				arm_error_class_name(e.class));
		assert_int_equal(e.status, rows[i].status);
		assert_string_equal(e.code, rows[i].code);
		assert_string_equal(e.message, "why");
		assert_int_equal(arm_error_is_retryable(e.class), rows[i].retryable);
	}
}

static void the_shape_of_the_body_does_not_matter(void **state)
{
	static const char *const rows[] = {
		"{\"error\":{\"code\":\"ScopeLocked\",\"message\":\"m\"}}",
		"{\"Error\":{\"Code\":\"ScopeLocked\",\"Message\":\"m\"}}",
		"{\"code\":\"ScopeLocked\",\"message\":\"m\"}",
		"\xef\xbb\xbf{\"error\":{\"code\":\"ScopeLocked\",\"message\":\"m\"}}",
		"{\"error\":{\"code\":\"scopelocked\",\"message\":\"m\",\"details\":null}}",
		"{\"error\":null,\"code\":\"ScopeLocked\",\"message\":\"m\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arm_error e;

		read_text(409, rows[i], &e);
		if (e.class != ARM_ERROR_LOCKED)
			fail_msg("%s", rows[i]);
		assert_string_equal(e.message, "m");
	}
}

static void the_innermost_telling_code_wins(void **state)
{
	static const struct {
		int status;
		const char *body, *code, *message;
		enum arm_error_class class;
	} rows[] = {
		{400,
			"{\"error\":{\"code\":\"BadRequest\",\"message\":\"out\",\"details\":[{"
			"\"code\":"
			"\"ResponsePayloadTooLarge\",\"message\":\"in\"}]}}",
			"ResponsePayloadTooLarge", "in", ARM_ERROR_TOO_LARGE},
		{409,
			"{\"error\":{\"code\":\"OperationNotAllowed\",\"message\":\"out\","
			"\"details\":["
			"{\"code\":\"TooManyRequests\"}]}}",
			"TooManyRequests", "out", ARM_ERROR_THROTTLED},
		{400,
			"{\"error\":{\"code\":\"A\",\"details\":[null,5,{\"code\":\"B\"},{\"code\":"
			"\"C\","
			"\"details\":[{\"code\":\"ScopeLocked\",\"message\":\"deep\"}]}]}}",
			"ScopeLocked", "deep", ARM_ERROR_LOCKED},
		{403,
			"{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"out\","
			"\"details\":["
			"{\"code\":\"ScopeLocked\",\"message\":\"in\"}]}}",
			"AuthorizationFailed", "out", ARM_ERROR_DENIED},
		{400,
			"{\"error\":{\"code\":\"A\",\"message\":\"out\",\"details\":{\"code\":"
			"\"ScopeLocked\"}}}",
			"A", "out", ARM_ERROR_REQUEST},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arm_error e;

		read_text(rows[i].status, rows[i].body, &e);
		assert_string_equal(e.code, rows[i].code);
		assert_string_equal(e.message, rows[i].message);
		assert_int_equal(e.class, rows[i].class);
	}
}

static void details_are_followed_only_so_deep(void **state)
{
	char body[4000] = "";
	struct arm_error e;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		strcat(body, "{\"code\":\"x\",\"details\":[");
	strcat(body, "{\"code\":\"ScopeLocked\"}");
	for (unsigned i = 0; i < 50; i++)
		strcat(body, "]}");
	read_text(400, body, &e);
	assert_int_equal(e.class, ARM_ERROR_REQUEST);
}

static void the_target_may_stand_in_a_detail(void **state)
{
	struct arm_error e;

	(void)state;
	read_text(409,
		"{\"error\":{\"code\":\"MissingSubscriptionRegistration\",\"message\":\"m\","
		"\"details\":"
		"[{\"code\":\"MissingSubscriptionRegistration\",\"target\":\"Microsoft.Security\"}]"
		"}}",
		&e);
	assert_string_equal(e.target, "Microsoft.Security");
	read_text(404, "{\"error\":{\"code\":\"HCRP404\",\"target\":\"sub/rg/machine/ext\"}}", &e);
	assert_string_equal(e.target, "sub/rg/machine/ext");
}

static void token_endpoints_have_a_form_of_their_own(void **state)
{
	static const struct {
		int status;
		const char *code;
		enum arm_error_class class;
	} rows[] = {
		{401, "invalid_client", ARM_ERROR_IDENTITY},
		{400, "invalid_request", ARM_ERROR_IDENTITY},
		{400, "unauthorized_client", ARM_ERROR_IDENTITY},
		{400, "invalid_grant", ARM_ERROR_IDENTITY},
		{400, "invalid_scope", ARM_ERROR_IDENTITY},
		{400, "invalid_resource", ARM_ERROR_IDENTITY},
		{400, "temporarily_unavailable", ARM_ERROR_TRANSIENT},
		{503, "temporarily_unavailable", ARM_ERROR_TRANSIENT},
		{429, "invalid_request", ARM_ERROR_THROTTLED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arm_error e;
		char body[300];

		snprintf(body, sizeof(body),
			"{\"error\":\"%s\",\"error_description\":\"AADSTS7000215: bad\","
			"\"error_codes\":[7000215]}",
			rows[i].code);
		read_text(rows[i].status, body, &e);
		assert_string_equal(e.code, rows[i].code);
		assert_string_equal(e.message, "AADSTS7000215: bad");
		assert_int_equal(e.class, rows[i].class);
	}
}

static void without_a_document_the_status_decides(void **state)
{
	static const char *const bodies[] = {"", "<html>502</html>", "{", "null", "[]", "\"x\"",
		"{}", "{\"error\":{}}", "{\"error\":{\"code\":5,\"message\":[]}}",
		"{\"error\":\"\"}"};
	static const struct {
		int status;
		enum arm_error_class class;
	} rows[] = {
		{400, ARM_ERROR_REQUEST},
		{401, ARM_ERROR_TOKEN},
		{403, ARM_ERROR_DENIED},
		{404, ARM_ERROR_ABSENT},
		{409, ARM_ERROR_BUSY},
		{429, ARM_ERROR_THROTTLED},
		{502, ARM_ERROR_TRANSIENT},
		{599, ARM_ERROR_TRANSIENT},
		{0, ARM_ERROR_TRANSIENT},
		{307, ARM_ERROR_TRANSIENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(bodies); k++) {
			struct arm_error e;

			read_text(rows[i].status, bodies[k], &e);
			assert_int_equal(e.class, rows[i].class);
			assert_string_equal(e.code, "");
			assert_true(strlen(e.message) > 0);
		}
}

static void an_answer_without_words_is_told_by_its_status(void **state)
{
	struct arm_error e;

	(void)state;
	read_text(502, "<html>Bad gateway</html>", &e);
	assert_string_equal(e.message, "HTTP 502 and an answer that is none of Azure's");
	read_text(503, "", &e);
	assert_string_equal(e.message, "HTTP 503 without an error text");
	read_text(404, "{}", &e);
	assert_string_equal(e.message, "HTTP 404 without an error text");
}

static void success_is_no_error_whatever_the_body_says(void **state)
{
	struct arm_error e;

	(void)state;
	read_text(200, "{\"error\":{\"code\":\"ScopeLocked\"}}", &e);
	assert_int_equal(e.class, ARM_ERROR_NONE);
	arm_error_read(204, NULL, 0, &e);
	assert_int_equal(e.class, ARM_ERROR_NONE);
}

static void long_texts_are_cut(void **state)
{
	static char body[420000], long_text[200000];
	struct arm_error e;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", long_text,
		long_text);
	read_text(400, body, &e);
	assert_int_equal(strlen(e.code), ARM_ERROR_CODE_SIZE - 1);
	assert_int_equal(strlen(e.message), ARM_ERROR_TEXT_SIZE - 1);
}

static void a_huge_body_is_not_parsed(void **state)
{
	static char body[(1 << 20) + 100];
	struct arm_error e;

	(void)state;
	memset(body, ' ', sizeof(body));
	memcpy(body, "{\"code\":\"ScopeLocked\"}", 22);
	arm_error_read(409, body, sizeof(body), &e);
	assert_int_equal(e.class, ARM_ERROR_BUSY);
}

static void of_what_cannot_be_read_the_beginning_is_shown(void **state)
{
	static char huge[(1 << 20) + 100];
	struct arm_error e;

	(void)state;
	memset(huge, 'x', sizeof(huge));
	memcpy(huge, "{\"error\":{\"message\":\"why: ", 26);
	arm_error_read(400, huge, sizeof(huge), &e);
	assert_non_null(strstr(e.message, "begins with: {\"error\":{\"message\":\"why: xx"));
	assert_true(strlen(e.message) < 700);
	read_text(500, "{\"error\":{\"code\":\"Broken", &e);
	assert_string_equal(e.message,
		"HTTP 500 and an answer of 24 bytes that cannot be read, which begins with: "
		"{\"error\":{\"code\":\"Broken");
	read_text(502, "<html>", &e);
	assert_string_equal(e.message, "HTTP 502 and an answer that is none of Azure's");
}

static void operations_tell_why_they_failed(void **state)
{
	static const struct {
		const char *body, *code;
		enum arm_error_class class;
	} rows[] = {
		{"{\"status\":\"Failed\",\"error\":{\"code\":\"HCRP409\",\"message\":\"m\"}}",
			"HCRP409", ARM_ERROR_BUSY},
		{"{\"status\":\"Failed\",\"error\":{\"code\":\"51\",\"message\":\"m\"}}", "51",
			ARM_ERROR_REQUEST},
		{"{\"status\":\"Failed\",\"error\":{\"code\":\"X\",\"details\":[{\"code\":"
		 "\"ScopeLocked\"}]}}",
			"ScopeLocked", ARM_ERROR_LOCKED},
		{"{\"status\":\"Canceled\"}", "Canceled", ARM_ERROR_REQUEST},
		{"{\"status\":\"Failed\",\"error\":\"text\"}", "Failed", ARM_ERROR_REQUEST},
		{"{}", "Failed", ARM_ERROR_REQUEST},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *document = json_loads(rows[i].body, 0, NULL);
		struct arm_error e;

		arm_error_from_operation(document, &e);
		assert_string_equal(e.code, rows[i].code);
		assert_int_equal(e.class, rows[i].class);
		json_decref(document);
	}
}

static void trouble_below_http_is_transient(void **state)
{
	struct arm_error e;

	(void)state;
	arm_error_transport("connection refused", &e);
	assert_int_equal(e.class, ARM_ERROR_TRANSIENT);
	assert_int_equal(e.status, 0);
	assert_string_equal(e.message, "connection refused");
}

static void every_class_has_a_word_of_its_own(void **state)
{
	(void)state;
	for (unsigned c = 0; c < ARM_ERROR_CLASS_N_; c++)
		for (unsigned other = 0; other < c; other++)
			assert_string_not_equal(arm_error_class_name((enum arm_error_class)c),
				arm_error_class_name((enum arm_error_class)other));
}

/* A body cut or changed anywhere gives some class that fits its status, and nothing worse. */
static void damaged_bodies_are_read_without_harm(void **state)
{
	static const char body[] =
		"{\"error\":{\"code\":\"BadRequest\",\"message\":\"m\",\"target\":\"t\","
		"\"details\":[{"
		"\"code\":\"ResponsePayloadTooLarge\",\"message\":\"in\",\"details\":[]}]}}";
	const uint64_t seed = 20273;
	struct rng r;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_seed(&r, seed);
	for (unsigned round = 0; round < 20000; round++) {
		char copy[sizeof(body)];
		size_t len = rng_below(&r, sizeof(body));
		struct arm_error e;

		memcpy(copy, body, sizeof(body));
		if (len > 0 && rng_below(&r, 2) == 0)
			copy[rng_below(&r, len)] = (char)rng_below(&r, 256);
		arm_error_read(403, copy, len, &e);
		assert_int_not_equal(e.class, ARM_ERROR_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_have_their_meaning),
		cmocka_unit_test(the_shape_of_the_body_does_not_matter),
		cmocka_unit_test(the_innermost_telling_code_wins),
		cmocka_unit_test(details_are_followed_only_so_deep),
		cmocka_unit_test(the_target_may_stand_in_a_detail),
		cmocka_unit_test(token_endpoints_have_a_form_of_their_own),
		cmocka_unit_test(without_a_document_the_status_decides),
		cmocka_unit_test(an_answer_without_words_is_told_by_its_status),
		cmocka_unit_test(success_is_no_error_whatever_the_body_says),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(a_huge_body_is_not_parsed),
		cmocka_unit_test(of_what_cannot_be_read_the_beginning_is_shown),
		cmocka_unit_test(operations_tell_why_they_failed),
		cmocka_unit_test(trouble_below_http_is_transient),
		cmocka_unit_test(every_class_has_a_word_of_its_own),
		cmocka_unit_test(damaged_bodies_are_read_without_harm),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
