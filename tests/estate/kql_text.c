/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_text.h"

#include "tests/estate/kql.h"

size_t kql_utf8_decode(const char *at, size_t left, uint32_t *ret)
{
	static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
	const unsigned char *p = (const unsigned char *)at;
	size_t len = p[0] < 0xC0 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	uint32_t code;

	if (len == 1 || len > left) {
		*ret = p[0];
		return 1;
	}
	code = (uint32_t)(p[0] - marks[len]);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80) {
			*ret = p[0];
			return 1;
		}
		code = code << 6 | (p[i] & 0x3F);
	}
	*ret = code;
	return len;
}

size_t kql_utf8_encode(uint32_t code, char ret[static 4])
{
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};

	for (size_t i = len; i-- > 1; code >>= 6)
		ret[i] = (char)(0x80 | (code & 0x3F));
	ret[0] = (char)(marks[len] | code);
	return len;
}

static bool valid_code(uint32_t code, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	return code >= least[len] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) &&
		(len > 1 || code < 0x80);
}

bool kql_utf8_valid(const char *text, size_t len)
{
	uint32_t code;

	for (size_t at = 0, step; at < len; at += step) {
		step = kql_utf8_decode(text + at, len - at, &code);
		if (!valid_code(code, step))
			return false;
	}
	return true;
}

static bool starts_code(char c)
{
	return ((unsigned char)c & 0xC0) != 0x80;
}

size_t kql_utf8_count(struct kql_value text)
{
	size_t count = 0;

	for (uint32_t i = 0; i < text.len; i++)
		count += starts_code(text.text[i]);
	return count;
}

size_t kql_utf8_offset(struct kql_value text, size_t index)
{
	for (uint32_t i = 0; i < text.len; i++)
		if (starts_code(text.text[i]) && index-- == 0)
			return i;
	return text.len;
}

static bool within(uint32_t code, uint32_t first, uint32_t last)
{
	return code >= first && code <= last;
}

static uint32_t lower_latin(uint32_t code)
{
	if (within(code, 0xC0, 0xDE) && code != 0xD7)
		return code + 0x20;
	if (code == 0x178)
		return 0xFF;
	/* Pairs of capital and small letter; the capital is even in these, odd in the next. */
	if ((within(code, 0x100, 0x12F) || within(code, 0x132, 0x137) ||
		    within(code, 0x14A, 0x177)) &&
		code % 2 == 0)
		return code + 1;
	if ((within(code, 0x139, 0x148) || within(code, 0x179, 0x17E)) && code % 2 == 1)
		return code + 1;
	return code;
}

uint32_t kql_lower(uint32_t code)
{
	if (code < 0x80)
		return within(code, 'A', 'Z') ? code + 0x20 : code;
	if (code < 0x180)
		return lower_latin(code);
	if (within(code, 0x391, 0x3A9) && code != 0x3A2)
		return code + 0x20;
	if (within(code, 0x410, 0x42F))
		return code + 0x20;
	if (within(code, 0x400, 0x40F))
		return code + 0x50;
	return code;
}

/* Most text is ASCII, and these are called for every row. */
static char lower_ascii(char c)
{
	return (char)(c + (c >= 'A' && c <= 'Z') * 0x20);
}

static bool is_ascii(char c)
{
	return (unsigned char)c < 0x80;
}

void kql_lower_text(char *to, const char *from, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint32_t code;
		size_t step;

		for (; at < len && is_ascii(from[at]); at++)
			to[at] = lower_ascii(from[at]);
		if (at == len)
			return;
		step = kql_utf8_decode(from + at, len - at, &code);
		if (step == 1)
			to[at] = from[at];
		else
			kql_utf8_encode(kql_lower(code), to + at);
		at += step;
	}
}

/* Whether two letters that are not both ASCII are the same at this place; gives their length. */
static size_t same_code(struct kql_value a, struct kql_value b, size_t at)
{
	uint32_t x, y;
	size_t step = kql_utf8_decode(a.text + at, a.len - at, &x);

	if (kql_utf8_decode(b.text + at, b.len - at, &y) != step || kql_lower(x) != kql_lower(y))
		return 0;
	return step;
}

bool kql_same_nocase(struct kql_value a, struct kql_value b)
{
	size_t step;

	/* Letters keep their length, so texts of two lengths cannot be the same. */
	if (a.len != b.len)
		return false;
	for (size_t at = 0; at < a.len; at += step) {
		step = 1;
		if (a.text[at] == b.text[at] && is_ascii(a.text[at]))
			continue;
		if (is_ascii(a.text[at]) && is_ascii(b.text[at])) {
			if (lower_ascii(a.text[at]) != lower_ascii(b.text[at]))
				return false;
			continue;
		}
		step = same_code(a, b, at);
		if (step == 0)
			return false;
	}
	return true;
}

uint64_t kql_hash_nocase(struct kql_value text)
{
	uint64_t hash = text.len;

	for (size_t at = 0; at < text.len;) {
		uint32_t code;

		at += kql_utf8_decode(text.text + at, text.len - at, &code);
		hash = (hash ^ kql_lower(code)) * UINT64_C(0x100000001b3);
	}
	return hash ^ hash >> 32;
}

ptrdiff_t kql_find(struct kql_value text, struct kql_value part, size_t from)
{
	const char *found;

	if (from > text.len)
		return -1;
	found = memmem(text.text + from, text.len - from, part.text, part.len);
	return found != NULL ? found - text.text : -1;
}

/* Whatever is not ASCII counts as a letter. */
static bool is_term_char(char c)
{
	unsigned char u = (unsigned char)c;

	return within(u, '0', '9') || within(u | 0x20, 'a', 'z') || u >= 0x80;
}

bool kql_has_term(struct kql_value text, struct kql_value part)
{
	ptrdiff_t at;

	if (part.len == 0)
		return true;
	for (size_t from = 0; (at = kql_find(text, part, from)) >= 0; from = (size_t)at + 1) {
		size_t end = (size_t)at + part.len;
		bool starts =
			at == 0 || !is_term_char(text.text[at - 1]) || !is_term_char(part.text[0]);
		bool ends = end == text.len || !is_term_char(text.text[end]) ||
			!is_term_char(part.text[part.len - 1]);

		if (starts && ends)
			return true;
	}
	return false;
}
