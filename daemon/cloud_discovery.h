/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cloud_discovery: where a cloud signs people in, asked of its resource-manager, for a cloud whose
 * configuration does not say it.
 *
 * What the answer names is never used by itself: whoever can answer for the resource-manager would
 * be sent secrets, or tokens for another service. It is told to the administrator, who writes it
 * down or not.
 */
#ifndef MDCD_CLOUD_DISCOVERY_H
#define MDCD_CLOUD_DISCOVERY_H

#include "daemon/token_job.h"

/* Asks, and ends the job by a failure that says what to write. */
void cloud_discovery_tell(struct token_job *job);

struct cloud_endpoints {
	char login[256];    /* "https://login.microsoftonline.com" */
	char audience[256]; /* the first one; "": none is named */
	bool known;         /* the audience that was asked for is among them */
};
/*
 * Reads the answer of GET {resource-manager}/metadata/endpoints?api-version=2022-09-01, which may
 * begin with a byte order mark. -EINVAL where it names no login host that could be written.
 */
int cloud_discovery_read(const char *body, size_t len, const char *audience,
	struct cloud_endpoints *ret) MDC_MUST_CHECK;

#endif
