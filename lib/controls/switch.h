/* SPDX-License-Identifier: Apache-2.0 */
/*
 * switch: what the controls of Microsoft.Security/settings share: a setting that is wanted at the
 * value that protects, which is on for all but the exclusion of Linux machines.
 */
#ifndef MDC_SWITCH_H
#define MDC_SWITCH_H

#include "lib/controls/control.h"

/* How long "no such setting here" is believed before it is tried again. */
#define SWITCH_NOT_OFFERED_FOR DUR_DAYS(7)

enum reason switch_unobserved(const struct control_view *v);
struct verdict switch_assess(const struct control_view *v, enum setting_id setting);
size_t switch_differences(const struct control_view *v, enum setting_id setting,
	struct difference ret[DIFFERENCES_MAX]);
void switch_read(const struct control_view *v, enum setting_id setting, struct arm_request *ret);
enum compose_result switch_compose(const struct control_view *v, enum setting_id setting,
	const struct compose_input *in, struct arm_request *ret, struct verdict *ret_verdict);

#endif
