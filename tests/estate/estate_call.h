/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estate_call: one request on its way through the simulated front door, and how it is answered.
 *
 * The order of refusals is ARM's: host, api-version there at all, token, throttling, route,
 * api-version known, subscription, permission, group, registration, state, locks, policy, body, and
 * then the resource provider's own.
 */
#ifndef MDC_TEST_ESTATE_CALL_H
#define MDC_TEST_ESTATE_CALL_H

#include "tests/estate/estate_internal.h"

#define CALL_ARGS 6

struct call;
typedef void (*route_fn)(struct call *c);

/* How a wrong api-version is refused depends on who owns the type. */
enum api_owner {
	API_ARM,      /* 400 InvalidApiVersionParameter */
	API_SECURITY, /* 404 InvalidResourceType */
	API_TRACKED,  /* 400 NoRegisteredProviderFound */
	API_GRAPH,    /* 400 NoRegisteredProviderFound, and a quota of its own */
};

struct api {
	enum api_owner owner;
	const char *provider; /* namespace, or "" for ARM's own */
	const char *type;
	const char *const *versions; /* NULL-terminated, oldest first */
};

enum route_flag {
	ROUTE_WRITES = 1,      /* refused on disabled subscriptions, under locks, by policies */
	ROUTE_BODY = 2,        /* needs a JSON body */
	ROUTE_ANONYMOUS = 8,   /* no token */
	ROUTE_REGISTERED = 16, /* the provider must be registered in the subscription */
	ROUTE_LIST = 32,       /* the permission is asked of what contains the type */
	ROUTE_OPTIONAL_BODY = 64,
};

struct route {
	const char *method;
	const char *path; /* "{}" is one segment, a leading "{scope}" any run of them */
	const struct api *api;
	const char *action; /* NULL: whoever has a token may; "{}" is the second argument */
	unsigned flags;
	route_fn handle;
};

struct route_table {
	const struct route *routes;
	size_t count;
};

struct call {
	struct estate *e;
	const struct http_request *request;
	struct wall now;
	struct estate_answer *answer;

	bool login;    /* the login host or a metadata service, not ARM */
	bool defender; /* the API of Defender for Endpoint, not ARM */
	enum managed_kind metadata;
	bool path_known; /* with another method */
	char *path;      /* decoded, without empty segments */
	char *query;     /* as sent, or NULL */
	const char *version;
	struct map parameters; /* decoded query parameters */
	const struct route *route;
	char *args[CALL_ARGS];
	char *scope; /* what "{scope}" matched */

	const struct principal *who;
	struct subscription *sub;
	struct management_group *group; /* the one in the path */
	json_t *body;
	char *target; /* where the permission is asked */

	char request_id[GUID_SIZE];
	char correlation_id[128];
	char error_code[64]; /* of the answer, "" if none */
	bool early;          /* retried before its Retry-After was over */
	bool faulted;        /* the answer was made or changed by a fault */
	bool own_conflict;   /* 409 that the same caller brought about */
	bool outcome;        /* how an operation ended, which may be an error */
};

/* --- answers: exactly one of these per call --- */

/* Takes the document. */
void answer_json(struct call *c, int status, json_t *take_doc);
void answer_doc(struct call *c, int status, const struct resource *r);
void answer_empty(struct call *c, int status);
/* Always false, so that a check may end with it. */
bool answer_error(struct call *c, int status, const char *code, const char *format, ...)
	MDC_PRINTF(4, 5);
/* The `error` object is taken whole. */
void answer_error_object(struct call *c, int status, json_t *take_error);
void answer_header(struct call *c, const char *name, const char *format, ...) MDC_PRINTF(3, 4);
/* The members of a resource's document as this API writes them (odd casings by knob). */
json_t *render_doc(const struct call *c, const struct resource *r);

/* Lists with nextLink. `item` gives a new reference, or NULL for a place that is not listed. */
typedef json_t *(*page_item_fn)(struct call *c, void *ctx, size_t place);
struct page_source {
	size_t places;
	page_item_fn item;
	void *ctx;
	unsigned size;    /* most items on a page */
	bool always_link; /* the schema requires nextLink: "" at the end */
};
void answer_page(struct call *c, const struct page_source *source);
/* A list of the resources of one kind in the subscription. */
void answer_kind(struct call *c, enum resource_kind kind, unsigned size);

/* --- the parts of the front door --- */

/* estate_router.c */
/* Sets the route and its arguments; false when there is none for path and method. */
bool router_find(struct call *c);
void router_refuse(struct call *c);
/* The types of a namespace that are served, as Providers_Get lists them. */
json_t *router_types(const char *provider);
const char *call_parameter(const struct call *c, const char *name);
char *url_decode(const char *text, size_t len);
/* The path up to its last "/providers/": what a list or an extension resource is in. Caller frees.
 */
char *call_container(const struct call *c);
/* True when `id` is `scope` or lies below it, segment by segment and without case. */
bool id_is_under(const char *id, const char *scope);

/* estate_auth.c */
bool auth_identify(struct call *c);
bool auth_permit(struct call *c);
/* `group` is the nearest management group above the target, or NULL. */
bool auth_allows(const struct principal *who, const char *action, const char *target,
	const struct management_group *group);
/* Its own tenant, or one that the subscription is delegated to. */
bool auth_is_of_tenant(const struct principal *who, const struct subscription *sub);
bool auth_sees(const struct principal *who, const struct subscription *sub);
/* The entries of GET permissions at a scope. */
json_t *auth_permissions(
	const struct principal *who, const char *target, const struct management_group *group);
bool auth_read_role(const char *name, struct role *ret);
const char *auth_role_guid(const char *name);
bool auth_covers(const struct role *role, const char *target, const struct management_group *group);

/* estate_throttle.c */
struct throttle *throttle_new(void);
struct throttle *throttle_free(struct throttle *t);
bool throttle_admit(struct call *c);
bool throttle_admit_graph(struct call *c);
/* For a scripted storm: refuses with this Retry-After. */
void throttle_refuse(struct call *c, struct dur retry_after);

/* estate_guard.c: registration, state, locks, policies, body */
bool guard_write(struct call *c);
bool guard_provider(struct call *c);
bool guard_body(struct call *c);

/* estate_policy.c: the first policy that denies a resource of that type with that id, or below it;
 * NULL */
const struct deny_policy *policy_that_denies(
	const struct subscription *sub, const char *type, const char *id);

/* estate_token.c */
void token_handle(struct call *c);
enum token_state { TOKEN_GOOD, TOKEN_MALFORMED, TOKEN_EXPIRED, TOKEN_AUDIENCE, TOKEN_UNKNOWN };
struct token_facts {
	const struct principal *who;
	char tenant[GUID_SIZE];
	char audience[128];
	struct wall expires;
};
enum token_state token_read(
	struct estate *e, const char *token, struct wall now, struct token_facts *ret);
/* A new one; caller frees. */
char *token_make(struct call *c, const struct principal *who, const char *audience);
/* The fields of a form; `form` is for map_fini(). */
void token_read_form(const struct http_request *r, struct map *form);
/* "https://management.azure.com/.default" without its end; NULL for another form of scope. */
char *token_resource(const char *scope);
bool token_is_for_known_resource(const struct estate *e, const char *resource);

/* estate_managed.c: the metadata services of a VM and of the Arc agent */
void managed_handle(struct call *c);

/* estate_devices.c: the API of Defender for Endpoint */
void devices_handle(struct call *c);
void device_free(void *device);

/* estate_adfs.c: `rest` is the path after "/adfs". */
void adfs_handle(struct call *c, const char *rest);

/* estate_assertion.c: the AADSTS number of what is wrong with it, or 0 */
struct assertion_failure {
	unsigned number;
	char text[256];
};
bool assertion_check(struct call *c, const struct principal *who, const char *assertion,
	struct assertion_failure *ret);
bool certificate_is_readable(const char *pem);

/* estate_hybrid.c */
extern const char *const hybrid_versions[];
/* The machine, of the path's provider, that the first three arguments name, or NULL. */
struct machine *call_machine(const struct call *c);

/* estate_compute.c */
extern const char *const compute_versions[];

/* estate_operations.c */
struct operation_request {
	struct machine *machine;
	const char *extension_id;
	const char *caller;
	const struct principal *who; /* NULL for Defender for Cloud */
	const char *correlation_id;
	json_t *take_doc;       /* the extension as it shall be; NULL for a deletion */
	json_t *take_protected; /* protectedSettings, or NULL */
};
struct operation *operation_begin(struct estate *e, const struct operation_request *request);
/* Answers the call that began it. */
void operation_accept(struct call *c, struct operation *op);
/* Connected again, or no longer. */
void operations_machine_changed(struct estate *e, struct machine *m);
/* The running operation on an extension of that type, or NULL. */
struct operation *operation_running(const struct machine *m, const char *type);
/* The one that creates that extension, which nobody can see yet, or NULL. */
struct operation *operation_creating(const struct machine *m, const char *id);
bool operation_is_by(const struct operation *op, const struct principal *who);
const char *operation_type(const struct operation *op);
void operations_forget(struct estate *e, struct machine *m);
void operation_free(void *op);

/* estate_handler.c: what the machine makes of an extension */
struct handler_result {
	bool succeeded;
	char code[16];
	char message[512];
};
void handler_install(struct estate *e, struct machine *m, const json_t *doc,
	const json_t *protected_settings, struct handler_result *ret);
void handler_classify(struct machine *m);
/* Makes an extension's properties those of a VM: statuses are an array, their codes words. */
void handler_vm_view(json_t *properties);
/* The document with provisioningState, version and instanceView of that result. */
json_t *handler_apply(struct estate *e, const json_t *doc, const struct handler_result *result);
/* Base64, as the API gives it and extensions want it; made once per tenant. */
const char *onboarding_script(struct estate *e, struct tenant *tenant, bool windows);

/* estate_activity.c */
struct activity_event {
	const char *resource_id;
	const char *action;
	const char *caller;
	const char *client_request_id;
	const char *correlation_id;
	const char *method;
	const char *status; /* "Started", "Succeeded", "Failed", "Accepted" */
	int http_status;
	const struct principal *who;
};
void activity_record(
	struct estate *e, struct subscription *sub, const struct activity_event *event);
/* The event of the write that this call made. */
void activity_of_call(struct call *c, const char *resource_id, const char *status, int http_status);
void activity_free(struct activity *a);

/* estate_faults.c */
struct fault_plan;
struct fault_book *fault_book_free(struct fault_book *book);
/* What the script wants for this request; NULL for nothing. */
struct fault_plan *fault_choose(struct call *c);
/* Before the request is looked at: true when it is answered (or swallowed) already. */
bool fault_before(struct call *c, const struct fault_plan *plan);
void fault_after(struct call *c, const struct fault_plan *plan);
void fault_plan_free(struct fault_plan *plan);
struct dur fault_lag(const struct estate *e);

/* estate_ledger.c */
struct ledger *ledger_new(void);
struct ledger *ledger_free(struct ledger *l);
void ledger_opening(struct estate *e);
void ledger_request(struct call *c);
/* Before an accepted write takes effect. `wanted` is what was sent, NULL for a deletion. */
void ledger_write(struct call *c, const struct resource *current, enum resource_kind kind,
	const char *id, const json_t *wanted);
/* Another hand reverted something: who flips it back too often fights. */
void ledger_meddled(struct estate *e, const char *id);

/* estate_pricing.c: a plan's document after that write; `before` may be NULL. */
json_t *pricing_document(const struct subscription *sub, const char *name, const json_t *before,
	const json_t *properties, struct wall at);
/* A machine's own plan: P1, or Free. */
json_t *machine_pricing_document(const struct machine *m, bool standard, struct wall at);

/* estate_assignment.c: documents */
json_t *policy_assignment_document(const char *scope, const char *name, const char *definition);
json_t *policy_exemption_document(const char *scope, const char *name, const char *assignment);
json_t *policy_set_document(
	const struct subscription *sub, const char *name, const json_t *definitions);

/* estate_security.c: documents; NULL for a setting that does not exist. */
json_t *setting_document(const struct subscription *sub, const char *name, bool enabled);
json_t *va_document(const struct subscription *sub, const char *by, struct wall at);
json_t *auto_provisioning_document(const struct subscription *sub, bool on);

/* estate_connector.c: a connector's document after that write; `current` may be NULL. */
json_t *connector_document(
	const char *id, const json_t *sent, const json_t *current, struct wall at);
/* Its Defender for Servers offering, or NULL. */
json_t *connector_servers(const json_t *doc);
bool connector_provisions_sensor(const struct resource *r);
/* Between two looks at the other cloud. */
struct dur connector_interval(const struct resource *r);
/* The one that made the machine, or NULL. */
const struct resource *machine_connector(const struct machine *m);

/* estate_workspace.c: documents. `sent` is what a PUT says, destinations are workspaces' ids. */
json_t *workspace_document(const char *id, const char *location, const char *customer);
json_t *solution_document(const char *id, const json_t *sent);
json_t *rule_document(
	const char *id, const char *location, const json_t *destinations, const json_t *streams);
json_t *association_document(const char *id, const char *rule);

/* The routes of each part. */
extern const struct route_table subscription_routes;
extern const struct route_table assignment_routes;
extern const struct route_table management_routes;
extern const struct route_table authorization_routes;
extern const struct route_table policy_routes;
extern const struct route_table pricing_routes;
extern const struct route_table security_routes;
extern const struct route_table connector_routes;
extern const struct route_table workspace_routes;
extern const struct route_table machine_routes;
extern const struct route_table compute_routes;
extern const struct route_table extension_routes;
extern const struct route_table operation_routes;
extern const struct route_table graph_routes;
extern const struct route_table activity_routes;
extern const struct route_table metadata_routes;
extern const struct route_table generic_routes;

#endif
