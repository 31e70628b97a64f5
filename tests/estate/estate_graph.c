/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource Graph: queries over what it shows of the resources that the caller may read. A caller
 * without rights gets no rows, not an error.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/kql.h"

#include <stdio.h>
#include <string.h>

#define PAGE_DEFAULT 100
#define PAGE_MAX 1000

struct query {
	const char *text;
	struct vec scope; /* subscriptions that the caller sees */
	uint64_t page;
	uint64_t skip;
	bool as_table;
	bool tenant_wide;
	bool above; /* also what management groups have */
	struct call *call;
	json_t *tables[GRAPH_TABLE_N_];
	json_t *nothing;
};

static void query_fini(struct query *q)
{
	vec_fini(&q->scope);
	for (size_t i = 0; i < GRAPH_TABLE_N_; i++)
		json_decref(q->tables[i]);
	json_decref(q->nothing);
}

static bool refuse(struct call *c, const char *code, const char *format, ...) MDC_PRINTF(3, 4);
static bool refuse(struct call *c, const char *code, const char *format, ...)
{
	struct buf text = BUF_INIT(4096);
	char now[WALL_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	text_make_clean(text.data);
	wall_format(c->now, now);
	answer_error_object(c, 400,
		json_pack("{s:s, s:o, s:[{s:s, s:s}]}", "code", "BadRequest", "message",
			json_sprintf(
				"Please provide below info when asking for support: timestamp = "
				"%s, correlationId = %s.",
				now, c->correlation_id),
			"details", "code", code, "message", buf_str(&text)));
	buf_fini(&text);
	return false;
}

/* --- the request --- */

static bool read_number(struct call *c, const json_t *options, const char *key, uint64_t low,
	uint64_t high, uint64_t *ret)
{
	const json_t *value = json_object_get(options, key);

	if (value == NULL || json_is_null(value))
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < (json_int_t)low ||
		json_integer_value(value) > (json_int_t)high)
		return refuse(c, "InvalidPagingOptions", "The value of '%s' is out of range.", key);
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool read_format(struct call *c, const json_t *options, bool *ret_as_table)
{
	const json_t *format = json_object_get(options, "resultFormat");

	if (format == NULL || json_is_null(format) ||
		str_equal_nocase(json_string_value(format), "objectArray"))
		return true;
	if (!str_equal_nocase(json_string_value(format), "table"))
		return refuse(c, "InvalidResultFormat", "resultFormat is not known.");
	*ret_as_table = true;
	return true;
}

static bool check_filter(struct call *c, const json_t *options)
{
	static const char *const known[] = {
		"AtScopeAndBelow", "AtScopeAndAbove", "AtScopeExact", "AtScopeAboveAndBelow"};
	const json_t *filter = json_object_get(options, "authorizationScopeFilter");

	if (filter == NULL || json_is_null(filter))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_equal_nocase(json_string_value(filter), known[i]))
			return true;
	return refuse(
		c, "InvalidAuthorizationScopeFilter", "authorizationScopeFilter is not known.");
}

/* Ties a token to the query and its scopes; "OFFSET.SEAL". */
static void make_token(const struct call *c, uint64_t offset, char ret[static 64])
{
	mdc_autofree char *scope = tree_dump(json_object_get(c->body, "subscriptions"), NULL);
	mdc_autofree char *groups = tree_dump(json_object_get(c->body, "managementGroups"), NULL);
	mdc_autofree char *text = xasprintf("graph %s %s %s %llu", tree_text(c->body, "query"),
		scope, groups, (unsigned long long)offset);
	char seal[33], plain[64];
	mdc_autofree char *encoded = NULL;

	estate_sign(c->e, text, seal, 12);
	snprintf(plain, sizeof(plain), "%llu.%s", (unsigned long long)offset, seal);
	encoded = base64url_encode(plain, strlen(plain));
	str_copy(ret, 64, encoded);
}

static bool read_token(struct call *c, const json_t *options, uint64_t *ret_skip)
{
	const char *token = json_string_value(json_object_get(options, "$skipToken"));
	unsigned long long offset = 0;
	mdc_autofree unsigned char *plain = NULL;
	char again[64];
	size_t len;

	if (str_empty(token))
		return true;
	plain = base64url_decode(token, strlen(token), &len);
	if (plain != NULL && sscanf((const char *)plain, "%llu.", &offset) == 1) {
		make_token(c, offset, again);
		if (str_equal(again, token)) {
			*ret_skip = offset;
			return true;
		}
	}
	return refuse(c, "InvalidSkipToken",
		"The skip token is not valid for this query and these scopes.");
}

static bool read_options(struct call *c, struct query *q)
{
	const json_t *options = json_object_get(c->body, "options");

	q->page = PAGE_DEFAULT;
	q->above = str_contains_nocase(
		json_string_value(json_object_get(options, "authorizationScopeFilter")), "Above");
	return read_number(c, options, "$top", 1, PAGE_MAX, &q->page) &&
		read_number(c, options, "$skip", 0, INT32_MAX, &q->skip) &&
		read_format(c, options, &q->as_table) && check_filter(c, options) &&
		read_token(c, options, &q->skip);
}

/* --- scopes --- */

static bool is_below(const struct management_group *g, const char *name)
{
	for (; g != NULL; g = g->parent)
		if (str_equal_nocase(g->name, name))
			return true;
	return false;
}

static bool group_is_named(const json_t *names, const struct subscription *sub)
{
	size_t i;
	json_t *name;

	json_array_foreach (names, i, name)
		if (json_is_string(name) && is_below(sub->group, json_string_value(name)))
			return true;
	return false;
}

static void add_visible(struct call *c, const json_t *groups, struct query *q)
{
	for (size_t i = 0; i < c->e->subscriptions.n; i++) {
		struct subscription *sub = c->e->subscriptions.v[i];

		if (auth_sees(c->who, sub) && (groups == NULL || group_is_named(groups, sub)))
			vec_add(&q->scope, sub);
	}
}

/* Unknown and invisible ones are passed over as long as one is left. */
static bool add_listed(struct call *c, const json_t *ids, struct query *q)
{
	mdc_autofree char *given = NULL;
	size_t i;
	json_t *id;

	if (json_array_size(ids) > c->e->knobs.graph.subscription_limit)
		return refuse(c, "DisallowedMaxNumberOfSubscriptions",
			"The number of subscriptions exceeds the limit of %u.",
			c->e->knobs.graph.subscription_limit);
	json_array_foreach (ids, i, id) {
		struct subscription *sub = json_is_string(id)
			? estate_subscription(c->e, json_string_value(id))
			: NULL;

		if (sub != NULL && auth_sees(c->who, sub))
			vec_add(&q->scope, sub);
	}
	if (q->scope.n > 0)
		return true;
	given = tree_dump(ids, NULL);
	return refuse(c, "NoValidSubscriptionsInQueryRequest",
		"There must be at least one subscription that is eligible to contain resources. "
		"Given: '%.2000s'.",
		given);
}

static bool read_scope(struct call *c, struct query *q)
{
	const json_t *ids = json_object_get(c->body, "subscriptions");
	const json_t *groups = json_object_get(c->body, "managementGroups");

	if (json_is_null(ids))
		ids = NULL;
	if (json_is_null(groups))
		groups = NULL;
	if ((ids != NULL && !json_is_array(ids)) || (groups != NULL && !json_is_array(groups)))
		return refuse(c, "InvalidRequestScope", "Scopes must be arrays of strings.");
	if (json_array_size(ids) > 0 && json_array_size(groups) > 0)
		return refuse(c, "InvalidRequestScope",
			"Subscriptions and management groups cannot be given together.");
	if (json_array_size(ids) > 0)
		return add_listed(c, ids, q);
	q->tenant_wide = json_array_size(groups) == 0;
	add_visible(c, json_array_size(groups) > 0 ? groups : NULL, q);
	return true;
}

/* --- tables --- */

static bool is_other_table(const char *name)
{
	static const char *const known[] = {"advisorresources", "alertsmanagementresources",
		"appserviceresources", "authorizationresources", "communitygalleryresources",
		"computeresources", "extendedlocationresources", "extensibilityresources",
		"guestconfigurationresources", "healthresources", "iotsecurityresources",
		"kubernetesconfigurationresources", "maintenanceresources",
		"managedserviceresources", "networkresources", "patchassessmentresources",
		"patchinstallationresources", "quotaresources", "recoveryservicesresources",
		"resourcechanges", "resourcecontainerchanges", "servicehealthresources",
		"spotresources", "supportresources"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_equal_nocase(known[i], name))
			return true;
	return false;
}

static const char *const table_names[] = {
	[GRAPH_RESOURCES] = "resources",
	[GRAPH_CONTAINERS] = "resourcecontainers",
	[GRAPH_SECURITY] = "securityresources",
	[GRAPH_INSIGHTS] = "insightsresources",
	[GRAPH_POLICY] = "policyresources",
};
_Static_assert(ARRAY_LEN(table_names) == GRAPH_TABLE_N_, "a name for each table");

/* What must be granted on a subscription for all of a table's rows to be seen. */
static const char *const table_actions[GRAPH_TABLE_N_][8] = {
	[GRAPH_RESOURCES] = {"Microsoft.HybridCompute/machines/read",
		"Microsoft.HybridCompute/machines/extensions/read",
		"Microsoft.Compute/virtualMachines/read",
		"Microsoft.Compute/virtualMachines/extensions/read",
		"Microsoft.OperationalInsights/workspaces/read",
		"Microsoft.OperationsManagement/solutions/read",
		"Microsoft.Insights/dataCollectionRules/read"},
	[GRAPH_CONTAINERS] = {"Microsoft.Resources/subscriptions/resourceGroups/read"},
	[GRAPH_SECURITY] = {"Microsoft.Security/pricings/read"},
	[GRAPH_INSIGHTS] = {"Microsoft.Insights/dataCollectionRuleAssociations/read"},
	[GRAPH_POLICY] = {"Microsoft.Authorization/policyAssignments/read",
		"Microsoft.Authorization/policySetDefinitions/read",
		"Microsoft.Authorization/policyExemptions/read"},
};

static bool sees_all(const struct call *c, const struct subscription *sub, size_t table)
{
	for (size_t i = 0; table_actions[table][i] != NULL; i++)
		if (!auth_allows(c->who, table_actions[table][i], sub->res.id, sub->group))
			return false;
	return true;
}

static bool sees_row(const struct call *c, const struct resource *r)
{
	const char *type = tree_text(r->shown, "type");
	mdc_autofree char *action = NULL;

	if (r->kind == RESOURCE_SUBSCRIPTION)
		return true;
	if (r->kind == RESOURCE_GROUP)
		type = "Microsoft.Resources/subscriptions/resourceGroups";
	action = xasprintf("%s/read", type != NULL ? type : "");
	return auth_allows(c->who, action, r->id, r->sub->group);
}

static void add_rows(
	struct query *q, struct subscription *sub, enum graph_table_kind table, json_t *into)
{
	json_t *rows = (json_t *)rows_of(sub, table);
	const struct vec *owners = &sub->tables[table].owners;

	if (sees_all(q->call, sub, table) && (table != GRAPH_POLICY || q->above)) {
		json_array_extend(into, rows);
		return;
	}
	for (size_t i = 0; i < owners->n; i++)
		if ((q->above || !is_above_subscriptions(owners->v[i])) &&
			sees_row(q->call, owners->v[i]))
			json_array_append(into, json_array_get(rows, i));
}

static const json_t *table_rows(void *ctx, const char *name)
{
	struct query *q = ctx;

	for (enum graph_table_kind t = 0; t < GRAPH_TABLE_N_; t++) {
		if (!str_equal_nocase(table_names[t], name))
			continue;
		if (q->tables[t] == NULL) {
			q->tables[t] = json_array();
			for (size_t i = 0; i < q->scope.n; i++)
				add_rows(q, q->scope.v[i], t, q->tables[t]);
		}
		return q->tables[t];
	}
	if (!is_other_table(name))
		return NULL;
	if (q->nothing == NULL)
		q->nothing = json_array();
	return q->nothing;
}

/* --- the answer --- */

static json_t *as_table(const struct kql_result *r, json_t *take_rows)
{
	json_t *lines = json_array();
	size_t i, k;
	json_t *row, *column;

	json_array_foreach (take_rows, i, row) {
		json_t *line = json_array();

		json_array_foreach (r->columns, k, column) {
			json_t *cell = json_object_get(row, tree_text(column, "name"));

			json_array_append_new(line, cell != NULL ? json_incref(cell) : json_null());
		}
		json_array_append_new(lines, line);
	}
	json_decref(take_rows);
	return json_pack("{s:O, s:o}", "columns", r->columns, "rows", lines);
}

/* Groups and distinct values beyond a limit are not given, and there is no second page of them. */
static uint64_t rows_given(const struct query *q, const struct kql_result *r)
{
	uint64_t rows = json_array_size(r->rows);
	bool grouped =
		strcasestr(q->text, "summarize") != NULL || strcasestr(q->text, "distinct") != NULL;
	uint64_t limit = q->call->e->knobs.graph.group_limit;

	return !r->pageable && grouped && rows > limit ? limit : rows;
}

static json_t *make_answer(const struct query *q, const struct kql_result *r)
{
	uint64_t total = json_array_size(r->rows);
	uint64_t given = rows_given(q, r);
	uint64_t from = q->skip < given ? q->skip : given;
	uint64_t to = given - from > q->page ? from + q->page : given;
	bool more = to < total;
	json_t *rows = json_array();
	json_t *doc;

	for (uint64_t i = from; i < to; i++)
		json_array_append(rows, json_array_get(r->rows, i));
	doc = json_pack("{s:I, s:I, s:s, s:[]}", "totalRecords", (json_int_t)total, "count",
		(json_int_t)(to - from), "resultTruncated", more ? "true" : "false", "facets");
	if (more && r->pageable) {
		char token[64];

		make_token(q->call, to, token);
		json_object_set_new(doc, "$skipToken", json_string(token));
	}
	json_object_set_new(doc, "data", q->as_table ? as_table(r, rows) : rows);
	return doc;
}

static void answer_query(struct call *c, const struct query *q, const struct kql_result *r)
{
	json_t *doc = make_answer(q, r);

	answer_json(c, 200, doc);
	if (c->answer->reply.body_len > c->e->knobs.graph.payload_limit)
		refuse(c, "ResponsePayloadTooLarge",
			"Response payload size is %zu, and has exceeded the limit of %llu. Please "
			"consider querying less data at a time and make paginated call if needed.",
			c->answer->reply.body_len,
			(unsigned long long)c->e->knobs.graph.payload_limit);
	else if (q->tenant_wide)
		answer_header(c, "x-ms-tenant-subscription-limit-hit", "false");
}

static void refuse_query(struct call *c, struct kql_error *error)
{
	char now[WALL_TEXT_SIZE];

	/* It is cut, perhaps within a character. */
	text_make_clean(error->text);
	wall_format(c->now, now);
	answer_error_object(c, 400,
		json_pack("{s:s, s:o, s:[{s:s, s:s}, {s:s, s:s}]}", "code", "BadRequest", "message",
			json_sprintf(
				"Please provide below info when asking for support: timestamp = "
				"%s, correlationId = %s.",
				now, c->correlation_id),
			"details", "code", "InvalidQuery", "message",
			"Query is invalid. Please refer to the documentation for the Azure "
			"Resource "
			"Graph service and fix the error before retrying.",
			"code", error->code, "message", error->text));
}

static void run_query(struct call *c, struct query *q)
{
	struct kql_query *parsed = NULL;
	struct kql_result result = {0};
	struct kql_error error = {0};

	if (kql_parse(q->text, &parsed, &error) != 0) {
		refuse_query(c, &error);
		return;
	}
	if (kql_run(parsed, table_rows, q, c->now, &result, &error) != 0) {
		refuse_query(c, &error);
	} else {
		answer_query(c, q, &result);
		kql_result_fini(&result);
	}
	kql_free(parsed);
}

static bool read_request(struct call *c)
{
	const char *type = http_headers_get(&c->request->headers, "Content-Type");

	/* As documented: a wrong media type is a server error there. */
	if (!str_starts_nocase(type != NULL ? type : "", "application/json"))
		return answer_error(c, 500, "InternalServerError",
			"The server was unable to process the request: the media type is not "
			"supported.");
	if (c->request->body_len <= 4 * 1024 * 1024)
		c->body = json_loadb(c->request->body != NULL ? c->request->body : "",
			c->request->body_len, 0, NULL);
	if (!json_is_object(c->body) || str_empty(tree_text(c->body, "query")))
		return refuse(c, "InvalidRequest", "The request body must be JSON with a query.");
	if (json_array_size(json_object_get(c->body, "facets")) > 0)
		return refuse(c, "InvalidFacets", "Facets are not served here.");
	return true;
}

static void query_resources(struct call *c)
{
	mdc_cleanup(query_fini) struct query q = {.call = c};

	if (!throttle_admit_graph(c) || !read_request(c))
		return;
	q.text = tree_text(c->body, "query");
	if (read_options(c, &q) && read_scope(c, &q))
		run_query(c, &q);
}

static const char *const versions[] = {"2021-03-01", "2022-10-01", "2024-04-01", NULL};
static const struct api api = {API_GRAPH, "Microsoft.ResourceGraph", "resources", versions};
static const struct route routes[] = {
	{"POST", "/providers/Microsoft.ResourceGraph/resources", &api, NULL, 0, query_resources},
};
const struct route_table graph_routes = {routes, ARRAY_LEN(routes)};
