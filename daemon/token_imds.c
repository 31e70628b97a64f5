/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_imds: signs in as the managed identity of the Azure VM on which the daemon runs, at the
 * instance metadata service. That has a pace of its own: it answers 404 and 410 while it is brought
 * up to date, and asks to be tried again within a minute.
 */
#include "daemon/token_managed.h"
#include "daemon/token_reply.h"

#include "lib/azure/arm_headers.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define HOST "http://169.254.169.254"
/* Clusters have a service of their own in its place. */
#define HOST_VARIABLE "AZURE_POD_IDENTITY_AUTHORITY_HOST"
#define PATH "/metadata/identity/oauth2/token"
#define VERSION "2018-02-01"
/* An update (410) takes no longer. */
#define UPDATE_LIMIT DUR_S(70)

static const struct dur pauses[] = {{2000}, {4000}, {8000}, {16000}};

struct imds {
	struct mono began;
	unsigned tries;
};

static void ask(struct token_job *job);

static struct imds *room_of(struct token_job *job)
{
	return token_job_room(job, sizeof(struct imds));
}

static bool may_pass(int status)
{
	return status == 404 || status == 410 || status == 429 || status >= 500;
}

/* False when it was tried often enough. */
static bool try_again(struct token_job *job, const struct http_reply *reply)
{
	const struct world *w = token_job_world(job);
	struct imds *imds = room_of(job);
	struct dur spent = mono_since(loop_mono(w->loop), imds->began);
	bool updating = reply->status == 410;
	size_t at = imds->tries < ARRAY_LEN(pauses) ? imds->tries : ARRAY_LEN(pauses) - 1;
	struct dur pause = pauses[at], named;

	if (imds->tries >= ARRAY_LEN(pauses) && !updating)
		return false;
	if (arm_retry_after(&reply->headers, loop_wall(w->loop), &named))
		pause = dur_max(pause, named);
	if (spent.ms + pause.ms > UPDATE_LIMIT.ms)
		return false;
	imds->tries++;
	token_job_wait(job, pause, ask);
	return true;
}

static void advise(struct token_job *job)
{
	const char *client = token_job_identity(job)->config.client;
	struct arm_error *e = &token_job_outcome(job)->failure;

	if (str_contains_nocase(e->message, "multiple"))
		token_reply_advise(e, "write the client id of one of them as client");
	else if (str_contains_nocase(e->message, "not found"))
		token_reply_advise(e,
			str_empty(client)
				? "give the VM a system-assigned identity, or write client"
				: "assign the identity of that client to the VM");
}

static void arrived(struct token_job *job, struct http_reply *reply)
{
	struct token_outcome *o = token_job_outcome(job);

	if (may_pass(reply->status) && try_again(job, reply))
		return;
	token_managed_end(job, reply, MANAGED_ECHO_MAY);
	if (o->failure.class != ARM_ERROR_NONE && reply->status == 400)
		advise(job);
	/* It will be there, or at work again. */
	if (may_pass(reply->status) && !arm_error_is_retryable(o->failure.class))
		o->failure.class = ARM_ERROR_TRANSIENT;
}

static void ask(struct token_job *job)
{
	const char *host = token_job_environment(job, HOST_VARIABLE);
	mdc_autofree char *endpoint = NULL;
	size_t len;

	if (host == NULL)
		host = HOST;
	len = strlen(host);
	while (len > 0 && host[len - 1] == '/')
		len--;
	endpoint = xasprintf("%.*s" PATH, (int)len, host);
	token_managed_ask(
		job, &(struct managed_request){.endpoint = endpoint, .version = VERSION}, arrived);
}

static void start(struct token_job *job)
{
	room_of(job)->began = loop_mono(token_job_world(job)->loop);
	ask(job);
}

const struct token_method token_method_imds = {
	.start = start,
	.hint = "managed-identity is for a daemon on an Azure VM",
};
