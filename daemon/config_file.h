/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_file: reads mdcd.conf and conf.d/ *.conf into neutral records.
 *
 *   config_file.c      files: which, in what order, and which are refused
 *   config_tokens.c    the text of one into tokens
 *   config_records.c   tokens into statements, sections and records
 *   config_values.c    the values of a statement, with libconfuse
 *
 * libconfuse opens files, reads the environment and stops at the first error; here files are read
 * whole (capped), ${NAME} is expanded by ourselves and fails when unset, duplicate options and
 * titles are errors, and after an error the reading goes on, up to 20 errors.
 */
#ifndef MDCD_CONFIG_FILE_H
#define MDCD_CONFIG_FILE_H

#include "lib/base/diag.h"
#include "lib/model/config.h"

typedef const char *(*environment_fn)(const char *name);

/*
 * Reads `path`, then the files "conf.d/ *.conf" beside it in the order of their names. Every error
 * is in `diags`; -EINVAL if there was any, another errno where the first file cannot be read.
 */
int config_files_read(const char *path, environment_fn environment, struct diags *diags,
	struct config_section *ret) MDC_MUST_CHECK;
/*
 * The same, and config_build(); what identities may take from the environment (config.h) counts as
 * written in them.
 */
int config_files_load(const char *path, environment_fn environment, struct diags *diags,
	struct config **ret) MDC_MUST_CHECK;
/* From memory, as if it were the file `name`: for tests and fuzzing. */
int config_text_read(const char *text, const char *name, environment_fn environment,
	struct diags *diags, struct config_section *ret) MDC_MUST_CHECK;

#endif
