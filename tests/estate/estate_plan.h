/* SPDX-License-Identifier: Apache-2.0 */
/* estate_plan: the documents of Defender plans: what may be written, and what they become. */
#ifndef MDC_TEST_ESTATE_PLAN_H
#define MDC_TEST_ESTATE_PLAN_H

#include "tests/estate/estate_call.h"

#define PRICING_TYPE "Microsoft.Security/pricings"
#define SERVERS_PLAN "VirtualMachines"

/* The strings "True" and "False", in any case. */
bool plan_is_true_or_false(const json_t *value);
/* Both answer the call when they return false. */
bool plan_check_properties(struct call *c, const char *plan, const json_t *properties);
bool plan_check_extensions(struct call *c, const json_t *properties, const char *sub_plan);
/* "P1", "P2" (also where none is named), or NULL for a plan that is off. */
const char *plan_wanted_sub_plan(const json_t *properties);
const char *plan_coverage(const struct subscription *sub, bool standard);
/* How each extension fared: what failed is turned off in `doc`, and told in the answer. */
void plan_settle_extensions(struct call *c, const json_t *before, json_t *doc, json_t **ret_answer);

#endif
