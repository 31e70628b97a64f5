/* SPDX-License-Identifier: Apache-2.0 */
/* rows: the controls, one a file, as the table in control.c and each other know them. */
#ifndef MDC_CONTROL_ROWS_H
#define MDC_CONTROL_ROWS_H

#include "lib/controls/control.h"

extern const struct control provider_control;
extern const struct control servers_plan_control;
extern const struct control mde_integration_control;
extern const struct control unified_solution_control;
extern const struct control linux_integration_control;
extern const struct control vulnerability_management_control;
extern const struct control connector_control;
extern const struct control workspace_plan_control;
extern const struct control arc_connected_control;
extern const struct control subscription_move_control;
extern const struct control mde_extension_control;
extern const struct control legacy_replaced_control;
extern const struct control machine_plan_control;
extern const struct control sensor_onboarded_control;

/* Whether it is known that a resource provider is not registered (yet). */
bool provider_is_missing(const struct control_view *v);
/* The same of the provider that keeps plans of workspaces. */
bool provider_of_solutions_is_missing(const struct control_view *v);
/* How far the Arc agent can be reached; compliant: connected. */
struct verdict arc_connection(const struct control_view *v);
/* Whether the agent would install the MDE extension; compliant: it would. */
struct verdict arc_admits_extension(const struct control_view *v);
/* The same, and whether it is recent enough for it; an operator may have it tried. */
struct verdict arc_can_install(const struct control_view *v);
/* The same of whatever machine it is (azure_vm.c). */
struct verdict machine_connection(const struct control_view *v);
struct verdict machine_admits_extension(const struct control_view *v);
struct verdict machine_can_install(const struct control_view *v);
/*
 * Whether its extension is written by us where it lacks. Azure VMs are left to Defender for Cloud,
 * but for those that it leaves out, where the policy says so.
 */
bool extension_is_ours(const struct control_view *v);
/* The machine has no plan, or is about to lose it: it is not given a sensor. */
bool machine_plan_is_off(const struct control_view *v);
/* An Arc machine whose extensions have not been listed completely says nothing about them. */
enum reason extensions_unobserved(const struct control_view *v);

#endif
