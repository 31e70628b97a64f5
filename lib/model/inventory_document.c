/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/inventory_document.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/single.h"

static int note_pricing(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *n)
{
	struct arm_pricing facts;

	if (arm_pricing_read(document, &facts) != 0)
		return -EINVAL;
	inventory_set_pricing(inv, n->subscription, &facts, stamp, &n->changed);
	return 0;
}

static int note_setting(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *n)
{
	struct arm_setting facts;

	if (arm_setting_read(document, &facts) != 0)
		return -EINVAL;
	n->setting = setting_from_name(facts.name);
	if (n->setting != SETTING_N_)
		inventory_set_setting(
			inv, n->subscription, n->setting, facts.enabled, stamp, &n->changed);
	return 0;
}

static int note_single(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *n)
{
	const char *word = json_path_text(document, single_row(n->single)->path);

	if (word == NULL)
		return -EINVAL;
	inventory_set_single(inv, n->subscription, n->single, word, stamp, &n->changed);
	return 0;
}

static int note_machine(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *n)
{
	const struct subscription *s = n->subscription;
	uint32_t before = s->seen == inv->sweep ? s->seen_count : 0;
	struct arm_machine facts;
	int error;

	if (arm_machine_read(document, &facts) != 0)
		return -EINVAL;
	error = inventory_set_machine(inv, &facts, stamp, &n->machine, &n->changed);
	n->again = !facts.status_only && s->seen_count == before;
	return error;
}

static int note_extension(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *n)
{
	struct arm_extension facts;
	int error;

	if (arm_extension_read(document, &facts) != 0)
		return -EINVAL;
	error = inventory_set_extension(inv, &facts, stamp, &n->machine, &n->changed);
	if (error != 0)
		return error;
	n->extension = extension_kind(facts.publisher, facts.type);
	if (!extension_fits(n->machine, n->extension))
		n->extension = EXTENSION_OTHER;
	/* Without these nobody can say which one it is. */
	n->unclear = facts.publisher == NULL || facts.type == NULL;
	return 0;
}

static int note_machine_plan(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *n)
{
	struct arm_id id;
	char *parent;

	if (arm_id_parse(json_text(document, "id"), &id) != 0)
		return -EINVAL;
	parent = arm_id_parent(&id);
	n->machine = parent != NULL ? inventory_machine(inv, parent) : NULL;
	free(parent);
	arm_id_fini(&id);
	if (n->machine == NULL)
		return -ENOENT;
	inventory_set_machine_plan(n->machine, arm_machine_plan_read(document), stamp, &n->changed);
	return 0;
}

static int note_connector(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *n)
{
	struct arm_connector facts;

	if (arm_connector_read(document, &facts) != 0)
		return -EINVAL;
	return inventory_set_connector(inv, &facts, stamp, &n->connector, &n->changed);
}

static int note_workspace(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *n)
{
	struct arm_workspace facts;

	if (arm_workspace_read(document, &facts) != 0)
		return -EINVAL;
	return inventory_set_workspace(inv, &facts, stamp, &n->workspace, &n->changed);
}

static int note_solution(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *n)
{
	struct arm_solution facts;

	if (arm_solution_read(document, &facts) != 0)
		return -EINVAL;
	return inventory_set_solution(inv, &facts, stamp, &n->workspace, &n->changed);
}

int inventory_note(
	struct inventory *inv, const json_t *document, struct stamp stamp, struct noted *ret)
{
	const char *text = json_text(document, "id");
	struct noted n = {.setting = SETTING_N_, .single = SINGLE_N_};
	struct arm_id id;
	int error = -ENOTSUP;

	if (text == NULL || arm_id_parse(text, &id) != 0)
		return -EINVAL;
	n.kind = id.kind;
	n.subscription = inventory_subscription(inv, id.subscription);
	n.single = single_of(id.kind, id.name);
	arm_id_fini(&id);
	if (n.subscription == NULL)
		return -ENOENT;
	if (n.single != SINGLE_N_)
		error = note_single(inv, document, stamp, &n);
	switch (n.kind) {
	case ARM_KIND_PRICING: error = note_pricing(inv, document, stamp, &n); break;
	case ARM_KIND_SETTING: error = note_setting(inv, document, stamp, &n); break;
	case ARM_KIND_ARC_MACHINE:
	case ARM_KIND_VIRTUAL_MACHINE: error = note_machine(inv, document, stamp, &n); break;
	case ARM_KIND_ARC_EXTENSION:
	case ARM_KIND_VM_EXTENSION: error = note_extension(inv, document, stamp, &n); break;
	case ARM_KIND_RESOURCE_PRICING: error = note_machine_plan(inv, document, stamp, &n); break;
	case ARM_KIND_CONNECTOR: error = note_connector(inv, document, stamp, &n); break;
	case ARM_KIND_WORKSPACE: error = note_workspace(inv, document, stamp, &n); break;
	case ARM_KIND_SOLUTION: error = note_solution(inv, document, stamp, &n); break;
	case ARM_KIND_COLLECTION_RULE:
	case ARM_KIND_SUBSCRIPTION:
	case ARM_KIND_RESOURCE_GROUP:
	case ARM_KIND_PROVIDER:
	case ARM_KIND_VA_SETTING:
	case ARM_KIND_AUTO_PROVISIONING:
	case ARM_KIND_MDE_ONBOARDING:
	case ARM_KIND_OTHER:
	case ARM_KIND_N_: break;
	}
	if (error == 0)
		*ret = n;
	return error;
}

/* The kind that goes by this name where we create it ourselves, or that has it on this machine. */
static enum extension_kind kind_of_name(const struct machine *m, const char *name)
{
	bool windows = os_is_windows(m->os);

	if (str_equal_nocase(name, extension_kind_type(EXTENSION_MDE_WINDOWS)))
		return EXTENSION_MDE_WINDOWS;
	if (str_equal_nocase(name, extension_kind_type(EXTENSION_MDE_LINUX)))
		return EXTENSION_MDE_LINUX;
	if (m->mde.present && str_equal_nocase(name, m->mde.name))
		return windows ? EXTENSION_MDE_WINDOWS : EXTENSION_MDE_LINUX;
	if (m->legacy.present && str_equal_nocase(name, m->legacy.name))
		return windows ? EXTENSION_MMA : EXTENSION_OMS;
	return EXTENSION_OTHER;
}

static int note_absent_extension(
	struct inventory *inv, const struct arm_id *id, struct stamp stamp, struct noted *n)
{
	mdc_autofree char *parent = arm_id_parent(id);

	n->machine = inventory_machine(inv, parent);
	if (n->machine == NULL)
		return -ENOENT;
	n->extension = kind_of_name(n->machine, id->name);
	if (n->extension != EXTENSION_OTHER)
		inventory_unset_extension(inv, n->machine, n->extension, stamp, &n->changed);
	return 0;
}

/* The workspace whose plan goes by that id, or NULL. */
static struct workspace *planned_by(const struct subscription *s, const char *solution_id)
{
	for (size_t i = 0; i < s->workspace_count; i++) {
		mdc_autofree char *id = arm_solution_id(s->workspaces[i]->id);

		if (arm_id_same(id, solution_id))
			return s->workspaces[i];
	}
	return NULL;
}

static int note_absent_solution(const struct arm_id *id, struct stamp stamp, struct noted *n)
{
	n->workspace = planned_by(n->subscription, id->text);
	if (n->workspace == NULL)
		return -ENOENT;
	inventory_unset_solution(n->workspace, stamp, &n->changed);
	return 0;
}

static int note_absent(
	struct inventory *inv, const struct arm_id *id, struct stamp stamp, struct noted *n)
{
	n->single = single_of(id->kind, id->name);
	if (n->single != SINGLE_N_) {
		inventory_set_single(inv, n->subscription, n->single, NULL, stamp, &n->changed);
		return 0;
	}
	if (id->kind == ARM_KIND_ARC_EXTENSION || id->kind == ARM_KIND_VM_EXTENSION)
		return note_absent_extension(inv, id, stamp, n);
	if (id->kind == ARM_KIND_CONNECTOR) {
		n->connector = inventory_connector(inv, id->text);
		if (n->connector == NULL)
			return -ENOENT;
		inventory_connector_missing(n->connector, stamp);
		return 0;
	}
	if (id->kind == ARM_KIND_SOLUTION)
		return note_absent_solution(id, stamp, n);
	if (id->kind != ARM_KIND_SETTING)
		return -ENOTSUP;
	n->setting = setting_from_name(id->name);
	if (n->setting != SETTING_N_)
		inventory_set_setting(
			inv, n->subscription, n->setting, TRI_UNKNOWN, stamp, &n->changed);
	return 0;
}

int inventory_note_absent(
	struct inventory *inv, const char *id_text, struct stamp stamp, struct noted *ret)
{
	struct noted n = {.setting = SETTING_N_, .single = SINGLE_N_};
	struct arm_id id;
	int error;

	if (arm_id_parse(id_text, &id) != 0)
		return -EINVAL;
	n.kind = id.kind;
	n.subscription = inventory_subscription(inv, id.subscription);
	error = n.subscription != NULL ? note_absent(inv, &id, stamp, &n) : -ENOENT;
	arm_id_fini(&id);
	if (error == 0)
		*ret = n;
	return error;
}
