/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/scope.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"

/* How closely a scope names a subscription: smaller is closer. */
#define BY_ID 0
#define BY_NEAREST_GROUP 1
#define BY_EVERYTHING 1000 /* that the identity sees in its own tenant */
#define BY_DELEGATION 1001 /* the same in others, as the subscription says */
#define BY_HEARSAY 1002    /* it does not say so */
#define NOT_NAMED UINT32_MAX

static bool lists(char **list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal_nocase(list[i], text))
			return true;
	return false;
}

/* Management groups are of one tenant; one that is not known may be the same. */
static bool may_be_of_tenant(const struct scope_config *scope, const struct subscription *s)
{
	const struct identity_config *identity = scope->identity;

	return *s->tenant == '\0' || identity == NULL || str_empty(identity->tenant) ||
		str_equal_nocase(identity->tenant, s->tenant);
}

static bool is_delegated(const struct scope_config *scope, const struct subscription *s)
{
	return str_contains_nocase(s->managed_by, scope->identity->tenant);
}

/* Some identity of the configuration is at home there: others see it as a delegation, or not. */
static bool tenant_is_configured(const struct config *c, const struct subscription *s)
{
	for (size_t i = 0; i < c->identity_count; i++)
		if (c->identities[i].tenant != NULL &&
			str_equal_nocase(c->identities[i].tenant, s->tenant))
			return true;
	return false;
}

static uint32_t closeness_of_everything(
	const struct config *c, const struct scope_config *scope, const struct subscription *s)
{
	if (may_be_of_tenant(scope, s))
		return BY_EVERYTHING;
	if (is_delegated(scope, s))
		return BY_DELEGATION;
	return tenant_is_configured(c, s) ? NOT_NAMED : BY_HEARSAY;
}

static uint32_t closeness(
	const struct config *c, const struct scope_config *scope, const struct subscription *s)
{
	if (lists(scope->subscriptions, scope->subscription_count, s->id))
		return BY_ID;
	/* A group of that name in another tenant is another group. */
	for (size_t i = 0; i < s->management_group_count && may_be_of_tenant(scope, s); i++)
		if (lists(scope->management_groups, scope->management_group_count,
			    s->management_groups[i]))
			return BY_NEAREST_GROUP + (uint32_t)i;
	return scope->everything ? closeness_of_everything(c, scope, s) : NOT_NAMED;
}

/* A management group of its tenant that names it could be closer than what names it otherwise. */
static bool groups_matter(const struct config *c, const struct subscription *s)
{
	for (size_t i = 0; i < c->scope_count; i++)
		if (c->scopes[i].management_group_count > 0 && may_be_of_tenant(&c->scopes[i], s))
			return true;
	return false;
}

enum scope_match scope_of(const struct config *c, const struct subscription *s,
	const struct scope_config **ret, const struct scope_config **ret_a,
	const struct scope_config **ret_b)
{
	const struct scope_config *best = NULL, *rival = NULL;
	uint32_t closest = NOT_NAMED;

	for (size_t i = 0; i < c->scope_count; i++) {
		uint32_t how = closeness(c, &c->scopes[i], s);

		if (how == NOT_NAMED || how > closest)
			continue;
		rival = how == closest ? best : NULL;
		best = &c->scopes[i];
		closest = how;
	}
	*ret = NULL;
	if (best == NULL || (closest != BY_ID && !s->groups_known && groups_matter(c, s)))
		return SCOPE_NONE;
	if (rival != NULL) {
		*ret_a = rival;
		*ret_b = best;
		return SCOPE_TIE;
	}
	*ret = best;
	return SCOPE_ONE;
}

void scope_resolve(const struct config *c, struct inventory *inv)
{
	const struct scope_config *a, *b;
	struct map_entry *entry;

	map_for_each (&inv->subscriptions, entry) {
		struct subscription *s = entry->value;
		const struct scope_config *before = s->scope;
		struct buf names = BUF_INIT(512);

		intern_drop(&inv->texts, s->scope_conflict);
		s->scope_conflict = NULL;
		switch (scope_of(c, s, &s->scope, &a, &b)) {
		case SCOPE_TIE:
			/* Judged under one of them, and written to under neither. */
			s->scope = a;
			buf_addf(&names, "\"%.120s\" and \"%.120s\"", a->name, b->name);
			s->scope_conflict = intern_take(&inv->texts, buf_str(&names));
			break;
		case SCOPE_NONE:
		case SCOPE_ONE: break;
		}
		s->rescoped = s->rescoped || (before != NULL && s->scope != before);
		buf_fini(&names);
	}
}

/* No list matches everything. */
static bool is_below(const struct selector *selector, const struct subscription *s)
{
	for (size_t i = 0; i < s->management_group_count; i++)
		if (lists(selector->management_groups, selector->management_group_count,
			    s->management_groups[i]))
			return true;
	return selector->management_group_count == 0;
}

bool scope_excludes_by_group(const struct scope_config *scope)
{
	for (size_t i = 0; i < scope->exclude_count; i++)
		if (scope->excludes[i].selector.management_group_count > 0)
			return true;
	return false;
}

bool scope_exclusion_is_open(const struct scope_config *scope, const struct subscription *s)
{
	return !s->groups_known && scope_excludes_by_group(scope) && may_be_of_tenant(scope, s);
}

static bool in_force(const struct selector *selector, struct wall until,
	const struct subscription *s, const struct machine *m, struct wall now)
{
	if (wall_before(until, now) || !is_below(selector, s))
		return false;
	return selector_matches(selector, s->id, m != NULL ? m->group : NULL,
		m != NULL ? m->name : NULL, m != NULL ? m->tags : NULL);
}

const struct exclude_config *scope_exclusion(const struct scope_config *scope,
	const struct subscription *s, const struct machine *m, struct wall now)
{
	for (size_t i = 0; i < scope->exclude_count; i++)
		if (in_force(&scope->excludes[i].selector, scope->excludes[i].until, s, m, now))
			return &scope->excludes[i];
	return NULL;
}

const struct grant_config *scope_grant(const struct scope_config *scope, enum control_id control,
	const struct subscription *s, const struct machine *m, struct wall now)
{
	for (size_t i = 0; i < scope->grant_count; i++)
		if (str_equal(scope->grants[i].control, control_word(control)) &&
			in_force(&scope->grants[i].selector, scope->grants[i].until, s, m, now))
			return &scope->grants[i];
	return NULL;
}
