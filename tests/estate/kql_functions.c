/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that Resource Graph documents or that published queries of it use; any other is
 * refused as the service refuses it.
 */
#include "tests/estate/kql_functions.h"

#define MANY KQL_ARGS_MAX

static const struct kql_function functions[] = {
	{"ago", "t", 1, 1, KQL_DATETIME, kql_apply_ago},
	{"array_length", "d", 1, 1, KQL_LONG, kql_apply_array_length},
	{"array_slice", "dii", 3, 3, KQL_DYNAMIC, kql_apply_array_slice},
	{"bag_keys", "d", 1, 1, KQL_DYNAMIC, kql_apply_bag_keys},
	{"case", "ba", 3, MANY, .call = KQL_CALL_CASE},
	{"coalesce", "a", 2, MANY, .call = KQL_CALL_COALESCE},
	{"extract", "sis", 3, 4, .call = KQL_CALL_EXTRACT},
	{"hash", "ai", 1, 2, KQL_LONG, kql_apply_hash},
	{"iff", "ba", 3, 3, .call = KQL_CALL_CASE},
	{"iif", "ba", 3, 3, .call = KQL_CALL_CASE},
	{"indexof", "xxiii", 2, 5, KQL_LONG, kql_apply_indexof},
	{"isempty", "a", 1, 1, KQL_BOOL, kql_apply_isempty},
	{"isnotempty", "a", 1, 1, KQL_BOOL, kql_apply_isnotempty},
	{"isnotnull", "a", 1, 1, KQL_BOOL, kql_apply_isnotnull},
	{"isnull", "a", 1, 1, KQL_BOOL, kql_apply_isnull},
	{"not", "b", 1, 1, KQL_BOOL, kql_apply_not},
	{"now", "t", 0, 1, KQL_DATETIME, kql_apply_now},
	{"pack", "sa", 2, MANY, KQL_DYNAMIC, kql_apply_pack, .call = KQL_CALL_PAIRS},
	{"pack_array", "a", 1, MANY, KQL_DYNAMIC, kql_apply_pack_array},
	{"parse_json", "a", 1, 1, KQL_DYNAMIC, kql_apply_parse_json},
	{"replace_string", "sss", 3, 3, KQL_STRING, kql_apply_replace_string},
	{"split", "ssi", 2, 3, KQL_DYNAMIC, kql_apply_split},
	{"strcat", "x", 1, MANY, KQL_STRING, kql_apply_strcat},
	{"strcat_array", "ds", 2, 2, KQL_STRING, kql_apply_strcat_array},
	{"string_size", "s", 1, 1, KQL_LONG, kql_apply_string_size},
	{"strlen", "s", 1, 1, KQL_LONG, kql_apply_strlen},
	{"substring", "sii", 2, 3, KQL_STRING, kql_apply_substring},
	{"tobool", "a", 1, 1, KQL_BOOL, kql_apply_tobool, true},
	{"todatetime", "a", 1, 1, KQL_DATETIME, kql_apply_todatetime, true},
	{"todouble", "a", 1, 1, KQL_REAL, kql_apply_todouble, true},
	{"toint", "a", 1, 1, KQL_LONG, kql_apply_toint, true},
	{"tolong", "a", 1, 1, KQL_LONG, kql_apply_tolong, true},
	{"tolower", "s", 1, 1, KQL_STRING, kql_apply_tolower},
	{"tostring", "x", 1, 1, KQL_STRING, kql_apply_tostring, true},
};

const struct kql_function *kql_function_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (strcmp(functions[i].name, name) == 0)
			return &functions[i];
	return NULL;
}
