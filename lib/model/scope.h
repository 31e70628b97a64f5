/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope: which scope a subscription belongs to, and whether a machine is excluded or granted
 * something there. By id over the nearest management group over "*"; a tie is a conflict. "*" is
 * what the identity sees in its own tenant, and after that what others have delegated to it. As
 * long as its management groups have not been read it is in no scope, unless by id.
 */
#ifndef MDC_SCOPE_H
#define MDC_SCOPE_H

#include "lib/model/config.h"
#include "lib/model/inventory.h"

enum scope_match { SCOPE_NONE, SCOPE_ONE, SCOPE_TIE };

/* On a tie *ret is NULL and *ret_a, *ret_b are two of the rivals. */
enum scope_match scope_of(const struct config *c, const struct subscription *s,
	const struct scope_config **ret, const struct scope_config **ret_a,
	const struct scope_config **ret_b);
/* Resolves `scope` and `scope_conflict` of every subscription, and marks those that changed scope.
 */
void scope_resolve(const struct config *c, struct inventory *inv);

bool scope_excludes_by_group(const struct scope_config *scope);
/* Whether an exclusion could hold, but the management groups that decide it are not known. */
bool scope_exclusion_is_open(const struct scope_config *scope, const struct subscription *s);
/* The first exclusion in force at `now` (m may be NULL: whole subscription), or NULL. */
const struct exclude_config *scope_exclusion(const struct scope_config *scope,
	const struct subscription *s, const struct machine *m, struct wall now);
/* The first grant for that control in force at `now`, or NULL. */
const struct grant_config *scope_grant(const struct scope_config *scope, enum control_id control,
	const struct subscription *s, const struct machine *m, struct wall now);

#endif
