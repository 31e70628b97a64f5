/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_memory: jansson's memory comes from xalloc and is overwritten when it is given back, since
 * documents hold tokens and onboarding packages.
 */
#ifndef MDCD_JSON_MEMORY_H
#define MDCD_JSON_MEMORY_H

/* Before the first document. */
void json_memory_init(void);

#endif
