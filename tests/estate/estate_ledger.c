/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: what was asked of the estate, and what a good client would not have asked.
 *
 * Refused: an answer that a correct client would not have met (a malformed request, an early retry,
 * a second write while its own first one runs). A missing right, an absent resource, another
 * caller's operation and whatever a fault brought about are not counted against anyone.
 *
 * Repeated: what is written is in effect already. Not when another hand brought that about between
 * the client's reading and its writing, which nobody can know; who wrote there before cannot say
 * so.
 *
 * Forbidden: outside the rules of writing. The kinds, which "allowedWrites" may permit:
 *
 *   plan, setting, extension, auto-provisioning, connector, solution
 *                   writes that are not on the list
 *   connector-made  a connector is made that was not there
 *   lowering        protection is lowered
 *   machine-plan    a machine's own plan is lowered
 *   sensor-delete   a working sensor that names its own machine is deleted
 *   agent-delete    a legacy agent is deleted before the new sensor is there
 *   unread          the resource was not read shortly before
 *   parallel        a second operation on a machine whose first one runs
 *   fight           something another hand reverted is set for the third time
 */
#include "tests/estate/estate_ledger.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"

#include <string.h>

#define OFFENCES_MAX 1000

struct ledger *ledger_new(void)
{
	struct ledger *l = xcalloc(1, sizeof(*l));

	map_init(&l->dealings, free);
	map_init(&l->fights, free);
	l->statuses = json_object();
	l->offences = json_array();
	return l;
}

struct ledger *ledger_free(struct ledger *l)
{
	if (l == NULL)
		return NULL;
	map_fini(&l->dealings);
	map_fini(&l->fights);
	json_decref(l->statuses);
	json_decref(l->offences);
	free(l);
	return NULL;
}

/* --- machines --- */

static bool can_be_protected(const struct machine *m)
{
	return m->os != OS_PATH_NONE && !str_equal(machine_status(m), "Expired");
}

static bool is_legacy(const struct machine *m)
{
	const struct resource *sensor = machine_sensor(m);

	return m->os == OS_PATH_UNIFIED &&
		!(sensor != NULL && machine_is_protected(m) && extension_is_unified(sensor->doc));
}

void ledger_count(struct estate *e, struct machine_counts *ret)
{
	*ret = (struct machine_counts){0};
	for (size_t i = 0; i < e->subscriptions.n; i++) {
		const struct subscription *sub = e->subscriptions.v[i];
		const struct vec *machines = &sub->kinds[RESOURCE_MACHINE];

		for (size_t k = 0; k < machines->n; k++) {
			const struct machine *m = machine_of(machines->v[k]);

			if (m == NULL || !can_be_protected(m))
				continue;
			ret->all++;
			ret->protected += machine_is_protected(m);
			ret->legacy += is_legacy(m);
		}
	}
}

void ledger_opening(struct estate *e)
{
	ledger_count(e, &e->ledger->before);
}

/* --- offences --- */

static bool is_allowed(const struct estate *e, const char *rule)
{
	size_t i;
	json_t *name;

	json_array_foreach (e->allowed_writes, i, name)
		if (str_equal(json_string_value(name), rule))
			return true;
	return false;
}

static void note(struct call *c, const char *kind, const char *rule, const char *reason)
{
	struct ledger *l = c->e->ledger;
	char at[WALL_TEXT_SIZE];

	if (json_array_size(l->offences) >= OFFENCES_MAX)
		return;
	wall_format(c->now, at);
	json_array_append_new(l->offences,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "at", at, "kind", kind,
			"rule", rule, "method", c->request->method, "path",
			c->path != NULL ? c->path : "", "reason", reason, "client",
			c->who != NULL ? c->who->client : "", "correlationId", c->correlation_id));
}

static void forbid(struct call *c, const char *rule, const char *reason)
{
	if (is_allowed(c->e, rule))
		return;
	c->e->ledger->forbidden++;
	note(c, "forbidden", rule, reason);
}

/* --- rules of writing, one function for each kind of resource --- */

static bool is_text(const json_t *doc, const char *path, const char *text)
{
	return str_equal_nocase(tree_text(doc, path), text);
}

static const json_t *plan_extension(const json_t *doc, const char *name)
{
	size_t i;
	json_t *x;

	json_array_foreach (tree_get(doc, "properties.extensions"), i, x)
		if (is_text(x, "name", name))
			return x;
	return NULL;
}

static bool turns_extension_off(const json_t *current, const json_t *wanted)
{
	size_t i;
	json_t *x;

	json_array_foreach (tree_get(wanted, "properties.extensions"), i, x) {
		const json_t *was = plan_extension(current, tree_text(x, "name"));

		if (was != NULL && is_text(was, "isEnabled", "True") &&
			is_text(x, "isEnabled", "False"))
			return true;
	}
	return false;
}

static void judge_plan(struct call *c, const struct resource *current, const json_t *wanted)
{
	const json_t *was = current->doc;

	if (!str_equal_nocase(current->name, "VirtualMachines"))
		forbid(c, "plan", "the plan is not the one for servers");
	if (is_text(was, "properties.pricingTier", "Standard") &&
		is_text(wanted, "properties.pricingTier", "Free"))
		forbid(c, "lowering", "the plan is turned off");
	else if (is_text(was, "properties.subPlan", "P2") &&
		is_text(wanted, "properties.subPlan", "P1"))
		forbid(c, "lowering", "the plan goes from P2 to P1");
	else if (turns_extension_off(was, wanted))
		forbid(c, "lowering", "an extension of the plan is turned off");
}

static void judge_machine_plan(struct call *c, const json_t *wanted)
{
	const struct resource *plan = subscription_plan(c->sub);

	if (wanted == NULL || plan == NULL ||
		!is_text(plan->doc, "properties.pricingTier", "Standard"))
		return;
	if (is_text(wanted, "properties.pricingTier", "Free") ||
		is_text(plan->doc, "properties.subPlan", "P2"))
		forbid(c, "machine-plan", "the machine gets less than its subscription has");
}

static void judge_setting(
	struct call *c, const struct resource *current, const char *id, const json_t *wanted)
{
	const char *name = strrchr(id, '/') + 1;
	bool on = tree_is_true(wanted, "properties.enabled");
	bool was_on = current != NULL && tree_is_true(current->doc, "properties.enabled");

	if (str_equal_nocase(name, "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW")) {
		if (on && !was_on)
			forbid(c, "lowering", "Linux is excluded from the integration");
	} else if (!str_equal_nocase(name, "WDATP") &&
		!str_equal_nocase(name, "WDATP_UNIFIED_SOLUTION")) {
		forbid(c, "setting", "the setting is not one of the integration's");
	} else if (!on && was_on) {
		forbid(c, "lowering", "the setting is turned off");
	}
}

static bool names_own_machine(const struct resource *extension)
{
	return extension->parent != NULL &&
		is_text(extension->doc, "properties.settings.azureResourceId",
			extension->parent->id);
}

static void judge_deletion(struct call *c, const struct resource *current)
{
	const char *type = tree_text(current->doc, "properties.type");
	const struct machine *m = machine_of(current->parent);

	if (extension_is_sensor(current->doc)) {
		if (is_text(current->doc, "properties.provisioningState", "Succeeded") &&
			names_own_machine(current))
			forbid(c, "sensor-delete", "a working sensor is deleted");
	} else if (str_equal_nocase(type, "MicrosoftMonitoringAgent") ||
		str_equal_nocase(type, "OmsAgentForLinux")) {
		if (m == NULL || !machine_is_protected(m) || is_legacy(m))
			forbid(c, "agent-delete", "the new sensor is not there yet");
	} else {
		forbid(c, "extension", "the extension is not one of those that may be deleted");
	}
}

static void judge_extension(struct call *c, const struct resource *current, const json_t *wanted)
{
	const struct machine *m = call_machine(c);
	const char *owner = tree_text(wanted, "properties.settings.azureResourceId");
	const struct operation *running = m != NULL ? operation_running(m, NULL) : NULL;

	if (running != NULL && operation_is_by(running, c->who))
		forbid(c, "parallel", "another operation of this caller runs on the machine");
	if (wanted == NULL) {
		judge_deletion(c, current);
		return;
	}
	if (!extension_is_sensor(wanted) || str_equal(c->request->method, "PATCH"))
		forbid(c, "extension", "only MDE.Windows and MDE.Linux may be written, by PUT");
	else if (m != NULL && owner != NULL && !str_equal_nocase(owner, m->res.id))
		forbid(c, "lowering", "the sensor is given another machine's id");
	else if (m != NULL && m->os == OS_PATH_UNIFIED && current != NULL &&
		extension_is_unified(current->doc) && !extension_is_unified(wanted))
		forbid(c, "lowering", "the unified solution is given up");
}

/* Every offering goes back as it came, but for the one of Defender for Servers. */
static bool loses_offering(const json_t *was, const json_t *wanted)
{
	json_t *before = tree_get(was, "properties.offerings"), *offering, *other;
	json_t *after = tree_get(wanted, "properties.offerings");
	size_t i, k;

	json_array_foreach (before, i, offering) {
		json_auto_t *plain = json_copy(offering);
		bool found = false;

		json_object_del(plain, "description");
		json_array_foreach (after, k, other)
			found = found || json_equal(plain, other) ||
				(offering == connector_servers(was) &&
					other == connector_servers(wanted));
		if (!found)
			return true;
	}
	return false;
}

static bool lowers_servers(const json_t *was, const json_t *wanted)
{
	static const char *const switches[] = {"arcAutoProvisioning.enabled",
		"mdeAutoProvisioning.enabled", "vaAutoProvisioning.enabled", "vmScanners.enabled"};

	for (size_t i = 0; i < ARRAY_LEN(switches); i++)
		if (tree_is_true(was, switches[i]) && !tree_is_true(wanted, switches[i]))
			return true;
	return (is_text(was, "subPlan.type", "P2") || is_text(was, "subPlan", "P2")) &&
		!is_text(wanted, "subPlan.type", "P2");
}

static void judge_connector(struct call *c, const struct resource *current, const json_t *wanted)
{
	if (current == NULL)
		forbid(c, "connector-made", "a connector is made");
	else if (wanted == NULL)
		forbid(c, "connector", "a connector is deleted");
	else if (loses_offering(current->doc, wanted))
		forbid(c, "connector", "an offering of somebody else is changed or switched off");
	else if (lowers_servers(connector_servers(current->doc), connector_servers(wanted)))
		forbid(c, "lowering", "a plan or switch of the connector is turned off");
}

static bool connector_is_in_effect(const json_t *current, const json_t *wanted)
{
	json_auto_t *was = json_deep_copy(tree_get(current, "properties.offerings"));
	size_t i;
	json_t *offering;

	json_array_foreach (was, i, offering)
		json_object_del(offering, "description");
	return json_equal(was, tree_get(wanted, "properties.offerings"));
}

static void judge(struct call *c, const struct resource *current, enum resource_kind kind,
	const char *id, const json_t *wanted)
{
	switch (kind) {
	case RESOURCE_PRICING: judge_plan(c, current, wanted); break;
	case RESOURCE_MACHINE_PRICING: judge_machine_plan(c, wanted); break;
	case RESOURCE_SETTING: judge_setting(c, current, id, wanted); break;
	case RESOURCE_VA_SETTING:
		if (wanted == NULL)
			forbid(c, "lowering", "the vulnerability provider is removed");
		break;
	case RESOURCE_CONNECTOR: judge_connector(c, current, wanted); break;
	case RESOURCE_SOLUTION:
		if (wanted == NULL || !is_text(wanted, "plan.product", "OMSGallery/Security"))
			forbid(c, "solution",
				"a solution is removed, or another one than the plan");
		break;
	case RESOURCE_EXTENSION: judge_extension(c, current, wanted); break;
	case RESOURCE_AUTO_PROVISIONING:
		forbid(c, "auto-provisioning", "the retired agent's setting is written");
		break;
	case RESOURCE_SUBSCRIPTION:
	case RESOURCE_GROUP:
	case RESOURCE_PROVIDER:
	case RESOURCE_LOCK:
	case RESOURCE_WORKSPACE:
	case RESOURCE_RULE:
	case RESOURCE_ASSOCIATION:
	case RESOURCE_MACHINE:
	case RESOURCE_POLICY:
	case RESOURCE_OTHER:
	case RESOURCE_KIND_N_: break;
	}
}

/* --- writes that change nothing --- */

static bool same_or_unsaid(const json_t *current, const json_t *wanted, const char *path)
{
	const char *text = tree_text(wanted, path);

	return text == NULL || str_equal_nocase(text, tree_text(current, path));
}

static bool plan_is_in_effect(const json_t *current, const json_t *wanted)
{
	size_t i;
	json_t *x;

	if (!same_or_unsaid(current, wanted, "properties.pricingTier") ||
		!same_or_unsaid(current, wanted, "properties.subPlan") ||
		!same_or_unsaid(current, wanted, "properties.enforce"))
		return false;
	json_array_foreach (tree_get(wanted, "properties.extensions"), i, x) {
		const json_t *was = plan_extension(current, tree_text(x, "name"));
		const json_t *bag = json_object_get(x, "additionalExtensionProperties");

		if (was == NULL || !is_text(was, "isEnabled", tree_text(x, "isEnabled")) ||
			(json_is_object(bag) &&
				!json_equal(bag,
					json_object_get(was, "additionalExtensionProperties"))))
			return false;
	}
	return true;
}

/* What counts for a sensor: whose it is, and on older servers that it is the unified one. */
static bool sensor_is_in_effect(const struct resource *current, const json_t *wanted)
{
	const struct machine *m = machine_of(current->parent);

	if (m != NULL && m->os == OS_PATH_UNIFIED &&
		extension_is_unified(wanted) != extension_is_unified(current->doc))
		return false;
	return is_text(current->doc, "properties.provisioningState", "Succeeded") &&
		same_or_unsaid(current->doc, wanted, "properties.settings.azureResourceId") &&
		same_or_unsaid(current->doc, wanted, "properties.forceUpdateTag");
}

static bool is_in_effect(
	const struct resource *current, enum resource_kind kind, const json_t *wanted)
{
	const json_t *doc = current != NULL ? current->doc : NULL;

	if (kind == RESOURCE_PROVIDER)
		return is_text(doc, "registrationState", "Registered") ||
			is_text(doc, "registrationState", "Registering");
	if (doc == NULL || wanted == NULL)
		return false;
	if (kind == RESOURCE_PRICING)
		return plan_is_in_effect(doc, wanted);
	if (kind == RESOURCE_SETTING)
		return json_equal(tree_get(doc, "properties.enabled"),
			tree_get(wanted, "properties.enabled"));
	if (kind == RESOURCE_EXTENSION)
		return extension_is_sensor(doc) && sensor_is_in_effect(current, wanted);
	if (kind == RESOURCE_CONNECTOR)
		return connector_is_in_effect(doc, wanted);
	return kind == RESOURCE_VA_SETTING || kind == RESOURCE_SOLUTION;
}

/* --- reading before writing --- */

/* What one client did with one resource. */
struct dealing {
	struct wall read;
	bool written;
};

static struct dealing *dealing_with(struct call *c, const char *id)
{
	mdc_autofree char *key = xasprintf("%s %s", c->who->client, id);
	struct dealing *d = map_get(&c->e->ledger->dealings, key);

	if (d == NULL) {
		d = xcalloc(1, sizeof(*d));
		map_set(&c->e->ledger->dealings, key, d);
	}
	return d;
}

static struct wall read_at(struct call *c, const char *id)
{
	mdc_autofree char *key = xasprintf("%s %s", c->who->client, id);
	const struct dealing *d = map_get(&c->e->ledger->dealings, key);

	return d != NULL ? d->read : WALL_UNSET;
}

/* Of the resource itself, the list that it is in, or the machine that shows its extensions. */
static struct wall last_read(struct call *c, const char *id, enum resource_kind kind)
{
	mdc_autofree char *up = xstrdup(id);
	struct wall at = read_at(c, up);

	for (unsigned levels = kind == RESOURCE_EXTENSION ? 2 : 1; levels > 0; levels--) {
		struct wall above;

		*strrchr(up, '/') = '\0';
		above = read_at(c, up);
		if (wall_before(at, above))
			at = above;
	}
	return at;
}

static bool was_seen(struct call *c, struct wall read)
{
	return wall_is_set(read) &&
		wall_since(c->now, read).ms <= c->e->knobs.ledger.read_within.ms;
}

/* --- fights --- */

struct fight {
	unsigned returns; /* times that it was set again after another hand */
	bool reverted;
};

static struct fight *fight_over(struct ledger *l, const char *id)
{
	struct fight *f = map_get(&l->fights, id);

	if (f == NULL) {
		f = xcalloc(1, sizeof(*f));
		map_set(&l->fights, id, f);
	}
	return f;
}

void ledger_meddled(struct estate *e, const char *id)
{
	fight_over(e->ledger, id)->reverted = true;
}

static void judge_fight(struct call *c, const char *id)
{
	struct fight *f = map_get(&c->e->ledger->fights, id);

	if (f == NULL || !f->reverted)
		return;
	f->reverted = false;
	if (++f->returns >= 3)
		forbid(c, "fight", "another hand reverted it twice already");
}

void ledger_write(struct call *c, const struct resource *current, enum resource_kind kind,
	const char *id, const json_t *wanted)
{
	struct ledger *l = c->e->ledger;
	struct wall read = last_read(c, id, kind);
	bool seen = was_seen(c, read);
	struct dealing *own = dealing_with(c, id);

	l->writes++;
	if (is_in_effect(current, kind, wanted) &&
		(own->written || !seen || !wall_before(read, current->changed))) {
		l->repeated++;
		note(c, "repeated", "in-effect", "what is written is in effect already");
	}
	own->written = true;
	if (kind != RESOURCE_PROVIDER && !seen)
		forbid(c, "unread", "the resource was not read shortly before");
	judge_fight(c, id);
	judge(c, current, kind, id, wanted);
}

/* --- answers --- */

static bool is_one_of(const char *code, const char *const *codes)
{
	for (; *codes != NULL; codes++)
		if (str_equal(code, *codes))
			return true;
	return false;
}

/* Wrong configuration or missing rights: no fault of the client's. */
static bool is_denied(const struct call *c, int status)
{
	static const char *const login[] = {"AADSTS7000215", "AADSTS7000222", "AADSTS700016",
		"AADSTS90002", "AADSTS700027", "AADSTS70021", "AADSTS700212", "IdentityNotFound",
		"SeveralIdentities", "Challenge", "MSIS9607", "MSIS9622", NULL};
	static const char *const arm[] = {"InvalidAuthenticationTokenTenant", "ScopeLocked",
		"ReadOnlyDisabledSubscription", "MissingSubscriptionRegistration", NULL};

	return c->login ? is_one_of(c->error_code, login)
			: status == 403 || is_one_of(c->error_code, arm);
}

static bool is_absent(const struct call *c, int status)
{
	if (c->defender)
		return str_equal(c->error_code, "ResourceNotFound");
	return c->route != NULL && status == 404 &&
		!str_equal(c->error_code, "InvalidResourceType");
}

/* Answers to Resource Graph queries that depend on the estate, not on the query. */
static bool is_graph_limit(const struct call *c)
{
	const char *body = c->answer->reply.body;

	return c->route != NULL && c->route->api->owner == API_GRAPH && body != NULL &&
		(strstr(body, "ResponsePayloadTooLarge") != NULL ||
			strstr(body, "NoValidSubscriptionsInQueryRequest") != NULL);
}

static const char *offence_of(const struct call *c, int status)
{
	if (c->early)
		return "retried before its Retry-After was over";
	if (status == 429)
		return NULL;
	if (c->own_conflict)
		return "written while the caller's own write was in progress";
	if (status < 400 || c->outcome || is_denied(c, status) || is_absent(c, status) ||
		is_graph_limit(c) || status == 409)
		return NULL;
	return c->error_code[0] != '\0' ? c->error_code : "refused";
}

static void count_status(struct ledger *l, int status)
{
	char key[16];
	json_t *n;

	snprintf(key, sizeof(key), "%d", status);
	n = json_object_get(l->statuses, key);
	if (n == NULL)
		json_object_set_new(l->statuses, key, json_integer(1));
	else
		json_integer_set(n, json_integer_value(n) + 1);
}

void ledger_request(struct call *c)
{
	struct ledger *l = c->e->ledger;
	int status = c->answer->reply.status;
	const char *offence;

	l->requests++;
	l->graph += c->route != NULL && c->route->api->owner == API_GRAPH;
	count_status(l, status);
	if (c->faulted) {
		l->faulted++;
		return;
	}
	if (c->who != NULL && str_equal(c->request->method, "GET") &&
		(status == 200 || status == 404))
		dealing_with(c, c->path)->read = c->now;
	l->throttled += status == 429;
	l->denied += status >= 400 && is_denied(c, status);
	offence = offence_of(c, status);
	if (offence != NULL) {
		l->refused++;
		note(c, "refused", c->error_code, offence);
	}
}
