/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_fixture: a whole daemon in virtual time against an estate in this process, with a real
 * state directory and configuration file, and short words for what its tests do again and again.
 * For test files only: all of it is static.
 */
#ifndef MDC_TEST_DAEMON_FIXTURE_H
#define MDC_TEST_DAEMON_FIXTURE_H

#include "daemon/commands.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate.h"
#include "tests/harness/fake_world.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ESTATE_SUB "30000000-0000-4000-8000-000000000001"
#define ESTATE_SUB_2 "30000000-0000-4000-8000-000000000002"
/* Two subscriptions, twenty machines, nothing switched on, Defender for Cloud reaches nobody. */
#define SMALL_ESTATE \
	"subscriptions=2,machines=20,unreached=100%,legacy=0%,linux=30%,lag=1s,pace=100"

#define FIXTURE_CLOUD \
	"cloud \"simulated\" { login = \"https://login.test\"\n" \
	"  resource-manager = \"https://arm.test\"  audience = \"https://management.azure.com\" " \
	"}\n" \
	"identity \"main\" { cloud = simulated  method = client-secret\n" \
	"  tenant = \"10000000-0000-4000-8000-000000000001\"\n" \
	"  client = \"20000000-0000-4000-8000-000000000001\"  secret-file = \"/secret\" }\n"
#define FIXTURE_POLICY \
	"policy \"servers\" { plan = P2  integration = on\n" \
	"  extension { deploy = after-grace  grace = 0s  first-grace = 0s } }\n"
#define FIXTURE_POLL "poll { subscriptions = 15m  machines = 5m  jitter = \"0%\" }\n"
#define FIXTURE_SCOPE(mode) \
	"scope \"all\" { identity = \"main\"  subscriptions = { \"*\" }  policy = \"servers\"  " \
	"mode = " mode " }\n"

struct fixture {
	struct fake_world fake;
	struct notify notify;
	struct buf notified; /* every datagram, with a blank line after each */
	struct estate *estate;
	struct estate_answer answer; /* the latest */
	char *header_texts[16];
	char directory[64];
	char *config_path;
	struct daemon_options options;
	struct diags diags;
	struct daemon *d;
	struct command_error error; /* of the latest command */
};

static inline void fixture_notified(struct notify *n, const char *state)
{
	struct fixture *f = container_of(n, struct fixture, notify);

	buf_adds(&f->notified, state);
	buf_addc(&f->notified, '\n');
}

static inline void fixture_forget_answer(struct fixture *f)
{
	estate_answer_fini(&f->answer);
	f->answer = (struct estate_answer){0};
	for (size_t i = 0; i < ARRAY_LEN(f->header_texts); i++) {
		free(f->header_texts[i]);
		f->header_texts[i] = NULL;
	}
}

static inline void fixture_serve(
	void *ctx, const struct http_request *request, struct mono now, struct fake_answer *ret)
{
	struct fixture *f = ctx;
	const struct http_reply *reply = &f->answer.reply;

	(void)now;
	fixture_forget_answer(f);
	estate_handle(f->estate, request, loop_wall(f->fake.world.loop), &f->answer);
	*ret = (struct fake_answer){
		.delay = f->answer.delay, .status = reply->status, .body = reply->body};
	for (size_t i = 0; i < reply->headers.n && i < ARRAY_LEN(f->header_texts); i++)
		ret->headers[i] = f->header_texts[i] =
			xasprintf("%s: %s", reply->headers.v[i].name, reply->headers.v[i].value);
	if (f->answer.delivery == ESTATE_ANSWERED)
		return;
	ret->status = 0;
	ret->hangs = f->answer.delivery == ESTATE_HANGS;
	ret->result = TRANSPORT_CONNECT;
}

static inline const char *fixture_environment(const char *name)
{
	(void)name;
	return NULL;
}

static inline char *fixture_path(const struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->directory, name);
}

static inline void fixture_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* The configuration file, with `rest` after what all of them have. */
static inline void fixture_configure(struct fixture *f, const char *rest)
{
	mdc_autofree char *text =
		xasprintf("state-directory = \"%s/state\"\n"
			  "control-socket = \"%s/control.sock\"\nlog = stderr\n%s%s%s",
			f->directory, f->directory, FIXTURE_CLOUD, FIXTURE_POLL, rest);

	fixture_write(f->config_path, text);
}

static inline void fixture_estate(struct fixture *f, const char *specification)
{
	const struct estate_options options = {.seed = 7,
		.start = loop_wall(f->fake.world.loop),
		.arm_host = "arm.test",
		.login_host = "login.test",
		.defender_host = "defender.test"};
	json_t *document = NULL;

	assert_int_equal(estate_generate(specification, 7, options.start, &f->diags, &document), 0);
	assert_int_equal(estate_new(&options, document, &f->diags, &f->estate), 0);
	json_decref(document);
}

static inline void fixture_init(struct fixture *f, const char *specification, const char *rest)
{
	memset(f, 0, sizeof(*f));
	fake_world_init(&f->fake, 11);
	f->notified = BUF_INIT(1 << 20);
	f->notify = (struct notify){.send = fixture_notified};
	f->fake.world.notify = &f->notify;
	f->fake.world.environment = fixture_environment;
	str_copy(f->directory, sizeof(f->directory),
		access("/dev/shm", W_OK) == 0 ? "/dev/shm/mdcd-daemon-XXXXXX"
					      : "/tmp/mdcd-daemon-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->config_path = fixture_path(f, "mdcd.conf");
	f->options = (struct daemon_options){.config_path = f->config_path, .once_limit = DUR_H(1)};
	fixture_configure(f, rest);
	memory_files_put(f->fake.world.secrets, "/secret", "estate-secret");
	fixture_estate(f, specification);
	fake_transport_serve(f->fake.world.transport, fixture_serve, f);
}

static inline void remove_tree(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		mdc_autofree char *name = xasprintf("%s/%s", path, e->d_name);

		if (str_equal(e->d_name, ".") || str_equal(e->d_name, ".."))
			continue;
		if (unlink(name) != 0)
			remove_tree(name);
	}
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

static inline void fixture_fini(struct fixture *f)
{
	f->d = daemon_free(f->d);
	fixture_forget_answer(f);
	fake_world_fini(&f->fake);
	f->estate = estate_free(f->estate);
	diags_fini(&f->diags);
	buf_fini(&f->notified);
	remove_tree(f->directory);
	free(f->config_path);
}

static inline void pass(struct fixture *f, struct dur time)
{
	loop_virtual_run_for(f->fake.world.loop, time);
}

static inline int fixture_try_new(struct fixture *f)
{
	struct config *config = NULL;

	diags_fini(&f->diags);
	if (config_files_load(f->config_path, fixture_environment, &f->diags, &config) != 0) {
		mdc_cleanup(buf_fini) struct buf text = BUF_INIT(65536);

		diags_render(&f->diags, &text);
		fail_msg("%s", buf_str(&text));
	}
	return daemon_new(&f->fake.world, &f->options, config, &f->diags, &f->d);
}

/* Begins; the first passes have not run. */
static inline void fixture_start(struct fixture *f)
{
	assert_int_equal(fixture_try_new(f), 0);
	daemon_start(f->d);
}

static inline void fixture_stop(struct fixture *f)
{
	f->d = daemon_free(f->d);
}

/* A daemon that has seen the whole estate. */
static inline void fixture_observed(struct fixture *f, const char *specification, const char *rest)
{
	fixture_init(f, specification, rest);
	fixture_start(f);
	pass(f, DUR_MIN(1));
	assert_true(wall_is_set(f->d->last_pass[PASS_MACHINES].ended));
	assert_int_equal(f->d->last_pass[PASS_MACHINES].problems, 0);
}

/* --- commands --- */

static const struct command_caller admin = {
	.name = "alice (uid 1000)", .may_read = true, .may_change = true};
static const struct command_caller reader = {.name = "rita (uid 1001)", .may_read = true};
static const struct command_caller nobody = {.name = "uid 65534"};

/* `arguments` as JSON, or NULL. The result is the caller's; NULL is a refusal in f->error. */
static inline json_t *run_as(struct fixture *f, const struct command_caller *caller,
	const char *command, const char *arguments)
{
	json_t *parsed = arguments != NULL ? json_loads(arguments, 0, NULL) : NULL;
	json_t *result;

	assert_true(arguments == NULL || parsed != NULL);
	result = command_run(f->d, caller, command, parsed, &f->error);
	json_decref(parsed);
	return result;
}

static inline json_t *ask(struct fixture *f, const char *command, const char *arguments)
{
	json_t *result = run_as(f, &admin, command, arguments);

	if (result == NULL)
		fail_msg("%s %s: %s: %s", command, arguments != NULL ? arguments : "",
			f->error.code, f->error.message);
	return result;
}

static inline void tell(struct fixture *f, const char *command, const char *arguments)
{
	json_decref(ask(f, command, arguments));
}

/* It is refused with this code. */
static inline void refused(
	struct fixture *f, const char *command, const char *arguments, const char *code)
{
	json_t *result = run_as(f, &admin, command, arguments);

	json_decref(result);
	assert_null(result);
	assert_string_equal(f->error.code, code);
	assert_string_not_equal(f->error.message, "");
}

/* "scopes.0.name" of a document; NULL where it is not there. */
static inline const json_t *at(const json_t *document, const char *path)
{
	mdc_autofree char *copy = xstrdup(path);
	char *rest = copy, *name;

	while (document != NULL && (name = strsep(&rest, ".")) != NULL)
		document = json_is_array(document)
			? json_array_get(document, (size_t)strtoul(name, NULL, 10))
			: json_object_get(document, name);
	return document;
}

static inline const char *text_at(const json_t *document, const char *path)
{
	return json_string_value(at(document, path));
}

static inline json_int_t number_at(const json_t *document, const char *path)
{
	const json_t *value = at(document, path);

	if (!json_is_integer(value))
		fail_msg("%s is not a number", path);
	return json_integer_value(value);
}

/* Any machine, always the same. */
static inline struct machine *any_machine(struct fixture *f)
{
	size_t place = 0;

	return map_walk(&f->d->inventory->machines, &place)->value;
}

static inline char *target_of(const char *resource)
{
	return xasprintf("{\"target\":\"%s\"}", resource);
}

/* The row of a control in a list of an answer. */
static inline const json_t *control_in(
	const json_t *document, const char *list, const char *control)
{
	json_t *row;
	size_t i;

	json_array_foreach (at(document, list), i, row)
		if (str_equal(text_at(row, "control"), control))
			return row;
	fail_msg("no %s in %s", control, list);
	return NULL;
}

#endif
