/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources of all kinds in one list, as Resource Manager itself keeps it: without properties, and
 * only those that the caller may read.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define TERMS_MAX 4

/* Equalities, all of which must hold; of the many forms of $filter no other is served here. */
struct term {
	char field[24];
	char value[256];
};
struct filter {
	struct term terms[TERMS_MAX];
	size_t n;
	bool states; /* $expand wants provisioningState */
};

static bool is_field(const char *field)
{
	static const char *const fields[] = {"resourceType", "resourceGroup", "name", "location"};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_equal_nocase(field, fields[i]))
			return true;
	return false;
}

/* "FIELD eq 'VALUE'" at *at, moved behind it. */
static bool read_term(const char **at, struct term *ret)
{
	static const char op[] = " eq '";
	const char *p = *at;
	size_t field = strcspn(p, " ");
	size_t value;

	if (field >= sizeof(ret->field) || !str_starts_nocase(p + field, op))
		return false;
	memcpy(ret->field, p, field);
	ret->field[field] = '\0';
	p += field + strlen(op);
	value = strcspn(p, "'");
	if (value >= sizeof(ret->value) || p[value] != '\'')
		return false;
	memcpy(ret->value, p, value);
	ret->value[value] = '\0';
	*at = p + value + 1;
	return is_field(ret->field);
}

static bool read_filter(const char *text, struct filter *ret)
{
	while (ret->n < TERMS_MAX) {
		if (!read_term(&text, &ret->terms[ret->n++]))
			return false;
		if (*text == '\0')
			return true;
		if (!str_starts_nocase(text, " and "))
			return false;
		text += strlen(" and ");
	}
	return false;
}

static bool read_expand(const struct call *c, struct filter *ret)
{
	static const char *const words[] = {"createdTime", "changedTime", "provisioningState"};
	const char *at = call_parameter(c, "$expand");

	while (!str_empty(at)) {
		size_t len = strcspn(at, ",");
		size_t i = 0;

		while (i < ARRAY_LEN(words) &&
			(strlen(words[i]) != len || strncasecmp(at, words[i], len) != 0))
			i++;
		if (i == ARRAY_LEN(words))
			return false;
		ret->states = ret->states || i == 2;
		at += len + (at[len] == ',');
	}
	return true;
}

static bool read_query(struct call *c, struct filter *ret)
{
	const char *filter = call_parameter(c, "$filter");

	if (!str_empty(filter) && !read_filter(filter, ret))
		return answer_error(c, 400, "InvalidFilterInQueryString",
			"Invalid $filter '%s' specified in the query string.", filter);
	if (!read_expand(c, ret))
		return answer_error(c, 400, "InvalidExpandInQueryString",
			"Invalid $expand '%s' specified in the query string.",
			call_parameter(c, "$expand"));
	return true;
}

static char *group_of(const struct resource *r)
{
	static const char mark[] = "/resourceGroups/";
	const char *at = strcasestr(r->id, mark);
	char *group = xstrdup(at != NULL ? at + strlen(mark) : "");

	*strchrnul(group, '/') = '\0';
	return group;
}

/* A child bears its parent's name, too. */
static char *full_name(const struct resource *r)
{
	return r->parent != NULL ? xasprintf("%s/%s", r->parent->name, r->name) : xstrdup(r->name);
}

static bool holds(const struct term *term, const struct resource *r)
{
	mdc_autofree char *name = full_name(r);
	mdc_autofree char *group = group_of(r);
	const char *actual = name;

	if (str_equal_nocase(term->field, "resourceType"))
		actual = tree_text(r->doc, "type");
	else if (str_equal_nocase(term->field, "resourceGroup"))
		actual = group;
	else if (str_equal_nocase(term->field, "location"))
		actual = tree_text(r->doc, "location");
	return str_equal_nocase(actual, term->value);
}

static json_t *describe(const struct filter *f, const struct resource *r)
{
	static const char *const members[] = {"id", "type", "location", "kind", "tags", "identity"};
	mdc_autofree char *name = full_name(r);
	json_t *doc = json_pack("{s:s}", "name", name);
	json_t *state = tree_get(r->doc, "properties.provisioningState");

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *value = json_object_get(r->doc, members[i]);

		if (value != NULL && !json_is_null(value))
			json_object_set(doc, members[i], value);
	}
	if (f->states && state != NULL)
		json_object_set(doc, "provisioningState", state);
	return doc;
}

static bool passes(const struct filter *f, const struct call *c, const struct resource *r)
{
	mdc_autofree char *container = xstrdup(c->path);
	mdc_autofree char *action = xasprintf("%s/read", tree_text(r->doc, "type"));

	*strrchr(container, '/') = '\0';
	if (!id_is_under(r->id, container) || !auth_allows(c->who, action, r->id, c->sub->group))
		return false;
	for (size_t i = 0; i < f->n; i++)
		if (!holds(&f->terms[i], r))
			return false;
	return true;
}

static void add(struct vec *list, const struct filter *f, struct call *c, struct resource *r)
{
	if (r != NULL && passes(f, c, r))
		vec_add(list, describe(f, r));
}

static json_t *item(struct call *c, void *ctx, size_t place)
{
	const struct vec *list = ctx;

	(void)c;
	return json_incref(list->v[place]);
}

static void list_resources(struct call *c)
{
	const struct vec *machines = &c->sub->kinds[RESOURCE_MACHINE];
	struct filter f = {0};
	struct vec list = {0};

	if (!read_query(c, &f))
		return;
	for (size_t i = 0; i < machines->n; i++) {
		struct machine *m = machine_of(machines->v[i]);

		if (m == NULL)
			continue;
		add(&list, &f, c, &m->res);
		for (size_t k = 0; k < m->extensions.n; k++)
			add(&list, &f, c, m->extensions.v[k]);
	}
	answer_page(c,
		&(struct page_source){.places = list.n,
			.item = item,
			.ctx = &list,
			.size = c->e->knobs.paging.others});
	for (size_t i = 0; i < list.n; i++)
		json_decref(list.v[i]);
	vec_fini(&list);
}

static const char *const versions[] = {"2019-10-01", "2020-06-01", "2020-10-01", "2021-04-01",
	"2022-09-01", "2023-07-01", "2024-03-01", NULL};
static const struct api api = {API_ARM, "Microsoft.Resources", "resources", versions};
static const struct route routes[] = {
	{"GET", "/subscriptions/{}/resources", &api, NULL, 0, list_resources},
	{"GET", "/subscriptions/{}/resourceGroups/{}/resources", &api, NULL, 0, list_resources},
};
const struct route_table generic_routes = {routes, ARRAY_LEN(routes)};
