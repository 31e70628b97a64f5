/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/preflight_parts.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1024

/* --- texts --- */

void preflight_find(
	struct preflight *p, const struct subject *subject, const struct finding *finding)
{
	findings_add(&p->findings, finding, subject != NULL ? subject->id : "",
		subject != NULL ? subject->name : "");
}

static void find(const struct probe *probe, struct finding finding)
{
	finding.identity = probe->subject->scope->identity->name;
	preflight_find(probe->preflight, probe->subject, &finding);
}

const char *failure_text(const struct arm_error *error, char ret[static FAILURE_TEXT_SIZE])
{
	if (error->class == ARM_ERROR_NONE)
		snprintf(ret, FAILURE_TEXT_SIZE, "the answer is not complete");
	else if (*error->code != '\0')
		snprintf(ret, FAILURE_TEXT_SIZE, "%s%s%.200s", error->code,
			*error->message != '\0' ? ": " : "", error->message);
	else
		snprintf(ret, FAILURE_TEXT_SIZE, "%.300s",
			*error->message != '\0' ? error->message
						: arm_error_class_name(error->class));
	return ret;
}

/* A word for a shell, whatever a name from outside holds. */
static void add_quoted(struct buf *b, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_./";

	if (*text != '\0' && text[strspn(text, plain)] == '\0') {
		buf_adds(b, text);
		return;
	}
	buf_addc(b, '\'');
	for (; *text != '\0'; text++)
		if (*text == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *text);
	buf_addc(b, '\'');
}

static void add_assignee(struct buf *b, const struct identity_config *identity)
{
	switch (identity->method) {
	case IDENTITY_AZURE_CLI:
		buf_adds(b, "\"$(az account show --query user.name --output tsv)\"");
		return;
	case IDENTITY_MANAGED:
	case IDENTITY_ARC:
	case IDENTITY_CLIENT_SECRET:
	case IDENTITY_CLIENT_CERTIFICATE:
	case IDENTITY_WORKLOAD:
	case IDENTITY_METHOD_N_: break;
	}
	if (identity->client != NULL)
		buf_adds(b, identity->client);
	else
		buf_adds(b, "PRINCIPAL-ID");
}

/* One assignment at the management group does for all of its subscriptions. */
static void add_scope(struct buf *b, const struct scope_config *scope)
{
	if (scope->management_group_count == 1 && scope->subscription_count == 0 &&
		!scope->everything) {
		buf_adds(b, "/providers/Microsoft.Management/managementGroups/");
		add_quoted(b, scope->management_groups[0]);
	} else {
		buf_adds(b, "/subscriptions/" FINDING_PLACE);
	}
}

static void add_assignment(struct buf *b, const char *role, const struct scope_config *scope)
{
	if (role == NULL) {
		buf_addf(b, "mdcctl preflight --role --scope ");
		add_quoted(b, scope->name);
		return;
	}
	buf_adds(b, "az role assignment create --assignee ");
	add_assignee(b, scope->identity);
	buf_addf(b, " --role \"%s\" --scope ", role);
	add_scope(b, scope);
}

/* --- identities and subscriptions --- */

void judge_sign_in(
	struct preflight *p, const struct identity_config *identity, const struct arm_error *error)
{
	char text[FAILURE_TEXT_SIZE];
	bool refused = error->class == ARM_ERROR_IDENTITY || error->class == ARM_ERROR_TOKEN;
	struct finding finding = {.kind = FINDING_IDENTITY,
		.doubt = !refused,
		.identity = identity->name,
		.what = failure_text(error, text),
		.help = refused ? "a valid credential for the identity; mdcctl status says more"
				: "mdcctl preflight, when Azure can be reached"};

	preflight_find(p, NULL, &finding);
}

static void find_reader(struct preflight *p, const struct subject *subject,
	const struct scope_config *scope, const char *what)
{
	struct buf help = BUF_INIT(TEXT_MAX);
	struct finding finding = {
		.kind = FINDING_SUBSCRIPTION, .identity = scope->identity->name, .what = what};

	add_assignment(&help, "Reader", scope);
	finding.help = buf_str(&help);
	preflight_find(p, subject, &finding);
	buf_fini(&help);
}

void judge_not_visible(struct preflight *p, const struct subject *subject)
{
	find_reader(p, subject, subject->scope, "not visible to the identity");
}

void judge_empty_scope(struct preflight *p, const struct scope_config *scope)
{
	mdc_autofree char *what =
		xasprintf("no subscription is visible in scope \"%s\"", scope->name);

	find_reader(p, NULL, scope, what);
}

static void judge_state(struct probe *probe)
{
	const struct subscription *s = probe->subscription;

	if (probe->subject->scope->mode != MODE_ENFORCE ||
		(s->state != SUBSCRIPTION_DISABLED && s->state != SUBSCRIPTION_WARNED))
		return;
	find(probe,
		(struct finding){.kind = FINDING_SUBSCRIPTION,
			.what = s->state == SUBSCRIPTION_DISABLED
				? "disabled: nothing can be written"
				: "past due or warned: nothing is written",
			.help = "re-enable the subscription in the Azure portal"});
}

/* Agents that would not let the extension be installed. */
static void judge_agents(struct probe *probe)
{
	const struct subscription *s = probe->subscription;
	const uint32_t *states = s->states[CONTROL_ARC_CONNECTED];
	uint64_t machines[REASON_N_] = {0};

	if (states[ITEM_BLOCKED] + states[ITEM_MANUAL] == 0)
		return;
	for (uint32_t i = 0; i < s->machine_count; i++) {
		const struct item *item =
			inventory_item(probe->subscription, s->machines[i], CONTROL_ARC_CONNECTED);

		if (item->state == ITEM_BLOCKED || item->state == ITEM_MANUAL)
			machines[item->reason]++;
	}
	for (unsigned r = 0; r < REASON_N_; r++)
		if (machines[r] > 0)
			find(probe,
				(struct finding){.kind = FINDING_AGENT,
					.what = reason_sentence(r),
					.help = reason_remedy(r),
					.machines = machines[r]});
}

void judge_observed(struct probe *probe)
{
	if (probe->subscription == NULL)
		return;
	judge_state(probe);
	if (probe->subject->scope->policy->deploy == DEPLOY_NEVER)
		return;
	if (wall_is_set(probe->subscription->machines_stamp.at))
		judge_agents(probe);
	else
		find(probe,
			(struct finding){.kind = FINDING_AGENT,
				.doubt = true,
				.what = "its machines have not been listed completely",
				.help = "mdcctl status"});
}

/* --- permissions --- */

void collect_groups(struct probe *probe)
{
	const struct subscription *s = probe->subscription;
	bool wanted = false;

	for (size_t i = 0; i < probe->need_count; i++)
		wanted = wanted || (probe->missing[i] && probe->needs[i].on_machine);
	for (uint32_t i = 0; wanted && s != NULL && i < s->machine_count; i++) {
		const char *group = s->machines[i]->group;
		size_t n = 0;

		while (n < probe->group_count && !str_equal_nocase(probe->group_names[n], group))
			n++;
		if (n == PROBE_GROUPS_MAX) {
			/* Too many to ask one by one: it counts what the subscription grants. */
			while (probe->group_count > 0)
				free(probe->group_names[--probe->group_count]);
			return;
		}
		if (n == probe->group_count)
			probe->group_names[probe->group_count++] = xstrdup(group);
	}
}

static bool is_missing(const struct probe *probe, size_t need)
{
	bool everywhere = probe->group_count > 0 && probe->needs[need].on_machine &&
		probe->groups[need] == probe->group_count;

	return probe->missing[need] && !everywhere;
}

/* All that one role would give is one finding. */
static void find_role(struct probe *probe, const char *role)
{
	struct buf what = BUF_INIT(TEXT_MAX), help = BUF_INIT(TEXT_MAX);

	for (size_t i = 0; i < probe->need_count; i++) {
		const char *action = probe->needs[i].action;

		if (is_missing(probe, i) && str_equal(permission_role(action), role))
			buf_addf(&what, "%s%s", what.len > 0 ? ", " : "", action);
	}
	add_assignment(&help, role, probe->subject->scope);
	if (what.len > 0)
		find(probe,
			(struct finding){.kind = FINDING_ROLE,
				.what = buf_str(&what),
				.help = buf_str(&help)});
	buf_fini(&what);
	buf_fini(&help);
}

/* The first need of its role. */
static bool begins_role(const struct probe *probe, size_t need)
{
	for (size_t i = 0; i < need; i++)
		if (is_missing(probe, i) &&
			str_equal(permission_role(probe->needs[i].action),
				permission_role(probe->needs[need].action)))
			return false;
	return true;
}

void judge_permissions(struct probe *probe)
{
	for (size_t i = 0; i < probe->need_count; i++)
		if (is_missing(probe, i) && begins_role(probe, i))
			find_role(probe, permission_role(probe->needs[i].action));
}

void judge_unread(struct probe *probe, enum finding_kind kind, const char *what, const char *action,
	const struct arm_error *error)
{
	char text[FAILURE_TEXT_SIZE];
	struct buf help = BUF_INIT(TEXT_MAX);
	bool denied = error->class == ARM_ERROR_DENIED;
	mdc_autofree char *told = denied
		? xasprintf("%s could not be read: %s is missing", what, action)
		: xasprintf("%s could not be read: %s", what, failure_text(error, text));

	if (denied)
		add_assignment(&help, permission_role(action), probe->subject->scope);
	else
		buf_adds(&help, "mdcctl preflight, later");
	find(probe,
		(struct finding){
			.kind = kind, .doubt = true, .what = told, .help = buf_str(&help)});
	buf_fini(&help);
}

/* --- resource providers --- */

void judge_registration(struct probe *probe, const char *provider, const json_t *document)
{
	const char *state = json_text(document, "registrationState");
	mdc_autofree char *what = NULL, *help = NULL;

	if (str_equal_nocase(state, "Registered"))
		return;
	what = xasprintf("%s is %.60s", provider, state != NULL ? state : "in no known state");
	if (str_equal_nocase(state, "Registering"))
		help = xstrdup("nothing; it takes some minutes");
	else
		help = xasprintf(
			"az provider register --namespace %s --subscription " FINDING_PLACE,
			provider);
	find(probe,
		(struct finding){.kind = FINDING_PROVIDER,
			.doubt = state == NULL,
			.what = what,
			.help = help});
}

/* --- what stands in the way --- */

/* Locks may be many, and so may machines: they are counted once. */
static uint64_t machines_in(struct probe *probe, const char *group)
{
	const struct subscription *s = probe->subscription;
	struct map *counts = &probe->machines_in;

	if (map_count(counts) == 0)
		for (uint32_t i = 0; i < s->machine_count; i++) {
			uintptr_t n = (uintptr_t)map_get(counts, s->machines[i]->group);

			map_set(counts, s->machines[i]->group, (void *)(n + 1));
		}
	return (uintptr_t)map_get(counts, group);
}

/* Of a resource group, a machine, or an extension of one. */
static uint64_t machines_under(struct probe *probe, const char *scope)
{
	mdc_cleanup(arm_id_fini) struct arm_id id = {0};
	const struct inventory *inv = probe->preflight->inventory;
	mdc_autofree char *parent = NULL;

	if (probe->subscription == NULL || arm_id_parse(scope, &id) != 0)
		return 0;
	if (id.kind == ARM_KIND_RESOURCE_GROUP)
		return str_equal(id.subscription, probe->subject->id) ? machines_in(probe, id.name)
								      : 0;
	if (id.kind == ARM_KIND_ARC_EXTENSION || id.kind == ARM_KIND_VM_EXTENSION)
		parent = arm_id_parent(&id);
	return inventory_machine(inv, parent != NULL ? parent : scope) != NULL;
}

static bool covers_subscription(const struct probe *probe, const char *scope)
{
	char own[GUID_TEXT_SIZE + 16];

	snprintf(own, sizeof(own), "/subscriptions/%s", probe->subject->id);
	/* What is told for a subscription and lies at a management group is above it. */
	return id_is_below(own, scope) || !str_starts_nocase(scope, "/subscriptions/");
}

/* "/subscriptions/S/resourceGroups/RG": the name of the group; NULL for another scope. */
static const char *group_of_scope(const char *scope)
{
	static const char mark[] = "/resourceGroups/";
	const char *p = scope;

	while (*p != '\0' && !str_starts_nocase(p, mark))
		p++;
	if (*p == '\0' || strchr(p + strlen(mark), '/') != NULL)
		return NULL;
	return p + strlen(mark);
}

static void add_lock_removal(struct buf *b, const struct probe *probe, const struct lock *lock)
{
	const char *group = group_of_scope(lock->scope);
	mdc_autofree char *id = NULL;

	buf_adds(b, "az lock delete ");
	if (covers_subscription(probe, lock->scope) || group != NULL) {
		buf_adds(b, "--name ");
		add_quoted(b, lock->name);
		if (group != NULL) {
			buf_adds(b, " --resource-group ");
			add_quoted(b, group);
		}
		buf_adds(b, " --subscription " FINDING_PLACE);
		return;
	}
	id = xasprintf("%s/providers/Microsoft.Authorization/locks/%s", lock->scope, lock->name);
	buf_adds(b, "--ids ");
	add_quoted(b, id);
}

static void find_lock(struct probe *probe, const struct lock *lock, uint64_t machines)
{
	const char *group = group_of_scope(lock->scope);
	struct buf what = BUF_INIT(TEXT_MAX), help = BUF_INIT(TEXT_MAX);

	buf_addf(&what, "lock \"%.200s\" (%s) on ", lock->name,
		lock->read_only ? "ReadOnly" : "CanNotDelete");
	if (covers_subscription(probe, lock->scope))
		buf_adds(&what, "the subscription");
	else if (group != NULL)
		buf_addf(&what, "the resource group %.200s", group);
	else
		buf_addf(&what, "%.500s", lock->scope);
	add_lock_removal(&help, probe, lock);
	find(probe,
		(struct finding){.kind = FINDING_LOCK,
			.what = buf_str(&what),
			.help = buf_str(&help),
			.machines = machines});
	buf_fini(&what);
	buf_fini(&help);
}

void judge_lock(struct probe *probe, const json_t *document)
{
	bool refuses = false, refuses_machines = false;
	uint64_t machines = 0;
	struct lock lock;

	if (lock_read(document, &lock) != 0)
		return;
	for (size_t i = 0; i < probe->need_count; i++) {
		const struct permission_need *need = &probe->needs[i];
		bool hit = need->use == PERMISSION_CORRECTS && lock_refuses(&lock, need->action);

		refuses = refuses || hit;
		refuses_machines = refuses_machines || (hit && need->on_machine);
	}
	if (refuses_machines && !covers_subscription(probe, lock.scope))
		machines = machines_under(probe, lock.scope);
	if (covers_subscription(probe, lock.scope) ? refuses : machines > 0)
		find_lock(probe, &lock, machines);
	lock_fini(&lock);
}

/* Denied actions as text; below the subscription only those of machines count. */
static enum denial denied_actions(
	const struct probe *probe, const json_t *document, bool whole, struct buf *ret)
{
	enum denial worst = DENIAL_NONE;
	char caller[OBJECT_ID_SIZE];
	bool known = arm_client_object_id(
		probe->preflight->client, probe->subject->scope->identity->name, caller);

	for (size_t i = 0; i < probe->need_count; i++) {
		const struct permission_need *need = &probe->needs[i];
		enum denial denial;

		if (need->use == PERMISSION_HELPS || (!whole && !need->on_machine))
			continue;
		denial = deny_assignment_denies(document, need->action, known ? caller : NULL);
		if (denial != DENIAL_NONE)
			buf_addf(ret, "%s%s", ret->len > 0 ? ", " : "", need->action);
		worst = denial > worst ? denial : worst;
	}
	return worst;
}

void judge_deny_assignment(struct probe *probe, const json_t *document)
{
	const char *scope = deny_assignment_scope(document);
	bool whole = covers_subscription(probe, scope);
	uint64_t machines = whole ? 0 : machines_under(probe, scope);
	struct buf actions = BUF_INIT(TEXT_MAX);
	mdc_autofree char *what = NULL;
	enum denial denial = DENIAL_NONE;

	if (whole || machines > 0)
		denial = denied_actions(probe, document, whole, &actions);
	what = xasprintf("deny assignment \"%.200s\"%s%.400s forbids %s%s",
		deny_assignment_name(document), whole ? "" : " on ", whole ? "" : scope,
		denial == DENIAL_FOR_SOME ? "some principals, perhaps this one: " : "",
		buf_str(&actions));
	if (denial != DENIAL_NONE)
		find(probe,
			(struct finding){.kind = FINDING_DENY_ASSIGNMENT,
				.doubt = denial == DENIAL_FOR_SOME,
				.what = what,
				.help = "exclude the identity in what made it (a deployment stack, "
					"a managed application)",
				.machines = machines});
	buf_fini(&actions);
}

void judge_policy(struct probe *probe, const char *type, const json_t *document)
{
	const char *assignment = policy_refusal(document);
	struct buf help = BUF_INIT(TEXT_MAX);
	mdc_autofree char *what = NULL;

	if (assignment == NULL)
		return;
	what = xasprintf("policy assignment %.600s denies %s", assignment, type);
	if (str_equal(what, probe->refusal))
		return;
	buf_adds(&help,
		"az policy exemption create --name mdcd --exemption-category Waiver "
		"--policy-assignment ");
	add_quoted(&help, assignment);
	buf_adds(&help, " --scope /subscriptions/" FINDING_PLACE);
	find(probe, (struct finding){.kind = FINDING_POLICY, .what = what, .help = buf_str(&help)});
	buf_fini(&help);
	free(probe->refusal);
	probe->refusal = mdc_take(what);
}
