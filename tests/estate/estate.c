/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an estate and its clock; requests come in through estate_front.c. */
#include "tests/estate/estate.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_document.h"
#include "tests/estate/estate_tree.h"

#include <openssl/sha.h>
#include <string.h>

/* --- events --- */

void estate_schedule(struct estate *e, struct estate_event *event, struct wall due)
{
	if (due.ms == WALL_NEVER.ms)
		heap_remove(&e->events, &event->node);
	else
		heap_put(&e->events, &event->node, due.ms);
}

void estate_unschedule(struct estate *e, struct estate_event *event)
{
	heap_remove(&e->events, &event->node);
}

void estate_advance(struct estate *e, struct wall now)
{
	struct heap_node *first;

	while ((first = heap_first(&e->events)) != NULL && first->due <= now.ms) {
		struct estate_event *event = container_of(first, struct estate_event, node);

		/* An event that was due earlier than the last request happens now. */
		if (e->now.ms < first->due)
			e->now.ms = first->due;
		heap_remove(&e->events, first);
		event->fire(e, event);
	}
	if (e->now.ms < now.ms)
		e->now = now;
}

struct wall estate_next_change(const struct estate *e)
{
	const struct heap_node *first = heap_first(&e->events);

	return first != NULL ? (struct wall){first->due} : WALL_NEVER;
}

/* --- life --- */

static void free_tenant(void *value)
{
	struct tenant *t = value;

	free(t->id);
	free(t->name);
	free(t->domain);
	free(t->packages[0]);
	free(t->packages[1]);
	free(t);
}

static void free_management_group(void *value)
{
	struct management_group *g = value;

	free(g->name);
	free(g->display_name);
	free(g);
}

static void free_federation(struct federation *f)
{
	free(f->issuer);
	free(f->subject);
	free(f->audience);
	free(f->key);
	free(f);
}

static void free_subject(struct trusted_subject *t)
{
	free(t->name);
	free(t->issuer);
	free(t);
}

static void free_principal(void *value)
{
	struct principal *p = value;

	for (size_t i = 0; i < p->role_count; i++) {
		free(p->roles[i].scope);
		free(p->roles[i].name);
		json_decref(p->roles[i].actions);
		json_decref(p->roles[i].not_actions);
	}
	free(p->roles);
	for (size_t i = 0; i < p->certificates.n; i++)
		free(p->certificates.v[i]);
	vec_fini(&p->certificates);
	for (size_t i = 0; i < p->federations.n; i++)
		free_federation(p->federations.v[i]);
	vec_fini(&p->federations);
	for (size_t i = 0; i < p->subjects.n; i++)
		free_subject(p->subjects.v[i]);
	vec_fini(&p->subjects);
	free(p->client);
	free(p->object);
	free(p->name);
	free(p->secret);
	free(p);
}

static struct estate *make(const struct estate_options *options)
{
	struct estate *e = xcalloc(1, sizeof(*e));
	mdc_autofree char *seed = xasprintf("estate key %llu", (unsigned long long)options->seed);

	e->arm_host = xstrdup(options->arm_host);
	e->login_host = xstrdup(options->login_host);
	if (options->defender_host != NULL)
		e->defender_host = xstrdup(options->defender_host);
	e->seed = options->seed;
	e->start = e->now = options->start;
	rng_seed(&e->rng, options->seed);
	SHA256((const unsigned char *)seed, strlen(seed), e->key);
	knobs_default(&e->knobs);
	heap_init(&e->events);
	map_init(&e->tenants, free_tenant);
	map_init(&e->principals, free_principal);
	map_init(&e->management_groups, free_management_group);
	map_init(&e->resources, NULL);
	map_init(&e->ghosts, NULL);
	map_init(&e->operations, operation_free);
	map_init(&e->assertions, free);
	map_init(&e->agent_keys, free);
	e->put_key = options->put_key;
	e->put_key_ctx = options->put_key_ctx;
	e->throttle = throttle_new();
	e->ledger = ledger_new();
	return e;
}

/* What begins once everything is there: heartbeats, and Defender for Cloud's own deployer. */
static void settle(struct estate *e)
{
	for (size_t i = 0; i < e->subscriptions.n; i++) {
		struct subscription *sub = e->subscriptions.v[i];
		const struct vec *machines = &sub->kinds[RESOURCE_MACHINE];

		for (size_t k = 0; k < machines->n; k++) {
			struct machine *m = machine_of(machines->v[k]);

			handler_classify(m);
			heartbeat_start(e, m);
		}
	}
	for (size_t i = 0; i < e->subscriptions.n; i++)
		deployer_subscription_changed(e, e->subscriptions.v[i]);
}

int estate_new(const struct estate_options *options, const json_t *document, struct diags *diags,
	struct estate **ret)
{
	struct estate *e = make(options);
	int error;

	e->loading = true;
	error = document_read(e, document, diags);
	e->loading = false;
	if (error != 0) {
		estate_free(e);
		return error;
	}
	settle(e);
	ledger_opening(e);
	*ret = e;
	return 0;
}

struct estate *estate_free(struct estate *e)
{
	if (e == NULL)
		return NULL;
	/* First: it touches the events of everything else. */
	heap_fini(&e->events);
	map_fini(&e->operations);
	estate_resources_fini(e);
	map_fini(&e->principals);
	map_fini(&e->management_groups);
	map_fini(&e->tenants);
	map_fini(&e->assertions);
	map_fini(&e->agent_keys);
	e->faults = fault_book_free(e->faults);
	e->throttle = throttle_free(e->throttle);
	e->ledger = ledger_free(e->ledger);
	for (size_t i = 0; i < e->hands.n; i++)
		hand_free(e->hands.v[i]);
	vec_fini(&e->hands);
	for (size_t i = 0; i < e->remediations.n; i++)
		remediation_free(e->remediations.v[i]);
	vec_fini(&e->remediations);
	for (size_t i = 0; i < e->devices.n; i++)
		device_free(e->devices.v[i]);
	vec_fini(&e->devices);
	json_decref(e->allowed_writes);
	free(e->arm_host);
	free(e->login_host);
	free(e->defender_host);
	free(e);
	return NULL;
}

const json_t *estate_peek(struct estate *e, const char *resource_id)
{
	const struct resource *r = estate_find(e, resource_id);

	return r != NULL ? r->doc : NULL;
}

void estate_answer_fini(struct estate_answer *a)
{
	http_reply_fini(&a->reply);
	*a = (struct estate_answer){0};
}
