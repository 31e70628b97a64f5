/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm_error: what a failed answer means. One table maps (HTTP status, error code) to a class; the
 * class says whether waiting helps, and what has to be paused meanwhile.
 */
#ifndef MDC_ARM_ERROR_H
#define MDC_ARM_ERROR_H

#include "lib/base/base.h"

#include <jansson.h>

enum arm_error_class {
	ARM_ERROR_NONE,         /* 2xx */
	ARM_ERROR_THROTTLED,    /* 429: freeze the bucket until Retry-After */
	ARM_ERROR_TRANSIENT,    /* 408, 5xx, connection trouble: retry this item */
	ARM_ERROR_BUSY,         /* 409, another operation in progress: wait, then read again */
	ARM_ERROR_DENIED,       /* 403: a role is missing */
	ARM_ERROR_POLICY,       /* 403 RequestDisallowedByPolicy */
	ARM_ERROR_LOCKED,       /* 409 ScopeLocked */
	ARM_ERROR_DISABLED,     /* 409 ReadOnlyDisabledSubscription: park writes, go on reading */
	ARM_ERROR_UNREGISTERED, /* resource provider not registered */
	ARM_ERROR_NO_SUBSCRIPTION, /* 404 SubscriptionNotFound: also means access was lost */
	ARM_ERROR_ABSENT,          /* 404, 410: the resource, group or parent is not there */
	ARM_ERROR_TOKEN,           /* 401 expired or invalid token: renew once */
	ARM_ERROR_IDENTITY,        /* token endpoint refused us, wrong tenant: configuration */
	ARM_ERROR_CHANGED,         /* 412: read again */
	ARM_ERROR_TOO_LARGE,       /* ResponsePayloadTooLarge: ask for less */
	ARM_ERROR_REQUEST,         /* other 4xx: will not get better until what we send changes */
	ARM_ERROR_CLASS_N_
};

#define ARM_ERROR_CODE_SIZE 96
#define ARM_ERROR_TEXT_SIZE 1024

struct arm_error {
	enum arm_error_class class;
	int status;                        /* HTTP status; 0 where no reply arrived */
	char code[ARM_ERROR_CODE_SIZE];    /* innermost telling code, "" if none */
	char message[ARM_ERROR_TEXT_SIZE]; /* cut; not escaped */
	char target[ARM_ERROR_CODE_SIZE];  /* e.g. the provider to register */
};

/*
 * Reads `{"error":{…}}`, the same fields at top level, the token endpoint's form, or nothing (HTML,
 * empty): then the status line decides. Never fails.
 */
void arm_error_read(int status, const char *body, size_t len, struct arm_error *ret);
/* From the `error` member of a long-running operation's status document. */
void arm_error_from_operation(const json_t *status_document, struct arm_error *ret);
/* For trouble below HTTP; `what` is a short text such as "connection refused". */
void arm_error_transport(const char *what, struct arm_error *ret);

/* The class as one word for logs and JSON ("throttled"). */
const char *arm_error_class_name(enum arm_error_class class);
/* True when nothing but time is needed. */
bool arm_error_is_retryable(enum arm_error_class class);

#endif
