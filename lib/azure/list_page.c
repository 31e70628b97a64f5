/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/list_page.h"

#include "lib/azure/arm_document.h"
#include "lib/azure/json_repair.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

/* Longest name of a member of the envelope. */
#define KEY_MAX 256

void list_page_init(struct list_page *p, enum list_kind kind, const char *body, size_t len)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t skip = len >= 3 && memcmp(body, mark, 3) == 0 ? 3 : 0;

	*p = (struct list_page){.kind = kind, .begin = body, .at = body + skip, .end = body + len};
}

void list_page_fini(struct list_page *p)
{
	free(p->link);
	p->link = NULL;
}

static void skip_blanks(struct list_page *p)
{
	while (p->at < p->end &&
		(*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
		p->at++;
}

static bool accept(struct list_page *p, char c)
{
	skip_blanks(p);
	if (p->at >= p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

/* --- values --- */

static json_t *parse(const char *text, size_t len, json_error_t *ret_error)
{
	return json_loadb(text, len, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, ret_error);
}

static json_t *parse_repaired(const char *text, size_t len, json_error_t *ret_error)
{
	size_t extent = json_extent(text, len);
	mdc_autofree char *copy = extent > 0 ? xmemdup(text, extent) : NULL;

	if (copy == NULL)
		return NULL;
	json_repair(copy, extent);
	return parse(copy, extent, ret_error);
}

/* The next value; -EBADMSG when it is not one, -EFBIG when it reaches past `limit` bytes. */
static int next_value(struct list_page *p, size_t limit, json_t **ret)
{
	json_error_t error, repaired;
	json_t *value;
	size_t left, len;

	skip_blanks(p);
	left = (size_t)(p->end - p->at);
	len = left < limit ? left : limit;
	value = parse(p->at, len, &error);
	if (value == NULL) {
		value = parse_repaired(p->at, len, &repaired);
		if (value == NULL)
			return left > limit && (size_t)error.position >= limit ? -EFBIG : -EBADMSG;
		error = repaired;
	}
	p->at += error.position;
	*ret = value;
	return 0;
}

/* --- the members around the rows --- */

/* A member that comes twice is two answers; none of them is believed. */
static int once(bool *seen)
{
	if (*seen)
		return -EBADMSG;
	*seen = true;
	return 0;
}

static int take_count(const json_t *value, uint64_t *ret, bool *seen)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return -EBADMSG;
	*ret = (uint64_t)json_integer_value(value);
	return once(seen);
}

/* A link that cannot be read is not the end of the list. */
static int take_link(struct list_page *p, const json_t *value)
{
	if (!json_is_string(value) && !json_is_null(value))
		return -EBADMSG;
	if (!str_empty(json_string_value(value)) && p->link == NULL)
		p->link = xstrdup(json_string_value(value));
	return once(&p->link_seen);
}

static int take_truncated(struct list_page *p, const json_t *value)
{
	/* "true"/"false" as a string; anything else is not a promise. */
	p->truncated = json_tri(value) != TRI_NO;
	return once(&p->truncated_seen);
}

static int take_member(struct list_page *p, const char *key, const json_t *value)
{
	/* One of Azure's specifications calls it "@nextLink", and OData "@odata.nextLink". */
	if (p->kind == LIST_ARM)
		return str_equal_nocase(key, "nextLink") || str_equal_nocase(key, "@nextLink") ||
				str_equal_nocase(key, "@odata.nextLink")
			? take_link(p, value)
			: 0;
	if (str_equal_nocase(key, "$skipToken"))
		return take_link(p, value);
	if (str_equal_nocase(key, "totalRecords"))
		return take_count(value, &p->total, &p->total_seen);
	if (str_equal_nocase(key, "count"))
		return take_count(value, &p->count, &p->count_seen);
	if (str_equal_nocase(key, "resultTruncated"))
		return take_truncated(p, value);
	return 0;
}

static bool holds_rows(const struct list_page *p, const char *key)
{
	return str_equal_nocase(key, p->kind == LIST_GRAPH ? "data" : "value");
}

static int begin_rows(struct list_page *p)
{
	if (!accept(p, '['))
		return -EBADMSG;
	p->place = LIST_IN_ROWS;
	p->first_row = true;
	return once(&p->rows_seen);
}

static int read_value(struct list_page *p, const char *key)
{
	json_t *value;
	int error;

	if (holds_rows(p, key))
		return begin_rows(p);
	error = next_value(p, LIST_ROW_MAX(p->kind), &value);
	if (error != 0)
		return error;
	error = take_member(p, key, value);
	json_decref(value);
	return error;
}

static int read_member(struct list_page *p)
{
	json_t *key;
	int error;

	if (next_value(p, KEY_MAX, &key) != 0)
		return -EBADMSG;
	error = json_is_string(key) && accept(p, ':') ? read_value(p, json_string_value(key))
						      : -EBADMSG;
	json_decref(key);
	return error;
}

static bool is_whole(const struct list_page *p)
{
	return p->at == p->end && p->rows_seen &&
		(p->kind == LIST_ARM || (p->count_seen && p->total_seen));
}

static int end_page(struct list_page *p)
{
	p->place = LIST_OVER;
	skip_blanks(p);
	if (!is_whole(p))
		return -EBADMSG;
	if (p->kind == LIST_ARM)
		return 0;
	/* A token means that there is more, which is no loss. */
	if (p->count != p->rows || !p->truncated_seen)
		p->truncated = true;
	else if (p->link != NULL)
		p->truncated = false;
	return 0;
}

/* --- from one row to the next --- */

static int open_page(struct list_page *p)
{
	if (!accept(p, '{'))
		return -EBADMSG;
	p->place = LIST_IN_MEMBERS;
	return accept(p, '}') ? -EBADMSG : read_member(p);
}

static int go_on(struct list_page *p)
{
	if (accept(p, ','))
		return read_member(p);
	return accept(p, '}') ? end_page(p) : -EBADMSG;
}

/* 1 with a row; 0 where the rows are over. */
static int next_row(struct list_page *p, json_t **ret)
{
	json_t *row;
	int error;

	if (accept(p, ']')) {
		p->place = LIST_IN_MEMBERS;
		return 0;
	}
	if (!p->first_row && !accept(p, ','))
		return -EBADMSG;
	error = next_value(p, LIST_ROW_MAX(p->kind), &row);
	if (error != 0)
		return error;
	if (!json_is_object(row) || (p->kind == LIST_GRAPH && p->rows >= LIST_GRAPH_ROWS_MAX)) {
		json_decref(row);
		return -EBADMSG;
	}
	p->first_row = false;
	p->rows++;
	*ret = row;
	return 1;
}

static int step(struct list_page *p, json_t **ret)
{
	switch (p->place) {
	case LIST_BEFORE: return open_page(p);
	case LIST_IN_MEMBERS: return go_on(p);
	case LIST_IN_ROWS: return next_row(p, ret);
	case LIST_OVER: break;
	}
	return 0;
}

int list_page_next(struct list_page *p, json_t **ret_row)
{
	while (p->error == 0 && p->place != LIST_OVER) {
		int result = step(p, ret_row);

		if (result > 0)
			return 1;
		p->error = result;
	}
	return p->error;
}
