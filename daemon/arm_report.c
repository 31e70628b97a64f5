/* SPDX-License-Identifier: Apache-2.0 */
/* arm_report: what the client tells `mdcctl status` about itself. */
#include "daemon/arm_client_parts.h"

static json_t *calls_report(const struct arm_client *c)
{
	json_t *by_class = json_object();

	for (unsigned i = 0; i < ARM_ERROR_CLASS_N_; i++)
		if (c->by_class[i] > 0)
			json_object_set_new(by_class, arm_error_class_name(i),
				json_integer((json_int_t)c->by_class[i]));
	return json_pack("{s:I, s:I, s:o}", "waiting", (json_int_t)call_queue_count(c->queue),
		"running", (json_int_t)c->on_wire, "by_class", by_class);
}

static json_t *quotas_report(const struct arm_client *c)
{
	json_t *all = json_array();
	struct map_entry *entry;

	map_for_each (&c->governors, entry) {
		json_t *rows = governor_report(entry->value, loop_mono(c->world->loop));
		json_t *row;
		size_t i;

		json_array_foreach (rows, i, row)
			json_object_set_new(row, "cloud", json_string(entry->key));
		json_array_extend(all, rows);
		json_decref(rows);
	}
	return all;
}

json_t *arm_client_report(struct arm_client *c)
{
	return json_pack("{s:o, s:o, s:o}", "calls", calls_report(c), "tokens",
		credentials_report(c->credentials), "quotas", quotas_report(c));
}
