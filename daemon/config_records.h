/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_records: the text of one configuration file into records.
 *
 * After an error the reading goes on with the next statement. An option whose value could not be
 * read is kept without a value, so that nobody reports it as missing.
 */
#ifndef MDCD_CONFIG_RECORDS_H
#define MDCD_CONFIG_RECORDS_H

#include "daemon/config_values.h"

#define CONFIG_NESTING_MAX 8
/* Options or sections in one section, and values in one list. */
#define CONFIG_MEMBERS_MAX 10000

/* Adds what the text says to the top level `root`. */
void config_records_read(
	struct reading *r, const char *text, const char *file, struct config_section *root);

#endif
