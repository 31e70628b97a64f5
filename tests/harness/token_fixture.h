/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_fixture: one identity of the small configuration in a fake world, and how its sign-in ends.
 * For test files only: all of it is static.
 */
#ifndef MDC_TEST_TOKEN_FIXTURE_H
#define MDC_TEST_TOKEN_FIXTURE_H

#include "daemon/token_job.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/fake_world.h"
#include "tests/harness/small_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "s3cr~t+/=&%"
#define GOOD "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"tok.en-1\"}"

struct fixture {
	struct fake_world fake;
	struct small_config small;
	const char *audience;
	uint64_t requests;
};

static inline void setup(struct fixture *f)
{
	*f = (struct fixture){.audience = SMALL_ARM};
	fake_world_init(&f->fake, 7);
	small_config_init(&f->small);
	memory_files_put(f->fake.world.secrets, SMALL_SECRET_FILE, SECRET "\n");
}

static inline void teardown(struct fixture *f)
{
	fake_world_fini(&f->fake);
}

static inline struct identity_config *identity_of(struct fixture *f)
{
	return &f->small.identities[0];
}

static inline struct transport *net(struct fixture *f)
{
	return f->fake.world.transport;
}

static inline struct secret_files *files(struct fixture *f)
{
	return f->fake.world.secrets;
}

static inline const char *url_of(struct fixture *f, int i)
{
	return fake_transport_request(net(f), i)->request.url;
}

static inline void answers(struct fixture *f, int status, const char *body, const char *header)
{
	fake_transport_answer(net(f),
		&(struct fake_answer){
			.status = status, .body = body, .headers = {header}, .delay = DUR_MS(100)});
}

/* How a job ended. */
struct told {
	unsigned times;
	struct token_outcome outcome; /* without the token */
	char token[64];
};

static inline void note(void *ctx, struct token_outcome *o)
{
	struct told *t = ctx;

	t->times++;
	t->outcome = *o;
	assert_true((o->token != NULL) == (o->failure.class == ARM_ERROR_NONE));
	str_copy(t->token, sizeof(t->token), o->token != NULL ? o->token : "");
	t->outcome.token = NULL;
}

/* It has to end within that time. */
static inline struct told sign_in_within(struct fixture *f, struct dur limit)
{
	struct told t = {0};
	struct identity *id = identity_new(identity_of(f));
	struct token_job *job = token_job_new(&f->fake.world, id,
		&(struct token_wish){.audience = f->audience}, &f->requests, note, &t);

	assert_int_equal(t.times, 0);
	loop_virtual_run_for(f->fake.world.loop, limit);
	assert_int_equal(t.times, 1);
	token_job_free(job);
	identity_drop(id);
	return t;
}

static inline struct told sign_in(struct fixture *f)
{
	return sign_in_within(f, DUR_S(1));
}

static inline void assert_fails(const struct told *t, enum arm_error_class class, const char *says)
{
	if (t->outcome.failure.class != class || strstr(t->outcome.failure.message, says) == NULL)
		fail_msg("class %s: \"%s\" is not in \"%s\"",
			arm_error_class_name(t->outcome.failure.class), says,
			t->outcome.failure.message);
}

#endif
