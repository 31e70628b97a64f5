/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <stdio.h>
#include <string.h>

#define PAGE_TOKEN_SIZE 64

void answer_header(struct call *c, const char *name, const char *format, ...)
{
	struct buf value = BUF_INIT(64 * 1024);
	va_list args;

	va_start(args, format);
	buf_addv(&value, format, args);
	va_end(args);
	http_headers_add(&c->answer->reply.headers, name, buf_str(&value));
	buf_fini(&value);
}

static void set_body(struct call *c, int status, char *take_body, size_t len)
{
	struct http_reply *reply = &c->answer->reply;

	free(reply->body);
	reply->status = status;
	reply->body = take_body;
	reply->body_len = len;
}

void answer_json(struct call *c, int status, json_t *take_doc)
{
	size_t len;
	char *body = tree_dump(take_doc, &len);

	json_decref(take_doc);
	set_body(c, status, body, len);
	if (http_headers_get(&c->answer->reply.headers, "Content-Type") == NULL)
		answer_header(c, "Content-Type", "application/json; charset=utf-8");
}

void answer_empty(struct call *c, int status)
{
	set_body(c, status, xstrdup(""), 0);
}

void answer_error_object(struct call *c, int status, json_t *take_error)
{
	const char *code = tree_text(take_error, "code");

	str_copy(c->error_code, sizeof(c->error_code), code != NULL ? code : "");
	answer_json(c, status, json_pack("{s:o}", "error", take_error));
}

bool answer_error(struct call *c, int status, const char *code, const char *format, ...)
{
	struct buf text = BUF_INIT(64 * 1024);
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	if (text.data != NULL)
		text_make_clean(text.data);
	answer_error_object(
		c, status, json_pack("{s:s, s:s}", "code", code, "message", buf_str(&text)));
	buf_fini(&text);
	return false;
}

/* As recorded: ".../Machines/m/Extensions/e". */
static json_t *odd_extension_id(const char *id)
{
	const char *machines = strcasestr(id, "/machines/");
	const char *extensions = strcasestr(id, "/extensions/");
	mdc_autofree char *odd = xstrdup(id);

	if (machines != NULL)
		odd[machines - id + 1] = 'M';
	if (extensions != NULL)
		odd[extensions - id + 1] = 'E';
	return json_string(odd);
}

json_t *render_doc(const struct call *c, const struct resource *r)
{
	json_t *doc;

	if (!c->e->knobs.odd_casing)
		return json_incref(r->doc);
	if (r->kind == RESOURCE_EXTENSION) {
		doc = json_copy(r->doc);
		json_object_set_new(doc, "id", odd_extension_id(r->id));
		return doc;
	}
	if (r->kind == RESOURCE_VA_SETTING) {
		doc = json_copy(r->doc);
		json_object_set_new(doc, "id", json_string(r->id + 1));
		return doc;
	}
	return json_incref(r->doc);
}

void answer_doc(struct call *c, int status, const struct resource *r)
{
	answer_json(c, status, render_doc(c, r));
}

/* --- pages --- */

/* Where the next page begins, and how many went before; sealed against made-up tokens. */
static void make_token(const struct call *c, size_t place, unsigned page, char ret[PAGE_TOKEN_SIZE])
{
	char plain[40], seal[17];
	mdc_autofree char *text = NULL;
	mdc_autofree char *encoded = NULL;

	snprintf(plain, sizeof(plain), "%zu.%u", place, page);
	text = xasprintf("page %s %s", c->path, plain);
	estate_sign(c->e, text, seal, 8);
	text = (free(text), xasprintf("%s.%s", plain, seal));
	encoded = base64url_encode(text, strlen(text));
	str_copy(ret, PAGE_TOKEN_SIZE, encoded);
}

static bool read_token(
	const struct call *c, const char *token, size_t *ret_place, unsigned *ret_page)
{
	char again[PAGE_TOKEN_SIZE];
	size_t len, place;
	unsigned page;
	mdc_autofree unsigned char *plain = base64url_decode(token, strlen(token), &len);

	if (plain == NULL || sscanf((const char *)plain, "%zu.%u", &place, &page) != 2)
		return false;
	make_token(c, place, page, again);
	*ret_place = place;
	*ret_page = page;
	return str_equal(again, token);
}

static const char *sent_token(const struct call *c)
{
	return call_parameter(c, "$skipToken");
}

/* The request's own URL with another token. */
static char *next_link(const struct call *c, const char *token)
{
	struct buf link = BUF_INIT(64 * 1024);
	const char *path = strchr(strstr(c->request->url, "://") + 3, '/');
	const char *rest = c->query != NULL ? c->query : "";

	buf_addf(&link, "https://%s", c->e->arm_host);
	buf_add(&link, path, strcspn(path, "?"));
	buf_addc(&link, '?');
	while (*rest != '\0') {
		size_t len = strcspn(rest, "&");

		if (!str_starts_nocase(rest, "%24skiptoken=") &&
			!str_starts_nocase(rest, "$skiptoken=")) {
			buf_add(&link, rest, len);
			buf_addc(&link, '&');
		}
		rest += len + (rest[len] == '&');
	}
	buf_addf(&link, "%%24skiptoken=%s", token);
	return buf_steal(&link);
}

static size_t fill_page(struct call *c, const struct page_source *s, size_t place, json_t *items)
{
	while (place < s->places && json_array_size(items) < s->size) {
		json_t *item = s->item(c, s->ctx, place++);

		if (item != NULL)
			json_array_append_new(items, item);
	}
	return place;
}

static bool has_more(struct call *c, const struct page_source *s, size_t place)
{
	for (; place < s->places; place++) {
		json_t *item = s->item(c, s->ctx, place);

		json_decref(item);
		if (item != NULL)
			return true;
	}
	return false;
}

void answer_page(struct call *c, const struct page_source *s)
{
	unsigned every = c->e->knobs.paging.empty_every;
	const char *sent = sent_token(c);
	json_t *items;
	json_t *doc;
	size_t place = 0;
	unsigned page = 0;

	if (sent != NULL && !read_token(c, sent, &place, &page)) {
		answer_error(c, 400, "InvalidSkipToken", "The provided skip token is not valid.");
		return;
	}
	items = json_array();
	doc = json_pack("{s:o}", "value", items);
	if (every == 0 || page % every != every - 1)
		place = fill_page(c, s, place, items);
	if (has_more(c, s, place)) {
		char token[PAGE_TOKEN_SIZE];
		mdc_autofree char *link = NULL;

		make_token(c, place, page + 1, token);
		link = next_link(c, token);
		json_object_set_new(doc, "nextLink", json_string(link));
	} else if (s->always_link) {
		json_object_set_new(doc, "nextLink", json_string(""));
	}
	answer_json(c, 200, doc);
}

static json_t *kind_item(struct call *c, void *ctx, size_t place)
{
	const struct vec *all = ctx;
	const struct resource *r = all->v[place];

	return r != NULL ? render_doc(c, r) : NULL;
}

void answer_kind(struct call *c, enum resource_kind kind, unsigned size)
{
	struct vec *all = &c->sub->kinds[kind];
	struct page_source source = {.places = all->n, .item = kind_item, .ctx = all, .size = size};

	answer_page(c, &source);
}
