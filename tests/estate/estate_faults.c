/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults by script: an array of rules, each { "when": {...}, "do": {...} }; the first one that
 * applies to a request decides.
 *
 *   when  host ("arm"|"login"|"defender"), method, path (a regular expression, extended, without
 * case), client, after, until (durations from the estate's start), skip (let so many matches pass
 * first), times (at most so often), every (each n-th match), chance (by the estate's seed). All
 * that are given must hold. do    status, code, message, headers: { name: value }, body: an answer
 * instead of Azure's retryAfter: a 429 with this Retry-After effect ("none"|"taken"): whether the
 * request has its effect before the answer above, or before the connection breaks; "none" when left
 * out delay: what is added to the answer's delay delivery ("hang"|"reset"|"truncate"|"refuse") body
 * kinds: content ("html"|"malformed"|"huge") list ("empty"|"endless"|"foreign"|"partial"): a page
 * without its items and with its link, one that links to itself, one that links to another host,
 * one that lacks items lag: from "after" to "until", without regard to requests: Resource Graph's
 * lag
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_reader.h"
#include "tests/estate/estate_tree.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

#define RULES_MAX 1000
#define HUGE_BODY (24 * 1024 * 1024)

enum delivery_knob { DELIVER, DELIVER_HANG, DELIVER_RESET, DELIVER_TRUNCATE, DELIVER_REFUSE };
enum content_knob { CONTENT_OWN, CONTENT_HTML, CONTENT_MALFORMED, CONTENT_HUGE };
enum list_knob { LIST_OWN, LIST_EMPTY, LIST_ENDLESS, LIST_FOREIGN, LIST_PARTIAL };
enum host_knob { HOST_ANY, HOST_ARM, HOST_LOGIN, HOST_DEFENDER };
enum effect_knob { EFFECT_NONE, EFFECT_TAKEN };

struct when {
	int host;
	const char *method, *path, *client;
	struct dur after, until;
	unsigned skip, times, every, chance;
};

struct action {
	unsigned status;
	const char *code, *message, *body;
	const json_t *headers;
	struct dur retry_after, delay, lag;
	int effect, delivery, content, list;
};

struct rule {
	struct when when;
	struct action action;
	regex_t path;
	bool has_path;
	unsigned matched;
	unsigned fired;
};

struct fault_book {
	json_t *script; /* keeps the texts that the rules borrow */
	struct rule *rules;
	size_t count;
	struct rng rng;
};

struct fault_plan {
	const struct action *action;
};

static const char *const hosts[] = {"any", "arm", "login", "defender", NULL};
static const char *const effects[] = {"none", "taken", NULL};
static const char *const deliveries[] = {"answer", "hang", "reset", "truncate", "refuse", NULL};
static const char *const contents[] = {"own", "html", "malformed", "huge", NULL};
static const char *const lists[] = {"own", "empty", "endless", "foreign", "partial", NULL};

#define AT(member) offsetof(struct when, member)
static const struct field when_fields[] = {
	{"host", FIELD_WORD, AT(host), .words = hosts},
	{"method", FIELD_TEXT, AT(method)},
	{"path", FIELD_TEXT, AT(path)},
	{"client", FIELD_TEXT, AT(client)},
	{"after", FIELD_DURATION, AT(after)},
	{"until", FIELD_DURATION, AT(until)},
	{"skip", FIELD_COUNT, AT(skip)},
	{"times", FIELD_COUNT, AT(times)},
	{"every", FIELD_COUNT, AT(every)},
	{"chance", FIELD_SHARE, AT(chance)},
};
#undef AT
#define AT(member) offsetof(struct action, member)
static const struct field action_fields[] = {
	{"status", FIELD_COUNT, AT(status)},
	{"code", FIELD_TEXT, AT(code)},
	{"message", FIELD_TEXT, AT(message)},
	{"body", FIELD_TEXT, AT(body)},
	{"headers", FIELD_OBJECT, AT(headers)},
	{"retryAfter", FIELD_DURATION, AT(retry_after)},
	{"effect", FIELD_WORD, AT(effect), .words = effects},
	{"delay", FIELD_DURATION, AT(delay)},
	{"delivery", FIELD_WORD, AT(delivery), .words = deliveries},
	{"content", FIELD_WORD, AT(content), .words = contents},
	{"list", FIELD_WORD, AT(list), .words = lists},
	{"lag", FIELD_DURATION, AT(lag)},
};
#undef AT

/* --- reading the script --- */

struct fault_book *fault_book_free(struct fault_book *book)
{
	if (book == NULL)
		return NULL;
	for (size_t i = 0; i < book->count; i++)
		if (book->rules[i].has_path)
			regfree(&book->rules[i].path);
	free(book->rules);
	json_decref(book->script);
	free(book);
	return NULL;
}

static bool read_path(const struct reader *r, const char *path, struct rule *rule)
{
	char text[200];
	int error;

	if (rule->when.path == NULL)
		return true;
	error = regcomp(&rule->path, rule->when.path, REG_EXTENDED | REG_ICASE | REG_NOSUB);
	if (error == 0) {
		rule->has_path = true;
		return true;
	}
	regerror(error, &rule->path, text, sizeof(text));
	return reader_error(r, path, "when.path is not a regular expression: %s", text);
}

static bool read_headers(const struct reader *r, const char *path, const json_t *headers)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)headers, name, value)
		if (!json_is_string(value))
			return reader_error(r, path, "do.headers.%s must be a string", name);
	return true;
}

struct rule_spec {
	const json_t *when, *action;
};

static const struct field rule_fields[] = {
	{"when", FIELD_OBJECT, offsetof(struct rule_spec, when)},
	{"do", FIELD_OBJECT, offsetof(struct rule_spec, action), true},
};

static bool read_rule(
	const struct reader *r, const char *path, const json_t *object, struct rule *ret)
{
	struct rule_spec spec = {0};
	char member[100];

	ret->when.chance = 1000000;
	if (!reader_struct(r, path, object, rule_fields, &spec))
		return false;
	snprintf(member, sizeof(member), "%.60s.when", path);
	if (spec.when != NULL && !reader_struct(r, member, spec.when, when_fields, &ret->when))
		return false;
	snprintf(member, sizeof(member), "%.60s.do", path);
	return reader_struct(r, member, spec.action, action_fields, &ret->action) &&
		read_headers(r, path, ret->action.headers) && read_path(r, path, ret);
}

int estate_set_faults(struct estate *e, const json_t *faults, struct diags *diags)
{
	struct reader r = {.diags = diags, .start = e->start};
	struct fault_book *book;
	bool good = true;

	if (faults == NULL) {
		e->faults = fault_book_free(e->faults);
		return 0;
	}
	if (!json_is_array(faults) || json_array_size(faults) > RULES_MAX) {
		reader_error(&r, "faults", "must be an array of at most %d rules", RULES_MAX);
		return -EINVAL;
	}
	book = xcalloc(1, sizeof(*book));
	book->script = json_deep_copy(faults);
	book->count = json_array_size(faults);
	book->rules = xcalloc(book->count + 1, sizeof(*book->rules));
	rng_seed(&book->rng, e->seed ^ 0xfa171e5);
	for (size_t i = 0; i < book->count; i++) {
		char path[40];

		snprintf(path, sizeof(path), "faults[%zu]", i);
		good &= read_rule(&r, path, json_array_get(book->script, i), &book->rules[i]);
	}
	if (!good) {
		fault_book_free(book);
		return -EINVAL;
	}
	fault_book_free(e->faults);
	e->faults = book;
	return 0;
}

/* --- choosing --- */

static bool is_in_time(const struct estate *e, const struct when *w)
{
	int64_t passed = e->now.ms - e->start.ms;

	return passed >= w->after.ms && (w->until.ms == 0 || passed < w->until.ms);
}

/* Whoever a token names, so that faults can be meant for one client. */
static bool is_client(struct call *c, const char *client)
{
	const char *header = http_headers_get(&c->request->headers, "Authorization");
	struct token_facts facts = {0};

	return header != NULL && str_starts_nocase(header, "Bearer ") &&
		token_read(c->e, header + strlen("Bearer "), c->now, &facts) == TOKEN_GOOD &&
		str_equal_nocase(facts.who->client, client);
}

static int host_of(const struct call *c)
{
	if (c->defender)
		return HOST_DEFENDER;
	return c->login ? HOST_LOGIN : HOST_ARM;
}

static bool matches(struct call *c, const struct rule *r)
{
	const struct when *w = &r->when;

	if (r->action.lag.ms > 0 || !is_in_time(c->e, w))
		return false;
	if (w->host != HOST_ANY && w->host != host_of(c))
		return false;
	if (w->method != NULL && !str_equal_nocase(w->method, c->request->method))
		return false;
	if (r->has_path && regexec(&r->path, c->path, 0, NULL, 0) != 0)
		return false;
	return w->client == NULL || is_client(c, w->client);
}

static bool fires(struct fault_book *book, struct rule *r)
{
	unsigned n = r->matched++;

	if (n < r->when.skip || (r->when.times > 0 && r->fired >= r->when.times))
		return false;
	if (r->when.every > 1 && (n - r->when.skip) % r->when.every != r->when.every - 1)
		return false;
	if (r->when.chance < 1000000 && rng_below(&book->rng, 1000000) >= r->when.chance)
		return false;
	r->fired++;
	return true;
}

struct fault_plan *fault_choose(struct call *c)
{
	struct fault_book *book = c->e->faults;
	struct fault_plan *plan = NULL;

	for (size_t i = 0; book != NULL && i < book->count && plan == NULL; i++) {
		struct rule *r = &book->rules[i];

		if (!matches(c, r) || !fires(book, r))
			continue;
		plan = xmalloc(sizeof(*plan));
		plan->action = &r->action;
	}
	return plan;
}

void fault_plan_free(struct fault_plan *plan)
{
	free(plan);
}

struct dur fault_lag(const struct estate *e)
{
	struct dur lag = DUR_MS(0);

	for (size_t i = 0; e->faults != NULL && i < e->faults->count; i++) {
		const struct rule *r = &e->faults->rules[i];

		if (r->action.lag.ms > 0 && is_in_time(e, &r->when))
			lag = dur_max(lag, r->action.lag);
	}
	return lag;
}

/* --- answers in place of Azure's --- */

static bool has_own_answer(const struct action *a)
{
	return a->status != 0 || a->retry_after.ms > 0 || a->content != CONTENT_OWN;
}

static void give_text(struct call *c, int status, const char *type, char *take_body)
{
	struct http_reply *reply = &c->answer->reply;

	http_headers_fini(&reply->headers);
	free(reply->body);
	reply->status = status;
	reply->body = take_body;
	reply->body_len = strlen(take_body);
	http_headers_add(&reply->headers, "Content-Type", type);
}

static char *huge_body(void)
{
	static const char head[] = "{\"value\":[{\"filler\":\"";
	char *body = xmalloc(HUGE_BODY + 1);

	memset(body, 'x', HUGE_BODY);
	memcpy(body, head, strlen(head));
	memcpy(body + HUGE_BODY - 4, "\"}]}", 4);
	body[HUGE_BODY] = '\0';
	return body;
}

static void give_content(struct call *c, const struct action *a)
{
	int status = a->status != 0 ? (int)a->status : 200;

	if (a->content == CONTENT_HTML)
		give_text(c, a->status != 0 ? status : 502, "text/html",
			xstrdup("<html><head><title>502 Bad Gateway</title></head><body>"
				"<h2>Our services aren't available right now</h2></body></html>"));
	else if (a->content == CONTENT_MALFORMED)
		give_text(c, status, "application/json; charset=utf-8",
			xstrdup("{\"value\":[{\"id\":\"/subscriptions/"));
	else
		give_text(c, status, "application/json; charset=utf-8", huge_body());
}

static void give_answer(struct call *c, const struct action *a)
{
	const char *name;
	json_t *value;

	http_headers_fini(&c->answer->reply.headers);
	if (a->content != CONTENT_OWN)
		give_content(c, a);
	else if (a->retry_after.ms > 0 && a->status == 0)
		throttle_refuse(c, a->retry_after);
	else if (a->body != NULL)
		give_text(c, (int)a->status, "application/json; charset=utf-8", xstrdup(a->body));
	else if (a->status >= 400)
		answer_error(c, (int)a->status, a->code != NULL ? a->code : "InternalServerError",
			"%s",
			a->message != NULL ? a->message : "The service failed as it was told.");
	else
		answer_empty(c, (int)a->status);
	if (a->retry_after.ms > 0 && a->status != 0)
		answer_header(c, "Retry-After", "%lld", (long long)(a->retry_after.ms / 1000));
	json_object_foreach ((json_t *)a->headers, name, value)
		answer_header(c, name, "%s", json_string_value(value));
	c->faulted = true;
}

/* --- lists that are not what they should be --- */

static char *own_url(const struct call *c)
{
	const char *path = strchr(strstr(c->request->url, "://") + 3, '/');

	return xasprintf("https://%s%s", c->e->arm_host, path);
}

static void change_list(struct call *c, const struct action *a)
{
	struct http_reply *reply = &c->answer->reply;
	json_t *doc =
		reply->status == 200 ? json_loadb(reply->body, reply->body_len, 0, NULL) : NULL;
	json_t *items = json_object_get(doc, "value");
	mdc_autofree char *link = own_url(c);
	size_t n = json_array_size(items);

	if (!json_is_array(items)) {
		json_decref(doc);
		return;
	}
	if (a->list == LIST_EMPTY)
		json_array_clear(items);
	if (a->list == LIST_PARTIAL) {
		while (json_array_size(items) > n / 2)
			json_array_remove(items, json_array_size(items) - 1);
		json_object_del(doc, "nextLink");
	}
	if (a->list == LIST_EMPTY || a->list == LIST_ENDLESS)
		json_object_set_new(doc, "nextLink", json_string(link));
	if (a->list == LIST_FOREIGN)
		json_object_set_new(doc, "nextLink",
			json_string("https://management.foreign.test/subscriptions?api-version="
				    "2022-12-01&%24skiptoken=stolen"));
	answer_json(c, 200, doc);
	c->faulted = true;
}

/* --- before and after --- */

bool fault_before(struct call *c, const struct fault_plan *plan)
{
	const struct action *a = plan->action;

	if (a->delivery == DELIVER_REFUSE) {
		c->answer->delivery = ESTATE_REFUSED;
		c->faulted = true;
		return true;
	}
	if (a->effect == EFFECT_TAKEN)
		return false;
	if (a->delivery == DELIVER_HANG || a->delivery == DELIVER_RESET) {
		c->faulted = true;
		return true;
	}
	if (!has_own_answer(a))
		return false;
	give_answer(c, a);
	return true;
}

static void deliver(struct call *c, const struct action *a)
{
	struct estate_answer *answer = c->answer;

	switch ((enum delivery_knob)a->delivery) {
	case DELIVER:
	case DELIVER_REFUSE: return;
	case DELIVER_HANG: answer->delivery = ESTATE_HANGS; break;
	case DELIVER_RESET: answer->delivery = ESTATE_RESETS; break;
	case DELIVER_TRUNCATE: answer->delivery = ESTATE_TRUNCATES; return;
	}
	/* Nobody reads it. */
	http_reply_fini(&answer->reply);
	c->faulted = true;
}

void fault_after(struct call *c, const struct fault_plan *plan)
{
	const struct action *a = plan->action;

	if (!c->faulted && has_own_answer(a))
		give_answer(c, a);
	if (a->list != LIST_OWN && !c->faulted)
		change_list(c, a);
	c->answer->delay.ms += a->delay.ms;
	deliver(c, a);
}
