/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/siphash.h"

#include "lib/base/rng.h"
#include "lib/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* From another implementation of SipHash-1-3, with the key of zeros. */
static void agrees_with_the_published_function(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} rows[] = {
		{"a", UINT64_C(0x407448d2b89b1813)},
		{"abcdefg", UINT64_C(0x6db12aae9070f506)},
		{"abcdefgh", UINT64_C(0x3f7b849c0b8e35ea)},
		{"/subscriptions/0/resourcegroups/rg", UINT64_C(0xea0ed61d2e4009bc)},
		{"r\xc3\xa4ger", UINT64_C(0x87b576e47c14b003)},
		{"0123456789abcdef0123456789", UINT64_C(0x87a70aa599d1ae8a)},
	};
	const struct siphash_key zeros = {{0, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			siphash_folded(&zeros, rows[i].text, strlen(rows[i].text)), rows[i].hash);
}

static void folds_exactly_the_ascii_letters(void **state)
{
	const struct siphash_key key = {{1, 2}};

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 0; at < 12; at++) {
			char text[12], folded[12];

			memset(text, 'x', sizeof(text));
			memset(folded, 'x', sizeof(folded));
			text[at] = (char)c;
			folded[at] = str_lower((char)c);
			assert_int_equal(siphash_folded(&key, text, sizeof(text)),
				siphash_folded(&key, folded, sizeof(folded)));
			if (folded[at] == text[at] && c != 'x') {
				text[at] = (char)(c ^ 0x20);
				if (str_lower(text[at]) != folded[at])
					assert_int_not_equal(
						siphash_folded(&key, text, sizeof(text)),
						siphash_folded(&key, folded, sizeof(folded)));
			}
		}
}

static void length_counts_also_beyond_trailing_zeros(void **state)
{
	const struct siphash_key key = {{1, 2}};
	const char zeros[16] = "";
	uint64_t seen[17];

	(void)state;
	for (size_t len = 0; len <= 16; len++) {
		seen[len] = siphash_folded(&key, zeros, len);
		for (size_t other = 0; other < len; other++)
			assert_int_not_equal(seen[other], seen[len]);
	}
}

/* Names that share a slot under one key are found by trying; they must not share it under others.
 */
static void names_that_collide_under_one_key_do_not_under_another(void **state)
{
	const struct siphash_key known = {{0, 0}};
	const struct siphash_key secret = {{UINT64_C(0x1234567), UINT64_C(0x89abcdef)}};
	unsigned found = 0, at_most = 0, slots[64] = {0};

	(void)state;
	for (unsigned i = 0; found < 640; i++) {
		char name[32];
		size_t len = (size_t)snprintf(name, sizeof(name), "machine-%u", i);

		if (siphash_folded(&known, name, len) % 64 != 0)
			continue;
		found++;
		slots[siphash_folded(&secret, name, len) % 64]++;
	}
	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		if (slots[i] > at_most)
			at_most = slots[i];
	/* Ten per slot on average; the tail of a fair draw ends far below forty. */
	assert_in_range(at_most, 10, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_published_function),
		cmocka_unit_test(folds_exactly_the_ascii_letters),
		cmocka_unit_test(length_counts_also_beyond_trailing_zeros),
		cmocka_unit_test(names_that_collide_under_one_key_do_not_under_another),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
