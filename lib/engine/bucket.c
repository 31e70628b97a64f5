/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/bucket.h"

/* Levels are sums of many small steps: a token is whole when this little is missing. */
#define ROUNDING 1e-6
/* 300 years in milliseconds. */
#define WAIT_MAX 9.5e12

static double least_of(double a, double b)
{
	return a < b ? a : b;
}

static double most_of(double a, double b)
{
	return a > b ? a : b;
}

static struct mono later_of(struct mono a, struct mono b)
{
	return mono_before(a, b) ? b : a;
}

static void set_size(struct bucket *b, double size, double refill, unsigned reserve_percent)
{
	b->size = most_of(size, 1);
	b->refill = most_of(refill, 0);
	b->floor = least_of(b->size * least_of(reserve_percent, 100) / 100, b->size - 1);
}

void bucket_init(
	struct bucket *b, double size, double refill, unsigned reserve_percent, struct mono now)
{
	*b = (struct bucket){.updated = now, .frozen = now};
	set_size(b, size, refill, reserve_percent);
	b->level = b->size;
}

double bucket_level(const struct bucket *b, struct mono now)
{
	double level = b->level;

	if (mono_before(b->updated, now))
		level += b->refill * (double)mono_since(now, b->updated).ms / 1000;
	return least_of(level, b->size);
}

static void bring_up(struct bucket *b, struct mono now)
{
	b->level = bucket_level(b, now);
	b->updated = later_of(b->updated, now);
}

void bucket_resize(
	struct bucket *b, double size, double refill, unsigned reserve_percent, struct mono now)
{
	bring_up(b, now);
	set_size(b, size, refill, reserve_percent);
	b->level = least_of(b->level, b->size);
}

struct mono bucket_ready(const struct bucket *b, struct mono now)
{
	struct mono at = later_of(now, b->frozen);
	double missing = b->floor + 1 - bucket_level(b, at);
	double wait;

	if (missing <= ROUNDING)
		return at;
	if (b->refill <= 0)
		return MONO_NEVER;
	wait = missing / b->refill * 1000;
	if (wait > WAIT_MAX)
		return MONO_NEVER;
	return mono_add(later_of(at, b->updated), DUR_MS((int64_t)wait + 1));
}

void bucket_drain(struct bucket *b, struct mono now)
{
	assert(!mono_before(now, bucket_ready(b, now)));
	bring_up(b, now);
	b->level -= 1;
}

void bucket_correct(struct bucket *b, double least, double most, struct mono now)
{
	bring_up(b, now);
	b->level = least_of(b->level, most_of(most, 0));
	b->level = most_of(b->level, least_of(least, b->size));
}

void bucket_hold(struct bucket *b, struct mono until, struct mono now)
{
	bring_up(b, now);
	b->updated = later_of(b->updated, until);
}

void bucket_freeze(struct bucket *b, struct mono until, struct mono now)
{
	bring_up(b, now);
	b->level = least_of(b->level, 0);
	b->frozen = later_of(b->frozen, until);
}
