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

void flight_free(struct flight *f)
{
	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->magic = 0;
	list_remove(&f->link);
	if (f->timer != NULL)
		f->executor->world->loop->ops->timer_free(f->timer);
	json_decref(f->current);
	arm_request_fini(&f->request);
	operation_poll_fini(&f->poll);
	free(f->identity);
	free(f->read_id);
	free(f->op.resource_id);
	free(f->op.target_id);
	free(f);
}

void flight_leave(struct flight *f)
{
	struct executor *x = f->executor;

	if (f->overdue)
		return;
	if (f->queued) {
		x->queued--;
	} else if (f->op.phase >= PHASE_SENT) {
		x->running--;
	} else {
		x->flying--;
		f->lane->flying--;
	}
}

/* Never freed inside its own callback. What ended may have made room for what waits. */
void flight_end(struct flight *f)
{
	struct executor *x = f->executor;
	struct loop *loop = x->world->loop;

	if (f->ref.subscription != NULL && item_of(&f->ref)->operation == &f->op)
		item_of(&f->ref)->operation = NULL;
	if (f->call != NULL)
		arm_client_cancel(x->client, f->call);
	f->call = NULL;
	if (f->waits_for_package)
		onboarding_forget(x->packages, f);
	f->waits_for_package = false;
	if (f->timer != NULL)
		loop->ops->timer_disarm(f->timer);
	flight_leave(f);
	f->op.phase = PHASE_ENDED;
	list_remove(&f->link);
	list_append(&x->ended, &f->link);
	loop->ops->timer_arm(x->reaper, loop_mono(loop));
	store_flush(x->store, NULL, NULL);
	reconciler_made_room(x->reconciler);
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

void flight_part(struct flight *f, const struct item_event *event)
{
	if (f->ref.subscription != NULL && item_of(&f->ref)->operation == &f->op)
		item_of(&f->ref)->operation = NULL;
	flight_tell(f, event);
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

/* Goes to disk together with what the item becomes by it: see flight_end(). */
void flight_store_outcome(
	struct flight *f, const char *outcome, const char *code, const char *request_id)
{
	struct executor *x = f->executor;

	store_end_operation(x->store, f->op.id, loop_wall(x->world->loop), outcome,
		code != NULL ? code : "", request_id != NULL ? request_id : "");
}

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

	return scope != NULL ? scope->identity->name : f->identity;
}

struct wall flight_rests_until(const struct flight *f)
{
	const struct control *control = control_by_id(f->op.control);
	struct control_view view;

	if (control->pause == NULL || f->ref.subscription == NULL)
		return WALL_UNSET;
	view = item_view(&f->ref, f->executor->config, loop_wall(f->executor->world->loop));
	return wall_add(view.now, control->pause(&view));
}

/* --- reading the resource --- */

/* The id of what a request is about: paths are percent-encoded, ids are not. */
static char *id_of_path(const char *path)
{
	char *id = xstrndup(path, strcspn(path, "?"));
	bool sound = http_percent_decode(id);

	assert(sound);
	return id;
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
	f->read_id = id_of_path(request.path);
	f->asked = view.now;
	f->call = arm_client_call(x->client, flight_identity(f), &request, priority, NULL, done, f);
	return true;
}

static int note_reading(struct flight *f, bool absent)
{
	struct inventory *inv = f->executor->inventory;
	struct stamp stamp = {.at = f->asked, .source = SOURCE_ARM};
	struct noted noted;

	if (absent)
		return inventory_note_absent(inv, f->read_id, stamp, &noted);
	/* Whatever stands in between may answer with something else. */
	if (!arm_id_same(json_text(f->current, "id"), f->read_id))
		return -EINVAL;
	return inventory_note(inv, f->current, stamp, &noted);
}

int flight_take_reading(struct flight *f, const struct arm_result *result)
{
	bool absent = result->error.class == ARM_ERROR_ABSENT;

	json_decref(f->current);
	f->current = absent ? NULL : flight_document(result);
	f->read_at = loop_wall(f->executor->world->loop);
	if (!absent && f->current == NULL)
		return -EBADMSG;
	/* A plan cannot be absent, and a machine can vanish meanwhile: both change no fact. */
	return note_reading(f, absent) == -EINVAL ? -EBADMSG : 0;
}
