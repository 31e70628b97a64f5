/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/preflight_parts.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#define PREFLIGHT_MAGIC 0x93ef1194u
/* Subscriptions that are asked about at once. */
#define PROBES_MOST 4

/* --- the end of a run --- */

static void forget_run(struct preflight *p)
{
	list_for_each (&p->probes, node)
		probe_free(list_entry(node, struct probe, link));
	for (size_t i = 0; i < p->sign_in_count; i++) {
		listing_cancel(p->sign_ins[i].listing);
		map_fini(&p->sign_ins[i].visible);
	}
	for (size_t i = 0; i < p->subject_count; i++)
		free(p->subjects[i].name);
	free(p->sign_ins);
	free(p->subjects);
	findings_fini(&p->findings);
	p->sign_ins = NULL;
	p->subjects = NULL;
	p->sign_in_count = p->signing_in = p->subject_count = p->next = p->done = 0;
	p->probing = 0;
	p->state = RUN_NONE;
	p->world->loop->ops->timer_disarm(p->turn);
}

static void turn_soon(struct preflight *p)
{
	p->world->loop->ops->timer_arm(p->turn, loop_mono(p->world->loop));
}

/* --- subscriptions --- */

static struct sign_in *sign_in_of(struct preflight *p, const struct identity_config *identity)
{
	for (size_t i = 0; i < p->sign_in_count; i++)
		if (p->sign_ins[i].identity == identity)
			return &p->sign_ins[i];
	return NULL;
}

static void add_subject(
	struct preflight *p, const char *id, const char *name, const struct scope_config *scope)
{
	struct subject *s;

	if (sign_in_of(p, scope->identity)->failed)
		return;
	p->subjects = xreallocarray(p->subjects, p->subject_count + 1, sizeof(*p->subjects));
	s = &p->subjects[p->subject_count++];
	*s = (struct subject){.name = xstrdup(name != NULL ? name : ""), .scope = scope};
	str_copy(s->id, sizeof(s->id), id);
}

/* Those that are configured by id and were never seen. */
static void add_unseen(struct preflight *p, const struct scope_config *scope)
{
	for (size_t i = 0; i < scope->subscription_count; i++)
		if (inventory_subscription(p->inventory, scope->subscriptions[i]) == NULL)
			add_subject(p, scope->subscriptions[i], "", scope);
}

static bool has_subject(const struct preflight *p, const struct scope_config *scope)
{
	for (size_t i = 0; i < p->subject_count; i++)
		if (p->subjects[i].scope == scope)
			return true;
	return false;
}

static void collect_subjects(struct preflight *p)
{
	struct map_entry *entry;

	map_for_each (&p->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (s->scope != NULL)
			add_subject(p, s->id, s->name, s->scope);
	}
	for (size_t i = 0; i < p->config->scope_count; i++) {
		const struct scope_config *scope = &p->config->scopes[i];

		add_unseen(p, scope);
		if (!has_subject(p, scope) && !sign_in_of(p, scope->identity)->failed)
			judge_empty_scope(p, scope);
	}
}

static bool is_visible(struct preflight *p, const struct subject *s)
{
	const struct sign_in *in = sign_in_of(p, s->scope->identity);

	return !in->complete || map_has(&in->visible, s->id);
}

static void go_on(void *ctx)
{
	struct preflight *p = ctx;

	MDC_MAGIC_CHECK(p, PREFLIGHT_MAGIC);
	if (p->state != RUN_ASKS)
		return;
	while (p->probing < PROBES_MOST && p->next < p->subject_count) {
		const struct subject *s = &p->subjects[p->next++];

		if (is_visible(p, s)) {
			p->probing++;
			probe_new(p, s);
		} else {
			judge_not_visible(p, s);
			p->done++;
		}
	}
	if (p->probing == 0 && p->next == p->subject_count)
		p->state = RUN_OVER;
}

void preflight_probe_over(struct preflight *p)
{
	p->probing--;
	p->done++;
	turn_soon(p);
}

/* --- identities --- */

static void subscription_seen(void *ctx, const json_t *row)
{
	struct sign_in *in = ctx;
	const char *id = json_text(row, "subscriptionId");

	if (id != NULL && map_count(&in->visible) < INVENTORY_SUBSCRIPTIONS_MAX)
		map_set(&in->visible, id, in);
}

static void tell_observation(struct preflight *p)
{
	struct finding doubt = {.kind = FINDING_SUBSCRIPTION,
		.doubt = true,
		.identity = "",
		.what = p->observation,
		.help = "mdcctl status"};

	for (size_t i = 0; i < p->sign_in_count; i++)
		if (p->sign_ins[i].failed)
			return;
	if (*p->observation != '\0')
		preflight_find(p, NULL, &doubt);
}

static void signed_in(void *ctx, const struct listing_end *end)
{
	struct sign_in *in = ctx;
	struct preflight *p = in->preflight;

	in->listing = NULL;
	in->complete = end->complete;
	if (end->error->class != ARM_ERROR_NONE) {
		in->failed = true;
		judge_sign_in(p, in->identity, end->error);
	}
	if (--p->signing_in > 0)
		return;
	tell_observation(p);
	collect_subjects(p);
	p->state = RUN_ASKS;
	turn_soon(p);
}

static void add_sign_in(struct preflight *p, const struct identity_config *identity)
{
	struct sign_in *in;

	if (sign_in_of(p, identity) != NULL)
		return;
	p->sign_ins = xreallocarray(p->sign_ins, p->sign_in_count + 1, sizeof(*p->sign_ins));
	in = &p->sign_ins[p->sign_in_count++];
	*in = (struct sign_in){.preflight = p, .identity = identity};
	map_init(&in->visible, NULL);
}

static void sign_in_all(struct preflight *p)
{
	for (size_t i = 0; i < p->config->scope_count; i++)
		add_sign_in(p, p->config->scopes[i].identity);
	p->signing_in = p->sign_in_count;
	p->state = RUN_SIGNS_IN;
	for (size_t i = 0; i < p->sign_in_count; i++) {
		struct sign_in *in = &p->sign_ins[i];
		struct listing_target target = {.client = p->client,
			.loop = p->world->loop,
			.identity = in->identity->name,
			.idle = true,
			.row = subscription_seen,
			.done = signed_in,
			.ctx = in};
		struct arm_request request;

		arm_list_subscriptions(&request);
		in->listing = listing_arm(&target, &request);
	}
}

/* --- runs --- */

static void try_to_begin(struct preflight *p)
{
	if (p->state == RUN_WAITS && p->passed[PASS_SUBSCRIPTIONS] && p->passed[PASS_MACHINES])
		sign_in_all(p);
}

void preflight_pass_ended(struct preflight *p, const struct pass_report *report)
{
	p->passed[report->kind] = true;
	if (report->kind == PASS_SUBSCRIPTIONS)
		str_copy(p->observation, sizeof(p->observation),
			report->problems > 0 ? report->first_problem : "");
	try_to_begin(p);
}

uint64_t preflight_begin(struct preflight *p)
{
	MDC_MAGIC_CHECK(p, PREFLIGHT_MAGIC);
	if (p->state != RUN_NONE && p->state != RUN_OVER)
		return p->run;
	forget_run(p);
	findings_init(&p->findings);
	p->run++;
	p->state = RUN_WAITS;
	try_to_begin(p);
	return p->run;
}

static const char *verdict_word(const struct findings *f)
{
	if (f->missing > 0)
		return "missing";
	return f->doubts > 0 ? "unread" : "good";
}

json_t *preflight_report(const struct preflight *p, uint64_t run)
{
	json_t *report;

	if (p->state == RUN_NONE || run != p->run)
		return NULL;
	report = json_pack("{s:I, s:b, s:b, s:I, s:I}", "run", (json_int_t)run, "finished",
		p->state == RUN_OVER, "waiting", p->state == RUN_WAITS, "done", (json_int_t)p->done,
		"total", (json_int_t)p->subject_count);
	if (p->state != RUN_OVER)
		return report;
	json_object_set_new(report, "missing", findings_list(&p->findings, false));
	json_object_set_new(report, "unread", findings_list(&p->findings, true));
	json_object_set_new(report, "dropped", json_integer((json_int_t)p->findings.dropped));
	json_object_set_new(report, "verdict", json_string(verdict_word(&p->findings)));
	return report;
}

/* --- life --- */

struct preflight *preflight_new(
	const struct world *w, struct arm_client *client, struct inventory *inv)
{
	struct preflight *p = xcalloc(1, sizeof(*p));

	p->magic = PREFLIGHT_MAGIC;
	p->world = w;
	p->client = client;
	p->inventory = inv;
	p->turn = loop_timer_new(w->loop, go_on, p);
	list_init(&p->probes);
	findings_init(&p->findings);
	return p;
}

struct preflight *preflight_free(struct preflight *p)
{
	if (p == NULL)
		return NULL;
	forget_run(p);
	p->world->loop->ops->timer_free(p->turn);
	p->magic = 0;
	free(p);
	return NULL;
}

void preflight_configure(struct preflight *p, const struct config *c)
{
	forget_run(p);
	findings_init(&p->findings);
	p->config = c;
}
