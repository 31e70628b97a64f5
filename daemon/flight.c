/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/flight.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/inventory_document.h"

#include <string.h>

struct flight *flight_new(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = xcalloc(1, sizeof(*f));

	f->magic = FLIGHT_MAGIC;
	f->executor = x;
	f->ref = *ref;
	f->op.control = ref->control;
	f->op.shell = f;
	list_init(&f->link);
	list_init(&f->op.link);
	return f;
}

void flight_free(void *ctx)
{
	struct flight *f = ctx;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->magic = 0;
	list_remove(&f->link);
	if (f->timer != NULL)
		f->executor->world->loop->ops->timer_free(f->timer);
	json_decref(f->current);
	arm_request_fini(&f->request);
	operation_poll_fini(&f->poll);
	free(f->read_id);
	free(f->op.resource_id);
	free(f->op.target_id);
	free(f);
}

void flight_leave(struct flight *f)
{
	struct executor *x = f->executor;

	if (f->queued) {
		x->queued--;
	} else if (f->op.phase >= PHASE_SENT) {
		x->running--;
	} else {
		x->flying--;
		f->lane->flying--;
	}
}

/* Never inside its own callback: the memory goes when the loop's turn is over. */
void flight_end(struct flight *f)
{
	struct executor *x = f->executor;

	if (f->ref.subscription != NULL && item_of(&f->ref)->operation == &f->op)
		item_of(&f->ref)->operation = NULL;
	if (f->call != NULL) {
		arm_client_cancel(x->client, f->call);
		f->call = NULL;
	}
	if (f->timer != NULL)
		x->world->loop->ops->timer_disarm(f->timer);
	flight_leave(f);
	f->op.phase = PHASE_ENDED;
	list_remove(&f->link);
	x->world->loop->ops->defer(x->world->loop, flight_free, f);
}

struct flight *flight_of(const struct item_ref *ref)
{
	struct operation *op = item_of(ref)->operation;

	return op != NULL ? op->shell : NULL;
}

void flight_tell(struct flight *f, const struct item_event *event)
{
	struct executor *x = f->executor;
	const char *correlation = *f->op.correlation_id != '\0' ? f->op.correlation_id : NULL;

	if (f->ref.subscription != NULL)
		reconciler_event(x->reconciler, &f->ref, event, correlation);
}

void flight_store(struct flight *f)
{
	store_put_operation(f->executor->store,
		&(struct stored_operation){
			.id = f->op.id,
			.control = control_word(f->op.control),
			.resource_id = f->op.resource_id,
			.target_id = f->op.target_id,
			.verb = f->op.verb,
			.body_hash = f->op.body_hash,
			.correlation_id = f->op.correlation_id,
			.phase = operation_phase_word(f->op.phase),
			.started = f->op.started,
			.deadline = f->op.deadline,
		});
}

void flight_store_outcome(
	struct flight *f, const char *outcome, const char *code, const char *request_id)
{
	struct executor *x = f->executor;

	store_end_operation(x->store, f->op.id, loop_wall(x->world->loop), outcome,
		code != NULL ? code : "", request_id != NULL ? request_id : "");
	store_flush(x->store, NULL, NULL);
}

/* --- what a failed call means for the item --- */

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
	case ARM_ERROR_REQUEST:
	case ARM_ERROR_TOO_LARGE: return REASON_REFUSED;
	case ARM_ERROR_NONE:
	case ARM_ERROR_TRANSIENT:
	case ARM_ERROR_ABSENT:
	case ARM_ERROR_TOKEN:
	case ARM_ERROR_IDENTITY:
	case ARM_ERROR_CHANGED:
	case ARM_ERROR_CLASS_N_: return REASON_TRANSIENT;
	}
	return REASON_TRANSIENT;
}

/* Tokens and vanished parents are cured by time or by the next observation. */
static bool cured_by_time(enum arm_error_class class)
{
	return arm_error_is_retryable(class) || class == ARM_ERROR_TOKEN ||
		class == ARM_ERROR_IDENTITY || class == ARM_ERROR_ABSENT ||
		class == ARM_ERROR_CHANGED;
}

static struct item_event event_of_error(const struct executor *x, const struct arm_error *error,
	struct dur retry_after, char detail[static ARM_ERROR_TEXT_SIZE])
{
	bool retry = cured_by_time(error->class);

	str_copy(detail, ARM_ERROR_TEXT_SIZE,
		*error->message != '\0' ? error->message : error->code);
	return (struct item_event){
		.kind = retry ? EVENT_CALL_RETRYABLE : EVENT_CALL_REFUSED,
		.reason = reason_of_error(error->class),
		.detail = detail,
		.until = retry_after.ms > 0 ? wall_add(loop_wall(x->world->loop), retry_after)
					    : WALL_UNSET,
	};
}

void flight_log_failure(struct flight *f, const struct arm_result *result)
{
	struct log_entry *e = log_begin(f->executor->world->log, LOG_WRITE_FAILED_MESSAGE);

	log_add(e, "MDCD_CONTROL", control_word(f->op.control));
	log_add(e, "MDCD_RESOURCE_ID", f->op.resource_id);
	log_add(e, "MDCD_CORRELATION_ID", result->correlation_id);
	log_add(e, "MDCD_REQUEST_ID", result->request_id);
	log_add(e, "MDCD_ERROR_CODE", result->error.code);
	log_addf(e, "MDCD_HTTP_STATUS", "%d", result->error.status);
	log_commit(e, 0, "%s: %s of %s failed: %s %s", f->op.resource_id,
		f->op.verb != NULL ? f->op.verb : "read", control_word(f->op.control),
		result->error.code, result->error.message);
}

void flight_fail(struct flight *f, const struct arm_result *result)
{
	char detail[ARM_ERROR_TEXT_SIZE];
	struct item_event event =
		event_of_error(f->executor, &result->error, result->retry_after, detail);

	flight_log_failure(f, result);
	if (f->op.phase >= PHASE_INTENDED)
		flight_store_outcome(f, "failed", result->error.code, result->request_id);
	f->executor->counts.failed++;
	item_of(&f->ref)->operation = NULL;
	flight_tell(f, &event);
	flight_end(f);
	executor_pump(f->executor);
}

/* --- reading the resource --- */

json_t *flight_document(const struct arm_result *result)
{
	if (result->reply == NULL || result->reply->body == NULL)
		return NULL;
	return json_body(result->reply->body, result->reply->body_len);
}

const char *flight_identity(const struct flight *f)
{
	const struct scope_config *scope =
		f->ref.subscription != NULL ? f->ref.subscription->scope : NULL;

	return scope != NULL ? scope->identity->name : NULL;
}

bool flight_read(struct flight *f, enum arm_priority priority, arm_done_fn done)
{
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	struct arm_request request = {0};
	struct control_view view;

	if (flight_identity(f) == NULL || control->read == NULL)
		return false;
	view = item_view(&f->ref, x->config, loop_wall(x->world->loop));
	control->read(&view, &request);
	free(f->read_id);
	f->read_id = xstrndup(request.path, strcspn(request.path, "?"));
	f->asked = view.now;
	f->call = arm_client_call(x->client, flight_identity(f), &request, priority, NULL, done, f);
	return true;
}

int flight_take_reading(struct flight *f, const struct arm_result *result)
{
	struct inventory *inv = f->executor->inventory;
	struct stamp stamp = {.at = f->asked, .source = SOURCE_ARM};
	bool absent = result->error.class == ARM_ERROR_ABSENT;
	struct noted noted;
	int error;

	json_decref(f->current);
	f->current = absent ? NULL : flight_document(result);
	if (!absent && f->current == NULL)
		return -EBADMSG;
	f->read_at = loop_wall(f->executor->world->loop);
	error = absent ? inventory_note_absent(inv, f->read_id, stamp, &noted)
		       : inventory_note(inv, f->current, stamp, &noted);
	/* A plan cannot be absent, and a machine can vanish meanwhile: both change no fact. */
	return error == -EINVAL ? -EBADMSG : 0;
}
