/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/credentials.h"

#include "daemon/token_job.h"
#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <jansson.h>
#include <string.h>

#define CREDENTIALS_MAGIC 0xc4ede471u
#define CACHED_TOKEN_MAGIC 0x3a11e700u
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
#define SYSTEMD_CREDENTIALS "/run/credentials/"

/* How near the end of a certificate or secret is; each step is told once. */
enum ending { ENDING_FAR, ENDING_30_DAYS, ENDING_7_DAYS, ENDING_1_DAY, ENDING_PAST };

/* The token of one (identity, audience). */
struct cached_token {
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
	char *claims;     /* that the next token is to have, or NULL */
	bool refused;     /* the token before was: the next one replaces it */
	bool replacement; /* `token` replaced a refused one */
	struct arm_error failure;
	struct mono failed_until;
	uint64_t failed_files; /* version of the identity's files when it failed */
	enum arm_error_class told;
	struct wall credential_expires; /* of what was signed in with last; WALL_UNSET: not known */
	enum ending told_ending;
};

struct credential_waiter {
	struct list link;
	struct cached_token *cached;
	credentials_fn fn;
	void *ctx;
};

struct credentials {
	uint32_t magic;
	const struct world *world;
	struct map identities;
	struct map tokens;
	struct list due; /* waiters who are answered in the next turn */
	struct loop_timer *answering;
	uint64_t requests;
};

static void job_done(void *ctx, struct token_outcome *outcome);

static struct mono now_of(const struct credentials *c)
{
	return loop_mono(c->world->loop);
}

static void drop_token(struct cached_token *t)
{
	secret_free(t->token);
	t->token = NULL;
}

static void make_due(struct credentials *c, struct credential_waiter *w)
{
	list_remove(&w->link);
	list_append(&c->due, &w->link);
	c->world->loop->ops->timer_arm(c->answering, now_of(c));
}

static void make_all_due(struct cached_token *t)
{
	while (!list_is_empty(&t->waiters))
		make_due(t->owner, list_entry(t->waiters.next, struct credential_waiter, link));
}

static bool is_usable(const struct cached_token *t, struct mono now)
{
	return t->token != NULL && mono_before(now, t->usable_until);
}

/* Whoever mended a file need not wait for the end of a memory. */
static bool is_remembered(const struct cached_token *t, struct mono now)
{
	return t->failure.class != ARM_ERROR_NONE && mono_before(now, t->failed_until) &&
		(t->failure.class != ARM_ERROR_IDENTITY ||
			t->failed_files == token_files_version(t->owner->world, t->identity));
}

static void begin(struct cached_token *t)
{
	struct credentials *c = t->owner;

	t->began = now_of(c);
	t->failed_files = token_files_version(c->world, t->identity);
	t->job = token_job_new(c->world, t->identity,
		&(struct token_wish){.audience = t->audience, .claims = t->claims}, &c->requests,
		job_done, t);
	free(t->claims);
	t->claims = NULL;
}

static void waiter_free(struct credential_waiter *w)
{
	list_remove(&w->link);
	w->cached->waiting--;
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
	struct cached_token *t = w->cached;

	if (t->identity == NULL) {
		give_unknown(w);
	} else if (is_usable(t, now)) {
		if (t->job == NULL && !mono_before(now, t->refresh_at) &&
			!mono_before(now, mono_add(t->began, REFRESH_PACE)) &&
			!is_remembered(t, now))
			begin(t);
		give(w, NULL, t->token);
	} else if (t->job == NULL && is_remembered(t, now)) {
		give(w, &t->failure, NULL);
	} else {
		list_remove(&w->link);
		list_append(&t->waiters, &w->link);
		if (t->job == NULL)
			begin(t);
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

static bool somebody_told(const struct cached_token *t, bool any, enum arm_error_class class)
{
	struct map_entry *entry;

	map_for_each (&t->owner->tokens, entry) {
		const struct cached_token *other = entry->value;

		if (str_equal_nocase(other->name, t->name) &&
			(any ? other->told != ARM_ERROR_NONE : other->told == class))
			return true;
	}
	return false;
}

static void log_failing(const struct cached_token *t)
{
	const struct arm_error *e = &t->failure;
	struct log_entry *entry = log_begin(t->owner->world->log, LOG_IDENTITY_MESSAGE);

	log_add(entry, "MDCD_IDENTITY", t->name);
	log_add(entry, "MDCD_ERROR_CODE", e->code);
	if (arm_error_is_retryable(e->class))
		log_priority(entry, LOG_WARNING);
	log_commit(entry, 0, "identity \"%s\" gets no token for %s: %s%s", t->name, t->audience,
		*e->message != '\0' ? e->message : e->code,
		t->token != NULL ? " (the present one is still good)" : "");
}

static void tell_failing(struct cached_token *t)
{
	enum arm_error_class class = t->failure.class;

	/* One failed renewal ahead of time is no news where the next one may succeed. */
	if (is_usable(t, now_of(t->owner)) && arm_error_is_retryable(class))
		return;
	if (!somebody_told(t, false, class))
		log_failing(t);
	t->told = class;
}

static void tell_recovered(struct cached_token *t)
{
	struct log_entry *entry;

	if (t->told == ARM_ERROR_NONE)
		return;
	t->told = ARM_ERROR_NONE;
	if (somebody_told(t, true, ARM_ERROR_NONE))
		return;
	entry = log_begin(t->owner->world->log, LOG_IDENTITY_MESSAGE);
	log_add(entry, "MDCD_IDENTITY", t->name);
	log_priority(entry, LOG_NOTICE);
	log_commit(entry, 0, "identity \"%s\" gets tokens again", t->name);
}

/* --- certificates and secrets that end --- */

static enum ending ending_of(struct wall end, struct wall now)
{
	struct dur left = wall_since(end, now);

	if (!wall_is_set(end) || left.ms > DUR_DAYS(30).ms)
		return ENDING_FAR;
	if (left.ms > DUR_DAYS(7).ms)
		return ENDING_30_DAYS;
	if (left.ms > DUR_DAYS(1).ms)
		return ENDING_7_DAYS;
	return left.ms > 0 ? ENDING_1_DAY : ENDING_PAST;
}

/* "the certificate /etc/mdcd/credentials/mdcd.pem ends in 12 d 4 h"; nothing while that is far. */
static void add_ending(const struct cached_token *t, struct wall now, struct buf *ret)
{
	const struct identity_config *c = &t->identity->config;
	bool secret = c->method == IDENTITY_CLIENT_SECRET;
	const char *file = secret ? c->secret_file : c->certificate;
	enum ending ending = ending_of(t->credential_expires, now);
	char left[DUR_TEXT_SIZE];

	if (ending == ENDING_FAR)
		return;
	dur_format(wall_since(t->credential_expires, now), left);
	buf_addf(ret, "the %s %s ", secret ? "client secret" : "certificate", file);
	if (ending == ENDING_PAST)
		buf_adds(ret, "has ended");
	else
		buf_addf(ret, "ends in %s", left);
	/* What systemd hands over is a copy that it makes once. */
	if (str_starts_nocase(file, SYSTEMD_CREDENTIALS))
		buf_adds(ret,
			"; systemd copies it at the start of mdcd, so restart that once it is "
			"replaced");
}

static bool somebody_told_ending(const struct cached_token *t, enum ending ending)
{
	struct map_entry *entry;

	map_for_each (&t->owner->tokens, entry) {
		const struct cached_token *other = entry->value;

		if (other->told_ending >= ending && str_equal_nocase(other->name, t->name))
			return true;
	}
	return false;
}

static void note_ending(struct cached_token *t, struct wall end)
{
	struct wall now = loop_wall(t->owner->world->loop);
	enum ending ending = ending_of(end, now);
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
	struct log_entry *entry;

	t->credential_expires = end;
	if (ending == ENDING_FAR || somebody_told_ending(t, ending)) {
		t->told_ending = ending;
		return;
	}
	t->told_ending = ending;
	add_ending(t, now, &text);
	entry = log_begin(t->owner->world->log, LOG_CREDENTIAL_MESSAGE);
	log_add(entry, "MDCD_IDENTITY", t->name);
	log_commit(entry, 0, "identity \"%s\": %s", t->name, buf_str(&text));
}

/* --- what came of a job --- */

static void keep_failure(
	struct cached_token *t, const struct arm_error *failure, struct dur retry_after)
{
	struct dur memory =
		arm_error_is_retryable(failure->class) ? TRANSIENT_MEMORY : REFUSED_MEMORY;

	if (retry_after.ms > 0)
		memory = dur_min(retry_after, RETRY_AFTER_MOST);
	t->failure = *failure;
	t->failed_until = mono_add(now_of(t->owner), memory);
	tell_failing(t);
}

/* Renewed ahead of its end; not used in its last minutes, or the last tenth of a short life. */
static void keep_token(struct cached_token *t, struct token_outcome *o)
{
	struct dur margin = dur_min(MARGIN_MOST, DUR_MS(o->lifetime.ms / 10));
	struct dur usable = DUR_MS(o->lifetime.ms - margin.ms);
	struct dur refresh = DUR_MS(usable.ms - margin.ms);

	if (o->refresh_in.ms > 0 && o->refresh_in.ms < usable.ms)
		refresh = o->refresh_in;
	else if (o->lifetime.ms >= LONG_LIFE.ms)
		refresh = DUR_MS(o->lifetime.ms / 2);
	drop_token(t);
	t->token = mdc_take(o->token);
	t->expires = mono_add(t->began, o->lifetime);
	t->usable_until = mono_add(t->began, usable);
	t->refresh_at = mono_add(t->began, refresh);
	t->replacement = t->refused;
	t->refused = false;
	t->failure = (struct arm_error){.class = ARM_ERROR_NONE};
	tell_recovered(t);
}

static void job_done(void *ctx, struct token_outcome *outcome)
{
	static const struct arm_error late = {.class = ARM_ERROR_TRANSIENT,
		.code = "SignIn",
		.message = "the token had run out when it arrived"};
	struct cached_token *t = ctx;

	MDC_MAGIC_CHECK(t, CACHED_TOKEN_MAGIC);
	note_ending(t, outcome->credential_expires);
	if (outcome->failure.class != ARM_ERROR_NONE)
		keep_failure(t, &outcome->failure, outcome->retry_after);
	else if (mono_since(now_of(t->owner), t->began).ms >= outcome->lifetime.ms * 9 / 10)
		keep_failure(t, &late, DUR_MS(0));
	else
		keep_token(t, outcome);
	t->job = token_job_free(t->job);
	make_all_due(t);
}

static void cached_token_free(void *cached)
{
	struct cached_token *t = cached;

	list_for_each (&t->waiters, node)
		waiter_free(list_entry(node, struct credential_waiter, link));
	token_job_free(t->job);
	drop_token(t);
	identity_drop(t->identity);
	free(t->name);
	free(t->audience);
	free(t->claims);
	t->magic = 0;
	free(t);
}

static char *cached_token_key(const char *identity, const char *audience)
{
	return xasprintf("%s\n%s", identity, audience);
}

static struct cached_token *cached_token_of(
	struct credentials *c, const char *identity, const char *audience)
{
	mdc_autofree char *key = cached_token_key(identity, audience);
	struct cached_token *t = map_get(&c->tokens, key);
	struct identity *id = map_get(&c->identities, identity);

	if (t != NULL)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->magic = CACHED_TOKEN_MAGIC;
	t->owner = c;
	t->name = xstrdup(identity);
	t->audience = xstrdup(audience);
	t->identity = id != NULL ? identity_hold(id) : NULL;
	list_init(&t->waiters);
	map_set(&c->tokens, key, t);
	return t;
}

struct credentials *credentials_new(const struct world *w)
{
	struct credentials *c = xcalloc(1, sizeof(*c));

	c->magic = CREDENTIALS_MAGIC;
	c->world = w;
	identity_map_init(&c->identities);
	map_init(&c->tokens, cached_token_free);
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
	map_fini(&c->tokens);
	map_fini(&c->identities);
	c->answering = c->world->loop->ops->timer_free(c->answering);
	c->magic = 0;
	free(c);
	return NULL;
}

/* What was got or refused under the old configuration says nothing about the new one. */
static void start_over(struct cached_token *t, struct identity *id)
{
	t->job = token_job_free(t->job);
	drop_token(t);
	t->failure = (struct arm_error){.class = ARM_ERROR_NONE};
	t->refused = t->replacement = false;
	t->told = ARM_ERROR_NONE;
	t->credential_expires = WALL_UNSET;
	t->told_ending = ENDING_FAR;
	identity_drop(t->identity);
	t->identity = id != NULL ? identity_hold(id) : NULL;
	make_all_due(t);
}

void credentials_configure(struct credentials *c, const struct config *config)
{
	struct map_entry *entry;

	identity_map_configure(&c->identities, config);
	map_for_each (&c->tokens, entry) {
		struct cached_token *t = entry->value;
		struct identity *id = map_get(&c->identities, t->name);

		if (id != t->identity)
			start_over(t, id);
		if (id == NULL && t->waiting == 0)
			map_remove(&c->tokens, entry->key);
	}
}

struct credential_waiter *credentials_get(struct credentials *c, const char *identity,
	const char *audience, credentials_fn fn, void *ctx)
{
	struct credential_waiter *w = xcalloc(1, sizeof(*w));

	list_init(&w->link);
	w->cached = cached_token_of(c, identity, audience);
	w->cached->waiting++;
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

void credentials_refuse(struct credentials *c, const char *identity, const char *audience,
	const char *token, const char *claims)
{
	mdc_autofree char *key = cached_token_key(identity, audience);
	struct cached_token *t = map_get(&c->tokens, key);

	if (t == NULL || !str_equal(t->token, token))
		return;
	if (t->replacement && mono_since(now_of(c), t->began).ms < REPLACEMENT_PACE.ms)
		return;
	drop_token(t);
	t->refused = true;
	free(t->claims);
	t->claims = claims != NULL ? xstrdup(claims) : NULL;
}

uint64_t credentials_requests(const struct credentials *c)
{
	return c->requests;
}

static const char *state_word(const struct cached_token *t, struct mono now)
{
	if (t->failure.class != ARM_ERROR_NONE)
		return "failing";
	if (is_usable(t, now))
		return "valid";
	return t->job != NULL ? "asking" : "none";
}

/* Text from outside, so that it is safe to show and valid UTF-8. */
static json_t *safe_text(const char *text)
{
	mdc_cleanup(buf_fini) struct buf b = BUF_INIT(ARM_ERROR_TEXT_SIZE * 4 + 16);

	str_escape(&b, text, ARM_ERROR_TEXT_SIZE);
	return json_string(buf_str(&b));
}

static void report_ending(const struct cached_token *t, json_t *row)
{
	struct wall now = loop_wall(t->owner->world->loop);
	mdc_cleanup(buf_fini) struct buf warning = BUF_INIT(4096);
	char end[WALL_TEXT_SIZE];

	if (t->identity == NULL || !wall_is_set(t->credential_expires))
		return;
	wall_format((struct wall){t->credential_expires.ms / 1000 * 1000}, end);
	json_object_set_new(row, "credential_expires", json_string(end));
	add_ending(t, now, &warning);
	if (warning.len > 0)
		json_object_set_new(row, "warning", json_string(buf_str(&warning)));
}

static json_t *cached_token_report(const struct cached_token *t)
{
	struct credentials *c = t->owner;
	struct mono now = now_of(c);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "identity", t->name, "method",
		t->identity != NULL ? token_method_name(t->identity->config.method) : "",
		"audience", t->audience, "state", state_word(t, now));
	char expires[WALL_TEXT_SIZE];

	if (t->token != NULL) {
		wall_format(
			wall_add(loop_wall(c->world->loop), mono_since(t->expires, now)), expires);
		json_object_set_new(row, "expires", json_string(expires));
	}
	report_ending(t, row);
	if (t->failure.class != ARM_ERROR_NONE) {
		json_object_set_new(row, "code", safe_text(t->failure.code));
		json_object_set_new(row, "error", safe_text(t->failure.message));
	}
	return row;
}

bool credentials_object_id(
	const struct credentials *c, const char *identity, char ret[static OBJECT_ID_SIZE])
{
	struct map_entry *entry;

	map_for_each (&c->tokens, entry) {
		const struct cached_token *t = entry->value;

		if (t->token != NULL && str_equal(t->name, identity) &&
			token_object_id(t->token, ret))
			return true;
	}
	return false;
}

json_t *credentials_report(struct credentials *c)
{
	json_t *rows = json_array();
	struct map_entry *entry;

	map_for_each (&c->tokens, entry)
		json_array_append_new(rows, cached_token_report(entry->value));
	return rows;
}
