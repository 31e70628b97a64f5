/* SPDX-License-Identifier: Apache-2.0 */
/* memory_files: secret files that exist in memory only. */
#ifndef MDC_TEST_MEMORY_FILES_H
#define MDC_TEST_MEMORY_FILES_H

#include "daemon/world.h"

struct secret_files *memory_files_new(void);
struct secret_files *memory_files_free(struct secret_files *f);
/* Creates or replaces; the file's version changes. NULL removes it. */
void memory_files_put(struct secret_files *f, const char *path, const char *text);
void memory_files_put_bytes(struct secret_files *f, const char *path, const void *data, size_t len);
/* The same, for a path that is a link to such a file. */
void memory_files_put_link(struct secret_files *f, const char *path, const char *text);
/* How often files were read. */
unsigned memory_files_reads(const struct secret_files *f);

#endif
