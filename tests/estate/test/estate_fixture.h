/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estate_fixture: an estate with a clock for tests, and short ways to ask it. Everything is
 * `static inline`, since every test file stands alone.
 */
#ifndef MDC_TEST_ESTATE_FIXTURE_H
#define MDC_TEST_ESTATE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Order matters to cmocka. */
#include <cmocka.h>

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate.h"
#include "tests/estate/estate_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENANT "10000000-0000-4000-8000-000000000001"
#define CLIENT "20000000-0000-4000-8000-000000000001"
#define SUB "30000000-0000-4000-8000-000000000001"
#define SUB2 "30000000-0000-4000-8000-000000000002"
#define ARM "https://management.test"
#define LOGIN "https://login.test"
#define SUB_PATH "/subscriptions/" SUB
#define SECURITY SUB_PATH "/providers/Microsoft.Security"
#define MACHINES SUB_PATH "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines"
#define MACHINE MACHINES "/m1"
#define ARC "api-version=2025-01-13"
#define PLAN SECURITY "/pricings/VirtualMachines?api-version=2024-01-01"
#define SETTING(name) SECURITY "/settings/" name "?api-version=2022-05-01"

struct fixture {
	struct estate *e;
	struct wall now;
	char *token;
	struct estate_answer answer; /* the latest */
	json_t *doc;                 /* its body, NULL when it is not JSON */
	const char *correlation;     /* sent with requests when set */
};

static inline json_t *parse(const char *text)
{
	json_error_t error;
	json_t *doc = json_loads(text, 0, &error);

	if (doc == NULL)
		fail_msg("%s at %d: %s", error.text, error.position, text);
	return doc;
}

static inline void fixture_forget(struct fixture *f)
{
	estate_answer_fini(&f->answer);
	json_decref(f->doc);
	f->doc = NULL;
}

static inline void fixture_close(struct fixture *f)
{
	fixture_forget(f);
	free(f->token);
	f->e = estate_free(f->e);
}

/* Sends what is given and keeps the answer; the clock moves to when it arrives. */
static inline int send_raw(struct fixture *f, const char *method, const char *url,
	const char *const *headers, const char *body)
{
	struct http_request r = {.method = xstrdup(method), .url = xstrdup(url)};

	fixture_forget(f);
	for (; headers != NULL && headers[0] != NULL; headers += 2)
		http_headers_add(&r.headers, headers[0], headers[1]);
	if (body != NULL) {
		r.body = xstrdup(body);
		r.body_len = strlen(body);
	}
	estate_handle(f->e, &r, f->now, &f->answer);
	http_request_fini(&r);
	if (f->answer.reply.body != NULL)
		f->doc = json_loadb(f->answer.reply.body, f->answer.reply.body_len, 0, NULL);
	return f->answer.reply.status;
}

static inline int call(struct fixture *f, const char *method, const char *path, const char *body)
{
	mdc_autofree char *url =
		str_starts_nocase(path, "https://") ? xstrdup(path) : xasprintf(ARM "%s", path);
	mdc_autofree char *bearer = xasprintf("Bearer %s", f->token != NULL ? f->token : "");
	const char *headers[7] = {"Authorization", bearer};
	size_t n = 2;

	if (body != NULL) {
		headers[n++] = "Content-Type";
		headers[n++] = "application/json";
	}
	if (f->correlation != NULL) {
		headers[n++] = "x-ms-correlation-request-id";
		headers[n++] = f->correlation;
	}
	return send_raw(f, method, url, headers, body);
}

static inline int get(struct fixture *f, const char *path)
{
	return call(f, "GET", path, NULL);
}

static inline int put(struct fixture *f, const char *path, const char *body)
{
	return call(f, "PUT", path, body);
}

/* A token for a client with that secret; replaces the fixture's own. */
static inline int log_in(struct fixture *f, const char *client, const char *secret)
{
	static const char *const form[] = {
		"Content-Type", "application/x-www-form-urlencoded", NULL};
	mdc_autofree char *body = xasprintf("grant_type=client_credentials&client_id=%s"
					    "&client_secret=%s&scope=https%%3A%%2F%%2Fmanagement."
					    "test%%2F.default",
		client, secret);
	int status = send_raw(f, "POST", LOGIN "/" TENANT "/oauth2/v2.0/token", form, body);

	free(f->token);
	f->token = NULL;
	if (status == 200)
		f->token = xstrdup(tree_text(f->doc, "access_token"));
	return status;
}

static inline void pass(struct fixture *f, struct dur d)
{
	f->now = wall_add(f->now, d);
	estate_advance(f->e, f->now);
}

/* Until the latest answer has arrived, and its effect with it. */
static inline void arrive(struct fixture *f)
{
	pass(f, f->answer.delay);
}

static inline const char *answer_header_of(const struct fixture *f, const char *name)
{
	return http_headers_get(&f->answer.reply.headers, name);
}

static inline const char *text(const struct fixture *f, const char *path)
{
	return tree_text(f->doc, path);
}

static inline const char *error_code(const struct fixture *f)
{
	const char *code = tree_text(f->doc, "error.code");

	return code != NULL ? code : "";
}

#define assert_refused(f, status_, code_) \
	do { \
		assert_int_equal((f)->answer.reply.status, status_); \
		assert_string_equal(error_code(f), code_); \
	} while (0)

static inline const char *peek(struct fixture *f, const char *id, const char *path)
{
	return tree_text(estate_peek(f->e, id), path);
}

static inline struct estate_verdict verdict(struct fixture *f)
{
	struct estate_verdict v;

	estate_verdict(f->e, &v);
	return v;
}

/* Makes an estate from a document; the clock stands at 2026-11-24T08:00:00Z. */
static inline void fixture_open_json(struct fixture *f, json_t *take_document)
{
	struct estate_options options = {.seed = 7,
		.arm_host = "management.test",
		.login_host = "login.test",
		.defender_host = "defender.test"};
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct buf errors = BUF_INIT(65536);

	*f = (struct fixture){0};
	assert_int_equal(wall_parse("2026-11-24T08:00:00Z", &f->now), 0);
	options.start = f->now;
	if (estate_new(&options, take_document, &diags, &f->e) != 0) {
		diags_render(&diags, &errors);
		fail_msg("%s", buf_str(&errors));
	}
	json_decref(take_document);
	if (log_in(f, CLIENT, "secret") != 200)
		fail_msg("%s", f->answer.reply.body);
}

/*
 * One tenant, one owner, one subscription whose members are `subscription` (a JSON text without
 * braces, may be ""), and `behaviour` likewise. Latencies and the lag of Resource Graph are 0.
 */
static inline json_t *fixture_document(const char *subscription, const char *behaviour)
{
	mdc_autofree char *text_ = xasprintf(
		"{\"tenants\":[{\"id\":\"" TENANT "\",\"domain\":\"contoso.test\"}],"
		"\"principals\":[{\"tenant\":\"" TENANT "\",\"client\":\"" CLIENT "\","
		"\"secret\":\"secret\",\"roles\":[{\"scope\":\"/\",\"role\":\"Owner\"}]}],"
		"\"subscriptions\":[{\"id\":\"" SUB "\",\"name\":\"one\",\"tenant\":\"" TENANT
		"\"%s%s}],\"behaviour\":{\"latency\":{\"read\":\"0s\",\"write\":\"0s\","
		"\"token\":\"0s\",\"graph\":\"0s\"},\"graph\":{\"lag\":\"0s\"}%s%s}}",
		*subscription != '\0' ? "," : "", subscription, *behaviour != '\0' ? "," : "",
		behaviour);

	return parse(text_);
}

static inline void fixture_open(struct fixture *f, const char *subscription, const char *behaviour)
{
	fixture_open_json(f, fixture_document(subscription, behaviour));
}

#define RUN_ESTATE_TESTS(tests) \
	int main(void) \
	{ \
		cmocka_set_message_output(CM_OUTPUT_TAP); \
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}

#endif
