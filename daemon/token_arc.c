/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_arc: signs in as the managed identity of the Arc machine on which the daemon runs, at the
 * Azure Connected Machine agent (himds).
 *
 * The agent names a file that only root and the group himds can read, and wants its content. Its
 * port is one that any local user may have taken before it: whoever answers there must not be able
 * to have other files read out to him. So the path is checked by its letters, and the file is not
 * followed where it is a link, not read where it is larger than the agent's are.
 */
#include "daemon/token_managed.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define ENDPOINT "http://127.0.0.1:40342/metadata/identity/oauth2/token"
#define ENDPOINT_VARIABLE "IDENTITY_ENDPOINT"
#define METADATA_ADDRESS "169.254.169.254"
#define VERSION "2020-06-01"
#define KEY_FOLDER "/var/opt/azcmagent/tokens/"
#define KEY_END ".key"
#define KEY_PATH_MAX 512
#define KEY_MAX 4096
#define CHALLENGE "Basic realm="

/* --- where it is --- */

/* The agent's installer has used both. */
static bool is_installed(const struct world *w)
{
	static const char *const paths[] = {
		"/opt/azcmagent/bin/himds", "/var/opt/azcmagent/bin/himds"};
	uint64_t version;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		int error = w->secrets->version(w->secrets, paths[i], &version);

		/* What we may not look at is there. */
		if (error == 0 || error == -EACCES)
			return true;
	}
	return false;
}

/* The agent is on this machine, and nowhere else. */
static bool is_local(const char *url)
{
	struct http_url u;
	bool local;

	if (http_url_parse(url, &u) != 0)
		return false;
	local = transport_host_is_local(u.host) && !str_equal(u.host, METADATA_ADDRESS) &&
		u.query == NULL;
	http_url_fini(&u);
	return local;
}

/* NULL: the job has ended. Both variables are set on Arc machines; one alone means another service.
 */
static const char *find_endpoint(struct token_job *job)
{
	const char *named = token_job_environment(job, ENDPOINT_VARIABLE);

	if (named == NULL || token_job_environment(job, "IMDS_ENDPOINT") == NULL) {
		if (is_installed(token_job_world(job)))
			return ENDPOINT;
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"the Azure Connected Machine agent is not installed here: there is no "
			"/opt/azcmagent/bin/himds");
		return NULL;
	}
	if (is_local(named))
		return named;
	token_job_fail(job, ARM_ERROR_IDENTITY,
		ENDPOINT_VARIABLE " is not the URL of a service on this machine");
	return NULL;
}

/* --- the key that it wants --- */

/* A name in the folder, and nothing else: no other folder, no way up, nothing unprintable. */
static bool is_key_path(const char *path)
{
	const char *name = path + strlen(KEY_FOLDER);

	if (strlen(path) > KEY_PATH_MAX || strncmp(path, KEY_FOLDER, strlen(KEY_FOLDER)) != 0 ||
		strlen(name) <= strlen(KEY_END) ||
		strcmp(name + strlen(name) - strlen(KEY_END), KEY_END) != 0)
		return false;
	for (; *name != '\0'; name++)
		if (*name <= ' ' || *name >= 0x7f || *name == '/' || *name == '\\')
			return false;
	return true;
}

/* The path of `Basic realm=PATH`; NULL unless there is exactly one, of that form. */
static char *read_challenge(const struct http_headers *headers)
{
	const char *value, *found = NULL;
	size_t len;

	for (size_t at = 0;
		(value = http_headers_walk(headers, "WWW-Authenticate", &at)) != NULL;) {
		if (found != NULL)
			return NULL;
		found = value;
	}
	if (!str_starts_nocase(found, CHALLENGE))
		return NULL;
	found += strlen(CHALLENGE);
	len = strlen(found);
	if (len >= 2 && *found == '"' && found[len - 1] == '"')
		return xstrndup(found + 1, len - 2);
	return xstrdup(found);
}

static void fail_reading(struct token_job *job, const char *path, int error)
{
	const char *why = error == -ELOOP ? "it is a link"
		: error == -EFBIG         ? "it is larger than 4096 bytes"
					  : strerror(-error);

	token_job_fail(job, error == -EAGAIN ? ARM_ERROR_TRANSIENT : ARM_ERROR_IDENTITY,
		"the agent's key %s cannot be read: %s%s", path, why,
		error == -EACCES ? "; the daemon's user has to be in the group himds" : "");
}

/* "Basic …" with the file's content as it is; NULL: the job has ended. */
static char *read_key(struct token_job *job, const char *path)
{
	struct secret_files *files = token_job_world(job)->secrets;
	char *key = NULL, *authorization = NULL;
	size_t len;
	int error = files->read_unlinked(files, path, KEY_MAX, &key, &len);

	if (error != 0) {
		fail_reading(job, path, error);
		return NULL;
	}
	while (len > 0 && (key[len - 1] == '\n' || key[len - 1] == '\r'))
		key[--len] = '\0';
	if (token_is_header_text(key, len)) {
		authorization = xmalloc(len + sizeof("Basic "));
		snprintf(authorization, len + sizeof("Basic "), "Basic %s", key);
	} else {
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"the agent's key %s does not hold one line of text", path);
	}
	explicit_bzero(key, len);
	free(key);
	return authorization;
}

/* --- the conversation --- */

static void token_arrived(struct token_job *job, struct http_reply *reply)
{
	/* Older agents do not know of user-assigned identities and give the machine's own. */
	token_managed_end(job, reply, MANAGED_ECHO_MUST);
}

static void answer_challenge(struct token_job *job, const char *path)
{
	const char *endpoint = find_endpoint(job);
	char *authorization;

	if (endpoint == NULL)
		return;
	authorization = read_key(job, path);
	if (authorization == NULL)
		return;
	token_managed_ask(job,
		&(struct managed_request){
			.endpoint = endpoint, .version = VERSION, .authorization = authorization},
		token_arrived);
	secret_free(authorization);
}

static void challenged(struct token_job *job, struct http_reply *reply)
{
	mdc_autofree char *path = NULL;

	if (reply->status == 429 || reply->status >= 500) {
		token_managed_end(job, reply, MANAGED_ECHO_MUST);
		return;
	}
	if (reply->status != 401) {
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"the agent answers %d where it has to ask for a key (401)", reply->status);
		return;
	}
	path = read_challenge(&reply->headers);
	if (path == NULL)
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"the agent's answer does not name the key that it wants");
	else if (!is_key_path(path))
		token_job_fail(job, ARM_ERROR_IDENTITY,
			"what answers as the agent wants a file that is none of its keys "
			"in " KEY_FOLDER ": nothing was sent");
	else
		answer_challenge(job, path);
}

static void start(struct token_job *job)
{
	const char *endpoint = find_endpoint(job);

	if (endpoint != NULL)
		token_managed_ask(job,
			&(struct managed_request){.endpoint = endpoint, .version = VERSION},
			challenged);
}

const struct token_method token_method_arc = {
	.start = start,
	.hint = "is the Azure Connected Machine agent running (systemctl status himdsd)?",
};
