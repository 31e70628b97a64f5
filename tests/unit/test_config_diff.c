/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define IDENTITY(name) \
	"identity \"" name "\" {\n	tenant = 11111111-1111-1111-1111-111111111111\n" \
	"	client = 22222222-2222-2222-2222-222222222222\n	method = client-secret\n" \
	"	secret-file = /s\n}\n"
#define BASE \
	IDENTITY("main") \
	"policy \"servers\" {\n}\nscope \"all\" {\n	identity = main\n	policy = " \
	"servers\n}\n"

static struct config *build(const char *text)
{
	mdc_cleanup(config_section_fini) struct config_section root = records_of(text);
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;

	assert_int_equal(config_build(&root, &diags, &config), 0);
	return config;
}

static void assert_diff(const char *old, const char *fresh, const char *expected, bool restart)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(1 << 16);
	struct config *a = build(old), *b = build(fresh);
	bool needs_restart = !restart;

	assert_int_equal(config_diff(a, b, &text, &needs_restart), 0);
	assert_string_equal(buf_str(&text), expected);
	assert_int_equal(needs_restart, restart);
	config_free(a);
	config_free(b);
}

static void the_same_configuration_has_no_difference(void **state)
{
	(void)state;
	assert_diff(BASE, BASE, "", false);
	assert_diff("poll {\n	machines = 5m\n}\n" BASE,
		"poll {\n	machines = 300s\n}\nlog = journal\n" BASE, "", false);
}

static void the_order_of_sections_is_no_difference(void **state)
{
	(void)state;
	assert_diff(IDENTITY("a") IDENTITY("b") BASE, IDENTITY("b") BASE IDENTITY("a"), "", false);
}

static void changed_options_are_told_with_both_values(void **state)
{
	(void)state;
	assert_diff(BASE, "poll {\n\tmachines = 1m\n}\n" BASE, "poll/machines: 5m -> 1m\n", false);
	assert_diff(IDENTITY("main") "policy \"servers\" {\n}\nscope \"all\" {\n"
				     "	identity = main\n	policy = servers\n"
				     "	subscriptions = *\n}\n",
		IDENTITY("main") "policy \"servers\" {\n	plan = P2\n	extension {\n"
				 "		grace = 0s\n	}\n}\nscope \"all\" {\n"
				 "	identity = main\n	policy = servers\n"
				 "	subscriptions = *\n	mode = enforce\n}\n",
		"policy \"servers\"/plan: unmanaged -> P2\n"
		"policy \"servers\"/extension/grace: 3h -> 0s\n"
		"scope \"all\"/mode: observe -> enforce\n",
		false);
}

static void sections_that_came_and_went_are_told(void **state)
{
#define EXCLUDE \
	IDENTITY("main") \
	"policy \"servers\" {\n}\nscope \"all\" {\n	identity = main\n	policy = " \
	"servers\n" \
	"	exclude \"my lab\" {\n		machines = [a, b]\n		owner = o\n" \
	"		reason = r\n	}\n}\n"
	(void)state;
	assert_diff(BASE, EXCLUDE,
		"scope \"all\"/exclude \"my lab\"/machines: not set -> { \"a\", \"b\" }\n"
		"scope \"all\"/exclude \"my lab\"/owner: not set -> \"o\"\n"
		"scope \"all\"/exclude \"my lab\"/reason: not set -> \"r\"\n",
		false);
	assert_diff(EXCLUDE, BASE,
		"scope \"all\"/exclude \"my lab\"/machines: { \"a\", \"b\" } -> not set\n"
		"scope \"all\"/exclude \"my lab\"/owner: \"o\" -> not set\n"
		"scope \"all\"/exclude \"my lab\"/reason: \"r\" -> not set\n",
		false);
#undef EXCLUDE
}

static void options_that_need_a_restart_are_named(void **state)
{
	(void)state;
	assert_diff("log = stderr\n" BASE, "state-directory = /s\n" BASE,
		"state-directory: \"/var/lib/mdcd\" -> \"/s\" (after a restart)\n"
		"log: stderr -> journal (after a restart)\n",
		true);
	assert_diff(BASE, "max-in-flight = 3\n" BASE,
		"max-in-flight: 50 -> 3\nscope \"all\"/max-in-flight: 50 -> 3\n", false);
}

static void a_buffer_that_is_too_small_is_told(void **state)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(8);
	struct config *a = build(BASE), *b = build("log = stderr\n" BASE);
	bool needs_restart;

	(void)state;
	assert_int_equal(config_diff(a, b, &text, &needs_restart), -EFBIG);
	assert_true(needs_restart);
	config_free(a);
	config_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_configuration_has_no_difference),
		cmocka_unit_test(the_order_of_sections_is_no_difference),
		cmocka_unit_test(changed_options_are_told_with_both_values),
		cmocka_unit_test(sections_that_came_and_went_are_told),
		cmocka_unit_test(options_that_need_a_restart_are_named),
		cmocka_unit_test(a_buffer_that_is_too_small_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
