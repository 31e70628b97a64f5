/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/token_job.h"

#include "daemon/cloud_discovery.h"
#include "daemon/token_reply.h"
#include "daemon/user_agent.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define JOB_MAGIC 0x70ce10bau
#define FILE_MAX (256 * 1024)

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

static const struct {
	const char *name;
	const struct token_method *method;
	bool application; /* signs in at the cloud's login host, with tenant and client */
} methods[] = {
	[IDENTITY_CLIENT_SECRET] = {"client-secret", &token_method_secret, true},
	[IDENTITY_CLIENT_CERTIFICATE] = {"client-certificate", &token_method_certificate, true},
	[IDENTITY_WORKLOAD] = {"workload-identity", &token_method_workload, true},
	[IDENTITY_MANAGED] = {"managed-identity", &token_method_imds, false},
	[IDENTITY_ARC] = {"arc-managed-identity", &token_method_arc, false},
	[IDENTITY_AZURE_CLI] = {"azure-cli", &token_method_cli, false},
};
_Static_assert(ARRAY_LEN(methods) == IDENTITY_METHOD_N_, "a row for each method");

struct token_job {
	uint32_t magic;
	const struct world *world;
	struct identity *identity;
	char *audience;
	char *claims;
	uint64_t *requests;
	token_done_fn done;
	void *ctx;
	const struct token_method *method;
	void *room; /* the method's */
	struct transfer *transfer;
	token_reply_fn reply;
	struct loop_timer *pause;
	token_step_fn then;
	struct loop_timer *ending; /* so that `done` is never called from within the start */
	bool ended;
	struct token_outcome outcome;
};

void secret_free(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

bool token_is_header_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	return len > 0;
}

const char *token_method_name(enum identity_method method)
{
	return methods[method].name;
}

const struct identity *token_job_identity(const struct token_job *job)
{
	return job->identity;
}

const struct world *token_job_world(const struct token_job *job)
{
	return job->world;
}

const char *token_job_audience(const struct token_job *job)
{
	return job->audience;
}

const char *token_job_environment(const struct token_job *job, const char *name)
{
	const char *value = job->world->environment != NULL ? job->world->environment(name) : NULL;

	return str_empty(value) ? NULL : value;
}

void *token_job_room(struct token_job *job, size_t size)
{
	if (job->room == NULL)
		job->room = xcalloc(1, size);
	return job->room;
}

struct token_outcome *token_job_outcome(struct token_job *job)
{
	return &job->outcome;
}

static void ended(void *ctx)
{
	struct token_job *job = ctx;

	MDC_MAGIC_CHECK(job, JOB_MAGIC);
	job->done(job->ctx, &job->outcome);
}

void token_job_end(struct token_job *job)
{
	assert(!job->ended);
	job->ended = true;
	job->world->loop->ops->timer_arm(job->ending, loop_mono(job->world->loop));
}

void token_job_fail(struct token_job *job, enum arm_error_class class, const char *format, ...)
{
	struct arm_error *e = &job->outcome.failure;
	va_list args;

	secret_free(job->outcome.token);
	job->outcome.token = NULL;
	*e = (struct arm_error){.class = class, .code = "SignIn"};
	va_start(args, format);
	vsnprintf(e->message, sizeof(e->message), format, args);
	va_end(args);
	token_job_end(job);
}

static void pause_over(void *ctx)
{
	struct token_job *job = ctx;

	MDC_MAGIC_CHECK(job, JOB_MAGIC);
	job->then(job);
}

void token_job_wait(struct token_job *job, struct dur pause, token_step_fn then)
{
	struct loop *l = job->world->loop;

	assert(job->transfer == NULL && !job->ended);
	job->then = then;
	l->ops->timer_arm(job->pause, mono_add(loop_mono(l), pause));
}

static void transferred(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply)
{
	struct token_job *job = ctx;

	MDC_MAGIC_CHECK(job, JOB_MAGIC);
	job->transfer = NULL;
	if (result == TRANSPORT_OK)
		job->reply(job, reply);
	else
		token_job_fail(job, ARM_ERROR_TRANSIENT, "%s: %s%s%s",
			transport_result_text(result), detail,
			job->method->hint != NULL ? "; " : "",
			job->method->hint != NULL ? job->method->hint : "");
}

void token_job_send(struct token_job *job, struct http_request *take_request, token_reply_fn reply)
{
	struct transport *t = job->world->transport;
	struct transport_route route = identity_route(job->identity);
	char id[GUID_TEXT_SIZE];

	assert(job->transfer == NULL && !job->ended);
	random_guid(job->world->random, id);
	http_headers_add(&take_request->headers, "Accept", "application/json");
	http_headers_add(&take_request->headers, "User-Agent", USER_AGENT);
	http_headers_add(&take_request->headers, "client-request-id", id);
	job->reply = reply;
	++*job->requests;
	job->transfer = t->ops->start(t, take_request, &route, transferred, job);
}

char *token_job_read_bytes(
	struct token_job *job, const char *what, const char *path, size_t *ret_len)
{
	char *text = NULL;
	size_t len;
	int error;

	if (str_empty(path)) {
		token_job_fail(job, ARM_ERROR_IDENTITY, "no %s is configured", what);
		return NULL;
	}
	error = job->world->secrets->read(job->world->secrets, path, FILE_MAX, &text, &len);
	if (error != 0) {
		/* -EAGAIN: somebody is writing it. */
		token_job_fail(job, error == -EAGAIN ? ARM_ERROR_TRANSIENT : ARM_ERROR_IDENTITY,
			"%s %s: %s", what, path, strerror(-error));
		return NULL;
	}
	if (len == 0) {
		free(text);
		token_job_fail(job, ARM_ERROR_IDENTITY, "%s %s is empty", what, path);
		return NULL;
	}
	*ret_len = len;
	return text;
}

static void trim_newline(char *text, size_t *len)
{
	if (*len > 0 && text[*len - 1] == '\n')
		text[--*len] = '\0';
	if (*len > 0 && text[*len - 1] == '\r')
		text[--*len] = '\0';
}

static const char *fault_of_line(const char *text, size_t len)
{
	if (len == 0)
		return "is empty";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return "is not one line of text";
	return NULL;
}

char *token_job_read_line(struct token_job *job, const char *what, const char *path)
{
	size_t len;
	char *text = token_job_read_bytes(job, what, path, &len);
	const char *fault;

	if (text == NULL)
		return NULL;
	trim_newline(text, &len);
	fault = fault_of_line(text, len);
	if (fault == NULL)
		return text;
	explicit_bzero(text, len);
	free(text);
	token_job_fail(job, ARM_ERROR_IDENTITY, "%s %s %s", what, path, fault);
	return NULL;
}

char *token_form_field(const char *name, const char *value)
{
	char *encoded = http_percent_encode(value);
	size_t size = strlen(name) + strlen(encoded) + sizeof("&=");
	char *field = xmalloc(size);

	snprintf(field, size, "&%s=%s", name, encoded);
	secret_free(encoded);
	return field;
}

char *token_job_endpoint(const struct token_job *job)
{
	const char *login = job->identity->cloud.login;
	mdc_autofree char *tenant = http_percent_encode(job->identity->config.tenant);
	size_t len = strlen(login);

	while (len > 0 && login[len - 1] == '/')
		len--;
	return xasprintf("%.*s/%s/oauth2/v2.0/token", (int)len, login, tenant);
}

static void token_arrived(struct token_job *job, struct http_reply *reply)
{
	token_reply_read(reply, loop_wall(job->world->loop), &job->outcome);
	token_job_end(job);
}

/* One allocation of the right size: no copy of the proof is left behind. */
static char *client_form(const struct token_job *job, const char *proof)
{
	mdc_autofree char *scope = xasprintf("%s/.default", job->audience);
	mdc_autofree char *scope_field = token_form_field("scope", scope);
	mdc_autofree char *client = token_form_field("client_id", job->identity->config.client);
	mdc_autofree char *claims =
		job->claims != NULL ? token_form_field("claims", job->claims) : xstrdup("");
	static const char grant[] = "grant_type=client_credentials";
	size_t size = sizeof(grant) + strlen(client) + strlen(scope_field) + strlen(claims) +
		strlen(proof);
	char *form = xmalloc(size);

	snprintf(form, size, "%s%s%s%s%s", grant, client, scope_field, claims, proof);
	return form;
}

void token_job_ask(struct token_job *job, const char *proof)
{
	struct http_request request = {0};
	mdc_autofree char *endpoint = token_job_endpoint(job);

	if (!str_starts_nocase(endpoint, "https://")) {
		token_job_fail(job, ARM_ERROR_IDENTITY, "login %s is not an https URL",
			job->identity->cloud.login);
		return;
	}
	request.method = xstrdup("POST");
	request.url = mdc_take(endpoint);
	http_headers_add(&request.headers, "Content-Type", "application/x-www-form-urlencoded");
	request.body = client_form(job, proof);
	request.body_len = strlen(request.body);
	token_job_send(job, &request, token_arrived);
}

void token_job_assert(struct token_job *job, const char *assertion)
{
	char *type = token_form_field("client_assertion_type", ASSERTION_TYPE);
	char *field = token_form_field("client_assertion", assertion);
	size_t size = strlen(type) + strlen(field) + 1;
	char *proof = xmalloc(size);

	snprintf(proof, size, "%s%s", type, field);
	token_job_ask(job, proof);
	secret_free(proof);
	secret_free(field);
	secret_free(type);
}

static void start(struct token_job *job)
{
	const struct identity_config *c = &job->identity->config;
	bool application = methods[c->method].application;

	if (application && (str_empty(c->tenant) || str_empty(c->client)))
		token_job_fail(job, ARM_ERROR_IDENTITY, "no tenant or client is configured");
	else if (application && str_empty(c->cloud->login))
		cloud_discovery_tell(job);
	else
		job->method->start(job);
}

struct token_job *token_job_new(const struct world *w, struct identity *identity,
	const struct token_wish *wish, uint64_t *requests, token_done_fn done, void *ctx)
{
	struct token_job *job = xcalloc(1, sizeof(*job));

	job->magic = JOB_MAGIC;
	job->world = w;
	job->identity = identity_hold(identity);
	job->audience = xstrdup(wish->audience);
	job->claims = wish->claims != NULL ? xstrdup(wish->claims) : NULL;
	job->requests = requests;
	job->done = done;
	job->ctx = ctx;
	job->method = methods[identity->config.method].method;
	job->pause = loop_timer_new(w->loop, pause_over, job);
	job->ending = loop_timer_new(w->loop, ended, job);
	start(job);
	return job;
}

struct token_job *token_job_free(struct token_job *job)
{
	if (job == NULL)
		return NULL;
	MDC_MAGIC_CHECK(job, JOB_MAGIC);
	if (job->transfer != NULL)
		job->world->transport->ops->cancel(job->world->transport, job->transfer);
	if (!job->ended && job->method->stop != NULL)
		job->method->stop(job);
	job->pause = job->world->loop->ops->timer_free(job->pause);
	job->ending = job->world->loop->ops->timer_free(job->ending);
	free(job->room);
	secret_free(job->outcome.token);
	identity_drop(job->identity);
	free(job->audience);
	free(job->claims);
	job->magic = 0;
	free(job);
	return NULL;
}

uint64_t token_files_version(const struct world *w, const struct identity *identity)
{
	const char *const paths[] = {identity->config.secret_file, identity->config.certificate,
		identity->config.certificate_password_file, identity->config.federated_token_file};
	uint64_t versions[ARRAY_LEN(paths)] = {0};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		int error;

		if (str_empty(paths[i]))
			continue;
		error = w->secrets->version(w->secrets, paths[i], &versions[i]);
		if (error != 0)
			versions[i] = UINT64_MAX - (uint64_t)-error;
	}
	return str_hash(versions, sizeof(versions));
}
