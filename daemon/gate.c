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
	char *directory;
	char *marker;      /* path of the halt marker */
	char *halt_reason; /* NULL: not halted */
	json_t *pauses;
	struct map paused; /* the keys of `pauses`, as the plan wants them */
	struct reach confirmed;
	struct reach wanted;
	struct reach_growth growth;
	bool measured;
	bool announced;  /* the present growth has been told to the journal */
	bool unlistable; /* machines could not be listed at the last measure either */
	bool lost;
	struct map aimless; /* pauses that match nothing, as told to the journal */
};

/* --- halt --- */

/* Made by us or by anyone: fit to be shown. */
static char *shown(const char *text)
{
	struct buf b = BUF_INIT(HALT_MARKER_MAX * 4 + 16);

	str_escape(&b, text, HALT_MARKER_MAX);
	return buf_steal(&b);
}

static char *marker_read(const char *path)
{
	char text[HALT_MARKER_MAX];
	/* Not held by a pipe that nobody writes to. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t got;

	if (fd < 0)
		return errno == ENOENT ? NULL : xstrdup("the halt marker cannot be read");
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return *text != '\0' ? shown(text) : xstrdup("the halt marker is there");
}

/* That there is a marker has to outlast a power cut, too. */
static int sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) != 0)
		error = -errno;
	close(fd);
	return error;
}

static int marker_write(const struct gate *g, const char *text)
{
	int fd = open(g->marker, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		0640);
	size_t len = strlen(text);
	ssize_t put;
	int error = 0;

	if (fd < 0)
		return -errno;
	put = write(fd, text, len);
	if (put < 0 || fsync(fd) != 0)
		error = -errno;
	else if ((size_t)put != len)
		error = -EIO;
	close(fd);
	return error != 0 ? error : sync_directory(g->directory);
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
	error = marker_write(g, text);
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

bool gate_is_halted_now(struct gate *g)
{
	if (g->halt_reason != NULL)
		return true;
	g->halt_reason = marker_read(g->marker);
	if (g->halt_reason == NULL)
		return false;
	log_say(g->world->log, LOG_HALTED_MESSAGE,
		"all writes are halted, a marker was put into the state directory: %s",
		g->halt_reason);
	return true;
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
	mdc_autofree char *by = shown(who), *why = shown(reason != NULL ? reason : "");

	wall_format(loop_wall(g->world->loop), at);
	json_object_set_new(g->pauses, target,
		json_pack("{s:s, s:s, s:s}", "by", by, "reason", why, "since", at));
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
	const struct reach_growth *growth = &g->growth;
	unsigned long long unmeasured = map_count(&growth->unmeasured);
	char *unknown = unmeasured > 0
		? xasprintf(" (and the machines of %llu that could not be listed)", unmeasured)
		: xstrdup("");

	if (!g->announced)
		log_say(g->world->log, LOG_UNCONFIRMED_MESSAGE,
			"%llu subscriptions with %llu machines%s would newly be written to%s; "
			"look with `mdcctl plan`, then `mdcctl confirm`",
			(unsigned long long)growth->subscriptions,
			(unsigned long long)growth->machines, unknown,
			growth->first_enforce ? ", by a scope that enforces for the first time"
					      : "");
	g->announced = true;
	free(unknown);
}

static void reach_store(struct gate *g)
{
	struct buf text = BUF_INIT(16 << 20);

	if (reach_render(&g->confirmed, &text) == 0)
		store_put_value(g->store, "reach", buf_str(&text));
	store_flush(g->store, NULL, NULL);
	buf_fini(&text);
}

static bool matches_something(
	const char *target, const struct config *c, const struct inventory *inv)
{
	for (size_t i = 0; i < c->scope_count; i++)
		if (str_equal_nocase(c->scopes[i].name, target))
			return true;
	return str_equal(target, "*") || inventory_subscription(inv, target) != NULL ||
		inventory_machine(inv, target) != NULL ||
		inventory_connector(inv, target) != NULL ||
		inventory_workspace(inv, target) != NULL;
}

/* A scope that got another name is not paused any more: whoever paused it wants to know. */
static void look_at_pauses(struct gate *g, const struct config *c, const struct inventory *inv)
{
	const char *target;
	json_t *value;

	json_object_foreach (g->pauses, target, value) {
		if (matches_something(target, c, inv)) {
			map_remove(&g->aimless, target);
			continue;
		}
		if (!map_has(&g->aimless, target))
			log_say(g->world->log, LOG_TROUBLE_MESSAGE,
				"the pause of %s matches nothing that is configured or observed",
				target);
		map_set(&g->aimless, target, value);
	}
}

void gate_measure(struct gate *g, const struct config *c, const struct inventory *inv)
{
	bool was_held = g->growth.gated || g->unlistable, changed;

	reach_fini(&g->wanted);
	reach_growth_fini(&g->growth);
	reach_build(inv, &g->wanted);
	changed = reach_narrow(&g->confirmed, &g->wanted, inv);
	reach_compare(&g->confirmed, &g->wanted, inv, c->impact.machines, c->impact.subscriptions,
		&g->growth);
	g->measured = true;
	if (!was_held)
		g->announced = false;
	/* A list that is missing once may come with the next pass. */
	if (g->growth.gated || (g->unlistable && map_count(&g->growth.unmeasured) > 0))
		announce_growth(g);
	if (!g->growth.gated && g->growth.subscriptions > 0)
		changed |= reach_widen(&g->confirmed, &g->wanted, &g->growth.unmeasured);
	g->unlistable = map_count(&g->growth.unmeasured) > 0;
	if (changed)
		reach_store(g);
	look_at_pauses(g, c, inv);
}

/* Before the first measure nothing is known to be confirmed. */
bool gate_is_unconfirmed(const struct gate *g, const char *subscription, enum control_id control)
{
	return !g->measured || g->lost || !reach_covers(&g->confirmed, subscription, control);
}

bool gate_state_is_lost(const struct gate *g)
{
	return g->lost;
}

bool gate_needs_confirmation(const struct gate *g, const struct reach_growth **ret)
{
	if (ret != NULL)
		*ret = &g->growth;
	return g->lost || g->growth.gated || map_count(&g->growth.unmeasured) > 0;
}

void gate_confirm(struct gate *g, const char *who)
{
	const struct reach_growth *growth = &g->growth;

	g->lost = false;
	store_put_value(g->store, "lost", NULL);
	log_say(g->world->log, LOG_CONFIRMED_MESSAGE,
		"%s confirmed: %llu subscriptions with %llu machines more may be written to", who,
		(unsigned long long)growth->subscriptions, (unsigned long long)growth->machines);
	if (g->measured)
		(void)reach_widen(&g->confirmed, &g->wanted, NULL);
	reach_store(g);
	reach_growth_fini(&g->growth);
	g->unlistable = false;
}

void gate_limits(struct gate *g, struct plan_limits *ret)
{
	ret->halted = gate_is_halted_now(g);
	ret->paused_all = map_has(&g->paused, "*");
	ret->paused = &g->paused;
	ret->confirmed = &g->confirmed;
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
	g->directory = xstrdup(state_directory);
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
	map_init(&g->aimless, NULL);
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
	map_fini(&g->aimless);
	free(g->marker);
	free(g->directory);
	free(g);
	return NULL;
}
