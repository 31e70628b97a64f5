/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_ledger.h"
#include "tests/estate/estate_tree.h"

void estate_verdict(struct estate *e, struct estate_verdict *ret)
{
	const struct ledger *l = e->ledger;
	struct machine_counts now;

	ledger_count(e, &now);
	*ret = (struct estate_verdict){
		.machines = now.all,
		.protected_before = l->before.protected,
		.protected_after = now.protected,
		.legacy_before = l->before.legacy,
		.legacy_after = now.legacy,
		.requests = l->requests,
		.graph_requests = l->graph,
		.writes = l->writes,
		.refused = l->refused,
		.throttled = l->throttled,
		.forbidden_writes = l->forbidden,
		.repeated_writes = l->repeated,
		.good = l->refused == 0 && l->forbidden == 0 && l->repeated == 0,
	};
}

json_t *estate_ledger_document(struct estate *e)
{
	const struct ledger *l = e->ledger;
	struct estate_verdict v;
	json_t *doc;

	estate_verdict(e, &v);
	doc = json_pack("{s:b, s:{s:i, s:i, s:i, s:i, s:i}}", "good", v.good ? 1 : 0, "machines",
		"all", (int)v.machines, "protectedBefore", (int)v.protected_before,
		"protectedAfter", (int)v.protected_after, "legacyBefore", (int)v.legacy_before,
		"legacyAfter", (int)v.legacy_after);
	json_object_set_new(doc, "requests",
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:O}", "all", (json_int_t)v.requests, "graph",
			(json_int_t)v.graph_requests, "throttled", (json_int_t)v.throttled,
			"denied", (json_int_t)l->denied, "faulted", (json_int_t)l->faulted,
			"byStatus", l->statuses));
	json_object_set_new(doc, "writes",
		json_pack("{s:I, s:I, s:I}", "all", (json_int_t)v.writes, "forbidden",
			(json_int_t)v.forbidden_writes, "repeated", (json_int_t)v.repeated_writes));
	json_object_set_new(doc, "refused", json_integer((json_int_t)v.refused));
	json_object_set_new(doc, "offences", json_deep_copy(l->offences));
	return doc;
}

static int render_offences(const struct ledger *l, struct buf *ret)
{
	size_t i;
	json_t *x;

	json_array_foreach (l->offences, i, x) {
		if (i == 10)
			return buf_addf(ret, "  and %zu more\n", json_array_size(l->offences) - i);
		buf_addf(ret, "  %s %s: %s %s (%s)\n", tree_text(x, "at"), tree_text(x, "kind"),
			tree_text(x, "method"), tree_text(x, "path"), tree_text(x, "reason"));
	}
	return 0;
}

int estate_verdict_render(struct estate *e, struct buf *ret)
{
	struct estate_verdict v;

	estate_verdict(e, &v);
	buf_addf(ret, "verdict:   %s\n", v.good ? "good" : "bad");
	buf_addf(ret, "machines:  %u that can be protected; protected %u before, %u now\n",
		v.machines, v.protected_before, v.protected_after);
	buf_addf(ret, "legacy:    %u before, %u now\n", v.legacy_before, v.legacy_after);
	buf_addf(ret, "requests:  %llu, of them %llu to Resource Graph; %llu throttled\n",
		(unsigned long long)v.requests, (unsigned long long)v.graph_requests,
		(unsigned long long)v.throttled);
	buf_addf(ret, "writes:    %llu; %llu forbidden, %llu repeated\n",
		(unsigned long long)v.writes, (unsigned long long)v.forbidden_writes,
		(unsigned long long)v.repeated_writes);
	buf_addf(ret, "refused:   %llu\n", (unsigned long long)v.refused);
	render_offences(e->ledger, ret);
	return buf_failed(ret) ? -EFBIG : 0;
}
