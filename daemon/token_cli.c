/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_cli: takes the token of whoever is signed in with the Azure CLI: for a first look from a
 * terminal. Configurations let it observe only.
 */
#include "daemon/token_job.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <string.h>

/* It is a Python program that may have to ask Entra, too. */
#define LIMIT DUR_S(45)
#define OUTPUT_MAX ((size_t)128 * 1024)
#define LIFETIME_MOST DUR_DAYS(2)

struct cli {
	struct child_process *child;
};

static struct cli *room_of(struct token_job *job)
{
	return token_job_room(job, sizeof(struct cli));
}

/* --- what it says --- */

static void take_document(struct token_job *job, const json_t *document)
{
	const json_t *token = json_object_get(document, "accessToken");
	const json_t *end = json_object_get(document, "expires_on");
	const char *tenant = json_string_value(json_object_get(document, "tenant"));
	struct token_outcome *o = token_job_outcome(job);
	struct wall now = loop_wall(token_job_world(job)->loop);

	if (!json_is_string(token) || json_string_length(token) > TOKEN_MAX ||
		!token_is_header_text(json_string_value(token), json_string_length(token))) {
		token_job_fail(job, ARM_ERROR_IDENTITY, "az: the output holds no access token");
		return;
	}
	/* "expiresOn" is in the time zone of nobody knows whom. */
	if (!json_is_integer(end) || json_integer_value(end) < 0 ||
		json_integer_value(end) > INT64_C(1) << 40) {
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"az: the output does not say when the token ends; version 2.54 or newer is "
			"needed");
		return;
	}
	if (tenant != NULL && !str_equal_nocase(tenant, token_job_identity(job)->config.tenant)) {
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"az: the token is of another tenant than the identity's");
		return;
	}
	o->lifetime = dur_min(LIFETIME_MOST,
		wall_since((struct wall){(int64_t)json_integer_value(end) * 1000}, now));
	if (o->lifetime.ms <= 0) {
		token_job_fail(job, ARM_ERROR_TRANSIENT,
			"az: the access token has run out already, by the clock of this machine");
		return;
	}
	o->token = xstrdup(json_string_value(token));
	token_job_end(job);
}

static void take_output(struct token_job *job, const char *output)
{
	json_t *document = json_loads(output, 0, NULL);
	const json_t *token = json_object_get(document, "accessToken");

	if (json_is_object(document))
		take_document(job, document);
	else
		token_job_fail(job, ARM_ERROR_IDENTITY, "az: the output is not JSON");
	if (json_is_string(token))
		explicit_bzero(
			(char *)(uintptr_t)json_string_value(token), json_string_length(token));
	json_decref(document);
}

/* "ERROR: Please run 'az login' to setup account." in one line. */
static void take_complaint(struct token_job *job, int status, const char *complaint)
{
	mdc_autofree char *line = NULL;

	if (str_starts_nocase(complaint, "ERROR: "))
		complaint += strlen("ERROR: ");
	line = xstrdup(complaint);
	for (char *c = line; *c != '\0'; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	token_job_fail(job, ARM_ERROR_IDENTITY, "az: %s (status %d)",
		*line != '\0' ? line : "failed without a word", status);
}

static void done(void *ctx, int exit_status, const char *output)
{
	struct token_job *job = ctx;

	room_of(job)->child = NULL;
	if (exit_status == 0)
		take_output(job, output);
	else if (exit_status > 0)
		take_complaint(job, exit_status, output);
	else
		token_job_fail(job, ARM_ERROR_TRANSIENT, "az: %s", strerror(-exit_status));
}

/* --- how it is asked --- */

/* No shell sees it; still, what is no URL is not handed to a program. */
static bool is_plain(const char *audience)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._:/";

	return audience[strspn(audience, allowed)] == '\0' &&
		str_starts_nocase(audience, "https://");
}

static void start(struct token_job *job)
{
	struct child_processes *children = token_job_world(job)->children;
	const char *tenant = token_job_identity(job)->config.tenant;
	mdc_autofree char *scope = xasprintf("%s/.default", token_job_audience(job));
	const char *const argv[] = {"az", "account", "get-access-token", "--output", "json",
		"--scope", scope, "--tenant", tenant, NULL};
	const struct child_order order = {
		.argv = argv, .limit = LIMIT, .cap = OUTPUT_MAX, .done = done, .ctx = job};
	int error;

	if (!is_plain(scope) || !str_is_guid(tenant)) {
		token_job_fail(job, ARM_ERROR_IDENTITY, "az: no tenant, or an odd audience");
		return;
	}
	error = children->run(children, &order, &room_of(job)->child);
	if (error == -ENOENT)
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"the Azure CLI (az) is not in the PATH of this process");
	else if (error != 0)
		token_job_fail(
			job, ARM_ERROR_IDENTITY, "az cannot be started: %s", strerror(-error));
}

static void stop(struct token_job *job)
{
	struct child_processes *children = token_job_world(job)->children;

	if (room_of(job)->child != NULL)
		children->cancel(children, room_of(job)->child);
}

const struct token_method token_method_cli = {.start = start, .stop = stop};
