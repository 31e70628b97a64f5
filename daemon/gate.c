/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/gate.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define HALT_MARKER_MAX 4096

struct gate {
	const struct world *world;
	struct store *store;
	char *marker;      /* path of the halt marker */
	char *halt_reason; /* NULL: not halted */
	json_t *pauses;
	struct map paused; /* the keys of `pauses`, as the plan wants them */
	struct reach confirmed;
	struct reach wanted;
	struct reach_growth growth;
	bool measured;
	bool announced; /* the present growth has been told to the journal */
	bool lost;
};

/* --- halt --- */

static char *marker_read(const char *path)
{
	char text[HALT_MARKER_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t got;

	/* A marker that cannot be read halts all the same: only its absence says "go". */
	if (fd < 0)
		return errno == ENOENT ? NULL : xstrdup("the halt marker cannot be read");
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return xstrdup(*text != '\0' ? text : "halted");
}

static int marker_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	size_t len = strlen(text);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) != 0)
		error = errno != 0 ? -errno : -EIO;
	close(fd);
	return error;
}

int gate_halt(struct gate *g, const char *who, const char *reason)
{
	char at[WALL_TEXT_SIZE];
	char *text;
	int error;

	wall_format(loop_wall(g->world->loop), at);
	text = xasprintf("%s (by %s, %s)", str_empty(reason) ? "no reason given" : reason, who, at);
	free(g->halt_reason);
	g->halt_reason = text;
	error = marker_write(g->marker, text);
	log_say(g->world->log, LOG_HALTED_MESSAGE, "all writes are halted: %s", text);
	return error;
}

int gate_unhalt(struct gate *g, const char *who)
{
	if (unlink(g->marker) != 0 && errno != ENOENT)
		return -errno;
	free(g->halt_reason);
	g->halt_reason = NULL;
	log_say(g->world->log, LOG_UNHALTED_MESSAGE, "the halt was lifted by %s", who);
	return 0;
}

bool gate_is_halted(const struct gate *g)
{
	return g->halt_reason != NULL;
}

const char *gate_halt_reason(const struct gate *g)
{
	return g->halt_reason;
}

/* --- pauses --- */

static void pauses_index(struct gate *g)
{
	const char *target;
	json_t *value;

	map_clear(&g->paused);
	json_object_foreach (g->pauses, target, value)
		map_set(&g->paused, target, value);
}

static void pauses_store(struct gate *g)
{
	char *text = json_dumps(g->pauses, JSON_COMPACT | JSON_SORT_KEYS);

	store_put_value(g->store, "paused", text);
	store_flush(g->store, NULL, NULL);
	free(text);
	pauses_index(g);
}

void gate_pause(struct gate *g, const char *target, const char *who, const char *reason)
{
	char at[WALL_TEXT_SIZE];

	wall_format(loop_wall(g->world->loop), at);
	json_object_set_new(g->pauses, target,
		json_pack("{s:s, s:s, s:s}", "by", who, "reason", reason != NULL ? reason : "",
			"since", at));
	pauses_store(g);
	log_say(g->world->log, LOG_PAUSED_MESSAGE, "%s paused by %s%s%s", target, who,
		str_empty(reason) ? "" : ": ", reason != NULL ? reason : "");
}

int gate_resume(struct gate *g, const char *target, const char *who)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(g->pauses, next, key, value)
	{
		if (!str_equal_nocase(key, target))
			continue;
		json_object_del(g->pauses, key);
		pauses_store(g);
		log_say(g->world->log, LOG_PAUSED_MESSAGE, "%s resumed by %s", target, who);
		return 0;
	}
	return -ENOENT;
}

bool gate_is_paused(const struct gate *g, const char *scope, const char *resource_id)
{
	return map_has(&g->paused, "*") || (scope != NULL && map_has(&g->paused, scope)) ||
		(resource_id != NULL && map_has(&g->paused, resource_id));
}

const json_t *gate_pauses(const struct gate *g)
{
	return g->pauses;
}

/* --- reach --- */

static void announce_growth(struct gate *g)
{
	if (!g->growth.gated || g->announced)
		return;
	g->announced = true;
	log_say(g->world->log, LOG_UNCONFIRMED_MESSAGE,
		"%llu subscriptions with %llu machines would newly be written to%s; "
		"look with `mdcctl plan`, then `mdcctl confirm`",
		(unsigned long long)g->growth.subscriptions, (unsigned long long)g->growth.machines,
		g->growth.first_enforce ? ", by a scope that enforces for the first time" : "");
}

static void reach_store(struct gate *g)
{
	struct buf text = BUF_INIT(16 << 20);

	if (reach_render(&g->confirmed, &text) == 0)
		store_put_value(g->store, "reach", buf_str(&text));
	store_flush(g->store, NULL, NULL);
	buf_fini(&text);
}

static void reach_accept(struct gate *g)
{
	struct buf text = BUF_INIT(16 << 20);

	reach_fini(&g->confirmed);
	if (reach_render(&g->wanted, &text) != 0 || reach_parse(buf_str(&text), &g->confirmed) != 0)
		reach_init(&g->confirmed);
	buf_fini(&text);
	reach_store(g);
}

void gate_measure(struct gate *g, const struct config *c, const struct inventory *inv)
{
	bool was_gated = g->growth.gated;

	reach_fini(&g->wanted);
	reach_growth_fini(&g->growth);
	reach_build(c, inv, &g->wanted);
	reach_compare(&g->confirmed, &g->wanted, inv, c->impact.machines, c->impact.subscriptions,
		&g->growth);
	g->measured = true;
	if (!g->growth.gated || !was_gated)
		g->announced = false;
	if (g->growth.gated)
		announce_growth(g);
	else if (g->growth.subscriptions > 0)
		reach_accept(g);
}

/* Before the first measure nothing is known to be confirmed. */
bool gate_is_unconfirmed(const struct gate *g, const char *subscription)
{
	return !g->measured || g->lost ||
		(g->growth.gated && map_has(&g->growth.unconfirmed, subscription));
}

bool gate_state_is_lost(const struct gate *g)
{
	return g->lost;
}

bool gate_needs_confirmation(const struct gate *g, const struct reach_growth **ret)
{
	if (ret != NULL)
		*ret = &g->growth;
	return g->lost || g->growth.gated;
}

void gate_confirm(struct gate *g, const char *who)
{
	g->lost = false;
	store_put_value(g->store, "lost", "");
	g->growth.gated = false;
	map_clear(&g->growth.unconfirmed);
	if (g->measured)
		reach_accept(g);
	log_say(g->world->log, LOG_CONFIRMED_MESSAGE,
		"%s confirmed: %llu subscriptions with %llu machines may be written to", who,
		(unsigned long long)g->growth.subscriptions,
		(unsigned long long)g->growth.machines);
}

void gate_limits(const struct gate *g, struct plan_limits *ret)
{
	ret->halted = gate_is_halted(g);
	ret->paused_all = map_has(&g->paused, "*");
	ret->paused = &g->paused;
	ret->unconfirmed = &g->growth.unconfirmed;
	ret->unconfirmed_all = g->lost || !g->measured;
	ret->now = loop_wall(g->world->loop);
}

static void load_reach(struct gate *g)
{
	mdc_autofree char *text = store_load_value(g->store, "reach");

	reach_init(&g->confirmed);
	if (text == NULL)
		return;
	reach_fini(&g->confirmed);
	/* A reach that cannot be read counts as none: everything is to be confirmed again. */
	if (reach_parse(text, &g->confirmed) != 0)
		reach_init(&g->confirmed);
}

struct gate *gate_new(
	const struct world *w, struct store *store, const char *state_directory, bool lost)
{
	struct gate *g = xcalloc(1, sizeof(*g));
	mdc_autofree char *pauses = store_load_value(store, "paused");
	mdc_autofree char *still_lost = store_load_value(store, "lost");

	g->world = w;
	g->store = store;
	g->marker = xasprintf("%s/halt", state_directory);
	g->halt_reason = marker_read(g->marker);
	g->pauses = pauses != NULL ? json_loads(pauses, 0, NULL) : NULL;
	if (!json_is_object(g->pauses)) {
		json_decref(g->pauses);
		g->pauses = json_object();
	}
	map_init(&g->paused, NULL);
	pauses_index(g);
	load_reach(g);
	reach_init(&g->wanted);
	map_init(&g->growth.unconfirmed, NULL);
	g->lost = lost || !str_empty(still_lost);
	if (lost)
		store_put_value(store, "lost", "yes");
	return g;
}

struct gate *gate_free(struct gate *g)
{
	if (g == NULL)
		return NULL;
	reach_growth_fini(&g->growth);
	reach_fini(&g->wanted);
	reach_fini(&g->confirmed);
	map_fini(&g->paused);
	json_decref(g->pauses);
	free(g->halt_reason);
	free(g->marker);
	free(g);
	return NULL;
}
