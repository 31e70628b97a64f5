/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config_internal.h"
#include "lib/model/near_miss.h"

#include <string.h>

#define WHY_MAX 1500

/* --- what is in force --- */

const char *config_get(const struct config_builder *b, const struct config_section *s,
	const char *path, const char *name)
{
	const struct config_row *row = config_row_find(path, name);

	assert(row != NULL);
	return config_effective(b->root, s, row);
}

char *config_get_copy(const struct config_builder *b, const struct config_section *s,
	const char *path, const char *name)
{
	const char *text = config_get(b, s, path, name);

	return str_empty(text) ? NULL : xstrdup(text);
}

uint64_t config_get_number(const struct config_builder *b, const struct config_section *s,
	const char *path, const char *name)
{
	const struct config_row *row = config_row_find(path, name);
	uint64_t value = 0;
	int error;

	assert(row != NULL);
	error = config_value_number(row->type, config_effective(b->root, s, row), &value);
	assert(error == 0);
	return value;
}

static struct dur get_duration(const struct config_builder *b, const struct config_section *s,
	const char *path, const char *name)
{
	return DUR_MS((int64_t)config_get_number(b, s, path, name));
}

bool config_get_switch(const struct config_builder *b, const struct config_section *s,
	const char *path, const char *name)
{
	bool on = false;
	int error = str_parse_bool(config_get(b, s, path, name), &on);

	assert(error == 0);
	return on;
}

void config_unknown_title(const struct config_builder *b, const struct config_option *where,
	const char *kind, const char *title)
{
	mdc_cleanup(buf_fini) struct buf all = BUF_INIT(WHY_MAX);
	mdc_cleanup(buf_fini) struct buf instead = BUF_INIT(WHY_MAX);
	struct config_shown shown = config_show(title);
	struct near_miss near;

	near_miss_begin(&near, title);
	for (size_t i = 0; i < b->root->section_count; i++) {
		const struct config_section *s = &b->root->sections[i];

		if (!str_equal(s->kind, kind) || s->title == NULL)
			continue;
		near_miss_offer(&near, s->title, strlen(s->title));
		buf_addf(&all, "%s\"%s\"", all.len == 0 ? "" : ", ", config_show(s->title).text);
	}
	for (size_t i = 0; str_equal(kind, "cloud") && config_preset_cloud(i) != NULL; i++) {
		near_miss_offer(&near, config_preset_cloud(i), strlen(config_preset_cloud(i)));
		buf_addf(&all, "%s\"%s\"", all.len == 0 ? "" : ", ", config_preset_cloud(i));
	}
	if (near.best != NULL)
		buf_addf(&instead, "write \"%s\"", config_show(near.best).text);
	else if (all.len > 0)
		buf_addf(&instead, "there are %s", buf_str(&all));
	else
		buf_addf(&instead, "add a section %s \"%s\" { … }", kind, shown.text);
	diag_error(b->diags, where->values[0].file, where->values[0].line,
		"%s: there is no %s \"%s\"; %s", where->name, kind, shown.text, buf_str(&instead));
}

/* --- top level, polling, impact --- */

static void build_top(struct config_builder *b)
{
	struct config *c = b->config;
	const struct config_section *poll = config_child(b->root, "poll", NULL);
	const struct config_section *impact = config_child(b->root, "impact", NULL);

	c->state_directory = config_get_copy(b, b->root, "", "state-directory");
	c->control_socket = config_get_copy(b, b->root, "", "control-socket");
	c->log_to_journal = str_equal(config_get(b, b->root, "", "log"), "journal");
	c->max_in_flight = config_get_number(b, b->root, "", "max-in-flight");
	c->expiry_grace = get_duration(b, b->root, "", "expiry-grace");
	c->poll.subscriptions = get_duration(b, poll, "poll", "subscriptions");
	c->poll.machines = get_duration(b, poll, "poll", "machines");
	c->poll.full_sweep = get_duration(b, poll, "poll", "full-sweep");
	c->poll.inventory = get_duration(b, poll, "poll", "inventory");
	c->poll.operations = get_duration(b, poll, "poll", "operations");
	c->poll.jitter_percent = (unsigned)config_get_number(b, poll, "poll", "jitter");
	c->impact.machines = config_get_number(b, impact, "impact", "machines");
	c->impact.subscriptions = config_get_number(b, impact, "impact", "subscriptions");
}

/* Both as written: two defaults, or one, say nothing about what somebody wants. */
static bool both_written(const struct config_section *s, const char *a, const char *b)
{
	return config_option_find(s, a) != NULL && config_option_find(s, b) != NULL;
}

static void check_poll(const struct config_builder *b)
{
	const struct config_section *poll = config_child(b->root, "poll", NULL);
	const struct config_option *sweep = config_option_find(poll, "full-sweep");

	if (both_written(poll, "machines", "full-sweep") &&
		b->config->poll.full_sweep.ms < b->config->poll.machines.ms)
		diag_error(b->diags, sweep->file, sweep->line,
			"full-sweep: it is shorter than machines (line %u); write a longer time, "
			"or a shorter one for machines",
			config_option_find(poll, "machines")->line);
}

/* --- prices --- */

static int64_t get_price(
	const struct config_builder *b, const struct config_section *prices, const char *name)
{
	return config_get(b, prices, "prices", name) != NULL
		? (int64_t)config_get_number(b, prices, "prices", name)
		: PRICE_UNKNOWN;
}

static void build_prices(struct config_builder *b)
{
	const struct config_section *s = config_child(b->root, "prices", NULL);
	struct prices_config *p = &b->config->prices;

	p->currency = config_get_copy(b, s, "prices", "currency");
	p->p1_per_hour = get_price(b, s, "p1-per-hour");
	p->p2_per_hour = get_price(b, s, "p2-per-hour");
	p->mde_per_month = get_price(b, s, "mde-per-month");
	if (p->currency == NULL && s != NULL && s->option_count > 0)
		diag_error(b->diags, s->file, s->line,
			"prices: they have no currency; write currency = \"EUR\", or another one");
}

/* --- policies --- */

static enum servers_plan plan_of(const char *word)
{
	return str_equal(word, "P2") ? PLAN_P2 : str_equal(word, "P1") ? PLAN_P1 : PLAN_UNMANAGED;
}

static enum machine_plan machine_plan_of(const char *word)
{
	return str_equal(word, "P1")     ? MACHINE_PLAN_P1
		: str_equal(word, "off") ? MACHINE_PLAN_OFF
					 : MACHINE_PLAN_INHERITED;
}

static void build_machine_plans(
	const struct config_builder *b, const struct config_section *s, struct policy_config *ret)
{
	for (size_t i = 0; i < s->section_count; i++) {
		const struct config_section *child = &s->sections[i];
		struct machine_plan_config *plan;

		if (!str_equal(child->kind, "machine-plan") || child->title == NULL)
			continue;
		config_check_selector(b, child, "policy/machine-plan");
		ret->machine_plans = xreallocarray(ret->machine_plans, ret->machine_plan_count + 1,
			sizeof(*ret->machine_plans));
		plan = &ret->machine_plans[ret->machine_plan_count++];
		*plan = (struct machine_plan_config){.name = xstrdup(child->title),
			.plan = machine_plan_of(
				config_get(b, child, "policy/machine-plan", "plan"))};
		config_build_selector(child, &plan->selector);
	}
}

/* "*" stands for all. */
static void build_workspaces(const struct config_option *option, struct policy_config *ret)
{
	if (option == NULL || option->n == 0)
		return;
	ret->legacy_workspaces = xcalloc(option->n, sizeof(*ret->legacy_workspaces));
	for (size_t i = 0; i < option->n; i++) {
		const char *text = option->values[i].text;

		if (str_equal(text, "*"))
			ret->legacy_any_workspace = true;
		else
			ret->legacy_workspaces[ret->legacy_workspace_count++] = xstrdup(text);
	}
}

static void build_plan_extensions(
	const struct config_section *s, bool ret[static PLAN_EXTENSION_N_])
{
	const struct config_option *option = config_option_find(s, "plan-extensions");

	for (size_t i = 0; option != NULL && i < option->n; i++) {
		enum plan_extension e = plan_extension_from_name(option->values[i].text);

		if (e != PLAN_EXTENSION_N_)
			ret[e] = true;
	}
}

static const char *const connector_options[] = {
	[CONNECTOR_ARC] = "arc",
	[CONNECTOR_MDE] = "mde",
	[CONNECTOR_VULNERABILITY] = "vulnerability-assessment",
	[CONNECTOR_AGENTLESS] = "agentless",
};

static void build_connector(
	const struct config_builder *b, const struct config_section *s, struct policy_config *ret)
{
	ret->connector.plan = plan_of(config_get(b, s, "policy/connector", "plan"));
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		ret->connector.parts[p] =
			config_get_switch(b, s, "policy/connector", connector_options[p]);
}

static void build_workspace_plans(
	const struct config_builder *b, const struct config_section *s, struct policy_config *ret)
{
	const struct config_option *option = config_option_find(s, "list");

	ret->workspaces.from_machines =
		config_get_switch(b, s, "policy/workspaces", "from-machines");
	if (option == NULL || option->n == 0)
		return;
	ret->workspaces.list = xcalloc(option->n, sizeof(*ret->workspaces.list));
	for (size_t i = 0; i < option->n; i++)
		ret->workspaces.list[ret->workspaces.list_count++] =
			xstrdup(option->values[i].text);
}

static void build_policy(
	const struct config_builder *b, const struct config_section *s, struct policy_config *ret)
{
	const struct config_section *extension = config_child(s, "extension", NULL);
	const struct config_section *legacy = config_child(s, "legacy", NULL);

	*ret = (struct policy_config){
		.name = xstrdup(s->title),
		.plan = plan_of(config_get(b, s, "policy", "plan")),
		.integration = config_get_switch(b, s, "policy", "integration"),
		.unified_solution = config_get_switch(b, s, "policy", "unified-solution"),
		.linux_integration = config_get_switch(b, s, "policy", "linux"),
		.vulnerability_management =
			config_get_switch(b, s, "policy", "vulnerability-management"),
		.register_providers = config_get_switch(b, s, "policy", "register-providers"),
		.policy_grace = get_duration(b, s, "policy", "policy-grace"),
		.deploy = str_equal(config_get(b, extension, "policy/extension", "deploy"),
				  "after-grace")
			? DEPLOY_AFTER_GRACE
			: DEPLOY_NEVER,
		.own_images = config_get_switch(b, extension, "policy/extension", "own-images"),
		.grace = get_duration(b, extension, "policy/extension", "grace"),
		.first_grace = get_duration(b, extension, "policy/extension", "first-grace"),
		.legacy_replace = config_get_switch(b, legacy, "policy/legacy", "replace"),
		.legacy_remove_agent =
			config_get_switch(b, legacy, "policy/legacy", "remove-agent"),
		.legacy_proof =
			str_equal(config_get(b, legacy, "policy/legacy", "proof"), "extension")
			? PROOF_BY_EXTENSION
			: PROOF_BY_INVENTORY,
		.legacy_remove_after = get_duration(b, legacy, "policy/legacy", "remove-after"),
	};
	build_connector(b, config_child(s, "connector", NULL), ret);
	build_workspaces(config_option_find(legacy, "workspaces"), ret);
	build_workspace_plans(b, config_child(s, "workspaces", NULL), ret);
	config_build_tags(config_option_find(extension, "other-edr"), &ret->other_edr);
	build_machine_plans(b, s, ret);
	build_plan_extensions(s, ret->plan_extensions);
}

static void warn(const struct config_builder *b, const struct config_section *s, const char *name,
	const char *text)
{
	const struct config_option *option = config_option_find(s, name);

	if (option != NULL)
		diag_warning(b->diags, option->file, option->line, "%s: %s", name, text);
}

static void check_plan_extensions(const struct config_builder *b, const struct config_section *s,
	const struct policy_config *p)
{
	const struct config_option *option = config_option_find(s, "plan-extensions");

	if (option != NULL && option->n > 0 && p->plan == PLAN_UNMANAGED)
		warn(b, s, "plan-extensions",
			"they are only kept on where the plan is; write plan = P1 or P2");
	for (size_t i = 0; option != NULL && i < option->n && p->plan == PLAN_P1; i++) {
		const struct config_value *v = &option->values[i];

		if (plan_extension_needs_p2(plan_extension_from_name(v->text)))
			diag_error(b->diags, v->file, v->line,
				"plan-extensions: %s does not exist with plan = P1; write plan = "
				"P2, or take it out",
				config_show(v->text).text);
	}
}

static void check_connector(const struct config_builder *b, const struct config_section *s,
	const struct policy_config *p)
{
	const struct config_option *option = config_option_find(s, "agentless");

	if (option != NULL && p->connector.parts[CONNECTOR_AGENTLESS] &&
		p->connector.plan == PLAN_P1)
		diag_error(b->diags, option->file, option->line,
			"agentless: it does not exist with plan = P1; write plan = P2, or take it "
			"out");
}

static void check_workspaces(const struct config_builder *b, const struct config_section *s,
	const struct policy_config *p)
{
	static const char without_p2[] =
		"it has no effect without plan = P2; write that, or take it "
		"out";

	if (p->plan == PLAN_P2)
		return;
	if (p->workspaces.list_count > 0)
		warn(b, s, "list", without_p2);
	if (p->workspaces.from_machines)
		warn(b, s, "from-machines", without_p2);
}

static void check_policy(const struct config_builder *b, const struct config_section *s,
	const struct policy_config *p)
{
	const struct config_section *extension = config_child(s, "extension", NULL);
	const struct config_section *legacy = config_child(s, "legacy", NULL);

	check_plan_extensions(b, s, p);
	check_connector(b, config_child(s, "connector", NULL), p);
	check_workspaces(b, config_child(s, "workspaces", NULL), p);
	if (p->unified_solution && !p->integration)
		warn(b, s, "unified-solution",
			"it has no effect where the integration is off; write integration = on to "
			"keep that on");
	if (p->linux_integration && !p->integration)
		warn(b, s, "linux",
			"it has no effect where the integration is off; write integration = on to "
			"keep that on");
	if (p->deploy != DEPLOY_NEVER && !p->integration)
		warn(b, extension, "deploy",
			"it has no effect where the integration is off; write integration = on to "
			"keep that on");
	if (p->legacy_replace && p->deploy == DEPLOY_NEVER)
		warn(b, legacy, "replace",
			"only Defender for Cloud replaces while the extension is never deployed; "
			"write extension { deploy = after-grace } to help it");
	if (p->legacy_remove_agent && !p->legacy_any_workspace && p->legacy_workspace_count == 0)
		warn(b, legacy, "remove-agent",
			"it has no effect without workspaces; write workspaces = { \"ID\" } with "
			"those that only the old sensor needed, or { \"*\" } for all");
	if (both_written(extension, "grace", "first-grace") && p->first_grace.ms < p->grace.ms)
		warn(b, extension, "first-grace",
			"it is shorter than grace, and the first deployment takes longer than the "
			"later ones; write a longer time");
}

static void build_policies(struct config_builder *b)
{
	struct config *c = b->config;

	for (size_t i = 0; i < b->root->section_count; i++) {
		const struct config_section *s = &b->root->sections[i];

		if (!str_equal(s->kind, "policy") || s->title == NULL)
			continue;
		c->policies = xreallocarray(c->policies, c->policy_count + 1, sizeof(*c->policies));
		build_policy(b, s, &c->policies[c->policy_count]);
		check_policy(b, s, &c->policies[c->policy_count++]);
	}
}

/* The reader has told it, and what is built without it would be incomplete. */
static bool is_unreadable(const struct config_section *s)
{
	for (size_t i = 0; i < s->option_count; i++)
		if (s->options[i].n == 0 && !s->options[i].list)
			return true;
	for (size_t i = 0; i < s->section_count; i++)
		if (is_unreadable(&s->sections[i]))
			return true;
	return false;
}

int config_build(const struct config_section *root, struct diags *diags, struct config **ret)
{
	struct config_builder b = {
		.root = root,
		.diags = diags,
		.config = xcalloc(1, sizeof(*b.config)),
	};
	size_t errors = diags->errors;

	config_check(root, diags);
	build_top(&b);
	check_poll(&b);
	build_prices(&b);
	config_build_identities(&b);
	build_policies(&b);
	config_build_scopes(&b);
	if (diags->errors == errors && config_canonical(root, b.config) != 0)
		diag_error(diags, root->file, 0, "the configuration is too large; write less");
	if (diags->errors > errors || is_unreadable(root)) {
		config_free(b.config);
		return -EINVAL;
	}
	*ret = b.config;
	return 0;
}
