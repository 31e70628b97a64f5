/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/activity_log.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"

/* Azure Policy logs what it audits under the correlation id of the write. */
static bool is_write(const json_t *event)
{
	const char *operation = json_path_text(event, "operationName.value");

	/* Resource providers are registered, and unregistered, by actions. */
	return operation == NULL || str_ends_nocase(operation, "/write") ||
		str_ends_nocase(operation, "/delete") ||
		str_ends_nocase(operation, "register/action");
}

static bool has_status(const json_t *event, const char *status)
{
	return str_equal_nocase(json_path_text(event, "status.value"), status);
}

enum activity_outcome activity_outcome(const json_t *log)
{
	const json_t *events = json_path(log, "value");
	enum activity_outcome outcome = ACTIVITY_NONE;
	size_t i;
	json_t *event;

	if (!json_is_array(events))
		return ACTIVITY_UNREADABLE;
	if (json_array_size(events) > 0 || json_text(log, "nextLink") != NULL)
		outcome = ACTIVITY_OPEN;
	json_array_foreach (events, i, event) {
		if (is_write(event) && has_status(event, "Succeeded"))
			return ACTIVITY_SUCCEEDED;
		if (is_write(event) && has_status(event, "Failed"))
			outcome = ACTIVITY_FAILED;
	}
	return outcome;
}

static const char *caller_of(const json_t *event)
{
	const char *caller = json_text(event, "caller");

	return caller != NULL ? caller : json_path_text(event, "claims.appid");
}

/* The claim's name holds dots, so that it is no path. */
static const char *object_of(const json_t *event)
{
	return json_text(json_object_get(event, "claims"),
		"http://schemas.microsoft.com/identity/claims/objectidentifier");
}

const char *activity_caller_name(const char *caller)
{
	/* So recordings of machines show it that Defender for Cloud made or deployed to. */
	if (str_equal_nocase(caller, "d2a590e7-6906-4a45-8f41-cecfdca9bca1"))
		return "Azure's Hybrid RP Application, which acts for Defender for Cloud";
	return NULL;
}

static bool is_own(const json_t *event, const char *own_client)
{
	return str_equal_nocase(json_path_text(event, "claims.appid"), own_client) ||
		str_equal_nocase(json_text(event, "caller"), own_client);
}

bool activity_last_writer(const json_t *log, const char *own_client, struct activity_writer *ret)
{
	const json_t *events = json_path(log, "value");
	struct activity_writer last = {0};
	size_t i;
	json_t *event;

	json_array_foreach (events, i, event) {
		const char *at_text = json_text(event, "eventTimestamp");
		struct wall at;

		if (!is_write(event) || has_status(event, "Failed") || caller_of(event) == NULL ||
			is_own(event, own_client) || at_text == NULL ||
			wall_parse(at_text, &at) != 0 ||
			(last.caller != NULL && wall_before(at, last.at)))
			continue;
		last.caller = caller_of(event);
		last.operation = json_path_text(event, "operationName.value");
		last.object = object_of(event);
		last.at = at;
	}
	if (last.caller == NULL)
		return false;
	if (last.operation == NULL)
		last.operation = "";
	*ret = last;
	return true;
}
