/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/siphash.h"

#include <endian.h>
#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Lower-cases eight bytes at once; bytes from 0x80 on stay. */
static uint64_t fold(uint64_t word)
{
	uint64_t low = word & (0x7f * EACH_BYTE);
	uint64_t above_z = low + (0x7f - 'Z') * EACH_BYTE;
	uint64_t from_a = low + (0x80 - 'A') * EACH_BYTE;
	uint64_t upper = ~word & (from_a ^ above_z) & (0x80 * EACH_BYTE);

	return word | upper >> 2;
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static void round_of(uint64_t v[static 4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void take_word(uint64_t v[static 4], uint64_t word)
{
	v[3] ^= word;
	round_of(v);
	v[0] ^= word;
}

uint64_t siphash_folded(const struct siphash_key *key, const char *text, size_t len)
{
	uint64_t v[4] = {
		key->k[0] ^ UINT64_C(0x736f6d6570736575),
		key->k[1] ^ UINT64_C(0x646f72616e646f6d),
		key->k[0] ^ UINT64_C(0x6c7967656e657261),
		key->k[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word;
	size_t at = 0;

	for (; at + 8 <= len; at += 8) {
		memcpy(&word, text + at, 8);
		take_word(v, fold(le64toh(word)));
	}
	word = 0;
	memcpy(&word, text + at, len - at);
	take_word(v, fold(le64toh(word)) | (uint64_t)len << 56);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 3; i++)
		round_of(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
