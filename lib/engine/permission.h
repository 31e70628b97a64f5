/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permission: the actions that a configuration needs Azure to allow, whether the permissions that
 * ARM tells for a scope allow them, and the smallest role that does.
 *
 * What the controls read and write with stands in their own rows (controls/control.h). Here is what
 * belongs to no control: finding subscriptions, following up writes, looking for what stands in the
 * way.
 */
#ifndef MDC_PERMISSION_H
#define MDC_PERMISSION_H

#include "lib/base/diag.h"
#include "lib/controls/control.h"

enum permission_use {
	PERMISSION_OBSERVES, /* without it something is not known */
	PERMISSION_CORRECTS, /* without it some correction fails */
	PERMISSION_HELPS,    /* there is another way, or only `mdcctl preflight` asks for it */
};
struct permission_need {
	const char *action; /* "Microsoft.Security/pricings/write" */
	enum permission_use use;
	bool on_machine; /* may be granted on the resource groups of the machines alone */
};
#define PERMISSION_NEEDS_MAX 64

/* What a scope needs, each action once, in a fixed order; returns how many. */
size_t permission_needs(
	const struct scope_config *scope, struct permission_need ret[static PERMISSION_NEEDS_MAX]);

/* '*' stands for any run of characters, slashes too; case does not matter. */
bool permission_matches(const char *pattern, const char *action);
/*
 * Whether an array of permissions as ARM tells them, {"actions", "notActions"} each, allows the
 * action: some entry names it and does not take it back.
 */
bool permission_allows(const json_t *entries, const char *action);
/* The built-in role to assign for that action; NULL: only a custom one. */
const char *permission_role(const char *action);

/* "Microsoft.Security": the resource provider of an action. False where it does not fit. */
#define PERMISSION_PROVIDER_SIZE 64
bool permission_provider(const char *action, char ret[static PERMISSION_PROVIDER_SIZE]);

/*
 * The custom role with just what the scopes need (`only` NULL: all), as `az role definition create
 * --role-definition` takes it. NULL with errors in `diags` where no one role can be assigned
 * everywhere. Caller owns.
 */
json_t *permission_custom_role(
	const struct config *config, const struct scope_config *only, struct diags *diags);

#endif
