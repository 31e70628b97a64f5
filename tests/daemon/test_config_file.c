/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_file.h"
#include "lib/base/xalloc.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_MAX (4u << 20)

static const char *environment(const char *name)
{
	if (strcmp(name, "PLAN") == 0)
		return "P2";
	if (strcmp(name, "ODD_1") == 0)
		return "a\"b\\c${PLAN} = { # }";
	if (strcmp(name, "EMPTY") == 0)
		return "";
	return NULL;
}

/* --- records and diagnostics as text --- */

static void render(const struct config_section *s, struct buf *ret)
{
	for (size_t i = 0; i < s->option_count; i++) {
		const struct config_option *o = &s->options[i];

		buf_addf(ret, "%u:%s=%s", o->line, o->name, o->list ? "{" : "");
		for (size_t j = 0; j < o->n; j++)
			buf_addf(ret, "%s[%s]", j > 0 ? "," : "", o->values[j].text);
		buf_adds(ret, o->list ? "} " : " ");
	}
	for (size_t i = 0; i < s->section_count; i++) {
		const struct config_section *child = &s->sections[i];

		buf_addf(ret, "%u:%s", child->line, child->kind);
		if (child->title != NULL)
			buf_addf(ret, "<%s>", child->title);
		buf_adds(ret, "( ");
		render(child, ret);
		buf_adds(ret, ") ");
	}
}

static void assert_reads(const char *text, const char *expected)
{
	mdc_cleanup(buf_fini) struct buf got = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config_section root = {0};

	if (config_text_read(text, "t.conf", environment, &diags, &root) == 0)
		render(&root, &got);
	diags_render(&diags, &got);
	config_section_fini(&root);
	if (strcmp(buf_str(&got), expected) != 0)
		fail_msg("%s\nreads:\n%s\ninstead of:\n%s", text, buf_str(&got), expected);
}

/* --- files --- */

struct directory {
	char path[64];
	char file[96]; /* the main file */
};

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void directory_fini(struct directory *d)
{
	nftw(d->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void directory_init(struct directory *d)
{
	strcpy(d->path, "/tmp/mdcd-config-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->file, sizeof(d->file), "%s/mdcd.conf", d->path);
}

static void write_bytes(const struct directory *d, const char *name, const char *data, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0640), 0);
}

static void write_text(const struct directory *d, const char *name, const char *text)
{
	write_bytes(d, name, text, strlen(text));
}

static void make_directory(const struct directory *d, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	assert_int_equal(mkdir(path, 0750), 0);
}

static void set_mode(const struct directory *d, const char *name, mode_t mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	assert_int_equal(chmod(path, mode), 0);
}

/* Paths of the test's own directory become "@". */
static void shorten(const struct directory *d, const char *text, struct buf *ret)
{
	size_t len = strlen(d->path);

	for (; *text != '\0'; text++)
		if (strncmp(text, d->path, len) == 0) {
			buf_adds(ret, "@");
			text += len - 1;
		} else
			buf_addc(ret, *text);
}

static int read_files(const struct directory *d, struct buf *ret)
{
	mdc_cleanup(buf_fini) struct buf got = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config_section root = {0};
	int error = config_files_read(d->file, environment, &diags, &root);

	if (error == 0)
		render(&root, &got);
	diags_render(&diags, &got);
	assert_int_equal(error != 0, diags.errors > 0);
	config_section_fini(&root);
	shorten(d, buf_str(&got), ret);
	return error;
}

static void assert_files_read(const struct directory *d, int error, const char *expected)
{
	mdc_cleanup(buf_fini) struct buf got = BUF_INIT(TEXT_MAX);

	assert_int_equal(read_files(d, &got), error);
	assert_string_equal(buf_str(&got), expected);
}

static void assert_files_load(const struct directory *d, int error, const char *expected)
{
	mdc_cleanup(buf_fini) struct buf got = BUF_INIT(TEXT_MAX);
	mdc_cleanup(buf_fini) struct buf said = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;

	assert_int_equal(config_files_load(d->file, environment, &diags, &config), error);
	assert_int_equal(config != NULL, error == 0);
	diags_render(&diags, &said);
	shorten(d, buf_str(&said), &got);
	assert_string_equal(buf_str(&got), expected);
	config_free(config);
}

/* --- what is well written --- */

static void values_are_read_in_every_form(void **state)
{
	(void)state;
	assert_reads("", "");
	assert_reads("a = 1", "1:a=[1] ");
	assert_reads("a=1 b = 2\nc\n=\n3\n", "1:a=[1] 1:b=[2] 2:c=[3] ");
	assert_reads("grace = 3h from = 22:00 until = 2027-01-31 plan = P2 part = 10%",
		"1:grace=[3h] 1:from=[22:00] 1:until=[2027-01-31] 1:plan=[P2] 1:part=[10%] ");
	assert_reads(
		"a = https://login.example:8443/x//y", "1:a=[https://login.example:8443/x//y] ");
	assert_reads("a = \"\"", "1:a=[] ");
	assert_reads("a = \"b c\" d = 'e f'", "1:a=[b c] 1:d=[e f] ");
	assert_reads("a = \"q\\\" b\\\\ d\\${X}\"", "1:a=[q\" b\\ d${X}] ");
	assert_reads("a = 'q\\' b\\\\ c\\n ${X}'", "1:a=[q' b\\ c\\n ${X}] ");
	assert_reads("a = \"# { } = , // /* */ * + ( )\"", "1:a=[# { } = , // /* */ * + ( )] ");
	assert_reads("a = $HOME b = c\\d e = über", "1:a=[$HOME] 1:b=[c\\d] 1:e=[über] ");
	assert_reads("a = |;x", "1:a=[|;x] ");
}

static void lists_are_read_in_every_form(void **state)
{
	(void)state;
	assert_reads("a = { }", "1:a={} ");
	assert_reads("a = {}", "1:a={} ");
	assert_reads("a = { mon, tue }", "1:a={[mon],[tue]} ");
	assert_reads("a = {mon,\"tue\",'wed',}", "1:a={[mon],[tue],[wed]} ");
	assert_reads("a = {\n\tb,\n\tc\n}\nd = e", "1:a={[b],[c]} 5:d=[e] ");
}

static void sections_are_read_in_every_form(void **state)
{
	(void)state;
	assert_reads("poll { }", "1:poll( ) ");
	assert_reads("poll{a=1}b=2", "1:b=[2] 1:poll( 1:a=[1] ) ");
	assert_reads("scope \"a b\" { m = 1 exclude 'x' { n = 2 } }",
		"1:scope<a b>( 1:m=[1] 1:exclude<x>( 1:n=[2] ) ) ");
	assert_reads("scope a\n{\nm = 1\n}\n", "1:scope<a>( 3:m=[1] ) ");
}

static void comments_stand_anywhere_and_lines_stay_right(void **state)
{
	(void)state;
	assert_reads("# one\n// two\n/* three\n four */ a = 1 # five\nb /* six */ = { # seven\n"
		     " c, // eight\n d }\ne = 2",
		"4:a=[1] 5:b={[c],[d]} 8:e=[2] ");
	assert_reads("a = 1#b\n#", "1:a=[1] ");
	assert_reads("/**/a = 1 /* * ** /*/", "1:a=[1] ");
}

static void the_ends_of_lines_may_be_those_of_other_systems(void **state)
{
	(void)state;
	assert_reads("a = 1\r\npoll {\r\n\tb = { c,\r\n d }\r\n}\r\n",
		"1:a=[1] 2:poll( 3:b={[c],[d]} ) ");
	assert_reads("\xef\xbb\xbf"
		     "a = 1",
		"1:a=[1] ");
	assert_reads("# x\r\na = \"b\"\r\n", "2:a=[b] ");
}

static void variables_are_expanded_to_text_and_nothing_else(void **state)
{
	(void)state;
	assert_reads("a = ${PLAN}", "1:a=[P2] ");
	assert_reads("a = x${PLAN}/${PLAN}y", "1:a=[xP2/P2y] ");
	assert_reads("a = \"x ${PLAN}\"", "1:a=[x P2] ");
	assert_reads("a = { ${PLAN}, b }", "1:a={[P2],[b]} ");
	assert_reads("a = ${ODD_1} b = 1", "1:a=[a\"b\\c${PLAN} = { # }] 1:b=[1] ");
	assert_reads("a = \"${ODD_1}\"", "1:a=[a\"b\\c${PLAN} = { # }] ");
	assert_reads("a = ${EMPTY}", "1:a=[] ");
	assert_reads("a = '${PLAN}' b = \"\\${PLAN}\"", "1:a=[${PLAN}] 1:b=[${PLAN}] ");
	assert_reads("scope \"${PLAN}\" { }", "1:scope<P2>( ) ");
	assert_reads("a = x\\${PLAN}", "1:a=[x\\P2] ");
}

static void the_real_environment_is_not_read(void **state)
{
	(void)state;
	assert_int_equal(setenv("MDCD_TEST_SECRET", "hunter2", 1), 0);
	assert_reads("a = ${MDCD_TEST_SECRET}",
		"t.conf:1: error: ${MDCD_TEST_SECRET} is not set in the environment; set it, or "
		"write the value itself\n");
	assert_reads("a = '${MDCD_TEST_SECRET}'", "1:a=[${MDCD_TEST_SECRET}] ");
	assert_reads("a = \"$\\${MDCD_TEST_SECRET}\"", "1:a=[$${MDCD_TEST_SECRET}] ");
	unsetenv("MDCD_TEST_SECRET");
}

/* --- what is not --- */

static void variables_that_cannot_be_expanded_are_told(void **state)
{
	(void)state;
	assert_reads("a = 1\nb = ${NOPE}\nc = \"${NOPE}${NADA}\"",
		"t.conf:2: error: ${NOPE} is not set in the environment; set it, or write the "
		"value itself\n"
		"t.conf:3: error: ${NOPE} is not set in the environment; set it, or write the "
		"value itself\n"
		"t.conf:3: error: ${NADA} is not set in the environment; set it, or write the "
		"value itself\n");
	assert_reads("a = ${}\nb = ${PLAN:-x}\nc = ${1A}\nd = \"${PLAN\"\n",
		"t.conf:1: error: a variable is written ${NAME}, its name of letters, digits and "
		"_\n"
		"t.conf:2: error: a variable is written ${NAME}, its name of letters, digits and "
		"_\n"
		"t.conf:3: error: a variable is written ${NAME}, its name of letters, digits and "
		"_\n"
		"t.conf:4: error: a variable is written ${NAME}, its name of letters, digits and "
		"_\n");
	assert_reads("a = ${PLAN\nb = 1",
		"t.conf:1: error: a: a variable is not closed; write ${NAME}\n");
}

struct mistake {
	const char *text;
	const char *said;
};

/* One mistake is one error, and what follows is read. */
static const struct mistake mistakes[] = {
	{"a 1", "1: error: a: neither = nor { follows; write a = …, or a { … } for a section"},
	{"a", "1: error: a: neither = nor { follows; write a = …, or a { … } for a section"},
	{"a \"b\"", "1: error: a: neither = nor { follows; write a = …, or a { … } for a section"},
	{"a =", "1: error: a: there is no value after the =; write one"},
	{"a = ,", "1: error: a: there is no value after the =; write one"},
	{"a = = 1", "1: error: a: there is no value after the =; write one"},
	{"a = lab team",
		"1: error: a: a second value stands here; write a text with blanks in quotes, "
		"and a list as { \"…\", \"…\" }"},
	{"a = \"b\" \"c\"",
		"1: error: a: a second value stands here; write a text with blanks in quotes, "
		"and a list as { \"…\", \"…\" }"},
	{"a = b, c",
		"1: error: a: a comma stands only in a list; remove it, or write { \"…\", "
		"\"…\" }"},
	{"a = 1,",
		"1: error: a: a comma stands only in a list; remove it, or write { \"…\", "
		"\"…\" }"},
	{"a = 1;", "1: error: a: no ; stands after an option; remove it"},
	{"a = [\"b\"]", "1: error: a: a list stands in braces; write { \"…\", \"…\" }"},
	{"a = web*", "1: error: a: * + ( and ) stand only in quotes; write \"…\""},
	{"a = GMT+1", "1: error: a: * + ( and ) stand only in quotes; write \"…\""},
	{"a = *", "1: error: a: * + ( and ) stand only in quotes; write \"…\""},
	{"a = b=c", "1: error: a: a value with = stands in quotes; write \"NAME=VALUE\""},
	{"a += { b }", "1: error: a: nothing is added to an option with +=; write all with ="},
	{"a = \"b",
		"1: error: a: the text in quotes does not end on its line; write \" at its "
		"end"},
	{"a = 'b",
		"1: error: a: the text in quotes does not end on its line; write ' at its "
		"end"},
	{"a = \"b\\n\"",
		"1: error: a: a backslash stands only before \", \\ or $; write \\\\ for "
		"a backslash"},
	{"a = \"b\\999\"",
		"1: error: a: a backslash stands only before \", \\ or $; write \\\\ "
		"for a backslash"},
	{"a = \"b\\",
		"1: error: a: a backslash stands only before \", \\ or $; write \\\\ for a "
		"backslash"},
	{"a = { b c }",
		"1: error: a: a comma is missing before this value; write { \"…\", \"…\" }"},
	{"a = {\n\"b\"\n\"c\"\n}",
		"3: error: a: a comma is missing before this value; write { \"…\", \"…\" }"},
	{"a = { b,, c }", "1: error: a: there is a comma too many; remove it"},
	{"a = { , }", "1: error: a: there is a comma too many; remove it"},
	{"a = { b=c, d }", "1: error: a: a value with = stands in quotes; write \"NAME=VALUE\""},
	{"a = { b, web* }", "1: error: a: * + ( and ) stand only in quotes; write \"…\""},
	{"a = { \"b, c }",
		"1: error: a: the text in quotes does not end on its line; write \" at its end"},
	{"a = { b, c", "1: error: a: the list does not end; write } after its last value"},
	{"a = { b, { c } }", "1: error: a: a value belongs here; write \"…\""},
	{"\"a\" = 1", "1: error: a name belongs here, of letters, digits and -, without quotes"},
	{"a.b = 1", "1: error: a name belongs here, of letters, digits and -, without quotes"},
	{"poll|machines = 1",
		"1: error: a name belongs here, of letters, digits and -, without quotes"},
	{"a: 1", "1: error: a name belongs here, of letters, digits and -, without quotes"},
	{"= 1", "1: error: there is no name before the =; write one"},
	{"{ a = 1 }", "1: error: there is no name before the {; write one"},
	{"}", "1: error: no section is open here; remove the }"},
	{",", "1: error: options stand without commas between them; remove it"},
	{"include(\"/etc/passwd\")",
		"1: error: other files are not included; put them into the directory conf.d"},
	{"include (\"/etc/passwd\")",
		"1: error: include: * + ( and ) stand only in quotes; write \"…\""},
	{"a = include(\"/etc/passwd\")",
		"1: error: a: other files are not included; put them into the directory conf.d"},
	{"a = \x01", "1: error: a: a control character stands here; remove it"},
	{"\x7f", "1: error: a control character stands here; remove it"},
	{"a = 1\rb = 2", "1: error: a control character stands here; remove it"},
	{"scope \"a\" = { b = 1 }",
		"1: error: scope: neither = nor { follows; write scope = …, or "
		"scope { … } for a section"},
	{"s \"a\" \"b\" {\nc = 1\n}",
		"1: error: s: neither = nor { follows; write s = …, or s { … "
		"} for a section"},
};

static void a_mistake_is_told_once_and_the_reading_goes_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
		mdc_cleanup(buf_fini) struct buf said = BUF_INIT(4096);
		unsigned line = 2;

		/* The proof that the reading went on is the second error, in the last line. */
		for (const char *p = mistakes[i].text; *p != '\0'; p++)
			line += *p == '\n';
		buf_addf(&text, "%s\nlast = \n", mistakes[i].text);
		buf_addf(&said,
			"t.conf:%s\nt.conf:%u: error: last: there is no value after the =; write "
			"one\n",
			mistakes[i].said, line);
		assert_reads(buf_str(&text), buf_str(&said));
	}
}

static void a_mistake_in_a_section_does_not_end_the_section(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
		mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
		struct config_section root;

		if (strchr(mistakes[i].text, '}') != NULL && strchr(mistakes[i].text, '{') == NULL)
			continue; /* those that do end it */
		if (strcmp(mistakes[i].text, "a = { b, c") == 0)
			continue; /* takes the brace of the section for its own */
		buf_addf(&text, "outer {\n%s\nz = 1\n}\nouter { }\n", mistakes[i].text);
		assert_int_equal(
			config_text_read(buf_str(&text), "t", environment, &diags, &root), -EINVAL);
		if (diags.errors != 2 || strstr(diags.v[1].text, "outer already") == NULL)
			fail_msg("%s: %s", mistakes[i].text, diags.v[diags.n - 1].text);
	}
}

static void what_does_not_end_is_told_where_it_begins(void **state)
{
	(void)state;
	assert_reads("a = 1\nscope \"x\" {\n\tb = 1\n\texclude \"y\" {\n\t}\n",
		"t.conf:2: error: the section scope \"x\" is not closed; write } at its end\n");
	assert_reads("a = 1\n/* b\nc = 1\n",
		"t.conf:2: error: a comment begins here and does not end; write */ at its end\n");
	assert_reads("poll {\n\ta = 1\n\tb = { c,\n\td = 1\n}\n",
		"t.conf:3: error: b: the list does not end; write } after its last value\n");
}

static void an_option_or_section_that_stands_twice_is_told(void **state)
{
	(void)state;
	assert_reads("a = 1\na = 1\n",
		"t.conf:2: error: a is set in the top level already (t.conf:1); remove one of the "
		"two\n");
	assert_reads("a = { }\na = { b }\n",
		"t.conf:2: error: a is set in the top level already (t.conf:1); remove one of the "
		"two\n");
	assert_reads("s \"x\" { a = 1 a = 2 }",
		"t.conf:1: error: a is set in s \"x\" already (t.conf:1); remove one of the "
		"two\n");
	assert_reads("poll { a = 1 }\npoll { b = 1 }\n",
		"t.conf:2: error: there is a section poll already (t.conf:1); write all into "
		"one\n");
	assert_reads("s \"x\" { }\ns \"X\" { a = 1\n a = \n }\ns \"y\" { }",
		"t.conf:2: error: there is a section s \"X\" already (t.conf:1); write all into "
		"one, or another title\n"
		"t.conf:3: error: a: there is no value after the =; write one\n"
		"t.conf:3: error: a is set in s \"X\" already (t.conf:2); remove one of the "
		"two\n");
}

static void the_reading_stops_after_twenty_errors(void **state)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config_section root;

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		buf_addf(&text, "a%u = \n", i);
	assert_int_equal(
		config_text_read(buf_str(&text), "t.conf", environment, &diags, &root), -EINVAL);
	assert_int_equal(diags.errors, 20);
	assert_int_equal(diags.warnings, 1);
	assert_int_equal(diags.v[19].line, 20);
	assert_string_equal(diags.v[20].text,
		"these are 20 errors, and what follows was not read; correct them first");
}

static void nesting_is_bounded(void **state)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		buf_adds(&text, "a {");
	for (unsigned i = 0; i < 100000; i++)
		buf_adds(&text, "}");
	buf_adds(&text, "\nb = \n");
	assert_reads(buf_str(&text),
		"t.conf:1: error: sections stand deeper than 8 in each other; remove a\n"
		"t.conf:2: error: b: there is no value after the =; write one\n");
}

static void the_number_of_options_and_values_is_bounded(void **state)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);

	(void)state;
	buf_adds(&text, "a = {");
	for (unsigned i = 0; i <= 10000; i++)
		buf_adds(&text, "\nb,");
	buf_adds(&text, "}\nc =\n");
	assert_reads(buf_str(&text),
		"t.conf:10002: error: the list has more than 10000 values; shorten it\n"
		"t.conf:10003: error: c: there is no value after the =; write one\n");
	buf_reset(&text);
	for (unsigned i = 0; i <= 10000; i++)
		buf_addf(&text, "a%u = 1\n", i);
	assert_reads(buf_str(&text),
		"t.conf:10001: error: there are more than 10000 options or sections in the top "
		"level; write fewer. What follows was not read\n");
}

static void long_values_are_read_whole(void **state)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config_section root;

	(void)state;
	buf_adds(&text, "a = \"");
	for (unsigned i = 0; i < 100000; i++)
		buf_adds(&text, "abcde$");
	buf_adds(&text, "\"\nb = 1\n");
	assert_int_equal(config_text_read(buf_str(&text), "t", environment, &diags, &root), 0);
	assert_int_equal(strlen(root.options[0].values[0].text), 600000);
	assert_string_equal(root.options[1].values[0].text, "1");
	config_section_fini(&root);
}

/* --- files --- */

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

/* --- loading --- */

/* Page by page from the design, with the ids filled in. */
static const char design[] =
	"identity \"main\" {\n"
	"    cloud = public  tenant = \"11111111-1111-1111-1111-111111111111\"  client = "
	"\"22222222-2222-2222-2222-222222222222\"  method = client-certificate  certificate = "
	"\"/etc/mdcd/credentials/mdcd.pem\"\n"
	"}\n"
	"poll { subscriptions = 15m  machines = 5m  full-sweep = 6h }\n"
	"policy \"servers\" {\n"
	"    plan = P2\n"
	"    integration = on   unified-solution = on   linux = on   vulnerability-management = "
	"on\n"
	"    workspaces { from-machines = on  list = { } }\n"
	"    extension  { deploy = after-grace  grace = 3h  first-grace = 14h }\n"
	"    legacy     { replace = on  remove-agent = off }\n"
	"    connector  { plan = P2  mde = on  vulnerability-assessment = on }\n"
	"}\n"
	"scope \"production\" {\n"
	"    identity = \"main\"  management-groups = { \"mg-prod\" }  policy = \"servers\"  mode "
	"= "
	"enforce\n"
	"    exclude \"lab\"   { tags = { \"env=lab\" }  owner = \"…\"  ticket = \"…\"  until = "
	"2027-01-31  reason = \"…\" }\n"
	"    grant \"kiosks\"  { control = machine-plan  tags = { \"role=kiosk\" }  owner = \"…\"  "
	"ticket = \"…\"  until = 2027-01-31  reason = \"…\" }\n"
	"    ring \"pilot\"    { subscriptions = { \"33333333-3333-3333-3333-333333333333\" }  "
	"max-in-flight = 20  soak = 24h  halt-at = \"5%\" }\n"
	"    ring \"rest\"     { max-in-flight = 200  halt-at = \"2%\" }\n"
	"    window \"nights\" { days = { mon, tue, wed, thu }  from = 22:00  to = 05:00  timezone "
	"= \"Europe/Berlin\" }\n"
	"}\n";

static void the_example_of_the_design_is_read(void **state)
{
	(void)state;
	assert_reads(design,
		"1:identity<main>( 2:cloud=[public] "
		"2:tenant=[11111111-1111-1111-1111-111111111111] "
		"2:client=[22222222-2222-2222-2222-222222222222] 2:method=[client-certificate] "
		"2:certificate=[/etc/mdcd/credentials/mdcd.pem] ) "
		"4:poll( 4:subscriptions=[15m] 4:machines=[5m] 4:full-sweep=[6h] ) "
		"5:policy<servers>( 6:plan=[P2] 7:integration=[on] 7:unified-solution=[on] "
		"7:linux=[on] 7:vulnerability-management=[on] 8:workspaces( 8:from-machines=[on] "
		"8:list={} ) 9:extension( 9:deploy=[after-grace] 9:grace=[3h] "
		"9:first-grace=[14h] ) 10:legacy( 10:replace=[on] 10:remove-agent=[off] ) "
		"11:connector( 11:plan=[P2] 11:mde=[on] 11:vulnerability-assessment=[on] ) ) "
		"13:scope<production>( 14:identity=[main] 14:management-groups={[mg-prod]} "
		"14:policy=[servers] 14:mode=[enforce] 15:exclude<lab>( 15:tags={[env=lab]} "
		"15:owner=[…] 15:ticket=[…] 15:until=[2027-01-31] 15:reason=[…] ) "
		"16:grant<kiosks>( 16:control=[machine-plan] 16:tags={[role=kiosk]} 16:owner=[…] "
		"16:ticket=[…] 16:until=[2027-01-31] 16:reason=[…] ) "
		"17:ring<pilot>( 17:subscriptions={[33333333-3333-3333-3333-333333333333]} "
		"17:max-in-flight=[20] 17:soak=[24h] 17:halt-at=[5%] ) "
		"18:ring<rest>( 18:max-in-flight=[200] 18:halt-at=[2%] ) "
		"19:window<nights>( 19:days={[mon],[tue],[wed],[thu]} 19:from=[22:00] "
		"19:to=[05:00] 19:timezone=[Europe/Berlin] ) ) ");
}

static void what_the_design_promises_and_this_version_lacks_is_told(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;

	(void)state;
	directory_init(&d);
	write_text(&d, "mdcd.conf", design);
	assert_int_equal(config_files_load(d.file, environment, &diags, &config), -EINVAL);
	assert_true(diags.errors > 0);
	for (size_t i = 0; i < diags.n; i++)
		assert_non_null(strstr(diags.v[i].text, "not supported by this version; "));
}

static void errors_of_syntax_and_of_values_are_told_together_in_order(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	write_text(&d, "mdcd.conf",
		"log = jurnal\npoll {\n\tmachines = 5\n\tjitter = \n\tsweep = 1h\n}\n");
	write_text(&d, "conf.d/a.conf",
		"policy \"p\" {\n\tplan = P3\n\tintegration on\n\tlegacy { replace = maybe }\n}\n");
	assert_files_load(&d, -EINVAL,
		"@/mdcd.conf: warning: there is no scope, so nothing is watched; add a section "
		"scope \"NAME\" { … }\n"
		"@/mdcd.conf:1: error: log: \"jurnal\" is not known; write journal\n"
		"@/mdcd.conf:3: error: machines: \"5\" has no unit; write 5s, 5m, 5h or 5d\n"
		"@/mdcd.conf:4: error: jitter: there is no value after the =; write one\n"
		"@/mdcd.conf:5: error: there is no option \"sweep\" in poll; the options here are "
		"subscriptions, machines, full-sweep, inventory, operations, jitter\n"
		"@/conf.d/a.conf:2: error: plan: \"P3\" is not known; write unmanaged, P1 or P2\n"
		"@/conf.d/a.conf:3: error: integration: neither = nor { follows; write "
		"integration = …, or integration { … } for a section\n"
		"@/conf.d/a.conf:4: error: replace: \"maybe\" is neither on nor off; write on or "
		"off\n");
}

static void nothing_seems_to_be_missing_when_a_file_was_refused(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	write_text(&d, "mdcd.conf", "scope \"s\" { identity = main policy = p }\n");
	write_bytes(&d, "conf.d/a.conf", "policy \"p\" { }\n\0", 16);
	assert_files_load(&d, -EINVAL,
		"@/conf.d/a.conf:2: error: a NUL byte stands here, so this is not a text file; "
		"write it anew\n");
}

static void a_configuration_in_several_files_is_loaded(void **state)
{
	mdc_cleanup(directory_fini) struct directory d;
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;

	(void)state;
	directory_init(&d);
	make_directory(&d, "conf.d");
	write_text(&d, "mdcd.conf",
		"poll { machines = 2s }\nidentity main {\n"
		"  tenant = 11111111-1111-1111-1111-111111111111\n"
		"  client = 22222222-2222-2222-2222-222222222222\n"
		"  method = client-secret secret-file = '/s'\n}\n");
	write_text(&d, "conf.d/policy.conf",
		"policy \"p\" { plan = ${PLAN} extension { deploy = after-grace grace = 0s } "
		"integration = on }\n");
	write_text(&d, "conf.d/scope.conf",
		"scope \"s\" { identity = main policy = p mode = enforce subscriptions = { \"*\" } "
		"}");
	assert_int_equal(config_files_load(d.file, environment, &diags, &config), 0);
	assert_int_equal(diags.n, 0);
	assert_int_equal(config->poll.machines.ms, 2000);
	assert_int_equal(config->scopes[0].policy->plan, PLAN_P2);
	assert_int_equal(config->scopes[0].policy->grace.ms, 0);
	assert_string_equal(config->scopes[0].identity->secret_file, "/s");
	config_free(config);
}

/* --- what is shipped; the tests run at the top of the tree --- */

static void read_shipped(const char *path, struct buf *ret)
{
	FILE *f = fopen(path, "r");
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		buf_addc(ret, (char)c);
	fclose(f);
}

static struct config *load_text(const char *text, struct diags *diags)
{
	mdc_cleanup(directory_fini) struct directory d;
	struct config *config = NULL;

	directory_init(&d);
	write_text(&d, "mdcd.conf", text);
	assert_int_equal(config_files_load(d.file, environment, diags, &config), 0);
	return config;
}

static void the_example_file_sets_nothing(void **state)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);

	(void)state;
	read_shipped("conf/mdcd.conf", &text);
	assert_reads(buf_str(&text), "");
}

/* "#name" is an option, "# text" a comment. */
static void uncomment(const char *text, struct buf *ret)
{
	bool line_start = true;

	for (; *text != '\0'; text++) {
		if (!(line_start && *text == '#' && text[1] != ' '))
			buf_addc(ret, *text);
		line_start = *text == '\n';
	}
}

static void the_example_file_without_its_marks_is_valid_and_has_the_defaults(void **state)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);
	mdc_cleanup(buf_fini) struct buf open = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config, *defaults;
	char *line, *rest;

	(void)state;
	read_shipped("conf/mdcd.conf", &text);
	uncomment(buf_str(&text), &open);
	config = load_text(buf_str(&open), &diags);
	defaults = load_text("policy \"servers\" { }", &diags);
	rest = defaults->canonical;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (strstr(config->canonical, line) == NULL)
			fail_msg("%s", line);
	config_free(config);
	config_free(defaults);
}

static void the_example_of_the_manual_is_valid(void **state)
{
	mdc_cleanup(buf_fini) struct buf manual = BUF_INIT(TEXT_MAX);
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	const char *p, *end;

	(void)state;
	read_shipped("conf/mdcd.conf.5", &manual);
	p = strstr(buf_str(&manual), "\n.Bd -literal\n");
	assert_non_null(p);
	p = strchr(p + 1, '\n') + 1;
	end = strstr(p, "\n.Ed\n");
	assert_non_null(end);
	for (; p < end; p++)
		if (strncmp(p, "\\(dq", 4) == 0) {
			buf_addc(&text, '"');
			p += 3;
		} else
			buf_addc(&text, *p);
	config_free(load_text(buf_str(&text), &diags));
	assert_int_equal(diags.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read_in_every_form),
		cmocka_unit_test(lists_are_read_in_every_form),
		cmocka_unit_test(sections_are_read_in_every_form),
		cmocka_unit_test(comments_stand_anywhere_and_lines_stay_right),
		cmocka_unit_test(the_ends_of_lines_may_be_those_of_other_systems),
		cmocka_unit_test(variables_are_expanded_to_text_and_nothing_else),
		cmocka_unit_test(the_real_environment_is_not_read),
		cmocka_unit_test(variables_that_cannot_be_expanded_are_told),
		cmocka_unit_test(a_mistake_is_told_once_and_the_reading_goes_on),
		cmocka_unit_test(a_mistake_in_a_section_does_not_end_the_section),
		cmocka_unit_test(what_does_not_end_is_told_where_it_begins),
		cmocka_unit_test(an_option_or_section_that_stands_twice_is_told),
		cmocka_unit_test(the_reading_stops_after_twenty_errors),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(the_number_of_options_and_values_is_bounded),
		cmocka_unit_test(long_values_are_read_whole),
		cmocka_unit_test(drop_ins_are_read_after_the_main_file_in_byte_order),
		cmocka_unit_test(a_missing_conf_d_is_fine),
		cmocka_unit_test(what_stands_in_two_files_is_told_with_both),
		cmocka_unit_test(a_main_file_that_cannot_be_opened_is_told_with_its_errno),
		cmocka_unit_test(files_that_cannot_be_trusted_are_refused),
		cmocka_unit_test(a_conf_d_that_is_no_directory_is_told),
		cmocka_unit_test(files_that_are_no_text_are_refused),
		cmocka_unit_test(files_up_to_one_mebibyte_are_read),
		cmocka_unit_test(the_number_of_files_is_bounded),
		cmocka_unit_test(the_example_of_the_design_is_read),
		cmocka_unit_test(what_the_design_promises_and_this_version_lacks_is_told),
		cmocka_unit_test(errors_of_syntax_and_of_values_are_told_together_in_order),
		cmocka_unit_test(nothing_seems_to_be_missing_when_a_file_was_refused),
		cmocka_unit_test(a_configuration_in_several_files_is_loaded),
		cmocka_unit_test(the_example_file_sets_nothing),
		cmocka_unit_test(the_example_file_without_its_marks_is_valid_and_has_the_defaults),
		cmocka_unit_test(the_example_of_the_manual_is_valid),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
