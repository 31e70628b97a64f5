/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/json_repair.h"

#include <string.h>

/* Shorter numbers fit, whatever they say: "1e99". */
#define SHORTEST_BAD_NUMBER 5
#define SURELY_FITTING_DIGITS 18
#define ESCAPE_LEN 6

static bool is_number_char(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static size_t number_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && is_number_char(text[n]))
		n++;
	return n;
}

static bool may_not_fit(const char *number, size_t len)
{
	return len >= SHORTEST_BAD_NUMBER &&
		(len > SURELY_FITTING_DIGITS || memchr(number, 'e', len) != NULL ||
			memchr(number, 'E', len) != NULL);
}

/* Returns what it is over. */
static size_t repair_number(char *text, size_t len)
{
	size_t n = number_len(text, len);

	if (may_not_fit(text, n)) {
		memset(text, ' ', n);
		memcpy(text, "null", 4);
	}
	return n;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The code unit of "\uXXXX", or -1. */
static long escaped_unit(const char *text, size_t len)
{
	long unit = 0;

	if (len < ESCAPE_LEN || text[0] != '\\' || text[1] != 'u')
		return -1;
	for (size_t i = 2; i < ESCAPE_LEN; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static bool is_high(long unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(long unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

static size_t repair_escape(char *text, size_t len)
{
	long unit = escaped_unit(text, len);

	if (unit < 0)
		return len < 2 ? len : 2;
	if (is_high(unit) && is_low(escaped_unit(text + ESCAPE_LEN, len - ESCAPE_LEN)))
		return 2 * ESCAPE_LEN;
	if (unit == 0 || is_high(unit) || is_low(unit))
		memcpy(text, "\\ufffd", ESCAPE_LEN);
	return ESCAPE_LEN;
}

/* The length of the UTF-8 sequence that begins here; 0: none does. */
static size_t utf8_len(const char *text, size_t len)
{
	const unsigned char *b = (const unsigned char *)text;
	size_t n = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;

	if (b[0] > 0xf4 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] >= 0xa0) ||
		(b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] >= 0x90))
		return 0;
	return n;
}

static size_t repair_char(char *text, size_t len)
{
	size_t n;

	if (*text == '\\')
		return repair_escape(text, len);
	if ((unsigned char)*text < 0x20) {
		*text = ' ';
		return 1;
	}
	n = utf8_len(text, len);
	if (n > 0)
		return n;
	*text = '?';
	return 1;
}

/* From the opening quote to behind the closing one. */
static size_t repair_string(char *text, size_t len)
{
	size_t at = 1;

	while (at < len && text[at] != '"')
		at += repair_char(text + at, len - at);
	return at < len ? at + 1 : len;
}

void json_repair(char *text, size_t len)
{
	size_t at = 0;

	while (at < len) {
		if (text[at] == '"')
			at += repair_string(text + at, len - at);
		else if (text[at] == '-' || (text[at] >= '0' && text[at] <= '9'))
			at += repair_number(text + at, len - at);
		else
			at++;
	}
}

static size_t string_extent(const char *text, size_t len)
{
	size_t at = 1;

	while (at < len && text[at] != '"')
		at += text[at] == '\\' ? 2 : 1;
	return at < len ? at + 1 : len;
}

size_t json_extent(const char *text, size_t len)
{
	size_t at = 0, depth = 0;

	if (len == 0 || (*text != '{' && *text != '['))
		return 0;
	while (at < len) {
		char c = text[at];

		at += c == '"' ? string_extent(text + at, len - at) : 1;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return at;
	}
	return 0;
}
