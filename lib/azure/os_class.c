/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/os_class.h"

#include "lib/base/str.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

struct version {
	unsigned major;
	unsigned minor;
	bool has_minor;
};

static const char *read_number(const char *text, unsigned *ret)
{
	unsigned value = 0;

	for (; is_digit(*text); text++)
		if (value < 100000)
			value = value * 10 + (unsigned)(*text - '0');
	*ret = value;
	return text;
}

/* The first number in the text ("8.10" = 8, 10); false if there is none. */
static bool first_version(const char *text, struct version *ret)
{
	struct version v = {0};

	while (*text != '\0' && !is_digit(*text))
		text++;
	if (*text == '\0')
		return false;
	text = read_number(text, &v.major);
	v.has_minor = *text == '.' && is_digit(text[1]);
	if (v.has_minor)
		read_number(text + 1, &v.minor);
	*ret = v;
	return true;
}

/*
 * Linux x64 by Microsoft's support matrices for Defender for Servers and for Defender for Endpoint
 * on Linux: ranges of majors with the lowest minor of each; rows of one distribution stand
 * together, in ascending order, the more telling name first. Below and between the ranges is
 * unsupported; above the last one is uncertain: newer systems come before the matrix names them.
 */
struct release {
	const char *prefix;
	unsigned first, last;
	unsigned minor;
};
static const struct release releases[] = {
	{"Ubuntu", 16, 24, 4},
	{"Red Hat Enterprise Linux", 7, 7, 2},
	{"Red Hat Enterprise Linux", 8, 10, 0},
	{"CentOS Stream", 8, 10, 0},
	{"CentOS", 7, 7, 2},
	{"CentOS", 8, 8, 0},
	{"Debian", 9, 13, 0},
	{"SUSE Linux Enterprise", 12, 15, 0},
	{"Oracle Linux", 7, 7, 2},
	{"Oracle Linux", 8, 9, 0},
	{"Amazon Linux 2023", 2023, 2023, 0},
	/* Named by year, but older than Amazon Linux 2. */
	{"Amazon Linux AMI", 9999, 9999, 0},
	{"Amazon Linux", 2, 2, 0},
	{"Fedora", 33, 42, 0},
	{"Rocky Linux", 8, 8, 7},
	{"Rocky Linux", 9, 9, 2},
	{"AlmaLinux", 8, 8, 4},
	{"AlmaLinux", 9, 9, 2},
	{"CBL-Mariner", 2, 2, 0},
	{"Mariner", 2, 2, 0},
};

/* Of Ubuntu only the releases of every other April have long-term support. */
static bool is_interim_ubuntu(const struct release *row, const struct version *v)
{
	return str_equal(row->prefix, "Ubuntu") &&
		(v->major % 2 != 0 || (v->has_minor && v->minor != 4));
}

static enum os_class classify_release(const struct release *row, const struct version *v)
{
	const char *prefix = row->prefix;
	const struct release *end = releases + ARRAY_LEN(releases);

	for (; row < end && str_equal(row->prefix, prefix); row++) {
		if (v->major < row->first)
			return OS_LINUX_UNSUPPORTED;
		if (v->major > row->last)
			continue;
		if (is_interim_ubuntu(row, v))
			return OS_LINUX_UNCERTAIN;
		/* "CentOS Linux 7 (Core)" names no minor: not known to be too old. */
		return v->has_minor && v->minor < row->minor ? OS_LINUX_UNSUPPORTED : OS_LINUX;
	}
	return OS_LINUX_UNCERTAIN;
}

static enum os_class classify_linux(const char *sku)
{
	struct version v;

	if (str_contains_nocase(sku, "openshift") || str_contains_nocase(sku, "coreos"))
		return OS_EXCLUDED;
	for (size_t i = 0; i < ARRAY_LEN(releases); i++)
		if (str_starts_nocase(sku, releases[i].prefix))
			return first_version(sku, &v) ? classify_release(&releases[i], &v)
						      : OS_LINUX_UNCERTAIN;
	return OS_LINUX_UNCERTAIN;
}

static enum os_class classify_server(const char *release)
{
	struct version v;

	if (str_starts_nocase(release, "2012 R2") || str_starts_nocase(release, "2016"))
		return OS_WINDOWS_UNIFIED;
	if (!first_version(release, &v))
		return OS_UNKNOWN;
	return v.major >= 2019 && v.major < 2100 ? OS_WINDOWS_INBOX : OS_WINDOWS_UNSUPPORTED;
}

static bool is_multi_session(const char *sku)
{
	return (str_starts_nocase(sku, "Windows 10 Enterprise") ||
		       str_starts_nocase(sku, "Windows 11 Enterprise")) &&
		(str_contains_nocase(sku, "multi-session") ||
			str_contains_nocase(sku, "for Virtual Desktops"));
}

static enum os_class classify_windows(const char *sku)
{
	static const char server[] = "Windows Server ";

	if (str_starts_nocase(sku, "Azure Stack HCI") || str_starts_nocase(sku, "Azure Local"))
		return OS_WINDOWS_INBOX;
	if (str_starts_nocase(sku, server))
		return classify_server(sku + strlen(server));
	if (is_multi_session(sku))
		return OS_WINDOWS_MAYBE;
	return OS_WINDOWS_UNSUPPORTED;
}

static bool says_windows(const char *type, const char *name, const char *sku)
{
	return str_starts_nocase(sku, "Windows") || str_starts_nocase(sku, "Azure Stack HCI") ||
		str_starts_nocase(sku, "Azure Local") ||
		str_starts_nocase(str_empty(type) ? name : type, "windows");
}

enum os_class os_classify(const char *type, const char *name, const char *sku)
{
	/* "Microsoft Windows Server 2016" is what some inventories say. */
	static const char vendor[] = "Microsoft Windows";

	if (str_empty(sku))
		return OS_UNKNOWN;
	if (str_starts_nocase(sku, vendor))
		sku += strlen("Microsoft ");
	if (says_windows(type, name, sku))
		return classify_windows(sku);
	return classify_linux(sku);
}

bool os_is_windows(enum os_class c)
{
	return c == OS_WINDOWS_UNIFIED || c == OS_WINDOWS_INBOX || c == OS_WINDOWS_MAYBE ||
		c == OS_WINDOWS_UNSUPPORTED;
}

bool os_is_linux(enum os_class c)
{
	return c == OS_LINUX || c == OS_LINUX_UNSUPPORTED || c == OS_LINUX_UNCERTAIN;
}

bool os_is_supported(enum os_class c)
{
	return c == OS_WINDOWS_UNIFIED || c == OS_WINDOWS_INBOX || c == OS_LINUX;
}

static const struct {
	const char *name, *text;
} names[] = {
	[OS_UNKNOWN] = {"unknown", "not reported yet"},
	[OS_WINDOWS_UNIFIED] = {"windows-unified", "Windows Server 2012 R2 or 2016"},
	[OS_WINDOWS_INBOX] = {"windows-inbox", "Windows Server 2019 or later"},
	[OS_WINDOWS_MAYBE] = {"windows-multi-session", "Windows multi-session client"},
	[OS_WINDOWS_UNSUPPORTED] = {"windows-unsupported", "Windows without server support"},
	[OS_LINUX] = {"linux", "supported Linux"},
	[OS_LINUX_UNSUPPORTED] = {"linux-unsupported", "Linux outside the support matrix"},
	[OS_LINUX_UNCERTAIN] = {"linux-uncertain", "Linux that the support matrix does not name"},
	[OS_EXCLUDED] = {"excluded", "managed by a container platform"},
	[OS_APPLIANCE] = {"appliance", "an appliance that its vendor maintains"},
};
_Static_assert(ARRAY_LEN(names) == OS_CLASS_N_, "a row for each class");

const char *os_class_name(enum os_class c)
{
	return c < OS_CLASS_N_ ? names[c].name : "unknown";
}

const char *os_class_text(enum os_class c)
{
	return c < OS_CLASS_N_ ? names[c].text : "unknown";
}
