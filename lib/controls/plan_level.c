/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/plan_level.h"

#include "lib/base/str.h"

enum plan_level plan_level_of(const char *tier, const char *sub_plan)
{
	if (str_equal_nocase(tier, "Free"))
		return PLAN_LEVEL_OFF;
	if (!str_equal_nocase(tier, "Standard"))
		return PLAN_LEVEL_UNKNOWN;
	if (str_empty(sub_plan) || str_equal_nocase(sub_plan, "P2"))
		return PLAN_LEVEL_P2;
	return str_equal_nocase(sub_plan, "P1") ? PLAN_LEVEL_P1 : PLAN_LEVEL_UNKNOWN;
}
