/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor: what Defender for Endpoint's own inventory says of the sensor on a machine. It is read
 * only where an identity may read it, and lags behind by up to a day: a machine of which nothing is
 * known (struct machine, `sensor` NULL) is the normal case, and never the same as one that the
 * inventory does not show.
 */
#ifndef MDC_SENSOR_H
#define MDC_SENSOR_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

/* healthStatus, as far as it matters here. */
enum sensor_health {
	SENSOR_HEALTH_UNKNOWN,
	SENSOR_ACTIVE,
	SENSOR_IMPAIRED, /* ImpairedCommunication */
	SENSOR_MUTE,     /* Inactive, NoSensorData, NoSensorDataImpairedCommunication */
};

struct sensor_facts {
	bool listed;    /* the inventory, read completely, has the machine */
	bool onboarded; /* onboardingStatus */
	enum sensor_health health : 8;
	const char *version;   /* agentVersion; interned where the inventory keeps it */
	struct wall last_seen; /* lastSeen, WALL_UNSET when not told */
	struct wall at;        /* when the inventory was asked */
};

enum sensor_generation {
	SENSOR_GENERATION_UNKNOWN,
	SENSOR_LEGACY,  /* 10.3720.*: lives on the Log Analytics agent */
	SENSOR_CURRENT, /* 10.8*: the unified solution, or a part of Windows */
	SENSOR_OTHER,   /* other numbers: Linux, or versions that nobody has described */
};

enum sensor_health sensor_health_read(const char *word);
enum sensor_generation sensor_generation(const char *version);
/*
 * Older than what Defender for Cloud needs to see that device and machine are the same, which it
 * otherwise bills twice. `unified`: Windows Server 2012 R2 or 2016.
 */
bool sensor_is_outdated(const char *version, bool windows, bool unified);

#endif
