/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API of Defender for Endpoint: GET /api/machines, on a host of its own, with tokens for its
 * own audience, an application permission of its own, and limits of its own.
 *
 * A machine is a device from some hours after its sensor was installed ("devices": {"lag"}) for as
 * long as it has one, the legacy sensor included; what was there at the start is known at once.
 * A machine that was onboarded before it came to Azure is a device from the start, and the same
 * one with its extension. Whether a device names its machine's resource id is drawn by
 * "resourceIds". The document's "devices" are there besides: servers that were onboarded directly,
 * duplicates, shadows, clients.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_document.h"
#include "tests/estate/estate_tree.h"

#include <stdio.h>
#include <string.h>

#define DEVICES_PATH "/api/machines"
#define DEVICES_AUDIENCE "https://api.securitycenter.microsoft.com"
#define REPORTS_EVERY DUR_H(24)
#define INACTIVE_AFTER DUR_DAYS(7)

struct device {
	const struct tenant *tenant;
	const char *id, *name, *os, *version, *health, *onboarding, *machine, *merged_into;
	struct wall first_seen, last_seen;
	bool suspected;
};

/* --- of the document --- */

static const struct field device_fields[] = {
	{"id", FIELD_TEXT, offsetof(struct device, id)},
	{"name", FIELD_TEXT, offsetof(struct device, name), true},
	{"os", FIELD_TEXT, offsetof(struct device, os)},
	{"version", FIELD_TEXT, offsetof(struct device, version)},
	{"health", FIELD_TEXT, offsetof(struct device, health)},
	{"onboarding", FIELD_TEXT, offsetof(struct device, onboarding)},
	{"machine", FIELD_TEXT, offsetof(struct device, machine)},
	{"mergedInto", FIELD_TEXT, offsetof(struct device, merged_into)},
	{"seen", FIELD_TIME, offsetof(struct device, last_seen)},
	{"suspected", FIELD_BOOL, offsetof(struct device, suspected)},
};

static char *copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

/* As the API's: 40 hexadecimal digits. */
static void make_id(const struct estate *e, const char *of, char ret[static 41])
{
	mdc_autofree char *text = xasprintf("device %s", of);

	estate_sign(e, text, ret, 20);
}

void document_read_device(struct document *d, const char *path, const json_t *object)
{
	struct device spec = {.os = "WindowsServer2019",
		.version = "10.8760.20348.2461",
		.health = "Active",
		.onboarding = "Onboarded",
		.last_seen = d->e->start};
	struct map_entry *first;
	struct device *copied;
	char id[41];

	if (!reader_struct(&d->reader, path, object, device_fields, &spec))
		return;
	make_id(d->e, path, id);
	copied = xcalloc(1, sizeof(*copied));
	*copied = spec;
	map_for_each (&d->e->tenants, first) {
		copied->tenant = first->value;
		break;
	}
	copied->id = xstrdup(spec.id != NULL ? spec.id : id);
	copied->name = xstrdup(spec.name);
	copied->os = xstrdup(spec.os);
	copied->version = xstrdup(spec.version);
	copied->health = xstrdup(spec.health);
	copied->onboarding = xstrdup(spec.onboarding);
	copied->machine = copy(spec.machine);
	copied->merged_into = copy(spec.merged_into);
	copied->first_seen = spec.last_seen;
	vec_add(&d->e->devices, copied);
}

void device_free(void *device)
{
	struct device *d = device;

	free((char *)d->id);
	free((char *)d->name);
	free((char *)d->os);
	free((char *)d->version);
	free((char *)d->health);
	free((char *)d->onboarding);
	free((char *)d->machine);
	free((char *)d->merged_into);
	free(d);
}

/* --- of machines --- */

static const struct resource *old_agent(const struct machine *m)
{
	for (size_t i = 0; i < m->extensions.n; i++) {
		const struct resource *x = m->extensions.v[i];

		if (x != NULL &&
			str_equal_nocase(
				tree_text(x->doc, "properties.type"), "MicrosoftMonitoringAgent"))
			return x;
	}
	return NULL;
}

/* What brought the sensor, or NULL. */
static const struct resource *sensor_of(const struct machine *m, bool *ret_legacy)
{
	*ret_legacy = false;
	if (machine_is_protected(m))
		return machine_sensor(m);
	if (m->os != OS_PATH_UNIFIED)
		return NULL;
	*ret_legacy = true;
	return old_agent(m);
}

static const char *platform_of(const struct machine *m)
{
	static const struct {
		const char *sku, *platform;
	} names[] = {
		{"Windows Server 2012 R2", "WindowsServer2012R2"},
		{"Windows Server 2016", "WindowsServer2016"},
		{"Windows Server 2019", "WindowsServer2019"},
		{"Windows Server 2022", "WindowsServer2022"},
		{"Windows Server 2025", "WindowsServer2025"},
		{"Red Hat", "RedHatEnterpriseLinux"},
		{"Ubuntu", "Ubuntu"},
		{"Debian", "Debian"},
		{"SUSE", "SuSE"},
	};
	const char *sku = machine_system(m);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (sku != NULL && str_starts_nocase(sku, names[i].sku))
			return names[i].platform;
	return m->windows ? "WindowsServer2022" : "Linux";
}

/* The last of its reports, which come once a day at a time of its own. */
static struct wall last_report(const struct estate *e, const struct machine *m, struct wall first)
{
	int64_t phase =
		(int64_t)estate_share_of(e, m->res.id, "report") * (REPORTS_EVERY.ms / 1000000);
	struct wall until = e->now, last;

	if (m->sensor == SENSOR_IS_SILENT)
		until = m->silent_since;
	else if (!m->connected &&
		wall_parse(tree_text(m->res.doc, "properties.lastStatusChange"), &until) != 0)
		until = e->now;
	last.ms = until.ms - (until.ms - phase) % REPORTS_EVERY.ms;
	return wall_before(last, first) ? first : last;
}

/* False while the inventory does not know it. Texts are borrowed; `id` is for its id. */
static bool device_of(
	struct estate *e, const struct machine *m, char id[static 41], struct device *ret)
{
	bool legacy;
	const struct resource *sensor = sensor_of(m, &legacy);
	struct span lag = e->knobs.devices.lag;
	struct wall first;

	if ((sensor == NULL && !m->onboarded) || m->sensor == SENSOR_IS_FOREIGN)
		return false;
	first = sensor != NULL ? sensor->changed : e->start;
	if (wall_before(e->start, first) && !m->onboarded)
		first.ms += lag.low.ms +
			(int64_t)((double)(lag.high.ms - lag.low.ms) *
				estate_share_of(e, m->res.id, "lag") / 1e6);
	if (wall_before(e->now, first))
		return false;
	make_id(e, m->res.id, id);
	*ret = (struct device){.tenant = m->res.sub->tenant,
		.id = id,
		.name = m->vm ? m->res.name : tree_text(m->res.doc, "properties.machineFqdn"),
		.os = platform_of(m),
		.version = legacy    ? "10.3720.16299.2010"
			: m->windows ? "10.8760.20348.2461"
				     : "30.124082.4.0",
		.onboarding = "Onboarded",
		.first_seen = first,
		.last_seen = last_report(e, m, first)};
	if (ret->name == NULL)
		ret->name = m->res.name;
	if (!legacy && sensor != NULL &&
		estate_share_of(e, m->res.id, "resource id") < e->knobs.devices.id_share)
		ret->machine = m->res.id;
	ret->health =
		wall_since(e->now, ret->last_seen).ms > INACTIVE_AFTER.ms ? "Inactive" : "Active";
	return true;
}

/* --- answers --- */

static bool refuse(struct call *c, int status, const char *code, const char *text)
{
	snprintf(c->error_code, sizeof(c->error_code), "%s", code);
	answer_json(c, status,
		json_pack("{s:{s:s, s:s, s:s}}", "error", "code", code, "message", text, "target",
			c->correlation_id));
	return false;
}

static json_t *text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *time_of(struct wall t)
{
	char text[WALL_TEXT_SIZE];

	wall_format(t, text);
	return json_string(text);
}

static json_t *render_vm(const struct device *d)
{
	const char *subscription = d->machine != NULL ? strchr(d->machine + 1, '/') : NULL;

	if (subscription == NULL)
		return json_null();
	return json_pack("{s:n, s:s, s:s, s:s%}", "vmId", "cloudProvider", "Unknown", "resourceId",
		d->machine, "subscriptionId", subscription + 1, strcspn(subscription + 1, "/"));
}

static json_t *render(const struct device *d)
{
	json_t *doc = json_pack("{s:s, s:o, s:b, s:b, s:s, s:o, s:o, s:s, s:s, s:s}", "id", d->id,
		"mergedIntoMachineId", text_or_null(d->merged_into), "isPotentialDuplication",
		d->suspected, "isExcluded", false, "computerDnsName", d->name, "firstSeen",
		time_of(d->first_seen), "lastSeen", time_of(d->last_seen), "osPlatform", d->os,
		"osProcessor", "x64", "version", "Other");
	json_t *rest = json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:n, s:[], s:s, s:s, s:[], s:o}",
		"agentVersion", d->version, "healthStatus", d->health, "lastIpAddress", "10.1.2.3",
		"deviceValue", "Normal", "rbacGroupId", 0, "riskScore", "None", "exposureLevel",
		"Low", "aadDeviceId", "machineTags", "onboardingStatus", d->onboarding, "managedBy",
		"Unknown", "ipAddresses", "vmMetadata", render_vm(d));

	json_object_update(doc, rest);
	json_decref(rest);
	return doc;
}

/* One after the other, of the caller's tenant; those before `skip` are only counted. */
struct listing {
	struct call *c;
	size_t skip, top, seen;
	json_t *rows;
};

static void list_one(struct listing *l, const struct device *d)
{
	if (d->tenant != l->c->who->tenant)
		return;
	if (l->seen++ >= l->skip && json_array_size(l->rows) < l->top)
		json_array_append_new(l->rows, render(d));
}

static void list_machines(struct listing *l, const struct subscription *sub)
{
	const struct vec *machines = &sub->kinds[RESOURCE_MACHINE];

	for (size_t i = 0; i < machines->n; i++) {
		struct device d;
		char id[41];

		if (machines->v[i] != NULL &&
			device_of(l->c->e, machine_of(machines->v[i]), id, &d))
			list_one(l, &d);
	}
}

static bool read_count(struct call *c, const char *name, uint64_t most, size_t *ret)
{
	const char *text = call_parameter(c, name);
	uint64_t n;

	if (text == NULL)
		return true;
	if (str_parse_u64(text, most, &n) != 0)
		return refuse(c, 400, "BadRequest", "The query specified in the URI is not valid.");
	*ret = (size_t)n;
	return true;
}

/* Others exist ($filter); a client that sends them is answered what it did not ask for here. */
static bool check_parameters(struct call *c)
{
	struct map_entry *entry;

	map_for_each (&c->parameters, entry)
		if (!str_equal(entry->key, "$top") && !str_equal(entry->key, "$skip"))
			return refuse(c, 400, "BadRequest",
				"The query option is not served by the simulated API.");
	return true;
}

static void list_devices(struct call *c)
{
	struct estate *e = c->e;
	struct listing l = {.c = c, .top = e->knobs.devices.page_limit};
	json_t *doc;

	if (!check_parameters(c) || !read_count(c, "$top", e->knobs.devices.page_limit, &l.top) ||
		!read_count(c, "$skip", INT32_MAX, &l.skip))
		return;
	l.rows = json_array();
	for (size_t i = 0; i < e->subscriptions.n; i++)
		list_machines(&l, e->subscriptions.v[i]);
	for (size_t i = 0; i < e->devices.n; i++)
		list_one(&l, e->devices.v[i]);
	if (l.seen == 0) {
		json_decref(l.rows);
		refuse(c, 404, "ResourceNotFound", "No recent machines were found.");
		return;
	}
	doc = json_pack("{s:o, s:o}", "@odata.context",
		json_sprintf("https://%s/api/$metadata#Machines", e->defender_host), "value",
		l.rows);
	if (l.skip + json_array_size(l.rows) < l.seen && l.top > 0)
		json_object_set_new(doc, "@odata.nextLink",
			json_sprintf("https://%s" DEVICES_PATH "?$top=%zu&$skip=%zu",
				e->defender_host, l.top, l.skip + json_array_size(l.rows)));
	answer_json(c, 200, doc);
}

/* --- who may, and how often --- */

static bool identify(struct call *c)
{
	const char *header = http_headers_get(&c->request->headers, "Authorization");
	struct token_facts facts = {0};
	size_t len;

	if (header == NULL || !str_starts_nocase(header, "Bearer "))
		return refuse(c, 401, "Unauthorized", "The access token is missing.");
	switch (token_read(c->e, header + strlen("Bearer "), c->now, &facts)) {
	case TOKEN_AUDIENCE: break;
	case TOKEN_GOOD:
	case TOKEN_EXPIRED:
	case TOKEN_MALFORMED:
	case TOKEN_UNKNOWN:
		return refuse(c, 401, "Unauthorized", "The access token is not valid here.");
	}
	len = strlen(DEVICES_AUDIENCE);
	if (strncasecmp(facts.audience, DEVICES_AUDIENCE, len) != 0 ||
		(facts.audience[len] != '\0' && !str_equal(facts.audience + len, "/")) ||
		!wall_before(c->now, facts.expires))
		return refuse(c, 401, "Unauthorized", "The access token is not valid here.");
	c->who = facts.who;
	return true;
}

static bool permit(struct call *c)
{
	return c->who->reads_devices ||
		refuse(c, 403, "Forbidden",
			"The application does not have any of the required application permissions "
			"(Machine.Read.All, Machine.ReadWrite.All) to access the resource.");
}

/* So many in a window that begins with its first call. */
static bool admit_in(struct call *c, struct call_window *w, unsigned most, struct dur length)
{
	if (wall_since(c->now, w->began).ms >= length.ms)
		*w = (struct call_window){.began = c->now};
	if (w->calls++ < most)
		return true;
	c->early = w->calls > most + 1;
	answer_header(c, "Retry-After", "%lld",
		(long long)((length.ms - wall_since(c->now, w->began).ms + 999) / 1000));
	return refuse(c, 429, "TooManyRequests",
		"Too many requests: the maximum number of calls for this API was exceeded.");
}

static bool admit(struct call *c)
{
	struct principal *who = (struct principal *)c->who;

	return admit_in(c, &who->minute, c->e->knobs.devices.per_minute, DUR_MIN(1)) &&
		admit_in(c, &who->hour, c->e->knobs.devices.per_hour, DUR_H(1));
}

void devices_handle(struct call *c)
{
	if (!identify(c) || !admit(c) || !permit(c))
		return;
	if (!str_equal_nocase(c->path, DEVICES_PATH))
		refuse(c, 404, "NotFound", "The resource was not found.");
	else if (!str_equal(c->request->method, "GET"))
		refuse(c, 405, "MethodNotAllowed", "The method is not allowed.");
	else
		list_devices(c);
}
