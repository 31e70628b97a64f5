/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql.h"

#include <string.h>

#define PRIME_1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME_3 UINT64_C(0x165667B19E3779F9)
#define PRIME_4 UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME_5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static uint64_t read_64(const unsigned char *at)
{
	uint64_t x;

	memcpy(&x, at, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return x;
}

static uint32_t read_32(const unsigned char *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
		(uint32_t)at[3] << 24;
}

static uint64_t round_of(uint64_t lane, uint64_t input)
{
	return rotate(lane + input * PRIME_2, 31) * PRIME_1;
}

static uint64_t merge(uint64_t hash, uint64_t lane)
{
	return (hash ^ round_of(0, lane)) * PRIME_1 + PRIME_4;
}

/* Stripes of 32 bytes in four lanes. */
static uint64_t hash_stripes(const unsigned char **at, const unsigned char *end)
{
	uint64_t lanes[4] = {PRIME_1 + PRIME_2, PRIME_2, 0, 0 - PRIME_1};
	uint64_t hash;

	for (; end - *at >= 32; *at += 32)
		for (unsigned i = 0; i < 4; i++)
			lanes[i] = round_of(lanes[i], read_64(*at + (size_t)8 * i));
	hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) +
		rotate(lanes[3], 18);
	for (unsigned i = 0; i < 4; i++)
		hash = merge(hash, lanes[i]);
	return hash;
}

uint64_t kql_xxh64(const void *data, size_t len)
{
	const unsigned char *at = data;
	const unsigned char *end = at + len;
	uint64_t hash = len >= 32 ? hash_stripes(&at, end) : PRIME_5;

	hash += len;
	for (; end - at >= 8; at += 8)
		hash = rotate(hash ^ round_of(0, read_64(at)), 27) * PRIME_1 + PRIME_4;
	if (end - at >= 4) {
		hash = rotate(hash ^ read_32(at) * PRIME_1, 23) * PRIME_2 + PRIME_3;
		at += 4;
	}
	for (; at < end; at++)
		hash = rotate(hash ^ *at * PRIME_5, 11) * PRIME_1;
	hash = (hash ^ hash >> 33) * PRIME_2;
	hash = (hash ^ hash >> 29) * PRIME_3;
	return hash ^ hash >> 32;
}
