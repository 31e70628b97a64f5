/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

/* Without a run one is begun; whoever asks comes back with its number until it is finished. */
json_t *command_preflight(const struct command_context *c)
{
	struct preflight *p = c->daemon->preflight;
	uint64_t run = command_count(c, "run", 0, INT64_MAX);
	json_t *report;

	if (c->daemon->stopping)
		return command_fail(c, "failed", "", "the daemon is stopping");
	report = preflight_report(p, command_has(c, "run") ? run : preflight_begin(p));
	if (report == NULL)
		return command_fail(c, "changed", "mdcctl preflight",
			"that run was given up: another one began, or the configuration was "
			"reloaded");
	json_object_set_new(report, "unproven", command_unproven(c->daemon));
	return report;
}
