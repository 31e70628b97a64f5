/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon_parts.h"

#include "daemon/journal_replay.h"
#include "lib/controls/assigned.h"
#include "lib/model/expiry.h"

#define HOUSEKEEPING DUR_MIN(1)
/* While the journal lacks transitions and there is room in the log. */
#define CATCHING_UP DUR_S(1)
/* Records between two checkpoints in the journal, and the longest time between them. */
#define CHECKPOINT_RECORDS 1000
#define CHECKPOINT_EVERY DUR_H(1)
#define PROBLEM_SHOWN 120

/* An auditor asks for a year; ten million records are some gigabytes. */
static const struct store_limits history_limits = {.age = DUR_DAYS(400), .records = 10000000};

#define TELL_EXPIRED_EVERY DUR_H(24)

/* --- what has ended --- */

static void tell_expired(struct daemon *d, const struct expired *x)
{
	struct log_entry *e = log_begin(d->world->log, LOG_EXPIRED_MESSAGE);
	char ended[WALL_TEXT_SIZE], absent[WALL_TEXT_SIZE];

	wall_format(x->expired, ended);
	wall_format(x->until, absent);
	log_addf(e, "MDCD_DETAIL", "%s \"%s\"", x->kind, x->name);
	log_add(e, "MDCD_SCOPE", x->scope);
	log_commit(e, 0,
		"%s \"%s\" of scope \"%s\" has ended at %s and counts as absent from %s on; %s%s%s "
		"answers for it: %s",
		x->kind, x->name, x->scope, ended, absent, x->owner, x->ticket != NULL ? ", " : "",
		x->ticket != NULL ? x->ticket : "", x->reason);
}

/* Of those that are honoured, each one once, wherever it reaches. */
static void look_at_exemptions(struct daemon *d, struct wall now)
{
	struct map_entry *entry;
	struct map told;

	map_init(&told, NULL);
	map_for_each (&d->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;
		const struct policy_exemption *e;
		struct wall until;
		size_t at = 0;

		while (s->scope != NULL &&
			(e = assigned_honoured_next(s->scope, s, now, &at)) != NULL) {
			until = policy_exemption_until(e, d->config->expiry_grace);
			if (!wall_before(e->expires, now) || wall_before(until, now) ||
				map_has(&told, e->id))
				continue;
			map_set(&told, e->id, d);
			tell_expired(d,
				&(struct expired){"policy exemption", e->name, s->scope->name,
					*e->owner != '\0' ? e->owner : "whoever made it",
					*e->ticket != '\0' ? e->ticket : NULL,
					*e->why != '\0' ? e->why : e->id, e->expires, until});
			d->life->expired_told = now;
		}
	}
	map_fini(&told);
}

/* At once with each configuration, then day by day. */
static void look_at_expiry(struct daemon *d)
{
	struct wall now = loop_wall(d->world->loop);
	struct expired expired;
	size_t at = 0;

	if (wall_is_set(d->life->expired_told) &&
		wall_since(now, d->life->expired_told).ms < TELL_EXPIRED_EVERY.ms)
		return;
	while (expiry_next(d->config, now, &at, &expired)) {
		if (expired.phase != EXPIRY_ENDED)
			continue;
		tell_expired(d, &expired);
		d->life->expired_told = now;
	}
	look_at_exemptions(d, now);
}

/* --- the store --- */

static void tell_checkpoint(struct daemon *d, const struct store_checkpoint *fresh)
{
	struct log_entry *e = log_begin(d->world->log, LOG_CHECKPOINT_MESSAGE);

	d->life->checkpoint = *fresh;
	d->life->checkpoint_at = loop_wall(d->world->loop);
	log_addf(e, "MDCD_SEQ", "%llu", (unsigned long long)fresh->seq);
	log_add(e, "MDCD_HASH", fresh->hash);
	log_commit(e, 0, "checkpoint of the history: record %llu is %s",
		(unsigned long long)fresh->seq, fresh->hash);
}

void daemon_tell_checkpoint(struct daemon *d)
{
	struct store_checkpoint fresh;

	store_checkpoint_read(d->store, &fresh);
	if (fresh.seq != d->life->checkpoint.seq)
		tell_checkpoint(d, &fresh);
}

static bool checkpoint_is_due(const struct daemon *d)
{
	const struct daemon_life *life = d->life;
	struct store_checkpoint fresh;

	store_checkpoint_read(d->store, &fresh);
	return fresh.seq - life->checkpoint.seq >= CHECKPOINT_RECORDS ||
		wall_since(loop_wall(d->world->loop), life->checkpoint_at).ms >=
		CHECKPOINT_EVERY.ms;
}

void daemon_look_at_store(struct daemon *d)
{
	bool healthy = store_healthy(d->store);

	if (healthy == d->life->store_was_healthy)
		return;
	d->life->store_was_healthy = healthy;
	if (!healthy) {
		log_say(d->world->log, LOG_STORE_FAILED_MESSAGE,
			"the state cannot be stored, nothing is written to Azure: %s",
			store_trouble(d->store));
		return;
	}
	log_say(d->world->log, LOG_STORE_RECOVERED_MESSAGE, "the state is stored again");
	executor_go_on(d->executor);
	reconciler_plan_soon(d->reconciler);
}

void daemon_keep_house(void *daemon)
{
	struct daemon *d = daemon;
	struct loop *loop = d->world->loop;
	bool behind;

	MDC_MAGIC_CHECK(d, DAEMON_MAGIC);
	daemon_look_at_store(d);
	look_at_expiry(d);
	if (checkpoint_is_due(d))
		daemon_tell_checkpoint(d);
	behind = journal_replay_dropped(d->store, d->world->log);
	journal_replay_remember(d->store, d->world->log);
	store_prune(d->store, &history_limits);
	store_flush(d->store, NULL, NULL);
	daemon_update_status(d);
	loop->ops->timer_arm(d->life->housekeeping,
		mono_add(loop_mono(loop), behind ? CATCHING_UP : HOUSEKEEPING));
}

/* --- identities that see nothing --- */

static bool sees_something(const struct daemon *d, const struct identity_config *identity)
{
	struct map_entry *entry;

	map_for_each (&d->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (s->visible && s->scope != NULL && s->scope->identity == identity)
			return true;
	}
	return false;
}

const struct identity_config *daemon_blind_identity(const struct daemon *d)
{
	const struct pass_report *last = &d->last_pass[PASS_SUBSCRIPTIONS];

	if (!wall_is_set(last->ended) || last->problems > 0)
		return NULL;
	for (size_t i = 0; i < d->config->scope_count; i++)
		if (!sees_something(d, d->config->scopes[i].identity))
			return d->config->scopes[i].identity;
	return NULL;
}

/* --- the status line --- */

static const char *what_holds(const struct daemon *d)
{
	if (d->stopping && !d->options.once)
		return "stopping; ";
	if (gate_is_halted(d->gate))
		return "HALTED, see mdcctl status; ";
	if (!store_healthy(d->store))
		return "THE STATE CANNOT BE STORED, nothing is written; ";
	if (gate_is_paused(d->gate, NULL, NULL))
		return "paused; ";
	if (gate_needs_confirmation(d->gate, NULL) && !d->options.once)
		return "waits for mdcctl confirm; ";
	return "";
}

static void add_numbers(const struct daemon *d, struct buf *ret)
{
	struct reconciler_counts counts;
	const uint64_t *n = counts.by_state;
	size_t machines = map_count(&d->inventory->machines);
	size_t subscriptions = map_count(&d->inventory->subscriptions);

	reconciler_count(d->reconciler, &counts);
	buf_addf(ret, "%zu machine%s in %zu subscription%s; %llu in sync", machines,
		machines == 1 ? "" : "s", subscriptions, subscriptions == 1 ? "" : "s",
		(unsigned long long)n[ITEM_COMPLIANT]);
	buf_addf(ret, ", %llu to go, %llu in work, %llu need a person",
		(unsigned long long)(n[ITEM_DRIFTED] + n[ITEM_WAITING] + n[ITEM_BACKOFF]),
		(unsigned long long)(n[ITEM_QUEUED] + n[ITEM_APPLYING] + n[ITEM_SETTLING]),
		(unsigned long long)(n[ITEM_BLOCKED] + n[ITEM_MANUAL]));
	if (n[ITEM_UNKNOWN] > 0)
		buf_addf(ret, ", %llu unknown", (unsigned long long)n[ITEM_UNKNOWN]);
}

void daemon_status_line(const struct daemon *d, struct buf *ret)
{
	const struct pass_report *subscriptions = &d->last_pass[PASS_SUBSCRIPTIONS];
	const struct pass_report *machines = &d->last_pass[PASS_MACHINES];
	const struct pass_report *bad = machines->problems > 0 ? machines
		: subscriptions->problems > 0                  ? subscriptions
							       : NULL;
	const struct identity_config *blind = daemon_blind_identity(d);

	buf_adds(ret, what_holds(d));
	if (d->life->reload_failed)
		buf_adds(ret, "the last reload failed; ");
	if (wall_is_set(machines->ended))
		add_numbers(d, ret);
	else
		buf_adds(ret, "observing for the first time");
	if (blind != NULL)
		buf_addf(ret, "; identity \"%s\" sees no subscription", blind->name);
	if (bad != NULL)
		buf_addf(ret, "; the last look was incomplete: %.*s", PROBLEM_SHOWN,
			bad->first_problem);
}

void daemon_update_status(struct daemon *d)
{
	struct buf line = BUF_INIT(2048);

	daemon_status_line(d, &line);
	notify_status(d->world->notify, buf_str(&line));
	buf_fini(&line);
}
