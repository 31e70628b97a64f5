/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/config_file_fixture.h"

static void drop_ins_are_read_after_the_main_file_in_byte_order(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	write_text(&d, "mdcd.conf", "main = 1\n");
	make_directory(&d, "conf.d");
	write_text(&d, "conf.d/b.conf", "\nb = 1\n");
	write_text(&d, "conf.d/a.conf", "a = 1");
	write_text(&d, "conf.d/B.conf", "upper = 1");
	write_text(&d, "conf.d/10-x.conf", "ten = 1");
	write_text(&d, "conf.d/9-x.conf", "nine = 1");
	write_text(&d, "conf.d/.hidden.conf", "hidden = ");
	write_text(&d, "conf.d/b.conf~", "old = ");
	write_text(&d, "conf.d/b.conf.dpkg-old", "old = ");
	write_text(&d, "conf.d/README", "not a configuration");
	write_text(&d, "conf.d/.conf", "nameless = ");
	assert_files_read(&d, 0, "1:main=[1] 1:ten=[1] 1:nine=[1] 1:upper=[1] 1:a=[1] 2:b=[1] ");
}

static void a_missing_conf_d_is_fine(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	write_text(&d, "mdcd.conf", "main = 1\n");
	assert_files_read(&d, 0, "1:main=[1] ");
}

static void what_stands_in_two_files_is_told_with_both(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	write_text(&d, "mdcd.conf", "a = 1\nscope \"x\" { }\n");
	write_text(&d, "conf.d/1.conf", "\na = 2\n");
	write_text(&d, "conf.d/2.conf", "scope \"x\" { }\nb = \n");
	assert_files_read(&d, -EINVAL,
		"@/conf.d/1.conf:2: error: a is set in the top level already (@/mdcd.conf:1); "
		"remove one of the two\n"
		"@/conf.d/2.conf:1: error: there is a section scope \"x\" already "
		"(@/mdcd.conf:2); write all into one, or another title\n"
		"@/conf.d/2.conf:2: error: b: there is no value after the =; write one\n");
}

static void a_main_file_that_cannot_be_opened_is_told_with_its_errno(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	write_text(&d, "conf.d/1.conf", "a = \n");
	assert_files_read(
		&d, -ENOENT, "@/mdcd.conf: error: cannot open it: No such file or directory\n");
	assert_files_load(
		&d, -ENOENT, "@/mdcd.conf: error: cannot open it: No such file or directory\n");
}

static void files_that_cannot_be_trusted_are_refused(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;
	char path[256];

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	make_directory(&d, "conf.d/4.conf");
	write_text(&d, "mdcd.conf", "a = 1\n");
	write_text(&d, "conf.d/1.conf", "b = 1\n");
	set_mode(&d, "conf.d/1.conf", 0646);
	write_text(&d, "conf.d/2.conf", "c = \n");
	snprintf(path, sizeof(path), "%s/conf.d/3.conf", d.path);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/conf.d/5.conf", d.path);
	assert_int_equal(symlink("nowhere", path), 0);
	assert_files_read(&d, -EINVAL,
		"@/conf.d/1.conf: error: everybody may write to it; run chmod o-w on it\n"
		"@/conf.d/2.conf:1: error: c: there is no value after the =; write one\n"
		"@/conf.d/3.conf: error: it is not a regular file; replace it by one\n"
		"@/conf.d/4.conf: error: it is not a regular file; replace it by one\n"
		"@/conf.d/5.conf: error: cannot open it: No such file or directory\n");
	set_mode(&d, "conf.d", 0757);
	set_mode(&d, "mdcd.conf", 0666);
	assert_files_read(&d, -EINVAL,
		"@/mdcd.conf: error: everybody may write to it; run chmod o-w on it\n"
		"@/conf.d: error: everybody may write to it; run chmod o-w on it\n");
}

static void a_conf_d_that_is_no_directory_is_told(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	write_text(&d, "mdcd.conf", "a = 1\n");
	write_text(&d, "conf.d", "a = 1\n");
	assert_files_read(&d, -EINVAL, "@/conf.d: error: cannot open it: Not a directory\n");
}

static void files_that_are_no_text_are_refused(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	write_bytes(&d, "mdcd.conf", "a = 1\nb = \0\nc\n", 14);
	assert_files_read(&d, -EINVAL,
		"@/mdcd.conf:2: error: a NUL byte stands here, so this is not a text file; write "
		"it anew\n");
	write_bytes(&d, "mdcd.conf", "", 0);
	assert_files_read(&d, 0, "");
}

static void files_up_to_one_mebibyte_are_read(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;
	mdc_autofree char *text = xmalloc((1u << 20) + 1);

	(void)state;
	directory_init(&d);
	memset(text, '#', (1u << 20) + 1);
	memcpy(text, "a = 1\n", 6);
	write_bytes(&d, "mdcd.conf", text, 1u << 20);
	assert_files_read(&d, 0, "1:a=[1] ");
	write_bytes(&d, "mdcd.conf", text, (1u << 20) + 1);
	assert_files_read(&d, -EINVAL,
		"@/mdcd.conf: error: it is larger than 1 MiB; divide it into files in conf.d\n");
}

static void the_number_of_files_is_bounded(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;
	char name[64];

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	write_text(&d, "mdcd.conf", "a = 1\n");
	for (unsigned i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "conf.d/%03u.conf", i);
		write_text(&d, name, "");
	}
	assert_files_read(&d, 0, "1:a=[1] ");
	write_text(&d, "conf.d/256.conf", "");
	assert_files_read(
		&d, -EINVAL, "@/conf.d: error: there are more than 256 files; join some of them\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drop_ins_are_read_after_the_main_file_in_byte_order),
		cmocka_unit_test(a_missing_conf_d_is_fine),
		cmocka_unit_test(what_stands_in_two_files_is_told_with_both),
		cmocka_unit_test(a_main_file_that_cannot_be_opened_is_told_with_its_errno),
		cmocka_unit_test(files_that_cannot_be_trusted_are_refused),
		cmocka_unit_test(a_conf_d_that_is_no_directory_is_told),
		cmocka_unit_test(files_that_are_no_text_are_refused),
		cmocka_unit_test(files_up_to_one_mebibyte_are_read),
		cmocka_unit_test(the_number_of_files_is_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
