/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/handler_code.h"

#include "lib/base/str.h"

#define CODE_MAX 1000000

#define UPDATE_DEFENDER \
	"install or update Defender Antivirus on the machine (KB4052623), then `mdcctl reconcile`"
#define USE_MIRROR "open the way to packages.microsoft.com and to the distribution's repositories"
#define MOUNT_EXEC "mount /opt, /var/lib/waagent and /tmp without noexec, then `mdcctl reconcile`"

/* clang-format off */
static const struct handler_code windows_codes[] = {
	{-310, HANDLER_NEEDS_PERSON, "the installer's package failed (-310)", UPDATE_DEFENDER},
	{1, HANDLER_RETRIES_ONCE, "the installer failed for a reason of its own", NULL},
	{3, HANDLER_NEEDS_PERSON, "the installer had no administrator rights",
		"let the Arc agent's service run as LocalSystem"},
	{4, HANDLER_NEEDS_WAY, "the machine has no way to the internet", NULL},
	{5, HANDLER_OTHER_PRODUCT, "another product conflicts with Defender for Endpoint", NULL},
	{6, HANDLER_NEEDS_PERSON, "the installer was given a wrong parameter or script", NULL},
	{10, HANDLER_UNSUPPORTED, "not a 64-bit Windows Server 2012 R2 or 2016", NULL},
	{11, HANDLER_UNSUPPORTED, "this version of Windows is not supported", NULL},
	{12, HANDLER_NEEDS_REBOOT, "the machine has a restart pending", NULL},
	{13, HANDLER_NEEDS_PERSON,
		"prerequisites are missing: Windows updates, or a current Defender Antivirus",
		"2016: servicing stack of September 2021, a cumulative update of September 2018 or "
		"later, Defender Antivirus installed, enabled and current (KB4052623); 2012 R2: "
		"KB2919355, KB2999226, KB3080149, KB3045999, KB3068708, KB2959977"},
	{14, HANDLER_NEEDS_PERSON, "the installer found the machine in an unexpected state", NULL},
	{15, HANDLER_RETRIES_ONCE, "a file of the package is corrupt or not signed", NULL},
	{16, HANDLER_RETRIES, "the package is missing", NULL},
	{17, HANDLER_RETRIES, "the sensor is uninstalled already", NULL},
	{18, HANDLER_RETRIES, "the installer's directory is not writable", NULL},
	{20, HANDLER_RETRIES, "the sensor is not installed", NULL},
	{21, HANDLER_RETRIES, "the installation failed", NULL},
	{22, HANDLER_RETRIES, "the removal of the earlier version failed", NULL},
	{23, HANDLER_RETRIES, "a dependency could not be installed", NULL},
	{30, HANDLER_RETRIES, "the onboarding script was not found", NULL},
	{31, HANDLER_RETRIES_ONCE, "the onboarding script failed", NULL},
	{32, HANDLER_NEEDS_PERSON, "the offboarding script was not found", NULL},
	{33, HANDLER_NEEDS_PERSON, "the offboarding script failed", NULL},
	{34, HANDLER_RETRIES, "the sensor is not onboarded", NULL},
	{35, HANDLER_NEEDS_OFFBOARDING,
		"an onboarded sensor has to be offboarded before it is installed again", NULL},
	{36, HANDLER_RETRIES, "another installation is running", NULL},
	{37, HANDLER_NEEDS_PERSON, "the onboarding script is of the interactive kind", NULL},
	{38, HANDLER_NEEDS_PERSON, "tamper protection refused the removal",
		"switch tamper protection off for the machine in Defender for Endpoint, then "
		"`mdcctl reconcile`"},
	{39, HANDLER_NEEDS_PERSON, "a group policy switches Defender Antivirus off",
		"remove DisableAntiSpyware from the group policy, then `mdcctl reconcile`"},
	{51, HANDLER_UNSUPPORTED, "onboarding is not supported for this operating system", NULL},
	{1603, HANDLER_NEEDS_PERSON, "Windows Installer failed (1603)", UPDATE_DEFENDER},
};

static const struct handler_code linux_codes[] = {
	{1, HANDLER_RETRIES_ONCE, "the installer failed for a reason of its own", NULL},
	{2, HANDLER_NEEDS_PERSON, "the installer was given wrong arguments", NULL},
	{3, HANDLER_NEEDS_PERSON, "the installer had no root rights", NULL},
	{5, HANDLER_OTHER_PRODUCT, "another product that uses fanotify is active", NULL},
	{10, HANDLER_UNSUPPORTED, "this distribution is not supported", NULL},
	{11, HANDLER_UNSUPPORTED, "this version of the distribution is not supported", NULL},
	{12, HANDLER_NEEDS_PERSON, "requirements are not met: processor, memory, disk or kernel",
		"give it one core, 1 GB of memory, 2 GB of disk, kernel 3.10.0-327 or later, systemd "
		"and python 3; then `mdcctl reconcile`"},
	{15, HANDLER_RETRIES_ONCE, "the installed Defender for Endpoint is corrupt",
		"remove the package mdatp on the machine, then `mdcctl reconcile`"},
	{20, HANDLER_RETRIES, "Defender for Endpoint is not installed", NULL},
	{21, HANDLER_RETRIES, "the installation failed", NULL},
	{22, HANDLER_RETRIES, "the removal of the earlier version failed", NULL},
	{23, HANDLER_NEEDS_WAY, "a dependency could not be installed", USE_MIRROR},
	{24, HANDLER_NEEDS_WAY, "the package repository could not be set up", USE_MIRROR},
	{25, HANDLER_NEEDS_WAY, "the package channel could not be set up", USE_MIRROR},
	{26, HANDLER_NEEDS_WAY, "the package repository could not be cleaned up", USE_MIRROR},
	{30, HANDLER_RETRIES, "the onboarding script was not found", NULL},
	{31, HANDLER_RETRIES_ONCE, "the onboarding script failed", NULL},
	{32, HANDLER_NEEDS_PERSON, "the offboarding script was not found", NULL},
	{33, HANDLER_NEEDS_PERSON, "the offboarding script failed", NULL},
	{40, HANDLER_RETRIES, "the installer does not support a tag", NULL},
	{41, HANDLER_NEEDS_PERSON, "the installer was given a parameter that failed", NULL},
	{51, HANDLER_NEEDS_PERSON, "the installation path could not be set up", NULL},
	{52, HANDLER_NEEDS_PERSON, "the permissions of the installation path are wrong (noexec)",
		MOUNT_EXEC},
};

/* What the extension or the agent says, by a part that does not change. */
static const struct {
	const char *part;
	struct handler_code meaning;
} messages[] = {
	{"assigned to another WDATP tenant", {0, HANDLER_NEEDS_OFFBOARDING,
		"the sensor or its workspace belongs to another tenant of Defender for Endpoint",
		"sensors are never handed over by themselves: offboard it with the package of its "
		"tenant, or let Microsoft support release it; then `mdcctl reconcile`"}},
	{"set crypt provider context", {0, HANDLER_NEEDS_PERSON,
		"the installer has no access to the machine's keys",
		"start the service KeyIso and mend the permissions of MachineKeys, then `mdcctl "
		"reconcile`"}},
	{"exceeds the download limit", {0, HANDLER_OLD_AGENT,
		"the package is larger than this Arc agent downloads", NULL}},
	{"HandlerManifest.json", {0, HANDLER_NEEDS_PERSON,
		"what is left of the extension on the machine is incomplete",
		"remove the extension's folder on the machine, then `mdcctl reconcile`"}},
	{"OnboardingScript does not exist", {0, HANDLER_RETRIES,
		"the extension was written without its onboarding script", NULL}},
	{"Protected Settings did not decode", {0, HANDLER_RETRIES,
		"the extension was written without its onboarding script", NULL}},
	{"is still processing", {0, HANDLER_BUSY, "the agent is at work on the extension", NULL}},
	{"marked for deletion", {0, HANDLER_BUSY, "the extension is being deleted", NULL}},
	{"noexec", {0, HANDLER_NEEDS_PERSON, "the extension's folder is mounted noexec",
		MOUNT_EXEC}},
};
/* clang-format on */

static const struct handler_code unlisted = {
	0, HANDLER_RETRIES, "the installer failed with a code that is not known", NULL};

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

const struct handler_code *handler_failure_find(bool windows, const char *code, const char *message)
{
	for (size_t i = 0; message != NULL && i < ARRAY_LEN(messages); i++)
		if (str_contains_nocase(message, messages[i].part))
			return &messages[i].meaning;
	return handler_code_find(windows, code);
}

/* --- classes --- */

static const struct {
	const char *word;
	enum reason reason;
	bool needs_person;
} classes[] = {
	[HANDLER_RETRIES] = {"retried", REASON_HANDLER_RETRY, false},
	[HANDLER_RETRIES_ONCE] = {"retried-once", REASON_EXTENSION_FAILED, false},
	[HANDLER_NEEDS_WAY] = {"network", REASON_HANDLER_NETWORK, false},
	[HANDLER_NEEDS_REBOOT] = {"restart", REASON_REBOOT_PENDING, false},
	[HANDLER_NEEDS_PERSON] = {"person", REASON_HANDLER_BLOCKED, true},
	[HANDLER_NEEDS_OFFBOARDING] = {"offboarding", REASON_NOT_OFFBOARDED, true},
	[HANDLER_OTHER_PRODUCT] = {"other-product", REASON_OTHER_EDR, true},
	[HANDLER_OLD_AGENT] = {"old-agent", REASON_AGENT_TOO_OLD, true},
	[HANDLER_BUSY] = {"busy", REASON_BUSY, false},
	[HANDLER_UNSUPPORTED] = {"unsupported", REASON_HANDLER_UNSUPPORTED, false},
};
_Static_assert(ARRAY_LEN(classes) == HANDLER_CLASS_N_, "a row for each class");

enum reason handler_class_reason(enum handler_class class)
{
	return class < HANDLER_CLASS_N_ ? classes[class].reason : REASON_HANDLER_RETRY;
}

const char *handler_class_word(enum handler_class class)
{
	return class < HANDLER_CLASS_N_ ? classes[class].word : "";
}

bool handler_class_needs_person(enum handler_class class)
{
	return class < HANDLER_CLASS_N_ && classes[class].needs_person;
}

const char *handler_remedy(const struct handler_code *c)
{
	return c->remedy != NULL ? c->remedy : reason_remedy(handler_class_reason(c->class));
}
