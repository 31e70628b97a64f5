/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/flight.h"

#include "lib/azure/activity_log.h"
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"

/* Bulk observation shows the end of most operations; only what takes longer is asked singly. */
#define INQUIRY_AFTER DUR_MIN(10)
/* Where the server says nothing else (ARM RPC: 60 s when Retry-After is absent). */
#define INQUIRY_EVERY DUR_S(60)
/* One that runs on past its limit, as long as it does. */
#define OVERDUE_EVERY DUR_H(1)
#define OVERDUE_LIMIT DUR_H(2)
/* Before the intent, for clocks that differ. */
#define ACTIVITY_BEFORE DUR_MIN(15)

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

/*
 * Not asked about sooner than the server wants, and never at once: what was just written may not
 * show yet. Without a reason it is asked about more seldom still.
 */
static struct dur rest(struct flight *f)
{
	struct dur least = f->poll.after.ms > 0 ? f->poll.after : INQUIRY_EVERY;

	f->rests_until = mono_add(loop_mono(f->executor->world->loop), least);
	return dur_max(INQUIRY_EVERY, least);
}

static void follow_on(struct flight *f)
{
	flight_follow_in(f, rest(f));
}

static bool deletes(const struct flight *f)
{
	return str_equal(f->op.verb, "DELETE");
}

/*
 * An operation on a machine is watched in bulk first; of others nothing else tells, and neither of
 * a deletion: what the watch does not list it does not take for gone.
 */
void flight_follow(struct flight *f)
{
	struct dur wait = rest(f);
	bool in_bulk = f->op.phase == PHASE_RUNNING && f->ref.machine != NULL && !deletes(f);

	flight_follow_in(f, in_bulk ? dur_max(INQUIRY_AFTER, wait) : wait);
}

void flight_inquire_soon(struct flight *f)
{
	struct mono now = loop_mono(f->executor->world->loop);

	if (mono_before(now, f->rests_until))
		flight_follow_in(f, mono_since(f->rests_until, now));
	else
		flight_inquire(f);
}

static void conclude(struct flight *f, const char *outcome, const struct item_event *event)
{
	flight_store_outcome(f, outcome, NULL, NULL);
	flight_part(f, event);
	flight_end(f);
	executor_pump(f->executor);
}

static bool is_past_deadline(const struct flight *f)
{
	return !wall_before(loop_wall(f->executor->world->loop), f->op.deadline);
}

/* Nothing can be said of it: after its deadline it holds its item no longer. */
static void give_up_at_deadline(struct flight *f)
{
	if (!is_past_deadline(f)) {
		follow_on(f);
		return;
	}
	conclude(f, "unknown",
		&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
			.reason = REASON_OPERATION_OVERDUE,
			.detail = "",
			.until = flight_rests_until(f)});
}

/*
 * Azure says that it is still at work. However long that takes, a second write would run into the
 * first; it holds back no other machine's turn, though.
 */
static void run_on(struct flight *f)
{
	if (!is_past_deadline(f)) {
		follow_on(f);
		return;
	}
	if (!f->overdue) {
		flight_leave(f);
		f->overdue = true;
		executor_pump(f->executor);
		reconciler_made_room(f->executor->reconciler);
	}
	flight_tell(f,
		&(struct item_event){.kind = EVENT_CALL_LOST,
			.reason = REASON_OPERATION_OVERDUE,
			.detail = "",
			.limit = OVERDUE_LIMIT});
	flight_follow_in(f, OVERDUE_EVERY);
}

void flight_judge_again(struct flight *f)
{
	struct reconciler *r = f->executor->reconciler;

	if (f->ref.machine != NULL)
		reconciler_machine_seen(r, f->ref.machine);
	else
		reconciler_subscription_seen(r, f->ref.subscription);
}

/* It took effect as far as can be told; what is seen next decides. */
static void accept_late(struct flight *f, const char *outcome)
{
	conclude(f, outcome,
		&(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.detail = "",
			.limit = control_by_id(f->op.control)->settle});
	flight_judge_again(f);
}

/* --- the activity log --- */

static void conclude_failed(struct flight *f, const char *outcome, enum reason reason,
	const char *detail, struct wall until)
{
	f->executor->counts.failed++;
	conclude(f, outcome,
		&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
			.reason = reason,
			.detail = detail,
			.until = until});
}

/* Only that there is no event long after it should be there says that it never arrived. */
static void conclude_never_arrived(struct flight *f)
{
	struct dur age = wall_since(loop_wall(f->executor->world->loop), f->op.started);

	if (age.ms <= ACTIVITY_LAG.ms)
		give_up_at_deadline(f);
	else
		conclude_failed(f, "never-arrived", REASON_TRANSIENT,
			"the activity log shows that the write never arrived", WALL_UNSET);
}

static void activity_read(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;
	json_t *log = NULL;
	enum activity_outcome outcome;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	if (result->error.class == ARM_ERROR_NONE)
		log = flight_document(result);
	outcome = activity_outcome(log);
	json_decref(log);
	switch (outcome) {
	case ACTIVITY_UNREADABLE:
	case ACTIVITY_OPEN: give_up_at_deadline(f); break;
	case ACTIVITY_NONE: conclude_never_arrived(f); break;
	case ACTIVITY_SUCCEEDED: accept_late(f, "succeeded"); break;
	case ACTIVITY_FAILED:
		conclude_failed(f, "failed", REASON_OPERATION_FAILED,
			"the activity log shows that the write failed", flight_rests_until(f));
		break;
	}
}

static void ask_activity_log(struct flight *f)
{
	struct executor *x = f->executor;
	struct arm_request request = {0};

	arm_find_activity(f->ref.subscription->id, f->op.correlation_id,
		wall_add(f->op.started, DUR_MS(-ACTIVITY_BEFORE.ms)), loop_wall(x->world->loop),
		&request);
	f->call = arm_client_call(
		x->client, flight_identity(f), &request, ARM_IDLE, NULL, activity_read, f);
}

/* --- the resource --- */

/* The resource's own state decides; where it says nothing of a failure, the operation's error. */
static void accept_failure(struct flight *f)
{
	struct executor *x = f->executor;
	struct item_ref ref = f->ref;

	flight_store_outcome(f, "failed", f->failure.code, NULL);
	x->counts.failed++;
	item_of(&ref)->operation = NULL;
	flight_judge_again(f);
	if (item_of(&ref)->state == ITEM_APPLYING)
		flight_tell(f,
			&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
				.reason = REASON_OPERATION_FAILED,
				.detail = *f->failure.message != '\0' ? f->failure.message
								      : f->failure.code,
				.until = flight_rests_until(f)});
	flight_end(f);
	executor_pump(x);
}

static enum provisioning state_read(const struct flight *f)
{
	const char *state = arm_document_state(f->current);

	/* Absent means Succeeded (ARM RPC). */
	return state != NULL ? provisioning_read(state) : PROVISIONING_SUCCEEDED;
}

static void conclude_from_state(struct flight *f)
{
	const char *state = arm_document_state(f->current);

	switch (state_read(f)) {
	case PROVISIONING_RUNNING:
	case PROVISIONING_UNKNOWN: run_on(f); break;
	case PROVISIONING_FAILED:
	case PROVISIONING_CANCELED:
		str_copy(f->failure.code, sizeof(f->failure.code), state);
		accept_failure(f);
		break;
	case PROVISIONING_SUCCEEDED:
	case PROVISIONING_N_:
		/* What was to be deleted is still there, and nobody is at work on it. */
		if (deletes(f))
			ask_activity_log(f);
		else
			accept_late(f, "seen");
		break;
	}
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
	if (absent && !failed && !deletes(f)) {
		ask_activity_log(f);
		return;
	}
	if (flight_take_reading(f, result) != 0)
		give_up_at_deadline(f);
	else if (failed)
		accept_failure(f);
	else if (absent)
		accept_late(f, "seen");
	else
		conclude_from_state(f);
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

/* --- the operation --- */

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
	case OPERATION_RUNNING: run_on(f); break;
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
