/* SPDX-License-Identifier: Apache-2.0 */
/* arm_wire: how a call looks on the wire: its URL, its headers, and which provider it is for. */
#ifndef MDCD_ARM_WIRE_H
#define MDCD_ARM_WIRE_H

#include "lib/azure/arm_request.h"
#include "lib/base/http_message.h"
#include "lib/model/config.h"

/* ARM takes bodies of up to 4 MiB. */
#define ARM_BODY_MAX (4 * 1024 * 1024)
#define ARM_PROVIDER_SIZE 80

/* The service that a call is for: its URL in the configuration, or NULL, and whose token it wants.
 */
const char *arm_wire_base(const struct cloud_config *cloud, enum arm_quota quota);
const char *arm_wire_audience(const struct cloud_config *cloud, enum arm_quota quota);
/* "https://management.azure.com" of the service's URL. False when that is not an https URL. */
bool arm_wire_origin(const char *base, char *ret, size_t size);
/*
 * The absolute URL of a path, or of an operation URL that is passed through; NULL where it would
 * leave the service's origin. Caller frees.
 */
char *arm_wire_url(const char *base, const char *path_or_url);

/*
 * What the governor knows the call's provider as (governor.h): the request's, the one named in an
 * operation URL, "Microsoft.Security/pricings" for writing a subscription's plan.
 */
void arm_wire_provider(
	const struct arm_request *r, const char *url, char ret[static ARM_PROVIDER_SIZE]);

struct arm_wire {
	const char *url;
	const char *token;
	const char *client_request_id; /* fresh for each attempt */
	const char *correlation_id;
};
/* -EFBIG for a body over its cap. */
int arm_wire_request(const struct arm_request *r, const struct arm_wire *w,
	struct http_request *ret) MDC_MUST_CHECK;

#endif
