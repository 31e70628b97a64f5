/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a few words about an Azure VM to its document, which is kept as Resource Graph shows it:
 * with `extended.instanceView`. ARM's own answers are made from it (estate_compute.c).
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_document.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(struct vm_spec, member)
static const struct field vm_fields[] = {
	{"ownImage", FIELD_BOOL, AT(own_image)},
	{"allowExtensions", FIELD_BOOL, AT(allow_extensions)},
	{"agent", FIELD_BOOL, AT(agent)},
	{"scaleSet", FIELD_TEXT, AT(scale_set)},
	{"publisher", FIELD_TEXT, AT(publisher)},
	{"offer", FIELD_TEXT, AT(offer)},
	{"sku", FIELD_TEXT, AT(sku)},
};
#undef AT

/* Linux, as its vendor calls it, as the VM agent does, and its image. */
static const struct {
	const char *name, *reported, *publisher, *offer, *sku;
} systems[] = {
	{"Ubuntu", "ubuntu", "Canonical", "0001-com-ubuntu-server", "%s-lts-gen2"},
	{"Red Hat", "redhat", "RedHat", "RHEL", "%s-lvm-gen2"},
	{"Debian", "debian", "Debian", "debian", "%s-gen2"},
	{"SUSE", "sles", "SUSE", "sles", "%s"},
	{"Oracle", "oracle", "Oracle", "Oracle-Linux", "%s-lvm-gen2"},
	{"AlmaLinux", "almalinux", "almalinux", "almalinux-x86_64", "%s-gen2"},
	{"Rocky", "rocky", "resf", "rockylinux-x86_64", "%s-base"},
};

bool vm_spec_read(
	const struct reader *reader, const char *path, const json_t *object, struct vm_spec *ret)
{
	*ret = (struct vm_spec){.allow_extensions = true, .agent = true};
	return reader_struct(reader, path, object, vm_fields, ret);
}

/* "22.04.4" of "Ubuntu 22.04.4 LTS", at most two numbers of it. */
static void version_in(const char *os, char ret[static 16])
{
	const char *digits = os + strcspn(os, "0123456789");
	size_t len = strspn(digits, "0123456789");

	if (digits[len] == '.')
		len += 1 + strspn(digits + len + 1, "0123456789");
	snprintf(ret, 16, "%.*s", (int)len, digits);
}

static size_t system_of(const char *os)
{
	size_t i = 0;

	while (i < ARRAY_LEN(systems) && !str_starts_nocase(os, systems[i].name))
		i++;
	return i;
}

/* What a VM that runs reports, and one that does not. */
json_t *vm_extended(const char *name, const char *os, const char *status)
{
	char version[16];
	size_t i = system_of(os);
	json_t *view = json_pack("{s:{s:o, s:s, s:o}}", "powerState", "code",
		json_sprintf("PowerState/%s", status), "level", "Info", "displayStatus",
		json_sprintf("VM %s", status));

	version_in(os, version);
	if (str_equal(status, "running")) {
		json_object_set_new(view, "computerName", json_string(name));
		json_object_set_new(view, "osName",
			json_string(i < ARRAY_LEN(systems) ? systems[i].reported : os));
		json_object_set_new(
			view, "osVersion", json_string(i < ARRAY_LEN(systems) ? version : "10.0"));
		json_object_set_new(view, "hyperVGeneration", json_string("V2"));
	}
	return json_pack("{s:o}", "instanceView", view);
}

static json_t *linux_image(const char *os)
{
	char version[16];
	size_t i = system_of(os);
	mdc_autofree char *sku = NULL;

	if (i == ARRAY_LEN(systems))
		return json_pack("{s:s, s:s, s:s, s:s}", "publisher", "contoso", "offer", "server",
			"sku", "server", "version", "latest");
	version_in(os, version);
	for (char *p = version; *p != '\0'; p++)
		if (*p == '.')
			*p = '_';
	sku = xasprintf("%s%s", version, strchr(systems[i].sku, '%') + 2);
	return json_pack("{s:s, s:s, s:s, s:s}", "publisher", systems[i].publisher, "offer",
		systems[i].offer, "sku", sku, "version", "latest");
}

static json_t *windows_image(const char *os)
{
	static const char server[] = "Windows Server ";
	mdc_autofree char *sku =
		xstrdup(str_starts_nocase(os, server) ? os + strlen(server) : "win11-23h2-ent");

	for (char *p = sku; *p != '\0'; p++)
		if (*p == ' ')
			*p = '-';
	return json_pack("{s:s, s:s, s:s, s:s}", "publisher",
		str_starts_nocase(os, server) ? "MicrosoftWindowsServer"
					      : "MicrosoftWindowsDesktop",
		"offer", str_starts_nocase(os, server) ? "WindowsServer" : "Windows-11", "sku", sku,
		"version", "latest");
}

static json_t *image_of(const struct vm_spec *vm, const struct vm_facts *facts, const char *sub)
{
	json_t *image;

	if (vm->own_image)
		return json_pack("{s:o}", "id",
			json_sprintf("/subscriptions/%s/resourceGroups/images/providers/"
				     "Microsoft.Compute/galleries/contoso/images/server/versions/"
				     "1.0.0",
				sub));
	image = facts->windows ? windows_image(facts->os) : linux_image(facts->os);
	if (vm->publisher != NULL)
		json_object_set_new(image, "publisher", json_string(vm->publisher));
	if (vm->offer != NULL)
		json_object_set_new(image, "offer", json_string(vm->offer));
	if (vm->sku != NULL)
		json_object_set_new(image, "sku", json_string(vm->sku));
	return image;
}

static json_t *vm_properties(
	struct estate *e, const struct vm_spec *vm, const struct vm_facts *facts, const char *sub)
{
	char guid[GUID_SIZE], created[WALL_TEXT_SIZE];
	json_t *p;

	estate_guid(e, guid);
	wall_format(facts->created, created);
	p = json_pack("{s:s, s:s, s:s, s:{s:s}, s:{s:o, s:{s:s, s:s, s:s}}, s:{s:s, s:s, s:b}, "
		      "s:o}",
		"vmId", guid, "provisioningState", "Succeeded", "timeCreated", created,
		"hardwareProfile", "vmSize", "Standard_D2s_v5", "storageProfile", "imageReference",
		image_of(vm, facts, sub), "osDisk", "osType", facts->windows ? "Windows" : "Linux",
		"name", "osdisk", "createOption", "FromImage", "osProfile", "computerName",
		facts->name, "adminUsername", "contoso", "allowExtensionOperations",
		vm->allow_extensions, "extended",
		vm_extended(facts->name, facts->os, facts->status));
	if (vm->scale_set != NULL)
		json_object_set_new(p, "virtualMachineScaleSet",
			json_pack("{s:o}", "id",
				json_sprintf("/subscriptions/%s/resourceGroups/%s/providers/"
					     "Microsoft.Compute/virtualMachineScaleSets/%s",
					sub, facts->group, vm->scale_set)));
	return p;
}

json_t *vm_doc(
	struct estate *e, const char *sub, const struct vm_spec *vm, const struct vm_facts *facts)
{
	json_t *doc = json_pack("{s:o, s:s, s:s, s:s, s:o}", "id",
		json_sprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Compute/"
			     "virtualMachines/%s",
			sub, facts->group, facts->name),
		"name", facts->name, "type", VM_TYPE, "location", facts->location, "properties",
		vm_properties(e, vm, facts, sub));

	if (facts->tags != NULL)
		json_object_set_new(doc, "tags", json_deep_copy(facts->tags));
	return doc;
}
