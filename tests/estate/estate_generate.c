/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An estate document from a short specification, such as
 * "subscriptions=3,machines=300,legacy=20%,disconnected=10%,plan=P2"; estate_spec_help() lists the
 * keys. Shares are met exactly, by dealing each trait to so many machines of a shuffled fleet. The
 * same specification and seed give the same document.
 *
 * Subscriptions have the ids 30000000-0000-4000-8000-0000000000NN (hexadecimal), and there is one
 * client with all rights, whose id and secret the specification may set.
 */
#include "lib/base/rng.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate.h"
#include "tests/estate/estate_spec.h"

#include <stdio.h>
#include <string.h>

enum family { FAMILY_INBOX, FAMILY_LINUX, FAMILY_LEGACY, FAMILY_CLIENT, FAMILY_UNSUPPORTED };
enum link { LINK_CONNECTED, LINK_DISCONNECTED, LINK_EXPIRED, LINK_SHELL };
enum sensor { SENSOR_NONE, SENSOR_PROVISIONED, SENSOR_MOVED };

struct traits {
	unsigned char family, link, sensor;
	bool failing, connector, blocked, unreached, duplicated, vm;
};

#define AWS_ACCOUNT "123456789012"
#define GCP_PROJECT "987654321098"
/* Legacy agents of all subscriptions report to the workspace of the first. */
#define WORKSPACE_FORM "5f1c1a0e-0000-4000-8000-%012x"
#define LEGACY_WORKSPACE "5f1c1a0e-0000-4000-8000-000000000001"
/* One of so many machines has the Azure Monitor agent. */
#define MONITORED 10
#define RULE_FORM \
	"/subscriptions/" SUBSCRIPTION_FORM \
	"/resourceGroups/rg-logs/providers/Microsoft.Insights/dataCollectionRules/security-events"
#define SUBSCRIPTION_FORM "30000000-0000-4000-8000-%012x"

struct maker {
	const struct spec *spec;
	struct rng rng;
	struct traits *traits;
	unsigned *order;
};

/* --- dealing traits --- */

static void shuffle(struct maker *m)
{
	for (unsigned i = m->spec->machines; i > 1; i--) {
		unsigned k = (unsigned)rng_below(&m->rng, i);
		unsigned swapped = m->order[i - 1];

		m->order[i - 1] = m->order[k];
		m->order[k] = swapped;
	}
}

static unsigned part(const struct maker *m, unsigned share)
{
	return (unsigned)(((uint64_t)m->spec->machines * share + 500000) / 1000000);
}

/* The next `share` of the shuffled fleet gets the value; returns where to go on. */
static unsigned deal(
	struct maker *m, unsigned from, unsigned share, size_t offset, unsigned char value)
{
	unsigned to = from + part(m, share);

	for (; from < to && from < m->spec->machines; from++)
		((unsigned char *)&m->traits[m->order[from]])[offset] = value;
	return from;
}

static void deal_all(struct maker *m)
{
	const struct spec *s = m->spec;
	unsigned at;

#define TO(member) offsetof(struct traits, member)
	shuffle(m);
	at = deal(m, 0, s->linux_share, TO(family), FAMILY_LINUX);
	at = deal(m, at, s->legacy, TO(family), FAMILY_LEGACY);
	at = deal(m, at, s->clients, TO(family), FAMILY_CLIENT);
	deal(m, at, s->unsupported, TO(family), FAMILY_UNSUPPORTED);
	shuffle(m);
	at = deal(m, 0, s->disconnected, TO(link), LINK_DISCONNECTED);
	at = deal(m, at, s->expired, TO(link), LINK_EXPIRED);
	deal(m, at, s->shells, TO(link), LINK_SHELL);
	shuffle(m);
	at = deal(m, 0, s->provisioned, TO(sensor), SENSOR_PROVISIONED);
	deal(m, at, s->moved, TO(sensor), SENSOR_MOVED);
	shuffle(m);
	deal(m, 0, s->failing, TO(failing), true);
	shuffle(m);
	deal(m, 0, s->connector, TO(connector), true);
	shuffle(m);
	deal(m, 0, s->blocked, TO(blocked), true);
	shuffle(m);
	deal(m, 0, s->unreached, TO(unreached), true);
	/* Drawn only where it is asked for: what was made without it stays the same. */
	if (s->duplicates > 0)
		shuffle(m);
	deal(m, 0, s->duplicates, TO(duplicated), true);
	if (s->vms > 0)
		shuffle(m);
	deal(m, 0, s->vms, TO(vm), true);
#undef TO
}

/* --- systems, as agents report them --- */

static const struct system {
	enum family family;
	const char *sku, *version;
} systems[] = {
	{FAMILY_INBOX, "Windows Server 2019 Datacenter", "10.0.17763.3650"},
	{FAMILY_INBOX, "Windows Server 2019 Standard", "10.0.17763.6414"},
	{FAMILY_INBOX, "Windows Server 2022 Datacenter", "10.0.20348.2700"},
	{FAMILY_INBOX, "Windows Server 2022 Datacenter Azure Edition", "10.0.20348.2762"},
	{FAMILY_INBOX, "Windows Server 2025 Standard", "10.0.26100.4946"},
	{FAMILY_LEGACY, "Windows Server 2012 R2 Standard", "6.3.9600.21620"},
	{FAMILY_LEGACY, "Windows Server 2016 Datacenter", "10.0.14393.7428"},
	{FAMILY_LEGACY, "Windows Server 2012 R2 Datacenter", "6.3.9600.22221"},
	{FAMILY_LEGACY, "Windows Server 2016 Standard", "10.0.14393.693"},
	{FAMILY_LINUX, "Ubuntu 22.04.4 LTS", "6.5.0-1025-azure"},
	{FAMILY_LINUX, "Ubuntu 24.04.1 LTS", "6.8.0-49-generic"},
	{FAMILY_LINUX, "Red Hat Enterprise Linux 8.10 (Ootpa)", "4.18.0-553.el8_10.x86_64"},
	{FAMILY_LINUX, "Red Hat Enterprise Linux 9.4 (Plow)", "5.14.0-427.el9.x86_64"},
	{FAMILY_LINUX, "Debian GNU/Linux 12 (bookworm)", "6.1.0-27-amd64"},
	{FAMILY_LINUX, "SUSE Linux Enterprise Server 15 SP5", "5.14.21-150500.55.83-default"},
	{FAMILY_LINUX, "Oracle Linux Server 8.9", "5.15.0-204.147.6.2.el8uek.x86_64"},
	{FAMILY_LINUX, "Rocky Linux 9.4 (Blue Onyx)", "5.14.0-427.el9.x86_64"},
	{FAMILY_LINUX, "Amazon Linux 2023", "6.1.115-126.197.amzn2023.x86_64"},
	{FAMILY_CLIENT, "Windows 10 Enterprise", "10.0.19045.4529"},
	{FAMILY_CLIENT, "Windows 11 Enterprise", "10.0.26100.2161"},
	{FAMILY_UNSUPPORTED, "Windows Server 2012 Datacenter", "6.2.9200.24710"},
	{FAMILY_UNSUPPORTED, "Rocky Linux 10.0 (Red Quartz)", "6.12.0-55.el10.x86_64"},
	{FAMILY_UNSUPPORTED, "Red Hat Enterprise Linux CoreOS 416.94 (OpenShift)",
		"5.14.0-427.el9.x86_64"},
};

static const struct system *pick_system(struct maker *m, enum family family)
{
	size_t n = 0, nth;

	for (size_t i = 0; i < ARRAY_LEN(systems); i++)
		n += systems[i].family == family;
	nth = rng_below(&m->rng, n);
	for (size_t i = 0; i < ARRAY_LEN(systems); i++)
		if (systems[i].family == family && nth-- == 0)
			return &systems[i];
	return &systems[0];
}

static bool is_supported(const struct traits *t)
{
	return t->family == FAMILY_INBOX || t->family == FAMILY_LINUX || t->family == FAMILY_LEGACY;
}

static bool is_vm(const struct traits *t)
{
	return t->vm && !t->connector && t->link != LINK_SHELL;
}

/* The nth part of "a+b+c", counted round. */
static char *pick_part(const char *list, uint64_t nth)
{
	size_t n = 1;

	for (const char *p = list; *p != '\0'; p++)
		n += *p == '+';
	for (nth %= n; nth > 0; nth--)
		list += strcspn(list, "+") + 1;
	return xstrndup(list, strcspn(list, "+"));
}

/* --- machines --- */

/* Moved from the next subscription, or where there is but one from another group of it. */
static json_t *old_home(const struct maker *m, const struct traits *t, const char *machine)
{
	unsigned index = (unsigned)(t - m->traits);

	return json_sprintf("/subscriptions/" SUBSCRIPTION_FORM
			    "/resourceGroups/old/providers/Microsoft.HybridCompute/machines/%s",
		(index + 1) % m->spec->subscriptions + 1, machine);
}

static json_t *sensor_extension(const struct maker *m, const struct traits *t, const char *machine)
{
	const char *type = t->family == FAMILY_LINUX ? "MDE.Linux" : "MDE.Windows";
	json_t *x = json_pack("{s:s, s:s, s:b, s:s}", "type", type, "version",
		t->family == FAMILY_LINUX ? "1.0.10.4" : "1.0.11.2", "unified",
		t->family == FAMILY_LEGACY, "since", "-30d");

	if (t->sensor == SENSOR_MOVED)
		json_object_set_new(x, "owner", old_home(m, t, machine));
	return x;
}

static json_t *legacy_agent(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", "MicrosoftMonitoringAgent",
		"name", "MMAExtension", "version", "1.0.18069.0", "workspace", LEGACY_WORKSPACE,
		"message",
		"Latest configuration has been applied to the Microsoft Monitoring Agent.", "since",
		"-400d");
}

static json_t *extensions_of(struct maker *m, const struct traits *t, const char *machine)
{
	json_t *list = json_array();

	if (t->link == LINK_SHELL || !is_supported(t))
		return list;
	if (t->family == FAMILY_LEGACY)
		json_array_append_new(list, legacy_agent());
	if (t->sensor != SENSOR_NONE)
		json_array_append_new(list, sensor_extension(m, t, machine));
	else if (t->family == FAMILY_LEGACY && rng_below(&m->rng, 2) == 0)
		/* Pushed by the old route: provisioned, and not the unified solution. */
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:b, s:s}", "type", "MDE.Windows", "version",
				"1.0.9.4", "unified", 0, "since", "-500d"));
	return list;
}

static json_t *outcomes_of(struct maker *m, const struct traits *t)
{
	static const char *const windows[] = {"13", "12", "39", "4"};
	static const char *const linux_codes[] = {"5", "12", "52", "23"};
	uint64_t nth = rng_below(&m->rng, 4);
	mdc_autofree char *told = NULL;

	if (!t->failing)
		return NULL;
	if (m->spec->codes[0] != '\0') {
		told = pick_part(m->spec->codes, rng_next(&m->rng));
		return json_pack("[s]", told);
	}
	return json_pack("[s]", t->family == FAMILY_LINUX ? linux_codes[nth] : windows[nth]);
}

static void add_tags(struct maker *m, const struct traits *t, json_t *machine)
{
	static const char *const stages[] = {"prod", "prod", "test", "lab"};
	const char *stage = stages[rng_below(&m->rng, ARRAY_LEN(stages))];
	bool aws = rng_below(&m->rng, 2) == 0;
	json_t *tags = json_pack("{s:s}", "env", stage);

	if (t->connector) {
		json_object_set_new(machine, "kind", json_string(aws ? "AWS" : "GCP"));
		json_object_set_new(machine, "cloud", json_string(aws ? "AWS" : "GCP"));
		json_object_set_new(tags, "MDFCSecurityConnector", json_string("true"));
		json_object_set_new(tags, "Cloud", json_string(aws ? "AWS" : "GCP"));
		json_object_set_new(tags, aws ? "AccountId" : "ProjectId",
			json_string(aws ? AWS_ACCOUNT : "contoso-servers"));
		if (!aws)
			json_object_set_new(tags, "ProjectNumber", json_string(GCP_PROJECT));
	}
	json_object_set_new(machine, "tags", tags);
}

static void add_link(struct maker *m, const struct traits *t, json_t *machine)
{
	static const char *const words[] = {
		"Connected", "Disconnected", "Expired", "NeverConnected"};
	uint64_t hours = 1 + rng_below(&m->rng, 700);

	if (t->link == LINK_EXPIRED)
		hours = 46 * 24 + rng_below(&m->rng, 2000);
	json_object_set_new(machine, "status", json_string(words[t->link]));
	json_object_set_new(machine, "since", json_sprintf("-%lluh", (unsigned long long)hours));
}

/*
 * Azure's own: instead of not being connected it is stopped; every other one that Defender for
 * Cloud does not reach was made of an own image; every fifth is an instance of a scale set.
 */
static void make_vm(const struct traits *t, unsigned index, json_t *machine)
{
	json_t *vm = json_object();

	if (t->unreached && index % 2 == 0)
		json_object_set_new(vm, "ownImage", json_true());
	if (t->blocked)
		json_object_set_new(vm, "allowExtensions", json_false());
	if (index % 5 == 0)
		json_object_set_new(vm, "scaleSet", json_string("vmss-web"));
	json_object_set_new(machine, "vm", vm);
	json_object_set_new(machine, "status",
		json_string(t->link == LINK_CONNECTED ? "running" : "deallocated"));
	json_object_del(machine, "allow");
}

/* Through a rule of its subscription, to the workspace there. */
static void add_monitor(
	const struct maker *m, const struct traits *t, unsigned index, json_t *machine)
{
	json_t *extensions = json_object_get(machine, "extensions");

	if (!m->spec->workspaces || t->link == LINK_SHELL || index % MONITORED != 0)
		return;
	json_array_append_new(extensions,
		json_pack("{s:s, s:s}", "type",
			t->family == FAMILY_LINUX ? "AzureMonitorLinuxAgent"
						  : "AzureMonitorWindowsAgent",
			"since", "-90d"));
	json_object_set_new(machine, "rules",
		json_pack("[o]", json_sprintf(RULE_FORM, index % m->spec->subscriptions + 1)));
}

static json_t *make_machine(struct maker *m, unsigned index)
{
	const struct traits *t = &m->traits[index];
	const struct system *system = pick_system(m, t->family);
	mdc_autofree char *region = pick_part(m->spec->regions, index);
	unsigned group = index / m->spec->subscriptions % m->spec->groups;
	json_t *outcomes = outcomes_of(m, t);
	json_t *machine;
	char name[32];

	snprintf(name, sizeof(name),
		t->connector       ? "i-%017x"
			: is_vm(t) ? "vm-%06u"
				   : "srv-%06u",
		index + 1);
	machine = json_pack("{s:s, s:o, s:s}", "name", name, "group",
		json_sprintf("rg-%02u", group + 1), "location", region);
	add_link(m, t, machine);
	if (t->link != LINK_SHELL) {
		json_object_set_new(machine, "os", json_string(system->sku));
		json_object_set_new(machine, "osVersion", json_string(system->version));
	}
	add_tags(m, t, machine);
	json_object_set_new(machine, "extensions", extensions_of(m, t, name));
	add_monitor(m, t, index, machine);
	if (outcomes != NULL)
		json_object_set_new(machine, "outcomes", outcomes);
	if (t->blocked)
		json_object_set_new(machine, "allow",
			json_pack("[{s:s, s:s}]", "publisher", "Microsoft.Azure.Monitor", "type",
				t->family == FAMILY_LINUX ? "AzureMonitorLinuxAgent"
							  : "AzureMonitorWindowsAgent"));
	/* Of machines that its connectors made, each is known to Defender for Cloud. */
	if (t->unreached && !(t->connector && m->spec->connectors))
		json_object_set_new(machine, "reached", json_false());
	if (is_vm(t))
		make_vm(t, index, machine);
	return machine;
}

/* --- subscriptions --- */

static json_t *make_plan(const struct maker *m, unsigned index)
{
	int plan = m->spec->plan;

	if (plan == SPEC_PLAN_MIXED)
		plan = (int)(index % 3);
	if (plan == SPEC_PLAN_NONE)
		return json_pack("{s:s}", "tier", "Free");
	return json_pack("{s:s, s:s, s:s}", "tier", "Standard", "subPlan",
		plan == SPEC_PLAN_P1 ? "P1" : "P2", "since", "-60d");
}

/* As set up once: the Arc agent is installed, the rest is left to whoever migrates. */
static json_t *make_connectors(void)
{
	json_t *aws = json_pack("{s:s, s:{s:s}, s:{s:s}, s:{s:b, s:s}, s:{s:b}}", "offeringType",
		"DefenderForServersAws", "defenderForServers", "cloudRoleArn",
		"arn:aws:iam::" AWS_ACCOUNT ":role/DefenderForCloud-DefenderForServers", "subPlan",
		"type", "P1", "arcAutoProvisioning", "enabled", 1, "cloudRoleArn",
		"arn:aws:iam::" AWS_ACCOUNT ":role/DefenderForCloud-ArcAutoProvisioning",
		"mdeAutoProvisioning", "enabled", 0);
	json_t *gcp = json_pack("{s:s, s:{s:s, s:s}, s:{s:s}, s:{s:b}}", "offeringType",
		"DefenderForServersGcp", "defenderForServers", "workloadIdentityProviderId",
		"defender-for-servers", "serviceAccountEmailAddress",
		"microsoft-defender-for-servers@contoso.test", "subPlan", "type", "P1",
		"arcAutoProvisioning", "enabled", 1);

	return json_pack("[{s:s, s:s, s:s, s:s, s:i, s:[{s:s, s:{s:s}}, o]}, {s:s, s:s, s:s, s:s, "
			 "s:i, s:[o]}]",
		"name", "aws-servers", "group", "rg-01", "cloud", "AWS", "account", AWS_ACCOUNT,
		"scanHours", 1, "offerings", "offeringType", "CspmMonitorAws",
		"nativeCloudConnection", "cloudRoleArn",
		"arn:aws:iam::" AWS_ACCOUNT ":role/CspmMonitorAws", aws, "name", "gcp-servers",
		"group", "rg-01", "cloud", "GCP", "account", GCP_PROJECT, "scanHours", 1,
		"offerings", gcp);
}

static json_t *make_workspaces(unsigned index)
{
	return json_pack("[{s:o, s:s, s:o}]", "name", json_sprintf("logs-%03u", index + 1), "group",
		"rg-logs", "customer", json_sprintf(WORKSPACE_FORM, index + 1));
}

static json_t *make_rules(unsigned index)
{
	return json_pack("[{s:s, s:s, s:[o]}]", "name", "security-events", "group", "rg-logs",
		"destinations",
		json_sprintf("/subscriptions/" SUBSCRIPTION_FORM
			     "/resourceGroups/rg-logs/providers/"
			     "Microsoft.OperationalInsights/workspaces/logs-%03u",
			index + 1, index + 1));
}

static json_t *make_subscription(struct maker *m, unsigned index)
{
	const struct spec *s = m->spec;
	json_t *sub = json_pack("{s:o, s:o, s:s, s:b, s:o}", "id",
		json_sprintf(SUBSCRIPTION_FORM, index + 1), "name",
		json_sprintf("subscription-%03u", index + 1), "tenant", s->tenant, "modern",
		s->modern, "plan", make_plan(m, index));
	json_t *machines = json_array();

	json_object_set_new(sub, "managementGroup",
		s->management_groups > 0 ? json_sprintf("mg-%02u", index % s->management_groups + 1)
					 : json_string(s->tenant));
	if (!s->modern || s->integration)
		json_object_set_new(sub, "settings",
			json_pack("{s:b, s:b, s:b}", "WDATP", s->integration,
				"WDATP_UNIFIED_SOLUTION", s->unified,
				"WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW", s->exclude_linux));
	if (s->vulnerability)
		json_object_set_new(sub, "vulnerabilityProvider", json_string("MdeTvm"));
	if (s->connectors)
		json_object_set_new(sub, "connectors", make_connectors());
	if (s->workspaces) {
		json_object_set_new(sub, "workspaces", make_workspaces(index));
		json_object_set_new(sub, "rules", make_rules(index));
	}
	if (!s->registered)
		json_object_set_new(sub, "providers", json_pack("[s]", "Microsoft.HybridCompute"));
	for (unsigned i = index; i < s->machines; i += s->subscriptions)
		json_array_append_new(machines, make_machine(m, i));
	json_object_set_new(sub, "machines", machines);
	return sub;
}

/* The root group bears the tenant's id. */
static json_t *make_groups(const struct maker *m)
{
	const char *tenant = m->spec->tenant;
	json_t *groups = json_pack("[{s:s, s:s, s:s}]", "name", tenant, "displayName",
		"Tenant Root Group", "tenant", tenant);

	for (unsigned i = 0; i < m->spec->management_groups; i++)
		json_array_append_new(groups,
			json_pack("{s:o, s:s, s:s}", "name", json_sprintf("mg-%02u", i + 1),
				"tenant", tenant, "parent", tenant));
	return groups;
}

/* --- behaviour --- */

static json_t *paced(const struct maker *m, unsigned low_s, unsigned high_s)
{
	uint64_t low = (uint64_t)low_s * 1000 / m->spec->pace;
	uint64_t high = (uint64_t)high_s * 1000 / m->spec->pace;

	return json_pack("[o, o]", json_sprintf("%llums", (unsigned long long)(low > 0 ? low : 1)),
		json_sprintf("%llums", (unsigned long long)(high > 0 ? high : 1)));
}

/* Arc names no pace, and clients then take 60 seconds; a faster world has to name its own. */
static json_t *poll_pace(const struct maker *m)
{
	return json_string(m->spec->pace >= 60 ? "1s" : m->spec->pace > 1 ? "5s" : "0s");
}

static json_t *device_lag(const struct maker *m)
{
	long long most = (long long)m->spec->device_lag.ms;

	if (most == 0)
		return paced(m, 3600, 93600);
	return json_pack("[o, o]", json_sprintf("%lldms", most / 2), json_sprintf("%lldms", most));
}

static json_t *make_behaviour(const struct maker *m)
{
	const struct spec *s = m->spec;

	return json_pack(
		"{s:{s:s}, s:{s:s, s:o, s:o, s:o, s:o}, s:{s:b, s:o, s:o}, s:{s:f, s:o, s:o}, "
		"s:{s:[s, o]}, s:{s:o}, s:{s:o}, s:{s:o}, "
		"s:{s:o, s:f}}",
		"throttling", "model", spec_throttling_words[s->throttling], "operations", "shape",
		spec_shape_words[s->shape], "create", paced(m, 130, 300), "update",
		paced(m, 60, 240), "delete", paced(m, 120, 300), "retryAfter", poll_pace(m),
		"deployer", "on", s->deployer, "first", paced(m, 1800, 43200), "later",
		paced(m, 300, 3600), "heartbeat", "flapping", s->flapping / 1e6, "up",
		paced(m, 14400, 259200), "down", paced(m, 1200, 28800), "graph", "lag", "0s",
		json_sprintf("%lldms", (long long)s->lag.ms), "activity", "delay",
		paced(m, 180, 1200), "plan", "write", paced(m, 5, 9), "providers", "registration",
		paced(m, 30, 240), "devices", "lag", device_lag(m), "resourceIds",
		1 - s->unnamed / 1e6);
}

/* --- devices of Defender for Endpoint, beyond those that machines are --- */

static json_t *make_devices(const struct maker *m)
{
	json_t *devices = json_array();

	for (unsigned i = 0; i < m->spec->direct; i++)
		json_array_append_new(devices,
			json_pack("{s:o, s:s, s:s}", "name",
				json_sprintf("direct-%06u.contoso.test", i + 1), "os",
				i % 3 == 2 ? "Ubuntu" : "WindowsServer2019", "version",
				i % 3 == 2 ? "30.124082.4.0" : "10.8760.20348.2461"));
	for (unsigned i = 0; i < m->spec->machines; i++) {
		if (!m->traits[i].duplicated)
			continue;
		json_array_append_new(devices,
			json_pack("{s:o, s:s, s:s, s:s}", "name",
				json_sprintf(m->traits[i].connector    ? "i-%017x"
						: is_vm(&m->traits[i]) ? "vm-%06u"
								       : "srv-%06u",
					i + 1),
				"os",
				m->traits[i].family == FAMILY_LINUX ? "Ubuntu"
								    : "WindowsServer2019",
				"health", "Inactive", "seen", "-40d"));
	}
	return devices;
}

static json_t *make_document(struct maker *m)
{
	const struct spec *s = m->spec;
	json_t *subscriptions = json_array();

	deal_all(m);
	for (unsigned i = 0; i < s->subscriptions; i++)
		json_array_append_new(subscriptions, make_subscription(m, i));
	return json_pack(
		"{s:[{s:s, s:s, s:s}], s:[{s:s, s:s, s:s, s:[s], s:[{s:s, s:s}]}], s:o, s:o, s:o, "
		"s:o}",
		"tenants", "id", s->tenant, "name", "Contoso", "domain", "contoso.test",
		"principals", "tenant", s->tenant, "client", s->client, "secret", s->secret,
		"applicationPermissions", "Machine.Read.All", "roles", "scope", "/", "role",
		"Owner", "managementGroups", make_groups(m), "subscriptions", subscriptions,
		"devices", make_devices(m), "behaviour", make_behaviour(m));
}

int estate_generate(const char *specification, uint64_t seed, struct wall start,
	struct diags *diags, json_t **ret)
{
	struct spec spec;
	struct maker m = {.spec = &spec};

	(void)start; /* every time in the document counts from the estate's own start */
	if (!spec_read(specification, diags, &spec))
		return -EINVAL;
	rng_seed(&m.rng, seed);
	m.traits = xcalloc(spec.machines + 1, sizeof(*m.traits));
	m.order = xcalloc(spec.machines + 1, sizeof(*m.order));
	for (unsigned i = 0; i < spec.machines; i++)
		m.order[i] = i;
	*ret = make_document(&m);
	assert(*ret != NULL);
	free(m.traits);
	free(m.order);
	return 0;
}
