/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_job: one attempt to get an access token, and the seam to the methods of signing in.
 *
 * A method is one file (token_secret.c, token_certificate.c, …) and one row in the table of
 * token_job.c. It makes as many requests as it needs, may read files, and ends the job once, by
 * a token or a failure; a job that is freed meanwhile ends nothing. Each attempt reads its files
 * anew, so that a rotated secret is used at once, and wipes what it read.
 */
#ifndef MDCD_TOKEN_JOB_H
#define MDCD_TOKEN_JOB_H

#include "daemon/identity.h"
#include "daemon/world.h"
#include "lib/azure/arm_error.h"

/* Entra's tokens are a few KiB; one with very many groups stays below this. */
#define TOKEN_MAX (32 * 1024)

struct token_outcome {
	struct arm_error failure; /* class ARM_ERROR_NONE: there is a token */
	struct dur retry_after;   /* after a failure; 0: not named */
	char *token;              /* wiped after `done`, which may take it */
	struct dur lifetime;      /* from the beginning of the job */
	struct dur refresh_in;    /* when to ask for the next one; 0: not named */
};
typedef void (*token_done_fn)(void *ctx, struct token_outcome *outcome);

struct token_job;

/* `done` is called once, later. `requests` counts what is sent. */
struct token_job *token_job_new(const struct world *w, struct identity *identity,
	const char *audience, uint64_t *requests, token_done_fn done, void *ctx);
/* Also from within `done`. */
struct token_job *token_job_free(struct token_job *job);
/* The method's word in configurations ("client-secret"). */
const char *token_method_name(enum identity_method method);
/*
 * Changes when any file that the identity signs in with does: what failed before may work now. 0
 * where it has none.
 */
uint64_t token_files_version(const struct world *w, const struct identity *identity);

/* --- for the methods --- */

struct token_method {
	void (*start)(struct token_job *job);
};
extern const struct token_method token_method_secret;
extern const struct token_method token_method_certificate;

typedef void (*token_reply_fn)(struct token_job *job, struct http_reply *reply);

const struct identity *token_job_identity(const struct token_job *job);
const struct world *token_job_world(const struct token_job *job);
/* "https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token"; caller frees. */
char *token_job_endpoint(const struct token_job *job);

/* Ends the job. The text is for people; `class` says whether it may get better by itself. */
void token_job_fail(struct token_job *job, enum arm_error_class class, const char *format, ...)
	MDC_PRINTF(3, 4);
/* Sends; `reply` is called after an answer, and a broken connection ends the job. */
void token_job_send(struct token_job *job, struct http_request *take_request, token_reply_fn reply);
/*
 * A whole file, a trailing newline removed, NUL-terminated, to be wiped with secret_free(). Ends
 * the job and returns NULL when it cannot be read, is empty or too large.
 */
char *token_job_read(struct token_job *job, const char *what, const char *path, size_t *ret_len);
/* Overwrites and frees; NULL is allowed. */
void secret_free(char *secret);
/* "&name=value", percent-encoded, to be freed with secret_free(). */
char *token_form_field(const char *name, const char *value);
/*
 * Asks the token endpoint for a client's own token, with the proof of who it is as further form
 * fields, and ends the job by its answer.
 */
void token_job_ask(struct token_job *job, const char *proof);

#endif
