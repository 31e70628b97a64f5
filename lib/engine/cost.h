/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost: which machines are billed by Defender for Servers, under which plan, which of them perhaps
 * twice, and what will be once the policy is reached. Counts come from what was observed, prices
 * from the operator's own table; without a price there is no amount.
 *
 * Assumed, and shown beside every amount (cost_assumptions): a machine is billed while the Arc
 * agent is connected, by the hour; a month has 730 hours in which all stays as it is.
 */
#ifndef MDC_COST_H
#define MDC_COST_H

#include "lib/controls/plan_level.h"
#include "lib/model/inventory.h"
#include "lib/model/money.h"

#define COST_HOURS_PER_MONTH 730

/* X(id, word, sentence) */
#define COST_BILLINGS(X) \
	X(P2, "p2", "billed by the hour under P2") \
	X(P1, "p1", "billed by the hour under P1") \
	X(NONE, "none", "no plan: not billed") \
	X(AWAY, "disconnected", "it has a plan and is not connected: not billed until it is") \
	X(UNKNOWN, "unknown", "its plan could not be read")

enum cost_billing {
#define X(id, word, sentence) COST_##id,
	COST_BILLINGS(X)
#undef X
		COST_BILLING_N_
};
const char *cost_billing_word(enum cost_billing billing);
const char *cost_billing_sentence(enum cost_billing billing);

/* X(id, word, sentence) */
#define COST_TWICES(X) \
	X(LICENCE, "licence", \
		"its device is onboarded to Defender for Endpoint apart from the plan: a licence " \
		"may be paid for beside it") \
	X(SAME_NAME, "same-name", \
		"another machine of this name is billed as well: they may be one host that was " \
		"connected twice")

enum cost_twice {
	COST_ONCE,
#define X(id, word, sentence) COST_##id,
	COST_TWICES(X)
#undef X
		COST_TWICE_N_
};
const char *cost_twice_word(enum cost_twice twice); /* NULL for once */
const char *cost_twice_sentence(enum cost_twice twice);

/* Whose plan a machine has. */
enum cost_source { COST_OF_SUBSCRIPTION, COST_OF_MACHINE, COST_OF_CONNECTOR };
const char *cost_source_word(enum cost_source source);

/* "P2", and what it includes. */
const char *cost_plan_word(enum plan_level level);
const char *cost_plan_includes(enum plan_level level);

/* The machines that are billed, by name, tenant and system. */
struct cost_names {
	struct cost_name {
		uint64_t hash;
		const struct machine *machine;
	} * v;
	size_t n;
};
void cost_names_init(struct cost_names *names, const struct inventory *inv);
void cost_names_fini(struct cost_names *names);
/* Another one that may be the same host, or NULL. */
const struct machine *cost_names_other(const struct cost_names *names, const struct machine *m);

struct machine_cost {
	enum cost_source source;
	enum plan_level plan, wanted; /* in force, and once the policy is reached */
	enum cost_billing now, then;
	enum cost_twice twice;
	bool licence; /* onboarded without a plan: Defender for Endpoint needs its own licence */
};
void cost_of_machine(const struct machine *m, const struct cost_names *names, struct wall now,
	struct machine_cost *ret);
/* The plan of a subscription once its policy is reached, whatever the mode of its scope. */
enum plan_level cost_wanted_level(const struct subscription *s, struct wall now);

struct cost_sum {
	uint64_t machines;
	uint64_t now[COST_BILLING_N_], then[COST_BILLING_N_];
	uint64_t to_bill; /* connected, without a plan, and to get one */
	uint64_t twice[COST_TWICE_N_];
	/* Servers that are onboarded to Defender for Endpoint and not billed by a plan. */
	uint64_t licences_now, licences_then;
	/* Devices without a machine, billed under P1 by direct onboarding. */
	uint64_t direct;
};
void cost_add_machine(struct cost_sum *sum, const struct machine_cost *m);
void cost_add(struct cost_sum *sum, const struct cost_sum *other);

/* Amounts a month. False where a price is missing that they need. */
struct prices_config;
bool cost_now(const struct cost_sum *sum, const struct prices_config *prices,
	int64_t *ret) MDC_MUST_CHECK;
bool cost_then(const struct cost_sum *sum, const struct prices_config *prices,
	int64_t *ret) MDC_MUST_CHECK;

/* The sentences behind the numbers; NULL past the last. */
const char *cost_assumption(size_t index);

#endif
