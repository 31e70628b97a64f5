/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_repair: makes readable what the strict parser refuses for the sake of one value: characters
 * that no string may hold, and numbers that no double does. A guest writes the message of its own
 * extension: one bad character there must not blind us for a thousand other machines.
 */
#ifndef MDC_JSON_REPAIR_H
#define MDC_JSON_REPAIR_H

#include "lib/base/base.h"

/*
 * Changes the text in place and keeps its length, so that places in it stay what they were:
 * \u0000 and halves of surrogate pairs become \ufffd, bytes that are not UTF-8 "?", control
 * characters in strings a blank, numbers that may be out of range null. Everything else stays as it
 * is.
 */
void json_repair(char *text, size_t len);
/*
 * The length of the object or array that begins at `text`, by its brackets alone; 0 where it does
 * not end within `len` bytes.
 */
size_t json_extent(const char *text, size_t len);

#endif
