/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finding: what `mdcctl preflight` found, grouped: the same thing missing in a hundred
 * subscriptions is one finding with a hundred subscriptions.
 *
 * A finding is something missing for certain, or something that could not be told ("doubt"). Both
 * are listed by kind and text, their subscriptions by name, and both are capped: past FINDINGS_MAX
 * only the count goes on.
 */
#ifndef MDC_FINDING_H
#define MDC_FINDING_H

#include "lib/base/map.h"

#include <jansson.h>

/* FINDING(NAME, "word") */
#define FINDING_KINDS(FINDING) \
	FINDING(IDENTITY, "identity") \
	FINDING(SUBSCRIPTION, "subscription") \
	FINDING(ROLE, "role") \
	FINDING(PROVIDER, "provider") \
	FINDING(LOCK, "lock") \
	FINDING(DENY_ASSIGNMENT, "deny-assignment") \
	FINDING(POLICY, "policy") \
	FINDING(AGENT, "agent")

enum finding_kind {
#define FINDING_ENUM(name, word) FINDING_##name,
	FINDING_KINDS(FINDING_ENUM)
#undef FINDING_ENUM
		FINDING_KIND_N_
};
const char *finding_kind_word(enum finding_kind kind);

/* Stands in `help` for the id of the subscription; the last one counts. */
#define FINDING_PLACE "SUBSCRIPTION"

struct finding {
	enum finding_kind kind;
	bool doubt;
	const char *identity; /* who it is missing for */
	const char *what;     /* what is missing, or stands in the way */
	const char *help;     /* the one thing that would fix it */
	uint64_t machines;    /* that are concerned; 0: it is not about single ones */
};

struct findings {
	struct map groups; /* by all texts */
	uint64_t missing, doubts;
	uint64_t dropped; /* findings that are not listed */
	size_t named;     /* subscriptions in all of them */
};
#define FINDINGS_MAX 500
/* Subscriptions that are named, of one finding and of all; all are counted. */
#define FINDING_SUBSCRIPTIONS_MAX 1000
#define FINDINGS_SUBSCRIPTIONS_MAX 20000

void findings_init(struct findings *f);
void findings_fini(struct findings *f);
/* The texts are copied. `subscription` is an id, or "" for what concerns none; `name` may be "". */
void findings_add(struct findings *f, const struct finding *finding, const char *subscription,
	const char *name);
/*
 * Members "kind", "identity", "what", "help", "machines", "subscription_count" and "subscriptions"
 * ("id", "name"), of what is missing or of the doubts. Texts are escaped where they are not UTF-8.
 */
json_t *findings_list(const struct findings *f, bool doubts);

#endif
