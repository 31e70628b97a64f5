/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The activity log: who wrote what. An event appears some minutes after it happened, and only the
 * documented forms of $filter are understood.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define KEPT_FOR DUR_DAYS(90)

struct event {
	struct wall at;
	struct wall appears;
	char *resource_id;
	char *caller;
	char *client_request_id;
	char correlation_id[GUID_SIZE];
	char data_id[GUID_SIZE];
	const char *action; /* literals */
	const char *method;
	const char *status;
	int http_status;
	const struct principal *who;
};

struct activity {
	struct event *v; /* in order of time */
	size_t n;
	size_t room;
};

static void event_fini(struct event *x)
{
	free(x->resource_id);
	free(x->caller);
	free(x->client_request_id);
}

void activity_free(struct activity *a)
{
	for (size_t i = 0; a != NULL && i < a->n; i++)
		event_fini(&a->v[i]);
	if (a != NULL)
		free(a->v);
	free(a);
}

static json_t *worded(const char *value)
{
	return json_pack("{s:s, s:s}", "value", value, "localizedValue", value);
}

static const char *phrase(int status)
{
	switch (status) {
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 204: return "NoContent";
	default: return "BadRequest";
	}
}

static json_t *describe_claims(const struct principal *who)
{
	if (who == NULL)
		return json_object();
	return json_pack("{s:s, s:s, s:s}", "appid", who->client,
		"http://schemas.microsoft.com/identity/claims/objectidentifier", who->object,
		"http://schemas.microsoft.com/identity/claims/tenantid", who->tenant->id);
}

static char *part_of(const char *id, const char *mark)
{
	const char *at = strcasestr(id, mark);
	char *part = xstrdup(at != NULL ? at + strlen(mark) : "");

	*strchrnul(part, '/') = '\0';
	return part;
}

static bool is_beginning(const struct event *x)
{
	return str_equal(x->status, "Accepted") || str_equal(x->status, "Started");
}

static void describe_resource(const struct event *x, json_t *doc)
{
	mdc_autofree char *group = part_of(x->resource_id, "/resourceGroups/");
	mdc_autofree char *provider = part_of(x->resource_id, "/providers/");

	json_object_set_new(doc, "resourceId", json_string(x->resource_id));
	json_object_set_new(doc, "resourceGroupName", json_string(group));
	json_object_set_new(doc, "resourceProviderName", worded(provider));
	json_object_set_new(doc, "authorization",
		json_pack("{s:s, s:s}", "action", x->action, "scope", x->resource_id));
	json_object_set_new(doc, "id",
		json_sprintf("%s/events/%s/ticks/%lld", x->resource_id, x->data_id,
			(long long)(x->at.ms * 10000 + 621355968000000000LL)));
}

static json_t *describe(const struct subscription *sub, const struct event *x)
{
	char at[WALL_TEXT_SIZE], shown[WALL_TEXT_SIZE];
	bool failed = str_equal(x->status, "Failed");
	json_t *doc = json_pack("{s:s, s:o, s:s, s:s, s:s, s:o, s:{s:s, s:s, s:s}}", "caller",
		x->caller, "claims", describe_claims(x->who), "correlationId", x->correlation_id,
		"description", "", "eventDataId", x->data_id, "eventName",
		worded(is_beginning(x) ? "BeginRequest" : "EndRequest"), "httpRequest",
		"clientRequestId", x->client_request_id, "clientIpAddress", "192.0.2.10", "method",
		x->method);

	wall_format(x->at, at);
	wall_format(x->appears, shown);
	describe_resource(x, doc);
	json_object_set_new(doc, "level", json_string(failed ? "Error" : "Informational"));
	json_object_set_new(doc, "operationId", json_string(x->correlation_id));
	json_object_set_new(doc, "operationName", worded(x->action));
	json_object_set_new(
		doc, "properties", json_pack("{s:s}", "statusCode", phrase(x->http_status)));
	json_object_set_new(doc, "status", worded(x->status));
	json_object_set_new(doc, "subStatus", worded(phrase(x->http_status)));
	json_object_set_new(doc, "eventTimestamp", json_string(at));
	json_object_set_new(doc, "submissionTimestamp", json_string(shown));
	json_object_set_new(doc, "subscriptionId", json_string(sub->id));
	json_object_set_new(doc, "tenantId", json_string(sub->tenant->id));
	return doc;
}

static void forget_old(struct estate *e, struct activity *a)
{
	size_t old = 0;

	while (old < a->n && wall_since(e->now, a->v[old].at).ms > KEPT_FOR.ms)
		event_fini(&a->v[old++]);
	if (old > 0)
		memmove(a->v, a->v + old, (a->n - old) * sizeof(*a->v));
	a->n -= old;
}

void activity_record(struct estate *e, struct subscription *sub, const struct activity_event *x)
{
	const char *client_id = x->client_request_id != NULL ? x->client_request_id : "";
	struct activity *a = sub->activity;
	struct event *event;

	if (a == NULL)
		a = sub->activity = xcalloc(1, sizeof(*a));
	if (a->n == a->room) {
		forget_old(e, a);
		a->room = a->room == 0 ? 16 : a->room * 2;
		a->v = xreallocarray(a->v, a->room, sizeof(*a->v));
	}
	event = &a->v[a->n++];
	*event = (struct event){
		.at = e->now,
		.appears = wall_add(e->now, estate_between(e, e->knobs.activity.delay)),
		.resource_id = xstrdup(x->resource_id),
		.caller = xstrdup(x->caller),
		.client_request_id = xstrndup(client_id, 200),
		.action = x->action,
		.method = x->method,
		.status = x->status,
		.http_status = x->http_status,
		.who = x->who,
	};
	text_make_clean(event->client_request_id);
	str_copy(event->correlation_id, GUID_SIZE, x->correlation_id);
	estate_guid(e, event->data_id);
}

void activity_of_call(struct call *c, const char *resource_id, const char *status, int http_status)
{
	activity_record(c->e, c->sub,
		&(struct activity_event){
			.resource_id = resource_id,
			.action = c->route->action,
			.caller = c->who->client,
			.client_request_id =
				http_headers_get(&c->request->headers, "x-ms-client-request-id"),
			.correlation_id = c->correlation_id,
			.method = c->route->method,
			.status = status,
			.http_status = http_status,
			.who = c->who,
		});
}

/* --- reading --- */

struct filter {
	struct wall from;
	struct wall to;
	char *field; /* or NULL */
	char *value;
};

static void filter_fini(struct filter *f)
{
	free(f->field);
	free(f->value);
}

/* "WORD OP 'VALUE'" at *at, moved behind it. */
static bool read_term(const char **at, char **ret_field, const char *op, char **ret_value)
{
	const char *p = *at + strspn(*at, " ");
	size_t field = strcspn(p, " ");
	const char *value;

	value = p + field + strspn(p + field, " ");
	if (field == 0 || strncasecmp(value, op, strlen(op)) != 0)
		return false;
	value += strlen(op);
	value += strspn(value, " ");
	if (*value != '\'' || strchr(value + 1, '\'') == NULL)
		return false;
	*ret_field = xstrndup(p, field);
	*ret_value = xstrndup(value + 1, strcspn(value + 1, "'"));
	*at = strchr(value + 1, '\'') + 1;
	return true;
}

static bool read_and(const char **at)
{
	const char *p = *at + strspn(*at, " ");

	if (strncasecmp(p, "and ", 4) != 0)
		return false;
	*at = p + 4;
	return true;
}

/* Clients of Microsoft's leave the quotes away, and the zone, which is UTC then. */
static bool read_bare_time(const char **at, const char *op, struct wall *ret)
{
	static const char field[] = "eventTimestamp ";
	const char *p = *at + strspn(*at, " ");
	mdc_autofree char *value = NULL;
	mdc_autofree char *zoned = NULL;

	if (!str_starts_nocase(p, field) || !str_starts_nocase(p + strlen(field), op))
		return false;
	p += strlen(field) + strlen(op);
	p += strspn(p, " ");
	value = xstrndup(p, strcspn(p, " "));
	zoned = xasprintf("%sZ", value);
	*at = p + strlen(value);
	return wall_parse(value, ret) == 0 || wall_parse(zoned, ret) == 0;
}

static bool read_time(const char **at, const char *op, struct wall *ret)
{
	mdc_autofree char *field = NULL;
	mdc_autofree char *value = NULL;

	if (!read_term(at, &field, op, &value))
		return read_bare_time(at, op, ret);
	return str_equal_nocase(field, "eventTimestamp") && wall_parse(value, ret) == 0;
}

static bool is_field(const char *field)
{
	static const char *const fields[] = {
		"resourceGroupName", "resourceUri", "resourceProvider", "correlationId"};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_equal_nocase(field, fields[i]))
			return true;
	return false;
}

/* Both times, alone or with one of four equalities; nothing else is accepted. */
static bool read_filter(const char *text, struct filter *ret)
{
	const char *at = text;

	if (text == NULL || !read_time(&at, "ge ", &ret->from) || !read_and(&at) ||
		!read_time(&at, "le ", &ret->to))
		return false;
	if (*(at + strspn(at, " ")) == '\0')
		return true;
	return read_and(&at) && read_term(&at, &ret->field, "eq ", &ret->value) &&
		is_field(ret->field) && *(at + strspn(at, " ")) == '\0';
}

static bool passes(const struct filter *f, const struct event *x)
{
	mdc_autofree char *part = NULL;

	if (f->field == NULL)
		return true;
	if (str_equal_nocase(f->field, "correlationId"))
		return str_equal_nocase(f->value, x->correlation_id);
	if (str_equal_nocase(f->field, "resourceUri"))
		return str_equal_nocase(f->value, x->resource_id);
	part = part_of(x->resource_id,
		str_equal_nocase(f->field, "resourceProvider") ? "/providers/"
							       : "/resourceGroups/");
	return str_equal_nocase(f->value, part);
}

static json_t *select_members(const struct call *c, json_t *take_doc)
{
	const char *at = call_parameter(c, "$select");
	json_t *picked;

	if (str_empty(at))
		return take_doc;
	picked = json_object();
	while (*at != '\0') {
		size_t len = strcspn(at, ", ");
		json_t *value = json_object_getn(take_doc, at, len);

		if (value != NULL)
			json_object_setn(picked, at, len, value);
		at += len;
		at += strspn(at, ", ");
	}
	json_decref(take_doc);
	return picked;
}

static json_t *event_item(struct call *c, void *ctx, size_t place)
{
	const struct event *x = &c->sub->activity->v[place];
	const struct filter *f = ctx;

	if (wall_before(c->now, x->appears) || wall_before(x->at, f->from) ||
		wall_before(f->to, x->at) || !passes(f, x))
		return NULL;
	return select_members(c, describe(c->sub, x));
}

static void list_events(struct call *c)
{
	mdc_cleanup(filter_fini) struct filter f = {0};

	if (!read_filter(call_parameter(c, "$filter"), &f)) {
		answer_error(c, 400, "BadRequest",
			"The filter must give eventTimestamp with 'ge' and 'le', and at most one "
			"of "
			"resourceGroupName, resourceUri, resourceProvider and correlationId with "
			"'eq'.");
		return;
	}
	answer_page(c,
		&(struct page_source){.places = c->sub->activity != NULL ? c->sub->activity->n : 0,
			.item = event_item,
			.ctx = &f,
			.size = c->e->knobs.paging.others});
}

static const char *const versions[] = {"2015-04-01", NULL};
static const struct api api = {API_SECURITY, "Microsoft.Insights", "eventtypes", versions};
static const struct route routes[] = {
	{"GET", "/subscriptions/{}/providers/Microsoft.Insights/eventtypes/management/values", &api,
		"Microsoft.Insights/eventtypes/values/Read", ROUTE_LIST, list_events},
};
const struct route_table activity_routes = {routes, ARRAY_LEN(routes)};
