/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/graph_query.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

/* Longest name of a member of the envelope. */
#define KEY_MAX 256
#define MACHINES_ONLY "type =~ 'microsoft.hybridcompute/machines'"
#define EXTENSIONS_ONLY \
	"type =~ 'microsoft.hybridcompute/machines/extensions' and tostring(properties.type) in~ " \
	"('MDE.Windows', 'MDE.Linux', 'MicrosoftMonitoringAgent', 'OmsAgentForLinux')"

/* `where` and `tail` around the place of the partition filter. */
static const struct {
	const char *where, *tail;
} texts[] = {
	[GRAPH_SUBSCRIPTIONS] =
		{
			"resourcecontainers\n"
			"| where type =~ 'microsoft.resources/subscriptions'\n",
			"| project id, name, subscriptionId, tenantId, properties = pack('state', "
			"properties.state, 'managementGroupAncestorsChain', "
			"properties.managementGroupAncestorsChain)\n"
			"| order by id asc",
		},
	[GRAPH_PRICINGS] =
		{
			"securityresources\n"
			"| where type =~ 'microsoft.security/pricings' and name =~ "
			"'VirtualMachines'\n"
			"| where id !contains '/resourcegroups/'\n",
			"| project id, name, properties\n"
			"| order by id asc",
		},
	[GRAPH_MACHINE_COUNTS] =
		{
			"resources\n"
			"| where " MACHINES_ONLY " or (" EXTENSIONS_ONLY ")\n",
			"| summarize machines = countif(" MACHINES_ONLY "), extensions = "
			"countif(type =~ 'microsoft.hybridcompute/machines/extensions') by "
			"subscriptionId\n"
			"| order by subscriptionId asc",
		},
	[GRAPH_MACHINES] =
		{
			"resources\n"
			"| where " MACHINES_ONLY "\n",
			"| project id, location, tags, properties = pack('status', "
			"properties.status, "
			"'lastStatusChange', properties.lastStatusChange, 'osType', "
			"properties.osType, "
			"'osName', properties.osName, 'osSku', properties.osSku, 'osVersion', "
			"properties.osVersion, 'agentVersion', properties.agentVersion, "
			"'cloudMetadata', properties.cloudMetadata, 'agentConfiguration', "
			"properties.agentConfiguration)\n"
			"| order by id asc",
		},
	[GRAPH_EXTENSIONS] =
		{
			"resources\n"
			"| where " EXTENSIONS_ONLY "\n",
			"| project id, name, properties = pack('publisher', properties.publisher, "
			"'type', properties.type, 'provisioningState', "
			"properties.provisioningState, "
			"'typeHandlerVersion', properties.typeHandlerVersion, 'settings', "
			"pack('vNextEnabled', properties.settings.vNextEnabled, 'azureResourceId', "
			"properties.settings.azureResourceId, 'workspaceId', "
			"properties.settings.workspaceId), 'instanceView', pack('status', "
			"properties.instanceView.status))\n"
			"| order by id asc",
		},
};
_Static_assert(ARRAY_LEN(texts) == GRAPH_TABLE_N_, "a text for each table");

char *graph_query_text(enum graph_table table, unsigned partitions, unsigned index)
{
	if (partitions <= 1)
		return xasprintf("%s%s", texts[table].where, texts[table].tail);
	return xasprintf("%s| where hash(tolower(id)) %% %u == %u\n%s", texts[table].where,
		partitions, index, texts[table].tail);
}

static json_t *subscription_list(const char *const *subscriptions, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(subscriptions[i]));
	return list;
}

void graph_request(enum graph_table table, unsigned partitions, unsigned index,
	const char *const *subscriptions, size_t subscription_count, const char *skip_token,
	struct arm_request *ret)
{
	mdc_autofree char *text = graph_query_text(table, partitions, index);
	json_t *options =
		json_pack("{s:i, s:s}", "$top", GRAPH_PAGE_ROWS, "resultFormat", "objectArray");
	json_t *body = json_pack("{s:s, s:o}", "query", text, "options", options);

	if (skip_token != NULL)
		json_object_set_new(options, "$skipToken", json_string(skip_token));
	if (subscriptions != NULL)
		json_object_set_new(body, "subscriptions",
			subscription_list(subscriptions, subscription_count));
	*ret = (struct arm_request){
		.method = "POST",
		.path = xstrdup(
			"/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"),
		.body = body,
		.quota = ARM_QUOTA_GRAPH,
		.provider = "Microsoft.ResourceGraph",
	};
}

int graph_count_read(const json_t *row, struct graph_count *ret)
{
	const char *subscription = json_text(row, "subscriptionId");
	const json_t *machines = json_object_get(row, "machines");
	const json_t *extensions = json_object_get(row, "extensions");

	if (!str_is_guid(subscription) || !json_is_integer(machines) ||
		!json_is_integer(extensions) || json_integer_value(machines) < 0 ||
		json_integer_value(extensions) < 0)
		return -EINVAL;
	*ret = (struct graph_count){
		.subscription = subscription,
		.machines = (uint64_t)json_integer_value(machines),
		.extensions = (uint64_t)json_integer_value(extensions),
	};
	return 0;
}

void graph_page_fini(struct graph_page *p)
{
	free(p->skip_token);
	*p = (struct graph_page){0};
}

/* --- reading an answer, one row at a time --- */

struct reader {
	const char *at, *end;
	graph_row_fn row;
	void *ctx;
	struct graph_page page;
	bool total_seen, count_seen, truncated_seen, data_seen;
};

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end &&
		(*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
		r->at++;
}

static bool accept(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->at >= r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* The next JSON value; -EBADMSG when it is not one, -EFBIG when it reaches past `limit` bytes. */
static int next_value(struct reader *r, size_t limit, json_t **ret)
{
	json_error_t error;
	json_t *value;
	size_t left;

	skip_blanks(r);
	left = (size_t)(r->end - r->at);
	value = json_loadb(r->at, left < limit ? left : limit,
		JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &error);
	if (value == NULL)
		return left > limit && (size_t)error.position >= limit ? -EFBIG : -EBADMSG;
	r->at += error.position;
	*ret = value;
	return 0;
}

static int read_rows(struct reader *r)
{
	if (!accept(r, '['))
		return -EBADMSG;
	r->data_seen = true;
	if (accept(r, ']'))
		return 0;
	do {
		json_t *row;
		int error = next_value(r, GRAPH_ROW_MAX, &row);

		if (error != 0)
			return error;
		if (!json_is_object(row) || r->page.rows >= GRAPH_PAGE_ROWS) {
			json_decref(row);
			return -EBADMSG;
		}
		r->page.rows++;
		error = r->row(r->ctx, row);
		json_decref(row);
		if (error != 0)
			return error;
	} while (accept(r, ','));
	return accept(r, ']') ? 0 : -EBADMSG;
}

/* A member that comes twice is two answers; none of them is believed. */
static int take_count(const json_t *value, uint64_t *ret, bool *ret_seen)
{
	if (*ret_seen || !json_is_integer(value) || json_integer_value(value) < 0)
		return -EBADMSG;
	*ret = (uint64_t)json_integer_value(value);
	*ret_seen = true;
	return 0;
}

static int take_token(const json_t *value, char **ret)
{
	const char *token = json_string_value(value);

	if (str_empty(token))
		return 0;
	if (*ret != NULL)
		return -EBADMSG;
	*ret = xstrdup(token);
	return 0;
}

static int take_member(struct reader *r, const char *key, const json_t *value)
{
	if (str_equal(key, "totalRecords"))
		return take_count(value, &r->page.total_records, &r->total_seen);
	if (str_equal(key, "count"))
		return take_count(value, &r->page.count, &r->count_seen);
	if (str_equal(key, "$skipToken"))
		return take_token(value, &r->page.skip_token);
	if (str_equal(key, "resultTruncated")) {
		if (r->truncated_seen)
			return -EBADMSG;
		/* "true"/"false" as a string; anything else is not a promise. */
		r->truncated_seen = true;
		r->page.truncated = json_tri(value) != TRI_NO;
	}
	return 0;
}

static int read_value(struct reader *r, const char *key)
{
	json_t *value;
	int error;

	if (str_equal(key, "data"))
		return r->data_seen ? -EBADMSG : read_rows(r);
	error = next_value(r, GRAPH_ROW_MAX, &value);
	if (error != 0)
		return error;
	error = take_member(r, key, value);
	json_decref(value);
	return error;
}

static int read_member(struct reader *r)
{
	json_t *key;
	int error;

	if (next_value(r, KEY_MAX, &key) != 0)
		return -EBADMSG;
	error = json_is_string(key) && accept(r, ':') ? read_value(r, json_string_value(key))
						      : -EBADMSG;
	json_decref(key);
	return error;
}

static int read_envelope(struct reader *r)
{
	int error;

	if (!accept(r, '{'))
		return -EBADMSG;
	if (!accept(r, '}')) {
		do {
			error = read_member(r);
			if (error != 0)
				return error;
		} while (accept(r, ','));
		if (!accept(r, '}'))
			return -EBADMSG;
	}
	skip_blanks(r);
	return r->at == r->end && r->data_seen && r->count_seen && r->total_seen ? 0 : -EBADMSG;
}

int graph_page_read(
	const char *body, size_t len, graph_row_fn row, void *ctx, struct graph_page *ret)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t skip = len >= 3 && memcmp(body, mark, 3) == 0 ? 3 : 0;
	struct reader r = {.at = body + skip, .end = body + len, .row = row, .ctx = ctx};
	int error = read_envelope(&r);

	if (error != 0) {
		graph_page_fini(&r.page);
		return error;
	}
	/* A token means that there is more, which is no loss. */
	if (r.page.count != r.page.rows || !r.truncated_seen)
		r.page.truncated = true;
	else if (r.page.skip_token != NULL)
		r.page.truncated = false;
	*ret = r.page;
	return 0;
}
