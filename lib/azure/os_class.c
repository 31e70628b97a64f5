/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/os_class.h"

#include "lib/base/str.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The first number in the text, as major and minor ("8.10" = 8, 10); false if there is none. */
static bool first_version(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
	unsigned major = 0, minor = 0;

	while (*text != '\0' && !is_digit(*text))
		text++;
	if (*text == '\0')
		return false;
	for (; is_digit(*text) && major < 100000; text++)
		major = major * 10 + (unsigned)(*text - '0');
	if (*text == '.' && is_digit(text[1]))
		for (text++; is_digit(*text) && minor < 100000; text++)
			minor = minor * 10 + (unsigned)(*text - '0');
	*ret_major = major;
	*ret_minor = minor;
	return true;
}

/*
 * Linux x64 by Microsoft's support matrices for Defender for Servers and for Defender for Endpoint
 * on Linux: a range of majors that is supported, with the lowest minor of the lowest major where it
 * matters. Above `last` it is uncertain: newer systems come before the matrix names them.
 */
static const struct {
	const char *prefix;
	unsigned first, first_minor, last;
} distributions[] = {
	{"Ubuntu", 16, 4, 24},
	{"Red Hat Enterprise Linux", 7, 2, 10},
	{"CentOS Stream", 8, 0, 10},
	{"CentOS", 7, 2, 8},
	{"Debian", 9, 0, 13},
	{"SUSE Linux Enterprise", 12, 0, 15},
	{"Oracle Linux", 7, 2, 9},
	{"Amazon Linux 2023", 2023, 0, 2023},
	{"Amazon Linux", 2, 0, 2},
	{"Fedora", 33, 0, 42},
	{"Rocky Linux", 8, 7, 9},
	{"AlmaLinux", 8, 4, 9},
	{"CBL-Mariner", 2, 0, 2},
	{"Mariner", 2, 0, 2},
};

static enum os_class classify_linux(const char *sku)
{
	unsigned major, minor;

	if (str_contains_nocase(sku, "openshift") || str_contains_nocase(sku, "coreos"))
		return OS_EXCLUDED;
	for (size_t i = 0; i < ARRAY_LEN(distributions); i++) {
		if (!str_starts_nocase(sku, distributions[i].prefix))
			continue;
		if (!first_version(sku, &major, &minor))
			return OS_LINUX_UNCERTAIN;
		if (major < distributions[i].first ||
			(major == distributions[i].first && minor < distributions[i].first_minor))
			/* "CentOS Linux 7 (Core)" names no minor: not known to be too old. */
			return major == distributions[i].first && minor == 0 ? OS_LINUX
									     : OS_LINUX_UNSUPPORTED;
		return major > distributions[i].last ? OS_LINUX_UNCERTAIN : OS_LINUX;
	}
	return OS_LINUX_UNCERTAIN;
}

static enum os_class classify_server(const char *release)
{
	unsigned year, minor;

	if (str_starts_nocase(release, "2012 R2") || str_starts_nocase(release, "2016"))
		return OS_WINDOWS_UNIFIED;
	if (!first_version(release, &year, &minor))
		return OS_UNKNOWN;
	return year >= 2019 && year < 2100 ? OS_WINDOWS_INBOX : OS_WINDOWS_UNSUPPORTED;
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
