/* SPDX-License-Identifier: Apache-2.0 */
/* digest: SHA-256 in hex, for body hashes, the history's chain and configurations. */
#ifndef MDCD_DIGEST_H
#define MDCD_DIGEST_H

#include <stddef.h>

#define SHA256_HEX_SIZE 65

void sha256_hex(const void *data, size_t len, char ret[static SHA256_HEX_SIZE]);

#endif
