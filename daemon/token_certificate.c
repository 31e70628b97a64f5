/* SPDX-License-Identifier: Apache-2.0 */
/* token_certificate: signs in with a certificate: an assertion that only its key can have made. */
#include "daemon/jwt.h"
#include "daemon/token_job.h"

#include "lib/base/xalloc.h"

#include <string.h>

/* Entra takes up to ten minutes; our clock may be ahead of its. */
#define ASSERTION_LIFE DUR_MIN(9)
#define CLOCK_SKEW DUR_MIN(1)

static struct jwt_key *open_key(
	struct token_job *job, const char *text, size_t len, const char *password)
{
	struct jwt_key *key = NULL;
	const char *why;

	if (jwt_key_read(text, len, password, &key, &why) != 0)
		token_job_fail(job, ARM_ERROR_IDENTITY, "certificate %s: %s",
			token_job_identity(job)->config.certificate, why);
	return key;
}

static struct jwt_key *read_key(struct token_job *job)
{
	const struct identity_config *c = &token_job_identity(job)->config;
	struct jwt_key *key = NULL;
	char *text, *password = NULL;
	bool secured = c->certificate_password_file != NULL;
	size_t len;

	text = token_job_read_bytes(job, "certificate", c->certificate, &len);
	if (text == NULL)
		return NULL;
	if (secured)
		password = token_job_read_line(
			job, "certificate-password-file", c->certificate_password_file);
	if (!secured || password != NULL)
		key = open_key(job, text, len, password);
	explicit_bzero(text, len);
	free(text);
	secret_free(password);
	return key;
}

/* NULL when it cannot be signed. */
static char *make_assertion(struct token_job *job, const struct jwt_key *key)
{
	const struct world *w = token_job_world(job);
	mdc_autofree char *endpoint = token_job_endpoint(job);
	struct wall now = loop_wall(w->loop);
	char id[GUID_TEXT_SIZE];
	char *assertion = NULL;
	struct jwt_claims claims = {
		.audience = endpoint,
		.client = token_job_identity(job)->config.client,
		.id = id,
		.not_before = wall_add(now, DUR_MS(-CLOCK_SKEW.ms)),
		.expires = wall_add(now, ASSERTION_LIFE),
		.chain = token_job_identity(job)->config.certificate_chain,
	};

	random_guid(w->random, id);
	return jwt_sign(key, &claims, &assertion) == 0 ? assertion : NULL;
}

static void start(struct token_job *job)
{
	struct jwt_key *key = read_key(job);
	char *assertion;

	if (key == NULL)
		return;
	token_job_outcome(job)->credential_expires = jwt_key_expires(key);
	assertion = make_assertion(job, key);
	jwt_key_free(key);
	if (assertion == NULL) {
		token_job_fail(job, ARM_ERROR_IDENTITY, "certificate %s: its key cannot sign",
			token_job_identity(job)->config.certificate);
		return;
	}
	token_job_assert(job, assertion);
	secret_free(assertion);
}

const struct token_method token_method_certificate = {.start = start};
