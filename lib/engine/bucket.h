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
	double size;   /* burst */
	double refill; /* tokens a second */
	double floor;  /* reserve: a level that we do not go below */
	double level;
	struct mono updated;
	struct mono frozen; /* nothing before this */
};

/* Starts full. `reserve_percent` of the size is left to others who share the principal. */
void bucket_init(
	struct bucket *b, double size, double refill, unsigned reserve_percent, struct mono now);
/* `now` or earlier: a token may be drained. MONO_NEVER cannot happen while refill > 0. */
struct mono bucket_ready(const struct bucket *b, struct mono now);
void bucket_drain(struct bucket *b, struct mono now);
/* A response told what is left. Lower is believed at once; higher only up to `size`. */
void bucket_correct(struct bucket *b, double remaining, struct mono now);
/* 429: empty, and nothing until then. A shorter freeze never replaces a longer one. */
void bucket_freeze(struct bucket *b, struct mono until, struct mono now);
double bucket_level(const struct bucket *b, struct mono now);

#endif
