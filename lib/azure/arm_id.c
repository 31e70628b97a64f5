/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_id.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define SEGMENTS_MAX 32

/* The id cut at its slashes; pointers into a scratch copy. */
struct segments {
	char *scratch;
	char *v[SEGMENTS_MAX];
	size_t n;
};

static void segments_fini(struct segments *s)
{
	free(s->scratch);
}

static bool segment_is_sound(const char *segment)
{
	if (*segment == '\0' || str_equal(segment, ".") || str_equal(segment, ".."))
		return false;
	for (; *segment != '\0'; segment++)
		if ((unsigned char)*segment < 0x20 || (unsigned char)*segment == 0x7f ||
			strchr("?#%\\<>\"", *segment) != NULL)
			return false;
	return true;
}

static int split(const char *text, struct segments *ret)
{
	char *rest;

	*ret = (struct segments){.scratch = xstrdup(text)};
	rest = ret->scratch;
	if (*rest == '/')
		rest++;
	for (;;) {
		char *segment = strsep(&rest, "/");

		if (segment == NULL)
			return 0;
		if (ret->n == SEGMENTS_MAX || !segment_is_sound(segment)) {
			segments_fini(ret);
			return -EINVAL;
		}
		ret->v[ret->n++] = segment;
	}
}

static bool at(const struct segments *s, size_t index, const char *word)
{
	return index < s->n && str_equal_nocase(s->v[index], word);
}

struct kind_row {
	const char *provider, *type, *child;
	enum arm_kind kind;
	bool in_group;
};
static const struct kind_row kinds[] = {
	{"microsoft.security", "pricings", NULL, ARM_KIND_PRICING, false},
	{"microsoft.security", "settings", NULL, ARM_KIND_SETTING, false},
	{"microsoft.security", "serverVulnerabilityAssessmentsSettings", NULL, ARM_KIND_VA_SETTING,
		false},
	{"microsoft.security", "autoProvisioningSettings", NULL, ARM_KIND_AUTO_PROVISIONING, false},
	{"microsoft.security", "mdeOnboardings", NULL, ARM_KIND_MDE_ONBOARDING, false},
	{"microsoft.security", "securityConnectors", NULL, ARM_KIND_CONNECTOR, true},
	{"microsoft.operationalinsights", "workspaces", NULL, ARM_KIND_WORKSPACE, true},
	{"microsoft.operationsmanagement", "solutions", NULL, ARM_KIND_SOLUTION, true},
	{"microsoft.insights", "dataCollectionRules", NULL, ARM_KIND_COLLECTION_RULE, true},
	{"microsoft.hybridcompute", "machines", NULL, ARM_KIND_ARC_MACHINE, true},
	{"microsoft.hybridcompute", "machines", "extensions", ARM_KIND_ARC_EXTENSION, true},
	{"microsoft.compute", "virtualMachines", NULL, ARM_KIND_VIRTUAL_MACHINE, true},
	{"microsoft.compute", "virtualMachines", "extensions", ARM_KIND_VM_EXTENSION, true},
};

/* The kind by the fixed positions of provider, type and child after `start`. */
static enum arm_kind kind_at(const struct segments *s, size_t start, bool in_group)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t len = kinds[i].child != NULL ? 6 : 4;

		if (kinds[i].in_group == in_group && s->n == start + len &&
			at(s, start, "providers") && at(s, start + 1, kinds[i].provider) &&
			at(s, start + 2, kinds[i].type) &&
			(kinds[i].child == NULL || at(s, start + 4, kinds[i].child)))
			return kinds[i].kind;
	}
	/* …/machines/m/providers/Microsoft.Security/pricings/VirtualMachines */
	if (in_group && s->n == start + 8 && at(s, start + 4, "providers") &&
		at(s, start + 5, "microsoft.security") && at(s, start + 6, "pricings"))
		return ARM_KIND_RESOURCE_PRICING;
	return ARM_KIND_OTHER;
}

static void classify(const struct segments *s, struct arm_id *id)
{
	bool in_group = at(s, 2, "resourceGroups");

	id->kind = ARM_KIND_OTHER;
	if (!at(s, 0, "subscriptions") || s->n < 2 || !str_is_guid(s->v[1]))
		return;
	str_copy(id->subscription, sizeof(id->subscription), s->v[1]);
	str_fold(id->subscription);
	if (s->n == 2) {
		id->kind = ARM_KIND_SUBSCRIPTION;
		return;
	}
	if (in_group && s->n >= 4)
		id->group = xstrdup(s->v[3]);
	if (in_group && s->n == 4)
		id->kind = ARM_KIND_RESOURCE_GROUP;
	else if (s->n == 4 && at(s, 2, "providers"))
		id->kind = ARM_KIND_PROVIDER;
	else
		id->kind = kind_at(s, in_group ? 4 : 2, in_group);
	if (id->kind == ARM_KIND_ARC_EXTENSION || id->kind == ARM_KIND_VM_EXTENSION ||
		id->kind == ARM_KIND_RESOURCE_PRICING)
		id->parent_name = xstrdup(s->v[7]);
}

int arm_id_parse(const char *text, struct arm_id *ret)
{
	struct arm_id id = {0};
	struct segments s;

	if (str_empty(text))
		return -EINVAL;
	if (strlen(text) > ARM_ID_MAX)
		return -ENAMETOOLONG;
	if (split(text, &s) != 0)
		return -EINVAL;
	id.text = *text == '/' ? xstrdup(text) : xasprintf("/%s", text);
	classify(&s, &id);
	id.name = xstrdup(s.v[s.n - 1]);
	segments_fini(&s);
	*ret = id;
	return 0;
}

void arm_id_fini(struct arm_id *id)
{
	free(id->text);
	free(id->group);
	free(id->name);
	free(id->parent_name);
	*id = (struct arm_id){0};
}

char *arm_id_parent(const struct arm_id *id)
{
	const char *end = id->text + strlen(id->text);
	unsigned segments = id->kind == ARM_KIND_RESOURCE_PRICING ? 4 : 2;

	if (id->kind != ARM_KIND_ARC_EXTENSION && id->kind != ARM_KIND_VM_EXTENSION &&
		id->kind != ARM_KIND_RESOURCE_PRICING)
		return NULL;
	/* "/extensions/<name>" are the last two segments; names may be "extensions", too. */
	for (; segments > 0; segments--)
		while (end > id->text && *--end != '/')
			;
	return xstrndup(id->text, (size_t)(end - id->text));
}

char *arm_id_key(const char *text)
{
	char *key = *text == '/' ? xstrdup(text) : xasprintf("/%s", text);

	str_fold(key);
	return key;
}

bool arm_id_subscription(const char *text, char ret[static GUID_TEXT_SIZE])
{
	static const char prefix[] = "subscriptions/";
	const char *id = text + (*text == '/');

	if (!str_starts_nocase(id, prefix))
		return false;
	id += sizeof(prefix) - 1;
	if (strnlen(id, GUID_TEXT_SIZE) < GUID_TEXT_SIZE - 1 ||
		(id[GUID_TEXT_SIZE - 1] != '/' && id[GUID_TEXT_SIZE - 1] != '\0'))
		return false;
	memcpy(ret, id, GUID_TEXT_SIZE - 1);
	ret[GUID_TEXT_SIZE - 1] = '\0';
	str_fold(ret);
	return str_is_guid(ret);
}

bool arm_id_same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return false;
	return str_compare_nocase(a + (*a == '/'), b + (*b == '/')) == 0;
}

bool arm_id_is_vm(const char *text)
{
	struct arm_id parsed;
	bool is_vm;

	if (arm_id_parse(text, &parsed) != 0)
		return false;
	is_vm = parsed.kind == ARM_KIND_VIRTUAL_MACHINE;
	arm_id_fini(&parsed);
	return is_vm;
}

const char *arm_kind_name(enum arm_kind kind)
{
	switch (kind) {
	case ARM_KIND_SUBSCRIPTION: return "subscription";
	case ARM_KIND_RESOURCE_GROUP: return "resource group";
	case ARM_KIND_PROVIDER: return "resource provider";
	case ARM_KIND_PRICING: return "plan";
	case ARM_KIND_RESOURCE_PRICING: return "plan of a machine";
	case ARM_KIND_SETTING: return "setting";
	case ARM_KIND_VA_SETTING: return "vulnerability assessment setting";
	case ARM_KIND_AUTO_PROVISIONING: return "auto-provisioning setting";
	case ARM_KIND_CONNECTOR: return "connector";
	case ARM_KIND_WORKSPACE: return "workspace";
	case ARM_KIND_SOLUTION: return "solution";
	case ARM_KIND_COLLECTION_RULE: return "data collection rule";
	case ARM_KIND_MDE_ONBOARDING: return "onboarding package";
	case ARM_KIND_ARC_MACHINE: return "Arc machine";
	case ARM_KIND_ARC_EXTENSION: return "Arc machine extension";
	case ARM_KIND_VIRTUAL_MACHINE: return "virtual machine";
	case ARM_KIND_VM_EXTENSION: return "virtual machine extension";
	case ARM_KIND_OTHER:
	case ARM_KIND_N_: break;
	}
	return "resource";
}
