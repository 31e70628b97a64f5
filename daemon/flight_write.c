/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/digest.h"
#include "daemon/flight.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/write_rules.h"
#include "lib/model/inventory_document.h"

#include <string.h>

/* Quota that is further away than this goes back to the item, which waits for it. */
#define PATIENCE DUR_S(60)
/* What a rule holds back that the plan does not see coming is not read again at once. */
#define RULE_PAUSE DUR_MIN(1)

void flight_withdraw(struct flight *f, enum reason reason, const char *detail, struct dur wait)
{
	struct executor *x = f->executor;
	struct wall now = loop_wall(x->world->loop);
	struct holdoff_place place = flight_place(&f->ref);

	if (f->probe)
		holdoff_says_nothing(x->holdoff, &place, now);
	flight_part(f,
		&(struct item_event){.kind = EVENT_STEP_WITHDRAWN,
			.reason = reason,
			.detail = detail,
			.until = wait.ms > 0 ? wall_add(now, wait) : WALL_UNSET});
	flight_end(f);
	executor_pump(x);
}

/* --- deciding again --- */

/* What the facts do not show, but the fresh document does, holds the item: nothing else would. */
static struct item_event event_of_verdict(const struct verdict *verdict)
{
	struct item_event event = item_event_from_verdict(verdict);

	if (verdict->kind == VERDICT_BLOCKED)
		event.kind = EVENT_CALL_REFUSED;
	else if (verdict->kind == VERDICT_UNKNOWN)
		event.kind = EVENT_CALL_RETRYABLE;
	return event;
}

static void withhold(struct flight *f, const struct verdict *verdict)
{
	struct executor *x = f->executor;
	struct holdoff_place place = flight_place(&f->ref);
	struct item_event event = event_of_verdict(verdict);

	if (f->probe)
		holdoff_says_nothing(x->holdoff, &place, loop_wall(x->world->loop));
	x->counts.withheld++;
	flight_part(f, &event);
	flight_end(f);
	executor_pump(x);
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

static bool writes_in_turn(const struct flight *f)
{
	return control_by_id(f->op.control)->in_turn;
}

static bool target_is_busy(const struct flight *f)
{
	list_for_each (&f->executor->flights, node) {
		const struct flight *other = list_entry(node, struct flight, link);
		bool same_resource = other->ref.subscription == f->ref.subscription &&
			other->ref.machine == f->ref.machine &&
			other->ref.connector == f->ref.connector &&
			other->ref.workspace == f->ref.workspace;

		if (other == f || other->op.phase < PHASE_INTENDED)
			continue;
		if (writes_in_turn(f) && writes_in_turn(other) &&
			other->ref.subscription == f->ref.subscription)
			return true;
		if (same_resource ||
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

/* What our own write is made of, and not when or where it may go. */
static bool refuses_the_request(enum write_refusal refusal)
{
	return refusal == WRITE_REFUSED_NOT_LISTED || refusal == WRITE_REFUSED_LOWERS;
}

/* The plan holds back what the other rules do; these two it does not see coming. */
static struct dur pause_after(enum write_refusal refusal)
{
	return refusal == WRITE_REFUSED_NOT_READ || refusal == WRITE_REFUSED_TARGET_BUSY
		? RULE_PAUSE
		: DUR_MS(0);
}

static void log_refusal(struct flight *f, enum write_refusal refusal)
{
	struct log_entry *e = log_begin(f->executor->world->log, LOG_RULE_MESSAGE);

	flight_log_about(f, e);
	log_add(e, "MDCD_REASON", reason_word(write_refusal_reason(refusal)));
	log_commit(e, 0, "%s: %s is not sent: %s", f->op.resource_id, control_word(f->op.control),
		write_refusal_text(refusal));
}

static void refuse_by_rule(struct flight *f, enum write_refusal refusal)
{
	struct executor *x = f->executor;
	enum reason reason = write_refusal_reason(refusal);

	if (!refuses_the_request(refusal)) {
		flight_withdraw(f, reason, "", pause_after(refusal));
		return;
	}
	x->counts.refused_by_rule++;
	log_refusal(f, refusal);
	flight_part(f,
		&(struct item_event){.kind = EVENT_CALL_REFUSED,
			.reason = reason,
			.detail = write_refusal_text(refusal)});
	flight_end(f);
	executor_pump(x);
}

/* --- what came of sending --- */

void flight_succeed(struct flight *f, const char *request_id)
{
	struct executor *x = f->executor;

	flight_store_outcome(f, "accepted", "", request_id);
	x->counts.succeeded++;
	flight_part(f,
		&(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.detail = "",
			.limit = control_by_id(f->op.control)->settle});
	/* Outside of every scope nobody looks for the effect. */
	if (f->ref.subscription->scope == NULL)
		flight_judge_again(f);
	flight_end(f);
	executor_pump(x);
}

static void run(struct flight *f)
{
	f->op.phase = PHASE_RUNNING;
	flight_store(f);
	flight_tell(f,
		&(struct item_event){.kind = EVENT_CALL_RUNNING,
			.reason = REASON_RUNNING,
			.detail = "",
			.limit = control_by_id(f->op.control)->operation_limit});
	store_flush(f->executor->store, NULL, NULL);
	flight_follow(f);
}

/* A refusal, which some give with the advice to come again. 408 only says that it took too long. */
static bool says_not_carried_out(int status)
{
	return status == 503 || (status >= 400 && status < 500 && status != 408);
}

/* Whether the write took effect cannot be told from these answers, or from one that was too large.
 */
static bool outcome_is_open(const struct arm_result *result)
{
	const struct arm_error *e = &result->error;
	bool unread = e->class == ARM_ERROR_TOO_LARGE && e->status == 0;
	bool failed = e->class == ARM_ERROR_TRANSIENT && !says_not_carried_out(e->status);

	return (unread || failed) && !result->unsent;
}

static void lose(struct flight *f, const struct arm_error *error)
{
	flight_tell(f,
		&(struct item_event){.kind = EVENT_CALL_LOST,
			.reason = REASON_OUTCOME_UNKNOWN,
			.detail = *error->message != '\0' ? error->message : error->code,
			.limit = control_by_id(f->op.control)->operation_limit});
	store_flush(f->executor->store, NULL, NULL);
	flight_follow(f);
}

/* The setting that is written, or SETTING_N_. */
static enum setting_id setting_of(const struct flight *f)
{
	return setting_from_name(strrchr(f->op.target_id, '/') + 1);
}

/*
 * The switches for the unified solution and for Linux do not exist everywhere: one that is not
 * there and cannot be put either is not offered to this subscription. The integration itself exists
 * wherever the plan does.
 */
static bool setting_is_not_offered(const struct flight *f, const struct arm_error *error)
{
	enum setting_id setting = setting_of(f);

	return (setting == SETTING_UNIFIED || setting == SETTING_EXCLUDE_LINUX) &&
		f->current == NULL &&
		(error->class == ARM_ERROR_ABSENT ||
			(error->class == ARM_ERROR_REQUEST && error->status == 400));
}

static void accept_not_offered(struct flight *f, const struct arm_result *result)
{
	struct executor *x = f->executor;
	struct subscription *s = f->ref.subscription;

	flight_store_outcome(f, "not-offered", result->error.code, result->request_id);
	inventory_setting_not_offered(x->inventory, s, setting_of(f),
		(struct stamp){.at = loop_wall(x->world->loop), .source = SOURCE_ARM});
	item_of(&f->ref)->operation = NULL;
	reconciler_subscription_seen(x->reconciler, s);
	flight_end(f);
	executor_pump(x);
}

/* Accepted, and yet not done: tried again as the reason's row of backoff.c says. */
static void fail_in_part(
	struct flight *f, struct arm_result *result, enum reason reason, const char *detail)
{
	struct executor *x = f->executor;

	result->error = (struct arm_error){.class = ARM_ERROR_REQUEST};
	str_copy(result->error.code, sizeof(result->error.code), "PartialSuccess");
	str_copy(result->error.message, sizeof(result->error.message), detail);
	flight_log_failure(f, result);
	flight_store_outcome(f, "failed", result->error.code, result->request_id);
	x->counts.failed++;
	flight_part(f,
		&(struct item_event){
			.kind = EVENT_CALL_RETRYABLE, .reason = reason, .detail = detail});
	/* What did succeed lets others go on. */
	flight_judge_again(f);
	flight_end(f);
	executor_pump(x);
}

/* Whether the answer says that a part failed. It is the resource as it is now: noted, too. */
static bool has_failed_in_part(struct flight *f, struct arm_result *result)
{
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	struct stamp stamp = {.at = loop_wall(x->world->loop), .source = SOURCE_ARM};
	struct buf detail = BUF_INIT(ARM_ERROR_TEXT_SIZE);
	enum reason reason;
	struct noted noted;
	json_t *answer = control->failed_in_part != NULL ? flight_document(result) : NULL;
	bool failed = answer != NULL && control->failed_in_part(answer, &reason, &detail);

	if (failed && f->ref.subscription->scope != NULL) {
		(void)!inventory_note(x->inventory, answer, stamp, &noted);
		fail_in_part(f, result, reason, buf_str(&detail));
	} else
		failed = false;
	json_decref(answer);
	buf_fini(&detail);
	return failed;
}

static void read_acceptance(struct flight *f, struct arm_result *result)
{
	struct arm_error error;

	operation_poll_fini(&f->poll);
	flight_passed(f, HOLDOFF_WRITE);
	switch (operation_started(result->reply, f->op.verb, result->arm_origin,
		loop_wall(f->executor->world->loop), &f->poll, &error)) {
	case OPERATION_SUCCEEDED:
		if (!has_failed_in_part(f, result))
			flight_succeed(f, result->request_id);
		break;
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

static void sent(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	f->on_wire = false;
	/* A secret in it is not kept longer than the wire needs it. */
	arm_request_fini(&f->request);
	if (f->op.phase >= PHASE_SENT && outcome_is_open(result)) {
		flight_log_failure(f, result);
		lose(f, &result->error);
	} else if (setting_is_not_offered(f, &result->error)) {
		accept_not_offered(f, result);
	} else if (result->error.class != ARM_ERROR_NONE) {
		flight_fail(f, result);
	} else {
		read_acceptance(f, result);
	}
}

/* --- sending --- */

static void log_sending(struct flight *f)
{
	struct log_entry *e = log_begin(f->executor->world->log, LOG_WRITE_SENT_MESSAGE);

	flight_log_about(f, e);
	log_add(e, "MDCD_TARGET_ID", f->op.target_id);
	log_add(e, "MDCD_CORRELATION_ID", f->op.correlation_id);
	log_commit(e, 0, "%s %s", f->op.verb, f->op.target_id);
}

/* The disk, or the quota, has taken its time. */
static bool reading_has_aged(const struct flight *f)
{
	struct wall now = loop_wall(f->executor->world->loop);

	return f->op.phase == PHASE_INTENDED && wall_since(now, f->read_at).ms > WRITE_READ_AGE.ms;
}

/* As if it came from the queue. What follows from the new reading is an intent of its own. */
static void read_again(struct flight *f)
{
	flight_store_outcome(f, "not-sent", reason_word(REASON_READ_TOO_OLD), NULL);
	store_flush(f->executor->store, NULL, NULL);
	arm_request_fini(&f->request);
	f->op.phase = PHASE_READING;
	f->op.id = 0;
	free(f->op.target_id);
	f->op.target_id = NULL;
	*f->op.correlation_id = '\0';
	flight_take_off(f);
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
		f->on_wire = false;
		if (refusal == WRITE_REFUSED_NOT_READ && reading_has_aged(f)) {
			read_again(f);
			return false;
		}
		flight_store_outcome(
			f, "not-sent", reason_word(write_refusal_reason(refusal)), NULL);
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
	f->identity = xstrdup(flight_identity(f));
	f->on_wire = true;
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
		/* It may have reached the disk all the same, or will. */
		flight_store_outcome(f, "not-sent", "", NULL);
		flight_withdraw(f, error != 0 ? REASON_NOT_STORED : REASON_RELOADED, "",
			error != 0 ? RULE_PAUSE : DUR_MS(0));
		return;
	}
	request = share(&f->request);
	f->call = arm_client_write(
		x->client, flight_identity(f), &request, f->op.correlation_id, last_look, sent, f);
}

/* The id of what is written, which the path holds percent-encoded. */
static char *target_of(const struct arm_request *request)
{
	char *id = xstrndup(request->path, strcspn(request->path, "?"));
	bool sound = http_percent_decode(id);

	assert(sound);
	return id;
}

static void intend(struct flight *f)
{
	struct executor *x = f->executor;
	struct holdoff_place place = flight_place(&f->ref);
	enum reason held = f->probe ? REASON_NONE : holdoff_holds(x->holdoff, &place);
	enum write_refusal refusal = check_rules(f, false);

	/* Before the intent is stored, only that one rule is still unmet. */
	if (refusal != WRITE_REFUSED_NO_INTENT) {
		assert(refusal != WRITE_ALLOWED);
		refuse_by_rule(f, refusal);
		return;
	}
	if (held != REASON_NONE) {
		flight_withdraw(f, held, "", DUR_MS(0));
		return;
	}
	f->stage = HOLDOFF_WRITE;
	f->op.id = store_next_operation_id(x->store);
	f->op.target_id = target_of(&f->request);
	f->op.verb = f->request.method;
	f->op.started = loop_wall(x->world->loop);
	f->op.deadline = wall_add(f->op.started, control_by_id(f->op.control)->operation_limit);
	f->op.phase = PHASE_INTENDED;
	hash_body(&f->request, f->op.body_hash);
	random_guid(x->world->random, f->op.correlation_id);
	flight_store(f);
	store_flush(x->store, intent_durable, f);
}

/* --- reading before writing --- */

static void compose(struct flight *f, const char *package)
{
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	struct control_view view = item_view(&f->ref, x->config, loop_wall(x->world->loop));
	struct compose_input input = {.current = f->current, .package = package};
	struct verdict verdict = {
		.kind = VERDICT_COMPLIANT, .reason = REASON_IN_SYNC, .detail = ""};

	if (view.scope == NULL) {
		flight_withdraw(f, REASON_RELOADED, "", DUR_MS(0));
		return;
	}
	switch (control->compose(&view, &input, &f->request, &verdict)) {
	case COMPOSED: intend(f); break;
	case COMPOSE_IN_SYNC:
	case COMPOSE_WITHHELD: withhold(f, &verdict); break;
	}
}

static void miss_package(struct flight *f)
{
	struct executor *x = f->executor;

	x->counts.withheld++;
	flight_part(f,
		&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
			.reason = REASON_NO_PACKAGE,
			.detail = os_is_windows(f->ref.machine->os) ? "Windows" : "Linux"});
	flight_end(f);
	executor_pump(x);
}

static void package_ready(void *ctx, struct arm_result *failure, const char *package)
{
	struct flight *f = ctx;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->waits_for_package = false;
	if (failure != NULL) {
		flight_fail(f, failure);
		return;
	}
	flight_passed(f, HOLDOFF_PACKAGE);
	if (package == NULL)
		miss_package(f);
	else
		compose(f, package);
}

/* That the extension is not there is one thing; that its machine or group is not is another. */
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
		arm_error_transport(
			"the answer is not the resource that was asked for", &result->error);
		flight_fail(f, result);
		return;
	}
	flight_passed(f, HOLDOFF_READ);
	if (!control_by_id(f->op.control)->needs_package || flight_identity(f) == NULL) {
		compose(f, NULL);
		return;
	}
	f->stage = HOLDOFF_PACKAGE;
	f->waits_for_package = true;
	onboarding_get(x->packages, flight_identity(f), f->ref.subscription->id,
		os_is_windows(f->ref.machine->os), package_ready, f);
}

static void wait_for_quota(struct flight *f, struct dur wait)
{
	struct executor *x = f->executor;

	flight_part(f,
		&(struct item_event){.kind = EVENT_CALL_RETRYABLE,
			.reason = REASON_THROTTLED,
			.detail = "",
			.until = wall_add(loop_wall(x->world->loop), wait)});
	flight_end(f);
}

void flight_take_off(struct flight *f)
{
	struct executor *x = f->executor;
	struct holdoff_place place = flight_place(&f->ref);
	enum reason held = f->probe ? REASON_NONE : holdoff_holds(x->holdoff, &place);
	struct dur wait;

	f->stage = HOLDOFF_READ;
	if (held != REASON_NONE) {
		flight_withdraw(f, held, "", DUR_MS(0));
		return;
	}
	if (flight_identity(f) == NULL) {
		refuse_by_rule(f, WRITE_REFUSED_OBSERVE_MODE);
		return;
	}
	wait = arm_client_write_wait(x->client, flight_identity(f), f->ref.subscription->id);
	if (wait.ms > PATIENCE.ms)
		wait_for_quota(f, wait);
	else if (!flight_read(f, ARM_URGENT, current_read))
		refuse_by_rule(f, WRITE_REFUSED_NOT_READ);
}
