/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assigned: what Azure Policy has to say to a control: an assignment that would make the same
 * correction, and an exemption that says "not here".
 */
#ifndef MDC_ASSIGNED_H
#define MDC_ASSIGNED_H

#include "lib/controls/control.h"

/* The assignment that is going to make the control's correction, or NULL. */
const struct assigned_policy *assigned_at_work(
	const struct control *control, const struct control_view *v);
/*
 * Whether an exemption that the scope honours excludes the view's resource from the control.
 * TRI_YES: *ret is it. TRI_UNKNOWN: *ret_missing names what is not known.
 */
enum tri assigned_exempts(const struct control *control, const struct control_view *v,
	const struct policy_exemption **ret, const char **ret_missing);
/* The first exemption of the subscription that the scope honours for anything, from *at on. */
const struct policy_exemption *assigned_honoured_next(const struct scope_config *scope,
	const struct subscription *s, struct wall now, size_t *at);

#endif
