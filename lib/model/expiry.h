/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry: exclusions and grants that have ended. For a while they still hold, so that whoever
 * answers for them can be warned; then they count as absent.
 */
#ifndef MDC_EXPIRY_H
#define MDC_EXPIRY_H

#include "lib/model/config.h"

/* One that has ended and still holds. All is borrowed from the configuration. */
struct expired {
	const char *kind;                                   /* "exclude", "grant" */
	const char *name, *scope, *owner, *ticket, *reason; /* `ticket` may be NULL */
	struct wall expired, until;
};

/* The next one from place *at on, which begins at 0; false when there is none left. */
bool expiry_next(const struct config *c, struct wall now, size_t *at, struct expired *ret);

#endif
