/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connector_described: what of a connector that the configuration describes is not there, or is
 * there otherwise. It is made only where nothing speaks against it, and never made anew.
 */
#ifndef MDC_CONNECTOR_DESCRIBED_H
#define MDC_CONNECTOR_DESCRIBED_H

#include "lib/controls/control.h"

/* NULL: nobody describes it. */
const struct connector_config *connector_description(const struct control_view *v);
/* Of one that is not there; DRIFTED: it may be made. */
struct verdict connector_judge_absent(
	const struct control_view *v, const struct connector_config *described);
/* Of one that is there: compliant, or what is another than described. */
struct verdict connector_judge_account(const struct connector_config *described,
	enum connector_cloud cloud, const char *hierarchy);
struct verdict connector_judge_identities(
	const struct connector_config *described, const struct connector_offering *offering);
json_t *connector_new_document(
	const struct control_view *v, const struct connector_config *described);
size_t connector_absent_differences(const struct control_view *v,
	const struct connector_config *described, struct difference ret[static DIFFERENCES_MAX]);
/* As a control's `refusal` and `by_hand`. */
enum reason connector_refusal(const struct control_view *v, const struct arm_error *error);
void connector_by_hand(const struct control_view *v, struct buf *ret);

#endif
