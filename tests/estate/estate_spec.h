/* SPDX-License-Identifier: Apache-2.0 */
/* estate_spec: the short specification "key=value,key=value" that an estate document is made from.
 */
#ifndef MDC_TEST_ESTATE_SPEC_H
#define MDC_TEST_ESTATE_SPEC_H

#include "lib/base/diag.h"
#include "lib/base/tick.h"

enum spec_plan { SPEC_PLAN_NONE, SPEC_PLAN_P1, SPEC_PLAN_P2, SPEC_PLAN_MIXED };

/* Shares are in millionths of the machines. */
struct spec {
	unsigned subscriptions, machines, groups, management_groups;
	unsigned linux_share, legacy, clients, unsupported;
	unsigned disconnected, expired, shells;
	unsigned provisioned, moved, failing, connector, blocked, unreached, flapping;
	unsigned direct, duplicates, unnamed, vms;
	int plan, throttling, shape;
	bool integration, unified, exclude_linux, vulnerability, modern, deployer, registered,
		connectors, workspaces;
	unsigned pace;
	struct dur lag, device_lag; /* the second 0: as it is, by pace */
	char tenant[40], client[40], secret[100], regions[200], codes[100];
};

/* False, with diags, for a key or value that is not known. */
bool spec_read(const char *text, struct diags *diags, struct spec *ret);
extern const char *const spec_throttling_words[];
extern const char *const spec_shape_words[];

#endif
