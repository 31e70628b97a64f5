/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tick: time as three types that do not mix: `mono` (monotonic, never stored), `wall` (UTC, stored
 * and shown) and `dur` (a length). All count milliseconds. Nothing here reads a clock.
 */
#ifndef MDC_TICK_H
#define MDC_TICK_H

#include "lib/base/base.h"

struct mono {
	int64_t ms;
};
struct wall {
	int64_t ms; /* since 1970-01-01T00:00:00Z; 0 means "not set" */
};
struct dur {
	int64_t ms;
};

#define DUR_MS(n) ((struct dur){(n)})
#define DUR_S(n) ((struct dur){INT64_C(1000) * (n)})
#define DUR_MIN(n) ((struct dur){INT64_C(60000) * (n)})
#define DUR_H(n) ((struct dur){INT64_C(3600000) * (n)})
#define DUR_DAYS(n) ((struct dur){INT64_C(86400000) * (n)})

#define WALL_UNSET ((struct wall){0})
/* Later than every real time: "no deadline". */
#define WALL_NEVER ((struct wall){INT64_MAX})
#define MONO_NEVER ((struct mono){INT64_MAX})

static inline bool wall_is_set(struct wall t)
{
	return t.ms != 0;
}
static inline bool wall_before(struct wall a, struct wall b)
{
	return a.ms < b.ms;
}
static inline bool mono_before(struct mono a, struct mono b)
{
	return a.ms < b.ms;
}
/* Saturates at NEVER. */
struct wall wall_add(struct wall t, struct dur d);
struct mono mono_add(struct mono t, struct dur d);
struct dur wall_since(struct wall later, struct wall earlier);
struct dur mono_since(struct mono later, struct mono earlier);
static inline struct dur dur_min(struct dur a, struct dur b)
{
	return a.ms < b.ms ? a : b;
}
static inline struct dur dur_max(struct dur a, struct dur b)
{
	return a.ms > b.ms ? a : b;
}

/*
 * RFC 3339 in UTC: "2026-11-24T14:00:00Z", with ".250" only where milliseconds are not zero. Times
 * outside the years 0000 to 9999 are written as the first or last moment of these.
 */
#define WALL_TEXT_SIZE 32
void wall_format(struct wall t, char ret[static WALL_TEXT_SIZE]);
/* RFC 3339 as ARM writes it: optional fraction of any length, "Z" or an offset. -EINVAL. */
int wall_parse(const char *text, struct wall *ret) MDC_MUST_CHECK;
/* "2027-01-31": the end of that day in UTC. -EINVAL. */
int wall_parse_date_end(const char *text, struct wall *ret) MDC_MUST_CHECK;
/* IMF-fixdate of RFC 9110 ("Tue, 24 Nov 2026 14:00:00 GMT"). -EINVAL. */
int wall_parse_http(const char *text, struct wall *ret) MDC_MUST_CHECK;
void wall_format_http(struct wall t, char ret[static WALL_TEXT_SIZE]);

/* For people: "45 s", "12 min", "3 h 20 min", "2 d 4 h". */
#define DUR_TEXT_SIZE 48
void dur_format(struct dur d, char ret[static DUR_TEXT_SIZE]);

#endif
