/* SPDX-License-Identifier: Apache-2.0 */
/* flight_fixture: one subscription with one machine whose step is on its way to the wire. */
#ifndef MDC_TEST_FLIGHT_FIXTURE_H
#define MDC_TEST_FLIGHT_FIXTURE_H

#include "tests/harness/acting.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EXTENSION "/extensions/MDE.Windows"

struct fixture {
	struct acting a;
	struct subscription *s;
	struct machine *m;
	struct item *item;
};

static inline int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	acting_init(&f->a);
	f->s = acting_subscription(&f->a, 1);
	f->m = acting_machine(&f->a, f->s, "srv-1", ACTING_WINDOWS);
	f->item = acting_sensor(f->m);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	acting_fini(&f->a);
	free(f);
	return 0;
}

static inline void absent(struct fixture *f)
{
	acting_answer_error(&f->a, "GET", EXTENSION, 404, "ResourceNotFound");
}

static inline void shows(struct fixture *f, const char *state, const char *code)
{
	mdc_autofree char *body = acting_extension_json(f->m, state, code);

	acting_answer(&f->a, "GET", EXTENSION, 200, body);
}

static inline void go(struct fixture *f, struct dur time)
{
	acting_pass(&f->a);
	acting_run(&f->a, time);
}

static inline void nothing_was_written(struct fixture *f)
{
	assert_int_equal(acting_requests(&f->a, "PUT", ""), 0);
	assert_int_equal(acting_open_operations(&f->a), 0);
	assert_int_equal(f->a.unscripted, 0);
	assert_null(f->item->operation);
	assert_int_equal(executor_waiting(f->a.executor) + executor_running(f->a.executor), 0);
}

static inline void outcome_is(struct fixture *f, const char *word)
{
	json_t *record = acting_record(&f->a, f->m->id, "outcome", 0);

	assert_non_null(record);
	assert_string_equal(json_text(record, "outcome"), word);
	json_decref(record);
	assert_int_equal(acting_open_operations(&f->a), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define CASES(test) cmocka_unit_test(test) /* sets up by itself, a row at a time */

#endif
