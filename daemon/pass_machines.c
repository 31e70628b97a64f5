/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pass.h"

#include "lib/base/str.h"

#include <string.h>

/* After so many failures the rest of a batch, or of a subscription's machines, is not asked for. */
#define FAILURES_MAX 3

/* --- how many there are --- */

static void count_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct batch *b = &p->batches[part->index];
	struct progress *progress = NULL;
	struct graph_count count;

	if (graph_count_read(row, &count) == 0)
		progress = pass_progress(p, count.subscription);
	if (progress == NULL) {
		part->unclear = true;
		return;
	}
	progress->machines = count.machines;
	progress->extensions = count.extensions;
	b->machines += count.machines;
	b->extensions += count.extensions;
}

static void counts_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct batch *b = &p->batches[part->index];

	part_heard(part, end->error);
	if (graph_refuses(p, end->error)) {
		b->from_arm = true;
	} else if (!part_ended_well(end) || part->unclear) {
		pass_problem_of_batch(p, b, "the count of machines", end->error);
		b->incomplete = true;
		/* Without a count nobody knows how many partitions there are to be. */
		b->failures = FAILURES_MAX;
	}
	part_end(part);
}

bool start_counts(struct pass *p)
{
	while (p->next < p->batch_count && p->batches[p->next].from_arm)
		p->next++;
	if (p->next >= p->batch_count)
		return false;
	part_list_graph(part_new(p, p->next++), GRAPH_MACHINE_COUNTS, 0, count_row, counts_done);
	return true;
}

/* --- rows from Graph --- */

static void machine_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct progress *progress = row_in_batch(part, row);
	struct stamp stamp = stamp_of(part->asked, SOURCE_GRAPH);
	struct noted noted;

	if (progress == NULL)
		return;
	if (inventory_note(p->observer->inventory, row, stamp, &noted) != 0 ||
		noted.machine == NULL) {
		progress->incomplete = true;
		pass_problem_of(p, progress->subscription, "a machine that cannot be read", NULL);
		return;
	}
	part->repeats = part->repeats || noted.again;
}

static void extension_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct inventory *inv = p->observer->inventory;
	struct progress *progress = row_in_batch(part, row);
	struct noted noted = {0};
	int error;

	if (progress == NULL)
		return;
	progress->extension_rows++;
	error = inventory_note(inv, row, stamp_of(part->asked, SOURCE_GRAPH), &noted);
	/* An extension may be there before its machine is listed: the next pass has both. */
	if (error == -ENOENT)
		return;
	if (error != 0 || noted.machine == NULL) {
		progress->incomplete = true;
		pass_problem_of(
			p, progress->subscription, "an extension that cannot be read", NULL);
		return;
	}
	if (noted.unclear)
		inventory_doubt_extensions(noted.machine);
	/* While an operation runs on it, that it was looked at is news of its own. */
	if (p->kind == PASS_WATCH && (noted.machine->unjudged || has_operation(noted.machine)))
		p->observer->ports.machine_seen(p->observer->ports.ctx, noted.machine);
}

static void rows_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct batch *b = &p->batches[part->index];

	/* A row on two pages: others may be on none. */
	if (!part_ended_well(end) || (part->repeats && end->pages > 1)) {
		b->incomplete = true;
		b->failures++;
		pass_problem_of_batch(p, b,
			p->stage == STAGE_MACHINES ? "the list of machines"
						   : "the list of extensions",
			end->error);
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

	if (b->next == 0)
		b->partitions = partitions_for(machines ? b->machines : b->extensions);
	if (b->next >= b->partitions || b->failures >= FAILURES_MAX)
		return false;
	part_list_graph(part_new(p, (size_t)(b - p->batches)),
		machines ? GRAPH_MACHINES : GRAPH_EXTENSIONS, b->next++,
		machines ? machine_row : extension_row, rows_done);
	return true;
}

/* --- the same from ARM: one list a subscription, one list of extensions a machine --- */

static void arm_machine_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct inventory *inv = part->pass->observer->inventory;
	struct stamp stamp = stamp_of(part->asked, SOURCE_ARM);
	struct noted noted = {0};

	if (!row_is_own(part, row) || inventory_note(inv, row, stamp, &noted) != 0 ||
		(noted.kind != ARM_KIND_ARC_MACHINE && noted.kind != ARM_KIND_VIRTUAL_MACHINE))
		part->unclear = true;
	part->repeats = part->repeats || noted.again;
}

static void arm_machines_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct progress *progress = &p->progress[part->index];

	progress->machines = end->rows;
	if (!part_ended_well(end) || part->unclear || (part->repeats && end->pages > 1)) {
		progress->incomplete = true;
		pass_problem_of(p, progress->subscription, "the list of machines", end->error);
	}
	list_vms(part);
}

static bool start_arm_machines(struct pass *p, struct batch *b)
{
	struct part *part;
	struct arm_request request = {0};

	if (b->next >= b->count)
		return false;
	part = part_new(p, b->first + b->next++);
	arm_list_machines(p->progress[part->index].subscription->id, &request);
	part_list_arm(part, &request, arm_machine_row, arm_machines_done);
	return true;
}

bool is_below(const json_t *row, const struct machine *m)
{
	const char *id = json_text(row, "id");
	const char *parent = *m->id == '/' ? m->id + 1 : m->id;

	if (id == NULL)
		return false;
	id += *id == '/';
	return str_starts_nocase(id, parent) && id[strlen(parent)] == '/';
}

bool note_extension_of(struct observer *o, struct machine *m, const json_t *row, struct wall asked,
	struct noted *ret)
{
	return is_below(row, m) &&
		inventory_note(o->inventory, row, stamp_of(asked, SOURCE_ARM), ret) == 0 &&
		ret->machine == m && !ret->unclear;
}

void conclude_extensions(
	struct observer *o, struct machine *m, bool mde_seen, bool legacy_seen, struct wall asked)
{
	const struct item *mde = inventory_item(m->subscription, m, CONTROL_MDE_EXTENSION);

	/* While an operation of ours creates it, "not there" says nothing. */
	inventory_extensions_complete(o->inventory, m, mde_seen || mde->operation != NULL,
		legacy_seen, stamp_of(asked, SOURCE_ARM));
}

static void arm_extension_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct noted noted;

	if (!note_extension_of(part->pass->observer, part->machine, row, part->asked, &noted)) {
		part->unclear = true;
		return;
	}
	part->mde_seen = part->mde_seen || is_mde(noted.extension);
	part->legacy_seen = part->legacy_seen || is_legacy(noted.extension);
}

/* One machine may be broken, or gone meanwhile; what fails for many fails for all. */
static void doubt_machine(struct part *part, const struct arm_error *error)
{
	struct pass *p = part->pass;
	struct progress *progress = &p->progress[part->index];

	inventory_doubt_extensions(part->machine);
	pass_problem_of(p, progress->subscription, "the extensions of a machine", error);
	if (++progress->failures >= FAILURES_MAX)
		progress->incomplete = true;
}

static void arm_extensions_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct observer *o = p->observer;

	if (part_ended_well(end) && !part->unclear) {
		p->progress[part->index].failures = 0;
		conclude_extensions(
			o, part->machine, part->mde_seen, part->legacy_seen, part->asked);
	} else {
		doubt_machine(part, end->error);
	}
	if (p->kind == PASS_WATCH)
		o->ports.machine_seen(o->ports.ctx, part->machine);
	part_end(part);
}

/* The next machine whose extensions are to be listed, or NULL. */
static struct machine *next_machine(struct pass *p, struct progress *progress)
{
	struct subscription *s = progress->subscription;

	while (!progress->incomplete && progress->next < s->machine_count) {
		struct machine *m = s->machines[progress->next++];

		if (p->kind == PASS_WATCH ? has_operation(m)
					  : m->seen == p->observer->inventory->sweep)
			return m;
	}
	return NULL;
}

static bool start_arm_extensions(struct pass *p, struct batch *b)
{
	for (; b->next < b->count; b->next++) {
		struct machine *m = next_machine(p, &p->progress[b->first + b->next]);
		struct part *part;
		struct arm_request request = {0};

		if (m == NULL)
			continue;
		part = part_new(p, b->first + b->next);
		part->machine = m;
		arm_list_extensions(m->id, &request);
		part_list_arm(part, &request, arm_extension_row, arm_extensions_done);
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
