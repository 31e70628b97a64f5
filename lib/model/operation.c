/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/operation.h"

#include "lib/base/str.h"

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

enum operation_phase operation_phase_from_word(const char *word)
{
	for (unsigned p = 0; p < PHASE_N_; p++)
		if (str_equal(word, phases[p]))
			return (enum operation_phase)p;
	return PHASE_N_;
}
