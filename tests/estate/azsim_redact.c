/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_redact.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define TEXT_MAX (1 << 20)
#define HIDDEN "***"
#define HIDDEN_BASE64 "Kioq"

static bool is_one_of(const char *name, size_t len, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strlen(*names) == len && strncasecmp(name, *names, len) == 0)
			return true;
	return false;
}

/* --- URLs --- */

static bool may_be_shown(const char *name, size_t len)
{
	static const char *const names[] = {"api-version", "$filter", "%24filter", "$expand",
		"%24expand", "$select", "%24select", "$top", "%24top", "t", NULL};

	return is_one_of(name, len, names);
}

char *azsim_redact_query(const char *query)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	for (;;) {
		size_t len = strcspn(query, "&");
		size_t name = strcspn(query, "=&");

		if (name == len || may_be_shown(query, name))
			buf_add(&text, query, len);
		else
			buf_addf(&text, "%.*s=" HIDDEN, (int)name, query);
		if (query[len] == '\0')
			return buf_steal(&text);
		buf_addc(&text, '&');
		query += len + 1;
	}
}

char *azsim_redact_url(const char *url)
{
	const char *query = strchr(url, '?');
	mdc_autofree char *shown = query != NULL ? azsim_redact_query(query + 1) : NULL;

	if (query == NULL)
		return xstrdup(url);
	return xasprintf("%.*s?%s", (int)(query - url), url, shown);
}

/* --- headers --- */

json_t *azsim_text(const char *text)
{
	mdc_cleanup(buf_fini) struct buf safe = BUF_INIT(TEXT_MAX);
	json_t *value = text != NULL ? json_string(text) : json_null();

	if (value != NULL)
		return value;
	/* Not UTF-8. */
	(void)str_escape(&safe, text, TEXT_MAX / 8);
	return json_string(buf_str(&safe));
}

static char *redact_header(const char *name, const char *value)
{
	static const char *const links[] = {"location", "azure-asyncoperation", NULL};

	if (str_equal_nocase(name, "authorization"))
		return xstrdup("Bearer " HIDDEN);
	return is_one_of(name, strlen(name), links) ? azsim_redact_url(value) : xstrdup(value);
}

json_t *azsim_redact_headers(const struct http_headers *headers)
{
	json_t *all = json_object();

	for (size_t i = 0; i < headers->n; i++) {
		const char *name = headers->v[i].name;
		const char *before = json_string_value(json_object_get(all, name));
		mdc_autofree char *value = redact_header(name, headers->v[i].value);
		mdc_autofree char *joined =
			before != NULL ? xasprintf("%s, %s", before, value) : xstrdup(value);

		json_object_set_new(all, name, azsim_text(joined));
	}
	return all;
}

/* --- bodies --- */

static bool is_package(const char *key)
{
	static const char *const names[] = {
		"onboardingPackageWindows", "onboardingPackageLinux", NULL};

	return is_one_of(key, strlen(key), names);
}

static bool is_page_token(const char *key)
{
	static const char *const names[] = {"$skipToken", "skipToken", NULL};

	return is_one_of(key, strlen(key), names);
}

static bool is_link(const char *key)
{
	static const char *const names[] = {"nextLink", "@nextLink", NULL};

	return is_one_of(key, strlen(key), names);
}

static json_t *redact_text(const char *key, const char *text)
{
	mdc_autofree char *link = NULL;

	if (is_page_token(key))
		return json_string(HIDDEN);
	if (is_package(key))
		return json_string(HIDDEN_BASE64);
	if (!is_link(key))
		return NULL;
	link = azsim_redact_url(text);
	return json_string(link);
}

/* `hidden`: below protected settings, where every string is a secret. */
static void redact_tree(json_t *doc, bool hidden)
{
	const char *key;
	json_t *value;
	void *next;
	size_t i;

	json_object_foreach_safe(doc, next, key, value)
	{
		bool secret = hidden || str_equal_nocase(key, "protectedSettings");
		json_t *other = NULL;

		if (json_is_string(value))
			other = secret ? json_string(HIDDEN)
				       : redact_text(key, json_string_value(value));
		else
			redact_tree(value, secret);
		if (other != NULL)
			json_object_set_new(doc, key, other);
	}
	json_array_foreach (doc, i, value) {
		if (hidden && json_is_string(value))
			json_array_set_new(doc, i, json_string(HIDDEN));
		else
			redact_tree(value, hidden);
	}
}

json_t *azsim_redact_body(const char *body, size_t len)
{
	json_t *doc;

	if (body == NULL || len == 0)
		return NULL;
	doc = json_loadb(body, len, JSON_DECODE_ANY, NULL);
	if (doc == NULL)
		return azsim_text(body);
	redact_tree(doc, false);
	return doc;
}
