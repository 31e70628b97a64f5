/* SPDX-License-Identifier: Apache-2.0 */
/* arm_call: carries out what lib/engine/call.c wants for one call. */
#include "daemon/arm_client_parts.h"

#include "daemon/jwt_claims.h"
#include "daemon/token_job.h"
#include "lib/azure/arm_headers.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE DUR_MIN(10)
/* What was read right before a write has an age limit of its own (write_rules.h). */
#define PATIENCE_OF_WRITES DUR_MIN(2)
/* Where the governor cannot tell: calls in flight have to come back first. */
#define WAIT_UNKNOWN DUR_MIN(1)

static void step(struct arm_call *call, enum call_input_kind input, const struct arm_error *error);

static struct mono now_of(const struct arm_call *call)
{
	return loop_mono(call->client->world->loop);
}

static bool is_write(const struct arm_call *call)
{
	return call->request.quota == ARM_QUOTA_WRITE || call->request.quota == ARM_QUOTA_DELETE;
}

static struct quota_call quota_of(const struct arm_call *call)
{
	return arm_client_quota(
		call->identity, call->request.subscription, call->provider, call->request.quota);
}

static struct arm_error error_of(enum arm_error_class class, const char *code, const char *message)
{
	struct arm_error error = {.class = class};

	str_copy(error.code, sizeof(error.code), code);
	str_copy(error.message, sizeof(error.message), message);
	return error;
}

/* The governor learns what came of an admission. */
static void land(struct arm_call *call, const struct quota_answer *answer)
{
	struct quota_call quota;

	if (!call->admitted)
		return;
	quota = quota_of(call);
	call->admitted = false;
	call->client->on_wire--;
	governor_answered(call->governor, &quota, &call->queued.ticket, answer, now_of(call));
	call_queue_answered(call->client->queue, &quota);
	arm_client_dispatch_at(call->client, now_of(call));
}

static void land_unanswered(struct arm_call *call, bool unsent)
{
	land(call, &(struct quota_answer){.status = 0, .unsent = unsent});
}

static void drop_token(struct arm_call *call)
{
	secret_free(call->token);
	call->token = NULL;
}

/* Everything that belongs to one way through the machine. */
static void withdraw(struct arm_call *call)
{
	struct arm_client *c = call->client;
	bool unsent = call->transfer == NULL;

	if (call->waiter != NULL)
		credentials_cancel(c->credentials, call->waiter);
	call->waiter = NULL;
	call_queue_remove(c->queue, &call->queued);
	if (call->transfer != NULL)
		c->world->transport->ops->cancel(c->world->transport, call->transfer);
	call->transfer = NULL;
	land_unanswered(call, unsent);
	drop_token(call);
	http_reply_fini(&call->reply);
	secret_free(call->url);
	call->url = NULL;
	call->identity = identity_drop(call->identity);
}

void arm_call_free(struct arm_call *call)
{
	MDC_MAGIC_CHECK(call, ARM_CALL_MAGIC);
	withdraw(call);
	list_remove(&call->link);
	arm_request_fini(&call->request);
	secret_free(call->operation_url);
	free(call->identity_name);
	call->magic = 0;
	free(call);
}

void arm_call_restart(struct arm_call *call)
{
	withdraw(call);
	list_remove(&call->link);
	list_append(&call->client->fresh, &call->link);
	arm_client_dispatch_at(call->client, now_of(call));
}

static const char *base_of(const struct arm_call *call)
{
	return arm_wire_base(&call->identity->cloud, call->request.quota);
}

static const char *audience_of(const struct arm_call *call)
{
	return arm_wire_audience(&call->identity->cloud, call->request.quota);
}

static void fill_result(struct arm_call *call, struct arm_result *ret)
{
	*ret = (struct arm_result){
		.error = call->machine.outcome,
		.retry_after = call->retry_after,
		.reply = call->reply.status != 0 ? &call->reply : NULL,
		.unsent = !call->arrived,
	};
	str_copy(ret->correlation_id, sizeof(ret->correlation_id), call->correlation_id);
	if (call->identity != NULL)
		arm_wire_origin(base_of(call), ret->arm_origin, sizeof(ret->arm_origin));
	if (ret->reply != NULL) {
		struct arm_trace trace;

		arm_trace_read(&ret->reply->headers, &trace);
		str_copy(ret->request_id, sizeof(ret->request_id), trace.request_id);
	}
}

static void finish(struct arm_call *call)
{
	struct arm_client *c = call->client;
	struct arm_result result;

	land_unanswered(call, true);
	list_remove(&call->link);
	fill_result(call, &result);
	c->by_class[result.error.class]++;
	/* "Not there" is an answer. */
	c->counts.failed +=
		result.error.class != ARM_ERROR_NONE && result.error.class != ARM_ERROR_ABSENT;
	call->done(call->ctx, &result);
	arm_call_free(call);
}

/* --- the token --- */

static void transmit(struct arm_call *call, const char *token);

static void token_came(void *ctx, const struct arm_error *failure, const char *token)
{
	struct arm_call *call = ctx;

	MDC_MAGIC_CHECK(call, ARM_CALL_MAGIC);
	call->waiter = NULL;
	if (failure != NULL)
		step(call, CALL_INPUT_TOKEN_FAILED, failure);
	else if (call->machine.want == CALL_WANTS_SEND)
		transmit(call, token);
	else
		step(call, CALL_INPUT_TOKEN, NULL);
}

/* Asked for twice: to know that there is one before quota is spent, and to have it when sending. */
static void ask_for_token(struct arm_call *call)
{
	struct arm_client *c = call->client;

	if (arm_client_identity(c, call->identity_name) != call->identity) {
		struct arm_error error = error_of(ARM_ERROR_IDENTITY, "ConfigurationChanged",
			"another configuration of the identity came into force meanwhile");

		step(call, CALL_INPUT_TOKEN_FAILED, &error);
		return;
	}
	call->waiter = credentials_get(
		c->credentials, call->identity_name, audience_of(call), token_came, call);
}

static void renew_token(struct arm_call *call)
{
	mdc_autofree char *claims = jwt_claims_wanted(&call->reply.headers);

	credentials_refuse(call->client->credentials, call->identity_name, audience_of(call),
		call->token, claims);
	drop_token(call);
	http_reply_fini(&call->reply);
	ask_for_token(call);
}

/* --- quota --- */

static void wait_for_quota(struct arm_call *call)
{
	static const enum call_class classes[] = {
		[ARM_URGENT] = CALL_CLASS_URGENT,
		[ARM_NORMAL] = CALL_CLASS_NORMAL,
		[ARM_IDLE] = CALL_CLASS_IDLE,
	};
	struct quota_call quota = quota_of(call);
	struct dur patience = is_write(call) ? PATIENCE_OF_WRITES : PATIENCE;

	call_queue_add(call->client->queue, &call->queued, call->governor, &quota,
		classes[call->priority], mono_add(now_of(call), patience));
	arm_client_dispatch_at(call->client, now_of(call));
}

void arm_call_admitted(struct arm_call *call)
{
	call->admitted = true;
	call->client->on_wire++;
	step(call, CALL_INPUT_QUOTA, NULL);
}

void arm_call_gives_up(struct arm_call *call, struct dur wait)
{
	call->retry_after = wait.ms > 0 ? wait : WAIT_UNKNOWN;
	step(call, CALL_INPUT_QUOTA_FAR, NULL);
}

/* --- the wire --- */

static void count_sent(struct arm_call *call)
{
	struct arm_client_counts *n = &call->client->counts;

	switch (call->request.quota) {
	case ARM_QUOTA_READ: n->arm_reads++; break;
	case ARM_QUOTA_WRITE: n->arm_writes++; break;
	case ARM_QUOTA_DELETE: n->arm_deletes++; break;
	case ARM_QUOTA_GRAPH: n->graph_queries++; break;
	case ARM_QUOTA_DEFENDER: n->device_lists++; break;
	}
}

static void read_answer(struct arm_call *call, struct arm_error *ret)
{
	const struct http_reply *r = &call->reply;
	struct wall now = loop_wall(call->client->world->loop);

	call->arrived = true;
	arm_error_read(r->status, r->body, r->body_len, ret);
	if (!arm_retry_after(&r->headers, now, &call->retry_after))
		call->retry_after = DUR_MS(0);
	/* Whoever says when to come again has not refused for good: so the contract of ARM. */
	if (ret->class == ARM_ERROR_REQUEST && call->retry_after.ms > 0)
		ret->class = ARM_ERROR_TRANSIENT;
	call->client->counts.throttled += r->status == 429;
	land(call,
		&(struct quota_answer){.status = r->status,
			.headers = &r->headers,
			.retry_after = call->retry_after,
			.code = ret->code});
}

/* Below HTTP. What arrived of a reply is no answer, but its counts are true. */
static enum call_input_kind read_remains(struct arm_call *call, enum transport_result result)
{
	struct quota_answer answer = {.status = call->reply.status};

	if (answer.status != 0)
		answer.headers = &call->reply.headers;
	call->arrived =
		call->arrived || (result != TRANSPORT_RESOLVE && result != TRANSPORT_CONNECT);
	switch (result) {
	case TRANSPORT_RESOLVE:
	case TRANSPORT_CONNECT: return CALL_INPUT_UNSENT;
	case TRANSPORT_BROKEN:
		land(call, &answer);
		return answer.status == 0 ? CALL_INPUT_UNANSWERED : CALL_INPUT_BROKEN;
	case TRANSPORT_OK:
	case TRANSPORT_TLS:
	case TRANSPORT_TIMEOUT:
	case TRANSPORT_TOO_LARGE:
	case TRANSPORT_CANCELED: break;
	}
	land(call, &answer);
	return CALL_INPUT_BROKEN;
}

static void read_break(struct arm_call *call, enum transport_result result, const char *detail)
{
	char text[ARM_ERROR_TEXT_SIZE];
	struct arm_error error;
	enum call_input_kind input = read_remains(call, result);

	snprintf(text, sizeof(text), "%s%s%s", transport_result_text(result),
		str_empty(detail) ? "" : ": ", detail != NULL ? detail : "");
	arm_error_transport(text, &error);
	if (result == TRANSPORT_TOO_LARGE)
		error.class = ARM_ERROR_TOO_LARGE;
	call->retry_after = DUR_MS(0);
	http_reply_fini(&call->reply);
	step(call, input, &error);
}

static void transferred(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply)
{
	struct arm_call *call = ctx;
	struct arm_error error;

	MDC_MAGIC_CHECK(call, ARM_CALL_MAGIC);
	call->transfer = NULL;
	call->reply = *reply;
	*reply = (struct http_reply){0};
	if (result != TRANSPORT_OK) {
		read_break(call, result, detail);
		return;
	}
	read_answer(call, &error);
	step(call, CALL_INPUT_ANSWER, &error);
}

static void transmit(struct arm_call *call, const char *token)
{
	struct arm_client *c = call->client;
	struct transport_route route = identity_route(call->identity);
	char id[GUID_TEXT_SIZE];
	struct arm_wire wire = {.url = call->url,
		.token = token,
		.client_request_id = id,
		.correlation_id = call->correlation_id};
	struct http_request request;

	random_guid(c->world->random, id);
	if (arm_wire_request(&call->request, &wire, &request) != 0) {
		struct arm_error error = error_of(
			ARM_ERROR_REQUEST, "TooLarge", "the request is larger than ARM takes");

		step(call, CALL_INPUT_BROKEN, &error);
		return;
	}
	if (call->last_look != NULL && !call->last_look(call->ctx)) {
		http_request_fini(&request);
		arm_call_free(call);
		return;
	}
	drop_token(call);
	call->token = xstrdup(token);
	call->sent = true;
	count_sent(call);
	call->transfer = c->world->transport->ops->start(
		c->world->transport, &request, &route, transferred, call);
}

/* --- the machine --- */

static void step(struct arm_call *call, enum call_input_kind input, const struct arm_error *error)
{
	switch (call_step(&call->machine, input, error)) {
	case CALL_WANTS_TOKEN: ask_for_token(call); break;
	case CALL_WANTS_FRESH_TOKEN: renew_token(call); break;
	case CALL_WANTS_QUOTA: wait_for_quota(call); break;
	case CALL_WANTS_SEND: ask_for_token(call); break;
	case CALL_WANTS_NOTHING: finish(call); break;
	}
}

static bool prepare(struct arm_call *call, struct arm_error *ret)
{
	struct arm_client *c = call->client;
	struct identity *id = arm_client_identity(c, call->identity_name);
	char origin[sizeof(((struct arm_result *)0)->arm_origin)];

	if (id == NULL) {
		*ret = error_of(ARM_ERROR_IDENTITY, "UnknownIdentity",
			"the identity is not configured any more");
		return false;
	}
	call->identity = identity_hold(id);
	if (!arm_wire_origin(base_of(call), origin, sizeof(origin))) {
		*ret = error_of(ARM_ERROR_IDENTITY, "ServiceUrl",
			"the service's URL in the identity's cloud is not an https URL");
		return false;
	}
	call->url = arm_wire_url(base_of(call),
		call->operation_url != NULL ? call->operation_url : call->request.path);
	if (call->url == NULL) {
		*ret = error_of(
			ARM_ERROR_REQUEST, "ForeignUrl", "the URL is not one of the service's");
		return false;
	}
	arm_wire_provider(&call->request, call->url, call->provider);
	call->governor = arm_client_governor(c, &id->cloud);
	return true;
}

void arm_call_begin(struct arm_call *call)
{
	struct arm_error error;
	enum arm_quota quota = call->request.quota;
	bool reads = quota != ARM_QUOTA_WRITE && quota != ARM_QUOTA_DELETE;

	list_remove(&call->link);
	list_append(&call->client->begun, &call->link);
	call_init(&call->machine, reads);
	if (!prepare(call, &error)) {
		call->machine.outcome = error;
		finish(call);
		return;
	}
	step(call, CALL_INPUT_START, NULL);
}
