/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_internal.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

void estate_guid(struct estate *e, char ret[static GUID_SIZE])
{
	uint64_t a = rng_next(&e->rng), b = rng_next(&e->rng);

	snprintf(ret, GUID_SIZE, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
		(unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff,
		0x8000 | ((unsigned)(b >> 48) & 0x3fff),
		(unsigned long long)(b & 0xffffffffffffULL));
}

struct dur estate_between(struct estate *e, struct span span)
{
	return rng_between(&e->rng, span.low, span.high);
}

unsigned estate_share_of(const struct estate *e, const char *id, const char *salt)
{
	mdc_autofree char *text = xasprintf("%s/%s", salt, id);
	struct rng r;

	str_fold(text);
	rng_seed(&r, e->seed ^ str_hash(text, strlen(text)));
	return (unsigned)rng_below(&r, 1000000);
}

void estate_mac(const struct estate *e, const char *text, unsigned char ret[static 32])
{
	unsigned len = 32;

	HMAC(EVP_sha256(), e->key, sizeof(e->key), (const unsigned char *)text, strlen(text), ret,
		&len);
}

void estate_sign(const struct estate *e, const char *text, char *ret, size_t bytes)
{
	unsigned char mac[32];

	assert(bytes <= sizeof(mac));
	estate_mac(e, text, mac);
	for (size_t i = 0; i < bytes; i++)
		snprintf(ret + i * 2, 3, "%02x", mac[i]);
}

char *base64url_encode(const void *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *from = data;
	char *text = xmalloc(len * 4 / 3 + 4);
	char *to = text;
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < len; i++) {
		held = (held << 8) | from[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*to++ = digits[(held >> (bits - 6)) & 63];
		held &= (1u << bits) - 1;
	}
	if (bits > 0)
		*to++ = digits[(held << (6 - bits)) & 63];
	*to = '\0';
	return text;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	/* Some clients write the older alphabet, and the service takes it. */
	if (c == '-' || c == '+')
		return 62;
	return c == '_' || c == '/' ? 63 : -1;
}

unsigned char *base64url_decode(const char *text, size_t len, size_t *ret_len)
{
	unsigned char *data;
	size_t n = 0;
	unsigned bits = 0, held = 0;

	while (len > 0 && text[len - 1] == '=')
		len--;
	if (len % 4 == 1)
		return NULL;
	data = xmalloc(len * 3 / 4 + 1);
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0) {
			free(data);
			return NULL;
		}
		held = ((held << 6) | (unsigned)digit) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			data[n++] = (unsigned char)(held >> bits);
		}
	}
	data[n] = '\0';
	*ret_len = n;
	return data;
}
