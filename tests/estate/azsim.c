/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim: the simulated estate as a server for real processes. This file joins the parts, waits for
 * signals and gives the verdict.
 */
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/azsim_clock.h"
#include "tests/estate/azsim_face.h"
#include "tests/estate/azsim_file.h"
#include "tests/estate/azsim_options.h"
#include "tests/estate/azsim_socket.h"
#include "tests/estate/azsim_tls.h"
#include "tests/estate/estate.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILE_MAX (256 << 20)
#define TEXT_MAX (1 << 20)

enum exit_status { EXIT_GOOD = 0, EXIT_TROUBLE = 1, EXIT_MISUSE = 2, EXIT_BAD_VERDICT = 3 };

struct azsim {
	struct azsim_options options;
	struct azsim_clock clock;
	struct azsim_tls tls;
	struct azsim_sockets arm_sockets, login_sockets, imds_sockets, himds_sockets;
	char *arm_host, *login_host;
	struct estate *estate;
	struct azsim_lines *requests, *traffic;
	struct azsim_face *face;
	struct ev_loop *loop;
	ev_signal signals[4];
};

/* --- documents --- */

static int say(const struct diags *diags, int error)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);

	(void)diags_render(diags, &text);
	if (text.len > 0)
		fprintf(stderr, "%s", buf_str(&text));
	else if (error != 0)
		fprintf(stderr, "azsim: %s\n", strerror(-error));
	return error;
}

static int load_json(const char *name, json_t **ret)
{
	mdc_autofree char *text = NULL;
	json_error_t where;
	int error = azsim_file_read(name, FILE_MAX, &text);

	if (error == -ENOENT)
		fprintf(stderr, "azsim: %s: %s\n", name, strerror(ENOENT));
	if (error != 0)
		return error;
	*ret = json_loads(text, 0, &where);
	if (*ret != NULL)
		return 0;
	fprintf(stderr, "%s:%d: error: %s\n", name, where.line, where.text);
	return -EINVAL;
}

static int apply_faults(struct azsim *a)
{
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	json_t *faults = NULL;
	int error = load_json(a->options.faults_file, &faults);

	if (error == 0)
		error = say(&diags, estate_set_faults(a->estate, faults, &diags));
	json_decref(faults);
	return error;
}

/* For the group of the daemon that reads it, as the agent's are for the group himds. */
static void put_key(void *ctx, const char *name, const char *content)
{
	const struct azsim *a = ctx;
	const char *folder =
		a->options.himds_keys != NULL ? a->options.himds_keys : ESTATE_ARC_KEYS;
	mdc_autofree char *path = xasprintf("%s/%s", folder, name);

	if (azsim_file_write(path, content, strlen(content), 0640) != 0)
		fprintf(stderr, "azsim: %s cannot be written\n", path);
}

static int build_estate(struct azsim *a)
{
	const struct estate_options options = {
		.seed = a->options.seed,
		.start = a->clock.start,
		.arm_host = a->arm_host,
		.login_host = a->login_host,
		.defender_host = a->arm_host,
		.put_key = put_key,
		.put_key_ctx = a,
	};
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	json_t *document = NULL;
	int error;

	if (a->options.estate_file != NULL)
		error = load_json(a->options.estate_file, &document);
	else
		error = say(&diags,
			estate_generate(a->options.generate, options.seed, options.start, &diags,
				&document));
	if (error == 0)
		error = say(&diags, estate_new(&options, document, &diags, &a->estate));
	json_decref(document);
	if (error == 0 && a->options.faults_file != NULL)
		error = apply_faults(a);
	return error;
}

/* --- names and addresses --- */

static const char *name_of(const struct azsim_address *address)
{
	static const char *const any[] = {"*", "0.0.0.0", "::"};

	for (size_t i = 0; i < ARRAY_LEN(any); i++)
		if (str_equal(address->host, any[i]))
			return "localhost";
	return address->host;
}

/* "NAME:PORT" of "NAME", "NAME:PORT", "[ADDRESS]", "[ADDRESS]:PORT" or a bare IPv6 address. */
static char *with_port(const char *name, unsigned port)
{
	const char *first = strchr(name, ':');
	const char *last = strrchr(name, ':');

	if (name[0] == '[')
		return last != NULL && last[-1] == ']' ? xstrdup(name)
						       : xasprintf("%s:%u", name, port);
	if (first != last)
		return xasprintf("[%s]:%u", name, port);
	return first != NULL ? xstrdup(name) : xasprintf("%s:%u", name, port);
}

static void choose_hosts(struct azsim *a)
{
	const struct azsim_options *o = &a->options;
	const char *name = name_of(&o->listen);

	a->arm_host = with_port(o->arm_host != NULL ? o->arm_host : name, a->arm_sockets.port);
	if (o->login_host != NULL)
		a->login_host = with_port(o->login_host,
			a->login_sockets.n > 0 ? a->login_sockets.port : a->arm_sockets.port);
	else if (o->login_listen.host != NULL)
		a->login_host = with_port(name_of(&o->login_listen), a->login_sockets.port);
	else
		a->login_host = with_port(
			str_starts_nocase(a->arm_host, "localhost:") ? "127.0.0.1" : "localhost",
			a->arm_sockets.port);
}

static char *without_port(const char *host)
{
	const char *start = host + (*host == '[');

	return xstrndup(start, strcspn(start, *host == '[' ? "]" : ":"));
}

static int open_tls(struct azsim *a)
{
	const struct azsim_options *o = &a->options;
	mdc_autofree char *arm = without_port(a->arm_host);
	mdc_autofree char *login = without_port(a->login_host);
	const char *fixed[] = {"localhost", "127.0.0.1", "::1", arm, login};
	mdc_autofree const char **names =
		xcalloc(ARRAY_LEN(fixed) + o->tls_name_count, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		bool again = false;

		for (size_t k = 0; k < n; k++)
			again = again || str_equal_nocase(names[k], fixed[i]);
		if (!again)
			names[n++] = fixed[i];
	}
	for (size_t i = 0; i < o->tls_name_count; i++)
		names[n++] = o->tls_names[i];
	return azsim_tls_open(o->tls_dir, names, n, &a->tls);
}

static int open_sockets(struct azsim *a)
{
	int error = azsim_sockets_open(&a->options.listen, &a->arm_sockets);

	if (error == 0 && a->options.login_listen.host != NULL)
		error = azsim_sockets_open(&a->options.login_listen, &a->login_sockets);
	if (error == 0 && a->options.imds_listen.host != NULL)
		error = azsim_sockets_open(&a->options.imds_listen, &a->imds_sockets);
	if (error == 0 && a->options.himds_listen.host != NULL)
		error = azsim_sockets_open(&a->options.himds_listen, &a->himds_sockets);
	if (error == 0)
		choose_hosts(a);
	return error;
}

/* --- serving --- */

static int listen_on(struct azsim *a, struct azsim_sockets *sockets, const char *base)
{
	int error = 0;

	while (error == 0 && sockets->n > 0)
		error = azsim_face_listen(a->face, sockets->v[--sockets->n], base);
	return error;
}

static int serve(struct azsim *a)
{
	int error;

	a->face = azsim_face_new(&(struct azsim_face_setup){
		.loop = a->loop,
		.estate = a->estate,
		.clock = &a->clock,
		.requests = a->requests,
		.traffic = a->traffic,
		.tls = &a->tls,
		.arm_host = a->arm_host,
		.login_host = a->login_host,
		.one_port = a->options.login_listen.host == NULL,
	});
	error = listen_on(a, &a->arm_sockets, NULL);
	if (error == 0)
		error = listen_on(a, &a->login_sockets, NULL);
	if (error == 0)
		error = listen_on(a, &a->imds_sockets, "http://" ESTATE_VM_METADATA);
	return error != 0 ? error : listen_on(a, &a->himds_sockets, "http://" ESTATE_ARC_METADATA);
}

/* "NAME='http://HOST:PORT'" of a service that is there. */
static char *plain_url(
	const char *variable, const struct azsim_address *address, const struct azsim_sockets *s)
{
	mdc_autofree char *host = NULL;

	if (address->host == NULL)
		return xstrdup("");
	host = with_port(name_of(address), s->port);
	return xasprintf("%s='http://%s'\n", variable, host);
}

static int tell_ready(const struct azsim *a)
{
	mdc_autofree char *text = NULL, *imds = NULL, *himds = NULL;
	mdc_autofree char *ca_file = realpath(a->tls.ca_file, NULL);

	printf("azsim: ready https://%s (login https://%s, trust %s)\n", a->arm_host, a->login_host,
		a->tls.ca_file);
	fflush(stdout);
	if (a->options.ready_file == NULL)
		return 0;
	imds = plain_url("AZSIM_IMDS", &a->options.imds_listen, &a->imds_sockets);
	himds = plain_url("AZSIM_HIMDS", &a->options.himds_listen, &a->himds_sockets);
	text = xasprintf("AZSIM_ARM='https://%s'\nAZSIM_LOGIN='https://%s'\nAZSIM_CA='%s'\n"
			 "AZSIM_PID='%d'\n%s%s",
		a->arm_host, a->login_host, ca_file != NULL ? ca_file : a->tls.ca_file,
		(int)getpid(), imds, himds);
	return azsim_file_write(a->options.ready_file, text, strlen(text), 0644);
}

/* --- the verdict --- */

static void print_verdict(struct azsim *a)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);

	if (estate_verdict_render(a->estate, &text) == 0)
		printf("%s", buf_str(&text));
	fflush(stdout);
}

static int write_verdict(struct azsim *a)
{
	json_t *document;
	mdc_autofree char *text = NULL;

	if (a->options.verdict_file == NULL)
		return 0;
	document = estate_ledger_document(a->estate);
	text = json_dumps(document, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	json_decref(document);
	if (text == NULL)
		return -EINVAL;
	return azsim_file_write(a->options.verdict_file, text, strlen(text), 0644);
}

static enum exit_status conclude(struct azsim *a)
{
	struct estate_verdict verdict;

	estate_advance(a->estate, azsim_clock_now(&a->clock));
	print_verdict(a);
	if (write_verdict(a) != 0)
		return EXIT_TROUBLE;
	estate_verdict(a->estate, &verdict);
	return verdict.good ? EXIT_GOOD : EXIT_BAD_VERDICT;
}

/* --- signals --- */

static void signal_came(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct azsim *a = watcher->data;

	(void)events;
	switch (watcher->signum) {
	case SIGUSR1: print_verdict(a); break;
	case SIGHUP:
		if (a->options.faults_file != NULL && apply_faults(a) == 0)
			fprintf(stderr, "azsim: %s was read again\n", a->options.faults_file);
		break;
	default: ev_break(loop, EVBREAK_ALL); break;
	}
}

static void watch_signals(struct azsim *a)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};

	_Static_assert(ARRAY_LEN(numbers) == ARRAY_LEN(((struct azsim *)0)->signals), "one each");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		ev_signal_init(&a->signals[i], signal_came, numbers[i]);
		a->signals[i].data = a;
		ev_signal_start(a->loop, &a->signals[i]);
	}
	signal(SIGPIPE, SIG_IGN);
}

/* --- life --- */

static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int prepare(struct azsim *a)
{
	int error;

	raise_file_limit();
	a->loop = ev_default_loop(EVFLAG_NOENV);
	if (a->loop == NULL)
		return -ENOSYS;
	watch_signals(a);
	if ((error = open_sockets(a)) != 0 || (error = open_tls(a)) != 0)
		return error;
	azsim_clock_init(&a->clock, a->options.time_scale);
	if ((error = build_estate(a)) != 0 ||
		(error = azsim_lines_open(a->options.request_log, &a->requests)) != 0 ||
		(error = azsim_lines_open(a->options.traffic_log, &a->traffic)) != 0 ||
		(error = serve(a)) != 0)
		return error;
	return tell_ready(a);
}

static void finish(struct azsim *a)
{
	a->face = azsim_face_free(a->face);
	a->requests = azsim_lines_close(a->requests);
	a->traffic = azsim_lines_close(a->traffic);
	a->estate = estate_free(a->estate);
	azsim_sockets_close(&a->arm_sockets);
	azsim_sockets_close(&a->login_sockets);
	azsim_sockets_close(&a->imds_sockets);
	azsim_sockets_close(&a->himds_sockets);
	azsim_tls_fini(&a->tls);
	azsim_options_fini(&a->options);
	free(a->arm_host);
	free(a->login_host);
	if (a->loop != NULL)
		ev_loop_destroy(a->loop);
}

static enum exit_status run(struct azsim *a)
{
	if (prepare(a) != 0)
		return EXIT_TROUBLE;
	ev_run(a->loop, 0);
	a->face = azsim_face_free(a->face);
	azsim_lines_flush(a->requests);
	azsim_lines_flush(a->traffic);
	return conclude(a);
}

int main(int argc, char **argv)
{
	struct azsim a = {0};
	enum exit_status status = EXIT_GOOD;

	switch (azsim_options_parse(argc, argv, &a.options)) {
	case AZSIM_RUN: status = run(&a); break;
	case AZSIM_DONE: break;
	case AZSIM_MISUSED: status = EXIT_MISUSE; break;
	}
	finish(&a);
	return (int)status;
}
