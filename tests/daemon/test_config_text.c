/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/daemon/config_file_fixture.h"

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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
