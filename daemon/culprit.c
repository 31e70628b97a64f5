/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/culprit.h"

#include "daemon/listing.h"
#include "lib/azure/activity_log.h"
#include "lib/base/http_message.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define CULPRIT_MAGIC 0xc0177a17u
/* It was done since we last corrected it, which is seven days ago at most. */
#define LOOK_BACK DUR_DAYS(7)
#define DETAIL_MAX 800
/* Of one resource in seven days: whoever writes more often stands among the first. */
#define EVENTS_MAX 5000

struct search {
	uint32_t magic;
	struct list link;
	struct culprits *owner;
	struct item_ref ref;
	struct listing *listing;
	json_t *events;
	struct loop_timer *timer;
	char *client; /* the application that we are ourselves */
	bool again;   /* the second time */
};

struct culprits {
	const struct world *world;
	struct arm_client *client;
	struct reconciler *reconciler;
	struct list searches;
};

static void search_free(struct search *s)
{
	MDC_MAGIC_CHECK(s, CULPRIT_MAGIC);
	s->magic = 0;
	list_remove(&s->link);
	listing_cancel(s->listing);
	json_decref(s->events);
	s->owner->world->loop->ops->timer_free(s->timer);
	free(s->client);
	free(s);
}

static bool is_in_conflict(const struct item_ref *ref)
{
	const struct item *item = item_of(ref);

	return item->applies && item->state == ITEM_BLOCKED && item->reason == REASON_CONFLICT;
}

static void tell(struct search *s, const char *detail)
{
	struct item_event event = {.kind = EVENT_SEEN_BLOCKED,
		.reason = REASON_CONFLICT,
		.detail = detail,
		.stamp = {.at = loop_wall(s->owner->world->loop), .source = SOURCE_ARM}};
	struct log_entry *e = log_begin(s->owner->world->log, LOG_CONFLICT_MESSAGE);

	log_add(e, "MDCD_CONTROL", control_word(s->ref.control));
	log_add(e, "MDCD_RESOURCE_ID", item_resource_id(&s->ref));
	log_add(e, "MDCD_SUBSCRIPTION_ID", s->ref.subscription->id);
	log_add(e, "MDCD_DETAIL", detail);
	log_commit(e, 0, "%s: %s was undone and is not corrected again: %s",
		item_resource_id(&s->ref), control_word(s->ref.control), detail);
	reconciler_event(s->owner->reconciler, &s->ref, &event, NULL);
}

/* What the writer is, where that is known; caller frees. */
static char *known_as(const struct search *s, const struct activity_writer *writer)
{
	const struct assigned_policies *policies = &s->ref.subscription->policies;
	const struct assigned_policy *policy = assigned_policies_by(policies, writer->object);
	const char *name = activity_caller_name(writer->caller);

	if (policy == NULL)
		policy = assigned_policies_by(policies, writer->caller);
	if (policy != NULL)
		return xasprintf(" (the assigned policy \"%.150s\")", policy->name);
	return name != NULL ? xasprintf(" (%s)", name) : xstrdup("");
}

static void name(struct search *s, const struct activity_writer *writer)
{
	struct buf detail = BUF_INIT(DETAIL_MAX);
	mdc_autofree char *known = known_as(s, writer);
	char at[WALL_TEXT_SIZE];

	wall_format(writer->at, at);
	buf_addf(&detail, "last written by %.200s%s at %s%s%.100s%s", writer->caller, known, at,
		*writer->operation != '\0' ? " (" : "", writer->operation,
		*writer->operation != '\0' ? ")" : "");
	tell(s, buf_str(&detail));
	buf_fini(&detail);
}

static void look_again(struct search *s)
{
	struct loop *loop = s->owner->world->loop;

	if (s->again) {
		tell(s, "the activity log does not tell by whom");
		search_free(s);
		return;
	}
	s->again = true;
	loop->ops->timer_arm(s->timer, mono_add(loop_mono(loop), ACTIVITY_LAG));
}

static void event_row(void *ctx, const json_t *row)
{
	struct search *s = ctx;

	if (json_array_size(s->events) < EVENTS_MAX)
		json_array_append(s->events, (json_t *)row);
}

static void events_read(void *ctx, const struct listing_end *end)
{
	struct search *s = ctx;
	struct activity_writer writer;
	json_t *log = json_pack("{s:o}", "value", s->events);
	bool named;

	MDC_MAGIC_CHECK(s, CULPRIT_MAGIC);
	s->listing = NULL;
	s->events = NULL;
	if (!is_in_conflict(&s->ref)) {
		json_decref(log);
		search_free(s);
		return;
	}
	/* Of a part of the events the last one may be anybody's. */
	named = end->error->class == ARM_ERROR_NONE &&
		activity_last_writer(log, s->client, &writer);
	if (named)
		name(s, &writer);
	json_decref(log);
	if (named)
		search_free(s);
	else
		look_again(s);
}

/* What was written is what the control reads. */
static char *target_of(const struct control *control, const struct control_view *view)
{
	struct arm_request request = {0};
	char *id;
	bool sound;

	control->read(view, &request);
	id = xstrndup(request.path, strcspn(request.path, "?"));
	sound = http_percent_decode(id);
	assert(sound);
	arm_request_fini(&request);
	return id;
}

static void ask(void *ctx)
{
	struct search *s = ctx;
	const struct control *control = control_by_id(s->ref.control);
	const struct scope_config *scope = s->ref.subscription->scope;
	struct wall now = loop_wall(s->owner->world->loop);
	struct control_view view = item_view(&s->ref, NULL, now);
	struct arm_request request = {0};
	mdc_autofree char *target = NULL;

	MDC_MAGIC_CHECK(s, CULPRIT_MAGIC);
	if (!is_in_conflict(&s->ref) || scope == NULL || control->read == NULL) {
		search_free(s);
		return;
	}
	free(s->client);
	s->client = xstrdup(scope->identity->client != NULL ? scope->identity->client : "");
	target = target_of(control, &view);
	arm_find_activity_on(s->ref.subscription->id, target, wall_add(now, DUR_MS(-LOOK_BACK.ms)),
		now, &request);
	s->events = json_array();
	s->listing = listing_arm(
		&(struct listing_target){
			.client = s->owner->client,
			.loop = s->owner->world->loop,
			.identity = scope->identity->name,
			.idle = true,
			.row = event_row,
			.done = events_read,
			.ctx = s,
		},
		&request);
}

static bool is_nameless(const struct item_ref *ref)
{
	const struct scope_config *scope = ref->subscription->scope;

	return scope != NULL && str_empty(scope->identity->client);
}

static bool is_about(const struct search *s, const struct item_ref *ref)
{
	return s->ref.subscription == ref->subscription && s->ref.machine == ref->machine &&
		s->ref.connector == ref->connector && s->ref.workspace == ref->workspace &&
		s->ref.control == ref->control;
}

void culprits_search(struct culprits *c, const struct item_ref *ref)
{
	struct search *s;

	if (!is_in_conflict(ref))
		return;
	culprits_forget(c, ref);
	s = xcalloc(1, sizeof(*s));
	s->magic = CULPRIT_MAGIC;
	s->owner = c;
	s->ref = *ref;
	s->timer = loop_timer_new(c->world->loop, ask, s);
	list_append(&c->searches, &s->link);
	/* Where it is not known who we are, our own write may not be the last one that is shown. */
	if (is_nameless(ref))
		look_again(s);
	else
		ask(s);
}

void culprits_forget(struct culprits *c, const struct item_ref *ref)
{
	list_for_each (&c->searches, node) {
		struct search *s = list_entry(node, struct search, link);

		if (is_about(s, ref))
			search_free(s);
	}
}

struct culprits *culprits_new(const struct world *w, struct arm_client *client)
{
	struct culprits *c = xcalloc(1, sizeof(*c));

	c->world = w;
	c->client = client;
	list_init(&c->searches);
	return c;
}

void culprits_bind(struct culprits *c, struct reconciler *r)
{
	c->reconciler = r;
}

struct culprits *culprits_free(struct culprits *c)
{
	if (c == NULL)
		return NULL;
	list_for_each (&c->searches, node)
		search_free(list_entry(node, struct search, link));
	free(c);
	return NULL;
}
