/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/kql_fixture.h"

static void refuse(const char *text, const char *code, const char *part)
{
	json_t *tables = json_of("{'resources': []}");

	assert_refused(tables, text, code, part);
	json_decref(tables);
}

static void functions_without_evidence_are_unknown(void **state)
{
	static const char *const names[] = {"bag_pack", "binary_xor", "binary_and", "hash_many",
		"hash_xxhash64", "hash_md5", "hash_sha256", "hash_combine", "row_number", "toupper",
		"format_datetime", "cout", "Tolower", "todynamic", "bin"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		mdc_autofree char *query = xasprintf("resources | extend x = %s(id, id)", names[i]);
		mdc_autofree char *text = xasprintf("Unknown function: '%s'.", names[i]);

		refuse(query, "UnknownFunction", text);
	}
	refuse("resources | summarize percentiles(1, 2)", "UnknownFunction", "'percentiles'");
	refuse("resources | summarize take_any(id)", "UnknownFunction", "'take_any'");
	refuse("resources | summarize avg(1)", "UnknownFunction", "'avg'");
}

static void names_that_do_not_exist_are_not_resolved(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"resources | where foo == 1",
			"'where' operator: Failed to resolve column or scalar "
			"expression named 'foo'"},
		{"resources | project Id", "named 'Id'"},
		{"resources | project id | where name == 'x'", "named 'name'"},
		{"resources | project-away id | project id", "named 'id'"},
		{"resources | project-away nothing", "named 'nothing'"},
		{"resources | project-rename a = nothing", "named 'nothing'"},
		{"resources | project-rename n = name | project name", "named 'name'"},
		{"resources | extend a = 1, b = a",
			"'extend' operator: Failed to resolve column or "
			"scalar expression named 'a'"},
		{"resources | summarize count() by type | project id", "named 'id'"},
		{"resources | order by nothing", "'order' operator"},
		{"resources | join (resources | project id) on name", "named 'name'"},
		{"resources | join (resources) on $left.id == $right.nothing", "named 'nothing'"},
		{"resources | mv-expand nothing", "named 'nothing'"},
		{"resources | where true1", "named 'true1'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuse(cases[i].text, "InvalidQuery", cases[i].part);
}

static const struct {
	const char *text, *part;
} misfits[] = {
	{"where id == 1", "'==' cannot be applied to values of types string and long"},
	{"where id =~ 1", "'=~'"},
	{"where 1 contains 'a'", "'contains'"},
	{"where id < 'x'", "'<' cannot be applied to values of types string and string"},
	{"where properties.n > 5", "types dynamic and long. Try adding explicit casts"},
	{"where properties.n", "must be of type bool, and not dynamic"},
	{"where 1", "must be of type bool, and not long"},
	{"where true and properties.yes", "must be of type bool"},
	{"where not(properties.yes)", "not(): argument #1 expects a bool expression"},
	{"where id in (1, 2)", "'in' cannot be applied"},
	{"where id in ('a', 'b', 'c', 'd', 'e', 'f', 7)", "'in' cannot be applied"},
	{"where 1 in~ ('a')", "'in~' cannot be applied"},
	{"where id.name == 'x'",
		"Path expression source must be dynamic type. Received a "
		"source of type string instead"},
	{"where id[0] == 'x'", "Path expression source"},
	{"where tags[1.5] == 'x'", "an index must be of type long or string"},
	{"extend a = id + 1", "'+' cannot be applied to values of types string and long"},
	{"extend a = properties.n + 1", "'+' cannot be applied"},
	{"extend a = now() + now()", "'+' cannot be applied"},
	{"extend a = 1 - 1h", "'-' cannot be applied"},
	{"extend a = -id", "unary '-'"},
	{"extend a = now() < 1h", "'<' cannot be applied"},
	{"extend a = tolower(1)",
		"tolower(): argument #1 expects a string expression, and "
		"not long"},
	{"extend a = strlen(1)", "strlen(): argument #1"},
	{"extend a = substring(id, 'x')", "substring(): argument #2 expects a long"},
	{"extend a = substring(id, properties.n)", "substring(): argument #2"},
	{"extend a = array_length(id)", "array_length(): argument #1 expects a dynamic"},
	{"extend a = strcat_array(id, ',')", "strcat_array(): argument #1"},
	{"extend a = ago(5)", "ago(): argument #1 expects a timespan"},
	{"extend a = tolower()",
		"tolower(): function expects between 1 and 1 arguments, and "
		"not 0"},
	{"extend a = hash(1, 2, 3)", "hash(): function expects"},
	{"extend a = iff(true, 1)", "iff(): function expects"},
	{"extend a = iff(id, 1, 2)", "iff(): argument #1 expects a bool"},
	{"extend a = iff(true, 1, 'x')", "iff(): the types long and string must be the same"},
	{"extend a = case(true, 'a', false, 'b')",
		"case(): the last argument must be the "
		"default"},
	{"extend a = coalesce(id, 1)", "coalesce(): the types"},
	{"extend a = pack('a')", "pack(): function expects"},
	{"extend a = pack('a', 1, 'b')", "pack(): expects pairs"},
	{"extend a = extract(id, 0, id)", "must be a constant string"},
	{"extend a = extract('(', 0, id)", "a group is not closed"},
	{"extend a = extract('a', id, id)", "expected a constant"},
	{"extend a = extract('a', 0, id, 'x')", "expects typeof()"},
	{"where id matches regex name", "must be a constant string"},
	{"extend a = typeof(long)", "typeof() cannot be used"},
	{"extend a = strcat(*)", "'*' cannot be used"},
	{"extend a = count()", "the aggregate function 'count' cannot be used"},
	{"where count() > 1", "the aggregate function 'count' cannot be used"},
	{"summarize sum(id)", "sum(): argument #1 expects a numeric"},
	{"summarize sum(properties.n)", "sum(): argument #1"},
	{"summarize max(properties.n)", "max(): argument #1 expects a scalar (not dynamic)"},
	{"summarize arg_max(properties.n, id)", "arg_max(): argument #1"},
	{"summarize countif(id)", "countif(): argument #1 expects a bool"},
	{"summarize count(id)", "count(): function expects"},
	{"summarize make_list(id, name)", "expected a constant"},
	{"summarize sum(count())", "the aggregate function 'count' cannot be used"},
	{"summarize id", "'id' is not within an aggregate function"},
	{"summarize strcat(type, count()) by type", "'type' is not within an aggregate"},
	{"summarize tostring(arg_max(id, name))", "cannot be used within an expression"},
	{"summarize count() by properties", "The group key is of a 'dynamic' type"},
	{"summarize count() by properties.osType", "The group key is of a 'dynamic' type"},
	{"distinct tags", "The group key is of a 'dynamic' type"},
	{"distinct *, id", "'*' must stand alone"},
	{"order by properties.n", "The sort key is of a 'dynamic' type"},
	{"top 3 by tags", "The sort key is of a 'dynamic' type"},
	{"mv-expand id", "must be of type dynamic, and not string"},
	{"mv-expand tags limit 401", "the row limit must be between 1 and 400"},
	{"mv-expand tags limit 0", "the row limit must be between 1 and 400"},
	{"mv-expand kind=foo tags", "kind 'foo' is not supported"},
	{"project id, id = name", "a column named 'id' already exists"},
	{"extend a = 1, a = 2", "a column named 'a' already exists"},
	{"summarize type = count() by type", "a column named 'type' already exists"},
	{"project-rename type = id", "a column named 'type' already exists"},
	{"project-rename tolower(id)", "expected NewName = ColumnName"},
	{"parse id with a b", "a string must stand between two columns"},
	{"parse 5 with '/' a", "must be of type string"},
	{"join (resources) on id == name",
		"a condition must be a column or $left.a == "
		"$right.b"},
	{"join (resources) on $left.id != $right.id", "a condition must be"},
	{"join (resources) on $left.id == $left.name", "a condition must be"},
	{"join (resources) on tags", "cannot be compared"},
	{"extend n = 1 | join (resources) on $left.n == $right.id", "cannot be compared"},
	{"union kind=outside (resources)", "kind 'outside' is not supported"},
};

static void types_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(misfits); i++) {
		mdc_autofree char *query = xasprintf("resources | %s", misfits[i].text);

		refuse(query, "InvalidQuery", misfits[i].part);
	}
}

static void tables_that_are_not_there_are_disallowed(void **state)
{
	(void)state;
	refuse("foo | count", "DisallowedLogicalTableName",
		"Table foo is invalid, unsupported or disallowed.");
	refuse("resources | join (bar) on id", "DisallowedLogicalTableName", "Table bar");
	refuse("['no such'] | count", "DisallowedLogicalTableName", "Table no such");
	/* A table of the service that this estate has no rows for. */
	refuse("advisorresources | count", "DisallowedLogicalTableName", "Table advisorresources");
}

static void joins_beyond_the_documented_are_refused(void **state)
{
#define JOIN " | join (resources | project id) on id"
	(void)state;
	refuse("resources | join kind=leftanti (resources) on id", "UnsupportedJoinFlavor",
		"The join kind \"leftanti\" is not supported or not allowed.");
	refuse("resources | join kind=rightouter (resources) on id", "UnsupportedJoinFlavor",
		"\"rightouter\"");
	refuse("resources" JOIN JOIN JOIN JOIN, "DisallowedMaxNumberOfRemoteTables",
		"more than 3 join");
	refuse("resources | join (securityresources) on id | join (policyresources) on name",
		"DisallowedMaxNumberOfRemoteTables", "joins more tables than allowed");
	refuse("resources | join (securityresources) on id | join (securityresources) on name",
		"DisallowedMaxNumberOfRemoteTables", "('securityresources')");
	refuse("resources | join (resourcecontainers) on id | join (securityresources) on name",
		"DisallowedMaxNumberOfRemoteTables", "('securityresources')");
#undef JOIN
}

static void unions_and_expansions_beyond_the_documented_are_refused(void **state)
{
	(void)state;
	refuse("union resources, resources, resources, resources",
		"DisallowedMaxNumberOfRemoteTables", "more than 3 union legs");
	refuse("resources | union resources, resources | union resources",
		"DisallowedMaxNumberOfRemoteTables", "more than 3 union legs");
	refuse("resources | union (securityresources)", "DisallowedMaxNumberOfRemoteTables",
		"('securityresources')");
	refuse("resources | mv-expand tags | mv-expand tags | mv-expand tags | mv-expand tags",
		"InvalidQuery", "more than 3 mv-expand");
}

static void what_is_documented_at_its_limit_is_taken(void **state)
{
	json_t *tables = json_of("{'resources': [], 'resourcecontainers': []}");

	(void)state;
	assert_rows(tables,
		"resources | join (resourcecontainers) on id | join (resourcecontainers) on id "
		"| join (resourcecontainers) on id",
		"[]");
	assert_rows(tables, "resources | union resources, resourcecontainers", "[]");
	assert_rows(tables,
		"resources | mv-expand tags limit 400 | mv-expand tags | mv-expand tags", "[]");
	json_decref(tables);
}

static void the_first_error_is_told(void **state)
{
	(void)state;
	refuse("resources | where foo == 1 and bar == 2", "InvalidQuery", "'foo'");
	refuse("resources | where bag_pack() == foo", "UnknownFunction", "bag_pack");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_without_evidence_are_unknown),
		cmocka_unit_test(names_that_do_not_exist_are_not_resolved),
		cmocka_unit_test(types_that_do_not_fit_are_refused),
		cmocka_unit_test(tables_that_are_not_there_are_disallowed),
		cmocka_unit_test(joins_beyond_the_documented_are_refused),
		cmocka_unit_test(unions_and_expansions_beyond_the_documented_are_refused),
		cmocka_unit_test(what_is_documented_at_its_limit_is_taken),
		cmocka_unit_test(the_first_error_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
