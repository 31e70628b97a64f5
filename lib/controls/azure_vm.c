/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a machine can be reached, and whether its agent installs extensions: of an Arc machine
 * by its Arc agent, of an Azure VM by its power state and its VM agent.
 */
#include "lib/base/str.h"
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"

/* The words behind "PowerState/". */
static const char *const off[] = {"stopped", "deallocated", "stopping", "deallocating", "starting"};

static struct verdict vm_connection(const struct control_view *v)
{
	const struct machine *m = v->machine;

	for (size_t i = 0; i < ARRAY_LEN(off); i++)
		if (str_equal_nocase(m->status, off[i]))
			return verdict_of(VERDICT_UNREACHABLE, REASON_VM_STOPPED, m->status);
	if (!m->connected)
		return verdict_unreadable("powerState");
	return m->agent_ready == TRI_NO
		? verdict_of(VERDICT_UNREACHABLE, REASON_VM_AGENT_NOT_READY, "")
		: verdict_in_sync();
}

/* For good: nothing can be written until someone sets it otherwise. */
static struct verdict vm_admits_extension(const struct control_view *v)
{
	return v->machine->extensions_enabled == TRI_NO
		? verdict_of(VERDICT_BLOCKED, REASON_VM_EXTENSIONS_OFF, "")
		: verdict_in_sync();
}

struct verdict machine_connection(const struct control_view *v)
{
	return v->machine->azure_vm ? vm_connection(v) : arc_connection(v);
}

struct verdict machine_admits_extension(const struct control_view *v)
{
	return v->machine->azure_vm ? vm_admits_extension(v) : arc_admits_extension(v);
}

struct verdict machine_can_install(const struct control_view *v)
{
	return v->machine->azure_vm ? vm_admits_extension(v) : arc_can_install(v);
}

bool extension_is_ours(const struct control_view *v)
{
	const struct machine *m = v->machine;

	return !m->azure_vm || (m->own_image && v->scope->policy->own_images);
}
