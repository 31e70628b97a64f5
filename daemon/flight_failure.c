/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/flight.h"

#include "lib/base/str.h"

#include <stdio.h>

/* --- what it means for the item --- */

static enum reason reason_of_error(enum arm_error_class class)
{
	switch (class) {
	case ARM_ERROR_THROTTLED: return REASON_THROTTLED;
	case ARM_ERROR_BUSY: return REASON_BUSY;
	case ARM_ERROR_DENIED: return REASON_DENIED;
	case ARM_ERROR_POLICY: return REASON_POLICY_DENIES;
	case ARM_ERROR_LOCKED: return REASON_LOCKED;
	case ARM_ERROR_DISABLED: return REASON_SUBSCRIPTION_DISABLED;
	case ARM_ERROR_UNREGISTERED: return REASON_UNREGISTERED;
	case ARM_ERROR_NO_SUBSCRIPTION: return REASON_SUBSCRIPTION_GONE;
	case ARM_ERROR_ABSENT: return REASON_VANISHED;
	case ARM_ERROR_TOKEN:
	case ARM_ERROR_IDENTITY: return REASON_IDENTITY;
	case ARM_ERROR_REQUEST:
	case ARM_ERROR_TOO_LARGE: return REASON_REFUSED;
	case ARM_ERROR_NONE:
	case ARM_ERROR_TRANSIENT:
	case ARM_ERROR_CHANGED:
	case ARM_ERROR_CLASS_N_: break;
	}
	return REASON_TRANSIENT;
}

/* Tokens and vanished parents are cured by time or by the next observation. */
static bool cured_by_time(enum arm_error_class class)
{
	return arm_error_is_retryable(class) || class == ARM_ERROR_TOKEN ||
		class == ARM_ERROR_IDENTITY || class == ARM_ERROR_ABSENT;
}

/* What the control knows better than the class says. */
static enum reason special_reason(const struct flight *f, const struct arm_error *error)
{
	const struct control *control = control_by_id(f->op.control);
	struct control_view view;

	if (control->refusal == NULL || f->ref.subscription == NULL ||
		f->ref.subscription->scope == NULL)
		return REASON_NONE;
	view = item_view(&f->ref, f->executor->config, loop_wall(f->executor->world->loop));
	return control->refusal(&view, error);
}

static struct item_event event_of_error(const struct flight *f, const struct arm_result *result,
	char detail[static ARM_ERROR_TEXT_SIZE])
{
	const struct executor *x = f->executor;
	const struct arm_error *error = &result->error;
	enum reason special = special_reason(f, error);
	bool retry = special == REASON_NONE && cured_by_time(error->class);

	str_copy(detail, ARM_ERROR_TEXT_SIZE,
		*error->message != '\0' ? error->message : error->code);
	return (struct item_event){
		.kind = retry ? EVENT_CALL_RETRYABLE : EVENT_CALL_REFUSED,
		.reason = special != REASON_NONE ? special : reason_of_error(error->class),
		.detail = detail,
		.until = result->retry_after.ms > 0
			? wall_add(loop_wall(x->world->loop), result->retry_after)
			: WALL_UNSET,
	};
}

/* --- telling the journal --- */

static const char *scope_name(const struct flight *f)
{
	const struct scope_config *scope =
		f->ref.subscription != NULL ? f->ref.subscription->scope : NULL;

	return scope != NULL ? scope->name : "";
}

void flight_log_about(const struct flight *f, struct log_entry *e)
{
	log_add(e, "MDCD_CONTROL", control_word(f->op.control));
	log_add(e, "MDCD_RESOURCE_ID", f->op.resource_id);
	log_add(e, "MDCD_SCOPE", scope_name(f));
	if (f->ref.subscription != NULL)
		log_add(e, "MDCD_SUBSCRIPTION_ID", f->ref.subscription->id);
	if (f->ref.machine != NULL)
		log_add(e, "MDCD_MACHINE", f->ref.machine->name);
}

static void log_one(struct flight *f, const struct arm_result *result, bool loudly)
{
	const struct arm_error *error = &result->error;
	struct log_entry *e = log_begin(f->executor->world->log, LOG_WRITE_FAILED_MESSAGE);

	if (!loudly)
		log_priority(e, LOG_DEBUG);
	flight_log_about(f, e);
	log_add(e, "MDCD_CORRELATION_ID", result->correlation_id);
	log_add(e, "MDCD_REQUEST_ID", result->request_id);
	log_add(e, "MDCD_ERROR_CODE", error->code);
	log_add(e, "MDCD_ERROR_CLASS", arm_error_class_name(error->class));
	log_addf(e, "MDCD_HTTP_STATUS", "%d", error->status);
	log_commit(e, 0, "%s: %s %s failed: %s%s%s", f->op.resource_id,
		f->op.verb != NULL                    ? f->op.verb
			: f->stage == HOLDOFF_PACKAGE ? "reading the onboarding package for"
						      : "reading the resource of",
		control_word(f->op.control), error->code,
		*error->code != '\0' && *error->message != '\0' ? ": " : "", error->message);
}

static void log_group(struct executor *x, enum failure_news news, const struct failure_group *group)
{
	struct log_entry *e = log_begin(x->world->log, LOG_FAILURE_GROUP_MESSAGE);
	char began[WALL_TEXT_SIZE];
	const char *class = arm_error_class_name(group->class);
	unsigned long long count = group->count;

	wall_format(group->began, began);
	if (news == FAILURE_OVER)
		log_priority(e, LOG_NOTICE);
	log_add(e, "MDCD_CONTROL", control_word(group->control));
	log_add(e, "MDCD_SCOPE", group->scope);
	log_add(e, "MDCD_ERROR_CODE", group->code);
	log_add(e, "MDCD_ERROR_CLASS", class);
	log_add(e, "MDCD_RESOURCE_ID", group->resource_id);
	log_addf(e, "MDCD_COUNT", "%llu", count);
	if (news == FAILURE_OVER)
		log_commit(e, 0, "%s in scope %s: %s (%s) is over, after %llu failures since %s",
			control_word(group->control), group->scope, class, group->code, count,
			began);
	else
		log_commit(e, 0,
			"%s in scope %s: %s (%s) %llu times since %s, further ones are only "
			"counted; last on %s: %s",
			control_word(group->control), group->scope, class, group->code, count,
			began, group->resource_id, group->message);
}

void executor_tell_failures(struct executor *x)
{
	struct wall now = loop_wall(x->world->loop);
	const struct failure_group *group;
	enum failure_news news;

	while (failure_groups_next(x->failures, now, &news, &group))
		log_group(x, news, group);
}

void flight_log_failure(struct flight *f, const struct arm_result *result)
{
	struct executor *x = f->executor;
	const struct failure_group *group;
	struct failure failure = {.control = f->op.control,
		.class = result->error.class,
		.code = result->error.code,
		.scope = scope_name(f),
		.resource_id = f->op.resource_id,
		.message = result->error.message};
	enum failure_news news =
		failure_groups_add(x->failures, &failure, loop_wall(x->world->loop), &group);

	log_one(f, result, news == FAILURE_FIRST);
	if (news == FAILURE_SECOND)
		log_group(x, news, group);
	executor_look_later(x);
}

/* --- what it means for others --- */

struct holdoff_place flight_place(const struct item_ref *ref)
{
	const struct subscription *s = ref->subscription;

	return (struct holdoff_place){
		.identity = s->scope != NULL ? s->scope->identity->name : "",
		.subscription = s->id,
		.group = item_group(ref),
		.control = ref->control,
	};
}

static void log_cure(
	struct executor *x, const struct holdoff_place *place, enum reason reason, bool group)
{
	struct log_entry *e = log_begin(x->world->log, LOG_FAILURE_GROUP_MESSAGE);

	log_priority(e, LOG_NOTICE);
	log_add(e, "MDCD_CONTROL", control_word(place->control));
	log_add(e, "MDCD_SUBSCRIPTION_ID", place->subscription);
	log_add(e, "MDCD_REASON", reason_word(reason));
	log_commit(e, 0, "%s in subscription %s%s%s: %s is over, what waited for it goes on",
		control_word(place->control), place->subscription, group ? ", resource group " : "",
		group ? place->group : "", reason_word(reason));
}

void flight_passed(struct flight *f, enum holdoff_stage stage)
{
	struct executor *x = f->executor;
	struct holdoff_place place;
	enum reason reason;
	bool group;

	if (f->ref.subscription == NULL)
		return;
	place = flight_place(&f->ref);
	if (stage == HOLDOFF_WRITE)
		failure_groups_passed(
			x->failures, f->op.control, scope_name(f), loop_wall(x->world->loop));
	if (!holdoff_passed(x->holdoff, &place, stage, &reason, &group))
		return;
	log_cure(x, &place, reason, group);
	reconciler_cured(x->reconciler, &f->ref, group, reason);
	executor_look_later(x);
}

static void hold_others(struct flight *f, const struct arm_result *result)
{
	struct executor *x = f->executor;
	struct holdoff_place place = flight_place(&f->ref);

	holdoff_refused(x->holdoff, &place, result->error.class, f->stage,
		reason_of_error(result->error.class), loop_wall(x->world->loop));
}

void flight_fail(struct flight *f, const struct arm_result *result)
{
	struct executor *x = f->executor;
	char detail[ARM_ERROR_TEXT_SIZE];
	struct item_event event = event_of_error(f, result, detail);

	hold_others(f, result);
	flight_log_failure(f, result);
	if (f->op.phase >= PHASE_INTENDED)
		flight_store_outcome(f, f->op.phase < PHASE_SENT ? "not-sent" : "failed",
			result->error.code, result->request_id);
	if (f->op.phase < PHASE_SENT)
		x->counts.unsent++;
	else
		x->counts.failed++;
	flight_part(f, &event);
	flight_end(f);
	executor_pump(x);
}
