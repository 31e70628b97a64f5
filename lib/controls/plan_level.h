/* SPDX-License-Identifier: Apache-2.0 */
/* plan_level: what tier and sub-plan of pricings/VirtualMachines amount to, in rising order. */
#ifndef MDC_PLAN_LEVEL_H
#define MDC_PLAN_LEVEL_H

#include "lib/base/base.h"

enum plan_level {
	PLAN_LEVEL_UNKNOWN, /* words that we do not know, or none */
	PLAN_LEVEL_OFF,
	PLAN_LEVEL_P1,
	PLAN_LEVEL_P2, /* also Standard without a sub-plan: the service's own default */
};
/* Either may be NULL or empty. */
enum plan_level plan_level_of(const char *tier, const char *sub_plan);

#endif
