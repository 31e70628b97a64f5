/* SPDX-License-Identifier: Apache-2.0 */
/* token_secret: signs in with a client secret out of a file. */
#include "daemon/token_job.h"

#include <string.h>

static void start(struct token_job *job)
{
	const struct identity_config *c = &token_job_identity(job)->config;
	size_t len;
	char *secret = token_job_read(job, "secret-file", c->secret_file, &len);
	char *proof;

	if (secret == NULL)
		return;
	if (strlen(secret) != len) {
		explicit_bzero(secret, len);
		free(secret);
		token_job_fail(job, ARM_ERROR_IDENTITY, "secret-file %s holds a zero byte",
			c->secret_file);
		return;
	}
	proof = token_form_field("client_secret", secret);
	token_job_ask(job, proof);
	secret_free(proof);
	secret_free(secret);
}

const struct token_method token_method_secret = {.start = start};
