/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_functions: the scalar functions, each applied to arguments of the types that its row of the
 * table in kql_functions.c asks for. Any of them may be null, but strings.
 */
#ifndef MDC_TEST_KQL_FUNCTIONS_H
#define MDC_TEST_KQL_FUNCTIONS_H

#include "tests/estate/kql_eval.h"

#define KQL_FUNCTION(name) \
	struct kql_value kql_apply_##name( \
		struct kql_run *run, const struct kql_value *args, unsigned count)

/* kql_functions_text.c */
KQL_FUNCTION(hash);
KQL_FUNCTION(indexof);
KQL_FUNCTION(replace_string);
KQL_FUNCTION(split);
KQL_FUNCTION(strcat);
KQL_FUNCTION(string_size);
KQL_FUNCTION(strlen);
KQL_FUNCTION(substring);
KQL_FUNCTION(tolower);

/* kql_functions_dynamic.c */
KQL_FUNCTION(array_length);
KQL_FUNCTION(array_slice);
KQL_FUNCTION(bag_keys);
KQL_FUNCTION(pack);
KQL_FUNCTION(pack_array);
KQL_FUNCTION(parse_json);
KQL_FUNCTION(strcat_array);

/* kql_functions_convert.c */
KQL_FUNCTION(ago);
KQL_FUNCTION(isempty);
KQL_FUNCTION(isnotempty);
KQL_FUNCTION(isnotnull);
KQL_FUNCTION(isnull);
KQL_FUNCTION(not );
KQL_FUNCTION(now);
KQL_FUNCTION(tobool);
KQL_FUNCTION(todatetime);
KQL_FUNCTION(todouble);
KQL_FUNCTION(toint);
KQL_FUNCTION(tolong);
KQL_FUNCTION(tostring);

/* kql_math.c */
struct kql_value kql_modulo(int64_t number, int64_t divisor);
/* Cuts off the fraction; false beyond the range of a long. */
bool kql_long_of_real(double real, int64_t *ret) MDC_MUST_CHECK;

#endif
