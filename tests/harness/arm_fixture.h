/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm_fixture: an ARM client in a fake world with the small configuration, and short words for what
 * its tests do again and again. For test files only: all of it is static.
 */
#ifndef MDC_TEST_ARM_FIXTURE_H
#define MDC_TEST_ARM_FIXTURE_H

#include "daemon/arm_client.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/fake_world.h"
#include "tests/harness/small_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SUB_A "aaaaaaaa-0000-0000-0000-000000000001"
#define SUB_B "bbbbbbbb-0000-0000-0000-000000000002"
#define REMAINING "x-ms-ratelimit-remaining-"

struct fixture {
	struct fake_world fake;
	struct small_config small;
	struct arm_client *client;
};

/* What a call ended with; its address is the call's context. */
struct outcome {
	unsigned times;
	struct arm_result result; /* without the reply */
	int status;               /* of the reply; 0: none */
	char body[256];
	struct mono at;
	struct fixture *fixture;
};

static inline void configure(struct fixture *f)
{
	arm_client_configure(f->client, &f->small.config);
}

static inline void fixture_init(struct fixture *f)
{
	fake_world_init(&f->fake, 11);
	small_config_init(&f->small);
	memory_files_put(f->fake.world.secrets, SMALL_SECRET_FILE, "the-secret");
	f->client = arm_client_new(&f->fake.world);
	configure(f);
}

/* Fails when a token ("tok-…") or a signature ("signature-secret") was logged. */
static inline void fixture_fini(struct fixture *f)
{
	arm_client_free(f->client);
	assert_false(log_capture_holds(f->fake.capture, "tok-"));
	assert_false(log_capture_holds(f->fake.capture, "signature-secret"));
	fake_world_fini(&f->fake);
}

static inline struct transport *net(struct fixture *f)
{
	return f->fake.world.transport;
}

static inline void pass(struct fixture *f, struct dur time)
{
	loop_virtual_run_for(f->fake.world.loop, time);
}

static inline void answers(struct fixture *f, const struct fake_answer *a)
{
	fake_transport_answer(net(f), a);
}

static inline void answers_token(struct fixture *f, const char *token, bool always)
{
	mdc_autofree char *body = xasprintf("{\"access_token\":\"%s\",\"expires_in\":3599}", token);

	answers(f,
		&(struct fake_answer){.url_part = "/oauth2/",
			.always = always,
			.status = 200,
			.body = body,
			.delay = DUR_MS(20)});
}

/* The arm_done_fn of all calls. */
static inline void ended(void *ctx, struct arm_result *result)
{
	struct outcome *o = ctx;

	o->times++;
	o->result = *result;
	o->result.reply = NULL;
	o->status = result->reply != NULL ? result->reply->status : 0;
	str_copy(o->body, sizeof(o->body), result->reply != NULL ? result->reply->body : "");
	o->at = loop_mono(o->fixture->fake.world.loop);
}

static inline struct arm_call *send_request(
	struct fixture *f, struct arm_request *r, enum arm_priority priority, struct outcome *o)
{
	*o = (struct outcome){.fixture = f};
	return arm_client_call(f->client, "main", r, priority, NULL, ended, o);
}

static inline struct arm_call *send_get(
	struct fixture *f, const char *subscription, struct outcome *o)
{
	struct arm_request r;

	arm_get_pricing(subscription, &r);
	return send_request(f, &r, ARM_NORMAL, o);
}

static inline struct arm_call *send_put(struct fixture *f, const char *setting, struct outcome *o)
{
	struct arm_request r;

	arm_put_setting(SUB_A, setting, true, &r);
	return send_request(f, &r, ARM_URGENT, o);
}

static inline struct arm_call *send_poll(struct fixture *f, const char *url, struct outcome *o)
{
	*o = (struct outcome){.fixture = f};
	return arm_client_poll(f->client, "main", SUB_A, url, ended, o);
}

/* Sends a GET and waits for its end. */
static inline struct outcome got(struct fixture *f)
{
	struct outcome o;

	send_get(f, SUB_A, &o);
	pass(f, DUR_S(1));
	assert_int_equal(o.times, 1);
	return o;
}

/* What went to ARM, without what went to the token endpoint; NULL past the end. */
static inline const struct fake_request *arm_request_at(struct fixture *f, size_t n)
{
	for (size_t i = 0; i < fake_transport_count(net(f)); i++) {
		const struct fake_request *r = fake_transport_request(net(f), (int)i);

		if (strstr(r->request.url, "/oauth2/") == NULL && n-- == 0)
			return r;
	}
	return NULL;
}

static inline size_t arm_requests(struct fixture *f)
{
	size_t n = 0;

	while (arm_request_at(f, n) != NULL)
		n++;
	return n;
}

static inline const char *arm_header(struct fixture *f, size_t n, const char *name)
{
	return http_headers_get(&arm_request_at(f, n)->request.headers, name);
}

#endif
