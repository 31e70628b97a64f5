/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void gives_the_values_that_kusto_documents_for_hash(void **state)
{
	/* Ticks of datetime(2015-01-01), the lowest byte first. */
	static const unsigned char ticks[] = {0x00, 0x80, 0x30, 0x05, 0x6d, 0xf3, 0xd1, 0x08};

	(void)state;
	assert_true(kql_xxh64("World", 5) == UINT64_C(1846988464401551951));
	assert_true(kql_xxh64("Hello", 5) == UINT64_C(753694413698530628));
	assert_true(kql_xxh64(ticks, sizeof(ticks)) == UINT64_C(1380966698541616202));
	assert_true((int64_t)kql_xxh64("a", 1) == INT64_C(-3292477735350538661));
}

/* The published check values of the algorithm: prefixes of a generated buffer. */
static void gives_the_published_check_values(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{0, UINT64_C(0xEF46DB3751D8E999)},
		{1, UINT64_C(0xE934A84ADB052768)},
		{4, UINT64_C(0x9136A0DCA57457EE)},
		{14, UINT64_C(0x8282DCC4994E35C8)},
		{222, UINT64_C(0xB641AE8CB691C174)},
	};
	unsigned char buffer[222];
	uint64_t generator = 2654435761u;

	(void)state;
	for (size_t i = 0; i < sizeof(buffer); i++) {
		buffer[i] = (unsigned char)(generator >> 56);
		generator *= UINT64_C(11400714785074694797);
	}
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		assert_true(kql_xxh64(buffer, vectors[i].len) == vectors[i].hash);
}

static void every_byte_of_every_length_matters(void **state)
{
	unsigned char data[80];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 + 1);
	for (size_t len = 1; len <= sizeof(data); len++) {
		uint64_t whole = kql_xxh64(data, len);

		assert_true(whole != kql_xxh64(data, len - 1));
		for (size_t i = 0; i < len; i++) {
			data[i] ^= 1;
			assert_true(kql_xxh64(data, len) != whole);
			data[i] ^= 1;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_values_that_kusto_documents_for_hash),
		cmocka_unit_test(gives_the_published_check_values),
		cmocka_unit_test(every_byte_of_every_length_matters),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
