/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arc_agent: what older releases of the Arc agent do wrong with extensions, as their release notes
 * tell. What a version does not tell is no flaw.
 */
#ifndef MDC_ARC_AGENT_H
#define MDC_ARC_AGENT_H

#include "lib/base/base.h"

struct arc_agent_flaw {
	const char *below; /* it is mended from that release on */
	const char *text;
	bool prevents; /* the MDE extension cannot be installed with it */
	bool hangs;    /* its installation may stay in Creating for ever */
};

/* The worst flaw of that version, or NULL. */
const struct arc_agent_flaw *arc_agent_flaw(const char *version);
/* Whether an installation that hangs may hang for the agent's age. */
bool arc_agent_hangs(const char *version);

#endif
