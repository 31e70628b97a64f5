/* SPDX-License-Identifier: Apache-2.0 */
/* Connectors of AWS and GCP: listed where they matter; always from ARM. */
#include "daemon/pass.h"

#include "lib/base/str.h"

bool connectors_matter(const struct subscription *s)
{
	return s->scope != NULL && s->scope->lists_connectors;
}

bool note_connector(
	struct observer *o, const struct subscription *s, const json_t *row, struct wall asked)
{
	struct noted noted;
	int error;

	if (!row_is_of(row, s))
		return false;
	error = inventory_note(o->inventory, row, stamp_of(asked, SOURCE_ARM), &noted);
	/* Those of other environments, such as GitHub, are nothing to us. */
	return error == -ENOTSUP || (error == 0 && noted.connector != NULL);
}

static void connector_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;

	if (!note_connector(p->observer, p->progress[part->index].subscription, row, part->asked))
		part->unclear = true;
}

static void connectors_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct subscription *s = part->pass->progress[part->index].subscription;

	if (part_ended_well(end) && !part->unclear)
		inventory_connectors_complete(s, stamp_of(part->asked, SOURCE_ARM));
	else
		pass_problem_of(part->pass, s, "the connectors of a subscription", end->error);
	part_end(part);
}

static bool has_connectors_to_list(const struct pass *p, const struct progress *progress)
{
	(void)p;
	return connectors_matter(progress->subscription);
}

bool start_connectors(struct pass *p)
{
	static const struct subscription_list list = {
		has_connectors_to_list, arm_list_connectors, connector_row, connectors_done};

	return pass_list_next(p, &list);
}
