/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assess: what an item's situation is, from desired, observed, memory and now: the checks that are
 * the same for every control (scope, exclusion, visibility, completeness, prerequisites) around the
 * control's own.
 *
 * lib/engine/ decides: assess, the item's state machine, the plan, the rules of writing, the quota
 * and the life of a call. It does nothing itself.
 */
#ifndef MDC_ASSESS_H
#define MDC_ASSESS_H

#include "lib/controls/control.h"

/* `view->item` names the item; `view->scope` may be NULL (in no scope: not applicable). */
struct verdict assess(const struct control *control, const struct control_view *view);

#endif
