/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry: exclusions and grants that end. Some days before, that is shown; once they have ended
 * they still hold for a while, so that whoever answers for them can be warned; then they count as
 * absent, and are shown as long as they stand in the configuration.
 */
#ifndef MDC_EXPIRY_H
#define MDC_EXPIRY_H

#include "lib/model/config.h"

#define EXPIRY_BEFORE DUR_DAYS(14)

/* X(id, word, sentence, what helps) */
#define EXPIRY_PHASES(X) \
	X(SOON, "expiring", "it ends soon", "write a later until where it is to stay") \
	X(ENDED, "expired", "it has ended, and still holds for a while", \
		"write a later until, or take it out of the configuration; then mdcctl reload") \
	X(ABSENT, "absent", "it has ended, and counts as absent", \
		"take it out of the configuration, or write a later until; then mdcctl reload")

enum expiry_phase {
	EXPIRY_FAR,
#define X(id, word, sentence, helps) EXPIRY_##id,
	EXPIRY_PHASES(X)
#undef X
};
const char *expiry_word(enum expiry_phase phase);
const char *expiry_sentence(enum expiry_phase phase);
const char *expiry_helps(enum expiry_phase phase);

/* All is borrowed from the configuration. */
struct expired {
	const char *kind;                                   /* "exclude", "grant" */
	const char *name, *scope, *owner, *ticket, *reason; /* `ticket` may be NULL */
	struct wall expired, until;
	enum expiry_phase phase;
};

/* The next one that is not EXPIRY_FAR, from place *at on, which begins at 0; false when there is
 * none left. */
bool expiry_next(const struct config *c, struct wall now, size_t *at, struct expired *ret);

#endif
