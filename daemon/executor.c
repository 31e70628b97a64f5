/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/executor.h"

#include "daemon/onboarding.h"
#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/write_rules.h"

#include <openssl/evp.h>
#include <string.h>

#define FLIGHT_MAGIC 0xf1167001u
/* Steps that are read, decided and sent at the same time; the quota paces them anyway. */
#define FLIGHTS_AT_ONCE 32
/* Bulk observation shows the end of most operations; only what takes longer is asked singly. */
#define INQUIRY_AFTER DUR_MIN(10)
#define INQUIRY_EVERY DUR_S(60)
/* The activity log shows an event 3 to 20 minutes late (Azure Monitor, "Activity log"). */
#define ACTIVITY_LAG DUR_MIN(25)

/* One step from its turn to its outcome. The operation lives inside. */
struct flight {
	uint32_t magic;
	struct executor *executor;
	struct operation op;
	struct item_ref ref; /* subscription NULL: recovered, resource not observed yet */
	struct arm_call *call;
	json_t *current;
	struct wall read_at;
	struct arm_request request;
	struct operation_poll poll;
	struct loop_timer *timer;
	bool waits_for_package;
	struct list link;
};

struct executor {
	const struct world *world;
	struct store *store;
	struct arm_client *client;
	struct gate *gate;
	struct inventory *inventory;
	struct reconciler *reconciler;
	const struct config *config;
	struct onboarding *packages;
	struct list queue;   /* waiting for a place */
	struct list flights; /* reading, intended, sent, running, recovered */
	size_t queued, flying, running;
	struct map running_by_scope; /* name -> uint64_t * */
	struct executor_counts counts;
};

static void pump(struct executor *x);
static void inquire(struct flight *f);

/* --- flights --- */

static struct flight *flight_new(struct executor *x, const struct item_ref *ref)
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

static void flight_free(void *ctx)
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
	free(f->op.resource_id);
	free(f->op.target_id);
	free(f);
}

/* Never inside its own callback: the memory goes when the loop's turn is over. */
static void flight_end(struct flight *f)
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
	if (f->op.phase >= PHASE_SENT)
		x->running--;
	else
		x->flying--;
	f->op.phase = PHASE_ENDED;
	list_remove(&f->link);
	x->world->loop->ops->defer(x->world->loop, flight_free, f);
}

static struct flight *flight_of(const struct item_ref *ref)
{
	struct operation *op = item_of(ref)->operation;

	return op != NULL ? op->shell : NULL;
}

static void tell(struct flight *f, const struct item_event *event)
{
	struct executor *x = f->executor;
	const char *correlation = *f->op.correlation_id != '\0' ? f->op.correlation_id : NULL;

	if (f->ref.subscription != NULL)
		reconciler_event(x->reconciler, &f->ref, event, correlation);
}

static void store_operation(struct flight *f)
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

static void store_outcome(
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

static void log_failure(struct flight *f, const struct arm_result *result)
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

static void fail(struct flight *f, const struct arm_result *result)
{
	char detail[ARM_ERROR_TEXT_SIZE];
	struct item_event event =
		event_of_error(f->executor, &result->error, result->retry_after, detail);

	log_failure(f, result);
	if (f->op.phase >= PHASE_INTENDED)
		store_outcome(f, "failed", result->error.code, result->request_id);
	f->executor->counts.failed++;
	item_of(&f->ref)->operation = NULL;
	tell(f, &event);
	flight_end(f);
	pump(f->executor);
}

/* --- reading before writing --- */

static json_t *document_of(const struct arm_result *result)
{
	if (result->reply == NULL || result->reply->body == NULL)
		return NULL;
	return json_loadb(result->reply->body, result->reply->body_len, 0, NULL);
}

/* The fresh facts go into the inventory, so that what is decided is also what is remembered. */
static void note_fresh_facts(struct flight *f)
{
	struct executor *x = f->executor;
	struct stamp stamp = {.at = f->read_at, .source = SOURCE_ARM};
	struct subscription *s = f->ref.subscription;
	struct arm_pricing pricing;
	struct arm_setting setting;
	struct arm_extension extension;
	struct machine *m;
	bool changed;

	switch (f->ref.control) {
	case CONTROL_SERVERS_PLAN:
		if (f->current != NULL && arm_pricing_read(f->current, &pricing) == 0)
			inventory_set_pricing(x->inventory, s, &pricing, stamp, &changed);
		break;
	case CONTROL_MDE_INTEGRATION:
	case CONTROL_UNIFIED_SOLUTION:
		if (f->current != NULL && arm_setting_read(f->current, &setting) == 0)
			inventory_set_setting(x->inventory, s,
				f->ref.control == CONTROL_MDE_INTEGRATION ? SETTING_WDATP
									  : SETTING_UNIFIED,
				setting.enabled, stamp, &changed);
		break;
	case CONTROL_MDE_EXTENSION:
		if (f->current == NULL)
			inventory_unset_extension(x->inventory, f->ref.machine,
				os_is_windows(f->ref.machine->os) ? EXTENSION_MDE_WINDOWS
								  : EXTENSION_MDE_LINUX,
				stamp, &changed);
		else if (arm_extension_read(f->current, &extension) == 0 &&
			inventory_set_extension(x->inventory, &extension, stamp, &m, &changed) != 0)
			break;
		break;
	case CONTROL_ARC_CONNECTED:
	case CONTROL_LEGACY_REPLACED:
	case CONTROL_N_: break;
	}
}

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
	tell(f,
		&(struct item_event){
			.kind = EVENT_STEP_WITHDRAWN, .reason = event.reason, .detail = ""});
	tell(f, &event);
	flight_end(f);
	pump(f->executor);
}

static void hash_body(const struct arm_request *request, char ret[static 65])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char *text = request->body != NULL
		? json_dumps(request->body, JSON_COMPACT | JSON_SORT_KEYS)
		: xstrdup("");

	EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL);
	for (unsigned i = 0; i < 32; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[64] = '\0';
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
		.halted = gate_is_halted(x->gate),
		.paused = gate_is_paused(x->gate, scope != NULL ? scope->name : NULL,
				  item_resource_id(&f->ref)) ||
			gate_is_paused(x->gate, NULL, f->ref.subscription->id),
		.unconfirmed = gate_is_unconfirmed(x->gate, f->ref.subscription->id),
		.target_busy = target_is_busy(f),
		.intent_durable = durable,
		.identity_tenant = scope != NULL ? scope->identity->tenant : "",
	};

	/* Asked before the intent is stored, only that one rule may still be unmet. */
	return write_rules_check(&context, now);
}

static void refuse_by_rule(struct flight *f, enum write_refusal refusal)
{
	struct executor *x = f->executor;
	bool passing = refusal == WRITE_REFUSED_HALTED || refusal == WRITE_REFUSED_PAUSED ||
		refusal == WRITE_REFUSED_UNCONFIRMED || refusal == WRITE_REFUSED_TARGET_BUSY ||
		refusal == WRITE_REFUSED_OBSERVE_MODE || refusal == WRITE_REFUSED_NOT_READ ||
		refusal == WRITE_REFUSED_INCOMPLETE;
	struct log_entry *e;

	item_of(&f->ref)->operation = NULL;
	if (passing) {
		tell(f,
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
		tell(f,
			&(struct item_event){.kind = EVENT_CALL_REFUSED,
				.reason = REASON_RULE,
				.detail = write_refusal_text(refusal)});
	}
	flight_end(f);
	pump(x);
}

/* --- sending --- */

static void follow(struct flight *f);

static void succeed(struct flight *f, const char *request_id)
{
	const struct control *control = control_by_id(f->op.control);

	store_outcome(f, "accepted", "", request_id);
	f->executor->counts.succeeded++;
	item_of(&f->ref)->operation = NULL;
	tell(f,
		&(struct item_event){.kind = EVENT_CALL_ACCEPTED,
			.reason = REASON_ACCEPTED,
			.detail = "",
			.limit = control->settle});
	flight_end(f);
	pump(f->executor);
}

static void run(struct flight *f)
{
	const struct control *control = control_by_id(f->op.control);

	f->op.phase = PHASE_RUNNING;
	store_operation(f);
	store_flush(f->executor->store, NULL, NULL);
	tell(f,
		&(struct item_event){.kind = EVENT_CALL_RUNNING,
			.reason = REASON_RUNNING,
			.detail = "",
			.limit = control->operation_limit});
	follow(f);
}

/* Whether the write took effect cannot be told from these answers. */
static bool outcome_is_open(const struct arm_error *error)
{
	return error->class == ARM_ERROR_TRANSIENT && error->status != 503;
}

static void lose(struct flight *f)
{
	const struct control *control = control_by_id(f->op.control);

	tell(f,
		&(struct item_event){.kind = EVENT_CALL_LOST,
			.reason = REASON_OUTCOME_UNKNOWN,
			.detail = "",
			.limit = control->operation_limit});
	follow(f);
}

static void sent(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;
	struct arm_error error;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	/* Secrets are not kept longer than the wire needs them. */
	arm_request_fini(&f->request);
	if (outcome_is_open(&result->error)) {
		log_failure(f, result);
		lose(f);
		return;
	}
	if (result->error.class != ARM_ERROR_NONE) {
		fail(f, result);
		return;
	}
	operation_poll_fini(&f->poll);
	switch (operation_started(result->reply, f->op.verb, result->arm_origin,
		loop_wall(f->executor->world->loop), &f->poll, &error)) {
	case OPERATION_SUCCEEDED: succeed(f, result->request_id); break;
	case OPERATION_FAILED:
		result->error = error;
		fail(f, result);
		break;
	case OPERATION_RUNNING:
	case OPERATION_UNREADABLE:
	case OPERATION_EXPIRED: run(f); break;
	}
}

static void send_request(struct flight *f)
{
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	struct log_entry *e = log_begin(x->world->log, LOG_WRITE_SENT_MESSAGE);
	struct arm_request copy = f->request;

	log_add(e, "MDCD_CONTROL", control_word(f->op.control));
	log_add(e, "MDCD_RESOURCE_ID", f->op.resource_id);
	log_add(e, "MDCD_TARGET_ID", f->op.target_id);
	log_add(e, "MDCD_CORRELATION_ID", f->op.correlation_id);
	log_add(e, "MDCD_SCOPE", f->ref.subscription->scope->name);
	log_commit(e, 0, "%s %s", f->op.verb, f->op.target_id);
	f->request = (struct arm_request){0};
	f->op.phase = PHASE_SENT;
	x->flying--;
	x->running++;
	x->counts.sent++;
	tell(f,
		&(struct item_event){.kind = EVENT_CALL_SENT,
			.reason = REASON_SENT,
			.detail = "",
			.limit = control->operation_limit});
	f->call = arm_client_call(x->client, f->ref.subscription->scope->identity->name, &copy,
		ARM_URGENT, f->op.correlation_id, sent, f);
}

static void intent_durable(void *ctx, int error)
{
	struct flight *f = ctx;
	enum write_refusal refusal;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	if (f->op.phase != PHASE_INTENDED) {
		/* Withdrawn while the store was at work. */
		flight_free(f);
		return;
	}
	if (error != 0) {
		tell(f,
			&(struct item_event){.kind = EVENT_STEP_WITHDRAWN,
				.reason = REASON_TRANSIENT,
				.detail = "the state cannot be stored"});
		item_of(&f->ref)->operation = NULL;
		flight_end(f);
		return;
	}
	/* A halt, a pause or another configuration may have come meanwhile. */
	refusal = check_rules(f, true);
	if (refusal != WRITE_ALLOWED) {
		store_outcome(f, "not-sent", write_refusal_text(refusal), NULL);
		refuse_by_rule(f, refusal);
		return;
	}
	send_request(f);
}

static void intend(struct flight *f)
{
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	enum write_refusal refusal = check_rules(f, false);
	size_t path_len;

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
	store_operation(f);
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
		fail(f, failure);
	else
		compose(f, package);
}

static void current_read(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	bool absent = result->error.class == ARM_ERROR_ABSENT;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	if (result->error.class != ARM_ERROR_NONE && !absent) {
		fail(f, result);
		return;
	}
	f->read_at = loop_wall(x->world->loop);
	f->current = absent ? NULL : document_of(result);
	if (!absent && f->current == NULL) {
		arm_error_transport("the answer is not JSON", &result->error);
		fail(f, result);
		return;
	}
	note_fresh_facts(f);
	if (!control->needs_package) {
		compose(f, NULL);
		return;
	}
	f->waits_for_package = true;
	onboarding_get(x->packages, f->ref.subscription->scope->identity->name,
		f->ref.subscription->id, os_is_windows(f->ref.machine->os), package_ready, f);
}

static void take_off(struct flight *f)
{
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	struct control_view view = item_view(&f->ref, x->config, loop_wall(x->world->loop));
	struct arm_request request = {0};

	if (view.scope == NULL || control->read == NULL) {
		refuse_by_rule(f, WRITE_REFUSED_OBSERVE_MODE);
		return;
	}
	control->read(&view, &request);
	f->call = arm_client_call(
		x->client, view.scope->identity->name, &request, ARM_URGENT, NULL, current_read, f);
}

static void pump(struct executor *x)
{
	while (x->flying < FLIGHTS_AT_ONCE && !list_is_empty(&x->queue) &&
		store_healthy(x->store)) {
		struct flight *f = list_entry(x->queue.next, struct flight, link);

		list_remove(&f->link);
		list_append(&x->flights, &f->link);
		x->queued--;
		x->flying++;
		take_off(f);
	}
}

void executor_carry_out(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = flight_new(x, ref);

	f->op.resource_id = xstrdup(item_resource_id(ref));
	f->op.phase = PHASE_READING;
	item_of(ref)->operation = &f->op;
	list_append(&x->queue, &f->link);
	x->queued++;
	pump(x);
}

/* --- following an operation --- */

static void follow_fired(void *ctx)
{
	struct flight *f = ctx;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	if (f->call == NULL && f->op.phase >= PHASE_SENT && f->op.phase < PHASE_ENDED)
		inquire(f);
}

static void follow_in(struct flight *f, struct dur delay)
{
	struct loop *loop = f->executor->world->loop;

	if (f->timer == NULL)
		f->timer = loop_timer_new(loop, follow_fired, f);
	loop->ops->timer_arm(f->timer, mono_add(loop_mono(loop), delay));
}

/* An operation with a URL is watched in bulk first; without an answer nothing else is known. */
static void follow(struct flight *f)
{
	if (f->op.phase == PHASE_RUNNING)
		follow_in(f, dur_max(INQUIRY_AFTER, f->poll.after));
	else
		follow_in(f, INQUIRY_EVERY);
}

static void conclude(struct flight *f, const char *outcome, const struct item_event *event)
{
	store_outcome(f, outcome, NULL, NULL);
	if (f->ref.subscription != NULL)
		item_of(&f->ref)->operation = NULL;
	tell(f, event);
	flight_end(f);
	pump(f->executor);
}

static void give_up_at_deadline(struct flight *f)
{
	struct executor *x = f->executor;

	if (wall_before(loop_wall(x->world->loop), f->op.deadline)) {
		follow_in(f, INQUIRY_EVERY);
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
		log = document_of(result);
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
	f->call = arm_client_call(x->client, f->ref.subscription->scope->identity->name, &request,
		ARM_IDLE, NULL, activity_read, f);
}

static bool still_provisioning(const struct flight *f)
{
	const char *state = json_path_text(f->current, "properties.provisioningState");
	enum provisioning p = provisioning_read(state);

	return state != NULL && (p == PROVISIONING_RUNNING || p == PROVISIONING_UNKNOWN);
}

static void resource_read(void *ctx, struct arm_result *result)
{
	struct flight *f = ctx;
	struct executor *x = f->executor;
	bool absent = result->error.class == ARM_ERROR_ABSENT;

	MDC_MAGIC_CHECK(f, FLIGHT_MAGIC);
	f->call = NULL;
	json_decref(f->current);
	f->current = NULL;
	if (absent) {
		/* An extension that is being created answers 404 until it is done. */
		ask_activity_log(f);
		return;
	}
	if (result->error.class == ARM_ERROR_NONE)
		f->current = document_of(result);
	if (f->current == NULL || still_provisioning(f)) {
		give_up_at_deadline(f);
		return;
	}
	f->read_at = loop_wall(x->world->loop);
	note_fresh_facts(f);
	if (f->op.phase == PHASE_SENT || f->op.recovered) {
		/* The answer was lost; what the resource shows now is the outcome. */
		store_outcome(f, "seen", NULL, NULL);
		item_of(&f->ref)->operation = NULL;
		tell(f,
			&(struct item_event){.kind = EVENT_CALL_ACCEPTED,
				.reason = REASON_ACCEPTED,
				.detail = "",
				.limit = control_by_id(f->op.control)->settle});
		flight_end(f);
		pump(x);
	} else {
		follow_in(f, INQUIRY_EVERY);
	}
	if (f->ref.machine != NULL)
		reconciler_machine_seen(x->reconciler, f->ref.machine);
	else
		reconciler_subscription_seen(x->reconciler, f->ref.subscription);
}

static void read_resource(struct flight *f)
{
	struct executor *x = f->executor;
	const struct control *control = control_by_id(f->op.control);
	struct control_view view = item_view(&f->ref, x->config, loop_wall(x->world->loop));
	struct arm_request request = {0};

	if (view.scope == NULL) {
		give_up_at_deadline(f);
		return;
	}
	control->read(&view, &request);
	f->call = arm_client_call(x->client, view.scope->identity->name, &request, ARM_NORMAL, NULL,
		resource_read, f);
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
	case OPERATION_SUCCEEDED: succeed(f, result->request_id); break;
	case OPERATION_FAILED:
		result->error = error;
		fail(f, result);
		break;
	case OPERATION_RUNNING:
	case OPERATION_UNREADABLE: give_up_at_deadline(f); break;
	case OPERATION_EXPIRED:
		operation_poll_fini(&f->poll);
		read_resource(f);
		break;
	}
}

static void inquire(struct flight *f)
{
	struct executor *x = f->executor;

	if (f->call != NULL || f->ref.subscription == NULL)
		return;
	if (f->poll.url == NULL || f->ref.subscription->scope == NULL) {
		read_resource(f);
		return;
	}
	f->call = arm_client_poll(x->client, f->ref.subscription->scope->identity->name,
		f->ref.subscription->id, f->poll.url, polled, f);
}

void executor_inquire(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = flight_of(ref);

	(void)x;
	if (f != NULL && f->op.phase >= PHASE_SENT && f->call == NULL)
		inquire(f);
}

void executor_ended(struct executor *x, const struct item_ref *ref, const char *outcome)
{
	struct flight *f = flight_of(ref);

	if (f == NULL || f->op.phase < PHASE_SENT)
		return;
	if (str_equal(outcome, "succeeded"))
		x->counts.succeeded++;
	store_outcome(f, outcome, NULL, NULL);
	flight_end(f);
	pump(x);
}

/* --- withdrawing --- */

static void drop(struct flight *f)
{
	struct executor *x = f->executor;
	bool queued = f->call == NULL && !f->waits_for_package && f->op.phase == PHASE_READING;

	item_of(&f->ref)->operation = NULL;
	if (f->op.phase == PHASE_INTENDED) {
		/* The store still holds a pointer to it: intent_durable() frees it. */
		store_outcome(f, "not-sent", NULL, NULL);
		x->flying--;
		f->op.phase = PHASE_ENDED;
		list_remove(&f->link);
		return;
	}
	if (f->waits_for_package)
		onboarding_forget(x->packages, f);
	if (queued) {
		x->queued--;
		x->flying++; /* flight_end() takes it out again */
	}
	flight_end(f);
}

void executor_withdraw(struct executor *x, const struct item_ref *ref)
{
	struct flight *f = flight_of(ref);

	if (f != NULL && f->op.phase < PHASE_SENT) {
		drop(f);
		pump(x);
	}
}

static void withdraw_list(struct list *flights, enum reason reason)
{
	list_for_each (flights, node) {
		struct flight *f = list_entry(node, struct flight, link);
		struct item_event event = {
			.kind = EVENT_STEP_WITHDRAWN, .reason = reason, .detail = ""};

		if (f->op.phase >= PHASE_SENT || f->ref.subscription == NULL)
			continue;
		drop(f);
		reconciler_event(f->executor->reconciler, &f->ref, &event, NULL);
	}
}

void executor_withdraw_all(struct executor *x, enum reason reason)
{
	withdraw_list(&x->queue, reason);
	withdraw_list(&x->flights, reason);
}

/* --- after a restart --- */

static void recover(void *ctx, const struct stored_operation *row)
{
	struct executor *x = ctx;
	struct flight *f;
	struct item_ref nothing = {.control = control_from_word(row->control)};

	if (nothing.control == CONTROL_N_)
		return;
	f = flight_new(x, &nothing);
	f->op.id = row->id;
	f->op.resource_id = xstrdup(row->resource_id);
	f->op.target_id = xstrdup(row->target_id);
	f->op.verb = str_equal(row->verb, "DELETE") ? "DELETE" : "PUT";
	str_copy(f->op.body_hash, sizeof(f->op.body_hash), row->body_hash);
	str_copy(f->op.correlation_id, sizeof(f->op.correlation_id), row->correlation_id);
	f->op.started = row->started;
	f->op.deadline = row->deadline;
	f->op.phase = PHASE_SENT;
	f->op.recovered = true;
	list_append(&x->flights, &f->link);
	x->running++;
}

int executor_restore(struct executor *x)
{
	return store_load_operations(x->store, recover, x);
}

struct operation *executor_recovered(struct executor *x, const struct item_ref *ref)
{
	list_for_each (&x->flights, node) {
		struct flight *f = list_entry(node, struct flight, link);

		if (f->ref.subscription == NULL && f->op.control == ref->control &&
			arm_id_same(f->op.resource_id, item_resource_id(ref))) {
			f->ref = *ref;
			follow_in(f, DUR_S(1));
			return &f->op;
		}
	}
	return NULL;
}

void executor_expire(struct executor *x)
{
	struct wall now = loop_wall(x->world->loop);

	list_for_each (&x->flights, node) {
		struct flight *f = list_entry(node, struct flight, link);

		if (f->ref.subscription != NULL || wall_before(now, f->op.deadline))
			continue;
		store_outcome(f, "unknown", NULL, NULL);
		flight_end(f);
	}
}

/* --- numbers --- */

size_t executor_running(const struct executor *x)
{
	return x->running;
}

size_t executor_waiting(const struct executor *x)
{
	return x->queued + x->flying;
}

size_t executor_watched(const struct executor *x, const struct subscription **ret, size_t room)
{
	size_t n = 0;

	list_for_each ((struct list *)&x->flights, node) {
		const struct flight *f = list_entry(node, struct flight, link);
		bool known = false;

		if (f->op.phase < PHASE_SENT || f->ref.machine == NULL)
			continue;
		for (size_t i = 0; i < n; i++)
			known = known || ret[i] == f->ref.subscription;
		if (!known && n < room)
			ret[n++] = f->ref.subscription;
	}
	return n;
}

static void count_scope(struct executor *x, const struct scope_config *scope)
{
	uint64_t *n;

	if (scope == NULL)
		return;
	n = map_get(&x->running_by_scope, scope->name);
	if (n == NULL) {
		n = xcalloc(1, sizeof(*n));
		map_set(&x->running_by_scope, scope->name, n);
	}
	(*n)++;
}

void executor_limits(struct executor *x, struct plan_limits *ret)
{
	map_clear(&x->running_by_scope);
	list_for_each (&x->queue, node)
		count_scope(x, list_entry(node, struct flight, link)->ref.subscription->scope);
	list_for_each (&x->flights, node) {
		struct flight *f = list_entry(node, struct flight, link);

		if (f->ref.subscription != NULL)
			count_scope(x, f->ref.subscription->scope);
	}
	ret->running_total = x->queued + x->flying + x->running;
	ret->running_by_scope = &x->running_by_scope;
}

void executor_counts(const struct executor *x, struct executor_counts *ret)
{
	*ret = x->counts;
}

void executor_bind(struct executor *x, struct reconciler *r)
{
	x->reconciler = r;
}

void executor_configure(struct executor *x, const struct config *c)
{
	x->config = c;
}

struct executor *executor_new(const struct world *w, struct store *store, struct arm_client *client,
	struct gate *gate, struct inventory *inv)
{
	struct executor *x = xcalloc(1, sizeof(*x));

	x->world = w;
	x->store = store;
	x->client = client;
	x->gate = gate;
	x->inventory = inv;
	x->packages = onboarding_new(w, client);
	list_init(&x->queue);
	list_init(&x->flights);
	map_init(&x->running_by_scope, free);
	return x;
}

static void free_flights(struct list *flights)
{
	list_for_each (flights, node) {
		struct flight *f = list_entry(node, struct flight, link);

		if (f->call != NULL)
			arm_client_cancel(f->executor->client, f->call);
		if (f->ref.subscription != NULL && item_of(&f->ref)->operation == &f->op)
			item_of(&f->ref)->operation = NULL;
		flight_free(f);
	}
}

struct executor *executor_free(struct executor *x)
{
	if (x == NULL)
		return NULL;
	x->packages = onboarding_free(x->packages);
	free_flights(&x->queue);
	free_flights(&x->flights);
	map_fini(&x->running_by_scope);
	free(x);
	return NULL;
}
