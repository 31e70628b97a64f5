/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/failure_groups.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define MESSAGE_MAX 400
/* After the second failure; then these, and the last one again and again. */
static const struct dur pauses[] = {{60 * 1000}, {10 * 60 * 1000}, {60 * 60 * 1000},
	{6 * 60 * 60 * 1000}, {24 * 60 * 60 * 1000}};
/* What got through shows that it is over when none of those on their way has failed any more. */
#define QUIET_AFTER_PASSING DUR_MIN(30)
/* Longer than lib/engine/backoff.c lets what time cures, and what a person has to cure, wait. */
#define QUIET_CURED_BY_TIME DUR_H(2)
#define QUIET DUR_H(25)

struct group {
	struct failure_group shown; /* first: what is lent is this */
	char *code, *scope, *resource_id, *message;
	uint64_t told; /* count when it was last told */
	struct wall tell_at, passed;
	unsigned times; /* told so far */
};

struct failure_groups {
	struct group *v[FAILURE_GROUPS_MAX];
	size_t n;
	struct group *over; /* lent for the last time */
};

static struct group *group_free(struct group *g)
{
	if (g == NULL)
		return NULL;
	free(g->code);
	free(g->scope);
	free(g->resource_id);
	free(g->message);
	free(g);
	return NULL;
}

struct failure_groups *failure_groups_new(void)
{
	return xcalloc(1, sizeof(struct failure_groups));
}

struct failure_groups *failure_groups_free(struct failure_groups *g)
{
	if (g == NULL)
		return NULL;
	for (size_t i = 0; i < g->n; i++)
		group_free(g->v[i]);
	group_free(g->over);
	free(g);
	return NULL;
}

/* --- finding --- */

static struct group *find(struct failure_groups *g, const struct failure *f)
{
	for (size_t i = 0; i < g->n; i++) {
		struct group *group = g->v[i];

		if (group->shown.control == f->control && group->shown.class == f->class &&
			str_equal_nocase(group->code, f->code) &&
			str_equal_nocase(group->scope, f->scope))
			return group;
	}
	return NULL;
}

static void take_out(struct failure_groups *g, size_t at)
{
	g->n--;
	memmove(&g->v[at], &g->v[at + 1], (g->n - at) * sizeof(struct group *));
}

static void forget_the_quietest(struct failure_groups *g)
{
	size_t quietest = 0;

	for (size_t i = 1; i < g->n; i++)
		if (wall_before(g->v[i]->shown.last, g->v[quietest]->shown.last))
			quietest = i;
	group_free(g->v[quietest]);
	take_out(g, quietest);
}

static struct group *begin(struct failure_groups *g, const struct failure *f, struct wall now)
{
	struct group *group = xcalloc(1, sizeof(*group));

	if (g->n == FAILURE_GROUPS_MAX)
		forget_the_quietest(g);
	group->code = xstrdup(f->code);
	group->scope = xstrdup(f->scope);
	group->tell_at = WALL_NEVER;
	group->passed = WALL_UNSET;
	group->shown = (struct failure_group){.control = f->control,
		.class = f->class,
		.code = group->code,
		.scope = group->scope,
		.began = now};
	g->v[g->n++] = group;
	return group;
}

/* --- counting --- */

static void remember(struct group *group, const struct failure *f, struct wall now)
{
	free(group->resource_id);
	free(group->message);
	group->resource_id = xstrdup(f->resource_id != NULL ? f->resource_id : "");
	group->message = xstrndup(f->message != NULL ? f->message : "", MESSAGE_MAX);
	group->shown.resource_id = group->resource_id;
	group->shown.message = group->message;
	group->shown.last = now;
	group->shown.count++;
}

static void told(struct group *group, struct wall now)
{
	size_t last = ARRAY_LEN(pauses) - 1;

	group->told = group->shown.count;
	group->tell_at = wall_add(now, pauses[group->times < last ? group->times : last]);
	group->times++;
}

enum failure_news failure_groups_add(struct failure_groups *g, const struct failure *f,
	struct wall now, const struct failure_group **ret)
{
	struct group *group = find(g, f);
	bool first = group == NULL;

	if (first)
		group = begin(g, f, now);
	remember(group, f, now);
	*ret = &group->shown;
	if (first)
		return FAILURE_FIRST;
	if (group->shown.count > 2)
		return FAILURE_COUNTED;
	told(group, now);
	return FAILURE_SECOND;
}

void failure_groups_passed(
	struct failure_groups *g, enum control_id control, const char *scope, struct wall now)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i]->shown.control == control && str_equal_nocase(g->v[i]->scope, scope))
			g->v[i]->passed = now;
}

/* --- telling --- */

static struct dur quiet_of(const struct group *group)
{
	bool cured_by_time = arm_error_is_retryable(group->shown.class) ||
		group->shown.class == ARM_ERROR_TOKEN || group->shown.class == ARM_ERROR_IDENTITY;

	if (wall_is_set(group->passed) && !wall_before(group->passed, group->shown.last))
		return QUIET_AFTER_PASSING;
	return cured_by_time ? QUIET_CURED_BY_TIME : QUIET;
}

static struct wall over_at(const struct group *group)
{
	return wall_add(group->shown.last, quiet_of(group));
}

static struct wall more_at(const struct group *group)
{
	return group->shown.count > group->told ? group->tell_at : WALL_NEVER;
}

struct wall failure_groups_due(const struct failure_groups *g)
{
	struct wall due = WALL_NEVER;

	for (size_t i = 0; i < g->n; i++) {
		struct wall over = over_at(g->v[i]), more = more_at(g->v[i]);

		if (wall_before(over, due))
			due = over;
		if (wall_before(more, due))
			due = more;
	}
	return due;
}

/* False: one failure alone is no group whose end anybody waits for. */
static bool end(struct failure_groups *g, size_t at)
{
	group_free(g->over);
	g->over = g->v[at];
	take_out(g, at);
	return g->over->shown.count > 1;
}

bool failure_groups_next(struct failure_groups *g, struct wall now, enum failure_news *ret_news,
	const struct failure_group **ret)
{
	for (size_t i = 0; i < g->n;) {
		struct group *group = g->v[i];

		if (!wall_before(now, over_at(group))) {
			if (!end(g, i))
				continue;
			*ret_news = FAILURE_OVER;
			*ret = &group->shown;
			return true;
		}
		if (!wall_before(now, more_at(group))) {
			told(group, now);
			*ret_news = FAILURE_MORE;
			*ret = &group->shown;
			return true;
		}
		i++;
	}
	return false;
}

size_t failure_groups_count(const struct failure_groups *g)
{
	return g->n;
}

const struct failure_group *failure_groups_at(const struct failure_groups *g, size_t n)
{
	return n < g->n ? &g->v[n]->shown : NULL;
}
