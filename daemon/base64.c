/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base64.h"

#include "lib/base/xalloc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* As OpenSSL knows it; padded by `=`. */
static char *standard_form(const char *text, size_t len)
{
	size_t padded = (len + 3) / 4 * 4;
	char *copy = xmalloc(padded + 1);

	for (size_t i = 0; i < padded; i++)
		copy[i] = i >= len ? '=' : text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
	copy[padded] = '\0';
	return copy;
}

char *base64_decode(const char *text, size_t len, size_t *ret_len)
{
	char *form, *decoded;
	size_t padded, missing, room;
	int n;

	while (len > 0 && text[len - 1] == '=')
		len--;
	/* OpenSSL takes padding anywhere for zeros. */
	if (memchr(text, '=', len) != NULL)
		return NULL;
	form = standard_form(text, len);
	padded = strlen(form);
	missing = padded - len;
	room = padded / 4 * 3 + 1;
	decoded = xmalloc(room);
	n = EVP_DecodeBlock((unsigned char *)decoded, (const unsigned char *)form, (int)padded);
	OPENSSL_cleanse(form, padded);
	free(form);
	if (n < 0 || missing > 2) {
		OPENSSL_cleanse(decoded, room);
		free(decoded);
		return NULL;
	}
	*ret_len = (size_t)n - missing;
	decoded[*ret_len] = '\0';
	return decoded;
}
