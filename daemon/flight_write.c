/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/digest.h"
#include "daemon/flight.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/write_rules.h"

#include <string.h>

/* Quota that is further away than this goes back to the item, which waits for it. */
#define PATIENCE DUR_S(60)

static void withhold(struct flight *f, enum compose_result result, const struct verdict *verdict)
{
	struct item_event event;

	f->executor->counts.withheld++;
	item_of(&f->ref)->operation = NULL;
	if (result == COMPOSE_IN_SYNC)
		event = (struct item_event){
			.kind = EVENT_SEEN_COMPLIANT, .reason = REASON_IN_SYNC, .detail = ""};
	else
		event = item_event_from_verdict(verdict);
	/* Queued on facts that no longer hold: out of the queue first, then what is true now. */
	flight_tell(f,
		&(struct item_event){
			.kind = EVENT_STEP_WITHDRAWN, .reason = event.reason, .detail = ""});
	flight_tell(f, &event);
	flight_end(f);
	executor_pump(f->executor);
}

static void hash_body(const struct arm_request *request, char ret[static SHA256_HEX_SIZE])
{
	char *text = request->body != NULL
		? json_dumps(request->body, JSON_COMPACT | JSON_SORT_KEYS)
		: xstrdup("");

	sha256_hex(text, strlen(text), ret);
	explicit_bzero(text, strlen(text));
	free(text);
}

static bool target_is_busy(const struct flight *f)
{
	list_for_each (&f->executor->flights, node) {
		const struct flight *other = list_entry(node, struct flight, link);
		bool same_machine = f->ref.machine != NULL && other->ref.machine == f->ref.machine;
		bool same_subscription = f->ref.machine == NULL && other->ref.machine == NULL &&
			other->ref.subscription == f->ref.subscription;

		if (other == f || other->op.phase < PHASE_INTENDED)
			continue;
		if (same_machine || same_subscription ||
			(other->ref.subscription == NULL &&
				arm_id_same(other->op.resource_id, f->op.resource_id)))
			return true;
	}
	return false;
}

static enum write_refusal check_rules(struct flight *f, bool durable)
{
	struct executor *x = f->executor;
	struct wall now = loop_wall(x->world->loop);
	struct control_view view = item_view(&f->ref, x->config, now);
	const struct scope_config *scope = view.scope;
	struct write_context context = {
		.view = &view,
		.request = &f->request,
		.current = f->current,
		.read_at = f->read_at,
		.halted = gate_is_halted_now(x->gate),
		.paused = gate_is_paused(x->gate, scope != NULL ? scope->name : NULL,
				  item_resource_id(&f->ref)) ||
			gate_is_paused(x->gate, NULL, f->ref.subscription->id),
		.unconfirmed = gate_is_unconfirmed(x->gate, f->ref.subscription->id, f->op.control),
		.target_busy = target_is_busy(f),
		.intent_durable = durable,
		.identity_tenant = scope != NULL ? scope->identity->tenant : "",
	};

	return write_rules_check(&context, now);
}

static void refuse_by_rule(struct flight *f, enum write_refusal refusal)
{
	struct executor *x = f->executor;
	bool passing = refusal == WRITE_REFUSED_HALTED || refusal == WRITE_REFUSED_PAUSED ||
		refusal == WRITE_REFUSED_UNCONFIRMED || refusal == WRITE_REFUSED_TARGET_BUSY ||
		refusal == WRITE_REFUSED_OBSERVE_MODE || refusal == WRITE_REFUSED_NOT_READ ||
		refusal == WRITE_REFUSED_INCOMPLETE || refusal == WRITE_REFUSED_SCOPE_CONFLICT;
	struct log_entry *e;

	item_of(&f->ref)->operation = NULL;
	if (passing) {
		flight_tell(f,
			&(struct item_event){.kind = EVENT_STEP_WITHDRAWN,
				.reason = REASON_RULE,
				.detail = write_refusal_text(refusal)});
	} else {
		x->counts.refused_by_rule++;
		e = log_begin(x->world->log, LOG_RULE_MESSAGE);
		log_add(e, "MDCD_CONTROL", control_word(f->op.control));
		log_add(e, "MDCD_RESOURCE_ID", f->op.resource_id);
		log_commit(e, 0, "%s: %s is not sent: %s", f->op.resource_id,
			control_word(f->op.control), write_refusal_text(refusal));
		flight_tell(f,
			&(struct item_event){.kind = EVENT_CALL_REFUSED,
				.reason = REASON_RULE,
				.detail = write_refusal_text(refusal)});
	}
	flight_end(f);
	executor_pump(x);
}

/* --- sending --- */

void flight_succeed(struct flight *f, const char *request_id)
{
	const struct control *control = control_by_id(f->op.control);

	flight_store_outcome(f, "accepted", "", request_id);
	f->executor->counts.succeeded++;
	item_of(&f->ref)->operation = NULL;
	flight_tell(f,
		&(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.detail = "",
			.limit = control->settle});
	flight_end(f);
	executor_pump(f->executor);
}

static void run(struct flight *f)
{
	const struct control *control = control_by_id(f->op.control);

	f->op.phase = PHASE_RUNNING;
	flight_store(f);
	store_flush(f->executor->store, NULL, NULL);
	flight_tell(f,
		&(struct item_event){.kind = EVENT_CALL_RUNNING,
			.reason = REASON_RUNNING,
			.detail = "",
			.limit = control->operation_limit});
	flight_follow(f);
}

/* Whether the write took effect cannot be told from these answers. */
static bool outcome_is_open(const struct arm_result *result)
{
	return result->error.class == ARM_ERROR_TRANSIENT && result->error.status != 503 &&
		!result->unsent;
}

static void lose(struct flight *f)
{
	const struct control *control = control_by_id(f->op.control);

	flight_tell(f,
		&(struct item_event){.kind = EVENT_CALL_LOST,
			.reason = REASON_OUTCOME_UNKNOWN,
			.detail = "",
			.limit = control->operation_limit});
	flight_follow(f);
}

/* A setting that is not there, and that cannot be put either: this subscription has no such one. */
static bool setting_is_not_offered(const struct flight *f, const struct arm_error *error)
{
	return f->current == NULL && f->ref.machine == NULL &&
		setting_from_name(strrchr(f->read_id, '/') + 1) != SETTING_N_ &&
		(error->class == ARM_ERROR_ABSENT || error->status == 400);
}

static void accept_not_offered(struct flight *f)
{
	struct executor *x = f->executor;
	struct subscription *s = f->ref.subscription;

	flight_store_outcome(f, "not-offered", NULL, NULL);
	inventory_setting_not_offered(x->inventory, s,
		setting_from_name(strrchr(f->read_id, '/') + 1),
		(struct stamp){.at = loop_wall(x->world->loop), .source = SOURCE_ARM});
	item_of(&f->ref)->operation = NULL;
	flight_end(f);
	reconciler_subscription_seen(x->reconciler, s);
	executor_pump(x);
}

static void sent(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;
	struct arm_error error;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	/* A secret in it is not kept longer than the wire needs it. */
	arm_request_fini(&f->request);
	if (outcome_is_open(result)) {
		flight_log_failure(f, result);
		lose(f);
		return;
	}
	if (setting_is_not_offered(f, &result->error)) {
		accept_not_offered(f);
		return;
	}
	if (result->error.class != ARM_ERROR_NONE) {
		flight_fail(f, result);
		return;
	}
	operation_poll_fini(&f->poll);
	switch (operation_started(result->reply, f->op.verb, result->arm_origin,
		loop_wall(f->executor->world->loop), &f->poll, &error)) {
	case OPERATION_SUCCEEDED: flight_succeed(f, result->request_id); break;
	case OPERATION_FAILED:
		result->error = error;
		flight_log_failure(f, result);
		flight_look_why(f, &error);
		break;
	case OPERATION_RUNNING:
	case OPERATION_UNREADABLE:
	case OPERATION_EXPIRED: run(f); break;
	}
}

static void log_sending(struct flight *f)
{
	struct log_entry *e = log_begin(f->executor->world->log, LOG_WRITE_SENT_MESSAGE);

	log_add(e, "MDCD_CONTROL", control_word(f->op.control));
	log_add(e, "MDCD_RESOURCE_ID", f->op.resource_id);
	log_add(e, "MDCD_TARGET_ID", f->op.target_id);
	log_add(e, "MDCD_CORRELATION_ID", f->op.correlation_id);
	log_add(e, "MDCD_SCOPE", f->ref.subscription->scope->name);
	log_commit(e, 0, "%s %s", f->op.verb, f->op.target_id);
}

/* A halt, a pause or another configuration may have come while it waited. */
static bool last_look(void *ctx)
{
	struct flight *f = ctx;
	struct executor *x = f->executor;
	enum write_refusal refusal = check_rules(f, true);

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	if (refusal != WRITE_ALLOWED) {
		f->call = NULL;
		flight_store_outcome(f, "not-sent", write_refusal_text(refusal), NULL);
		refuse_by_rule(f, refusal);
		return false;
	}
	/* Asked again before it is sent a second time: no connection, or a token that was refused.
	 */
	if (f->op.phase == PHASE_SENT)
		return true;
	log_sending(f);
	flight_leave(f);
	f->op.phase = PHASE_SENT;
	x->running++;
	x->counts.sent++;
	flight_tell(f,
		&(struct item_event){.kind = EVENT_CALL_SENT,
			.reason = REASON_SENT,
			.detail = "",
			.limit = control_by_id(f->op.control)->operation_limit});
	executor_pump(x);
	return true;
}

/* The rules look at the very request that the client sends: both share its body. */
static struct arm_request share(const struct arm_request *request)
{
	struct arm_request copy = *request;

	copy.path = xstrdup(request->path);
	json_incref(copy.body);
	return copy;
}

static void intent_durable(void *ctx, int error)
{
	struct flight *f = ctx;
	struct executor *x = f->executor;
	struct arm_request request;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	if (f->op.phase != PHASE_INTENDED) {
		/* Withdrawn while the store was at work. */
		flight_free(f);
		return;
	}
	if (error != 0 || flight_identity(f) == NULL) {
		item_of(&f->ref)->operation = NULL;
		flight_tell(f,
			&(struct item_event){.kind = EVENT_STEP_WITHDRAWN,
				.reason = REASON_TRANSIENT,
				.detail = error != 0 ? "the state cannot be stored" : ""});
		flight_end(f);
		executor_pump(x);
		return;
	}
	request = share(&f->request);
	f->call = arm_client_write(
		x->client, flight_identity(f), &request, f->op.correlation_id, last_look, sent, f);
}

static void intend(struct flight *f)
{
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	enum write_refusal refusal = check_rules(f, false);
	size_t path_len;

	/* Before the intent is stored, only that one rule is still unmet. */
	if (refusal != WRITE_REFUSED_NO_INTENT) {
		assert(refusal != WRITE_ALLOWED);
		refuse_by_rule(f, refusal);
		return;
	}
	path_len = strcspn(f->request.path, "?");
	f->op.id = store_next_operation_id(x->store);
	f->op.target_id = xstrndup(f->request.path, path_len);
	f->op.verb = f->request.method;
	f->op.started = loop_wall(x->world->loop);
	f->op.deadline = wall_add(f->op.started, control->operation_limit);
	f->op.phase = PHASE_INTENDED;
	hash_body(&f->request, f->op.body_hash);
	random_guid(x->world->random, f->op.correlation_id);
	flight_store(f);
	store_flush(x->store, intent_durable, f);
}

static void compose(struct flight *f, const char *package)
{
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	struct control_view view = item_view(&f->ref, x->config, loop_wall(x->world->loop));
	struct compose_input input = {.current = f->current, .package = package};
	struct verdict verdict = {0};
	enum compose_result result;

	if (view.scope == NULL) {
		verdict = (struct verdict){
			.kind = VERDICT_UNKNOWN, .reason = REASON_RELOADED, .detail = ""};
		withhold(f, COMPOSE_WITHHELD, &verdict);
		return;
	}
	result = control->compose(&view, &input, &f->request, &verdict);
	switch (result) {
	case COMPOSED: intend(f); break;
	case COMPOSE_IN_SYNC:
	case COMPOSE_WITHHELD: withhold(f, result, &verdict); break;
	}
}

static void package_ready(void *ctx, struct arm_result *failure, const char *package)
{
	struct flight *f = ctx;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->waits_for_package = false;
	if (failure != NULL)
		flight_fail(f, failure);
	else
		compose(f, package);
}

/* The extension is not there is one thing; its machine or group is not there is another. */
static bool parent_is_gone(const struct arm_error *error)
{
	return str_equal_nocase(error->code, "ParentResourceNotFound") ||
		str_equal_nocase(error->code, "ResourceGroupNotFound");
}

static void current_read(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;
	struct executor *x = f->executor;
	bool absent = result->error.class == ARM_ERROR_ABSENT && !parent_is_gone(&result->error);

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	if (result->error.class != ARM_ERROR_NONE && !absent) {
		flight_fail(f, result);
		return;
	}
	if (flight_take_reading(f, result) != 0) {
		arm_error_transport("the answer is not what was asked for", &result->error);
		flight_fail(f, result);
		return;
	}
	if (!control_by_id(f->op.control)->needs_package || flight_identity(f) == NULL) {
		compose(f, NULL);
		return;
	}
	f->waits_for_package = true;
	onboarding_get(x->packages, flight_identity(f), f->ref.subscription->id,
		os_is_windows(f->ref.machine->os), package_ready, f);
}

static void wait_for_quota(struct flight *f, struct dur wait)
{
	struct executor *x = f->executor;

	item_of(&f->ref)->operation = NULL;
	flight_tell(f,
		&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
			.reason = REASON_THROTTLED,
			.detail = "",
			.until = wall_add(loop_wall(x->world->loop), wait)});
	flight_end(f);
}

void flight_take_off(struct flight *f)
{
	struct dur wait;

	if (flight_identity(f) == NULL) {
		refuse_by_rule(f, WRITE_REFUSED_OBSERVE_MODE);
		return;
	}
	wait = arm_client_write_wait(
		f->executor->client, flight_identity(f), f->ref.subscription->id);
	if (wait.ms > PATIENCE.ms)
		wait_for_quota(f, wait);
	else if (!flight_read(f, ARM_URGENT, current_read))
		refuse_by_rule(f, WRITE_REFUSED_NOT_READ);
}
