/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine makes of an extension: which systems Defender for Endpoint supports there, and
 * with which code and words its handlers end. The numbers mean different things on Windows and on
 * Linux.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* --- operating systems --- */

/* Linux on x64, as Microsoft's support matrix names it: first and last major, first minor. */
static const struct {
	const char *name;
	unsigned major, minor, last;
} linux_systems[] = {
	{"Ubuntu", 16, 4, 24},
	{"Red Hat Enterprise Linux", 7, 2, 10},
	{"CentOS Stream", 8, 0, 10},
	{"CentOS", 7, 0, 8},
	{"Debian GNU/Linux", 9, 0, 13},
	{"SUSE Linux Enterprise Server", 12, 0, 15},
	{"Oracle Linux Server", 7, 2, 9},
	{"Amazon Linux 2023", 2023, 0, 2023},
	{"Amazon Linux", 2, 0, 2},
	{"Fedora", 33, 0, 42},
	{"Rocky Linux", 8, 7, 9},
	{"AlmaLinux", 8, 4, 9},
	{"CBL-Mariner", 2, 0, 2},
};

enum linux_support { LINUX_SUPPORTED, LINUX_UNKNOWN_DISTRIBUTION, LINUX_WRONG_VERSION };

static enum linux_support linux_support(const char *sku)
{
	for (size_t i = 0; i < ARRAY_LEN(linux_systems); i++) {
		unsigned major = 0, minor = 0;
		const char *digits;

		if (!str_starts_nocase(sku, linux_systems[i].name))
			continue;
		digits = sku + strcspn(sku, "0123456789");
		if (sscanf(digits, "%u.%u", &major, &minor) < 1)
			return LINUX_WRONG_VERSION;
		if (major < linux_systems[i].major || major > linux_systems[i].last ||
			(major == linux_systems[i].major && minor < linux_systems[i].minor))
			return LINUX_WRONG_VERSION;
		return LINUX_SUPPORTED;
	}
	return LINUX_UNKNOWN_DISTRIBUTION;
}

static enum os_path windows_path(const char *sku)
{
	static const char *const unified[] = {"Windows Server 2012 R2", "Windows Server 2016"};
	static const char *const inbox[] = {"Windows Server 2019", "Windows Server 2022",
		"Windows Server 2025", "Azure Stack HCI", "Azure Local"};

	for (size_t i = 0; i < ARRAY_LEN(unified); i++)
		if (str_starts_nocase(sku, unified[i]))
			return OS_PATH_UNIFIED;
	for (size_t i = 0; i < ARRAY_LEN(inbox); i++)
		if (str_starts_nocase(sku, inbox[i]))
			return OS_PATH_INBOX;
	return OS_PATH_NONE;
}

void handler_classify(struct machine *m)
{
	const char *sku = machine_system(m);
	const char *type = tree_text(m->res.doc,
		m->vm ? "properties.storageProfile.osDisk.osType" : "properties.osType");

	m->connected = m->vm ? str_equal(machine_status(m), "running") && !m->agent_down
			     : str_equal(machine_status(m), "Connected");
	m->windows = str_equal_nocase(type, "windows");
	m->excluded = (m->vm && vm_is_managed_by_others(m)) ||
		(sku != NULL &&
			(strcasestr(sku, "openshift") != NULL ||
				strcasestr(sku, "coreos") != NULL));
	m->os = OS_PATH_NONE;
	if (sku == NULL || m->excluded)
		return;
	if (m->windows)
		m->os = windows_path(sku);
	else if (linux_support(sku) == LINUX_SUPPORTED)
		m->os = OS_PATH_LINUX;
}

/* --- codes --- */

struct outcome_text {
	const char *code;
	const char *text;
};

static const struct outcome_text windows_texts[] = {
	{"1", "Internal error"},
	{"3", "The script is not running with sufficient privileges"},
	{"4", "There is no connection to the internet"},
	{"10", "The operating system is not a 64-bit Windows Server 2012 R2 or 2016"},
	{"11", "The version of the operating system is not supported"},
	{"12", "A restart is pending: the machine must be restarted before installation"},
	{"13", "A required update or the Defender Antivirus platform is missing"},
	{"14", "The machine is in an unexpected state that needs manual intervention"},
	{"15", "The installation package md4ws.msi is not signed correctly"},
	{"16", "The installation package md4ws.msi was not found"},
	{"18", "The installation directory cannot be written"},
	{"30", "The onboarding script was not found"},
	{"31", "The onboarding script failed"},
	{"35", "Sense is onboarded: offboard it before reinstalling"},
	{"36", "Another installation is in progress"},
	{"38", "Tamper protection forbids the change"},
	{"39", "A group policy (DisableAntiSpyware) disables Defender Antivirus"},
	{"51",
		"Failed to configure Microsoft Defender for Endpoint: Onboarding to MDE via "
		"Microsoft "
		"Defender for Cloud for this operating system is not supported"},
	{"1603", "The installation package failed with a fatal error"},
};

static const struct outcome_text linux_texts[] = {
	{"1", "Internal error"},
	{"2", "Invalid arguments"},
	{"3", "Not running with sufficient privileges"},
	{"5", "A conflicting application is installed: another product uses fanotify"},
	{"10", "The distribution is not supported"},
	{"11", "The version of the distribution is not supported"},
	{"12", "Insufficient requirements: memory, disk, kernel or cores"},
	{"15", "The installation of mdatp is corrupt"},
	{"20", "mdatp is not installed"},
	{"21", "mdatp could not be installed"},
	{"23", "A package that mdatp depends on could not be installed"},
	{"24", "The package repository could not be set up"},
	{"25", "The package channel could not be read"},
	{"30", "The onboarding script was not found"},
	{"31", "Onboarding failed"},
	{"52", "The installation path cannot be used: it is mounted noexec or cannot be written"},
};

static const char *text_of(bool windows, const char *code)
{
	const struct outcome_text *texts = windows ? windows_texts : linux_texts;
	size_t n = windows ? ARRAY_LEN(windows_texts) : ARRAY_LEN(linux_texts);

	for (size_t i = 0; i < n; i++)
		if (str_equal(texts[i].code, code))
			return texts[i].text;
	return "The handler ended with an error";
}

static void fail(
	const struct machine *m, const char *code, const char *text, struct handler_result *ret)
{
	ret->succeeded = false;
	str_copy(ret->code, sizeof(ret->code), code);
	snprintf(ret->message, sizeof(ret->message),
		"Extension Message: %s, executionlog: handler ended with exit code %s on %s.",
		text != NULL ? text : text_of(m->windows, code), code,
		m->windows ? "Windows" : "Linux");
}

/* --- the machine's own lists --- */

static bool list_names(const json_t *list, const json_t *doc)
{
	size_t i;
	json_t *entry;

	json_array_foreach (list, i, entry)
		if (str_equal_nocase(tree_text(entry, "publisher"),
			    tree_text(doc, "properties.publisher")) &&
			str_equal_nocase(
				tree_text(entry, "type"), tree_text(doc, "properties.type")))
			return true;
	return false;
}

/* Whether the machine's own lists keep the agent from installing it. */
static bool is_blocked(const struct machine *m, const json_t *doc)
{
	const json_t *agent = tree_get(m->res.doc, "properties.agentConfiguration");
	const json_t *allowed = json_object_get(agent, "extensionsAllowList");
	bool security = extension_is_sensor(doc);

	if (str_equal_nocase(tree_text(agent, "extensionsEnabled"), "false"))
		return true;
	if (list_names(json_object_get(agent, "extensionsBlockList"), doc))
		return true;
	/* Monitor mode still permits security extensions. */
	if (str_equal_nocase(tree_text(agent, "configMode"), "monitor"))
		return !security;
	return json_array_size(allowed) > 0 && !list_names(allowed, doc);
}

/* --- the sensor's handler --- */

static const char *system_code(const struct machine *m, bool for_windows)
{
	const char *sku = tree_text(m->res.doc, "properties.osSku");

	if (m->windows)
		return for_windows && m->os != OS_PATH_NONE ? "0" : "51";
	if (!for_windows && m->os == OS_PATH_LINUX)
		return "0";
	if (!for_windows && !m->excluded && sku != NULL &&
		linux_support(sku) == LINUX_WRONG_VERSION)
		return "11";
	return "10";
}

static bool refuse_system(const struct machine *m, bool for_windows, struct handler_result *ret)
{
	const char *code = system_code(m, for_windows);

	if (str_equal(code, "0"))
		return false;
	fail(m, code, NULL, ret);
	return true;
}

static bool refuse_package(
	struct estate *e, struct machine *m, const json_t *secrets, struct handler_result *ret)
{
	const char *script = tree_text(secrets, "defenderForEndpointOnboardingScript");

	if (str_empty(script))
		fail(m, "30",
			"Protected Setting defenderForEndpointOnboardingScript does not exist, "
			"please "
			"use mdeOnboardings API to retreive it",
			ret);
	else if (!str_equal(script, onboarding_script(e, m->res.sub->tenant, m->windows)))
		fail(m, "31", NULL, ret);
	else
		return false;
	return true;
}

/* A pending restart stays until the machine restarts, whatever is attempted. */
static bool restart_is_pending(struct estate *e, struct machine *m)
{
	if (!wall_is_set(m->reboot_due))
		m->reboot_due =
			m->reboot_after.ms > 0 ? wall_add(e->now, m->reboot_after) : WALL_NEVER;
	return wall_before(e->now, m->reboot_due);
}

/* The code of this attempt: the listed ones in turn, the last again and again. */
static const char *next_outcome(struct estate *e, struct machine *m)
{
	size_t n = json_array_size(m->outcomes);
	const char *code;

	if (n == 0)
		return "0";
	code = json_string_value(json_array_get(m->outcomes, m->outcome_at));
	if (m->windows && str_equal(code, "12")) {
		if (restart_is_pending(e, m))
			return code;
		if (m->outcome_at + 1 == n)
			return "0";
		m->reboot_due = WALL_UNSET;
		code = json_string_value(json_array_get(m->outcomes, ++m->outcome_at));
	}
	if (m->outcome_at + 1 < n)
		m->outcome_at++;
	return code;
}

static void install_sensor(struct estate *e, struct machine *m, const json_t *doc,
	const json_t *secrets, struct handler_result *ret)
{
	bool for_windows = str_equal_nocase(tree_text(doc, "properties.type"), "MDE.Windows");
	const char *code;

	if (refuse_system(m, for_windows, ret) || refuse_package(e, m, secrets, ret))
		return;
	code = next_outcome(e, m);
	if (!str_equal(code, "0")) {
		fail(m, code, NULL, ret);
		return;
	}
	ret->succeeded = true;
	str_copy(ret->code, sizeof(ret->code), "0");
	snprintf(ret->message, sizeof(ret->message),
		"Extension Message: Microsoft Defender for Endpoint is onboarded, executionlog: "
		"%s.",
		m->windows && m->os == OS_PATH_UNIFIED && extension_is_unified(doc)
			? "unified solution installed, previous sensor stopped and disabled"
			: "onboarding finished");
}

void handler_install(struct estate *e, struct machine *m, const json_t *doc,
	const json_t *protected_settings, struct handler_result *ret)
{
	*ret = (struct handler_result){.succeeded = true, .code = "success"};
	if (is_blocked(m, doc)) {
		fail(m, "403",
			"The extension is not allowed by the extension lists of the machine's "
			"agent",
			ret);
		return;
	}
	if (extension_is_sensor(doc))
		install_sensor(e, m, doc, protected_settings, ret);
	else
		str_copy(ret->message, sizeof(ret->message), "Extension installed.");
}

static char *full_version(const json_t *doc)
{
	const char *asked = tree_text(doc, "properties.typeHandlerVersion");
	unsigned dots = 0;

	if (extension_is_sensor(doc))
		return xstrdup(str_equal_nocase(tree_text(doc, "properties.type"), "MDE.Windows")
				? "1.0.11.2"
				: "1.0.10.4");
	for (const char *p = asked != NULL ? asked : ""; *p != '\0'; p++)
		dots += *p == '.';
	return dots >= 2 ? xstrdup(asked) : xasprintf("%s.3", asked != NULL ? asked : "1.0");
}

void handler_vm_view(json_t *properties)
{
	json_t *view = json_object_get(properties, "instanceView");
	json_t *status = json_object_get(view, "status");
	bool failed = str_equal(tree_text(status, "level"), "Error");

	if (json_object_size(status) > 0) {
		json_object_set_new(status, "code",
			failed ? json_sprintf(
					 "ProvisioningState/failed/%s", tree_text(status, "code"))
			       : json_string("ProvisioningState/succeeded"));
		if (!failed)
			json_object_set_new(status, "level", json_string("Info"));
		json_object_set_new(view, "statuses", json_pack("[O]", status));
	}
	json_object_del(view, "status");
	/* It is Arc's alone. */
	json_object_del(properties, "enableAutomaticUpgrade");
}

json_t *handler_apply(struct estate *e, const json_t *doc, const struct handler_result *result)
{
	char time[WALL_TEXT_SIZE];
	mdc_autofree char *version = full_version(doc);
	json_t *done;

	wall_format(e->now, time);
	done = tree_with(doc, "properties.provisioningState",
		json_string(result->succeeded ? "Succeeded" : "Failed"));
	tree_set(&done, "properties.typeHandlerVersion", json_string(version));
	tree_set(&done, "properties.instanceView",
		json_pack("{s:O, s:O, s:s, s:{s:s, s:s, s:s, s:s, s:s}}", "name",
			json_object_get(doc, "name"), "type", tree_get(doc, "properties.type"),
			"typeHandlerVersion", version, "status", "code", result->code, "level",
			result->succeeded ? "Information" : "Error", "displayStatus",
			result->succeeded ? "Provisioning succeeded" : "Provisioning failed",
			"message", result->message, "time", time));
	if (str_equal(tree_text(doc, "type"), VM_EXTENSION_TYPE)) {
		json_t *properties = json_copy(tree_get(done, "properties"));

		handler_vm_view(properties);
		tree_set(&done, "properties", properties);
	}
	return done;
}

/* --- the onboarding package --- */

#define PACKAGE_SIZE 9000

static char *make_package(const struct estate *e, const struct tenant *t, bool windows)
{
	struct buf script = BUF_INIT(PACKAGE_SIZE * 2);
	size_t room;
	char *text;
	char org[33], line[65];

	estate_sign(e, t->id, org, 16);
	buf_addf(&script, "%s onboarding package of the simulated tenant %s\n",
		windows ? "rem" : "#", t->id);
	buf_addf(&script,
		"{\"onboardingInfo\":{\"body\":{\"orgId\":\"%.8s-%.4s-%.4s-%.4s-%.12s\","
		"\"previousOrgIds\":[],\"geoLocationUrl\":\"https://winatp-gw-weu.test/\","
		"\"datacenter\":\"WestEurope\",\"vortexGeoLocation\":\"EU\",\"version\":\"1.68\"}}}"
		"\n",
		org, org + 8, org + 12, org + 16, org + 20);
	for (unsigned i = 0; script.len < PACKAGE_SIZE; i++) {
		mdc_autofree char *salt = xasprintf("%s %d %u", t->id, windows, i);

		estate_sign(e, salt, line, 32);
		buf_addf(&script, "%s %s\n", windows ? "rem" : "#", line);
	}
	room = (script.len + 2) / 3 * 4 + 1;
	text = xmalloc(room);
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)script.data, (int)script.len);
	buf_fini(&script);
	return text;
}

const char *onboarding_script(struct estate *e, struct tenant *tenant, bool windows)
{
	if (tenant->packages[windows] == NULL)
		tenant->packages[windows] = make_package(e, tenant, windows);
	return tenant->packages[windows];
}
