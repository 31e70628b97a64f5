/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_parts: inside the scenario only. */
#ifndef MDC_TEST_SCENARIO_PARTS_H
#define MDC_TEST_SCENARIO_PARTS_H

#include "tests/harness/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-24T14:00:00Z */
#define SCENARIO_START ((struct wall){INT64_C(1795528800000)})

/* scenario_estate.c */
void scenario_make_estate(struct scenario *s);

/* scenario_trace.c */
struct scenario_trace *scenario_trace_new(void);
struct scenario_trace *scenario_trace_free(struct scenario_trace *t);
/* Writes to trace and capture, unless the world is frozen. */
struct log_sink *scenario_sink_new(struct scenario *s);

#endif
