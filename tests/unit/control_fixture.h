/* SPDX-License-Identifier: Apache-2.0 */
/* control_fixture: one subscription and at most one machine, for the tests of single controls. */
#ifndef MDC_CONTROL_FIXTURE_H
#define MDC_CONTROL_FIXTURE_H

#include "tests/unit/estate_builder.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define WINDOWS_2016 "Windows Server 2016 Datacenter"
#define WINDOWS_2022 "Windows Server 2022 Datacenter"
#define UBUNTU "Ubuntu 22.04.4 LTS"

/* For tables of extensions: a pointer to one that lives as long as the table. */
#define EXTENSION(...) (&(struct estate_extension){__VA_ARGS__})

struct fixture {
	struct estate e;
	struct subscription *s;
	struct machine *m;
	struct grant_config grant;
};

static inline int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	static char name[] = "agreed", control[] = "servers-plan";

	estate_init(&f->e);
	f->s = estate_subscription(&f->e, 1);
	f->grant = (struct grant_config){.name = name, .control = control, .until = WALL_NEVER};
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	estate_fini(&f->e);
	free(f);
	return 0;
}

static inline struct verdict own(struct fixture *f, enum control_id control)
{
	struct control_view view =
		estate_view(&f->e, f->s, control < FIRST_MACHINE_CONTROL ? NULL : f->m, control);

	return control_by_id(control)->assess(&view);
}

static inline enum compose_result compose(struct fixture *f, enum control_id control,
	const json_t *current, const char *package, struct arm_request *ret,
	struct verdict *verdict)
{
	struct control_view view =
		estate_view(&f->e, f->s, control < FIRST_MACHINE_CONTROL ? NULL : f->m, control);
	struct compose_input input = {.current = current, .package = package};

	return control_by_id(control)->compose(&view, &input, ret, verdict);
}

#define expect_verdict(given, wanted_kind, wanted_reason) \
	do { \
		struct verdict verdict_ = (given); \
		assert_int_equal(verdict_.kind, wanted_kind); \
		assert_string_equal(reason_word(verdict_.reason), reason_word(wanted_reason)); \
		assert_non_null(verdict_.detail); \
	} while (0)

static inline struct item *extension_item(struct fixture *f)
{
	return inventory_item(f->s, f->m, CONTROL_MDE_EXTENSION);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
