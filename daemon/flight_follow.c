/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/flight.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"

/* Bulk observation shows the end of most operations; only what takes longer is asked singly. */
#define INQUIRY_AFTER DUR_MIN(10)
#define INQUIRY_EVERY DUR_S(60)
/* The activity log shows an event 3 to 20 minutes late (Azure Monitor, "Activity log"). */
#define ACTIVITY_LAG DUR_MIN(25)

static void follow_fired(void *ctx)
{
	struct flight *f = ctx;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	if (f->call == NULL && f->op.phase >= PHASE_SENT && f->op.phase < PHASE_ENDED)
		flight_inquire(f);
}

void flight_follow_in(struct flight *f, struct dur delay)
{
	struct loop *loop = f->executor->world->loop;

	if (f->timer == NULL)
		f->timer = loop_timer_new(loop, follow_fired, f);
	loop->ops->timer_arm(f->timer, mono_add(loop_mono(loop), delay));
}

/* An operation with a URL is watched in bulk first; without an answer nothing else is known. */
void flight_follow(struct flight *f)
{
	if (f->op.phase == PHASE_RUNNING)
		flight_follow_in(f, dur_max(INQUIRY_AFTER, f->poll.after));
	else
		flight_follow_in(f, INQUIRY_EVERY);
}

static void conclude(struct flight *f, const char *outcome, const struct item_event *event)
{
	flight_store_outcome(f, outcome, NULL, NULL);
	if (f->ref.subscription != NULL)
		item_of(&f->ref)->operation = NULL;
	flight_tell(f, event);
	flight_end(f);
	executor_pump(f->executor);
}

static void give_up_at_deadline(struct flight *f)
{
	struct executor *x = f->executor;

	if (wall_before(loop_wall(x->world->loop), f->op.deadline)) {
		flight_follow_in(f, INQUIRY_EVERY);
		return;
	}
	conclude(f, "unknown",
		&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
			.reason = REASON_OPERATION_OVERDUE,
			.detail = ""});
}

/* The activity log of the correlation id: an event that ended badly, or none long after. */
static bool activity_says_failed(const json_t *log, bool *ret_any)
{
	const json_t *events = json_object_get(log, "value");
	size_t i;
	json_t *event;
	bool failed = false;

	*ret_any = json_array_size(events) > 0;
	json_array_foreach (events, i, event)
		if (str_equal_nocase(json_path_text(event, "status.value"), "Failed"))
			failed = true;
	return failed;
}

static void activity_read(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;
	json_t *log = NULL;
	struct dur age;
	bool any = false;
	bool failed;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		log = flight_document(result);
	if (!json_is_array(json_object_get(log, "value"))) {
		json_decref(log);
		give_up_at_deadline(f);
		return;
	}
	failed = activity_says_failed(log, &any);
	json_decref(log);
	age = wall_since(loop_wall(f->executor->world->loop), f->op.started);
	if (failed)
		conclude(f, "failed",
			&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
				.reason = REASON_TRANSIENT,
				.detail = "the activity log shows that the write failed"});
	else if (!any && age.ms > ACTIVITY_LAG.ms)
		conclude(f, "never-arrived",
			&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
				.reason = REASON_TRANSIENT,
				.detail = "the activity log shows no such write"});
	else
		give_up_at_deadline(f);
}

static void ask_activity_log(struct flight *f)
{
	struct executor *x = f->executor;
	struct arm_request request = {0};
	struct wall now = loop_wall(x->world->loop);

	arm_find_activity(f->ref.subscription->id, f->op.correlation_id,
		wall_add(f->op.started, DUR_MIN(-15)), now, &request);
	f->call = arm_client_call(
		x->client, flight_identity(f), &request, ARM_IDLE, NULL, activity_read, f);
}

static bool still_provisioning(const struct flight *f)
{
	const char *state = json_path_text(f->current, "properties.provisioningState");
	enum provisioning p = provisioning_read(state);

	return state != NULL && (p == PROVISIONING_RUNNING || p == PROVISIONING_UNKNOWN);
}

static void judge_again(struct flight *f)
{
	struct reconciler *r = f->executor->reconciler;

	if (f->ref.machine != NULL)
		reconciler_machine_seen(r, f->ref.machine);
	else
		reconciler_subscription_seen(r, f->ref.subscription);
}

/* The answer was lost; what the resource shows now is the outcome. */
static void accept_what_shows(struct flight *f)
{
	conclude(f, "seen",
		&(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.detail = "",
			.limit = control_by_id(f->op.control)->settle});
	judge_again(f);
}

/* The resource's own state decides; where it says nothing of a failure, the operation's error. */
static void accept_failure(struct flight *f)
{
	struct item_ref ref = f->ref;
	struct arm_error failure = f->failure;
	struct executor *x = f->executor;

	flight_store_outcome(f, "failed", failure.code, NULL);
	x->counts.failed++;
	item_of(&ref)->operation = NULL;
	judge_again(f);
	if (item_of(&ref)->state == ITEM_APPLYING)
		flight_tell(f,
			&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
				.reason = REASON_TRANSIENT,
				.detail =
					*failure.message != '\0' ? failure.message : failure.code});
	flight_end(f);
	executor_pump(x);
}

static void resource_read(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;
	bool absent = result->error.class == ARM_ERROR_ABSENT;
	bool failed = f->failure.class != ARM_ERROR_NONE;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	if (result->error.class != ARM_ERROR_NONE && !absent) {
		give_up_at_deadline(f);
		return;
	}
	/* An extension that is being created answers 404 until it is done: no fact, then. */
	if (absent && !failed) {
		ask_activity_log(f);
		return;
	}
	if (flight_take_reading(f, result) != 0 || (still_provisioning(f) && !failed)) {
		give_up_at_deadline(f);
		return;
	}
	if (failed) {
		accept_failure(f);
	} else if (f->op.phase == PHASE_SENT || f->op.recovered) {
		accept_what_shows(f);
	} else {
		flight_follow_in(f, INQUIRY_EVERY);
		judge_again(f);
	}
}

static void read_resource(struct flight *f)
{
	if (!flight_read(f, ARM_NORMAL, resource_read))
		give_up_at_deadline(f);
}

void flight_look_why(struct flight *f, const struct arm_error *failure)
{
	f->failure = *failure;
	operation_poll_fini(&f->poll);
	read_resource(f);
}

static void polled(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;
	struct arm_error error;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	if (result->reply == NULL) {
		give_up_at_deadline(f);
		return;
	}
	switch (operation_polled(result->reply, result->arm_origin,
		loop_wall(f->executor->world->loop), &f->poll, &error)) {
	case OPERATION_SUCCEEDED: flight_succeed(f, result->request_id); break;
	case OPERATION_FAILED:
		result->error = error;
		flight_log_failure(f, result);
		flight_look_why(f, &error);
		break;
	case OPERATION_RUNNING:
	case OPERATION_UNREADABLE: give_up_at_deadline(f); break;
	case OPERATION_EXPIRED:
		operation_poll_fini(&f->poll);
		read_resource(f);
		break;
	}
}

void flight_inquire(struct flight *f)
{
	struct executor *x = f->executor;

	if (f->call != NULL || f->ref.subscription == NULL)
		return;
	if (f->poll.url == NULL || flight_identity(f) == NULL) {
		read_resource(f);
		return;
	}
	f->call = arm_client_poll(
		x->client, flight_identity(f), f->ref.subscription->id, f->poll.url, polled, f);
}
