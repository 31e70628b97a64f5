/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/onboarding.h"

#include "daemon/base64.h"
#include "lib/azure/arm_document.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define ONBOARDING_MAGIC 0x0b0a4d1fu
#define PACKAGE_LIFE DUR_MIN(10)
/* They are about 30 KB; ARM takes no larger body than 4 MB. */
#define PACKAGE_MAX (1 << 20)

struct waiter {
	struct list link;
	onboarding_fn done;
	void *ctx;
	bool windows;
};

struct packages {
	uint32_t magic;
	struct onboarding *owner;
	char *windows;
	char *linux_;
	bool valid;
	char organisation[GUID_TEXT_SIZE];
	struct wall organisation_at;
	struct loop_timer *wiping; /* they do not stay longer than they are good for */
	struct arm_call *call;
	struct list waiters;
	struct list answering; /* those of them whose turn it is */
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

static void wipe_packages(struct packages *p)
{
	wipe(&p->windows);
	wipe(&p->linux_);
	p->valid = false;
}

static void too_old(void *ctx)
{
	struct packages *p = ctx;

	MDC_MAGIC_CHECK(p, ONBOARDING_MAGIC);
	wipe_packages(p);
}

static void free_waiters(struct list *waiters)
{
	list_for_each (waiters, node) {
		list_remove(node);
		free(list_entry(node, struct waiter, link));
	}
}

static void packages_free(void *packages)
{
	struct packages *p = packages;

	wipe_packages(p);
	if (p->call != NULL)
		arm_client_cancel(p->owner->client, p->call);
	p->owner->world->loop->ops->timer_free(p->wiping);
	free_waiters(&p->waiters);
	free_waiters(&p->answering);
	p->magic = 0;
	free(p);
}

static struct packages *packages_new(struct onboarding *o)
{
	struct packages *p = xcalloc(1, sizeof(*p));

	p->magic = ONBOARDING_MAGIC;
	p->owner = o;
	p->wiping = loop_timer_new(o->world->loop, too_old, p);
	list_init(&p->waiters);
	list_init(&p->answering);
	return p;
}

/* A waiter may ask again from its callback, or have another one forgotten. */
static void answer_waiters(struct packages *p, struct arm_result *failure)
{
	while (!list_is_empty(&p->waiters)) {
		struct list *node = p->waiters.next;

		list_remove(node);
		list_append(&p->answering, node);
	}
	while (!list_is_empty(&p->answering)) {
		struct waiter *w = list_entry(p->answering.next, struct waiter, link);
		struct waiter copy = *w;
		const char *package = copy.windows ? p->windows : p->linux_;

		list_remove(&w->link);
		free(w);
		copy.done(copy.ctx, failure, failure == NULL ? package : NULL);
	}
}

static char *package_of(const json_t *document, bool windows)
{
	const char *text = mde_onboarding_package(document, windows);

	return text != NULL && strlen(text) <= PACKAGE_MAX ? xstrdup(text) : NULL;
}

static void note_organisation(struct packages *p, const char *package)
{
	size_t len = 0;
	char *script = package != NULL ? base64_decode(package, strlen(package), &len) : NULL;
	char found[GUID_TEXT_SIZE];

	if (script == NULL)
		return;
	if (mde_organisation(script, found)) {
		str_copy(p->organisation, sizeof(p->organisation), found);
		p->organisation_at = loop_wall(p->owner->world->loop);
	}
	explicit_bzero(script, len);
	free(script);
}

/* An answer without either is no statement that there are none, unless it is a list. */
static bool take_packages(struct packages *p, const struct arm_result *result)
{
	json_t *document = result->reply != NULL
		? json_body(result->reply->body, result->reply->body_len)
		: NULL;
	bool sound = json_is_array(json_path(document, "value")) ||
		json_is_object(json_path(document, "properties"));

	wipe_packages(p);
	p->windows = package_of(document, true);
	p->linux_ = package_of(document, false);
	p->valid = sound;
	note_organisation(p, p->windows != NULL ? p->windows : p->linux_);
	json_decref(document);
	return sound;
}

static void fetched(void *ctx, struct arm_result *result)
{
	struct packages *p = ctx;
	struct loop *loop = p->owner->world->loop;

	MDC_MAGIC_CHECK(p, ONBOARDING_MAGIC);
	p->call = NULL;
	if (result->error.class == ARM_ERROR_NONE && !take_packages(p, result))
		arm_error_transport("the answer is no list of onboarding packages", &result->error);
	if (result->error.class != ARM_ERROR_NONE) {
		answer_waiters(p, result);
		return;
	}
	loop->ops->timer_arm(p->wiping, mono_add(loop_mono(loop), PACKAGE_LIFE));
	answer_waiters(p, NULL);
}

void onboarding_get(struct onboarding *o, const char *identity, const char *subscription,
	bool windows, onboarding_fn done, void *ctx)
{
	struct packages *p = map_get(&o->subscriptions, subscription);
	struct arm_request request = {0};
	struct waiter *w;

	if (p == NULL) {
		p = packages_new(o);
		map_set(&o->subscriptions, subscription, p);
	}
	if (p->valid) {
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

static void forget_in(struct list *waiters, const void *ctx)
{
	list_for_each (waiters, node) {
		struct waiter *w = list_entry(node, struct waiter, link);

		if (w->ctx != ctx)
			continue;
		list_remove(node);
		free(w);
	}
}

void onboarding_forget(struct onboarding *o, const void *ctx)
{
	struct map_entry *entry;

	map_for_each (&o->subscriptions, entry) {
		struct packages *p = entry->value;

		forget_in(&p->waiters, ctx);
		forget_in(&p->answering, ctx);
	}
}

const char *onboarding_organisation(
	const struct onboarding *o, const char *subscription, struct wall *ret_at)
{
	const struct packages *p = map_get(&o->subscriptions, subscription);

	if (p == NULL || *p->organisation == '\0')
		return NULL;
	*ret_at = p->organisation_at;
	return p->organisation;
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
