/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_managed: what the metadata services of Azure VMs and of the Arc agent have in common: how
 * they are asked, and whose token it is that they give.
 */
#ifndef MDCD_TOKEN_MANAGED_H
#define MDCD_TOKEN_MANAGED_H

#include "daemon/token_job.h"

struct managed_request {
	const char *endpoint; /* "http://169.254.169.254/metadata/identity/oauth2/token" */
	const char *version;
	const char *authorization; /* or NULL */
};
/* Never with X-Forwarded-For, which these services refuse, and never through a proxy. */
void token_managed_ask(
	struct token_job *job, const struct managed_request *request, token_reply_fn reply);

/*
 * Ends the job by an answer. Where the configuration names a client, a token for another one is
 * refused; so is one of which the answer does not say whose it is, where it `must` say so.
 */
enum managed_echo { MANAGED_ECHO_MAY, MANAGED_ECHO_MUST };
void token_managed_end(struct token_job *job, struct http_reply *reply, enum managed_echo echo);

#endif
