/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/virtual_machine.h"

#include "lib/base/str.h"

#include <stdio.h>
#include <string.h>

#define POWER_STATE "PowerState/"

/* --- the operating system --- */

/* What the VM agent calls it, and what it is called by its vendor. */
static const struct {
	const char *reported, *name;
} distributions[] = {
	{"ubuntu", "Ubuntu"},
	{"redhat", "Red Hat Enterprise Linux"},
	{"rhel", "Red Hat Enterprise Linux"},
	{"centos", "CentOS"},
	{"debian", "Debian GNU/Linux"},
	{"sles", "SUSE Linux Enterprise Server"},
	{"suse", "SUSE Linux Enterprise Server"},
	{"oracle", "Oracle Linux Server"},
	{"ol", "Oracle Linux Server"},
	{"almalinux", "AlmaLinux"},
	{"rocky", "Rocky Linux"},
	{"fedora", "Fedora"},
	{"mariner", "CBL-Mariner"},
	{"azurelinux", "Azure Linux"},
};

/* Publishers of Linux images, and where their version stands. */
static const struct {
	const char *publisher, *name;
	bool in_offer; /* the SKU's first number is another one ("gen2") */
} linux_images[] = {
	{"Canonical", "Ubuntu", false},
	{"RedHat", "Red Hat Enterprise Linux", false},
	{"OpenLogic", "CentOS", false},
	{"Debian", "Debian GNU/Linux", false},
	{"SUSE", "SUSE Linux Enterprise Server", true},
	{"Oracle", "Oracle Linux Server", false},
	{"almalinux", "AlmaLinux", false},
	{"resf", "Rocky Linux", false},
	{"MicrosoftCBLMariner", "CBL-Mariner", false},
};

/*
 * The first number: "22_04-lts" is 22.04. "89" of distributions whose majors are 7 to 9 is 8.9.
 * False where there is none.
 */
static bool image_version(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
	size_t len;

	if (text == NULL)
		return false;
	text += strcspn(text, "0123456789");
	len = strspn(text, "0123456789");
	if (len == 0 || len > 3)
		return false;
	*ret_major = (unsigned)strtoul(text, NULL, 10);
	*ret_minor = 0;
	if ((text[len] == '_' || text[len] == '.') && text[len + 1] >= '0' && text[len + 1] <= '9')
		*ret_minor = (unsigned)strtoul(text + len + 1, NULL, 10) % 100;
	else if (len > 1 && *text >= '7' && *text <= '9') {
		*ret_major = (unsigned)(*text - '0');
		*ret_minor = (unsigned)strtoul(text + 1, NULL, 10);
	}
	return true;
}

static void linux_image_text(const struct vm_system *s, char ret[static ARM_OS_TEXT_SIZE])
{
	for (size_t i = 0; i < ARRAY_LEN(linux_images); i++) {
		const char *first = linux_images[i].in_offer ? s->offer : s->plan;
		const char *second = linux_images[i].in_offer ? NULL : s->offer;
		unsigned major, minor;

		if (!str_equal_nocase(s->publisher, linux_images[i].publisher))
			continue;
		if (!image_version(first, &major, &minor) && !image_version(second, &major, &minor))
			continue;
		/* Ubuntu's minors are months. */
		if (minor == 0)
			snprintf(ret, ARM_OS_TEXT_SIZE, "%s %u", linux_images[i].name, major);
		else
			snprintf(ret, ARM_OS_TEXT_SIZE, "%s %u.%s%u", linux_images[i].name, major,
				i == 0 && minor < 10 ? "0" : "", minor);
		return;
	}
}

/* "2012-R2-Datacenter-smalldisk" */
static void windows_server_text(const char *sku, char ret[static ARM_OS_TEXT_SIZE])
{
	snprintf(ret, ARM_OS_TEXT_SIZE, "Windows Server %s", sku);
	for (char *p = ret; *p != '\0'; p++)
		if (*p == '-' || *p == '_')
			*p = ' ';
}

/* "2012r2" of "sql2014-ws2012r2", or NULL. */
static const char *server_in(const char *offer)
{
	static const char mark[] = "-ws";

	for (; offer != NULL && *offer != '\0'; offer++)
		if (str_starts_nocase(offer, mark))
			return offer + strlen(mark);
	return NULL;
}

static void image_text(const struct vm_system *s, char ret[static ARM_OS_TEXT_SIZE])
{
	const char *on_server = server_in(s->offer);
	const char *sku = s->plan != NULL ? s->plan : "";

	if (str_equal_nocase(s->publisher, "MicrosoftWindowsServer"))
		windows_server_text(sku, ret);
	else if (str_equal_nocase(s->publisher, "MicrosoftSQLServer") && on_server != NULL)
		snprintf(ret, ARM_OS_TEXT_SIZE, "Windows Server %.4s%s", on_server,
			str_contains_nocase(on_server, "r2") ? " R2" : "");
	else if (str_equal_nocase(s->publisher, "MicrosoftWindowsDesktop"))
		snprintf(ret, ARM_OS_TEXT_SIZE, "Windows %s Enterprise%s",
			str_contains_nocase(s->offer != NULL ? s->offer : "", "11") ? "11" : "10",
			str_contains_nocase(sku, "evd") || str_contains_nocase(sku, "avd")
				? " multi-session"
				: "");
	else
		linux_image_text(s, ret);
}

void vm_system_text(const struct vm_system *s, char ret[static ARM_OS_TEXT_SIZE])
{
	*ret = '\0';
	for (size_t i = 0; s->name != NULL && i < ARRAY_LEN(distributions); i++)
		if (str_equal_nocase(s->name, distributions[i].reported)) {
			snprintf(ret, ARM_OS_TEXT_SIZE, "%s %s", distributions[i].name,
				s->version != NULL ? s->version : "");
			return;
		}
	if (s->name != NULL)
		str_copy(ret, ARM_OS_TEXT_SIZE, s->name);
	else
		image_text(s, ret);
}

enum os_class vm_image_class(const char *publisher, const char *offer)
{
	static const char *const nodes[] = {"AzureDatabricks", "azureopenshift", "microsoft-aks"};
	/* As Microsoft's own policies leave them out. */
	static const char *const vendors[] = {"cisco", "fortinet", "juniper-networks",
		"barracudanetworks", "checkpoint", "imperva", "qualysguard", "f5-networks",
		"paloaltonetworks"};

	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		if (str_equal_nocase(publisher, nodes[i]))
			return OS_EXCLUDED;
	for (size_t i = 0; i < ARRAY_LEN(vendors); i++)
		if (str_equal_nocase(publisher, vendors[i]))
			return OS_APPLIANCE;
	return offer != NULL && str_contains_nocase(offer, "firewall") ? OS_APPLIANCE : OS_UNKNOWN;
}

/* --- the document --- */

/* The word behind "PowerState/" in the statuses of an instance view. */
static const char *power_of(const json_t *view)
{
	size_t i;
	json_t *status;

	json_array_foreach (json_path(view, "statuses"), i, status) {
		const char *code = json_text(status, "code");

		if (str_starts_nocase(code, POWER_STATE))
			return code + strlen(POWER_STATE);
	}
	return NULL;
}

static enum tri agent_ready_of(const json_t *view)
{
	const json_t *statuses = json_path(view, "vmAgent.statuses");
	const char *said = json_text(json_array_get(statuses, 0), "displayStatus");

	if (said == NULL)
		return TRI_UNKNOWN;
	return str_equal_nocase(said, "Ready") ? TRI_YES : TRI_NO;
}

/* Resource Graph tells only some of it, and elsewhere. */
static void read_status(const json_t *p, struct arm_machine *ret)
{
	const json_t *view = json_path(p, "instanceView");
	const char *code = json_path_text(p, "extended.instanceView.powerState.code");

	ret->status = view != NULL                     ? power_of(view)
		: str_starts_nocase(code, POWER_STATE) ? code + strlen(POWER_STATE)
						       : NULL;
	ret->agent_ready = agent_ready_of(view);
}

/* A generalized image leaves a profile of the system; one of the marketplace has no id. */
static bool is_own_image(const json_t *p)
{
	static const char *const ids[] = {"storageProfile.imageReference.id",
		"storageProfile.imageReference.sharedGalleryImageId",
		"storageProfile.imageReference.communityGalleryImageId"};

	if (!json_is_object(json_path(p, "osProfile")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		if (json_path_text(p, ids[i]) != NULL)
			return true;
	return false;
}

static void read_model(const json_t *p, struct arm_machine *ret)
{
	const char *publisher = json_path_text(p, "storageProfile.imageReference.publisher");
	const char *offer = json_path_text(p, "storageProfile.imageReference.offer");
	const char *name = json_path_text(p, "extended.instanceView.osName");
	bool extended = name != NULL;
	struct vm_system system = {
		.name = extended ? name : json_path_text(p, "instanceView.osName"),
		.version = json_path_text(
			p, extended ? "extended.instanceView.osVersion" : "instanceView.osVersion"),
		.publisher = publisher,
		.offer = offer,
		.plan = json_path_text(p, "storageProfile.imageReference.sku"),
	};

	ret->os_type = json_path_text(p, "storageProfile.osDisk.osType");
	vm_system_text(&system, ret->os_text);
	ret->os_sku = *ret->os_text != '\0' ? ret->os_text : NULL;
	ret->image_class = vm_image_class(publisher, offer);
	ret->own_image = is_own_image(p);
	ret->in_scale_set = json_path_text(p, "virtualMachineScaleSet.id") != NULL;
	ret->extensions_enabled = json_tri(json_path(p, "osProfile.allowExtensionOperations"));
	if (wall_parse(json_path_text(p, "timeCreated"), &ret->status_since) != 0)
		ret->status_since = WALL_UNSET;
}

void virtual_machine_read(const json_t *document, const char *id, struct arm_machine *ret)
{
	const json_t *p = json_path(document, "properties");
	const json_t *tags = json_path(document, "tags");

	*ret = (struct arm_machine){
		.id = id,
		.location = json_text(document, "location"),
		.cloud = "Azure",
		.status_since = WALL_UNSET,
		.virtual = true,
		.status_only = !json_is_object(json_path(p, "storageProfile")),
		.tags = json_is_object(tags) ? tags : NULL,
	};
	read_status(p, ret);
	if (!ret->status_only)
		read_model(p, ret);
}
