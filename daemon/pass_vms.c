/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subscription's Azure VMs from ARM, after its Arc machines: one list of how they are made, and
 * one of what they are doing, which Compute tells apart. And what neither lists nor Resource Graph
 * tell, of the few VMs for which it matters: how the VM agent is, and the words of a failure.
 */
#include "daemon/pass.h"

/* VMs that are looked at in one pass. */
#define LOOKS_MAX 200

/* A row of VMs that cannot be read makes the list incomplete; one of an unknown VM is too new. */
static void vm_row(void *ctx, const json_t *row)
{
	struct part *part = ctx;
	struct inventory *inv = part->pass->observer->inventory;
	struct noted noted = {0};
	int error = -EINVAL;

	if (row_is_own(part, row))
		error = inventory_note(inv, row, stamp_of(part->asked, SOURCE_ARM), &noted);
	if (error == -ENOENT)
		return;
	if (error != 0 || noted.kind != ARM_KIND_VIRTUAL_MACHINE)
		part->unclear = true;
	part->repeats = part->repeats || noted.again;
}

static bool has_vms(const struct subscription *s)
{
	for (uint32_t i = 0; i < s->machine_count; i++)
		if (s->machines[i]->azure_vm)
			return true;
	return false;
}

/* Who may not read VMs and has never seen one can still conclude about Arc machines. */
static bool tells_of_none(const struct subscription *s, const struct arm_error *error)
{
	return error->class == ARM_ERROR_UNREGISTERED ||
		((error->class == ARM_ERROR_DENIED || error->class == ARM_ERROR_ABSENT) &&
			!has_vms(s));
}

static void statuses_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;

	/* What a VM is doing stays unknown: its items say so. */
	if (!part_ended_well(end) || part->unclear)
		pass_problem_of(
			p, p->progress[part->index].subscription, "the states of VMs", end->error);
	part_end(part);
}

static void vms_done(void *ctx, const struct listing_end *end)
{
	struct part *part = ctx;
	struct pass *p = part->pass;
	struct progress *progress = &p->progress[part->index];
	struct arm_request request = {0};
	bool sound = part_ended_well(end) && !part->unclear && !(part->repeats && end->pages > 1);

	progress->machines += end->rows;
	if (!sound) {
		progress->incomplete =
			progress->incomplete || !tells_of_none(progress->subscription, end->error);
		if (end->error->class != ARM_ERROR_UNREGISTERED)
			pass_problem_of(p, progress->subscription, "the list of VMs", end->error);
	}
	if (!sound || end->rows == 0) {
		part_end(part);
		return;
	}
	arm_list_vms(progress->subscription->id, true, &request);
	part_list_arm(part, &request, vm_row, statuses_done);
}

void list_vms(struct part *part)
{
	struct arm_request request = {0};

	part->unclear = part->repeats = false;
	arm_list_vms(part->pass->progress[part->index].subscription->id, false, &request);
	part_list_arm(part, &request, vm_row, vms_done);
}

/* --- a closer look --- */

/* Something is wrong with its extension, or was when it was looked at. */
static bool needs_look(const struct machine *m)
{
	const struct item *item = &m->items[CONTROL_MDE_EXTENSION - FIRST_MACHINE_CONTROL];

	return m->azure_vm && m->connected &&
		(item->reason == REASON_DEPLOYER_OVERDUE ||
			item->reason == REASON_DEPLOYER_FAILED ||
			item->reason == REASON_VM_AGENT_NOT_READY);
}

static bool is_due(const struct pass *p, const struct machine *m)
{
	struct dur age = wall_since(p->report.started, m->looked_at);

	return !wall_is_set(m->looked_at) || age.ms < 0 ||
		age.ms >= p->observer->config->poll.subscriptions.ms;
}

void look_at_vms(struct pass *p)
{
	unsigned looks = 0;

	for (size_t i = 0; i < p->count; i++) {
		struct subscription *s = p->progress[i].subscription;

		for (uint32_t k = 0; k < s->machine_count && looks < LOOKS_MAX; k++) {
			struct machine *m = s->machines[k];

			if (!needs_look(m) || !is_due(p, m))
				continue;
			m->looked_at = p->report.started;
			observer_refresh(p->observer, s, m);
			looks++;
		}
	}
}
