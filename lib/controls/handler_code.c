/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/handler_code.h"

#include "lib/base/str.h"

#define CODE_MAX 1000000

static const struct handler_code windows_codes[] = {
	{-310, HANDLER_NEEDS_PERSON, "the installer's package failed (-310)"},
	{1, HANDLER_RETRIES_ONCE, "the installer failed for a reason of its own"},
	{3, HANDLER_NEEDS_PERSON, "the installer had no administrator rights"},
	{4, HANDLER_NEEDS_WAY, "the machine has no way to the internet"},
	{5, HANDLER_NEEDS_PERSON, "another product conflicts with Defender for Endpoint"},
	{6, HANDLER_NEEDS_PERSON, "the installer was given a wrong parameter or script"},
	{10, HANDLER_UNSUPPORTED, "not a 64-bit Windows Server 2012 R2 or 2016"},
	{11, HANDLER_UNSUPPORTED, "this version of Windows is not supported"},
	{12, HANDLER_NEEDS_REBOOT, "the machine has a restart pending"},
	{13, HANDLER_NEEDS_PERSON,
		"prerequisites are missing: Windows updates, or a current Defender Antivirus"},
	{14, HANDLER_NEEDS_PERSON, "the installer found the machine in an unexpected state"},
	{15, HANDLER_RETRIES_ONCE, "a file of the package is corrupt or not signed"},
	{16, HANDLER_RETRIES, "the package is missing"},
	{18, HANDLER_RETRIES, "the installer's directory is not writable"},
	{21, HANDLER_RETRIES, "the installation failed"},
	{22, HANDLER_RETRIES, "the removal of the earlier version failed"},
	{23, HANDLER_RETRIES, "a dependency could not be installed"},
	{30, HANDLER_RETRIES, "the onboarding script was not found"},
	{31, HANDLER_RETRIES_ONCE, "the onboarding script failed"},
	{32, HANDLER_NEEDS_PERSON, "the offboarding script was not found"},
	{33, HANDLER_NEEDS_PERSON, "the offboarding script failed"},
	{35, HANDLER_NEEDS_PERSON,
		"an onboarded sensor has to be offboarded before it is installed again"},
	{36, HANDLER_RETRIES, "another installation is running"},
	{37, HANDLER_NEEDS_PERSON, "the onboarding script is of the interactive kind"},
	{38, HANDLER_NEEDS_PERSON, "tamper protection refused the removal"},
	{39, HANDLER_NEEDS_PERSON, "a group policy switches Defender Antivirus off"},
	{51, HANDLER_UNSUPPORTED, "onboarding is not supported for this operating system"},
	{1603, HANDLER_NEEDS_PERSON, "Windows Installer failed (1603)"},
};

static const struct handler_code linux_codes[] = {
	{1, HANDLER_RETRIES_ONCE, "the installer failed for a reason of its own"},
	{2, HANDLER_NEEDS_PERSON, "the installer was given wrong arguments"},
	{3, HANDLER_NEEDS_PERSON, "the installer had no root rights"},
	{5, HANDLER_NEEDS_PERSON, "another product that uses fanotify is active"},
	{10, HANDLER_UNSUPPORTED, "this distribution is not supported"},
	{11, HANDLER_UNSUPPORTED, "this version of the distribution is not supported"},
	{12, HANDLER_NEEDS_PERSON, "requirements are not met: processor, memory, disk or kernel"},
	{15, HANDLER_RETRIES_ONCE, "the installed Defender for Endpoint is corrupt"},
	{21, HANDLER_RETRIES, "the installation failed"},
	{22, HANDLER_RETRIES, "the removal of the earlier version failed"},
	{23, HANDLER_NEEDS_WAY, "a dependency could not be installed"},
	{24, HANDLER_NEEDS_WAY, "the package repository could not be set up"},
	{25, HANDLER_NEEDS_WAY, "the package channel could not be set up"},
	{26, HANDLER_NEEDS_WAY, "the package repository could not be cleaned up"},
	{30, HANDLER_RETRIES, "the onboarding script was not found"},
	{31, HANDLER_RETRIES_ONCE, "the onboarding script failed"},
	{32, HANDLER_NEEDS_PERSON, "the offboarding script was not found"},
	{33, HANDLER_NEEDS_PERSON, "the offboarding script failed"},
	{41, HANDLER_NEEDS_PERSON, "the installer was given a parameter that failed"},
	{51, HANDLER_NEEDS_PERSON, "the installation path could not be set up"},
	{52, HANDLER_NEEDS_PERSON, "the permissions of the installation path are wrong (noexec)"},
};

static const struct handler_code unlisted = {
	0, HANDLER_RETRIES, "the installer failed with a code that is not known"};

/* "51", "-310"; anything else is no exit code. */
static bool read_code(const char *text, int *ret)
{
	bool negative = text != NULL && *text == '-';
	uint64_t value;

	if (str_parse_u64(negative ? text + 1 : text, CODE_MAX, &value) != 0)
		return false;
	*ret = negative ? -(int)value : (int)value;
	return true;
}

const struct handler_code *handler_code_find(bool windows, const char *code)
{
	const struct handler_code *table = windows ? windows_codes : linux_codes;
	size_t count = windows ? ARRAY_LEN(windows_codes) : ARRAY_LEN(linux_codes);
	int number;

	if (!read_code(code, &number))
		return &unlisted;
	for (size_t i = 0; i < count; i++)
		if (table[i].code == number)
			return &table[i];
	return &unlisted;
}

enum reason handler_class_reason(enum handler_class class)
{
	switch (class) {
	case HANDLER_RETRIES: return REASON_HANDLER_RETRY;
	case HANDLER_RETRIES_ONCE: return REASON_EXTENSION_FAILED;
	case HANDLER_NEEDS_WAY: return REASON_HANDLER_NETWORK;
	case HANDLER_NEEDS_REBOOT: return REASON_REBOOT_PENDING;
	case HANDLER_NEEDS_PERSON: return REASON_HANDLER_BLOCKED;
	case HANDLER_UNSUPPORTED: return REASON_HANDLER_UNSUPPORTED;
	case HANDLER_CLASS_N_: break;
	}
	return REASON_HANDLER_RETRY;
}
