/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts: exact from the text to the text, and prices in the configuration. */
#include "lib/model/money.h"

#include "lib/base/str.h"
#include "tests/unit/config_cases.h"

static void decimals_are_read_exactly(void **state)
{
	static const struct {
		const char *text;
		int64_t amount;
		const char *shown;
	} rows[] = {
		{"0", 0, "0.00"},
		{"0.000001", 1, "0.000001"},
		{"0.1", 100000, "0.10"},
		{"0.0205", 20500, "0.0205"},
		{"000.10", 100000, "0.10"},
		{"14.965", 14965000, "14.965"},
		{"1000000", INT64_C(1000000000000), "1000000.00"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char shown[MONEY_TEXT_SIZE];
		int64_t amount = -1;

		assert_int_equal(money_parse(rows[i].text, &amount), 0);
		assert_int_equal(amount, rows[i].amount);
		money_format(amount, shown);
		assert_string_equal(shown, rows[i].shown);
	}
}

static void what_is_no_amount_is_refused(void **state)
{
	static const char *const texts[] = {"", ".", ".5", "5.", "-1", "+1", "1,5", "1e3", "0x1",
		" 1", "1 ", "1.0000001", "1.2.3", "EUR 1"};
	static const char *const large[] = {
		"1000000.000001", "1000001", "99999999999999999999999999999999"};
	int64_t amount = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (money_parse(texts[i], &amount) != -EINVAL)
			fail_msg("\"%s\" is taken", texts[i]);
	for (size_t i = 0; i < ARRAY_LEN(large); i++)
		assert_int_equal(money_parse(large[i], &amount), -ERANGE);
	assert_int_equal(amount, 7);
}

static void any_amount_is_shown_exactly(void **state)
{
	static const struct {
		int64_t amount;
		const char *shown;
	} rows[] = {
		{-3000000, "-3.00"},
		{-1, "-0.000001"},
		{1234567, "1.234567"},
		{INT64_MAX, "9223372036854.775807"},
		{INT64_MIN, "-9223372036854.775808"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char shown[MONEY_TEXT_SIZE];

		money_format(rows[i].amount, shown);
		assert_string_equal(shown, rows[i].shown);
	}
}

static void prices_are_the_operators_own_or_unknown(void **state)
{
	struct config *c =
		build_well("prices {\n	currency = EUR\n	p2-per-hour = 0.0205\n"
			   "	mde-per-month = 3\n}\n" BASE);
	struct config *without = build_well(BASE);

	(void)state;
	assert_string_equal(c->prices.currency, "EUR");
	assert_int_equal(c->prices.p2_per_hour, 20500);
	assert_int_equal(c->prices.mde_per_month, 3000000);
	assert_int_equal(c->prices.p1_per_hour, PRICE_UNKNOWN);
	assert_non_null(strstr(c->canonical, "prices/p2-per-hour = 0.0205\n"));
	assert_non_null(strstr(c->canonical, "prices/mde-per-month = 3.00\n"));
	assert_null(without->prices.currency);
	assert_int_equal(without->prices.p2_per_hour, PRICE_UNKNOWN);
	config_free(c);
	config_free(without);
}

static void wrong_prices_are_told_with_what_to_write(void **state)
{
	static const struct trouble cases[] = {
		{"prices {\n	currency = EUR\n	p1-per-hour = cheap\n}\n" BASE,
			"t.conf:3: error: p1-per-hour: \"cheap\" is not a price; write a number "
			"with a point and at most six decimals, such as 0.0205\n"},
		{"prices {\n	currency = EUR\n	p1-per-hour = 1000.5\n}\n" BASE,
			"t.conf:3: error: p1-per-hour: \"1000.5\" is too large; write 0 to 1000\n"},
		{"prices {\n	p1-per-hour = 0.007\n}\n" BASE,
			"t.conf:1: error: prices: they have no currency; write currency = "
			"\"EUR\", or another one\n"},
	};

	(void)state;
	assert_said(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimals_are_read_exactly),
		cmocka_unit_test(what_is_no_amount_is_refused),
		cmocka_unit_test(any_amount_is_shown_exactly),
		cmocka_unit_test(prices_are_the_operators_own_or_unknown),
		cmocka_unit_test(wrong_prices_are_told_with_what_to_write),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
