/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/credentials.h"

#include "daemon/token_job.h"
#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <string.h>

#define CREDENTIALS_MAGIC 0xc4ede471u
#define WALLET_MAGIC 0x3a11e700u
/* The token endpoint asks for this pace after a 400; trouble on the way may pass sooner. */
#define REFUSED_MEMORY DUR_S(60)
#define TRANSIENT_MEMORY DUR_S(10)
#define RETRY_AFTER_MOST DUR_H(24)
/* While the present token is good. */
#define REFRESH_PACE DUR_S(30)
/* Of two refusals within this the second is not about the token. */
#define REPLACEMENT_PACE DUR_S(30)
#define MARGIN_MOST DUR_MIN(5)
#define LONG_LIFE DUR_H(2)

/* The token of one (identity, audience). */
struct wallet {
	uint32_t magic;
	struct credentials *owner;
	char *name;
	char *audience;
	struct identity *identity; /* NULL: not configured */
	unsigned waiting;          /* waiters anywhere */
	struct list waiters;       /* those who wait for `job` */
	struct token_job *job;
	struct mono began; /* the last job */
	char *token;
	struct mono refresh_at, usable_until, expires;
	bool refused;     /* the token before was: the next one replaces it */
	bool replacement; /* `token` replaced a refused one */
	struct arm_error failure;
	struct mono failed_until;
	uint64_t failed_files; /* version of the identity's files when it failed */
	enum arm_error_class told;
};

struct credential_waiter {
	struct list link;
	struct wallet *wallet;
	credentials_fn fn;
	void *ctx;
};

struct credentials {
	uint32_t magic;
	const struct world *world;
	struct map identities;
	struct map wallets;
	struct list due; /* waiters who are answered in the next turn */
	struct loop_timer *answering;
	uint64_t requests;
};

static void job_done(void *ctx, struct token_outcome *outcome);

static struct mono now_of(const struct credentials *c)
{
	return loop_mono(c->world->loop);
}

static void drop_token(struct wallet *p)
{
	secret_free(p->token);
	p->token = NULL;
}

static void make_due(struct credentials *c, struct credential_waiter *w)
{
	list_remove(&w->link);
	list_append(&c->due, &w->link);
	c->world->loop->ops->timer_arm(c->answering, now_of(c));
}

static void make_all_due(struct wallet *p)
{
	while (!list_is_empty(&p->waiters))
		make_due(p->owner, list_entry(p->waiters.next, struct credential_waiter, link));
}

static bool is_usable(const struct wallet *p, struct mono now)
{
	return p->token != NULL && mono_before(now, p->usable_until);
}

/* Whoever mended a file need not wait for the end of a memory. */
static bool is_remembered(const struct wallet *p, struct mono now)
{
	return p->failure.class != ARM_ERROR_NONE && mono_before(now, p->failed_until) &&
		(p->failure.class != ARM_ERROR_IDENTITY ||
			p->failed_files == token_files_version(p->owner->world, p->identity));
}

static void begin(struct wallet *p)
{
	struct credentials *c = p->owner;

	p->began = now_of(c);
	p->failed_files = token_files_version(c->world, p->identity);
	p->job = token_job_new(c->world, p->identity, p->audience, &c->requests, job_done, p);
}

static void waiter_free(struct credential_waiter *w)
{
	list_remove(&w->link);
	w->wallet->waiting--;
	free(w);
}

static void give(struct credential_waiter *w, const struct arm_error *failure, const char *token)
{
	struct credential_waiter copy = *w;

	waiter_free(w);
	copy.fn(copy.ctx, failure, token);
}

static void give_unknown(struct credential_waiter *w)
{
	struct arm_error error = {.class = ARM_ERROR_IDENTITY, .code = "UnknownIdentity"};

	str_copy(error.message, sizeof(error.message), "the identity is not configured any more");
	give(w, &error, NULL);
}

static void serve(struct credential_waiter *w, struct mono now)
{
	struct wallet *p = w->wallet;

	if (p->identity == NULL) {
		give_unknown(w);
	} else if (is_usable(p, now)) {
		if (p->job == NULL && !mono_before(now, p->refresh_at) &&
			!mono_before(now, mono_add(p->began, REFRESH_PACE)) &&
			!is_remembered(p, now))
			begin(p);
		give(w, NULL, p->token);
	} else if (p->job == NULL && is_remembered(p, now)) {
		give(w, &p->failure, NULL);
	} else {
		list_remove(&w->link);
		list_append(&p->waiters, &w->link);
		if (p->job == NULL)
			begin(p);
	}
}

static void answer(void *ctx)
{
	struct credentials *c = ctx;
	struct mono now = now_of(c);
	struct list batch;

	MDC_MAGIC_CHECK(c, CREDENTIALS_MAGIC);
	/* Who asks from within an answer is served in the next turn. */
	list_init(&batch);
	while (!list_is_empty(&c->due)) {
		struct list *node = c->due.next;

		list_remove(node);
		list_append(&batch, node);
	}
	while (!list_is_empty(&batch))
		serve(list_entry(batch.next, struct credential_waiter, link), now);
}

static bool somebody_told(const struct wallet *p, bool any, enum arm_error_class class)
{
	struct map_entry *entry;

	map_for_each (&p->owner->wallets, entry) {
		const struct wallet *other = entry->value;

		if (str_equal_nocase(other->name, p->name) &&
			(any ? other->told != ARM_ERROR_NONE : other->told == class))
			return true;
	}
	return false;
}

static void log_failing(const struct wallet *p)
{
	const struct arm_error *e = &p->failure;
	struct log_entry *entry = log_begin(p->owner->world->log, LOG_IDENTITY_MESSAGE);

	log_add(entry, "MDCD_IDENTITY", p->name);
	log_add(entry, "MDCD_ERROR_CODE", e->code);
	if (arm_error_is_retryable(e->class))
		log_priority(entry, LOG_WARNING);
	log_commit(entry, 0, "identity \"%s\" gets no token for %s: %s%s", p->name, p->audience,
		*e->message != '\0' ? e->message : e->code,
		p->token != NULL ? " (the present one is still good)" : "");
}

static void tell_failing(struct wallet *p)
{
	enum arm_error_class class = p->failure.class;

	/* One failed renewal ahead of time is no news where the next one may succeed. */
	if (is_usable(p, now_of(p->owner)) && arm_error_is_retryable(class))
		return;
	if (!somebody_told(p, false, class))
		log_failing(p);
	p->told = class;
}

static void tell_recovered(struct wallet *p)
{
	struct log_entry *entry;

	if (p->told == ARM_ERROR_NONE)
		return;
	p->told = ARM_ERROR_NONE;
	if (somebody_told(p, true, ARM_ERROR_NONE))
		return;
	entry = log_begin(p->owner->world->log, LOG_IDENTITY_MESSAGE);
	log_add(entry, "MDCD_IDENTITY", p->name);
	log_priority(entry, LOG_NOTICE);
	log_commit(entry, 0, "identity \"%s\" gets tokens again", p->name);
}

static void keep_failure(struct wallet *p, const struct arm_error *failure, struct dur retry_after)
{
	struct dur memory =
		arm_error_is_retryable(failure->class) ? TRANSIENT_MEMORY : REFUSED_MEMORY;

	if (retry_after.ms > 0)
		memory = dur_min(retry_after, RETRY_AFTER_MOST);
	p->failure = *failure;
	p->failed_until = mono_add(now_of(p->owner), memory);
	tell_failing(p);
}

/* Renewed ahead of its end; not used in its last minutes, or the last tenth of a short life. */
static void keep_token(struct wallet *p, struct token_outcome *o)
{
	struct dur margin = dur_min(MARGIN_MOST, DUR_MS(o->lifetime.ms / 10));
	struct dur usable = DUR_MS(o->lifetime.ms - margin.ms);
	struct dur refresh = DUR_MS(usable.ms - margin.ms);

	if (o->refresh_in.ms > 0 && o->refresh_in.ms < usable.ms)
		refresh = o->refresh_in;
	else if (o->lifetime.ms >= LONG_LIFE.ms)
		refresh = DUR_MS(o->lifetime.ms / 2);
	drop_token(p);
	p->token = mdc_take(o->token);
	p->expires = mono_add(p->began, o->lifetime);
	p->usable_until = mono_add(p->began, usable);
	p->refresh_at = mono_add(p->began, refresh);
	p->replacement = p->refused;
	p->refused = false;
	p->failure = (struct arm_error){.class = ARM_ERROR_NONE};
	tell_recovered(p);
}

static void job_done(void *ctx, struct token_outcome *outcome)
{
	static const struct arm_error late = {.class = ARM_ERROR_TRANSIENT,
		.code = "SignIn",
		.message = "the token had run out when it arrived"};
	struct wallet *p = ctx;

	MDC_MAGIC_CHECK(p, WALLET_MAGIC);
	if (outcome->failure.class != ARM_ERROR_NONE)
		keep_failure(p, &outcome->failure, outcome->retry_after);
	else if (mono_since(now_of(p->owner), p->began).ms >= outcome->lifetime.ms * 9 / 10)
		keep_failure(p, &late, DUR_MS(0));
	else
		keep_token(p, outcome);
	p->job = token_job_free(p->job);
	make_all_due(p);
}

static void wallet_free(void *wallet)
{
	struct wallet *p = wallet;

	list_for_each (&p->waiters, node)
		waiter_free(list_entry(node, struct credential_waiter, link));
	token_job_free(p->job);
	drop_token(p);
	identity_drop(p->identity);
	free(p->name);
	free(p->audience);
	p->magic = 0;
	free(p);
}

static char *wallet_key(const char *identity, const char *audience)
{
	return xasprintf("%s\n%s", identity, audience);
}

static struct wallet *wallet_of(struct credentials *c, const char *identity, const char *audience)
{
	mdc_autofree char *key = wallet_key(identity, audience);
	struct wallet *p = map_get(&c->wallets, key);
	struct identity *id = map_get(&c->identities, identity);

	if (p != NULL)
		return p;
	p = xcalloc(1, sizeof(*p));
	p->magic = WALLET_MAGIC;
	p->owner = c;
	p->name = xstrdup(identity);
	p->audience = xstrdup(audience);
	p->identity = id != NULL ? identity_hold(id) : NULL;
	list_init(&p->waiters);
	map_set(&c->wallets, key, p);
	return p;
}

struct credentials *credentials_new(const struct world *w)
{
	struct credentials *c = xcalloc(1, sizeof(*c));

	c->magic = CREDENTIALS_MAGIC;
	c->world = w;
	identity_map_init(&c->identities);
	map_init(&c->wallets, wallet_free);
	list_init(&c->due);
	c->answering = loop_timer_new(w->loop, answer, c);
	return c;
}

struct credentials *credentials_free(struct credentials *c)
{
	if (c == NULL)
		return NULL;
	list_for_each (&c->due, node)
		waiter_free(list_entry(node, struct credential_waiter, link));
	map_fini(&c->wallets);
	map_fini(&c->identities);
	c->answering = c->world->loop->ops->timer_free(c->answering);
	c->magic = 0;
	free(c);
	return NULL;
}

/* What was got or refused under the old configuration says nothing about the new one. */
static void start_over(struct wallet *p, struct identity *id)
{
	p->job = token_job_free(p->job);
	drop_token(p);
	p->failure = (struct arm_error){.class = ARM_ERROR_NONE};
	p->refused = p->replacement = false;
	p->told = ARM_ERROR_NONE;
	identity_drop(p->identity);
	p->identity = id != NULL ? identity_hold(id) : NULL;
	make_all_due(p);
}

void credentials_configure(struct credentials *c, const struct config *config)
{
	struct map_entry *entry;

	identity_map_configure(&c->identities, config);
	map_for_each (&c->wallets, entry) {
		struct wallet *p = entry->value;
		struct identity *id = map_get(&c->identities, p->name);

		if (id != p->identity)
			start_over(p, id);
		if (id == NULL && p->waiting == 0)
			map_remove(&c->wallets, entry->key);
	}
}

struct credential_waiter *credentials_get(struct credentials *c, const char *identity,
	const char *audience, credentials_fn fn, void *ctx)
{
	struct credential_waiter *w = xcalloc(1, sizeof(*w));

	list_init(&w->link);
	w->wallet = wallet_of(c, identity, audience);
	w->wallet->waiting++;
	w->fn = fn;
	w->ctx = ctx;
	make_due(c, w);
	return w;
}

void credentials_cancel(struct credentials *c, struct credential_waiter *w)
{
	(void)c;
	waiter_free(w);
}

void credentials_refuse(
	struct credentials *c, const char *identity, const char *audience, const char *token)
{
	mdc_autofree char *key = wallet_key(identity, audience);
	struct wallet *p = map_get(&c->wallets, key);

	if (p == NULL || !str_equal(p->token, token))
		return;
	if (p->replacement && mono_since(now_of(c), p->began).ms < REPLACEMENT_PACE.ms)
		return;
	drop_token(p);
	p->refused = true;
}

uint64_t credentials_requests(const struct credentials *c)
{
	return c->requests;
}

static const char *state_word(const struct wallet *p, struct mono now)
{
	if (p->failure.class != ARM_ERROR_NONE)
		return "failing";
	if (is_usable(p, now))
		return "valid";
	return p->job != NULL ? "asking" : "none";
}

/* Text from outside, so that it is safe to show and valid UTF-8. */
static json_t *safe_text(const char *text)
{
	mdc_cleanup(buf_fini) struct buf b = BUF_INIT(ARM_ERROR_TEXT_SIZE * 4 + 16);

	str_escape(&b, text, ARM_ERROR_TEXT_SIZE);
	return json_string(buf_str(&b));
}

static json_t *wallet_report(const struct wallet *p)
{
	struct credentials *c = p->owner;
	struct mono now = now_of(c);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "identity", p->name, "method",
		p->identity != NULL ? token_method_name(p->identity->config.method) : "",
		"audience", p->audience, "state", state_word(p, now));
	char expires[WALL_TEXT_SIZE];

	if (p->token != NULL) {
		wall_format(
			wall_add(loop_wall(c->world->loop), mono_since(p->expires, now)), expires);
		json_object_set_new(row, "expires", json_string(expires));
	}
	if (p->failure.class != ARM_ERROR_NONE) {
		json_object_set_new(row, "code", safe_text(p->failure.code));
		json_object_set_new(row, "error", safe_text(p->failure.message));
	}
	return row;
}

json_t *credentials_report(struct credentials *c)
{
	json_t *rows = json_array();
	struct map_entry *entry;

	map_for_each (&c->wallets, entry)
		json_array_append_new(rows, wallet_report(entry->value));
	return rows;
}
