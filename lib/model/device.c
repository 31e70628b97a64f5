/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/device.h"

#include "lib/azure/arm_document.h"
#include "lib/azure/arm_id.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define ID_MAX 64
#define NAME_MAX 255
#define WORD_MAX 64

static const char *text_within(const json_t *row, const char *key, size_t most)
{
	const char *text = json_text(row, key);

	return text != NULL && strlen(text) <= most ? text : "";
}

static bool is_id(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (!(*p >= '0' && *p <= '9') && !(str_lower(*p) >= 'a' && str_lower(*p) <= 'z') &&
			*p != '-' && *p != '_')
			return false;
	return *text != '\0';
}

/* What Windows Server is not: clients have these, and phones. Linux is told by its distribution. */
static bool is_of_a_client(const char *platform)
{
	static const char *const others[] = {
		"macOS", "iOS", "Android", "tvOS", "iPadOS", "Network", "IoT"};

	if (str_starts_nocase(platform, "Windows"))
		return !str_starts_nocase(platform, "WindowsServer");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_starts_nocase(platform, others[i]))
			return true;
	return false;
}

static enum device_system system_of(const char *platform)
{
	if (*platform == '\0' || str_equal_nocase(platform, "Other"))
		return DEVICE_SYSTEM_UNKNOWN;
	return str_starts_nocase(platform, "Windows") ? DEVICE_WINDOWS : DEVICE_LINUX;
}

static const char *resource_of(const json_t *row)
{
	const char *text = json_path_text(row, "vmMetadata.resourceId");
	struct arm_id id;

	if (text == NULL || arm_id_parse(text, &id) != 0)
		return "";
	arm_id_fini(&id);
	return text;
}

static const char *place(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*at, text, size);

	*at += size;
	return copy;
}

/* Texts are borrowed from the row. */
static struct device *pack(const struct device *d)
{
	struct device *copy = xmalloc(sizeof(*copy) + strlen(d->id) + strlen(d->name) +
		strlen(d->platform) + strlen(d->version) + strlen(d->resource) + 5);
	char *at = (char *)(copy + 1);

	*copy = *d;
	copy->id = place(&at, d->id);
	str_fold((char *)(copy + 1));
	copy->name = place(&at, d->name);
	copy->platform = place(&at, d->platform);
	copy->version = place(&at, d->version);
	copy->resource = place(&at, d->resource);
	return copy;
}

enum device_reading device_read(const json_t *row, struct device **ret)
{
	struct device d = {.id = text_within(row, "id", ID_MAX)};

	if (!is_id(d.id))
		return DEVICE_UNREADABLE;
	d.platform = text_within(row, "osPlatform", WORD_MAX);
	if (is_of_a_client(d.platform) || json_text(row, "mergedIntoMachineId") != NULL ||
		json_tri(json_object_get(row, "isExcluded")) == TRI_YES)
		return DEVICE_OF_NO_CONCERN;
	d.name = text_within(row, "computerDnsName", NAME_MAX);
	d.version = text_within(row, "agentVersion", WORD_MAX);
	d.resource = resource_of(row);
	d.system = system_of(d.platform);
	d.health = sensor_health_read(json_text(row, "healthStatus"));
	d.onboarded = str_equal_nocase(json_text(row, "onboardingStatus"), "Onboarded");
	d.suspected = json_tri(json_object_get(row, "isPotentialDuplication")) == TRI_YES;
	if (wall_parse(text_within(row, "lastSeen", WORD_MAX), &d.last_seen) != 0)
		d.last_seen = WALL_UNSET;
	*ret = pack(&d);
	return DEVICE_READ;
}

int device_compare(const struct device *a, const struct device *b)
{
	if (a->onboarded != b->onboarded)
		return a->onboarded ? -1 : 1;
	if (a->last_seen.ms != b->last_seen.ms)
		return a->last_seen.ms > b->last_seen.ms ? -1 : 1;
	return strcmp(a->id, b->id);
}

void device_short_name(const char *name, char *ret, size_t size)
{
	str_copy(ret, size, name);
	ret[strcspn(ret, ".")] = '\0';
	str_fold(ret);
}
