/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/control.h"

#include "lib/controls/rows.h"

static const struct control *const controls[] = {
	[CONTROL_PROVIDER] = &provider_control,
	[CONTROL_SERVERS_PLAN] = &servers_plan_control,
	[CONTROL_MDE_INTEGRATION] = &mde_integration_control,
	[CONTROL_UNIFIED_SOLUTION] = &unified_solution_control,
	[CONTROL_LINUX_INTEGRATION] = &linux_integration_control,
	[CONTROL_VULNERABILITY_MANAGEMENT] = &vulnerability_management_control,
	[CONTROL_CONNECTOR] = &connector_control,
	[CONTROL_WORKSPACE_PLAN] = &workspace_plan_control,
	[CONTROL_ARC_CONNECTED] = &arc_connected_control,
	[CONTROL_SUBSCRIPTION_MOVE] = &subscription_move_control,
	[CONTROL_MDE_EXTENSION] = &mde_extension_control,
	[CONTROL_LEGACY_REPLACED] = &legacy_replaced_control,
	[CONTROL_MACHINE_PLAN] = &machine_plan_control,
	[CONTROL_SENSOR_ONBOARDED] = &sensor_onboarded_control,
};
_Static_assert(ARRAY_LEN(controls) == CONTROL_N_, "a row for each control");

const struct control *control_by_id(enum control_id id)
{
	return id < CONTROL_N_ ? controls[id] : NULL;
}
