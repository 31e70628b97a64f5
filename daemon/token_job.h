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
	struct arm_error failure;       /* class ARM_ERROR_NONE: there is a token */
	struct dur retry_after;         /* after a failure; 0: not named */
	char *token;                    /* wiped after `done`, which may take it */
	struct dur lifetime;            /* from the beginning of the job */
	struct dur refresh_in;          /* when to ask for the next one; 0: not named */
	struct wall credential_expires; /* of what was signed in with; WALL_UNSET: not known */
	char client[40]; /* for whom a metadata service says that the token is; "": it does not */
};
typedef void (*token_done_fn)(void *ctx, struct token_outcome *outcome);

struct token_job;

struct token_wish {
	const char *audience; /* the resource that it is for */
	/* What that resource wants it to say, as it asked for it: a JSON text, or NULL. Endpoints
	 * of managed identities and the Azure CLI know no such wish. */
	const char *claims;
};
/* `done` is called once, later. `requests` counts what is sent. The wish is copied. */
struct token_job *token_job_new(const struct world *w, struct identity *identity,
	const struct token_wish *wish, uint64_t *requests, token_done_fn done, void *ctx);
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
	/* The job is freed before its end: what is under way besides requests is given up. NULL. */
	void (*stop)(struct token_job *job);
	/* What to look at when nobody answers; NULL. */
	const char *hint;
};
extern const struct token_method token_method_secret;
extern const struct token_method token_method_certificate;
extern const struct token_method token_method_workload;
extern const struct token_method token_method_imds;
extern const struct token_method token_method_arc;
extern const struct token_method token_method_cli;

typedef void (*token_reply_fn)(struct token_job *job, struct http_reply *reply);
typedef void (*token_step_fn)(struct token_job *job);

const struct identity *token_job_identity(const struct token_job *job);
const struct world *token_job_world(const struct token_job *job);
/* The resource that the token is for. */
const char *token_job_audience(const struct token_job *job);
/* "https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token"; caller frees. */
char *token_job_endpoint(const struct token_job *job);
/* A variable of the environment; NULL where it is not set, or empty. */
const char *token_job_environment(const struct token_job *job, const char *name);
/* Room of the method's own, zeroed when first asked for and freed with the job. */
void *token_job_room(struct token_job *job, size_t size);

/* What the job will end with. */
struct token_outcome *token_job_outcome(struct token_job *job);
void token_job_end(struct token_job *job);
/* Ends the job. The text is for people; `class` says whether it may get better by itself. */
void token_job_fail(struct token_job *job, enum arm_error_class class, const char *format, ...)
	MDC_PRINTF(3, 4);
/* Sends; `reply` is called after an answer, and a broken connection ends the job. */
void token_job_send(struct token_job *job, struct http_request *take_request, token_reply_fn reply);
/* Goes on with `then` after a while. */
void token_job_wait(struct token_job *job, struct dur pause, token_step_fn then);
/*
 * A whole file, NUL-terminated, to be wiped. Ends the job and returns NULL when it cannot be read,
 * is empty or too large.
 */
char *token_job_read_bytes(
	struct token_job *job, const char *what, const char *path, size_t *ret_len);
/*
 * The same for one line of text: without its newline, to be wiped with secret_free(). It holds no
 * other control character.
 */
char *token_job_read_line(struct token_job *job, const char *what, const char *path);
/* What may become a header: visible ASCII and nothing else, and not nothing. */
bool token_is_header_text(const char *text, size_t len);
/* Overwrites and frees; NULL is allowed. */
void secret_free(char *secret);
/* "&name=value", percent-encoded, to be freed with secret_free(). */
char *token_form_field(const char *name, const char *value);
/*
 * Asks the token endpoint for a client's own token, with the proof of who it is as further form
 * fields, and ends the job by its answer.
 */
void token_job_ask(struct token_job *job, const char *proof);
/* The same with a signed assertion (RFC 7523) as the proof. */
void token_job_assert(struct token_job *job, const char *assertion);

#endif
