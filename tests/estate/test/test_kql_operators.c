/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/test/kql_fixture.h"

/* Rows that carry their numbers and lists in properties. */
#define TABLES \
	"{'resources': [" \
	"{'id': '/1', 'name': 'b', 'type': 'x', 'location': 'eu', 'properties': {'n': 3, 'list': " \
	"[1, 2], 'bag': {'p': 1, 'q': 2}, 'at': '2026-01-03'}}," \
	"{'id': '/2', 'name': 'a', 'type': 'y', 'location': 'eu', 'properties': {'n': 1, 'list': " \
	"[], 'bag': {}, 'at': '2026-01-01'}}," \
	"{'id': '/3', 'name': 'B', 'type': 'x', 'location': 'us', 'properties': {'n': null, " \
	"'bag': " \
	"null, 'at': '2026-01-02'}}," \
	"{'id': '/4', 'name': 'a', 'type': 'x', 'location': 'us', 'properties': {'n': 2, 'list': " \
	"['two', {'k': [9]}, 3]}}]," \
	"'resourcecontainers': [" \
	"{'id': '/c1', 'name': 'eu', 'type': 'place', 'properties': {'rank': 1}}," \
	"{'id': '/c2', 'name': 'eu', 'type': 'place', 'properties': {'rank': 2}}," \
	"{'id': '/c3', 'name': 'asia', 'type': 'place', 'properties': {'rank': 3}}]}"

struct query {
	const char *text;
	const char *rows;
};

static void check(const struct query *cases, size_t count)
{
	json_t *tables = json_of(TABLES);

	for (size_t i = 0; i < count; i++)
		assert_rows(tables, cases[i].text, cases[i].rows);
	json_decref(tables);
}

#define CHECK(...) \
	do { \
		static const struct query cases_[] = {__VA_ARGS__}; \
		check(cases_, ARRAY_LEN(cases_)); \
	} while (0)

static void a_row_has_every_standard_column(void **state)
{
	(void)state;
	CHECK({"resources | where id == '/2'",
		      "[{'id': '/2', 'name': 'a', 'type': 'y', 'tenantId': '', 'kind': '', "
		      "'location': "
		      "'eu', 'resourceGroup': '', 'subscriptionId': '', 'managedBy': '', 'sku': "
		      "null, "
		      "'plan': null, 'properties': {'n': 1, 'list': [], 'bag': {}, 'at': "
		      "'2026-01-01'}, "
		      "'tags': null, 'identity': null, 'zones': null, 'extendedLocation': null}]"},
		{"Resources | where type =~ 'Y' | project id", "[{'id': '/2'}]"},
		{"where type == 'y' | project id", "[{'id': '/2'}]"},
		{"(resources | where type == 'y') | project id", "[{'id': '/2'}]"});
}

static void where_keeps_rows_that_are_true(void **state)
{
	(void)state;
	CHECK({"resources | where tolong(properties.n) > 1 | project id",
		      "[{'id': '/1'}, {'id': '/4'}]"},
		{"resources | where tolong(properties.n) != 1 | project id",
			"[{'id': '/1'}, {'id': '/3'}, {'id': '/4'}]"},
		{"resources | where false | project id", "[]"},
		{"resources | where type == 'x' | where location == 'us' and name == 'a' | project "
		 "id",
			"[{'id': '/4'}]"});
}

static void columns_are_chosen_renamed_and_dropped(void **state)
{
	(void)state;
	CHECK({"resources | take 1 | project n = name, properties.n, tostring(properties.list), "
	       "tolower(id), strlen(id), properties.list[0]",
		      "[{'n': 'b', 'properties_n': 3, 'properties_list': '[1,2]', 'Column1': '/1', "
		      "'Column2': 2, 'properties_list_0': 1}]"},
		{"resources | take 1 | project id, name, type | project-away n*",
			"[{'id': '/1', "
			"'type': 'x'}]"},
		{"resources | take 1 | project id, name, type | project-away *e, id", "[{}]"},
		{"resources | take 1 | project id, name | project-away zz*",
			"[{'id': '/1', 'name': "
			"'b'}]"},
		{"resources | take 1 | project id, name | project-rename key = id, ['a b'] = name",
			"[{'key': '/1', 'a b': 'b'}]"},
		{"resources | take 1 | project id | extend id = strcat(id, '!'), was = id",
			"[{'id': '/1!', 'was': '/1'}]"},
		{"resources | take 1 | project a = 1 | extend b = a + 1 | extend a = b * 10",
			"[{'a': 20, 'b': 2}]"},
		{"resources | take 1 | project a = id, b = id | project a, b",
			"[{'a': '/1', 'b': "
			"'/1'}]"});
}

static void extend_moves_a_replaced_column_to_the_end(void **state)
{
	json_t *tables = json_of(TABLES);
	json_t *want =
		json_of("[{'name': 'b', 'type': 'integer'}, {'name': 'a', 'type': 'number'}]");
	struct kql_result result;

	(void)state;
	run_query(tables, "resources | project a = 1, b = 2 | extend a = 0.5", &result);
	assert_json(result.columns, want, "columns");
	kql_result_fini(&result);
	json_decref(want);
	json_decref(tables);
}

static void columns_carry_their_types(void **state)
{
	json_t *tables = json_of(TABLES);
	json_t *want = json_of(
		"[{'name': 's', 'type': 'string'}, {'name': 'i', 'type': 'integer'}, {'name': 'r', "
		"'type': 'number'}, {'name': 'b', 'type': 'boolean'}, {'name': 'd', 'type': "
		"'datetime'}, {'name': 't', 'type': 'string'}, {'name': 'o', 'type': 'object'}]");
	struct kql_result result;

	(void)state;
	run_query(tables,
		"resources | project s = id, i = 1, r = 1.5, b = true, d = now(), t = 1h, o = "
		"properties.n",
		&result);
	assert_json(result.columns, want, "columns");
	kql_result_fini(&result);
	json_decref(want);
	json_decref(tables);
}

static void summarize_aggregates_by_group(void **state)
{
	(void)state;
	CHECK({"resources | summarize count() by type",
		      "[{'type': 'x', 'count_': 3}, {'type': 'y', "
		      "'count_': 1}]"},
		{"resources | summarize n = count(), total = sum(tolong(properties.n)), least = "
		 "min(tolong(properties.n)), most = max(tolong(properties.n)) by location",
			"[{'location': 'eu', 'n': 2, 'total': 4, 'least': 1, 'most': 3}, "
			"{'location': "
			"'us', 'n': 2, 'total': 2, 'least': 2, 'most': 2}]"},
		{"resources | summarize sum(todouble(properties.n)), sum(1h), max(name), "
		 "min(name), "
		 "max(todatetime(properties.at))",
			"[{'sum_properties_n': 6.0, 'sum_': '04:00:00', 'max_name': 'b', "
			"'min_name': "
			"'B', 'max_properties_at': '2026-01-03T00:00:00Z'}]"},
		{"resources | summarize countif(name =~ 'b'), dcount(name), dcount(location, 4)",
			"[{'countif_': 2, 'dcount_name': 3, 'dcount_location': 2}]"},
		{"resources | summarize make_list(name), make_list(name, 2), make_set(name), "
		 "make_set(name, 1), make_list_if(id, type == 'x'), make_list_if(id, type == 'x', "
		 "2)",
			"[{'list_name': ['b', 'a', 'B', 'a'], 'list_name1': ['b', 'a'], "
			"'set_name': "
			"['b', 'a', 'B'], 'set_name1': ['b'], 'list_id': ['/1', '/3', '/4'], "
			"'list_id1': ['/1', '/3']}]"},
		{"resources | summarize by location, n = strlen(name)",
			"[{'location': 'eu', 'n': 1}, {'location': 'us', 'n': 1}]"},
		{"resources | summarize count() by tostring(properties.n)",
			"[{'properties_n': '3', 'count_': 1}, {'properties_n': '1', 'count_': 1}, "
			"{'properties_n': '', 'count_': 1}, {'properties_n': '2', 'count_': 1}]"},
		{"resources | summarize count() by tolong(properties.n) > 1",
			"[{'Column1': true, 'count_': 2}, {'Column1': false, 'count_': 1}, "
			"{'Column1': "
			"null, 'count_': 1}]"},
		{"resources | summarize x = strcat_array(make_list(name), '+'), y = count() * 10 + "
		 "countif(true), tostring(make_set(location))",
			"[{'x': 'b+a+B+a', 'y': 44, 'set_location': "
			"'[\\u0022eu\\u0022,\\u0022us\\u0022]'}]"},
		{"resources | summarize n = count() by type, location | summarize k = count(), n = "
		 "sum(n), l = make_list(strcat(location, n)) by type",
			"[{'type': 'x', 'k': 2, 'n': 3, 'l': ['eu1', 'us2']}, {'type': 'y', 'k': "
			"1, "
			"'n': 1, 'l': ['eu1']}]"});
}

static void lists_skip_nulls_and_sets_take_arrays_apart(void **state)
{
	(void)state;
	CHECK({"resources | summarize l = make_list(properties.n), s = make_set(properties.n)",
		      "[{'l': [3, 1, 2], 's': [3, 1, 2]}]"},
		{"resources | summarize l = make_list(properties.list)",
			"[{'l': [[1, 2], [], ['two', {'k': [9]}, 3]]}]"},
		{"resources | summarize s = make_set(properties.list)",
			"[{'s': [1, 2, 'two', {'k': [9]}, 3]}]"},
		{"resources | extend d = pack('l', location) | summarize s = make_set(d), c = "
		 "dcount(d), l = make_list(d)",
			"[{'s': [{'l': 'eu'}, {'l': 'us'}], 'c': 2, 'l': [{'l': 'eu'}, {'l': "
			"'eu'}, "
			"{'l': 'us'}, {'l': 'us'}]}]"},
		{"resources | summarize s = make_set(split('a,b', ',')), d = "
		 "dcount(split(location, ','))",
			"[{'s': ['a', 'b'], 'd': 2}]"},
		{"resources | summarize n = count() by t = todatetime(properties.at) > "
		 "datetime(2026-01-01), d = iff(id == '/1', real(nan), 0.5), l = iff(id == '/1', "
		 "9223372036854775807, 1)",
			"[{'t': true, 'd': 'NaN', 'l': 9223372036854775807, 'n': 1}, {'t': false, "
			"'d': "
			"0.5, 'l': 1, 'n': 1}, {'t': true, 'd': 0.5, 'l': 1, 'n': 1}, {'t': null, "
			"'d': 0.5, 'l': 1, 'n': 1}]"},
		{"resources | summarize n = count() by at = todatetime('2026-01-01'), span = 1h",
			"[{'at': '2026-01-01T00:00:00Z', 'span': '01:00:00', 'n': 4}]"},
		{"resources | summarize s = make_set(1.0), t = make_set(iff(id == '/1', 1, 1))",
			"[{'s': [1.0], 't': [1]}]"});
}

static void aggregates_of_nothing_have_their_defaults(void **state)
{
	(void)state;
	CHECK({"resources | where false | summarize count(), countif(true), dcount(id), s = "
	       "sum(1), "
	       "r = sum(1.5), min(1), max(id), make_list(id), make_set(id)",
		      "[{'count_': 0, 'countif_': 0, 'dcount_id': 0, 's': 0, 'r': 0.0, 'min_': "
		      "null, "
		      "'max_id': '', 'list_id': [], 'set_id': []}]"},
		{"resources | where false | summarize count() by type", "[]"},
		{"resources | where false | summarize arg_max(1, id)",
			"[{'Column1': null, 'id': ''}]"},
		{"resources | where false | count", "[{'Count': 0}]"});
}

static void arg_max_gives_the_row_of_the_greatest(void **state)
{
	(void)state;
	CHECK({"resources | extend n = tolong(properties.n) | summarize arg_max(n, id) by location",
		      "[{'location': 'eu', 'n': 3, 'id': '/1'}, {'location': 'us', 'n': 2, 'id': "
		      "'/4'}]"},
		{"resources | project id, name, type, n = tolong(properties.n) | summarize "
		 "arg_max(n, "
		 "*) by type",
			"[{'type': 'x', 'n': 3, 'id': '/1', 'name': 'b'}, {'type': 'y', 'n': 1, "
			"'id': "
			"'/2', 'name': 'a'}]"},
		{"resources | summarize m = arg_max(tolong(properties.n), name, tolower(type))",
			"[{'m': 3, 'name': 'b', 'Column1': 'x'}]"},
		{"resources | where isnull(properties.n) | summarize arg_max(tolong(properties.n), "
		 "id)",
			"[{'properties_n': null, 'id': '/3'}]"});
}

static void distinct_and_count_are_groups(void **state)
{
	(void)state;
	CHECK({"resources | distinct location", "[{'location': 'eu'}, {'location': 'us'}]"},
		{"resources | project type, location | distinct *",
			"[{'type': 'x', 'location': 'eu'}, {'type': 'y', 'location': 'eu'}, "
			"{'type': "
			"'x', 'location': 'us'}]"},
		{"resources | distinct lower = tolower(name)", "[{'lower': 'b'}, {'lower': 'a'}]"},
		{"resources | count", "[{'Count': 4}]"},
		{"resources | where type == 'x' | count | project Count * 2", "[{'Column1': 6}]"});
}

static void rows_are_sorted_with_nulls_at_their_end(void **state)
{
	(void)state;
	CHECK({"resources | order by name asc, id desc | project id",
		      "[{'id': '/3'}, {'id': '/4'}, {'id': '/2'}, {'id': '/1'}]"},
		{"resources | sort by name | project id",
			"[{'id': '/1'}, {'id': '/2'}, {'id': '/4'}, {'id': '/3'}]"},
		{"resources | order by tolong(properties.n) asc | project id",
			"[{'id': '/3'}, {'id': '/2'}, {'id': '/4'}, {'id': '/1'}]"},
		{"resources | order by tolong(properties.n) | project id",
			"[{'id': '/1'}, {'id': '/4'}, {'id': '/2'}, {'id': '/3'}]"},
		{"resources | order by tolong(properties.n) asc nulls last | project id",
			"[{'id': '/2'}, {'id': '/4'}, {'id': '/1'}, {'id': '/3'}]"},
		{"resources | order by tolong(properties.n) desc nulls first | project id",
			"[{'id': '/3'}, {'id': '/1'}, {'id': '/4'}, {'id': '/2'}]"},
		{"resources | extend x = iff(id == '/1', real(nan), iff(id == '/2', real(+inf), "
		 "todouble(properties.n))) | order by x asc | project id",
			"[{'id': '/3'}, {'id': '/1'}, {'id': '/4'}, {'id': '/2'}]"},
		{"resources | top 2 by id | project id", "[{'id': '/4'}, {'id': '/3'}]"},
		{"resources | top 1 by name asc, id asc | project id", "[{'id': '/3'}]"},
		{"resources | top 0 by id", "[]"},
		{"resources | order by location asc | summarize l = make_list(id) by type",
			"[{'type': 'x', 'l': ['/1', '/3', '/4']}, {'type': 'y', 'l': ['/2']}]"});
}

static void take_ends_after_that_many_rows(void **state)
{
	(void)state;
	CHECK({"resources | take 2 | project id", "[{'id': '/1'}, {'id': '/2'}]"},
		{"resources | limit 0", "[]"},
		{"resources | order by id desc | take 1 | project id", "[{'id': '/4'}]"},
		{"resources | take 3 | where id != '/1' | take 1 | project id", "[{'id': '/2'}]"},
		{"resources | sample 1 | count", "[{'Count': 1}]"},
		{"resources | take 99 | count", "[{'Count': 4}]"});
}

static void arrays_expand_into_rows(void **state)
{
	(void)state;
	CHECK({"resources | mv-expand l = properties.list | project id, l",
		      "[{'id': '/1', 'l': 1}, {'id': '/1', 'l': 2}, {'id': '/3', 'l': null}, "
		      "{'id': "
		      "'/4', 'l': 'two'}, {'id': '/4', 'l': {'k': [9]}}, {'id': '/4', 'l': 3}]"},
		{"resources | take 1 | project properties | mv-expand properties.list",
			"[{'properties': {'n': 3, 'list': [1, 2], 'bag': {'p': 1, 'q': 2}, 'at': "
			"'2026-01-03'}, 'properties_list': 1}, {'properties': {'n': 3, 'list': [1, "
			"2], 'bag': {'p': 1, 'q': 2}, 'at': '2026-01-03'}, 'properties_list': 2}]"},
		{"resources | take 1 | project b = properties.bag, id | mv-expand b",
			"[{'b': {'p': 1}, 'id': '/1'}, {'b': {'q': 2}, 'id': '/1'}]"},
		{"resources | take 1 | project b = properties.bag | mv-expand kind=array b | "
		 "project "
		 "k = b[0], v = b[1]",
			"[{'k': 'p', 'v': 1}, {'k': 'q', 'v': 2}]"},
		{"resources | take 1 | project a = properties.list, b = properties.bag, c = "
		 "dynamic([7, 8, 9]) | mv-expand with_itemindex=i a, b, c",
			"[{'a': 1, 'b': {'p': 1}, 'c': 7, 'i': 0}, {'a': 2, 'b': {'q': 2}, 'c': 8, "
			"'i': 1}, {'a': null, 'b': null, 'c': 9, 'i': 2}]"},
		{"resources | where id == '/4' | mv-expand l = properties.list to typeof(string) | "
		 "project l",
			"[{'l': 'two'}, {'l': ''}, {'l': ''}]"},
		{"resources | where id == '/4' | mv-expand l = properties.list to typeof(long) | "
		 "project l",
			"[{'l': null}, {'l': null}, {'l': 3}]"},
		{"resources | take 1 | mv-expand l = properties.list limit 1 | project l",
			"[{'l': 1}]"},
		{"resources | take 1 | mv-expand x = properties.n | project x", "[{'x': 3}]"},
		{"resources | where id == '/4' | mv-expand l = properties.list | mv-expand m = l.k "
		 "| "
		 "extend s = strcat(l, m) | where isnotempty(m) | project s, m",
			"[{'s': '{\\u0022k\\u0022:[9]}9', 'm': 9}]"},
		{"resources | take 1 | extend p = split('a/b', '/') | mv-expand p | extend q = "
		 "strcat(p, '!') | project q, id",
			"[{'q': 'a!', 'id': '/1'}, {'q': 'b!', 'id': '/1'}]"},
		{"resources | mv-expand l = properties.list | take 3 | count", "[{'Count': 3}]"});
}

static void lists_are_cut_at_128_rows_unless_told(void **state)
{
	json_t *list = json_array(), *tables;

	(void)state;
	for (int i = 0; i < 500; i++)
		json_array_append_new(list, json_integer(i));
	tables = json_pack("{s:[{s:{s:o}}]}", "resources", "properties", "l", list);
	assert_rows(tables, "resources | mv-expand l = properties.l | count", "[{'Count': 128}]");
	assert_rows(tables, "resources | mvexpand l = properties.l | count", "[{'Count': 128}]");
	assert_rows(tables, "resources | mv-expand l = properties.l limit 400 | count",
		"[{'Count': 400}]");
	assert_rows(tables, "resources | summarize l = make_list(id) | project array_length(l)",
		"[{'Column1': 1}]");
	json_decref(tables);
}

static void joins_match_rows_by_key(void **state)
{
	(void)state;
#define RIGHT "(resourcecontainers | project name, rank = tolong(properties.rank))"
	CHECK({"resources | project id, name = location | join kind=inner " RIGHT " on name",
		      "[{'id': '/1', 'name': 'eu', 'name1': 'eu', 'rank': 1}, {'id': '/1', 'name': "
		      "'eu', 'name1': 'eu', 'rank': 2}, {'id': '/2', 'name': 'eu', 'name1': 'eu', "
		      "'rank': 1}, {'id': '/2', 'name': 'eu', 'name1': 'eu', 'rank': 2}]"},
		{"resources | project id, name = location | join " RIGHT " on name",
			"[{'id': '/1', 'name': 'eu', 'name1': 'eu', 'rank': 1}, {'id': '/1', "
			"'name': "
			"'eu', 'name1': 'eu', 'rank': 2}]"},
		{"resources | project id, name = location | where id in ('/1', '/3') | join "
		 "kind=leftouter " RIGHT " on name",
			"[{'id': '/1', 'name': 'eu', 'name1': 'eu', 'rank': 1}, {'id': '/1', "
			"'name': "
			"'eu', 'name1': 'eu', 'rank': 2}, {'id': '/3', 'name': 'us', 'name1': '', "
			"'rank': null}]"},
		{"resources | project id, name = location | where id == '/3' | join kind=fullouter "
		 "(resourcecontainers | project name, rank = tolong(properties.rank) | where rank "
		 "> "
		 "1) on name",
			"[{'id': '/3', 'name': 'us', 'name1': '', 'rank': null}, {'id': '', "
			"'name': "
			"'', 'name1': 'eu', 'rank': 2}, {'id': '', 'name': '', 'name1': 'asia', "
			"'rank': 3}]"},
		{"resources | project id, location | join kind=inner " RIGHT
		 " on $left.location == $right.name | where rank == 2 | project id, rank",
			"[{'id': '/1', 'rank': 2}, {'id': '/2', 'rank': 2}]"},
		{"resources | project id, location, type | join kind=inner (resources | project "
		 "id, "
		 "location, type) on location, type | project id, id1",
			"[{'id': '/1', 'id1': '/1'}, {'id': '/2', 'id1': '/2'}, {'id': '/3', "
			"'id1': "
			"'/3'}, {'id': '/3', 'id1': '/4'}, {'id': '/4', 'id1': '/3'}, {'id': '/4', "
			"'id1': '/4'}]"},
		{"resources | project id, n = tolong(properties.n) | join kind=leftouter "
		 "(resources | "
		 "project n = tolong(properties.n), other = id) on n | project id, other",
			"[{'id': '/1', 'other': '/1'}, {'id': '/2', 'other': '/2'}, {'id': '/3', "
			"'other': ''}, {'id': '/4', 'other': '/4'}]"},
		{"resources | take 1 | project id | join kind=inner (resources | project id) on id "
		 "| "
		 "join kind=inner (resources | project id) on id",
			"[{'id': '/1', 'id1': '/1', 'id2': '/1'}]"});
#undef RIGHT
}

static void unions_put_rows_after_each_other(void **state)
{
	(void)state;
	CHECK({"resources | where id == '/1' | project id, location | union (resourcecontainers | "
	       "where id == '/c3' | project id, rank = tolong(properties.rank))",
		      "[{'id': '/1', 'location': 'eu', 'rank': null}, {'id': '/c3', 'location': "
		      "'', "
		      "'rank': 3}]"},
		{"resources | where id == '/1' | project id, location | union kind=inner "
		 "(resourcecontainers | where id == '/c3' | project id, type)",
			"[{'id': '/1'}, {'id': '/c3'}]"},
		{"union (resources | where id == '/1' | project x = 1), (resources | where id == "
		 "'/1' "
		 "| project x = 'one')",
			"[{'x_long': 1, 'x_string': ''}, {'x_long': null, 'x_string': 'one'}]"},
		{"union withsource=from resources, (resourcecontainers | where name == 'eu') | "
		 "summarize n = count() by from",
			"[{'from': 'resources', 'n': 4}, {'from': 'union_arg1', 'n': 2}]"},
		{"resources | union resources, resources | count", "[{'Count': 12}]"});
}

static void parse_takes_text_apart(void **state)
{
	(void)state;
	CHECK({"resources | take 1 | project t = '/subs/S1/groups/G1/x' | parse t with '/subs/' s "
	       "'/groups/' g '/' rest",
		      "[{'t': '/subs/S1/groups/G1/x', 's': 'S1', 'g': 'G1', 'rest': 'x'}]"},
		{"resources | take 1 | project t = 'id=7; name=n; at=2020-01-02' | parse t with * "
		 "'id=' i:long ';' * 'at=' d:datetime | project i, d",
			"[{'i': 7, 'd': '2020-01-02T00:00:00Z'}]"},
		{"resources | take 1 | project t = 'id=seven;' | parse t with * 'id=' i:long ';' s "
		 "| "
		 "project i, s",
			"[{'i': null, 's': ''}]"},
		{"resources | take 1 | project t = 'abc' | parse t with 'b' x | project x",
			"[{'x': ''}]"},
		{"resources | take 1 | project t = 'abc' | parse t with * 'b' x | project x",
			"[{'x': 'c'}]"},
		{"resources | take 1 | project t = 'n: -12 left 3.5 right' | parse t with 'n: ' "
		 "n:long "
		 "* 'left ' r:real * | project n, r",
			"[{'n': -12, 'r': 3.5}]"});
}

static void answers_are_pageable_unless_limited_grouped_or_dynamic(void **state)
{
	static const struct {
		const char *text;
		bool pageable;
	} cases[] = {
		{"resources", true},
		{"resources | project id, properties | order by id asc", true},
		{"resources | project name", true},
		{"resources | project properties, tags", false},
		{"resources | take 2", false},
		{"resources | limit 2", false},
		{"resources | sample 2", false},
		{"resources | top 2 by id", false},
		{"resources | count", false},
		{"resources | distinct id", false},
		{"resources | summarize count() by id | project id", false},
		{"resources | join (resources | take 1) on id", false},
		{"resources | join (resources | summarize n = count() by id) on id", true},
		{"resources | mv-expand tags | project id, tags", true},
		{"union resources, resources", true},
	};
	json_t *tables = json_of(TABLES);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kql_result result;

		run_query(tables, cases[i].text, &result);
		if (result.pageable != cases[i].pageable)
			fail_msg("%s", cases[i].text);
		kql_result_fini(&result);
	}
	json_decref(tables);
}

static void a_query_can_be_run_again_over_other_rows(void **state)
{
	json_t *first = json_of(TABLES), *second = json_of("{'resources': [{'name': 'z'}]}");
	struct kql_query *q;
	struct kql_error error;
	struct kql_result result;
	json_t *want = json_of("[{'name': 'z', 'n': 1}]");

	(void)state;
	assert_int_equal(
		kql_parse("resources | where name !in ('a','b','c','d','e') | summarize n = "
			  "count() by name | where name == 'z'",
			&q, &error),
		0);
	assert_int_equal(kql_run(q, fixture_table, first, FIXTURE_NOW, &result, &error), 0);
	assert_int_equal(json_array_size(result.rows), 0);
	kql_result_fini(&result);
	assert_int_equal(kql_run(q, fixture_table, second, FIXTURE_NOW, &result, &error), 0);
	assert_json(result.rows, want, "second run");
	kql_result_fini(&result);
	kql_free(q);
	json_decref(want);
	json_decref(first);
	json_decref(second);
}

static void rows_that_are_not_as_they_should_be_are_read_as_far_as_they_go(void **state)
{
	json_t *tables = json_of("{'resources': [5, null, {}, {'id': 7, 'name': null, 'type': "
				 "['x'], 'properties': 'text', 'tags': [1]}]}");

	(void)state;
	assert_rows(tables, "resources | project id, name, type, p = properties.a, t = tags.b",
		"[{'id': '', 'name': '', 'type': '', 'p': null, 't': null}, {'id': '', 'name': '', "
		"'type': '', 'p': null, 't': null}, {'id': '', 'name': '', 'type': '', 'p': null, "
		"'t': null}, {'id': '7', 'name': '', 'type': '[\\u0022x\\u0022]', 'p': null, 't': "
		"null}]");
	json_decref(tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_has_every_standard_column),
		cmocka_unit_test(where_keeps_rows_that_are_true),
		cmocka_unit_test(columns_are_chosen_renamed_and_dropped),
		cmocka_unit_test(extend_moves_a_replaced_column_to_the_end),
		cmocka_unit_test(columns_carry_their_types),
		cmocka_unit_test(summarize_aggregates_by_group),
		cmocka_unit_test(lists_skip_nulls_and_sets_take_arrays_apart),
		cmocka_unit_test(aggregates_of_nothing_have_their_defaults),
		cmocka_unit_test(arg_max_gives_the_row_of_the_greatest),
		cmocka_unit_test(distinct_and_count_are_groups),
		cmocka_unit_test(rows_are_sorted_with_nulls_at_their_end),
		cmocka_unit_test(take_ends_after_that_many_rows),
		cmocka_unit_test(arrays_expand_into_rows),
		cmocka_unit_test(lists_are_cut_at_128_rows_unless_told),
		cmocka_unit_test(joins_match_rows_by_key),
		cmocka_unit_test(unions_put_rows_after_each_other),
		cmocka_unit_test(parse_takes_text_apart),
		cmocka_unit_test(answers_are_pageable_unless_limited_grouped_or_dynamic),
		cmocka_unit_test(a_query_can_be_run_again_over_other_rows),
		cmocka_unit_test(rows_that_are_not_as_they_should_be_are_read_as_far_as_they_go),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
