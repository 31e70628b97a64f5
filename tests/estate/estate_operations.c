/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long-running operations on extensions, in every shape that ARM documents.
 *
 * An operation on a machine that is not connected is queued; it begins when the machine connects
 * and is dropped when the queue's limit is over. What is being created can not be seen until it is
 * done, unless the shape is that of the resource's own provisioningState.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_tree.h"
#include "tests/estate/estate_vm.h"

#include <stdio.h>
#include <string.h>

/* Signed URLs were recorded at about 3.5 KB. */
#define FILLER_SIZE 3000
#define KEPT_FOR DUR_DAYS(2)
#define ARC_EXTENSION_TYPE "Microsoft.HybridCompute/machines/extensions"
#define OPERATIONS_MIN 1000

enum phase { PHASE_QUEUED, PHASE_RUNNING, PHASE_SUCCEEDED, PHASE_FAILED };
enum verb { VERB_CREATE, VERB_UPDATE, VERB_DELETE };

struct operation {
	struct estate_event event;
	char guid[GUID_SIZE];
	struct subscription *sub;
	struct machine *machine; /* NULL once it is over or the machine is gone */
	bool vm;
	char *location;
	char *extension_id;
	char *type;
	char *caller;
	char correlation_id[GUID_SIZE];
	const struct principal *who;
	enum verb verb;
	enum phase phase;
	enum operation_shape_knob shape;
	json_t *doc;
	json_t *before;
	json_t *secrets;
	json_t *error;
	struct wall started;
	struct wall ended;
	struct dur work; /* what is left to do */
	unsigned issued; /* status URLs given out */
	bool lost;       /* its status URLs are never known */
	bool endless;
};

void operation_free(void *value)
{
	struct operation *op = value;

	free(op->location);
	free(op->extension_id);
	free(op->type);
	free(op->caller);
	json_decref(op->doc);
	json_decref(op->before);
	json_decref(op->secrets);
	json_decref(op->error);
	free(op);
}

bool operation_is_by(const struct operation *op, const struct principal *who)
{
	return op->who == who;
}

const char *operation_type(const struct operation *op)
{
	return op->type;
}

struct operation *operation_running(const struct machine *m, const char *type)
{
	for (size_t i = 0; i < m->operations.n; i++) {
		struct operation *op = m->operations.v[i];

		if (type == NULL || str_equal_nocase(op->type, type))
			return op;
	}
	return NULL;
}

struct operation *operation_creating(const struct machine *m, const char *id)
{
	for (size_t i = 0; i < m->operations.n; i++) {
		struct operation *op = m->operations.v[i];

		if (op->verb == VERB_CREATE && str_equal_nocase(op->extension_id, id))
			return op;
	}
	return NULL;
}

/* --- the end --- */

static void leave_machine(struct operation *op)
{
	struct vec *all = &op->machine->operations;

	for (size_t i = 0; i < all->n; i++) {
		if (all->v[i] != op)
			continue;
		memmove(&all->v[i], &all->v[i + 1], (all->n - i - 1) * sizeof(*all->v));
		all->n--;
		break;
	}
	op->machine = NULL;
}

static void record(struct estate *e, const struct operation *op, bool succeeded)
{
	static const char *const methods[] = {"PUT", "PUT", "DELETE"};

	activity_record(e, op->sub,
		&(struct activity_event){
			.resource_id = op->extension_id,
			.action = op->verb == VERB_DELETE ? op->vm ? VM_EXTENSION_TYPE "/delete"
								   : ARC_EXTENSION_TYPE "/delete"
				: op->vm                  ? VM_EXTENSION_TYPE "/write"
							  : ARC_EXTENSION_TYPE "/write",
			.caller = op->caller,
			.correlation_id = op->correlation_id,
			.method = methods[op->verb],
			.status = succeeded ? "Succeeded" : "Failed",
			.http_status = succeeded ? 200 : 400,
			.who = op->who,
		});
}

static void end(struct estate *e, struct operation *op, json_t *take_error)
{
	op->phase = take_error == NULL ? PHASE_SUCCEEDED : PHASE_FAILED;
	op->error = take_error;
	op->ended = e->now;
	leave_machine(op);
	record(e, op, take_error == NULL);
	json_decref(op->secrets);
	op->secrets = NULL;
}

/* A failed attempt is not made again for the same settings: the agent sees no change. */
static bool is_unchanged_retry(const struct estate *e, const struct operation *op)
{
	const char *tag = tree_text(op->doc, "properties.forceUpdateTag");
	const json_t *settings = tree_get(op->doc, "properties.settings");

	return e->knobs.operations.retry_needs_change && op->before != NULL &&
		str_equal(tree_text(op->before, "properties.provisioningState"), "Failed") &&
		str_equal(tag, tree_text(op->before, "properties.forceUpdateTag")) &&
		json_equal(settings, tree_get(op->before, "properties.settings"));
}

static void same_as_before(const struct operation *op, struct handler_result *ret)
{
	const char *code = tree_text(op->before, "properties.instanceView.status.code");
	const char *text = tree_text(op->before, "properties.instanceView.status.message");

	*ret = (struct handler_result){.succeeded = false};
	str_copy(ret->code, sizeof(ret->code), code != NULL ? code : "1");
	str_copy(ret->message, sizeof(ret->message), text != NULL ? text : "");
}

static void store(struct estate *e, struct operation *op, json_t *take_doc)
{
	struct resource *r = estate_find_kind(e, op->extension_id, RESOURCE_EXTENSION);

	if (r != NULL)
		estate_replace(e, r, take_doc);
	else
		estate_create(e, RESOURCE_EXTENSION, op->extension_id, op->sub, take_doc);
}

static void finish_install(struct estate *e, struct operation *op)
{
	struct machine *m = op->machine;
	struct handler_result result;
	json_t *done;

	if (is_unchanged_retry(e, op))
		same_as_before(op, &result);
	else
		handler_install(e, m, op->doc, op->secrets, &result);
	done = handler_apply(e, op->doc, &result);
	end(e, op,
		result.succeeded ? NULL
				 : json_pack("{s:s, s:s}", "code", "VMExtensionProvisioningError",
					   "message", result.message));
	/* Only now, so that whoever reacts finds the machine free. */
	store(e, op, done);
}

static void finish_removal(struct estate *e, struct operation *op)
{
	struct resource *r = estate_find_kind(e, op->extension_id, RESOURCE_EXTENSION);

	end(e, op, NULL);
	if (r != NULL)
		estate_remove(e, r);
}

/* --- running and waiting --- */

static void drop(struct estate *e, struct operation *op)
{
	struct resource *r = estate_find_kind(e, op->extension_id, RESOURCE_EXTENSION);
	struct machine *m = op->machine;

	end(e, op,
		json_pack("{s:s, s:s}", "code", "ExtensionOperationTimeout", "message",
			"The operation was dropped: the machine did not connect in time."));
	if (r == NULL)
		deployer_machine_changed(e, m);
	else
		estate_replace(e, r,
			tree_with(r->doc, "properties.provisioningState", json_string("Failed")));
}

static void fire(struct estate *e, struct estate_event *event)
{
	struct operation *op = container_of(event, struct operation, event);

	if (op->phase == PHASE_QUEUED)
		drop(e, op);
	else if (op->verb == VERB_DELETE)
		finish_removal(e, op);
	else
		finish_install(e, op);
}

static void run(struct estate *e, struct operation *op)
{
	op->phase = PHASE_RUNNING;
	estate_schedule(e, &op->event, op->endless ? WALL_NEVER : wall_add(e->now, op->work));
}

static void queue(struct estate *e, struct operation *op)
{
	if (op->phase == PHASE_RUNNING && estate_is_scheduled(&op->event))
		op->work.ms = op->event.node.due - e->now.ms;
	op->phase = PHASE_QUEUED;
	estate_schedule(e, &op->event, wall_add(op->started, e->knobs.operations.queue_limit));
}

void operations_machine_changed(struct estate *e, struct machine *m)
{
	for (size_t i = 0; i < m->operations.n; i++) {
		struct operation *op = m->operations.v[i];

		if (m->connected && op->phase == PHASE_QUEUED)
			run(e, op);
		else if (!m->connected && op->phase == PHASE_RUNNING)
			queue(e, op);
	}
}

void operations_forget(struct estate *e, struct machine *m)
{
	while (m->operations.n > 0) {
		struct operation *op = m->operations.v[m->operations.n - 1];

		estate_unschedule(e, &op->event);
		end(e, op,
			json_pack("{s:s, s:s}", "code", "HCRP404", "message",
				"The machine was removed."));
	}
}

/* --- the beginning --- */

/* Each time that the operations have doubled, so that looking for old ones stays cheap. */
static void sweep(struct estate *e)
{
	struct map_entry *entry;

	if (map_count(&e->operations) < e->operations_limit)
		return;
	map_for_each (&e->operations, entry) {
		struct operation *op = entry->value;

		if (op->machine == NULL && wall_since(e->now, op->ended).ms > KEPT_FOR.ms)
			map_remove(&e->operations, entry->key);
	}
	e->operations_limit = map_count(&e->operations) * 2;
	if (e->operations_limit < OPERATIONS_MIN)
		e->operations_limit = OPERATIONS_MIN;
}

static struct span work_of(const struct estate *e, enum verb verb)
{
	switch (verb) {
	case VERB_CREATE: return e->knobs.operations.create;
	case VERB_UPDATE: return e->knobs.operations.update;
	case VERB_DELETE: break;
	}
	return e->knobs.operations.remove;
}

/* What can be seen meanwhile. */
static void show_progress(struct estate *e, struct operation *op, struct resource *r)
{
	const char *state = op->verb == VERB_DELETE ? "Deleting"
		: op->verb == VERB_UPDATE           ? "Updating"
						    : "Creating";
	bool hidden = e->knobs.operations.hide_creation && op->shape != SHAPE_BODY && !op->vm;
	json_t *doc;

	if (op->verb == VERB_CREATE && hidden)
		return;
	doc = tree_with(op->verb == VERB_DELETE ? r->doc : op->doc, "properties.provisioningState",
		json_string(state));
	if (op->verb != VERB_DELETE)
		tree_set(&doc, "properties.instanceView",
			op->vm ? json_pack("{s:O, s:O}", "name", json_object_get(op->doc, "name"),
					 "type", tree_get(op->doc, "properties.type"))
			       : json_pack("{s:O, s:O, s:{}}", "name",
					 json_object_get(op->doc, "name"), "type",
					 tree_get(op->doc, "properties.type"), "status"));
	store(e, op, doc);
}

static char *copy_or(const char *text, const char *otherwise)
{
	return xstrdup(text != NULL ? text : otherwise);
}

static struct operation *make(struct estate *e, const struct operation_request *request)
{
	struct resource *r = estate_find_kind(e, request->extension_id, RESOURCE_EXTENSION);
	const json_t *typed = request->take_doc != NULL ? request->take_doc : r->doc;
	struct operation *op = xcalloc(1, sizeof(*op));

	op->sub = request->machine->res.sub;
	op->machine = request->machine;
	op->location = copy_or(tree_text(request->machine->res.doc, "location"), "westeurope");
	op->extension_id = xstrdup(request->extension_id);
	op->type = copy_or(tree_text(typed, "properties.type"), "");
	op->caller = xstrdup(request->caller);
	str_copy(op->correlation_id, sizeof(op->correlation_id), request->correlation_id);
	op->who = request->who;
	op->verb = request->take_doc == NULL ? VERB_DELETE : r != NULL ? VERB_UPDATE : VERB_CREATE;
	op->vm = request->machine->vm;
	/* Compute knows one shape. */
	op->shape = op->vm ? SHAPE_ASYNC : e->knobs.operations.shape;
	op->doc = request->take_doc;
	op->before = r != NULL ? json_incref(r->doc) : NULL;
	op->secrets = request->take_protected;
	op->started = e->now;
	op->work = estate_between(e, work_of(e, op->verb));
	estate_guid(e, op->guid);
	op->lost = estate_share_of(e, op->guid, "lost") < e->knobs.operations.lost_share;
	op->endless = request->machine->stuck ||
		estate_share_of(e, op->guid, "endless") < e->knobs.operations.endless_share;
	op->event.fire = fire;
	return op;
}

struct operation *operation_begin(struct estate *e, const struct operation_request *request)
{
	struct operation *op;

	sweep(e);
	op = make(e, request);
	map_set(&e->operations, op->guid, op);
	vec_add(&request->machine->operations, op);
	show_progress(e, op, estate_find_kind(e, op->extension_id, RESOURCE_EXTENSION));
	if (request->machine->connected)
		run(e, op);
	else
		queue(e, op);
	return op;
}

/* --- status URLs --- */

static char *filler(const struct estate *e, const char *guid)
{
	struct rng r;
	unsigned char bytes[FILLER_SIZE * 3 / 4];

	rng_seed(&r, e->seed ^ str_hash(guid, strlen(guid)));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)rng_next(&r);
	return base64url_encode(bytes, sizeof(bytes));
}

static void seal(const struct estate *e, const struct operation *op, const char *kind,
	const char *number, char ret[65])
{
	mdc_autofree char *text = xasprintf("%s %s %s", kind, op->guid, number);

	estate_sign(e, text, ret, 32);
}

static char *status_url(
	struct estate *e, const struct operation *op, const char *kind, unsigned issue)
{
	mdc_autofree char *blob = filler(e, op->guid);
	char number[24], sign[65];

	snprintf(number, sizeof(number), "%u", issue);
	seal(e, op, kind, number, sign);
	return xasprintf("https://%s/subscriptions/%s/providers/%s/locations/"
			 "%s/%s/%s?api-version=%s&t=%s&c=%s&s=%s&h=%.22s",
		e->arm_host, op->sub->id, op->vm ? COMPUTE_NAMESPACE : HYBRID_NAMESPACE,
		op->location, op->vm ? "operations" : kind, op->guid,
		op->vm ? "2024-07-01" : "2025-01-13", number, blob, sign, blob);
}

static void add_url(struct call *c, const char *header, struct operation *op, const char *kind)
{
	mdc_autofree char *url = status_url(c->e, op, kind, op->issued);

	answer_header(c, header, "%s", url);
}

static void add_status_headers(struct call *c, struct operation *op)
{
	op->issued++;
	if (op->shape == SHAPE_ASYNC)
		add_url(c, "Azure-AsyncOperation", op, "operationstatus");
	if ((op->shape == SHAPE_ASYNC && !op->vm) || op->shape == SHAPE_LOCATION)
		add_url(c, "Location", op, "operationresults");
	if (c->e->knobs.operations.retry_after.ms > 0)
		answer_header(c, "Retry-After", "%lld",
			(long long)(c->e->knobs.operations.retry_after.ms / 1000));
}

void operation_accept(struct call *c, struct operation *op)
{
	const struct resource *r = estate_find_kind(c->e, op->extension_id, RESOURCE_EXTENSION);

	if (op->shape == SHAPE_BODY && op->verb != VERB_DELETE && r != NULL) {
		answer_doc(c, 200, r);
		return;
	}
	add_status_headers(c, op);
	if (op->vm && op->verb != VERB_DELETE && r != NULL)
		answer_doc(c, op->verb == VERB_CREATE ? 201 : 200, r);
	else
		answer_empty(c, 202);
}

/* --- polls --- */

static bool is_known(const struct call *c, const struct operation *op, const char *kind)
{
	const char *number = call_parameter(c, "t");
	const char *sign = call_parameter(c, "s");
	struct dur life = c->e->knobs.operations.url_life;
	char expected[65], newest[24];

	if (op == NULL || op->lost || number == NULL || op->sub != c->sub)
		return false;
	seal(c->e, op, kind, number, expected);
	if (!str_equal(sign, expected))
		return false;
	snprintf(newest, sizeof(newest), "%u", op->issued);
	if (c->e->knobs.operations.moving_location && str_equal(kind, "operationresults") &&
		!str_equal(number, newest))
		return false;
	return op->machine != NULL || life.ms == 0 || wall_since(c->now, op->ended).ms <= life.ms;
}

static struct operation *find_operation(struct call *c, const char *kind)
{
	struct operation *op = map_get(&c->e->operations, c->args[2]);

	if (is_known(c, op, kind))
		return op;
	answer_error(c, 404, "NotFound", "The operation '%s' was not found.", c->args[2]);
	return NULL;
}

static void get_status(struct call *c)
{
	static const char *const words[] = {"Queued", "InProgress", "Succeeded", "Failed"};
	struct operation *op = find_operation(c, "operationstatus");
	char time[WALL_TEXT_SIZE];
	json_t *doc;

	if (op == NULL)
		return;
	wall_format(op->started, time);
	doc = json_pack("{s:s, s:s, s:s, s:s}", "id", c->path, "name", op->guid, "status",
		words[op->phase], "startTime", time);
	if (wall_is_set(op->ended)) {
		wall_format(op->ended, time);
		json_object_set_new(doc, "endTime", json_string(time));
	}
	if (op->error != NULL)
		json_object_set(doc, "error", op->error);
	add_status_headers(c, op);
	answer_json(c, 200, doc);
}

static void get_result(struct call *c)
{
	struct operation *op = find_operation(c, "operationresults");
	const struct resource *r;

	if (op == NULL)
		return;
	if (op->machine != NULL) {
		add_status_headers(c, op);
		answer_empty(c, 202);
		return;
	}
	c->outcome = true;
	r = estate_find_kind(c->e, op->extension_id, RESOURCE_EXTENSION);
	if (op->phase == PHASE_FAILED)
		answer_error_object(c, 400, json_incref(op->error));
	else if (op->verb == VERB_DELETE || r == NULL)
		answer_empty(c, 204);
	else
		answer_doc(c, 200, r);
}

static const struct api api = {
	API_TRACKED, HYBRID_NAMESPACE, "locations/operationStatus", hybrid_versions};
static const struct api compute_api = {
	API_TRACKED, COMPUTE_NAMESPACE, "locations/operations", compute_versions};
#define AT_LOCATION "/subscriptions/{}/providers/Microsoft.HybridCompute/locations/{}/"
static const struct route routes[] = {
	{"GET", AT_LOCATION "operationstatus/{}", &api,
		"Microsoft.HybridCompute/locations/operationstatus/read",
		ROUTE_REGISTERED | ROUTE_LIST, get_status},
	{"GET", "/subscriptions/{}/providers/Microsoft.Compute/locations/{}/operations/{}",
		&compute_api, "Microsoft.Compute/locations/operations/read",
		ROUTE_REGISTERED | ROUTE_LIST, get_status},
	{"GET", AT_LOCATION "operationresults/{}", &api,
		"Microsoft.HybridCompute/locations/operationresults/read",
		ROUTE_REGISTERED | ROUTE_LIST, get_result},
};
const struct route_table operation_routes = {routes, ARRAY_LEN(routes)};
