/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/http_message.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

void http_headers_fini(struct http_headers *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->v[i].name);
		/* Authorization is a header. */
		explicit_bzero(h->v[i].value, strlen(h->v[i].value));
		free(h->v[i].value);
	}
	free(h->v);
	*h = (struct http_headers){0};
}

void http_headers_add(struct http_headers *h, const char *name, const char *value)
{
	h->v = xreallocarray(h->v, h->n + 1, sizeof(*h->v));
	h->v[h->n++] = (struct http_header){.name = xstrdup(name), .value = xstrdup(value)};
}

const char *http_headers_walk(const struct http_headers *h, const char *name, size_t *at)
{
	while (*at < h->n) {
		const struct http_header *header = &h->v[(*at)++];

		if (str_equal_nocase(header->name, name))
			return header->value;
	}
	return NULL;
}

const char *http_headers_get(const struct http_headers *h, const char *name)
{
	size_t at = 0;

	return http_headers_walk(h, name, &at);
}

static void wipe(char *body, size_t len)
{
	if (body != NULL)
		explicit_bzero(body, len);
	free(body);
}

void http_request_fini(struct http_request *r)
{
	free(r->method);
	free(r->url);
	http_headers_fini(&r->headers);
	wipe(r->body, r->body_len);
	*r = (struct http_request){0};
}

void http_reply_fini(struct http_reply *r)
{
	http_headers_fini(&r->headers);
	wipe(r->body, r->body_len);
	*r = (struct http_reply){0};
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_unreserved(char c)
{
	return is_letter_or_digit(c) || strchr("-._~", c) != NULL;
}

char *http_percent_encode(const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	char *encoded = xmalloc(strlen(text) * 3 + 1);
	char *to = encoded;

	for (; *text != '\0'; text++) {
		if (is_unreserved(*text)) {
			*to++ = *text;
			continue;
		}
		*to++ = '%';
		*to++ = hex[(unsigned char)*text >> 4];
		*to++ = hex[(unsigned char)*text & 15];
	}
	*to = '\0';
	return encoded;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = str_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_percent_decode(char *path)
{
	char *to = path;

	for (const char *from = path; *from != '\0'; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high >= 0 ? hex_digit(from[2]) : -1;
		if (low < 0 || high * 16 + low == '/' || high * 16 + low == 0)
			return false;
		*to++ = (char)(high * 16 + low);
		from += 2;
	}
	*to = '\0';
	return true;
}

static bool has_only(const char *text, const char *more)
{
	for (; *text != '\0'; text++)
		if (!is_letter_or_digit(*text) && strchr(more, *text) == NULL)
			return false;
	return true;
}

/* Host and port from "host", "host:port", "[v6]:port". False for anything else. */
static bool parse_authority(const char *text, size_t len, struct http_url *u)
{
	mdc_autofree char *authority = xstrndup(text, len);
	const char *marks = *authority == '[' ? ":." : "-._";
	char *host = authority;
	char *port;
	uint64_t number;

	if (*host == '[') {
		char *close = strchr(++host, ']');

		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return false;
		*close = '\0';
		port = close[1] == ':' ? close + 2 : NULL;
	} else {
		port = strchr(host, ':');
		if (port != NULL)
			*port++ = '\0';
	}
	/*
	 * No user name, which is how a foreign host is made to look like ours, and no percent signs
	 * or other marks that another reader of the URL might take for something else.
	 */
	if (*host == '\0' || !has_only(host, marks))
		return false;
	if (port != NULL) {
		if (str_parse_u64(port, 65535, &number) != 0 || number == 0)
			return false;
		u->port = (unsigned)number;
	}
	u->host = xstrdup(host);
	str_fold(u->host);
	return true;
}

static bool has_bad_bytes(const char *url)
{
	for (; *url != '\0'; url++)
		if ((unsigned char)*url <= 0x20 || (unsigned char)*url >= 0x7f || *url == '\\')
			return true;
	return false;
}

int http_url_parse(const char *url, struct http_url *ret)
{
	struct http_url u = {0};
	const char *rest;
	size_t authority, path;

	if (url == NULL || has_bad_bytes(url))
		return -EINVAL;
	if (str_starts_nocase(url, "https://"))
		u = (struct http_url){.scheme = xstrdup("https"), .port = 443};
	else if (str_starts_nocase(url, "http://"))
		u = (struct http_url){.scheme = xstrdup("http"), .port = 80};
	else
		return -EINVAL;
	rest = url + strlen(u.scheme) + 3;
	authority = strcspn(rest, "/?#");
	if (!parse_authority(rest, authority, &u)) {
		http_url_fini(&u);
		return -EINVAL;
	}
	rest += authority;
	path = strcspn(rest, "?#");
	u.path = path > 0 ? xstrndup(rest, path) : xstrdup("/");
	rest += path;
	u.query = *rest == '?' ? xstrndup(rest + 1, strcspn(rest + 1, "#")) : NULL;
	*ret = u;
	return 0;
}

void http_url_fini(struct http_url *u)
{
	free(u->scheme);
	free(u->host);
	free(u->path);
	free(u->query);
	*u = (struct http_url){0};
}

bool http_url_same_origin(const char *a, const char *b)
{
	struct http_url x, y;
	bool same;

	if (http_url_parse(a, &x) != 0)
		return false;
	if (http_url_parse(b, &y) != 0) {
		http_url_fini(&x);
		return false;
	}
	same = str_equal(x.scheme, y.scheme) && str_equal(x.host, y.host) && x.port == y.port;
	http_url_fini(&x);
	http_url_fini(&y);
	return same;
}
