/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/graph_query.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/arm_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CORRELATION "cccccccc-1111-2222-3333-444444444444"
#define MACHINE \
	"/subscriptions/" SUB_A "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m"
#define SIGNED \
	"/subscriptions/" SUB_A "/providers/Microsoft.HybridCompute/locations/westeurope/" \
	"operationstatus/1?api-version=2025-01-13&t=1&c=2&s=signature-secret&h=3"

static void a_read_goes_out_as_arm_wants_it(void **state)
{
	struct fixture f;
	struct outcome o;
	const struct fake_request *r;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f,
		&(struct fake_answer){.status = 200,
			.body = "{\"ok\":true}",
			.headers = {
				"x-ms-request-id: req-1", "x-ms-correlation-request-id: theirs"}});
	o = got(&f);
	assert_int_equal(o.result.error.class, ARM_ERROR_NONE);
	assert_string_equal(o.body, "{\"ok\":true}");
	assert_string_equal(o.result.request_id, "req-1");
	assert_string_equal(o.result.arm_origin, SMALL_ARM);
	r = arm_request_at(&f, 0);
	assert_string_equal(r->request.method, "GET");
	assert_string_equal(r->request.url,
		SMALL_ARM
		"/subscriptions/" SUB_A
		"/providers/Microsoft.Security/pricings/VirtualMachines?api-version=2024-01-01");
	assert_string_equal(r->ca_file, "/ca.pem");
	assert_string_equal(arm_header(&f, 0, "Authorization"), "Bearer tok-1");
	assert_string_equal(arm_header(&f, 0, "Accept"), "application/json");
	assert_string_equal(arm_header(&f, 0, "Accept-Language"), "en-US");
	assert_string_equal(arm_header(&f, 0, "x-ms-return-client-request-id"), "true");
	assert_true(str_is_guid(arm_header(&f, 0, "x-ms-client-request-id")));
	assert_string_equal(
		arm_header(&f, 0, "x-ms-correlation-request-id"), o.result.correlation_id);
	assert_true(str_is_guid(o.result.correlation_id));
	assert_non_null(strstr(arm_header(&f, 0, "User-Agent"), "mdcd/"));
	assert_null(arm_header(&f, 0, "Content-Type"));
	assert_null(r->request.body);
	fixture_fini(&f);
}

static void a_write_carries_its_body_and_correlation(void **state)
{
	struct fixture f;
	struct outcome o = {.fixture = &f};
	struct arm_request r;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.status = 200, .body = "{}"});
	arm_put_setting(SUB_A, "WDATP", true, &r);
	arm_client_call(f.client, "main", &r, ARM_URGENT, CORRELATION, ended, &o);
	assert_null(r.path);
	pass(&f, DUR_S(1));
	assert_int_equal(o.result.error.class, ARM_ERROR_NONE);
	assert_string_equal(arm_request_at(&f, 0)->request.method, "PUT");
	assert_string_equal(arm_header(&f, 0, "Content-Type"), "application/json");
	assert_string_equal(arm_header(&f, 0, "x-ms-correlation-request-id"), CORRELATION);
	assert_string_equal(o.result.correlation_id, CORRELATION);
	assert_non_null(strstr(arm_request_at(&f, 0)->request.body, "\"enabled\":true"));
	fixture_fini(&f);
}

static void calls_are_counted_by_what_they_spend(void **state)
{
	struct fixture f;
	struct outcome o[4];
	struct arm_request r;
	struct arm_client_counts n;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.always = true, .status = 200, .body = "{}"});
	send_get(&f, SUB_A, &o[0]);
	send_put(&f, "WDATP", &o[1]);
	arm_delete_extension(MACHINE, "MDE.Linux", &r);
	send_request(&f, &r, ARM_URGENT, &o[2]);
	graph_request(&(struct graph_question){.table = GRAPH_SUBSCRIPTIONS}, &r);
	send_request(&f, &r, ARM_NORMAL, &o[3]);
	pass(&f, DUR_S(1));
	arm_client_counts(f.client, &n);
	assert_int_equal(n.arm_reads, 1);
	assert_int_equal(n.arm_writes, 1);
	assert_int_equal(n.arm_deletes, 1);
	assert_int_equal(n.graph_queries, 1);
	assert_int_equal(n.token_requests, 1);
	assert_int_equal(n.failed + n.throttled, 0);
	fixture_fini(&f);
}

static void errors_come_back_with_their_class(void **state)
{
	static const struct {
		int status;
		const char *code;
		enum arm_error_class class;
	} rows[] = {
		{403, "AuthorizationFailed", ARM_ERROR_DENIED},
		{404, "ResourceNotFound", ARM_ERROR_ABSENT},
		{409, "ScopeLocked", ARM_ERROR_LOCKED},
		{503, "ServiceUnavailable", ARM_ERROR_TRANSIENT},
		/* Says when to come again, so it is not for good. */
		{400, "NotJustNow", ARM_ERROR_TRANSIENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *body = xasprintf(
			"{\"error\":{\"code\":\"%s\",\"message\":\"why\"}}", rows[i].code);
		struct fixture f;
		struct outcome o;

		fixture_init(&f);
		answers_token(&f, "tok-1", true);
		answers(&f,
			&(struct fake_answer){.status = rows[i].status,
				.body = body,
				.headers = {"Retry-After: 17"}});
		o = got(&f);
		assert_int_equal(o.result.error.class, rows[i].class);
		assert_string_equal(o.result.error.message, "why");
		assert_int_equal(o.result.retry_after.ms, 17000);
		assert_int_equal(o.status, rows[i].status);
		assert_int_equal(arm_requests(&f), 1);
		fixture_fini(&f);
	}
}

static void an_expired_token_is_renewed_once(void **state)
{
	struct fixture f;
	struct outcome o;
	mdc_autofree char *first_id = NULL;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-old", false);
	answers_token(&f, "tok-new", false);
	answers(&f,
		&(struct fake_answer){.status = 401,
			.body = "{\"error\":{\"code\":\"ExpiredAuthenticationToken\"}}",
			.headers = {"Retry-After: 5"}});
	answers(&f, &(struct fake_answer){.status = 200, .body = "{}"});
	o = got(&f);
	assert_int_equal(o.result.error.class, ARM_ERROR_NONE);
	assert_int_equal(o.result.retry_after.ms, 0);
	assert_string_equal(arm_header(&f, 0, "Authorization"), "Bearer tok-old");
	assert_string_equal(arm_header(&f, 1, "Authorization"), "Bearer tok-new");
	/* One call, two attempts. */
	first_id = xstrdup(arm_header(&f, 0, "x-ms-client-request-id"));
	assert_string_not_equal(first_id, arm_header(&f, 1, "x-ms-client-request-id"));
	assert_string_equal(arm_header(&f, 0, "x-ms-correlation-request-id"),
		arm_header(&f, 1, "x-ms-correlation-request-id"));
	fixture_fini(&f);
}

/* Once, and the token after that is again an ordinary one. */
static void claims_that_are_asked_for_are_passed_on(void **state)
{
	struct fixture f;
	struct transport *net;
	unsigned with = 0, without = 0;

	(void)state;
	fixture_init(&f);
	net = f.fake.world.transport;
	answers_token(&f, "tok-old", false);
	answers_token(&f, "tok-new", false);
	/* {"access_token":{"nbf":{"value":"1"}}} */
	answers(&f,
		&(struct fake_answer){.status = 401,
			.headers = {"WWW-Authenticate: Bearer authorization_uri=\"https://x\", "
				    "error=\"insufficient_claims\", claims=\""
				    "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7InZhbHVlIjoiMSJ9fX0\""}});
	answers(&f, &(struct fake_answer){.status = 200, .body = "{}"});
	assert_int_equal(got(&f).result.error.class, ARM_ERROR_NONE);
	for (size_t i = 0; i < fake_transport_count(net); i++) {
		const char *body = fake_transport_request(net, (int)i)->request.body;

		if (body == NULL)
			continue;
		if (strstr(body, "&claims=") == NULL)
			without++;
		else if (strstr(body,
				 "&claims=%7B%22access_token%22%3A%7B%22nbf%22%3A%7B%22value"
				 "%22%3A%221%22%7D%7D%7D"))
			with++;
	}
	assert_int_equal(without, 1);
	assert_int_equal(with, 1);
	fixture_fini(&f);
}

static void a_second_401_is_the_answer(void **state)
{
	struct fixture f;
	struct outcome o;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", false);
	answers_token(&f, "tok-2", false);
	answers(&f, &(struct fake_answer){.always = true, .status = 401, .body = ""});
	o = got(&f);
	assert_int_equal(o.result.error.class, ARM_ERROR_TOKEN);
	assert_int_equal(arm_requests(&f), 2);
	fixture_fini(&f);
}

static void without_a_token_nothing_is_sent(void **state)
{
	struct fixture f;
	struct outcome o;

	(void)state;
	fixture_init(&f);
	answers(&f,
		&(struct fake_answer){.url_part = "/oauth2/",
			.status = 401,
			.body = "{\"error\":\"invalid_client\",\"error_description\":"
				"\"AADSTS7000222: expired\"}"});
	o = got(&f);
	assert_int_equal(o.result.error.class, ARM_ERROR_IDENTITY);
	assert_string_equal(o.result.error.code, "AADSTS7000222");
	assert_int_equal(o.status, 0);
	assert_int_equal(arm_requests(&f), 0);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_IDENTITY_MESSAGE), 1);
	fixture_fini(&f);
}

static void what_broke_is_sent_again_where_that_is_safe(void **state)
{
	static const struct {
		bool write;
		enum transport_result result;
		int status; /* of a reply that broke off */
		size_t sent;
		enum arm_error_class class; /* if it breaks each time */
	} rows[] = {
		{false, TRANSPORT_CONNECT, 0, 2, ARM_ERROR_TRANSIENT},
		{true, TRANSPORT_CONNECT, 0, 2, ARM_ERROR_TRANSIENT},
		{true, TRANSPORT_RESOLVE, 0, 2, ARM_ERROR_TRANSIENT},
		{false, TRANSPORT_BROKEN, 0, 2, ARM_ERROR_TRANSIENT},
		{true, TRANSPORT_BROKEN, 0, 1, ARM_ERROR_TRANSIENT},
		{false, TRANSPORT_BROKEN, 200, 1, ARM_ERROR_TRANSIENT},
		{false, TRANSPORT_TLS, 0, 1, ARM_ERROR_TRANSIENT},
		{false, TRANSPORT_TIMEOUT, 0, 1, ARM_ERROR_TRANSIENT},
		{false, TRANSPORT_TOO_LARGE, 200, 1, ARM_ERROR_TOO_LARGE},
		{false, TRANSPORT_CANCELED, 0, 1, ARM_ERROR_TRANSIENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct outcome o;

		fixture_init(&f);
		answers_token(&f, "tok-1", true);
		answers(&f,
			&(struct fake_answer){.always = true,
				.result = rows[i].result,
				.status = rows[i].status});
		if (rows[i].write)
			send_put(&f, "WDATP", &o);
		else
			send_get(&f, SUB_A, &o);
		pass(&f, DUR_S(5));
		assert_int_equal(o.times, 1);
		if (arm_requests(&f) != rows[i].sent)
			fail_msg("row %zu: sent %zu times", i, arm_requests(&f));
		assert_int_equal(o.result.error.class, rows[i].class);
		assert_int_equal(o.status, 0);
		fixture_fini(&f);
	}
}

static void the_second_attempt_may_succeed(void **state)
{
	struct fixture f;
	struct outcome o;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.result = TRANSPORT_CONNECT});
	answers(&f, &(struct fake_answer){.status = 200, .body = "{}"});
	o = got(&f);
	assert_int_equal(o.result.error.class, ARM_ERROR_NONE);
	fixture_fini(&f);
}

static void an_operation_is_polled_at_its_own_url(void **state)
{
	struct fixture f;
	struct outcome o = {.fixture = &f};

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.status = 200, .body = "{\"status\":\"InProgress\"}"});
	send_poll(&f, SMALL_ARM SIGNED, &o);
	pass(&f, DUR_S(1));
	assert_string_equal(arm_request_at(&f, 0)->request.url, SMALL_ARM SIGNED);
	assert_string_equal(arm_request_at(&f, 0)->request.method, "GET");
	assert_int_equal(o.result.error.class, ARM_ERROR_NONE);
	assert_string_equal(o.body, "{\"status\":\"InProgress\"}");
	fixture_fini(&f);
}

static void tokens_go_nowhere_else(void **state)
{
	static const char *const urls[] = {
		"https://management.azure.com.evil.test/x",
		"https://management.azure.com@evil.test/x",
		"https://management.azure.com:444/x",
		"http://management.azure.com/x",
		"https://evil.test/?https://management.azure.com/",
		"ftp://management.azure.com/",
		".evil.test/x",
		"@evil.test/x",
		"",
		"https://management.azure.com/a b",
		"https://management.azure.com/\r\nX: y",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct fixture f;
		struct outcome o = {.fixture = &f};

		fixture_init(&f);
		answers_token(&f, "tok-1", true);
		send_poll(&f, urls[i], &o);
		assert_int_equal(o.times, 0);
		pass(&f, DUR_S(1));
		assert_int_equal(o.times, 1);
		assert_int_equal(o.result.error.class, ARM_ERROR_REQUEST);
		assert_int_equal(fake_transport_count(net(&f)), 0);
		fixture_fini(&f);
	}
}

static void overlong_operation_urls_are_refused(void **state)
{
	struct fixture f;
	struct outcome o = {.fixture = &f};
	char *url = xmalloc(20000);

	(void)state;
	fixture_init(&f);
	memset(url, 'a', 20000);
	memcpy(url, SMALL_ARM "/", strlen(SMALL_ARM "/"));
	url[19999] = '\0';
	send_poll(&f, url, &o);
	pass(&f, DUR_S(1));
	assert_int_equal(o.result.error.class, ARM_ERROR_REQUEST);
	assert_int_equal(fake_transport_count(net(&f)), 0);
	free(url);
	fixture_fini(&f);
}

static void without_tls_nothing_is_sent(void **state)
{
	static const char *const bases[] = {"http://management.azure.com", "", "management"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		struct fixture f;

		fixture_init(&f);
		f.small.clouds[0].resource_manager = (char *)bases[i];
		configure(&f);
		assert_int_equal(got(&f).result.error.class, ARM_ERROR_IDENTITY);
		assert_int_equal(fake_transport_count(net(&f)), 0);
		fixture_fini(&f);
	}
}

static void the_report_holds_no_secret(void **state)
{
	struct fixture f;
	json_t *report;
	mdc_autofree char *text = NULL;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.status = 404, .body = ""});
	got(&f);
	report = arm_client_report(f.client);
	text = json_dumps(report, JSON_COMPACT);
	assert_null(strstr(text, "tok-1"));
	assert_non_null(strstr(text, "\"by_class\":{\"absent\":1}"));
	assert_non_null(strstr(text, "\"state\":\"valid\""));
	assert_non_null(strstr(text, "\"scope\":\"subscription\""));
	json_decref(report);
	fixture_fini(&f);
}

static void take_body(void *ctx, struct arm_result *result)
{
	char **body = ctx;

	*body = mdc_take(result->reply->body);
	result->reply->body_len = 0;
}

static void a_callee_may_keep_the_body(void **state)
{
	struct fixture f;
	struct arm_request r;
	char *body = NULL;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.status = 200, .body = "{\"kept\":1}"});
	arm_get_onboarding(SUB_A, &r);
	arm_client_call(f.client, "main", &r, ARM_URGENT, NULL, take_body, &body);
	pass(&f, DUR_S(1));
	assert_string_equal(body, "{\"kept\":1}");
	free(body);
	fixture_fini(&f);
}

static void bodies_over_arms_cap_are_not_sent(void **state)
{
	struct fixture f;
	struct outcome o;
	struct arm_request r;
	char *big = xmalloc(5 * 1024 * 1024);

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	memset(big, 'x', 5 * 1024 * 1024);
	big[5 * 1024 * 1024 - 1] = '\0';
	arm_put_pricing(SUB_A, json_pack("{s:s}", "properties", big), &r);
	send_request(&f, &r, ARM_URGENT, &o);
	pass(&f, DUR_S(1));
	assert_int_equal(o.result.error.class, ARM_ERROR_REQUEST);
	assert_int_equal(arm_requests(&f), 0);
	free(big);
	fixture_fini(&f);
}

static void an_idle_client_does_not_wake(void **state)
{
	struct fixture f;
	uint64_t turns;

	(void)state;
	fixture_init(&f);
	answers_token(&f, "tok-1", true);
	answers(&f, &(struct fake_answer){.always = true, .status = 200, .body = "{}"});
	got(&f);
	pass(&f, DUR_MIN(1));
	turns = loop_virtual_turns(f.fake.world.loop);
	pass(&f, DUR_DAYS(1));
	assert_int_equal(loop_virtual_turns(f.fake.world.loop), turns);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_goes_out_as_arm_wants_it),
		cmocka_unit_test(a_write_carries_its_body_and_correlation),
		cmocka_unit_test(calls_are_counted_by_what_they_spend),
		cmocka_unit_test(errors_come_back_with_their_class),
		cmocka_unit_test(an_expired_token_is_renewed_once),
		cmocka_unit_test(claims_that_are_asked_for_are_passed_on),
		cmocka_unit_test(a_second_401_is_the_answer),
		cmocka_unit_test(without_a_token_nothing_is_sent),
		cmocka_unit_test(what_broke_is_sent_again_where_that_is_safe),
		cmocka_unit_test(the_second_attempt_may_succeed),
		cmocka_unit_test(an_operation_is_polled_at_its_own_url),
		cmocka_unit_test(tokens_go_nowhere_else),
		cmocka_unit_test(overlong_operation_urls_are_refused),
		cmocka_unit_test(without_tls_nothing_is_sent),
		cmocka_unit_test(the_report_holds_no_secret),
		cmocka_unit_test(a_callee_may_keep_the_body),
		cmocka_unit_test(bodies_over_arms_cap_are_not_sent),
		cmocka_unit_test(an_idle_client_does_not_wake),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("arm_client", tests, NULL, NULL);
}
