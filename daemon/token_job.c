/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/token_job.h"

#include "daemon/token_reply.h"
#include "daemon/user_agent.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define JOB_MAGIC 0x70ce10bau
#define FILE_MAX (256 * 1024)

static const struct {
	const char *name;
	const struct token_method *method; /* NULL: not in this version */
	bool application;                  /* needs tenant and client */
} methods[] = {
	[IDENTITY_CLIENT_SECRET] = {"client-secret", &token_method_secret, true},
	[IDENTITY_CLIENT_CERTIFICATE] = {"client-certificate", &token_method_certificate, true},
	[IDENTITY_WORKLOAD] = {"workload-identity", NULL, true},
	[IDENTITY_MANAGED] = {"managed-identity", NULL, false},
	[IDENTITY_ARC] = {"arc-managed-identity", NULL, false},
	[IDENTITY_AZURE_CLI] = {"azure-cli", NULL, false},
};
_Static_assert(ARRAY_LEN(methods) == IDENTITY_METHOD_N_, "a row for each method");

struct token_job {
	uint32_t magic;
	const struct world *world;
	struct identity *identity;
	char *audience;
	uint64_t *requests;
	token_done_fn done;
	void *ctx;
	struct transfer *transfer;
	token_reply_fn reply;
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

static void ended(void *ctx)
{
	struct token_job *job = ctx;

	MDC_MAGIC_CHECK(job, JOB_MAGIC);
	job->done(job->ctx, &job->outcome);
}

static void end(struct token_job *job)
{
	assert(!job->ended);
	job->ended = true;
	job->world->loop->ops->timer_arm(job->ending, loop_mono(job->world->loop));
}

void token_job_fail(struct token_job *job, enum arm_error_class class, const char *format, ...)
{
	struct arm_error *e = &job->outcome.failure;
	va_list args;

	*e = (struct arm_error){.class = class, .code = "SignIn"};
	va_start(args, format);
	vsnprintf(e->message, sizeof(e->message), format, args);
	va_end(args);
	end(job);
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
		token_job_fail(
			job, ARM_ERROR_TRANSIENT, "%s: %s", transport_result_text(result), detail);
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

static void trim_newline(char *text, size_t *len)
{
	if (*len > 0 && text[*len - 1] == '\n')
		text[--*len] = '\0';
	if (*len > 0 && text[*len - 1] == '\r')
		text[--*len] = '\0';
}

char *token_job_read(struct token_job *job, const char *what, const char *path, size_t *ret_len)
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
	trim_newline(text, &len);
	if (len == 0) {
		secret_free(text);
		token_job_fail(job, ARM_ERROR_IDENTITY, "%s %s is empty", what, path);
		return NULL;
	}
	*ret_len = len;
	return text;
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
	end(job);
}

/* One allocation of the right size: no copy of the proof is left behind. */
static char *client_form(const struct token_job *job, const char *proof)
{
	mdc_autofree char *scope = xasprintf("%s/.default", job->audience);
	mdc_autofree char *scope_field = token_form_field("scope", scope);
	mdc_autofree char *client = token_form_field("client_id", job->identity->config.client);
	static const char grant[] = "grant_type=client_credentials";
	size_t size = sizeof(grant) + strlen(client) + strlen(scope_field) + strlen(proof);
	char *form = xmalloc(size);

	snprintf(form, size, "%s%s%s%s", grant, client, scope_field, proof);
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

static void start(struct token_job *job)
{
	const struct identity_config *c = &job->identity->config;

	if (methods[c->method].method == NULL)
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"the sign-in method %s is not available in this version",
			methods[c->method].name);
	else if (methods[c->method].application && (str_empty(c->tenant) || str_empty(c->client)))
		token_job_fail(job, ARM_ERROR_IDENTITY, "no tenant or client is configured");
	else
		methods[c->method].method->start(job);
}

struct token_job *token_job_new(const struct world *w, struct identity *identity,
	const char *audience, uint64_t *requests, token_done_fn done, void *ctx)
{
	struct token_job *job = xcalloc(1, sizeof(*job));

	job->magic = JOB_MAGIC;
	job->world = w;
	job->identity = identity_hold(identity);
	job->audience = xstrdup(audience);
	job->requests = requests;
	job->done = done;
	job->ctx = ctx;
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
	job->ending = job->world->loop->ops->timer_free(job->ending);
	secret_free(job->outcome.token);
	identity_drop(job->identity);
	free(job->audience);
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
