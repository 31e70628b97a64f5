/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"

#include <stdio.h>
#include <string.h>

char str_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_equal(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

int str_compare_nocase(const char *a, const char *b)
{
	for (;; a++, b++) {
		unsigned char x = (unsigned char)str_lower(*a);
		unsigned char y = (unsigned char)str_lower(*b);

		if (x != y)
			return x < y ? -1 : 1;
		if (x == '\0')
			return 0;
	}
}

bool str_equal_nocase(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && str_compare_nocase(a, b) == 0);
}

bool str_starts_nocase(const char *text, const char *prefix)
{
	if (text == NULL)
		return false;
	for (; *prefix != '\0'; text++, prefix++)
		if (str_lower(*text) != str_lower(*prefix))
			return false;
	return true;
}

bool str_ends_nocase(const char *text, const char *suffix)
{
	size_t len = text != NULL ? strlen(text) : 0;
	size_t suffix_len = strlen(suffix);

	return len >= suffix_len && str_compare_nocase(text + len - suffix_len, suffix) == 0;
}

bool str_contains_nocase(const char *text, const char *part)
{
	if (text == NULL)
		return false;
	for (; *text != '\0'; text++)
		if (str_starts_nocase(text, part))
			return true;
	return *part == '\0';
}

void str_fold(char *text)
{
	for (; *text != '\0'; text++)
		*text = str_lower(*text);
}

bool str_copy(char *to, size_t size, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	bool whole = len < size;

	assert(size > 0);
	if (!whole)
		len = size - 1;
	if (len > 0)
		memcpy(to, text, len);
	to[len] = '\0';
	return whole;
}

/*
 * Digits up to the first other byte; *end is where they stop, also with -ERANGE, so that a number
 * that is too big is told apart from what is no number at all.
 */
static int parse_digits(const char *text, uint64_t max, uint64_t *ret, const char **end)
{
	uint64_t value = 0;
	bool fits = true;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		fits = fits && !__builtin_mul_overflow(value, UINT64_C(10), &value) &&
			!__builtin_add_overflow(value, (uint64_t)(*p - '0'), &value);
	*end = p;
	if (p == text)
		return -EINVAL;
	if (!fits || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int str_parse_u64(const char *text, uint64_t max, uint64_t *ret)
{
	const char *end;
	uint64_t value = 0;
	int error = text != NULL ? parse_digits(text, max, &value, &end) : -EINVAL;

	if (error == -EINVAL || *end != '\0')
		return -EINVAL;
	if (error == 0)
		*ret = value;
	return error;
}

int str_parse_bool(const char *text, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"on", true}, {"off", false}, {"true", true}, {"false", false}, {"yes", true},
		{"no", false}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_equal_nocase(text, words[i].word)) {
			*ret = words[i].value;
			return 0;
		}
	return -EINVAL;
}

static const struct {
	const char *unit;
	int64_t ms;
} duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

int str_parse_duration(const char *text, struct dur *ret)
{
	const uint64_t ten_years = UINT64_C(3650) * 86400000;
	const char *unit;
	uint64_t value = 0;
	int error = text != NULL ? parse_digits(text, ten_years, &value, &unit) : -EINVAL;

	if (error == -EINVAL)
		return error;
	for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
		if (strcmp(unit, duration_units[i].unit) != 0)
			continue;
		if (error != 0 || value > ten_years / (uint64_t)duration_units[i].ms)
			return -ERANGE;
		*ret = DUR_MS((int64_t)value * duration_units[i].ms);
		return 0;
	}
	return -EINVAL;
}

void str_format_duration(struct dur d, char *ret, size_t size)
{
	if (d.ms == 0) {
		str_copy(ret, size, "0s");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(duration_units); i++)
		if (d.ms % duration_units[i].ms == 0) {
			snprintf(ret, size, "%lld%s", (long long)(d.ms / duration_units[i].ms),
				duration_units[i].unit);
			return;
		}
}

static bool is_hex(char c)
{
	c = str_lower(c);
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool str_is_guid(const char *text)
{
	if (text == NULL || strlen(text) != 36)
		return false;
	for (unsigned i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !is_hex(text[i]))
			return false;
	}
	return true;
}

/* Length of the well-formed UTF-8 sequence at p, 0 if there is none. */
static size_t utf8_len(const unsigned char *p)
{
	size_t len = p[0] < 0x80               ? 1
		: p[0] >= 0xc2 && p[0] <= 0xdf ? 2
		: (p[0] & 0xf0) == 0xe0        ? 3
		: p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
					       : 0;

	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static uint32_t code_point(const unsigned char *p, size_t len)
{
	uint32_t c = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

/*
 * What moves the cursor, ends a line or changes the order of what is seen: C0, DEL, C1 (which
 * terminals obey too), marks of direction, separators, invisible format characters and tags.
 */
static bool is_control(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {{0x00, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x180e, 0x180e},
		{0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},
		{0xfff9, 0xfffb}, {0xe0000, 0xe007f}};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

int str_escape(struct buf *b, const char *text, size_t max)
{
	const unsigned char *p = (const unsigned char *)(text != NULL ? text : "");

	while (*p != '\0') {
		size_t len = utf8_len(p);
		size_t step = len > 0 ? len : 1;

		if (step > max) {
			buf_adds(b, "…");
			break;
		}
		if (len == 0 || is_control(code_point(p, len)))
			for (size_t i = 0; i < step; i++)
				buf_addf(b, "\\x%02x", p[i]);
		else
			buf_add(b, p, len);
		p += step;
		max -= step;
	}
	return buf_failed(b) ? -EFBIG : 0;
}

uint64_t str_hash(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}
