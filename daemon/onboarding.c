/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/onboarding.h"

#include "lib/azure/arm_document.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define PACKAGE_LIFE DUR_MIN(10)

struct waiter {
	struct list link;
	onboarding_fn done;
	void *ctx;
	bool windows;
};

struct packages {
	struct onboarding *owner;
	char *windows;
	char *linux_;
	struct mono fetched;
	bool valid;
	struct arm_call *call;
	struct list waiters;
};

struct onboarding {
	const struct world *world;
	struct arm_client *client;
	struct map subscriptions; /* id -> struct packages */
};

static void wipe(char **text)
{
	if (*text != NULL)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static void packages_free(void *packages)
{
	struct packages *p = packages;

	wipe(&p->windows);
	wipe(&p->linux_);
	if (p->call != NULL)
		arm_client_cancel(p->owner->client, p->call);
	list_for_each (&p->waiters, node)
		free(list_entry(node, struct waiter, link));
	free(p);
}

static void answer_waiters(struct packages *p, struct arm_result *failure)
{
	struct list waiters;

	/* A waiter may ask again from its callback. */
	list_init(&waiters);
	while (!list_is_empty(&p->waiters)) {
		struct list *node = p->waiters.next;

		list_remove(node);
		list_append(&waiters, node);
	}
	while (!list_is_empty(&waiters)) {
		struct waiter *w = list_entry(waiters.next, struct waiter, link);
		struct waiter copy = *w;

		list_remove(&w->link);
		free(w);
		copy.done(copy.ctx, failure,
			failure != NULL        ? NULL
				: copy.windows ? p->windows
					       : p->linux_);
	}
}

static void fetched(void *ctx, struct arm_result *result)
{
	struct packages *p = ctx;
	json_t *document;
	const char *text;

	p->call = NULL;
	if (result->error.class != ARM_ERROR_NONE) {
		answer_waiters(p, result);
		return;
	}
	wipe(&p->windows);
	wipe(&p->linux_);
	document = json_body(result->reply->body, result->reply->body_len);
	text = mde_onboarding_package(document, true);
	p->windows = text != NULL ? xstrdup(text) : NULL;
	text = mde_onboarding_package(document, false);
	p->linux_ = text != NULL ? xstrdup(text) : NULL;
	json_decref(document);
	p->fetched = loop_mono(p->owner->world->loop);
	p->valid = true;
	answer_waiters(p, NULL);
}

static bool is_fresh(const struct packages *p)
{
	struct mono now = loop_mono(p->owner->world->loop);

	return p->valid && mono_since(now, p->fetched).ms < PACKAGE_LIFE.ms;
}

void onboarding_get(struct onboarding *o, const char *identity, const char *subscription,
	bool windows, onboarding_fn done, void *ctx)
{
	struct packages *p = map_get(&o->subscriptions, subscription);
	struct arm_request request = {0};
	struct waiter *w;

	if (p == NULL) {
		p = xcalloc(1, sizeof(*p));
		p->owner = o;
		list_init(&p->waiters);
		map_set(&o->subscriptions, subscription, p);
	}
	if (is_fresh(p)) {
		done(ctx, NULL, windows ? p->windows : p->linux_);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->done = done;
	w->ctx = ctx;
	w->windows = windows;
	list_append(&p->waiters, &w->link);
	if (p->call != NULL)
		return;
	arm_get_onboarding(subscription, &request);
	p->call = arm_client_call(o->client, identity, &request, ARM_URGENT, NULL, fetched, p);
}

void onboarding_forget(struct onboarding *o, const void *ctx)
{
	struct map_entry *entry;

	map_for_each (&o->subscriptions, entry) {
		struct packages *p = entry->value;

		list_for_each (&p->waiters, node) {
			struct waiter *w = list_entry(node, struct waiter, link);

			if (w->ctx != ctx)
				continue;
			list_remove(node);
			free(w);
		}
	}
}

struct onboarding *onboarding_new(const struct world *w, struct arm_client *client)
{
	struct onboarding *o = xcalloc(1, sizeof(*o));

	o->world = w;
	o->client = client;
	map_init(&o->subscriptions, packages_free);
	return o;
}

struct onboarding *onboarding_free(struct onboarding *o)
{
	if (o == NULL)
		return NULL;
	map_fini(&o->subscriptions);
	free(o);
	return NULL;
}
