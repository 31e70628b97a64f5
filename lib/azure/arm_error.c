/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/arm_error.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"

#include <stdio.h>
#include <string.h>

/* Of larger bodies, and of those that are broken, the beginning is shown as it came. */
#define ERROR_BODY_MAX (1 << 20)
#define ERROR_SHOWN 512
#define DETAILS_DEPTH 4

/* By code first, whatever the status: providers disagree about statuses, not about codes. */
static const struct {
	const char *code;
	enum arm_error_class class;
} codes[] = {
	{"TooManyRequests", ARM_ERROR_THROTTLED},
	{"SubscriptionRequestsThrottled", ARM_ERROR_THROTTLED},
	{"RateLimiting", ARM_ERROR_THROTTLED},
	{"AnotherOperationInProgress", ARM_ERROR_BUSY},
	{"OperationInProgress", ARM_ERROR_BUSY},
	{"RetryableErrorDueToAnotherOperation", ARM_ERROR_BUSY},
	{"HCRP409", ARM_ERROR_BUSY},
	{"DeploymentActive", ARM_ERROR_BUSY},
	{"AuthorizationFailed", ARM_ERROR_DENIED},
	{"LinkedAuthorizationFailed", ARM_ERROR_DENIED},
	{"Forbidden", ARM_ERROR_DENIED},
	{"RequestDisallowedByPolicy", ARM_ERROR_POLICY},
	{"ScopeLocked", ARM_ERROR_LOCKED},
	{"ReadOnlyDisabledSubscription", ARM_ERROR_DISABLED},
	{"DisabledSubscription", ARM_ERROR_DISABLED},
	/* Microsoft.Security answers 404 with this code, blanks included. */
	{"Subscription Not Registered", ARM_ERROR_UNREGISTERED},
	{"SubscriptionNotRegistered", ARM_ERROR_UNREGISTERED},
	{"MissingSubscriptionRegistration", ARM_ERROR_UNREGISTERED},
	{"NoRegisteredProviderFound", ARM_ERROR_UNREGISTERED},
	{"MissingRegistrationForLocation", ARM_ERROR_UNREGISTERED},
	{"SubscriptionNotFound", ARM_ERROR_NO_SUBSCRIPTION},
	{"ResourceNotFound", ARM_ERROR_ABSENT},
	{"ResourceGroupNotFound", ARM_ERROR_ABSENT},
	{"ParentResourceNotFound", ARM_ERROR_ABSENT},
	{"HCRP404", ARM_ERROR_ABSENT},
	{"NotFound", ARM_ERROR_ABSENT},
	{"ExpiredAuthenticationToken", ARM_ERROR_TOKEN},
	{"InvalidAuthenticationToken", ARM_ERROR_TOKEN},
	{"AuthenticationFailed", ARM_ERROR_TOKEN},
	{"InvalidAuthenticationTokenTenant", ARM_ERROR_IDENTITY},
	{"invalid_client", ARM_ERROR_IDENTITY},
	{"unauthorized_client", ARM_ERROR_IDENTITY},
	{"invalid_request", ARM_ERROR_IDENTITY},
	{"invalid_grant", ARM_ERROR_IDENTITY},
	{"invalid_scope", ARM_ERROR_IDENTITY},
	{"invalid_resource", ARM_ERROR_IDENTITY},
	{"ResponsePayloadTooLarge", ARM_ERROR_TOO_LARGE},
	{"ServerTimeout", ARM_ERROR_TRANSIENT},
	{"InternalServerError", ARM_ERROR_TRANSIENT},
	{"GatewayTimeout", ARM_ERROR_TRANSIENT},
	{"ServiceUnavailable", ARM_ERROR_TRANSIENT},
	{"temporarily_unavailable", ARM_ERROR_TRANSIENT},
};

static enum arm_error_class class_of_code(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (str_equal_nocase(code, codes[i].code))
			return codes[i].class;
	return ARM_ERROR_NONE;
}

static enum arm_error_class class_of_status(int status)
{
	if (status >= 200 && status < 300)
		return ARM_ERROR_NONE;
	switch (status) {
	case 401: return ARM_ERROR_TOKEN;
	case 403: return ARM_ERROR_DENIED;
	case 404:
	case 410: return ARM_ERROR_ABSENT;
	case 408: return ARM_ERROR_TRANSIENT;
	case 409: return ARM_ERROR_BUSY;
	case 412: return ARM_ERROR_CHANGED;
	case 413: return ARM_ERROR_TOO_LARGE;
	case 429: return ARM_ERROR_THROTTLED;
	default: break;
	}
	return status >= 400 && status < 500 ? ARM_ERROR_REQUEST : ARM_ERROR_TRANSIENT;
}

/* Statuses that mean one thing only, whatever code comes with them. */
static bool status_decides(int status)
{
	return (status >= 200 && status < 300) || status == 429 || status == 412 || status >= 500;
}

static enum arm_error_class classify(int status, const char *code)
{
	enum arm_error_class class = status_decides(status) ? ARM_ERROR_NONE : class_of_code(code);

	return class != ARM_ERROR_NONE ? class : class_of_status(status);
}

static void take_text(const json_t *error, struct arm_error *ret)
{
	const char *code = json_text(error, "code");
	const char *message = json_text(error, "message");
	const char *target = json_text(error, "target");

	if (code != NULL)
		str_copy(ret->code, sizeof(ret->code), code);
	if (message != NULL && *ret->message == '\0')
		str_copy(ret->message, sizeof(ret->message), message);
	if (target != NULL && *ret->target == '\0')
		str_copy(ret->target, sizeof(ret->target), target);
}

/*
 * A detail whose code is in the table says more than a general one outside
 * (BadRequest > ResponsePayloadTooLarge, OperationNotAllowed > TooManyRequests).
 */
static void take_details(const json_t *error, struct arm_error *ret, unsigned depth)
{
	const json_t *details = json_path(error, "details");
	size_t i;
	json_t *detail;

	if (depth == 0 || class_of_code(ret->code) != ARM_ERROR_NONE)
		return;
	json_array_foreach (details, i, detail) {
		const char *code = json_text(detail, "code");

		if (code != NULL && class_of_code(code) != ARM_ERROR_NONE) {
			str_copy(ret->code, sizeof(ret->code), code);
			if (json_text(detail, "message") != NULL)
				str_copy(ret->message, sizeof(ret->message),
					json_text(detail, "message"));
			if (json_text(detail, "target") != NULL)
				str_copy(ret->target, sizeof(ret->target),
					json_text(detail, "target"));
			return;
		}
		take_details(detail, ret, depth - 1);
	}
}

/* The provider to register is named in a detail, beside an outer error without a target. */
static void take_target(const json_t *error, struct arm_error *ret)
{
	const json_t *details = json_path(error, "details");
	size_t i;
	json_t *detail;

	json_array_foreach (details, i, detail)
		if (*ret->target == '\0' && json_text(detail, "target") != NULL)
			str_copy(ret->target, sizeof(ret->target), json_text(detail, "target"));
}

static void take_error(const json_t *error, struct arm_error *ret)
{
	take_text(error, ret);
	take_details(error, ret, DETAILS_DEPTH);
	take_target(error, ret);
}

/* {"error":"invalid_client","error_description":"AADSTS7000215: …"} */
static void take_token_error(const json_t *document, struct arm_error *ret)
{
	const char *description = json_text(document, "error_description");

	str_copy(ret->code, sizeof(ret->code), json_text(document, "error"));
	if (description != NULL)
		str_copy(ret->message, sizeof(ret->message), description);
}

static void take_document(const json_t *document, struct arm_error *ret)
{
	const json_t *error = json_path(document, "error");

	if (json_is_string(error)) {
		take_token_error(document, ret);
		return;
	}
	if (!json_is_object(error))
		error = document;
	take_error(error, ret);
}

/* Web pages come from proxies, gateways and portals on the way. */
static void take_nothing(
	const json_t *document, const char *body, size_t len, struct arm_error *ret)
{
	bool silent = len == 0 || document != NULL;

	if (!silent && *body == '{') {
		snprintf(ret->message, sizeof(ret->message),
			"HTTP %d and an answer of %zu bytes that cannot be read, which begins "
			"with: "
			"%.*s",
			ret->status, len, (int)(len < ERROR_SHOWN ? len : ERROR_SHOWN), body);
		return;
	}
	snprintf(ret->message, sizeof(ret->message), "HTTP %d %s", ret->status,
		silent ? "without an error text" : "and an answer that is none of Azure's");
}

void arm_error_read(int status, const char *body, size_t len, struct arm_error *ret)
{
	json_t *document = NULL;

	*ret = (struct arm_error){.status = status};
	if (status >= 200 && status < 300)
		return;
	if (body == NULL)
		len = 0;
	if (len > 0 && len <= ERROR_BODY_MAX)
		document = json_body(body, len);
	if (json_is_object(document))
		take_document(document, ret);
	if (*ret->message == '\0' && *ret->code == '\0')
		take_nothing(document, body, len, ret);
	json_decref(document);
	ret->class = classify(status, ret->code);
	/* Throttling inside another status (Compute answers 409 so) is throttling all the same. */
	if (status < 500 && class_of_code(ret->code) == ARM_ERROR_THROTTLED)
		ret->class = ARM_ERROR_THROTTLED;
}

void arm_error_from_operation(const json_t *status_document, struct arm_error *ret)
{
	const json_t *error = json_path(status_document, "error");
	const char *status = json_text(status_document, "status");

	*ret = (struct arm_error){.class = ARM_ERROR_REQUEST, .status = 200};
	if (json_is_object(error))
		take_error(error, ret);
	if (class_of_code(ret->code) != ARM_ERROR_NONE)
		ret->class = class_of_code(ret->code);
	if (*ret->code == '\0')
		str_copy(ret->code, sizeof(ret->code), status != NULL ? status : "Failed");
}

void arm_error_transport(const char *what, struct arm_error *ret)
{
	*ret = (struct arm_error){.class = ARM_ERROR_TRANSIENT};
	str_copy(ret->code, sizeof(ret->code), "Transport");
	str_copy(ret->message, sizeof(ret->message), what);
}

const char *arm_error_class_name(enum arm_error_class class)
{
	switch (class) {
	case ARM_ERROR_NONE: return "none";
	case ARM_ERROR_THROTTLED: return "throttled";
	case ARM_ERROR_TRANSIENT: return "transient";
	case ARM_ERROR_BUSY: return "busy";
	case ARM_ERROR_DENIED: return "denied";
	case ARM_ERROR_POLICY: return "policy";
	case ARM_ERROR_LOCKED: return "locked";
	case ARM_ERROR_DISABLED: return "disabled";
	case ARM_ERROR_UNREGISTERED: return "unregistered";
	case ARM_ERROR_NO_SUBSCRIPTION: return "no-subscription";
	case ARM_ERROR_ABSENT: return "absent";
	case ARM_ERROR_TOKEN: return "token";
	case ARM_ERROR_IDENTITY: return "identity";
	case ARM_ERROR_CHANGED: return "changed";
	case ARM_ERROR_TOO_LARGE: return "too-large";
	case ARM_ERROR_REQUEST: return "request";
	case ARM_ERROR_CLASS_N_: break;
	}
	return "unknown";
}

bool arm_error_is_retryable(enum arm_error_class class)
{
	switch (class) {
	case ARM_ERROR_THROTTLED:
	case ARM_ERROR_TRANSIENT:
	case ARM_ERROR_BUSY:
	case ARM_ERROR_CHANGED: return true;
	case ARM_ERROR_NONE:
	case ARM_ERROR_DENIED:
	case ARM_ERROR_POLICY:
	case ARM_ERROR_LOCKED:
	case ARM_ERROR_DISABLED:
	case ARM_ERROR_UNREGISTERED:
	case ARM_ERROR_NO_SUBSCRIPTION:
	case ARM_ERROR_ABSENT:
	case ARM_ERROR_TOKEN:
	case ARM_ERROR_IDENTITY:
	case ARM_ERROR_TOO_LARGE:
	case ARM_ERROR_REQUEST:
	case ARM_ERROR_CLASS_N_: return false;
	}
	return false;
}
