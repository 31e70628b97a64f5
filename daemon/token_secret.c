/* SPDX-License-Identifier: Apache-2.0 */
/* token_secret: signs in with a client secret out of a file. */
#include "daemon/token_job.h"

static void start(struct token_job *job)
{
	const struct identity_config *c = &token_job_identity(job)->config;
	char *secret = token_job_read_line(job, "secret-file", c->secret_file);
	char *proof;

	if (secret == NULL)
		return;
	token_job_outcome(job)->credential_expires = c->secret_expires;
	proof = token_form_field("client_secret", secret);
	token_job_ask(job, proof);
	secret_free(proof);
	secret_free(secret);
}

const struct token_method token_method_secret = {.start = start};
