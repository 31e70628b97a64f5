/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/long_running.h"

#include "lib/azure/arm_document.h"
#include "lib/azure/arm_headers.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* ARM RPC: 10 to 600 seconds; 60 where the header is absent. */
static struct dur poll_delay(const struct http_headers *h, struct wall now)
{
	struct dur wait;

	if (!arm_retry_after(h, now, &wait))
		return DUR_S(60);
	return dur_min(dur_max(wait, DUR_S(1)), DUR_S(600));
}

void operation_poll_fini(struct operation_poll *p)
{
	/* Signed: a capability. */
	if (p->url != NULL)
		explicit_bzero(p->url, strlen(p->url));
	free(p->url);
	*p = (struct operation_poll){0};
}

static const char *usable_url(const struct http_headers *h, const char *name, const char *origin)
{
	const char *url = http_headers_get(h, name);

	if (url == NULL || strlen(url) > OPERATION_URL_MAX || !http_url_same_origin(url, origin))
		return NULL;
	return url;
}

/* Takes over a new URL where the answer names one; the old one keeps working. */
static bool take_url(const struct http_headers *h, const char *origin, struct operation_poll *p)
{
	const char *url = usable_url(h, "azure-asyncoperation", origin);
	enum operation_shape shape = OPERATION_STATUS;

	if (url == NULL) {
		url = usable_url(h, "location", origin);
		shape = OPERATION_LOCATION;
	}
	/* A status URL is not given up for a Location that comes with a later answer. */
	if (url == NULL || (p->shape == OPERATION_STATUS && shape == OPERATION_LOCATION))
		return false;
	operation_poll_fini(p);
	p->shape = shape;
	p->url = xstrdup(url);
	return true;
}

static json_t *body_of(const struct http_reply *reply)
{
	return json_body(reply->body, reply->body_len);
}

static enum operation_progress progress_of_word(const char *word)
{
	/* ARM RPC: terminal are these three and no others; an absent state means Succeeded. */
	if (word == NULL || str_equal_nocase(word, "Succeeded"))
		return OPERATION_SUCCEEDED;
	if (str_equal_nocase(word, "Failed") || str_equal_nocase(word, "Canceled"))
		return OPERATION_FAILED;
	return OPERATION_RUNNING;
}

static enum operation_progress progress_of_resource(
	const struct http_reply *reply, struct arm_error *ret_error)
{
	json_t *document = body_of(reply);
	const char *state = arm_document_state(document);
	enum operation_progress progress = progress_of_word(state);

	/* A page of some proxy is not the resource. */
	if (reply->body_len > 0 && !json_is_object(document))
		progress = OPERATION_UNREADABLE;
	if (progress == OPERATION_FAILED) {
		*ret_error =
			(struct arm_error){.class = ARM_ERROR_REQUEST, .status = reply->status};
		str_copy(ret_error->code, sizeof(ret_error->code), state);
	}
	json_decref(document);
	return progress;
}

enum operation_progress operation_started(const struct http_reply *reply, const char *method,
	const char *arm_origin, struct wall now, struct operation_poll *ret,
	struct arm_error *ret_error)
{
	struct operation_poll poll = {0};
	enum operation_progress progress;
	bool has_url;

	has_url = take_url(&reply->headers, arm_origin, &poll);
	poll.after = poll_delay(&reply->headers, now);
	if (reply->status == 204)
		progress = OPERATION_SUCCEEDED;
	else if (reply->status == 202 || (has_url && poll.shape == OPERATION_STATUS))
		progress = OPERATION_RUNNING;
	else if (str_equal(method, "DELETE"))
		progress = OPERATION_SUCCEEDED;
	else
		progress = progress_of_resource(reply, ret_error);
	/* Accepted by someone; what became of it, the resource will tell. */
	if (progress == OPERATION_UNREADABLE)
		progress = OPERATION_RUNNING;
	if (progress == OPERATION_RUNNING) {
		if (!has_url)
			poll.shape = OPERATION_BODY;
		*ret = poll;
	} else {
		operation_poll_fini(&poll);
		*ret = (struct operation_poll){0};
	}
	return progress;
}

static enum operation_progress read_status(
	const struct http_reply *reply, struct arm_error *ret_error)
{
	json_t *document = body_of(reply);
	const char *status = json_text(document, "status");
	enum operation_progress progress =
		status == NULL ? OPERATION_UNREADABLE : progress_of_word(status);

	if (progress == OPERATION_FAILED)
		arm_error_from_operation(document, ret_error);
	json_decref(document);
	return progress;
}

/* Refusals that are about asking, not about what was asked for: expired, denied, too often. */
static bool is_about_asking(int status)
{
	return status == 401 || status == 403 || status == 408 || status == 429;
}

/* Once it is not 202 any more, the answer is that of a synchronous call, errors included. */
static enum operation_progress read_location(
	const struct http_reply *reply, struct arm_error *ret_error)
{
	if (reply->status == 202)
		return OPERATION_RUNNING;
	if (reply->status >= 200 && reply->status < 300)
		return progress_of_resource(reply, ret_error);
	if (reply->status < 400 || reply->status >= 500 || is_about_asking(reply->status))
		return OPERATION_UNREADABLE;
	arm_error_read(reply->status, reply->body, reply->body_len, ret_error);
	return OPERATION_FAILED;
}

static enum operation_progress read_resource(
	const struct http_reply *reply, struct arm_error *ret_error)
{
	return reply->body_len > 0 ? progress_of_resource(reply, ret_error) : OPERATION_UNREADABLE;
}

enum operation_progress operation_polled(const struct http_reply *reply, const char *arm_origin,
	struct wall now, struct operation_poll *p, struct arm_error *ret_error)
{
	bool is_good = reply->status >= 200 && reply->status < 300;
	enum operation_progress progress = OPERATION_UNREADABLE;

	p->after = poll_delay(&reply->headers, now);
	if (reply->status == 404 || reply->status == 410)
		return OPERATION_EXPIRED;
	switch (p->shape) {
	case OPERATION_STATUS:
		if (is_good)
			progress = read_status(reply, ret_error);
		break;
	case OPERATION_LOCATION: progress = read_location(reply, ret_error); break;
	case OPERATION_BODY:
	case OPERATION_NONE: return is_good ? read_resource(reply, ret_error) : progress;
	}
	if (progress == OPERATION_RUNNING && take_url(&reply->headers, arm_origin, p))
		p->after = poll_delay(&reply->headers, now);
	return progress;
}
