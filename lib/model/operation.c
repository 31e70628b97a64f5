/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/operation.h"

static const char *const phases[] = {
	[PHASE_READING] = "reading",
	[PHASE_INTENDED] = "intended",
	[PHASE_SENT] = "sent",
	[PHASE_RUNNING] = "running",
	[PHASE_ENDED] = "ended",
};

const char *operation_phase_word(enum operation_phase p)
{
	return p < PHASE_N_ ? phases[p] : "none";
}
