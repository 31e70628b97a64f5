/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pass.h"

/* Fewer machines than announced or than before, in percent, makes a list incomplete. */
#define COUNT_TOLERANCE 10

/* --- how many there are --- */

static void count_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct batch *b = &part->pass->batches[part->index];
	struct progress *progress;
	struct graph_count count;

	if (graph_count_read(row, &count) != 0)
		return;
	progress = pass_progress(part->pass, count.subscription);
	if (progress == NULL)
		return;
	progress->machines = count.machines;
	b->machines += count.machines;
	b->extensions += count.extensions;
}

static void counts_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	struct batch *b = &part->pass->batches[part->index];

	(void)rows;
	if (graph_refuses(error)) {
		o->graph_refused = loop_wall(o->world->loop);
		b->from_arm = true;
	} else if (error->class != ARM_ERROR_NONE || !complete) {
		pass_problem(part->pass, "the count of machines",
			error->class != ARM_ERROR_NONE ? error : NULL);
		b->incomplete = true;
	}
	part_end(part);
}

bool start_counts(struct pass *p)
{
	struct part *part;

	while (p->next < p->batch_count && p->batches[p->next].from_arm)
		p->next++;
	if (p->next >= p->batch_count)
		return false;
	part = part_new(p, p->next++);
	part->listing = list_batch(part, GRAPH_MACHINE_COUNTS, 0, count_row, counts_done);
	return true;
}

/* --- rows from Graph --- */

/* Nothing is concluded about the subscription whose row cannot be read. */
static void row_unread(struct pass *p, struct batch *b, const json_t *row)
{
	const char *text = json_text(row, "id");
	struct progress *progress = NULL;
	struct arm_id id;

	if (text != NULL && arm_id_parse(text, &id) == 0) {
		progress = pass_progress(p, id.subscription);
		arm_id_fini(&id);
	}
	if (progress != NULL)
		progress->incomplete = true;
	else
		b->incomplete = true;
	pass_problem(p, "a machine that cannot be read", NULL);
}

static void graph_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct observer *o = p->observer;
	struct noted noted = {0};
	int error = inventory_note(o->inventory, row, stamp_of(part->asked, SOURCE_GRAPH), &noted);

	/* An extension may be there before its machine is listed: the next pass has both. */
	if (error != 0 && p->stage == STAGE_MACHINES)
		row_unread(p, &p->batches[part->index], row);
	if (error == 0 && p->kind == PASS_WATCH && noted.changed)
		o->ports.machine_seen(o->ports.ctx, noted.machine);
}

static void rows_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;
	struct pass *p = part->pass;

	(void)rows;
	if (error->class != ARM_ERROR_NONE || !complete) {
		p->batches[part->index].incomplete = true;
		pass_problem(p,
			p->stage == STAGE_MACHINES ? "the list of machines"
						   : "the list of extensions",
			error->class != ARM_ERROR_NONE ? error : NULL);
	}
	part_end(part);
}

static unsigned partitions_for(uint64_t rows)
{
	uint64_t n = (rows + GRAPH_PARTITION_ROWS - 1) / GRAPH_PARTITION_ROWS;

	return n == 0 ? 1 : n > 1000000 ? 1000000 : (unsigned)n;
}

/* Starts the next partition of the batch; false when all are started. */
static bool start_partition(struct pass *p, struct batch *b)
{
	bool machines = p->stage == STAGE_MACHINES;
	struct part *part;

	if (b->next == 0)
		b->partitions = partitions_for(machines ? b->machines : b->extensions);
	if (b->next >= b->partitions || b->incomplete)
		return false;
	part = part_new(p, (size_t)(b - p->batches));
	part->listing = list_batch(part, machines ? GRAPH_MACHINES : GRAPH_EXTENSIONS, b->next++,
		graph_row, rows_done);
	return true;
}

/* --- the same from ARM: one list a subscription, one list of extensions a machine --- */

static void arm_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct observer *o = part->pass->observer;
	struct noted noted;

	if (inventory_note(o->inventory, row, stamp_of(part->asked, SOURCE_ARM), &noted) != 0 &&
		part->machine == NULL)
		part->pass->progress[part->index].incomplete = true;
}

static void arm_rows_done(void *ctx, const struct arm_error *error, bool complete, uint64_t rows)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct progress *progress = &p->progress[part->index];

	if (error->class != ARM_ERROR_NONE || !complete) {
		progress->incomplete = true;
		pass_problem(p,
			part->machine == NULL ? "the list of machines" : "a list of extensions",
			error->class != ARM_ERROR_NONE ? error : NULL);
	} else if (part->machine == NULL) {
		progress->machines = rows;
	}
	part_end(part);
}

static bool start_arm_machines(struct pass *p, struct batch *b)
{
	struct part *part;
	struct listing_target target;
	struct arm_request request = {0};

	if (b->next >= b->count)
		return false;
	part = part_new(p, b->first + b->next++);
	target = part_target(part, arm_row, arm_rows_done);
	arm_list_machines(p->progress[part->index].subscription->id, &request);
	part->listing = listing_arm(&target, &request);
	return true;
}

static bool start_arm_extensions(struct pass *p, struct batch *b)
{
	for (; b->next < b->count; b->next++) {
		struct progress *progress = &p->progress[b->first + b->next];
		struct subscription *s = progress->subscription;
		struct part *part;
		struct listing_target target;
		struct arm_request request = {0};

		if (progress->incomplete || progress->next >= s->machine_count)
			continue;
		part = part_new(p, b->first + b->next);
		part->machine = s->machines[progress->next++];
		target = part_target(part, arm_row, arm_rows_done);
		arm_list_extensions(part->machine->id, &request);
		part->listing = listing_arm(&target, &request);
		return true;
	}
	return false;
}

/* Goes through the batches one after the other. */
static bool start_next(struct pass *p, bool (*from_arm)(struct pass *p, struct batch *b))
{
	for (; p->next < p->batch_count; p->next++) {
		struct batch *b = &p->batches[p->next];

		if (b->from_arm ? from_arm(p, b) : start_partition(p, b))
			return true;
		b->next = 0;
	}
	return false;
}

bool start_machines(struct pass *p)
{
	return start_next(p, start_arm_machines);
}

bool start_extensions(struct pass *p)
{
	return start_next(p, start_arm_extensions);
}

/* --- what complete lists say --- */

static void gone(void *ctx, struct machine *m)
{
	struct observer *o = ctx;

	observer_forget(o, m);
	o->ports.machine_gone(o->ports.ctx, m);
}

static void conclude_batch(struct pass *p, const struct batch *b)
{
	struct observer *o = p->observer;
	struct stamp stamp = stamp_of(p->report.started, b->from_arm ? SOURCE_ARM : SOURCE_GRAPH);

	for (size_t i = b->first; i < b->first + b->count; i++) {
		struct progress *progress = &p->progress[i];
		struct subscription *s = progress->subscription;

		if (b->incomplete || progress->incomplete)
			continue;
		s->announced_machines = progress->machines;
		if (inventory_sweep_end(o->inventory, s, progress->machines, COUNT_TOLERANCE, stamp,
			    gone, o) != 0)
			pass_problem(p, "the list of machines", NULL);
		p->report.machines += s->machine_count;
	}
}

void conclude_machines(struct pass *p)
{
	if (p->kind != PASS_MACHINES)
		return;
	for (size_t i = 0; i < p->batch_count; i++)
		conclude_batch(p, &p->batches[i]);
}
