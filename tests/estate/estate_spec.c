/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/estate_spec.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBSCRIPTIONS_MAX 10000
#define MACHINES_MAX 1000000

enum key_type { KEY_COUNT, KEY_SHARE, KEY_SWITCH, KEY_WORD, KEY_TEXT, KEY_DURATION };

const char *const spec_throttling_words[] = {"off", "bucket", "bucket-and-tenant", "hourly", NULL};
const char *const spec_shape_words[] = {"async", "location", "body", "bare", NULL};
static const char *const plan_words[] = {"none", "P1", "P2", "mixed", NULL};

static const struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	size_t limit; /* of a count, or the room of a text */
	const char *const *words;
	const char *help;
} keys[] = {
#define AT(member) offsetof(struct spec, member)
	{"subscriptions", KEY_COUNT, AT(subscriptions), SUBSCRIPTIONS_MAX, NULL,
		"subscriptions, 1 when left out"},
	{"machines", KEY_COUNT, AT(machines), MACHINES_MAX, NULL,
		"Arc machines in all of them together, 10 when left out"},
	{"groups", KEY_COUNT, AT(groups), 1000, NULL, "resource groups in each, 2 when left out"},
	{"management-groups", KEY_COUNT, AT(management_groups), 1000, NULL,
		"management groups under the tenant's root, over which subscriptions are dealt"},
	{"regions", KEY_TEXT, AT(regions), 200, NULL, "locations, as in westeurope+eastus"},
	{"linux", KEY_SHARE, AT(linux_share), 0, NULL, "machines with a supported Linux, 30%"},
	{"legacy", KEY_SHARE, AT(legacy), 0, NULL,
		"machines on 2012 R2 or 2016 with the Log Analytics based sensor, 10%"},
	{"clients", KEY_SHARE, AT(clients), 0, NULL, "machines with Windows 10 or 11"},
	{"unsupported", KEY_SHARE, AT(unsupported), 0, NULL,
		"machines with Windows Server 2012, too new a Linux, or OpenShift"},
	{"disconnected", KEY_SHARE, AT(disconnected), 0, NULL, "machines that are not connected"},
	{"expired", KEY_SHARE, AT(expired), 0, NULL, "machines not connected for over 45 days"},
	{"shells", KEY_SHARE, AT(shells), 0, NULL, "machines that never connected"},
	{"provisioned", KEY_SHARE, AT(provisioned), 0, NULL,
		"supported machines that have the sensor already"},
	{"moved", KEY_SHARE, AT(moved), 0, NULL,
		"supported machines whose sensor names another subscription"},
	{"failing", KEY_SHARE, AT(failing), 0, NULL, "machines whose handler fails"},
	{"codes", KEY_TEXT, AT(codes), 100, NULL,
		"with which codes, as in 12+13; by their system when left out"},
	{"connector", KEY_SHARE, AT(connector), 0, NULL, "machines of AWS and GCP connectors"},
	{"connectors", KEY_SWITCH, AT(connectors), 0, NULL,
		"on or off: each subscription has the connectors that made them, with little "
		"switched on"},
	{"workspaces", KEY_SWITCH, AT(workspaces), 0, NULL,
		"on or off: each subscription has a Log Analytics workspace, to which legacy "
		"agents "
		"and some Azure Monitor agents report"},
	{"blocked", KEY_SHARE, AT(blocked), 0, NULL, "machines whose agent blocks extensions"},
	{"unreached", KEY_SHARE, AT(unreached), 0, NULL,
		"machines that Defender for Cloud's own deployer does not reach"},
	{"flapping", KEY_SHARE, AT(flapping), 0, NULL, "machines that come and go"},
	{"direct", KEY_COUNT, AT(direct), MACHINES_MAX, NULL,
		"servers onboarded to Defender for Endpoint directly, which are in no "
		"subscription"},
	{"duplicates", KEY_SHARE, AT(duplicates), 0, NULL,
		"machines of which Defender for Endpoint knows a second, older device"},
	{"unnamed", KEY_SHARE, AT(unnamed), 0, NULL,
		"machines whose device does not name them by their resource id"},
	{"vms", KEY_SHARE, AT(vms), 0, NULL,
		"machines that are Azure VMs; of those that are not reached half have an own "
		"image"},
	{"plan", KEY_WORD, AT(plan), 0, plan_words, "none, P1, P2 or mixed: the servers plan"},
	{"integration", KEY_SWITCH, AT(integration), 0, NULL, "on or off: setting WDATP"},
	{"unified", KEY_SWITCH, AT(unified), 0, NULL, "on or off: setting WDATP_UNIFIED_SOLUTION"},
	{"exclude-linux", KEY_SWITCH, AT(exclude_linux), 0, NULL,
		"on or off: setting WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"},
	{"vulnerability", KEY_SWITCH, AT(vulnerability), 0, NULL,
		"on or off: the vulnerability provider is set"},
	{"modern", KEY_SWITCH, AT(modern), 0, NULL,
		"on or off: settings were never set, and WDATP brings its opt-ins along"},
	{"registered", KEY_SWITCH, AT(registered), 0, NULL,
		"on or off: Microsoft.Security is registered"},
	{"deployer", KEY_SWITCH, AT(deployer), 0, NULL,
		"on or off: Defender for Cloud deploys by itself"},
	{"throttling", KEY_WORD, AT(throttling), 0, spec_throttling_words,
		"off, bucket, bucket-and-tenant or hourly"},
	{"shape", KEY_WORD, AT(shape), 0, spec_shape_words,
		"async, location, body or bare: of long-running operations"},
	{"lag", KEY_DURATION, AT(lag), 0, NULL, "most lag of Resource Graph, 30s when left out"},
	{"device-lag", KEY_DURATION, AT(device_lag), 0, NULL,
		"how long until Defender for Endpoint shows a new sensor, at most; 26h by pace"},
	{"pace", KEY_COUNT, AT(pace), 100000, NULL,
		"everything that takes its time there is this many times faster"},
	{"tenant", KEY_TEXT, AT(tenant), 40, NULL, "the tenant's id"},
	{"client", KEY_TEXT, AT(client), 40, NULL, "the client that may do everything"},
	{"secret", KEY_TEXT, AT(secret), 100, NULL, "its secret"},
#undef AT
};

static const struct spec defaults = {
	.subscriptions = 1,
	.machines = 10,
	.groups = 2,
	.linux_share = 300000,
	.legacy = 100000,
	.plan = SPEC_PLAN_NONE,
	.throttling = 1,
	.modern = false,
	.deployer = true,
	.registered = true,
	.pace = 1,
	.lag = {30000},
	.tenant = "10000000-0000-4000-8000-000000000001",
	.client = "20000000-0000-4000-8000-000000000001",
	.secret = "estate-secret",
	.regions = "westeurope+northeurope",
};

static bool read_share(const char *text, unsigned *ret)
{
	char *end;
	double share = strtod(text, &end);

	if (end == text || !(share >= 0))
		return false;
	if (*end == '%') {
		share /= 100;
		end++;
	}
	if (*end != '\0' || share > 1)
		return false;
	*ret = (unsigned)(share * 1000000 + 0.5);
	return true;
}

static bool read_word(const char *text, const char *const *words, int *ret)
{
	for (int i = 0; words[i] != NULL; i++)
		if (str_equal_nocase(words[i], text)) {
			*ret = i;
			return true;
		}
	return false;
}

static bool read_value(const struct key *k, const char *text, void *at)
{
	uint64_t number;

	switch (k->type) {
	case KEY_COUNT:
		if (str_parse_u64(text, k->limit, &number) != 0)
			return false;
		*(unsigned *)at = (unsigned)number;
		return true;
	case KEY_SHARE: return read_share(text, at);
	case KEY_SWITCH: return str_parse_bool(text, at) == 0;
	case KEY_WORD: return read_word(text, k->words, at);
	case KEY_TEXT: return *text != '\0' && str_copy(at, k->limit, text);
	case KEY_DURATION: return str_parse_duration(text, at) == 0;
	}
	return false;
}

static void read_pair(const char *pair, struct diags *diags, struct spec *ret)
{
	size_t name = strcspn(pair, "=");

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strlen(keys[i].name) != name || strncmp(keys[i].name, pair, name) != 0)
			continue;
		if (pair[name] != '=' ||
			!read_value(&keys[i], pair + name + 1, (char *)ret + keys[i].offset))
			diag_error(
				diags, NULL, 0, "\"%s\": %s: %s", pair, keys[i].name, keys[i].help);
		return;
	}
	diag_error(diags, NULL, 0, "\"%s\": the key is not known", pair);
}

static void check(struct diags *diags, const struct spec *s)
{
	if (s->subscriptions == 0 || s->groups == 0 || s->pace == 0)
		diag_error(diags, NULL, 0, "subscriptions, groups and pace must be at least 1");
	if (s->linux_share + s->legacy + s->clients + s->unsupported > 1000000)
		diag_error(diags, NULL, 0,
			"linux, legacy, clients and unsupported are more than 100%% together");
	if (s->disconnected + s->expired + s->shells > 1000000)
		diag_error(diags, NULL, 0,
			"disconnected, expired and shells are more than 100%% together");
	if (s->provisioned + s->moved > 1000000)
		diag_error(diags, NULL, 0, "provisioned and moved are more than 100%% together");
	if (!str_is_guid(s->tenant) || !str_is_guid(s->client))
		diag_error(diags, NULL, 0, "tenant and client must be GUIDs");
}

bool spec_read(const char *text, struct diags *diags, struct spec *ret)
{
	size_t errors = diags->errors;

	*ret = defaults;
	while (*text != '\0') {
		size_t len = strcspn(text, ", \n");
		mdc_autofree char *pair = xstrndup(text, len);

		if (len > 0)
			read_pair(pair, diags, ret);
		text += len;
		text += strspn(text, ", \n");
	}
	check(diags, ret);
	return diags->errors == errors;
}

int estate_spec_help(struct buf *ret)
{
	static const char *const forms[] = {"N", "SHARE", "on|off", "WORD", "TEXT", "DURATION"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char head[64];

		snprintf(head, sizeof(head), "%s=%s", keys[i].name, forms[keys[i].type]);
		buf_addf(ret, "  %-26s %s\n", head, keys[i].help);
	}
	return buf_failed(ret) ? -EFBIG : 0;
}
