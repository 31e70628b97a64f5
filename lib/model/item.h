/* SPDX-License-Identifier: Apache-2.0 */
/*
 * item: one control on one resource, the unit that has a state. Plain, small (there are several for
 * each of 100,000 machines) and changed only by the daemon's one setter.
 */
#ifndef MDC_ITEM_H
#define MDC_ITEM_H

#include "lib/base/base.h"
#include "lib/base/tick.h"
#include "lib/model/reason.h"

/* STATE(NAME, "word", "what it means") */
#define ITEM_STATES(STATE) \
	STATE(UNKNOWN, "unknown", "not observed, or not completely") \
	STATE(COMPLIANT, "compliant", "observed as configured") \
	STATE(DRIFTED, "drifted", "observed different, ours to correct") \
	STATE(WAITING, "waiting", "will be corrected when its reason ends") \
	STATE(QUEUED, "queued", "a correction is planned and waits for its turn") \
	STATE(APPLYING, "applying", "a call is on the wire or its operation runs") \
	STATE(SETTLING, "settling", "accepted and not yet seen in effect") \
	STATE(BACKOFF, "backoff", "failed in a way that time can cure") \
	STATE(BLOCKED, "blocked", "will not get better by itself") \
	STATE(MANUAL, "manual", "a person must act") \
	STATE(EXCLUDED, "excluded", "left alone by configuration") \
	STATE(UNSUPPORTED, "unsupported", "cannot be protected this way") \
	STATE(UNREACHABLE, "unreachable", "the machine is not connected; no clock runs")

enum item_state {
#define ITEM_STATE_ENUM(name, word, meaning) ITEM_##name,
	ITEM_STATES(ITEM_STATE_ENUM)
#undef ITEM_STATE_ENUM
		ITEM_STATE_N_
};
const char *item_state_word(enum item_state s);
const char *item_state_meaning(enum item_state s);
/* ITEM_STATE_N_ when not known. */
enum item_state item_state_from_word(const char *word);

/* CONTROL(NAME, "word"): the order is the order of correction. */
#define CONTROL_IDS(CONTROL) \
	CONTROL(PROVIDER, "provider") \
	CONTROL(SERVERS_PLAN, "servers-plan") \
	CONTROL(MDE_INTEGRATION, "mde-integration") \
	CONTROL(UNIFIED_SOLUTION, "unified-solution") \
	CONTROL(LINUX_INTEGRATION, "linux-integration") \
	CONTROL(VULNERABILITY_MANAGEMENT, "vulnerability-management") \
	CONTROL(CONNECTOR, "connector") \
	CONTROL(WORKSPACE_PLAN, "workspace-plan") \
	CONTROL(ARC_CONNECTED, "arc-connected") \
	CONTROL(SUBSCRIPTION_MOVE, "subscription-move") \
	CONTROL(MDE_EXTENSION, "mde-extension") \
	CONTROL(LEGACY_REPLACED, "legacy-replaced") \
	CONTROL(MACHINE_PLAN, "machine-plan") \
	CONTROL(SENSOR_ONBOARDED, "sensor-onboarded")

enum control_id {
#define CONTROL_ENUM(name, word) CONTROL_##name,
	CONTROL_IDS(CONTROL_ENUM)
#undef CONTROL_ENUM
		CONTROL_N_
};

/* What a control is on. Those on one kind stand together, in the order of the kinds. */
enum resource_kind { ON_SUBSCRIPTION, ON_CONNECTOR, ON_WORKSPACE, ON_MACHINE, RESOURCE_KIND_N_ };
#define FIRST_CONNECTOR_CONTROL CONTROL_CONNECTOR
#define FIRST_WORKSPACE_CONTROL CONTROL_WORKSPACE_PLAN
#define FIRST_MACHINE_CONTROL CONTROL_ARC_CONNECTED
#define CONNECTOR_CONTROLS (FIRST_WORKSPACE_CONTROL - FIRST_CONNECTOR_CONTROL)
#define WORKSPACE_CONTROLS (FIRST_MACHINE_CONTROL - FIRST_WORKSPACE_CONTROL)
#define MACHINE_CONTROLS (CONTROL_N_ - FIRST_MACHINE_CONTROL)

static inline unsigned controls_first(enum resource_kind kind)
{
	return kind == ON_MACHINE      ? (unsigned)FIRST_MACHINE_CONTROL
		: kind == ON_WORKSPACE ? (unsigned)FIRST_WORKSPACE_CONTROL
		: kind == ON_CONNECTOR ? (unsigned)FIRST_CONNECTOR_CONTROL
				       : 0;
}

/* The one behind the last. */
static inline unsigned controls_end(enum resource_kind kind)
{
	return kind == ON_MACHINE ? (unsigned)CONTROL_N_
				  : controls_first((enum resource_kind)(kind + 1));
}

static inline enum resource_kind control_resource(enum control_id c)
{
	return c >= FIRST_MACHINE_CONTROL      ? ON_MACHINE
		: c >= FIRST_WORKSPACE_CONTROL ? ON_WORKSPACE
		: c >= FIRST_CONNECTOR_CONTROL ? ON_CONNECTOR
					       : ON_SUBSCRIPTION;
}

struct item {
	uint8_t control;         /* enum control_id */
	uint8_t state;           /* enum item_state */
	uint8_t reason;          /* enum reason */
	uint8_t attempts;        /* corrections that were carried out and failed since a success */
	uint8_t misses;          /* calls in a row that never got that far: throttled, refused */
	uint8_t corrections;     /* that took effect; drift after two of them is a conflict */
	bool applies : 1;        /* the control concerns this resource at all */
	bool stored : 1;         /* a row exists in the store */
	bool forced : 1;         /* an operator asked for it now: grace and backoff are over */
	bool summarised : 1;     /* its first observation has been reported */
	struct wall since;       /* in this state */
	struct wall due;         /* the state's deadline; WALL_NEVER where none */
	struct wall first_drift; /* start of the present trouble, WALL_UNSET when compliant */
	const char *detail;      /* interned, from outside and not escaped; "" if none */
	struct operation *operation; /* borrowed; the one that runs for this item, or NULL */
};

const char *control_word(enum control_id c);
/* CONTROL_N_ when not known. */
enum control_id control_from_word(const char *word);

#endif
