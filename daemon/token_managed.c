/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/token_managed.h"

#include "daemon/token_reply.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

void token_managed_ask(
	struct token_job *job, const struct managed_request *request, token_reply_fn reply)
{
	const char *client = token_job_identity(job)->config.client;
	mdc_autofree char *resource = token_form_field("resource", token_job_audience(job));
	mdc_autofree char *selector =
		str_empty(client) ? xstrdup("") : token_form_field("client_id", client);
	struct http_request r = {.method = xstrdup("GET"),
		.url = xasprintf("%s?api-version=%s%s%s", request->endpoint, request->version,
			resource, selector)};

	http_headers_add(&r.headers, "Metadata", "true");
	if (request->authorization != NULL)
		http_headers_add(&r.headers, "Authorization", request->authorization);
	token_job_send(job, &r, reply);
}

void token_managed_end(struct token_job *job, struct http_reply *reply, enum managed_echo echo)
{
	const char *wanted = token_job_identity(job)->config.client;
	struct token_outcome *o = token_job_outcome(job);

	token_reply_read(reply, loop_wall(token_job_world(job)->loop), o);
	if (o->token == NULL || str_empty(wanted) || str_equal_nocase(o->client, wanted) ||
		(*o->client == '\0' && echo == MANAGED_ECHO_MAY)) {
		token_job_end(job);
		return;
	}
	token_job_fail(job, ARM_ERROR_IDENTITY,
		"the token is not known to be for client %s (the answer names %s): the agent is "
		"too "
		"old for user-assigned identities, or that one is not assigned to this machine",
		wanted, *o->client != '\0' ? o->client : "nobody");
}
