/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/digest.h"

#include "lib/base/base.h"

#include <openssl/evp.h>

void sha256_hex(const void *data, size_t len, char ret[static SHA256_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;
	int done = EVP_Digest(data, len, digest, &digest_len, EVP_sha256(), NULL);

	assert(done == 1 && digest_len == 32);
	for (unsigned i = 0; i < digest_len; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[SHA256_HEX_SIZE - 1] = '\0';
}
