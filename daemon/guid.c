/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/world.h"

#include <stdio.h>

void random_guid(struct random_source *r, char ret[static 37])
{
	unsigned char b[16];

	r->fill(r, b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		b[13], b[14], b[15]);
}
