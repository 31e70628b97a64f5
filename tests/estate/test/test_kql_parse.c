/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/kql_fixture.h"

static void accept(const char *text)
{
	struct kql_query *q = NULL;
	struct kql_error error;

	if (kql_parse(text, &q, &error) != 0)
		fail_msg("%s: %s\n%s", error.code, error.text, text);
	kql_free(q);
}

static void refuse(const char *text, const char *code, const char *part)
{
	json_t *tables = json_object();

	assert_refused(tables, text, code, part);
	json_decref(tables);
}

static void queries_of_every_shape_are_read(void **state)
{
	static const char *const texts[] = {
		"resources",
		"Resources",
		"  resources  ",
		"resources;",
		"(resources)",
		"(resources | take 1) | count",
		"where type == 'x'",
		"summarize count() by type",
		"project-away id",
		"union (resources), (resources)",
		"union resources, resources | count",
		"resources// comment\n| count // another",
		"// first\n// second\nresources\r\n|\tcount",
		"resources\n\n\n| where id\n==\n'a'",
		"resources | project-away tag*, *Id, m*y | project-rename n = name",
		"resources | order by name | sort by name asc, id desc nulls first",
		"resources | top 5 by name asc nulls last, id",
		"resources | take 5 | limit 3 | sample 2",
		"resources | project id, name | distinct * | distinct id, n = name",
		"resources | mv-expand tags | mvexpand kind=array with_itemindex=i t = tags limit "
		"400",
		"resources | mv-expand a = tags to typeof(string), b = tags to typeof(long) limit "
		"10",
		"resources | parse id with * '/a/' x ':' y:long * 'z' rest",
		"resources | parse kind=simple id with '/' a",
		"resources | join (resources) on id",
		"resources | join kind = inner resources on id, name",
		"resources | join kind=fullouter (resources) on $left.id == $right.name and "
		"$right.id "
		"== $left.name",
		"resources | union kind=inner withsource=s (resources | take 1)",
		"resources | summarize by type | summarize n = count(), countif(type == 'a') by t "
		"= "
		"type",
		"resources | extend ['odd name'] = 1 | project [\"odd name\"], where_ = 2",
		"resources | where name in~ (dynamic(['a', \"b\"]))",
		"resources | where (id =~ 'a' or (name has 'b' and not(kind != 'c')))",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		accept(texts[i]);
}

static void a_syntax_error_names_line_position_and_token(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"", "line 1, characterPositionInLine 0, token '<EOF>'"},
		{"   ", "token '<EOF>'"},
		{"|", "token '|'"},
		{"resources |", "line 1, characterPositionInLine 11, token '<EOF>'"},
		{"resources | where", "token '<EOF>'"},
		{"resources\n| where id ==\n| count",
			"line 3, characterPositionInLine 0, token '|'"},
		{"resources where id == 'a'", "characterPositionInLine 10, token 'where'"},
		{"resources | frobnicate", "token 'frobnicate'"},
		{"resources | where id = 'a'", "token '='"},
		{"resources | where id == 'a", "characterPositionInLine 24, token '''"},
		{"resources | where id == 'a\nb'", "token '''"},
		{"resources | where id == '\\q'", "token '''"},
		{"resources | where id == '\\u12'", "token '''"},
		{"resources | where id == '\\ud800'", "token '''"},
		{"resources | where id == '\\u0000'", "token '''"},
		{"resources | where name =~ DEV-T24' and type contains 'x'",
			"token '' and type contains ''"},
		{"resources | project", "token '<EOF>'"},
		{"resources | project a,", "token '<EOF>'"},
		{"resources | project (id", "token '<EOF>'"},
		{"resources | project id)", "token ')'"},
		{"resources | extend a = = 1", "token '='"},
		{"resources | take", "token '<EOF>'"},
		{"resources | take x", "token 'x'"},
		{"resources | take 1.5", "token '1.5'"},
		{"resources | take -1", "token '-'"},
		{"resources | top 5", "token '<EOF>'"},
		{"resources | order id", "token 'id'"},
		{"resources | order by id nulls", "token '<EOF>'"},
		{"resources | where id in 'a'", "token ''a''"},
		{"resources | where id in ()", "token ')'"},
		{"resources | where id !foo 'a'", "token '!foo'"},
		{"resources | where id ~ 'a'", "token '~'"},
		{"resources | where a between (1 .. 2)", "token 'between'"},
		{"resources | where id matches 'a'", "token ''a''"},
		{"resources | project 12abc", "token '12abc'"},
		{"resources | project 99999999999999999999", "token '99999999999999999999'"},
		{"resources | project 0x", "token '0x'"},
		{"resources | project datetime(nonsense)", "token 'datetime'"},
		{"resources | project datetime(2020-02-30)", "token 'datetime'"},
		{"resources | project timespan(abc)", "token 'timespan'"},
		{"resources | project long('7)", "token 'long'"},
		{"resources | project real()", "token 'real'"},
		{"resources | project datetime(2020", "token 'datetime'"},
		{"resources | project dynamic([1, 2)", "token ')'"},
		{"resources | project dynamic({'a' 1})", "token '1'"},
		{"resources | project dynamic(id)", "token 'id'"},
		{"resources | join (resources)", "token '<EOF>'"},
		{"resources | join (resources on id", "token 'on'"},
		{"resources | union", "token '<EOF>'"},
		{"resources | mv-expand tags to string", "token 'string'"},
		{"resources | mv-expand tags to typeof(strin)", "token 'strin'"},
		{"resources | parse id with", "token '<EOF>'"},
		{"resources | parse id 'a' x", "token ''a''"},
		{"resources | count count", "token 'count'"},
		{"resources; resources", "token 'resources'"},
		{"resources | where (1 == 1", "token '<EOF>'"},
		{"resources | project a.", "token '<EOF>'"},
		{"resources | project tags[0", "token '<EOF>'"},
		{"resources | where \xc3\xa4 == 1", "token '?'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuse(cases[i].text, "ParserFailure", cases[i].part);
}

static void parts_of_the_language_that_graph_lacks_are_refused_by_name(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"let x = 1; resources", "characterPositionInLine 0, token 'let'"},
		{"set notruncation; resources", "token 'set'"},
		{"print 1", "token 'print'"},
		{"range x from 1 to 3 step 1", "token 'range'"},
		{"datatable (a: int) [1]", "token 'datatable'"},
		{"search 'x'", "token 'search'"},
		{"find 'x'", "token 'find'"},
		{"resources | make-series count() on id",
			"line 1, characterPositionInLine 12, token "
			"'make-series'"},
		{"resources | serialize", "token 'serialize'"},
		{"resources | invoke f()", "token 'invoke'"},
		{"resources | evaluate bag_unpack(tags)", "token 'evaluate'"},
		{"resources | lookup (resources) on id", "token 'lookup'"},
		{"resources | project-keep id", "token 'project-keep'"},
		{"resources | project-reorder id", "token 'project-reorder'"},
		{"resources | parse-where id with * 'a' b", "token 'parse-where'"},
		{"resources | parse-kv id as (a: string)", "token 'parse-kv'"},
		{"resources | mv-apply tags on (take 1)", "token 'mv-apply'"},
		{"resources | top-nested 3 of id by count()", "token 'top-nested'"},
		{"resources | sample-distinct 3 of id", "token 'sample-distinct'"},
		{"resources | getschema", "token 'getschema'"},
		{"resources | render table", "token 'render'"},
		{"resources | as T", "token 'as'"},
		{"resources | join hint.strategy=broadcast (resources) on id", "token 'hint'"},
		{"union isfuzzy=true resources", "fuzzy"},
		{"resources | parse kind=regex id with * 'a' b", "kind=regex"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuse(cases[i].text, "InvalidQueryLanguage", cases[i].part);
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
	static const char *const texts[] = {"resources | where id == '\xff'",
		"resources | where id == '\xc3'", "resources | where id == '\xed\xa0\x80'",
		"resources | where id == '\xc0\x80'", "resources | where id == '\xf5\x80\x80\x80'"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		refuse(texts[i], "ParserFailure", "UTF-8");
}

static void errors_have_only_text_that_can_be_shown(void **state)
{
	struct kql_query *q;
	struct kql_error error;

	(void)state;
	assert_int_equal(
		kql_parse("resources | where ['\x01\xc3\xa4\x1b'] == 1", &q, &error), -EINVAL);
	for (const char *c = error.text; *c != '\0'; c++)
		assert_in_range(*c, ' ', '~');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_of_every_shape_are_read),
		cmocka_unit_test(a_syntax_error_names_line_position_and_token),
		cmocka_unit_test(parts_of_the_language_that_graph_lacks_are_refused_by_name),
		cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
		cmocka_unit_test(errors_have_only_text_that_can_be_shown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
