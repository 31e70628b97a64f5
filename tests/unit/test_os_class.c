/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/os_class.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *sku;
	enum os_class class;
};

static void check(const struct row *rows, size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++) {
		enum os_class class = os_classify(type, type, rows[i].sku);

		if (class != rows[i].class)
			fail_msg("%s is %s, not %s", rows[i].sku, os_class_name(class),
				os_class_name(rows[i].class));
		/* The agent's own words for the type do not change what the name says. */
		if (os_classify(NULL, NULL, rows[i].sku) != rows[i].class)
			fail_msg("%s depends on the type", rows[i].sku);
	}
}

static void classifies_windows_by_its_product_name(void **state)
{
	static const struct row rows[] = {
		{"Windows Server 2012 Datacenter", OS_WINDOWS_UNSUPPORTED},
		{"Windows Server 2012 Standard", OS_WINDOWS_UNSUPPORTED},
		{"Windows Server 2012 R2 Standard", OS_WINDOWS_UNIFIED},
		{"Windows Server 2012 R2 Datacenter", OS_WINDOWS_UNIFIED},
		{"windows server 2012 r2 standard", OS_WINDOWS_UNIFIED},
		{"Windows Server 2016 Datacenter Evaluation", OS_WINDOWS_UNIFIED},
		{"Windows Server 2016 Standard", OS_WINDOWS_UNIFIED},
		{"Windows Server 2019 Datacenter Evaluation", OS_WINDOWS_INBOX},
		{"Windows Server 2022 Datacenter", OS_WINDOWS_INBOX},
		{"Windows Server 2022 Datacenter Azure Edition", OS_WINDOWS_INBOX},
		{"Windows Server 2025 Standard", OS_WINDOWS_INBOX},
		{"Windows Server 2028 Standard", OS_WINDOWS_INBOX},
		{"Microsoft Windows Server 2016 Datacenter", OS_WINDOWS_UNIFIED},
		{"Windows Server 2008 R2 Enterprise", OS_WINDOWS_UNSUPPORTED},
		{"Windows Server 2003", OS_WINDOWS_UNSUPPORTED},
		{"Windows Server 20250", OS_WINDOWS_UNSUPPORTED},
		{"Windows Server Datacenter", OS_UNKNOWN},
		{"Azure Stack HCI", OS_WINDOWS_INBOX},
		{"Azure Local", OS_WINDOWS_INBOX},
		{"Windows 10 Enterprise", OS_WINDOWS_UNSUPPORTED},
		{"Windows 11 Enterprise", OS_WINDOWS_UNSUPPORTED},
		{"Windows 11 Pro", OS_WINDOWS_UNSUPPORTED},
		{"Windows 10 IoT Enterprise", OS_WINDOWS_UNSUPPORTED},
		{"Windows 10 Enterprise multi-session", OS_WINDOWS_MAYBE},
		{"Windows 10 Enterprise for Virtual Desktops", OS_WINDOWS_MAYBE},
		{"Windows 11 Enterprise multi-session", OS_WINDOWS_MAYBE},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows), "windows");
	check(rows, ARRAY_LEN(rows), "Windows");
}

static const struct row linux_rows[] = {
	{"Ubuntu 22.04.4 LTS", OS_LINUX},
	{"Ubuntu 24.04.1 LTS", OS_LINUX},
	{"Ubuntu 20.04.6 LTS", OS_LINUX},
	{"Ubuntu 18.04.6 LTS", OS_LINUX},
	{"Ubuntu 16.04.7 LTS", OS_LINUX},
	{"Ubuntu 14.04.6 LTS", OS_LINUX_UNSUPPORTED},
	{"Ubuntu 26.04 LTS", OS_LINUX_UNCERTAIN},
	{"Ubuntu 22.10", OS_LINUX_UNCERTAIN},
	{"Ubuntu 23.04", OS_LINUX_UNCERTAIN},
	{"Red Hat Enterprise Linux 8.9 (Ootpa)", OS_LINUX},
	{"Red Hat Enterprise Linux 8.0 (Ootpa)", OS_LINUX},
	{"Red Hat Enterprise Linux Server 7.9 (Maipo)", OS_LINUX},
	{"Red Hat Enterprise Linux Server 7.2 (Maipo)", OS_LINUX},
	{"Red Hat Enterprise Linux Server 7.1 (Maipo)", OS_LINUX_UNSUPPORTED},
	{"Red Hat Enterprise Linux Server 7.0 (Maipo)", OS_LINUX_UNSUPPORTED},
	{"Red Hat Enterprise Linux Server release 6.10 (Santiago)", OS_LINUX_UNSUPPORTED},
	{"Red Hat Enterprise Linux 10.0 (Coughlan)", OS_LINUX},
	{"Red Hat Enterprise Linux 11.0", OS_LINUX_UNCERTAIN},
	{"CentOS Linux 7 (Core)", OS_LINUX},
	{"CentOS Linux release 7.9.2009 (Core)", OS_LINUX},
	{"CentOS Linux 7.1", OS_LINUX_UNSUPPORTED},
	{"CentOS Linux 8", OS_LINUX},
	{"CentOS release 6.10 (Final)", OS_LINUX_UNSUPPORTED},
	{"CentOS Stream 8", OS_LINUX},
	{"CentOS Stream 9", OS_LINUX},
	{"CentOS Stream 10 (Coughlan)", OS_LINUX},
	{"Debian GNU/Linux 12 (bookworm)", OS_LINUX},
	{"Debian GNU/Linux 13 (trixie)", OS_LINUX},
	{"Debian GNU/Linux 9 (stretch)", OS_LINUX},
	{"Debian GNU/Linux 8 (jessie)", OS_LINUX_UNSUPPORTED},
	{"Debian GNU/Linux 14 (forky)", OS_LINUX_UNCERTAIN},
	{"Debian GNU/Linux trixie/sid", OS_LINUX_UNCERTAIN},
	{"SUSE Linux Enterprise Server 12 SP3", OS_LINUX},
	{"SUSE Linux Enterprise Server 15 SP5", OS_LINUX},
	{"SUSE Linux Enterprise Server for SAP Applications 15 SP4", OS_LINUX},
	{"SUSE Linux Enterprise Server 11 SP4", OS_LINUX_UNSUPPORTED},
	{"SUSE Linux Enterprise Server 16.0", OS_LINUX_UNCERTAIN},
	{"Oracle Linux Server 8.9", OS_LINUX},
	{"Oracle Linux Server 9.3", OS_LINUX},
	{"Oracle Linux Server 7.2", OS_LINUX},
	{"Oracle Linux Server 7.1", OS_LINUX_UNSUPPORTED},
	{"Oracle Linux Server 6.10", OS_LINUX_UNSUPPORTED},
	{"Oracle Linux Server 10.0", OS_LINUX_UNCERTAIN},
	{"Amazon Linux 2", OS_LINUX},
	{"Amazon Linux 2023", OS_LINUX},
	{"Amazon Linux 2023.5.20240701", OS_LINUX},
	{"Amazon Linux AMI 2018.03", OS_LINUX_UNSUPPORTED},
	{"Amazon Linux 2027", OS_LINUX_UNCERTAIN},
	{"Fedora Linux 40 (Server Edition)", OS_LINUX},
	{"Fedora Linux 33", OS_LINUX},
	{"Fedora 32 (Thirty Two)", OS_LINUX_UNSUPPORTED},
	{"Fedora Linux 43", OS_LINUX_UNCERTAIN},
	{"Rocky Linux 9.4 (Blue Onyx)", OS_LINUX},
	{"Rocky Linux 9.2 (Blue Onyx)", OS_LINUX},
	{"Rocky Linux 9.1 (Blue Onyx)", OS_LINUX_UNSUPPORTED},
	{"Rocky Linux 9.0 (Blue Onyx)", OS_LINUX_UNSUPPORTED},
	{"Rocky Linux 8.10 (Green Obsidian)", OS_LINUX},
	{"Rocky Linux 8.7 (Green Obsidian)", OS_LINUX},
	{"Rocky Linux 8.6 (Green Obsidian)", OS_LINUX_UNSUPPORTED},
	{"Rocky Linux 10.0 (Red Quartz)", OS_LINUX_UNCERTAIN},
	{"AlmaLinux 9.4 (Shamrock Pampas Ocelot)", OS_LINUX},
	{"AlmaLinux 9.1 (Lime Lynx)", OS_LINUX_UNSUPPORTED},
	{"AlmaLinux 8.4 (Electric Cheetah)", OS_LINUX},
	{"AlmaLinux 8.3 (Purple Manul)", OS_LINUX_UNSUPPORTED},
	{"AlmaLinux 10.0 (Purple Lion)", OS_LINUX_UNCERTAIN},
	{"CBL-Mariner/Linux", OS_LINUX_UNCERTAIN},
	{"CBL-Mariner 2.0.20240101", OS_LINUX},
	{"Microsoft Azure Linux 3.0", OS_LINUX_UNCERTAIN},
	{"Linux Mint 21.3", OS_LINUX_UNCERTAIN},
	{"Linux 6.1", OS_LINUX_UNCERTAIN},
	{"Alpine Linux v3.20", OS_LINUX_UNCERTAIN},
	{"Ubuntu", OS_LINUX_UNCERTAIN},
	{"Ubuntu 99999999999999999999.04", OS_LINUX_UNCERTAIN},
	{"Red Hat Enterprise Linux CoreOS 415.92.202402", OS_EXCLUDED},
	{"Fedora CoreOS 38.20230414.3.0", OS_EXCLUDED},
	{"Red Hat OpenShift 4.14", OS_EXCLUDED},
};

static void classifies_linux_by_the_support_matrix(void **state)
{
	(void)state;
	check(linux_rows, ARRAY_LEN(linux_rows), "linux");
	check(linux_rows, ARRAY_LEN(linux_rows), "Linux");
}

static void nothing_reported_is_unknown(void **state)
{
	static const char *const types[] = {NULL, "", "windows", "linux"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		assert_int_equal(os_classify(types[i], types[i], NULL), OS_UNKNOWN);
		assert_int_equal(os_classify(types[i], types[i], ""), OS_UNKNOWN);
	}
}

static void the_type_decides_where_the_name_does_not_say(void **state)
{
	(void)state;
	assert_int_equal(os_classify("windows", NULL, "Datacenter"), OS_WINDOWS_UNSUPPORTED);
	assert_int_equal(os_classify(NULL, "Windows", "Datacenter"), OS_WINDOWS_UNSUPPORTED);
	assert_int_equal(os_classify("linux", "windows", "Something"), OS_LINUX_UNCERTAIN);
	assert_int_equal(os_classify(NULL, NULL, "Something"), OS_LINUX_UNCERTAIN);
}

static void families_do_not_overlap(void **state)
{
	(void)state;
	for (unsigned c = 0; c < OS_CLASS_N_; c++) {
		enum os_class class = (enum os_class)c;

		assert_false(os_is_windows(class) && os_is_linux(class));
		if (os_is_supported(class))
			assert_true(os_is_windows(class) || os_is_linux(class));
		assert_true(strlen(os_class_name(class)) > 0);
		assert_true(strlen(os_class_text(class)) > 0);
		for (unsigned other = 0; other < c; other++)
			assert_string_not_equal(
				os_class_name(class), os_class_name((enum os_class)other));
	}
	assert_true(os_is_supported(OS_WINDOWS_UNIFIED));
	assert_true(os_is_supported(OS_WINDOWS_INBOX));
	assert_true(os_is_supported(OS_LINUX));
	assert_false(os_is_supported(OS_WINDOWS_MAYBE));
	assert_false(os_is_supported(OS_LINUX_UNCERTAIN));
	assert_false(os_is_supported(OS_UNKNOWN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classifies_windows_by_its_product_name),
		cmocka_unit_test(classifies_linux_by_the_support_matrix),
		cmocka_unit_test(nothing_reported_is_unknown),
		cmocka_unit_test(the_type_decides_where_the_name_does_not_say),
		cmocka_unit_test(families_do_not_overlap),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
