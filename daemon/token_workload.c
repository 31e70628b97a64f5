/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_workload: signs in with the token of another issuer that the application trusts. The file
 * is rotated by whoever issues it, within an hour as a rule: it is read for each attempt.
 */
#include "daemon/token_job.h"

static void start(struct token_job *job)
{
	char *assertion = token_job_read_line(
		job, "federated-token-file", token_job_identity(job)->config.federated_token_file);

	if (assertion == NULL)
		return;
	token_job_assert(job, assertion);
	secret_free(assertion);
}

const struct token_method token_method_workload = {.start = start};
