/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/acting.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/inventory_document.h"
#include "lib/model/scope.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PACKAGES \
	"{\"value\":[{\"name\":\"default\",\"properties\":{" \
	"\"onboardingPackageWindows\":\"script-windows\"," \
	"\"onboardingPackageLinux\":\"script-linux\"}}]}"

/* --- the ports, wired as in daemon.c --- */

static void on_observe(void *ctx, const struct item_ref *ref)
{
	struct acting *a = ctx;

	(void)ref;
	a->observed++;
}

static void on_inquire(void *ctx, const struct item_ref *ref)
{
	executor_inquire(((struct acting *)ctx)->executor, ref);
}

static void on_withdraw(void *ctx, const struct item_ref *ref)
{
	executor_withdraw(((struct acting *)ctx)->executor, ref);
}

static void on_ended(void *ctx, const struct item_ref *ref, const char *outcome)
{
	executor_ended(((struct acting *)ctx)->executor, ref, outcome);
}

static void on_carry_out(void *ctx, const struct item_ref *ref)
{
	executor_carry_out(((struct acting *)ctx)->executor, ref);
}

static void on_limits(void *ctx, struct plan_limits *ret)
{
	struct acting *a = ctx;

	gate_limits(a->gate, ret);
	executor_limits(a->executor, ret);
}

/* --- its life --- */

static void serve(
	void *ctx, const struct http_request *request, struct mono now, struct fake_answer *ret)
{
	struct acting *a = ctx;

	(void)now;
	ret->delay = DUR_MS(20);
	if (strstr(request->url, "/oauth2/") != NULL) {
		ret->body = "{\"access_token\":\"tok-acting\",\"expires_in\":3599}";
	} else if (!a->mute && strstr(request->url, "/mdeOnboardings") != NULL) {
		ret->body = PACKAGES;
	} else {
		a->unscripted++;
		ret->result = TRANSPORT_CONNECT;
		ret->status = 0;
	}
}

static void make_config(struct acting *a)
{
	static char names[][16] = {"production", "second"}, policy[] = "servers";

	small_config_init(&a->small);
	a->config = &a->small.config;
	a->policy = (struct policy_config){
		.name = policy,
		.plan = PLAN_P2,
		.integration = true,
		.unified_solution = true,
		.deploy = DEPLOY_AFTER_GRACE,
		.grace = DUR_H(3),
		.first_grace = DUR_H(14),
		.legacy_replace = true,
	};
	for (size_t i = 0; i < ARRAY_LEN(a->scopes); i++)
		a->scopes[i] = (struct scope_config){
			.name = names[i],
			.identity = &a->small.identities[0],
			.policy = &a->policy,
			.mode = MODE_ENFORCE,
			.max_in_flight = 50,
		};
	a->scopes[0].everything = true;
	a->config->scopes = a->scopes;
	a->config->scope_count = 1;
	a->config->max_in_flight = 50;
	a->config->poll.subscriptions = DUR_MIN(15);
	a->config->poll.machines = DUR_MIN(5);
	a->config->impact.machines = 100;
	a->config->impact.subscriptions = 5;
}

void acting_start(struct acting *a)
{
	const struct world *w = &a->fake.world;
	struct reconciler_ports ports = {.ctx = a,
		.observe = on_observe,
		.inquire = on_inquire,
		.withdraw = on_withdraw,
		.ended = on_ended,
		.carry_out = on_carry_out,
		.limits = on_limits};
	struct diags diags = {0};
	bool lost;

	assert_int_equal(store_open(w, a->directory, &diags, &a->condition, &a->store), 0);
	diags_fini(&diags);
	lost = a->condition == STORE_BEHIND || a->condition == STORE_REPLACED;
	a->inventory = inventory_new();
	a->client = arm_client_new(w);
	a->gate = gate_new(w, a->store, a->directory, lost);
	a->reconciler = reconciler_new(w, a->store, a->inventory, &ports);
	a->executor = executor_new(w, a->store, a->client, a->gate, a->inventory);
	executor_bind(a->executor, a->reconciler);
	assert_int_equal(executor_restore(a->executor), 0);
	assert_int_equal(reconciler_restore(a->reconciler), 0);
	arm_client_configure(a->client, a->config);
	executor_configure(a->executor, a->config);
	reconciler_configure(a->reconciler, a->config);
}

void acting_stop(struct acting *a, bool politely)
{
	a->store = politely ? store_close(a->store) : store_abandon(a->store);
	a->executor = executor_free(a->executor);
	a->reconciler = reconciler_free(a->reconciler);
	a->gate = gate_free(a->gate);
	a->client = arm_client_free(a->client);
	a->inventory = inventory_free(a->inventory);
}

void acting_init(struct acting *a)
{
	*a = (struct acting){.vfs = vfs_crash_new(ACTING_VFS, 7)};
	fake_world_init(&a->fake, 11);
	a->fake.world.store_vfs = ACTING_VFS;
	memory_files_put(a->fake.world.secrets, SMALL_SECRET_FILE, "the-secret");
	fake_transport_serve(a->fake.world.transport, serve, a);
	/* In memory where there is such a place: a sync then costs nothing. */
	str_copy(a->directory, sizeof(a->directory),
		access("/dev/shm", W_OK) == 0 ? "/dev/shm/mdcd-acting-XXXXXX"
					      : "/tmp/mdcd-acting-XXXXXX");
	assert_non_null(mkdtemp(a->directory));
	make_config(a);
	acting_start(a);
}

static bool file_holds(const char *path, const char *text)
{
	char buffer[65536];
	FILE *f = fopen(path, "rb");
	size_t got = f != NULL ? fread(buffer, 1, sizeof(buffer), f) : 0;

	if (f != NULL)
		fclose(f);
	return memmem(buffer, got, text, strlen(text)) != NULL;
}

static void empty_directory(struct acting *a)
{
	DIR *d = opendir(a->directory);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		mdc_autofree char *path = xasprintf("%s/%s", a->directory, e->d_name);

		if (e->d_name[0] == '.')
			continue;
		assert_false(file_holds(path, "script-"));
		assert_int_equal(remove(path), 0);
	}
	closedir(d);
	assert_int_equal(rmdir(a->directory), 0);
}

void acting_fini(struct acting *a)
{
	if (a->store != NULL)
		acting_stop(a, true);
	assert_false(log_capture_holds(a->fake.capture, "tok-"));
	assert_false(log_capture_holds(a->fake.capture, "script-"));
	fake_world_fini(&a->fake);
	a->vfs = vfs_crash_free(a->vfs);
	empty_directory(a);
}

void acting_crash(struct acting *a, enum vfs_loss loss)
{
	acting_stop(a, false);
	vfs_crash_restart(a->vfs, loss);
	acting_start(a);
}

void acting_reload(struct acting *a)
{
	executor_withdraw_all(a->executor, REASON_RELOADED);
	arm_client_configure(a->client, a->config);
	executor_configure(a->executor, a->config);
	reconciler_configure(a->reconciler, a->config);
	gate_measure(a->gate, a->config, a->inventory);
}

/* --- what is observed --- */

static struct stamp stamp_now(const struct acting *a, enum fact_source source)
{
	return (struct stamp){.at = acting_now(a), .source = source};
}

static void note_at(struct acting *a, json_t *take_document, struct stamp stamp)
{
	struct noted noted;

	assert_non_null(take_document);
	assert_int_equal(inventory_note(a->inventory, take_document, stamp, &noted), 0);
	json_decref(take_document);
}

static void note_text(struct acting *a, char *take_text, enum fact_source source)
{
	note_at(a, json_loads(take_text, 0, NULL), stamp_now(a, source));
	free(take_text);
}

void acting_plan(struct acting *a, struct subscription *s, const char *tier, const char *sub_plan)
{
	note_text(a, acting_pricing_json(s, tier, sub_plan), SOURCE_ARM);
}

void acting_setting(
	struct acting *a, struct subscription *s, enum setting_id setting, enum tri enabled)
{
	bool changed;

	inventory_set_setting(
		a->inventory, s, setting, enabled, stamp_now(a, SOURCE_ARM), &changed);
}

static void list_settings(struct acting *a, struct subscription *s)
{
	bool listed[SETTING_N_];

	for (unsigned i = 0; i < SETTING_N_; i++)
		listed[i] = s->settings[i].enabled != TRI_UNKNOWN;
	inventory_settings_complete(a->inventory, s, listed, stamp_now(a, SOURCE_ARM));
}

struct subscription *acting_subscription(struct acting *a, unsigned number)
{
	mdc_autofree char *id = xasprintf("aaaaaaaa-0000-4000-8000-%012u", number);
	mdc_autofree char *name = xasprintf("sub-%u", number);
	struct subscription *s = inventory_add_subscription(a->inventory, id);
	struct arm_subscription facts = {
		.id = id, .name = name, .tenant = SMALL_TENANT, .state = "Enabled"};
	bool changed;

	inventory_set_subscription(a->inventory, s, &facts, stamp_now(a, SOURCE_ARM), &changed);
	s->visible = true;
	s->machines_stamp = stamp_now(a, SOURCE_GRAPH);
	acting_plan(a, s, "Standard", "P2");
	for (unsigned i = 0; i < SETTING_EXCLUDE_LINUX; i++)
		acting_setting(a, s, (enum setting_id)i, TRI_YES);
	list_settings(a, s);
	scope_resolve(a->config, a->inventory);
	if (!a->unconfirmed)
		acting_confirm(a);
	return s;
}

static struct machine *put_machine(struct acting *a, const struct subscription *s, const char *id,
	const char *sku, const char *status)
{
	char since[WALL_TEXT_SIZE];
	struct machine *m;

	wall_format(wall_add(acting_now(a), DUR_H(-24)), since);
	note_at(a,
		json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s}}", "id", id, "location", "westeurope",
			"properties", "status", status, "lastStatusChange", since, "osSku", sku,
			"osType", str_starts_nocase(sku, "Windows") ? "windows" : "linux"),
		stamp_now(a, SOURCE_GRAPH));
	(void)s;
	m = inventory_machine(a->inventory, id);
	assert_non_null(m);
	return m;
}

struct machine *acting_machine_in(struct acting *a, struct subscription *s, const char *group,
	const char *name, const char *sku)
{
	mdc_autofree char *id = xasprintf(
		"/subscriptions/%s/resourceGroups/%s/providers/Microsoft.HybridCompute/machines/%s",
		s->id, group, name);
	struct machine *m = put_machine(a, s, id, sku, "Connected");
	struct stamp since = {.at = wall_add(acting_now(a), DUR_H(-24)), .source = SOURCE_GRAPH};
	bool windows = os_is_windows(m->os), changed;

	inventory_unset_extension(a->inventory, m,
		windows ? EXTENSION_MDE_WINDOWS : EXTENSION_MDE_LINUX, since, &changed);
	inventory_unset_extension(
		a->inventory, m, windows ? EXTENSION_MMA : EXTENSION_OMS, since, &changed);
	m->extensions_known = true;
	return m;
}

struct machine *acting_machine(
	struct acting *a, struct subscription *s, const char *name, const char *sku)
{
	return acting_machine_in(a, s, "rg", name, sku);
}

void acting_status(struct acting *a, struct machine *m, const char *status)
{
	mdc_autofree char *sku = xstrdup(m->os_sku);

	put_machine(a, m->subscription, m->id, sku, status);
}

void acting_extension(
	struct acting *a, struct machine *m, const char *state, enum fact_source source)
{
	note_text(a, acting_extension_json(m, state, "0"), source);
}

void acting_relist(struct acting *a)
{
	struct map_entry *entry;

	map_for_each (&a->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		s->stamp = stamp_now(a, SOURCE_ARM);
		s->pricing.stamp = s->stamp;
		list_settings(a, s);
		s->machines_stamp = stamp_now(a, SOURCE_GRAPH);
	}
}

void acting_saw(struct acting *a, struct subscription *s, struct machine *m)
{
	executor_adopt(a->executor, s, m);
	if (m != NULL)
		reconciler_machine_seen(a->reconciler, m);
	else
		reconciler_subscription_seen(a->reconciler, s);
}

void acting_saw_all(struct acting *a)
{
	struct map_entry *entry;

	map_for_each (&a->inventory->subscriptions, entry) {
		struct subscription *s = entry->value;

		acting_saw(a, s, NULL);
		for (uint32_t i = 0; i < s->machine_count; i++)
			acting_saw(a, s, s->machines[i]);
	}
}

void acting_pass_ended(struct acting *a)
{
	executor_expire(a->executor);
	gate_measure(a->gate, a->config, a->inventory);
	reconciler_pass_ended(a->reconciler);
}

void acting_pass(struct acting *a)
{
	acting_relist(a);
	acting_saw_all(a);
	acting_pass_ended(a);
}

void acting_gone(struct acting *a, struct machine *m)
{
	reconciler_machine_gone(a->reconciler, m);
	inventory_remove_machine(a->inventory, m);
}

void acting_confirm(struct acting *a)
{
	gate_measure(a->gate, a->config, a->inventory);
	gate_confirm(a->gate, "tester");
}

/* --- what Azure answers --- */

static char *text_of(json_t *take_document)
{
	char *text = json_dumps(take_document, JSON_COMPACT);

	assert_non_null(text);
	json_decref(take_document);
	return text;
}

char *acting_pricing_json(const struct subscription *s, const char *tier, const char *sub_plan)
{
	return text_of(json_pack("{s:o, s:s, s:{s:s, s:s*}}", "id",
		json_sprintf(
			"/subscriptions/%s/providers/Microsoft.Security/pricings/VirtualMachines",
			s->id),
		"name", "VirtualMachines", "properties", "pricingTier", tier, "subPlan", sub_plan));
}

char *acting_setting_json(const struct subscription *s, const char *name, bool enabled)
{
	return text_of(json_pack("{s:o, s:s, s:s, s:{s:b}}", "id",
		json_sprintf(
			"/subscriptions/%s/providers/Microsoft.Security/settings/%s", s->id, name),
		"name", name, "kind", "DataExportSettings", "properties", "enabled", (int)enabled));
}

char *acting_extension_json(const struct machine *m, const char *state, const char *code)
{
	const char *type = os_is_windows(m->os) ? "MDE.Windows" : "MDE.Linux";

	return text_of(json_pack("{s:o, s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}, s:{s:{s:s, s:s}}}}",
		"id", json_sprintf("%s/extensions/%s", m->id, type), "name", type, "properties",
		"publisher", MDE_PUBLISHER, "type", type, "provisioningState", state, "settings",
		"azureResourceId", m->id, "vNextEnabled", "true", "instanceView", "status", "code",
		code, "message", "it said something"));
}

char *acting_error_json(const char *code, const char *message)
{
	return text_of(json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message));
}

void acting_script(struct acting *a, const struct fake_answer *answer)
{
	fake_transport_answer(a->fake.world.transport, answer);
}

void acting_answer(
	struct acting *a, const char *method, const char *url_part, int status, const char *body)
{
	acting_script(a,
		&(struct fake_answer){.method = method,
			.url_part = url_part,
			.status = status,
			.body = body,
			.delay = DUR_MS(100)});
}

void acting_answer_error(
	struct acting *a, const char *method, const char *url_part, int status, const char *code)
{
	mdc_autofree char *body = acting_error_json(code, "why");

	acting_answer(a, method, url_part, status, body);
}

void acting_always(
	struct acting *a, const char *method, const char *url_part, int status, const char *body)
{
	acting_script(a,
		&(struct fake_answer){.method = method,
			.url_part = url_part,
			.always = true,
			.status = status,
			.body = body,
			.delay = DUR_MS(100)});
}

static bool fits(const struct fake_request *r, const char *method, const char *url_part)
{
	return str_equal(r->request.method, method) && strstr(r->request.url, url_part) != NULL;
}

size_t acting_requests(const struct acting *a, const char *method, const char *url_part)
{
	const struct transport *t = a->fake.world.transport;
	size_t n = 0;

	for (size_t i = 0; i < fake_transport_count(t); i++)
		n += fits(fake_transport_request(t, (int)i), method, url_part);
	return n;
}

const struct fake_request *acting_last(
	const struct acting *a, const char *method, const char *url_part)
{
	const struct transport *t = a->fake.world.transport;

	for (size_t i = fake_transport_count(t); i-- > 0;)
		if (fits(fake_transport_request(t, (int)i), method, url_part))
			return fake_transport_request(t, (int)i);
	return NULL;
}

/* --- looking --- */

void acting_run(struct acting *a, struct dur time)
{
	loop_virtual_run_for(a->fake.world.loop, time);
}

struct wall acting_now(const struct acting *a)
{
	return loop_wall(a->fake.world.loop);
}

struct item *acting_item(struct subscription *s, struct machine *m, enum control_id control)
{
	return inventory_item(s, m, control);
}

struct item *acting_sensor(struct machine *m)
{
	return inventory_item(m->subscription, m, CONTROL_MDE_EXTENSION);
}

void acting_expect_at(const struct item *item, enum item_state state, enum reason reason,
	const char *file, int line)
{
	if (item->state == state && item->reason == reason)
		return;
	print_error("%s is %s (%s: %s) and not %s (%s)\n",
		control_word((enum control_id)item->control),
		item_state_word((enum item_state)item->state),
		reason_word((enum reason)item->reason), item->detail, item_state_word(state),
		reason_word(reason));
	_fail(file, line);
}

static void count_item(void *ctx, const struct stored_item *item)
{
	(void)item;
	++*(size_t *)ctx;
}

static void count_operation(void *ctx, const struct stored_operation *op)
{
	(void)op;
	++*(size_t *)ctx;
}

static void settle_store(struct acting *a)
{
	store_flush(a->store, NULL, NULL);
	loop_virtual_settle(a->fake.world.loop);
}

size_t acting_stored_items(struct acting *a)
{
	size_t n = 0;

	settle_store(a);
	assert_int_equal(store_load_items(a->store, count_item, &n), 0);
	return n;
}

size_t acting_open_operations(struct acting *a)
{
	size_t n = 0;

	settle_store(a);
	assert_int_equal(store_load_operations(a->store, count_operation, &n), 0);
	return n;
}

json_t *acting_record(struct acting *a, const char *resource_id, const char *kind, unsigned nth)
{
	json_t *rows = NULL, *row, *found = NULL;
	size_t i;

	settle_store(a);
	assert_int_equal(store_history(a->store, resource_id, 0, STORE_HISTORY_MAX, &rows), 0);
	json_array_foreach (rows, i, row)
		if (found == NULL && str_equal(json_text(row, "kind"), kind) && nth-- == 0)
			found = json_incref(row);
	json_decref(rows);
	return found;
}
