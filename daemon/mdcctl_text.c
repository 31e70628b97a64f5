/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TEXT_MOST 8192
#define KEY_WIDTH 15

/* --- the screen --- */

void screen_init(struct screen *s, enum output output)
{
	bool terminal = isatty(STDOUT_FILENO) == 1;
	struct winsize size;

	*s = (struct screen){.out = stdout, .output = output};
	if (terminal && output != OUTPUT_WIDE && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		s->width = size.ws_col;
	s->colour = terminal && str_empty(getenv("NO_COLOR")) && !str_equal(getenv("TERM"), "dumb");
}

const char *colour_begin(const struct screen *s, enum colour c)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",
		[COLOUR_GOOD] = "\033[32m",
		[COLOUR_BUSY] = "\033[33m",
		[COLOUR_BAD] = "\033[1;31m",
		[COLOUR_FAINT] = "\033[2m",
		[COLOUR_STRONG] = "\033[1m",
	};

	return s->colour ? codes[c] : "";
}

const char *colour_end(const struct screen *s, enum colour c)
{
	return s->colour && c != COLOUR_NONE ? "\033[0m" : "";
}

enum colour colour_of_state(const char *word)
{
	static const struct {
		const char *word;
		enum colour colour;
	} states[] = {{"compliant", COLOUR_GOOD}, {"drifted", COLOUR_BUSY}, {"queued", COLOUR_BUSY},
		{"applying", COLOUR_BUSY}, {"settling", COLOUR_BUSY}, {"backoff", COLOUR_BUSY},
		{"blocked", COLOUR_BAD}, {"manual", COLOUR_BAD}, {"excluded", COLOUR_FAINT},
		{"unsupported", COLOUR_FAINT}, {"unreachable", COLOUR_FAINT}};

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (str_equal(word, states[i].word))
			return states[i].colour;
	return COLOUR_NONE;
}

/* --- values --- */

const char *text_of(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL ? value : "";
}

json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *name_of(const json_t *row)
{
	static const char *const keys[] = {
		"machine", "connector", "workspace", "subscription_name", "subscription"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (*text_of(row, keys[i]) != '\0')
			return text_of(row, keys[i]);
	return "";
}

void add_text(struct buf *b, const char *text)
{
	(void)str_escape(b, text, TEXT_MOST);
}

void say_coloured(const struct screen *s, enum colour c, const char *key, const char *value)
{
	struct buf escaped = BUF_INIT(TEXT_MOST * 4 + 16);

	if (str_empty(value))
		return;
	add_text(&escaped, value);
	fprintf(s->out, "%s%-*s%s %s\n", colour_begin(s, c), KEY_WIDTH, key, colour_end(s, c),
		buf_str(&escaped));
	buf_fini(&escaped);
}

void say(const struct screen *s, const char *key, const char *value)
{
	say_coloured(s, COLOUR_NONE, key, value);
}

/* --- times --- */

void age_of(
	const json_t *answer, const json_t *object, const char *key, char ret[static AGE_TEXT_SIZE])
{
	char length[DUR_TEXT_SIZE];
	struct wall now, t;

	*ret = '\0';
	if (wall_parse(text_of(answer, "now"), &now) != 0 ||
		wall_parse(text_of(object, key), &t) != 0)
		return;
	if (wall_before(now, t)) {
		dur_format(wall_since(t, now), length);
		snprintf(ret, AGE_TEXT_SIZE, "in %s", length);
	} else if (wall_since(now, t).ms < 1000) {
		snprintf(ret, AGE_TEXT_SIZE, "now");
	} else {
		dur_format(wall_since(now, t), length);
		snprintf(ret, AGE_TEXT_SIZE, "%s ago", length);
	}
}

void time_of(
	const json_t *answer, const json_t *object, const char *key, char ret[static AGE_TEXT_SIZE])
{
	const char *exact = text_of(object, key);
	char age[AGE_TEXT_SIZE];

	*ret = '\0';
	if (*exact == '\0')
		return;
	age_of(answer, object, key, age);
	/* Whole seconds are enough for people. */
	snprintf(ret, AGE_TEXT_SIZE, "%.19sZ (%.40s)", exact, age);
}

void count_format(json_int_t n, char ret[static COUNT_TEXT_SIZE])
{
	char digits[24];
	size_t len, at = 0;

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	len = strlen(digits);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			ret[at++] = ',';
		ret[at++] = digits[i];
	}
	ret[at] = '\0';
}
