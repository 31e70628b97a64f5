/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/activity_log.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"

/* Azure Policy logs what it audits under the correlation id of the write. */
static bool is_write(const json_t *event)
{
	const char *operation = json_path_text(event, "operationName.value");

	return operation == NULL || str_ends_nocase(operation, "/write") ||
		str_ends_nocase(operation, "/delete");
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
		last.at = at;
	}
	if (last.caller == NULL)
		return false;
	if (last.operation == NULL)
		last.operation = "";
	*ret = last;
	return true;
}
