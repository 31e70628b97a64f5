/* SPDX-License-Identifier: Apache-2.0 */
/*
 * legacy: the sensor that lives on the Log Analytics agent, on Windows Server 2012 R2 and 2016: by
 * what it shows, and when the agent may go.
 *
 * Azure names no machine "legacy". An agent that was installed from a package or by other tools is
 * not seen at all; old workspaces and process names belong to no single machine, or need hunting.
 */
#ifndef MDC_LEGACY_H
#define MDC_LEGACY_H

#include "lib/controls/control.h"

/* The strongest one counts; rising. */
enum legacy_signal {
	LEGACY_NONE,
	LEGACY_AGENT,  /* the agent is there, and no unified solution that succeeded */
	LEGACY_ROUTE,  /* the extension was deployed without vNextEnabled */
	LEGACY_SENSOR, /* Defender for Endpoint's inventory shows the old sensor's version */
	LEGACY_SIGNAL_N_
};
enum legacy_signal legacy_signal(const struct machine *m);
/* In a sentence, for people. */
const char *legacy_signal_text(enum legacy_signal s);
/* The old sensor does not report any more: the machine is not protected, though not gone. */
bool legacy_is_mute(const struct machine *m);
/* The extension that brings the sensor is in place, on those systems with the unified solution. */
bool legacy_is_over(const struct machine *m);

/* Whether the new sensor is at work. */
enum sensor_proof {
	SENSOR_NOT_KNOWN, /* nobody can tell */
	SENSOR_NOT_SEEN,  /* the inventory can be read, and does not show it at work */
	SENSOR_PROVEN,
	SENSOR_ACCEPTED, /* not proven; the policy takes the extension's success for it */
};
enum sensor_proof sensor_proof(const struct control_view *v);

/* What becomes of the agent where legacy_is_over(); kind NOT_APPLICABLE: there is none. */
struct verdict legacy_agent_judge(const struct control_view *v);
/* The GET and the DELETE of the agent's extension, whatever its name. */
void legacy_agent_read(const struct control_view *v, struct arm_request *ret);
enum compose_result legacy_agent_compose(const struct control_view *v,
	const struct compose_input *in, struct arm_request *ret, struct verdict *ret_verdict);

#endif
