/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of a subscription that are read one by one (lib/model/single.h). */
#include "daemon/pass.h"

#include "lib/base/str.h"
#include "lib/model/single.h"

void note_registration(struct subscription *s, const struct arm_error *error)
{
	if (error->class == ARM_ERROR_UNREGISTERED)
		s->seems_unregistered = true;
	else if (error->class == ARM_ERROR_NONE)
		s->seems_unregistered = false;
}

/* Whether it is the document that was asked for. */
static bool is_asked(const struct subscription *s, enum single_id id, const json_t *document)
{
	const char *text = json_text(document, "id");
	struct arm_id found;
	bool same;

	if (text == NULL || arm_id_parse(text, &found) != 0)
		return false;
	same = str_equal(found.subscription, s->id) && single_of(found.kind, found.name) == id;
	arm_id_fini(&found);
	return same;
}

bool note_single(struct observer *o, struct subscription *s, enum single_id id, struct wall asked,
	const struct arm_result *result)
{
	struct stamp stamp = stamp_of(asked, SOURCE_ARM);
	json_t *document = NULL;
	struct noted noted;
	bool changed, sound;

	s->singles[id].asked = asked;
	if (result->error.class == ARM_ERROR_ABSENT) {
		inventory_set_single(o->inventory, s, id, NULL, stamp, &changed);
		return true;
	}
	if (result->error.class == ARM_ERROR_NONE)
		document = json_body(result->reply->body, result->reply->body_len);
	sound = is_asked(s, id, document) &&
		inventory_note(o->inventory, document, stamp, &noted) == 0;
	json_decref(document);
	return sound;
}

static void single_read(void *ctx, struct arm_result *result)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	const struct single_row *row = single_row(part->single);

	part->call = NULL;
	if (!note_single(p->observer, p->progress[part->index].subscription, part->single,
		    part->asked, result) &&
		row->decides)
		pass_problem_of(
			p, p->progress[part->index].subscription, row->label, &result->error);
	part_end(part);
}

bool start_singles(struct pass *p)
{
	struct wall now = loop_wall(p->observer->world->loop);
	struct arm_request request = {0};
	struct part *part;

	while (p->next < p->count * SINGLE_N_ &&
		!single_is_due(p->progress[p->next / SINGLE_N_].subscription,
			(enum single_id)(p->next % SINGLE_N_), now))
		p->next++;
	if (p->next >= p->count * SINGLE_N_)
		return false;
	part = part_new(p, p->next / SINGLE_N_);
	part->single = (enum single_id)(p->next++ % SINGLE_N_);
	single_request(p->progress[part->index].subscription->id, part->single, &request);
	part->call = arm_client_call(p->observer->client, pass_identity(p)->name, &request,
		ARM_NORMAL, NULL, single_read, part);
	return true;
}
