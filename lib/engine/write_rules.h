/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_rules: the rules of writing to Azure, enforced on the very request that is about to be
 * sent, whoever composed it. Anything that is not allowed here by name is refused.
 */
#ifndef MDC_WRITE_RULES_H
#define MDC_WRITE_RULES_H

#include "lib/controls/control.h"

#define WRITE_REFUSALS(REFUSAL) \
	REFUSAL(OBSERVE_MODE, "the scope is in observe mode") \
	REFUSAL(SCOPE_CONFLICT, "two scopes claim the subscription equally") \
	REFUSAL(NO_SELECTOR, \
		"enforce needs subscriptions or management-groups that were written down") \
	REFUSAL(FOREIGN_TENANT, \
		"the subscription belongs to another tenant and is not listed by id") \
	REFUSAL(TENANT_CHANGED, "the subscription has moved to another tenant") \
	REFUSAL(HALTED, "all writes are halted") \
	REFUSAL(PAUSED, "writes are paused") \
	REFUSAL(UNCONFIRMED, "the reach of the configuration is not confirmed") \
	REFUSAL(NOT_LISTED, "the request is not on the list of allowed writes") \
	REFUSAL(LOWERS, "it would lower protection without a grant") \
	REFUSAL(NOT_READ, "the resource was not read from ARM right before") \
	REFUSAL(INCOMPLETE, "the observation it rests on is incomplete") \
	REFUSAL(SUBSCRIPTION_STATE, "the subscription is not enabled") \
	REFUSAL(TARGET_BUSY, "another operation runs on the same target") \
	REFUSAL(NO_INTENT, "the intent is not durable")

enum write_refusal {
	WRITE_ALLOWED,
#define WRITE_REFUSAL_ENUM(name, text) WRITE_REFUSED_##name,
	WRITE_REFUSALS(WRITE_REFUSAL_ENUM)
#undef WRITE_REFUSAL_ENUM
		WRITE_REFUSAL_N_
};
const char *write_refusal_text(enum write_refusal r);
/* What an item says that is held back so; REASON_NONE where it is allowed. */
enum reason write_refusal_reason(enum write_refusal r);

struct write_context {
	const struct control_view *view;
	const struct arm_request *request;
	const json_t *current; /* as just read; NULL: absent */
	struct wall read_at;
	bool halted, paused, unconfirmed;
	bool target_busy;
	bool intent_durable;
	const char *identity_tenant;
};

/* How old the read before a write may be. */
#define WRITE_READ_AGE DUR_MIN(5)

/* Of several refusals the first in the order of the list above; NO_INTENT is the last. */
enum write_refusal write_rules_check(const struct write_context *c, struct wall now);
/*
 * The rules that hold every write to a subscription, or to one connector, workspace or machine,
 * whatever the request: OBSERVE_MODE … FOREIGN_TENANT, INCOMPLETE and SUBSCRIPTION_STATE. The plan
 * asks the same, so that no step is begun that the rules would refuse.
 */
enum write_refusal write_rules_check_target(
	const struct control_view *view, const char *identity_tenant);

#endif
