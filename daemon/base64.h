/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64: decodes what may be secret, with either alphabet and with or without padding.
 */
#ifndef MDCD_BASE64_H
#define MDCD_BASE64_H

#include "lib/base/base.h"

#include <stddef.h>

/*
 * NUL-terminated, the caller's, who wipes all *ret_len bytes of it where they are secret; NULL for
 * what is no base64. The caller caps `len`.
 */
char *base64_decode(const char *text, size_t len, size_t *ret_len) MDC_MUST_CHECK;

#endif
