/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/version.h"

/* Longer ones are cut there: no version has such a number. */
#define DIGITS_MAX 18

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The next number, and false where there is none; leaves *text behind the dot that follows. */
static bool next_number(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t value = 0;

	if (!is_digit(*p))
		return false;
	for (unsigned n = 0; is_digit(*p); p++, n++)
		if (n < DIGITS_MAX)
			value = value * 10 + (uint64_t)(*p - '0');
	*text = *p == '.' ? p + 1 : p;
	*ret = value;
	return true;
}

int version_compare(const char *a, const char *b)
{
	bool more_a = true, more_b = true;

	while (more_a || more_b) {
		uint64_t of_a = 0, of_b = 0;

		more_a = more_a && next_number(&a, &of_a);
		more_b = more_b && next_number(&b, &of_b);
		if (of_a != of_b)
			return of_a < of_b ? -1 : 1;
	}
	return 0;
}

bool version_is_one(const char *text)
{
	return text != NULL && is_digit(*text);
}

bool version_is_of(const char *version, const char *prefix)
{
	uint64_t wanted, is;

	while (next_number(&prefix, &wanted))
		if (!next_number(&version, &is) || is != wanted)
			return false;
	return true;
}
