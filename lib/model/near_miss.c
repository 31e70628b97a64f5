/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/near_miss.h"

#include "lib/base/str.h"

#include <string.h>

void near_miss_begin(struct near_miss *m, const char *written)
{
	size_t len = strlen(written);

	/* A third of a word may be wrong, and at most three letters. */
	*m = (struct near_miss){.written = written, .distance = len / 3 < 3 ? len / 3 + 1 : 4};
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to insert, remove, replace or swap with their neighbour to come from a to b. */
static size_t edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NEAR_MISS_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		before[j] = last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *oldest = before;

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			char x = str_lower(a[i - 1]), y = str_lower(b[j - 1]);

			now[j] = least(last[j] + 1, now[j - 1] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == str_lower(b[j - 2]) &&
				y == str_lower(a[i - 2]) && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[b_len];
}

void near_miss_offer(struct near_miss *m, const char *candidate, size_t len)
{
	size_t written_len = strlen(m->written), distance;

	if (len > NEAR_MISS_MAX || written_len > NEAR_MISS_MAX)
		return;
	distance = edits(m->written, written_len, candidate, len);
	if (distance >= m->distance)
		return;
	m->distance = distance;
	m->best = candidate;
	m->best_len = len;
}
