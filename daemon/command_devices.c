/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/command.h"

static const char *unproven_because(enum devices_state state)
{
	switch (state) {
	case DEVICES_READ: return NULL;
	case DEVICES_UNREAD: return "it has not been read yet";
	case DEVICES_PARTIAL: return "the last list was not complete";
	case DEVICES_DENIED:
		return "no identity may read it: grant the application permission Machine.Read.All "
		       "of WindowsDefenderATP";
	case DEVICES_FAILED: return "it could not be read";
	}
	return NULL;
}

json_t *command_devices(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < devices_tenant_count(d->devices); i++) {
		struct devices_tenant t;

		devices_tenant(d->devices, i, &t);
		json_array_append_new(list,
			json_pack("{s:o, s:o, s:s, s:o, s:I, s:o}", "tenant", json_plain(t.tenant),
				"identity", json_plain(t.identity), "state",
				devices_state_word(t.state), "read", json_wall(t.read_at),
				"devices", (json_int_t)t.count, "error", json_or_null(t.error)));
	}
	return list;
}

json_t *command_unproven(const struct daemon *d)
{
	size_t count = devices_tenant_count(d->devices);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		struct devices_tenant t;
		const char *why;

		devices_tenant(d->devices, i, &t);
		why = unproven_because(t.state);
		if (why != NULL)
			json_array_append_new(list,
				json_sprintf(
					"the inventory of Defender for Endpoint of tenant %s: %s",
					t.tenant, why));
	}
	if (count == 0)
		json_array_append_new(list,
			json_string("the inventory of Defender for Endpoint: none has been read; "
				    "it takes \"defender\" in the cloud of an identity, and a "
				    "first pass over machines"));
	return list;
}
