/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/expiry.h"

#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define AT(days) ((struct wall){1800000000000 + (int64_t)(days)*86400000})

static char names[][4] = {"a", "b", "c", "d", "s", "t"};

/* Two scopes, with what ends on the first, third and fifth day, and what never does. */
static struct exclude_config excludes[] = {
	{.name = names[0], .expires = AT(1), .until = AT(3)},
	{.name = names[1], .expires = WALL_NEVER, .until = WALL_NEVER},
};
static struct grant_config grants[] = {
	{.name = names[2], .expires = AT(3), .until = AT(5)},
	{.name = names[3], .expires = AT(5), .until = AT(5)},
};
static struct scope_config scopes[] = {
	{.name = names[4], .excludes = excludes, .exclude_count = 2},
	{.name = names[5], .grants = grants, .grant_count = 2},
};
static const struct config config = {.scopes = scopes, .scope_count = 2};

static const char *told(struct wall now)
{
	static char text[64];
	struct expired expired;
	size_t at = 0, n = 0;

	text[0] = '\0';
	while (expiry_next(&config, now, &at, &expired)) {
		text[n++] = *expired.scope;
		text[n++] = *expired.name;
		text[n++] =
			*expiry_word(expired.phase) == 'a' ? '-' : expiry_word(expired.phase)[5];
		text[n] = '\0';
	}
	return text;
}

static void what_ends_or_has_ended_is_told_with_whether_it_still_holds(void **state)
{
	(void)state;
	/* i: expiring, e: expired and still holding, -: absent. */
	assert_string_equal(told(AT(-14)), "");
	assert_string_equal(told(AT(-13)), "sai");
	assert_string_equal(told(AT(0)), "saitcitdi");
	assert_string_equal(told(AT(1)), "saitcitdi");
	assert_string_equal(told(AT(2)), "saetcitdi");
	assert_string_equal(told(AT(3)), "saetcitdi");
	assert_string_equal(told(AT(4)), "sa-tcetdi");
	/* Without a while after it nobody is warned. */
	assert_string_equal(told(AT(6)), "sa-tc-td-");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_ends_or_has_ended_is_told_with_whether_it_still_holds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
