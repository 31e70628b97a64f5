/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/preflight_parts.h"

#include "lib/azure/access_request.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define PROBE_MAGIC 0x93ef1195u
/* Far above what one principal has at a scope. */
#define ENTRIES_MAX 2000

static void ask_next(struct probe *probe);

static const char *identity_of(const struct probe *probe)
{
	return probe->subject->scope->identity->name;
}

static bool corrects(const struct probe *probe)
{
	return probe->subject->scope->mode == MODE_ENFORCE;
}

/* --- lists --- */

static void list(struct probe *probe, struct arm_request *take_request, listing_row_fn row,
	listing_done_fn done)
{
	struct listing_target target = {.client = probe->preflight->client,
		.loop = probe->preflight->world->loop,
		.identity = identity_of(probe),
		.idle = true,
		.row = row,
		.done = done,
		.ctx = probe};

	probe->listing = listing_arm(&target, take_request);
}

static bool list_ended(struct probe *probe, const struct listing_end *end)
{
	probe->listing = NULL;
	return end->error->class == ARM_ERROR_NONE && end->complete;
}

/* --- permissions --- */

static void entry_read(void *ctx, const json_t *row)
{
	struct probe *probe = ctx;

	if (json_array_size(probe->entries) < ENTRIES_MAX)
		json_array_append(probe->entries, (json_t *)row);
}

static void note_missing(struct probe *probe)
{
	for (size_t i = 0; i < probe->need_count; i++)
		probe->missing[i] = probe->needs[i].use != PERMISSION_HELPS &&
			!permission_allows(probe->entries, probe->needs[i].action);
	collect_groups(probe);
}

static void permissions_read(void *ctx, const struct listing_end *end)
{
	struct probe *probe = ctx;

	MDC_MAGIC_CHECK(probe, PROBE_MAGIC);
	if (list_ended(probe, end))
		note_missing(probe);
	else
		judge_unread(probe, FINDING_ROLE, "its permissions",
			"Microsoft.Authorization/permissions/read", end->error);
	probe->question = ASK_GROUP_PERMISSIONS;
	ask_next(probe);
}

static bool ask_permissions(struct probe *probe)
{
	struct arm_request request;

	json_array_clear(probe->entries);
	access_list_permissions(probe->subject->id, NULL, &request);
	list(probe, &request, entry_read, permissions_read);
	return true;
}

static void group_permissions_read(void *ctx, const struct listing_end *end)
{
	struct probe *probe = ctx;

	MDC_MAGIC_CHECK(probe, PROBE_MAGIC);
	/* What could not be read there is missing as it is at the subscription. */
	if (list_ended(probe, end))
		for (size_t i = 0; i < probe->need_count; i++)
			probe->groups[i] +=
				permission_allows(probe->entries, probe->needs[i].action);
	ask_next(probe);
}

static bool ask_group_permissions(struct probe *probe)
{
	struct arm_request request;

	if (probe->part == probe->group_count) {
		judge_permissions(probe);
		return false;
	}
	json_array_clear(probe->entries);
	access_list_permissions(probe->subject->id, probe->group_names[probe->part++], &request);
	list(probe, &request, entry_read, group_permissions_read);
	return true;
}

/* --- single answers --- */

static json_t *answer_of(struct probe *probe, struct arm_result *result)
{
	probe->call = NULL;
	if (result->error.class != ARM_ERROR_NONE || result->reply == NULL)
		return NULL;
	return json_body(result->reply->body, result->reply->body_len);
}

static void call(struct probe *probe, struct arm_request *take_request, arm_done_fn done)
{
	probe->call = arm_client_call(probe->preflight->client, identity_of(probe), take_request,
		ARM_IDLE, NULL, done, probe);
}

/* --- resource providers --- */

static void registration_read(void *ctx, struct arm_result *result)
{
	struct probe *probe = ctx;
	const char *provider = probe->providers[probe->part - 1];
	json_t *document;

	MDC_MAGIC_CHECK(probe, PROBE_MAGIC);
	document = answer_of(probe, result);
	if (document != NULL)
		judge_registration(probe, provider, document);
	else
		judge_unread(probe, FINDING_PROVIDER, provider,
			"Microsoft.Resources/subscriptions/providers/read", &result->error);
	json_decref(document);
	ask_next(probe);
}

static bool ask_provider(struct probe *probe)
{
	struct arm_request request;

	if (probe->part == probe->provider_count)
		return false;
	access_get_registration(probe->subject->id, probe->providers[probe->part++], &request);
	call(probe, &request, registration_read);
	return true;
}

/* --- locks, deny assignments --- */

static void lock_seen(void *ctx, const json_t *row)
{
	judge_lock(ctx, row);
}

static void locks_read(void *ctx, const struct listing_end *end)
{
	struct probe *probe = ctx;

	MDC_MAGIC_CHECK(probe, PROBE_MAGIC);
	if (!list_ended(probe, end))
		judge_unread(probe, FINDING_LOCK, "its locks", "Microsoft.Authorization/locks/read",
			end->error);
	probe->question = ASK_DENY_ASSIGNMENTS;
	ask_next(probe);
}

static bool ask_locks(struct probe *probe)
{
	struct arm_request request;

	if (!corrects(probe))
		return false;
	access_list_locks(probe->subject->id, &request);
	list(probe, &request, lock_seen, locks_read);
	return true;
}

static void denial_seen(void *ctx, const json_t *row)
{
	judge_deny_assignment(ctx, row);
}

static void denials_read(void *ctx, const struct listing_end *end)
{
	struct probe *probe = ctx;

	MDC_MAGIC_CHECK(probe, PROBE_MAGIC);
	if (!list_ended(probe, end))
		judge_unread(probe, FINDING_DENY_ASSIGNMENT, "its deny assignments",
			"Microsoft.Authorization/denyAssignments/read", end->error);
	probe->question = ASK_POLICIES;
	ask_next(probe);
}

static bool ask_deny_assignments(struct probe *probe)
{
	struct arm_request request;

	if (!corrects(probe))
		return false;
	access_list_deny_assignments(probe->subject->id, &request);
	list(probe, &request, denial_seen, denials_read);
	return true;
}

/* --- policies --- */

/* The type that an action writes; false for another action. */
#define TYPE_SIZE 128
static bool written_type(const struct permission_need *need, char ret[static TYPE_SIZE])
{
	static const char end[] = "/write";
	size_t len = strlen(need->action);

	if (need->use != PERMISSION_CORRECTS || !str_ends_nocase(need->action, end) ||
		len - strlen(end) >= TYPE_SIZE)
		return false;
	memcpy(ret, need->action, len - strlen(end));
	ret[len - strlen(end)] = '\0';
	return true;
}

static bool is_windows(enum os_class os)
{
	return os == OS_WINDOWS_UNIFIED || os == OS_WINDOWS_INBOX;
}

/* A machine that would get that extension, for the policies that look at where it goes. */
static const struct machine *sample(const struct probe *probe, bool windows)
{
	const struct subscription *s = probe->subscription;

	for (uint32_t i = 0; s != NULL && i < s->machine_count; i++)
		if (os_is_supported(s->machines[i]->os) &&
			is_windows(s->machines[i]->os) == windows)
			return s->machines[i];
	return NULL;
}

static void check_extension(const struct probe *probe, const struct machine *m, const char *type,
	struct arm_request *ret)
{
	enum extension_kind kind = is_windows(m->os) ? EXTENSION_MDE_WINDOWS : EXTENSION_MDE_LINUX;
	const char *name = extension_kind_type(kind);

	access_check_policies(probe->subject->id, m->id,
		json_pack("{s:s, s:o, s:s, s:{s:s, s:s}}", "type", type, "name",
			json_sprintf("%s/%s", m->name, name), "location", m->location, "properties",
			"publisher", MDE_PUBLISHER, "type", name),
		arm_api_version(ARM_KIND_ARC_EXTENSION), ret);
}

static void check_settings(const struct probe *probe, const char *type, struct arm_request *ret)
{
	bool plan = str_ends_nocase(type, "/pricings");

	access_check_policies(probe->subject->id, NULL, json_pack("{s:s}", "type", type),
		arm_api_version(plan ? ARM_KIND_PRICING : ARM_KIND_SETTING), ret);
}

static void restrictions_read(void *ctx, struct arm_result *result)
{
	struct probe *probe = ctx;
	char type[TYPE_SIZE] = "";
	json_t *document;

	MDC_MAGIC_CHECK(probe, PROBE_MAGIC);
	document = answer_of(probe, result);
	if (document != NULL && written_type(&probe->needs[(probe->part - 1) / 2], type))
		judge_policy(probe, type, document);
	else
		judge_unread(probe, FINDING_POLICY, "policies that deny",
			"Microsoft.PolicyInsights/checkPolicyRestrictions/read", &result->error);
	json_decref(document);
	ask_next(probe);
}

/* A part is a need, once for Windows and once for Linux; what is no machine's has one alone. */
static bool ask_policies(struct probe *probe)
{
	struct arm_request request;

	if (!corrects(probe))
		return false;
	for (; probe->part < 2 * probe->need_count; probe->part++) {
		const struct permission_need *need = &probe->needs[probe->part / 2];
		bool windows = probe->part % 2 == 0;
		const struct machine *m = need->on_machine ? sample(probe, windows) : NULL;
		char type[TYPE_SIZE];

		if (!written_type(need, type) || (need->on_machine ? m == NULL : !windows))
			continue;
		if (m != NULL)
			check_extension(probe, m, type, &request);
		else
			check_settings(probe, type, &request);
		probe->part++;
		call(probe, &request, restrictions_read);
		return true;
	}
	return false;
}

/* --- from question to question --- */

/* False when nothing is left to be asked of it. */
static bool ask(struct probe *probe)
{
	switch (probe->question) {
	case ASK_PERMISSIONS: return ask_permissions(probe);
	case ASK_GROUP_PERMISSIONS: return ask_group_permissions(probe);
	case ASK_PROVIDERS: return ask_provider(probe);
	case ASK_LOCKS: return ask_locks(probe);
	case ASK_DENY_ASSIGNMENTS: return ask_deny_assignments(probe);
	case ASK_POLICIES: return ask_policies(probe);
	case ASK_NOTHING: break;
	}
	return false;
}

static void ask_next(struct probe *probe)
{
	struct preflight *p = probe->preflight;

	for (; probe->question != ASK_NOTHING; probe->question++, probe->part = 0)
		if (ask(probe))
			return;
	judge_observed(probe);
	probe_free(probe);
	preflight_probe_over(p);
}

/* --- life --- */

static bool has_provider(const struct probe *probe, const char *provider)
{
	for (size_t i = 0; i < probe->provider_count; i++)
		if (str_equal_nocase(probe->providers[i], provider))
			return true;
	return false;
}

/* Where no machine or workspace is, none has to be written to. */
static bool needs_provider(const struct probe *probe, const struct control *control)
{
	if (control_resource(control->id) == ON_WORKSPACE)
		return probe->subscription != NULL && probe->subscription->workspace_count > 0 &&
			control->may_write(probe->subject->scope->policy);
	return control_resource(control->id) != ON_MACHINE ||
		(probe->subscription != NULL && probe->subscription->machine_count > 0);
}

static void add_providers(struct probe *probe, const char *const *actions)
{
	for (; actions != NULL && *actions != NULL; actions++) {
		char provider[PERMISSION_PROVIDER_SIZE];

		if (probe->provider_count == PROBE_PROVIDERS_MAX ||
			!permission_provider(*actions, provider) || has_provider(probe, provider) ||
			/* Is always there. */
			str_equal_nocase(provider, "Microsoft.Resources"))
			continue;
		str_copy(probe->providers[probe->provider_count++], PERMISSION_PROVIDER_SIZE,
			provider);
	}
}

void probe_new(struct preflight *p, const struct subject *subject)
{
	struct probe *probe = xcalloc(1, sizeof(*probe));

	probe->magic = PROBE_MAGIC;
	probe->preflight = p;
	probe->subject = subject;
	probe->subscription = inventory_subscription(p->inventory, subject->id);
	probe->need_count = permission_needs(subject->scope, probe->needs);
	probe->entries = json_array();
	map_init(&probe->machines_in, NULL);
	for (unsigned c = 0; c < CONTROL_N_; c++)
		if (needs_provider(probe, control_by_id(c)))
			add_providers(probe, control_by_id(c)->reads);
	list_append(&p->probes, &probe->link);
	ask_next(probe);
}

void probe_free(struct probe *probe)
{
	MDC_MAGIC_CHECK(probe, PROBE_MAGIC);
	probe->magic = 0;
	list_remove(&probe->link);
	listing_cancel(probe->listing);
	if (probe->call != NULL)
		arm_client_cancel(probe->preflight->client, probe->call);
	for (size_t i = 0; i < probe->group_count; i++)
		free(probe->group_names[i]);
	free(probe->refusal);
	map_fini(&probe->machines_in);
	json_decref(probe->entries);
	free(probe);
}
