/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/estate_reader.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define PATH_SIZE 300

bool reader_error(const struct reader *r, const char *path, const char *format, ...)
{
	struct buf text = BUF_INIT(2048);
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	diag_error(r->diags, NULL, 0, "%s: %s", path, buf_str(&text));
	buf_fini(&text);
	return false;
}

static bool read_count(
	const struct reader *r, const char *path, const json_t *value, uint64_t max, uint64_t *ret)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		(uint64_t)json_integer_value(value) > max)
		return reader_error(
			r, path, "must be a whole number from 0 to %llu", (unsigned long long)max);
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool read_share(const struct reader *r, const char *path, const json_t *value, unsigned *ret)
{
	const char *text = json_string_value(value);
	double share = json_number_value(value);
	char rest;

	if (text != NULL) {
		if (sscanf(text, "%lf%%%c", &share, &rest) != 1 || !str_ends_nocase(text, "%"))
			return reader_error(r, path, "must be a share such as \"5%%\"");
		share /= 100;
	} else if (!json_is_number(value)) {
		return reader_error(r, path, "must be a share such as 0.05 or \"5%%\"");
	}
	if (share < 0 || share > 1)
		return reader_error(r, path, "must be between 0 and 1");
	*ret = (unsigned)(share * 1000000 + 0.5);
	return true;
}

static bool read_duration(
	const struct reader *r, const char *path, const json_t *value, struct dur *ret)
{
	const char *text = json_string_value(value);

	if (text != NULL && str_parse_duration(text, ret) == 0)
		return true;
	return reader_error(r, path, "must be a duration such as \"90s\", \"5m\" or \"2h\"");
}

static bool read_span(
	const struct reader *r, const char *path, const json_t *value, struct span *ret)
{
	struct span span;

	if (json_is_string(value)) {
		if (!read_duration(r, path, value, &span.low))
			return false;
		span.high = span.low;
	} else if (json_array_size(value) != 2) {
		return reader_error(r, path, "must be a duration or two of them");
	} else if (!read_duration(r, path, json_array_get(value, 0), &span.low) ||
		!read_duration(r, path, json_array_get(value, 1), &span.high)) {
		return false;
	}
	if (span.low.ms > span.high.ms)
		return reader_error(r, path, "the first duration must not be the longer one");
	*ret = span;
	return true;
}

static bool read_time(
	const struct reader *r, const char *path, const json_t *value, struct wall *ret)
{
	const char *text = json_string_value(value);
	struct dur offset;

	if (text != NULL && (*text == '-' || *text == '+') &&
		str_parse_duration(text + 1, &offset) == 0) {
		ret->ms = r->start.ms + (*text == '-' ? -offset.ms : offset.ms);
		return true;
	}
	if (text != NULL && wall_parse(text, ret) == 0)
		return true;
	return reader_error(r, path, "must be a time in RFC 3339, or \"-2h\" from the start");
}

static bool read_word(const struct reader *r, const char *path, const json_t *value,
	const char *const *words, int *ret)
{
	struct buf known = BUF_INIT(1024);

	for (int i = 0; words[i] != NULL; i++) {
		if (str_equal(words[i], json_string_value(value))) {
			*ret = i;
			buf_fini(&known);
			return true;
		}
		buf_addf(&known, "%s\"%s\"", i > 0 ? ", " : "", words[i]);
	}
	reader_error(r, path, "must be one of %s", buf_str(&known));
	buf_fini(&known);
	return false;
}

static bool read_bucket(
	const struct reader *r, const char *path, const json_t *value, struct bucket_size *ret)
{
	static const struct field fields[] = {
		{"size", FIELD_COUNT, offsetof(struct bucket_size, size), true},
		{"refill", FIELD_COUNT, offsetof(struct bucket_size, refill), true},
	};

	return reader_struct(r, path, value, fields, ret);
}

static bool read_text(const struct reader *r, const char *path, const json_t *value,
	enum field_type type, const char **ret)
{
	if (!json_is_string(value))
		return reader_error(r, path, "must be a string");
	if (type == FIELD_GUID && !str_is_guid(json_string_value(value)))
		return reader_error(r, path, "must be a GUID");
	*ret = json_string_value(value);
	return true;
}

static bool check_texts(const struct reader *r, const char *path, const json_t *value)
{
	size_t i;
	json_t *item;

	json_array_foreach (value, i, item)
		if (!json_is_string(item))
			return reader_error(r, path, "must be an array of strings");
	return json_is_array(value) || reader_error(r, path, "must be an array of strings");
}

static bool read_tree(const struct reader *r, const char *path, const json_t *value,
	enum field_type type, const json_t **ret)
{
	if (type == FIELD_TEXTS && !check_texts(r, path, value))
		return false;
	if (type == FIELD_OBJECT && !json_is_object(value))
		return reader_error(r, path, "must be an object");
	if (type == FIELD_ARRAY && !json_is_array(value))
		return reader_error(r, path, "must be an array");
	*ret = value;
	return true;
}

static bool read_field(const struct reader *r, const char *path, const json_t *value,
	const struct field *f, void *out)
{
	uint64_t number;

	switch (f->type) {
	case FIELD_TEXT:
	case FIELD_GUID: return read_text(r, path, value, f->type, out);
	case FIELD_BOOL:
		if (!json_is_boolean(value))
			return reader_error(r, path, "must be true or false");
		*(bool *)out = json_is_true(value);
		return true;
	case FIELD_COUNT:
		if (!read_count(r, path, value, UINT32_MAX, &number))
			return false;
		*(unsigned *)out = (unsigned)number;
		return true;
	case FIELD_SIZE: return read_count(r, path, value, INT64_MAX, out);
	case FIELD_SHARE: return read_share(r, path, value, out);
	case FIELD_DURATION: return read_duration(r, path, value, out);
	case FIELD_SPAN: return read_span(r, path, value, out);
	case FIELD_TIME: return read_time(r, path, value, out);
	case FIELD_WORD: return read_word(r, path, value, f->words, out);
	case FIELD_BUCKET: return read_bucket(r, path, value, out);
	case FIELD_OBJECT:
	case FIELD_ARRAY:
	case FIELD_ANY:
	case FIELD_TEXTS: return read_tree(r, path, value, f->type, out);
	}
	return false;
}

static const struct field *find_field(const struct field *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(fields[i].name, name))
			return &fields[i];
	return NULL;
}

/* Letters that two names share at their beginnings and ends: enough to see through a slip. */
static size_t likeness(const char *a, const char *b)
{
	size_t n = 0, la = strlen(a), lb = strlen(b);

	while (a[n] != '\0' && str_lower(a[n]) == str_lower(b[n]))
		n++;
	for (size_t k = 1; k <= la && k <= lb && str_lower(a[la - k]) == str_lower(b[lb - k]); k++)
		n++;
	return n;
}

static void unknown_member(const struct reader *r, const char *path, const char *name,
	const struct field *fields, size_t count)
{
	size_t best = 0, most = 2;

	for (size_t i = 0; i < count; i++) {
		size_t n = likeness(name, fields[i].name);

		if (n > most) {
			most = n;
			best = i + 1;
		}
	}
	if (best > 0)
		reader_error(r, path, "unknown member \"%.60s\"; did you mean \"%s\"?", name,
			fields[best - 1].name);
	else
		reader_error(r, path, "unknown member \"%.60s\"", name);
}

bool reader_object(const struct reader *r, const char *path, const json_t *object,
	const struct field *fields, size_t count, void *out)
{
	size_t errors = r->diags->errors;
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return reader_error(r, path, "must be an object");
	json_object_foreach ((json_t *)object, name, value) {
		const struct field *f = find_field(fields, count, name);
		char member[PATH_SIZE];

		snprintf(member, sizeof(member), "%.200s.%.60s", path, name);
		if (f == NULL)
			unknown_member(r, path, name, fields, count);
		else if (!json_is_null(value))
			read_field(r, member, value, f, (char *)out + f->offset);
	}
	for (size_t i = 0; i < count; i++)
		if (fields[i].needed && json_object_get(object, fields[i].name) == NULL)
			reader_error(r, path, "\"%s\" is missing", fields[i].name);
	return r->diags->errors == errors;
}
