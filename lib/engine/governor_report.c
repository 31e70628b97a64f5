/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine/governor_parts.h"

static const char *scope_word(enum quota_scope scope)
{
	switch (scope) {
	case QUOTA_SUBSCRIPTION: return "subscription";
	case QUOTA_TENANT: return "tenant";
	case QUOTA_GRAPH: return "graph";
	case QUOTA_DEFENDER: return "defender";
	case QUOTA_POLICY: return "policy";
	}
	return "";
}

static const char *operation_word(enum arm_quota op)
{
	switch (op) {
	case ARM_QUOTA_READ: return "reads";
	case ARM_QUOTA_WRITE: return "writes";
	case ARM_QUOTA_DELETE: return "deletes";
	case ARM_QUOTA_GRAPH: return "queries";
	case ARM_QUOTA_DEFENDER: return "lists";
	}
	return "";
}

/* Tenths are enough for people, and print short. */
static json_t *number(double value)
{
	return json_real((double)(int64_t)(value * 10) / 10);
}

static json_t *seconds_until(struct mono t, struct mono now)
{
	int64_t ms = mono_before(now, t) ? mono_since(t, now).ms : 0;

	return json_integer(ms / 1000 + (ms % 1000 != 0));
}

static void set_text(json_t *row, const char *key, const char *text)
{
	if (text != NULL && *text != '\0')
		json_object_set_new(row, key, json_string(text));
}

static json_t *quota_row(const struct quota *q, struct mono now)
{
	const struct bucket *b = &q->bucket;
	json_t *row = json_object();

	set_text(row, "scope", scope_word(q->scope));
	if (q->scope == QUOTA_TENANT || q->scope == QUOTA_GRAPH || q->scope == QUOTA_DEFENDER)
		set_text(row, "tenant", q->tenant);
	set_text(row, "principal", q->principal);
	set_text(row, "subscription", q->subscription);
	set_text(row, "policy", q->policy);
	set_text(row, "operation", operation_word(q->op));
	json_object_set_new(row, "level", number(bucket_level(b, now)));
	json_object_set_new(row, "size", number(b->size));
	json_object_set_new(row, "refill", json_real(b->refill));
	json_object_set_new(row, "reserve", number(b->floor));
	json_object_set_new(row, "in_flight", json_integer(q->in_flight));
	json_object_set_new(row, "frozen_for_s", seconds_until(b->frozen, now));
	return row;
}

static json_t *lane_row(const struct lane *l, struct mono now)
{
	json_t *row = json_object();

	set_text(row, "scope", "provider");
	set_text(row, "subscription", l->subscription);
	set_text(row, "provider", l->provider);
	set_text(row, "operation", l->writes ? "writes" : "reads");
	json_object_set_new(row, "in_flight", json_integer(l->in_flight));
	if (l->kind != LANE_OPEN)
		json_object_set_new(row, "limit", json_integer(l->limit));
	json_object_set_new(row, "frozen_for_s", seconds_until(l->frozen, now));
	return row;
}

json_t *governor_report(const struct governor *g, struct mono now)
{
	json_t *rows = json_array();
	struct map_entry *entry;

	map_for_each (&g->quotas, entry)
		json_array_append_new(rows, quota_row(entry->value, now));
	map_for_each (&g->lanes, entry) {
		const struct lane *l = entry->value;

		if (l->kind != LANE_OPEN || mono_before(now, l->frozen))
			json_array_append_new(rows, lane_row(l, now));
	}
	return rows;
}
