/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bucket: one token bucket. Every call takes the time, so that seconds of behaviour are tested at
 * once. The level may be corrected from a response header, and frozen until a Retry-After is over.
 */
#ifndef MDC_BUCKET_H
#define MDC_BUCKET_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

struct bucket {
	double size;   /* burst, at least 1 */
	double refill; /* tokens a second */
	double floor;  /* reserve: a level that we do not go below */
	double level;
	struct mono updated; /* in the future: nothing flows in before that */
	struct mono frozen;  /* nothing before this */
};

/* Starts full. `reserve_percent` of the size is left to others who share the principal. */
void bucket_init(
	struct bucket *b, double size, double refill, unsigned reserve_percent, struct mono now);
/* Another size; level and freeze stay, as far as they fit. */
void bucket_resize(
	struct bucket *b, double size, double refill, unsigned reserve_percent, struct mono now);
/* `now` or later: when a token may be drained. MONO_NEVER cannot happen while refill > 0. */
struct mono bucket_ready(const struct bucket *b, struct mono now);
/* Only when it is ready. */
void bucket_drain(struct bucket *b, struct mono now);
/*
 * A response told what was left; with the calls that it had not seen, between `least` and `most` is
 * left now. Lower is believed at once; higher only up to the size.
 */
void bucket_correct(struct bucket *b, double least, double most, struct mono now);
/* Nothing flows in before `until` (a quota that is counted in windows). */
void bucket_hold(struct bucket *b, struct mono until, struct mono now);
/* 429: empty, and nothing until then. A shorter freeze never replaces a longer one. */
void bucket_freeze(struct bucket *b, struct mono until, struct mono now);
double bucket_level(const struct bucket *b, struct mono now);

#endif
