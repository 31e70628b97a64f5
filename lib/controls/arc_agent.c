/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/arc_agent.h"

#include "lib/base/version.h"

/* The worst ones first: what an old agent has wrong, a still older one has, too. */
static const struct arc_agent_flaw flaws[] = {
	{"1.24", "a failed installation is not tried again", true, true},
	{"1.33", "an extension whose settings are written twice vanishes from Azure", true, true},
	{"1.40", "packages of the present size are not downloaded", true, true},
	{"1.44", "packages of the present size are not unpacked", true, true},
	{"1.46", "an installation whose download fails stays in Creating", false, true},
	{"1.61", "a slow installation is reported as failed before its time", false, false},
	{"1.67", "settings are lost when an installation is tried again", false, false},
};

const struct arc_agent_flaw *arc_agent_flaw(const char *version)
{
	for (size_t i = 0; version_is_one(version) && i < ARRAY_LEN(flaws); i++)
		if (version_compare(version, flaws[i].below) < 0)
			return &flaws[i];
	return NULL;
}

bool arc_agent_hangs(const char *version)
{
	const struct arc_agent_flaw *flaw = arc_agent_flaw(version);

	return flaw != NULL && flaw->hangs;
}
