/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_request: the requests of `mdcctl preflight`: what the caller may do in a subscription, and
 * what else refuses a write there. All only read.
 */
#ifndef MDC_ACCESS_REQUEST_H
#define MDC_ACCESS_REQUEST_H

#include "lib/azure/arm_request.h"

/* The caller's own permissions; `group` is a resource group, or NULL for the subscription. */
void access_list_permissions(const char *subscription, const char *group, struct arm_request *ret);
/* The registration of a resource provider, by its namespace. */
void access_get_registration(
	const char *subscription, const char *provider, struct arm_request *ret);
/* Locks of the subscription, of groups and of resources in it. */
void access_list_locks(const char *subscription, struct arm_request *ret);
void access_list_deny_assignments(const char *subscription, struct arm_request *ret);
/*
 * Whether policies would refuse a resource: a POST that changes nothing. `parent` is the id of what
 * it would be created in, or NULL for the subscription itself. Takes the document, which may be
 * part of one.
 */
void access_check_policies(const char *subscription, const char *parent, json_t *take_content,
	const char *version, struct arm_request *ret);

#endif
