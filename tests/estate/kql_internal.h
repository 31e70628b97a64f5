/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql_internal: the caps of a query and the way its parts report why it is refused.
 *
 * Text goes through three forms: tokens (kql_lex.c), a tree of what was written (kql_ast.h, from
 * kql_parse*.c) and a plan (kql_plan.h, from kql_bind*.c) that kql_operators.c runs.
 */
#ifndef MDC_TEST_KQL_INTERNAL_H
#define MDC_TEST_KQL_INTERNAL_H

#include "tests/estate/kql.h"
#include "tests/estate/kql_value.h"

/* What Resource Graph documents. */
#define KQL_JOINS_MAX 3
#define KQL_UNION_LEGS_MAX 3
#define KQL_EXPANDS_MAX 3
#define KQL_EXPAND_ROWS 128
#define KQL_EXPAND_ROWS_MAX 400
#define KQL_LIST_MAX 1048576 /* elements that make_list() and make_set() give at most */
#define KQL_ARGS_MAX 64

/* What keeps hostile queries within bounds. */
#define KQL_QUERY_MAX ((size_t)1 << 20)    /* bytes of text */
#define KQL_NESTING_MAX 100                /* parentheses, calls, subqueries */
#define KQL_CLAUSES_MAX 100                /* operators in the whole query */
#define KQL_MEMORY_MAX ((size_t)256 << 20) /* of the parsed query */
#define KQL_COLUMNS_MAX 500
#define KQL_SLOTS_MAX 2000 /* columns and intermediate values of one stage */
#define KQL_DEPTH_MAX 400  /* of an expression, through the columns it uses */
#define KQL_NAME_MAX 1024
#define KQL_STRING_MAX ((size_t)32 << 20)
#define KQL_SCRATCH_MAX ((size_t)256 << 20) /* of one row */
#define KQL_KEEP_MAX ((size_t)1 << 30)      /* of the whole run */
#define KQL_WORK_MAX UINT64_C(100000000)    /* rows moved through steps, and what costs as much */

/* The codes of the service's answers that are known; others are "InvalidQuery". */
#define KQL_INVALID "InvalidQuery"
#define KQL_PARSER_FAILURE "ParserFailure"
#define KQL_DISALLOWED_LANGUAGE "InvalidQueryLanguage"
#define KQL_UNKNOWN_FUNCTION "UnknownFunction"
#define KQL_JOIN_FLAVOR "UnsupportedJoinFlavor"
#define KQL_TABLE_NAME "DisallowedLogicalTableName"
#define KQL_REMOTE_TABLES "DisallowedMaxNumberOfRemoteTables"
#define KQL_LIMITS "QueryLimitsExceeded"

/* Fills the error, if none is there yet, with text that is safe to show. Gives -EINVAL. */
int kql_refuse(struct kql_error *error, const char *code, const char *format, ...) MDC_PRINTF(3, 4);

#endif
