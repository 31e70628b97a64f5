/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device: one row of the inventory of Defender for Endpoint (GET /api/machines).
 *
 * A record is one block of memory of at most about 3 KiB, whatever the row holds: texts over their
 * caps are cut, or, where a cut one would be another name, left out. Clients, phones and devices
 * that were merged into others are no records: they are nobody's gap.
 */
#ifndef MDC_DEVICE_H
#define MDC_DEVICE_H

#include "lib/model/sensor.h"

#include <jansson.h>

/* Of an organisation with clients: what claims to be more is not taken. */
#define DEVICES_MAX 1000000

enum device_system { DEVICE_SYSTEM_UNKNOWN, DEVICE_WINDOWS, DEVICE_LINUX };

struct device {
	bool onboarded;
	bool suspected; /* isPotentialDuplication */
	enum device_system system : 8;
	enum sensor_health health : 8;
	struct wall last_seen; /* WALL_UNSET when not told */
	/* All in the same block; "" when not told. */
	const char *id;       /* lower case */
	const char *name;     /* computerDnsName */
	const char *platform; /* osPlatform */
	const char *version;  /* agentVersion */
	const char *resource; /* vmMetadata.resourceId, where it is one */
};

enum device_reading {
	DEVICE_READ,
	DEVICE_OF_NO_CONCERN, /* no server, merged into another, or excluded */
	DEVICE_UNREADABLE,    /* it has no id: something was not told */
};
/* Caller frees *ret, which is set with DEVICE_READ only. */
enum device_reading device_read(const json_t *row, struct device **ret) MDC_MUST_CHECK;

/* The better witness of one machine comes first: onboarded, seen later, then by id. */
int device_compare(const struct device *a, const struct device *b);
/* The part of a name before its domain, lower case; cut at `size`. */
void device_short_name(const char *name, char *ret, size_t size);

#endif
