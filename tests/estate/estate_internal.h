/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estate_internal: what the files of the simulated Azure share: the estate, its resources and the
 * things that happen in it by themselves.
 *
 * Every resource is one JSON document, as ARM's GET answers it, kept under its id (compared without
 * case) and replaced as a whole when it changes. What Resource Graph shows is an older document of
 * the same resource. Everything that happens later is an event in one heap, so that the estate can
 * be moved to any moment and does the same in the same order each time.
 */
#ifndef MDC_TEST_ESTATE_INTERNAL_H
#define MDC_TEST_ESTATE_INTERNAL_H

#include "lib/base/heap.h"
#include "lib/base/map.h"
#include "lib/base/rng.h"
#include "tests/estate/estate.h"
#include "tests/estate/estate_knobs.h"

#include <jansson.h>

#define GUID_SIZE 37
#define SECURITY_NAMESPACE "Microsoft.Security"
#define HYBRID_NAMESPACE "Microsoft.HybridCompute"
#define COMPUTE_NAMESPACE "Microsoft.Compute"

/* --- events --- */

struct estate_event;
typedef void (*estate_event_fn)(struct estate *e, struct estate_event *event);
struct estate_event {
	struct heap_node node;
	estate_event_fn fire;
};
/* Sets, or moves, when it fires; WALL_NEVER withdraws it. */
void estate_schedule(struct estate *e, struct estate_event *event, struct wall due);
void estate_unschedule(struct estate *e, struct estate_event *event);
static inline bool estate_is_scheduled(const struct estate_event *event)
{
	return heap_holds(&event->node);
}

/* --- vectors with stable places --- */

/* A removed item leaves NULL, so that a page token (a place) stays true. */
struct vec {
	void **v;
	size_t n;
	size_t room;
};
size_t vec_add(struct vec *v, void *item);
void vec_fini(struct vec *v);

/* --- resources --- */

enum resource_kind {
	RESOURCE_SUBSCRIPTION,
	RESOURCE_GROUP,
	RESOURCE_PROVIDER,
	RESOURCE_LOCK,
	RESOURCE_PRICING,
	RESOURCE_MACHINE_PRICING,
	RESOURCE_SETTING,
	RESOURCE_VA_SETTING,
	RESOURCE_AUTO_PROVISIONING,
	RESOURCE_CONNECTOR,
	RESOURCE_WORKSPACE,
	RESOURCE_SOLUTION,    /* on a workspace */
	RESOURCE_RULE,        /* of data collection */
	RESOURCE_ASSOCIATION, /* of a machine with a rule */
	RESOURCE_MACHINE,
	RESOURCE_EXTENSION,
	RESOURCE_POLICY, /* an assignment, a set of definitions, or an exemption */
	RESOURCE_OTHER,  /* known to nothing but GET by estate_peek() and Resource Graph */
	RESOURCE_KIND_N_
};

enum graph_table_kind {
	GRAPH_RESOURCES,
	GRAPH_CONTAINERS,
	GRAPH_SECURITY,
	GRAPH_INSIGHTS,
	GRAPH_POLICY,
	GRAPH_TABLE_N_, /* also: not in Resource Graph */
};

struct subscription;
struct resource {
	enum resource_kind kind;
	bool gone; /* deleted, kept only until Resource Graph has seen it */
	bool stale;
	char *id;
	const char *name; /* last segment of the id */
	struct subscription *sub;
	struct resource *parent; /* of an extension or a machine's pricing: the machine */
	json_t *doc;             /* as ARM has it */
	json_t *shown;           /* as Resource Graph has it; NULL when it is not there */
	size_t slot;             /* in the subscription's table; SIZE_MAX when not there */
	size_t place;            /* in the list of its kind */
	struct wall changed;     /* as ARM has it, last */
	struct estate_event lag;
};

/* Rows of one table in one subscription. */
struct graph_rows {
	json_t *rows;
	struct vec owners;
	struct vec stale;
};

struct provider {
	struct resource res;
	struct estate_event registration;
};

struct group {
	struct resource res;
	struct vec machines;
};

enum os_path {
	OS_PATH_NONE, /* unsupported, unknown or excluded */
	OS_PATH_UNIFIED,
	OS_PATH_INBOX,
	OS_PATH_LINUX,
};

struct operation;
/* Where its sensor reports, whatever the extension says. */
enum sensor_way {
	SENSOR_REPORTS,
	SENSOR_IS_SILENT,  /* nowhere, since `silent_since` */
	SENSOR_IS_FOREIGN, /* to another organisation */
	SENSOR_WAY_N_
};

struct machine {
	struct resource res;
	struct group *group;
	struct vec extensions;
	struct vec operations; /* running ones */
	struct resource *pricing;
	enum os_path os;
	bool windows;
	bool connected;
	bool never_deployed; /* Defender for Cloud does not reach it */
	bool onboarded;      /* to Defender for Endpoint directly, before it came to Azure */
	bool excluded;       /* OpenShift and the like */
	bool vm;             /* an Azure VM (estate_vm.h) */
	bool agent_down;     /* its VM agent does not report */
	char *system;        /* of a VM, as an Arc agent would call it */

	struct estate_event deploy;
	struct estate_event beat;
	json_t *timeline; /* what the heartbeat will do; see estate_document.c */
	size_t timeline_at;
	bool flaps;

	json_t *outcomes; /* codes of the handler's next attempts */
	size_t outcome_at;
	struct dur reboot_after;
	struct wall reboot_due;
	bool stuck; /* operations never end */
	enum sensor_way sensor;
	struct wall silent_since;
};

struct tenant {
	char *id;
	char *name;
	char *domain;
	char *packages[2]; /* onboarding, made when first wanted: Linux, Windows */
	struct subscription
		*first; /* the first with integration: Defender for Cloud is slow there */
};

struct management_group {
	char *name;
	char *display_name;
	struct tenant *tenant;
	struct management_group *parent;
};

struct role {
	char *scope; /* "/", a management group's id, a subscription, a group, a resource */
	char *name;
	json_t *actions;
	json_t *not_actions;
};

/* An application that trusts certificates of a subject from an issuer. */
struct trusted_subject {
	char *name;   /* common name */
	char *issuer; /* PEM */
};

enum managed_kind { MANAGED_NOT, MANAGED_VM, MANAGED_ARC };

struct call_window {
	struct wall began;
	unsigned calls;
};

struct federation {
	char *issuer;
	char *subject;
	char *audience;
	char *key; /* public key, PEM */
};
struct principal {
	struct tenant *tenant;
	char *client;
	char *object;
	char *name;
	char *secret;
	struct wall secret_expires;
	struct vec certificates; /* PEM texts */
	struct vec federations;
	struct vec subjects;
	enum managed_kind managed; /* of what the estate's one machine is that asks for tokens */
	bool system_assigned;
	bool reads_devices;              /* Machine.Read.All */
	struct call_window minute, hour; /* of calls to Defender for Endpoint's API */
	struct role *roles;
	size_t role_count;
};

struct deny_policy {
	char *name;
	char *type;  /* "Microsoft.HybridCompute/machines/extensions" */
	char *scope; /* or NULL: the whole subscription */
};

struct activity;
struct subscription {
	struct resource res;
	char id[GUID_SIZE];
	struct tenant *tenant;
	struct management_group *group;
	struct vec kinds[RESOURCE_KIND_N_];
	struct graph_rows tables[GRAPH_TABLE_N_];
	struct deny_policy *policies;
	size_t policy_count;
	json_t *denials;       /* deny assignments, as ARM tells them */
	bool modern;           /* created lately: WDATP brings its opt-ins along */
	json_t *delegated_to;  /* ids of tenants whose principals may act here, too (Lighthouse) */
	json_t *plan_failures; /* extension name -> message: partial success of plan writes */

	/* One plan write at a time. */
	struct estate_event plan_write;
	json_t *plan_next;
	char *plan_id;
	const struct principal *plan_writer;

	struct wall integration_on_since; /* WALL_UNSET while off */
	struct activity *activity;
};

/* --- the estate --- */

struct fault_book;
struct ledger;
struct throttle;
struct estate {
	char *arm_host;
	char *login_host;
	char *defender_host; /* or NULL */
	uint64_t seed;
	struct rng rng;
	struct wall start;
	struct wall now;
	unsigned char key[32]; /* signs tokens, operation URLs and page tokens */
	struct knobs knobs;

	struct heap events;
	struct map tenants;    /* by id */
	struct map principals; /* by client id */
	struct map management_groups;
	struct map resources; /* by id */
	struct map ghosts;    /* deleted, still shown by Resource Graph */
	struct vec subscriptions;
	struct map operations;   /* by guid */
	size_t operations_limit; /* when old ones are looked for */
	struct map assertions;   /* jti -> expiry, of client assertions seen */
	struct map agent_keys;   /* content -> expiry, of keys that the Arc agent asks for */
	void (*put_key)(void *ctx, const char *name, const char *content);
	void *put_key_ctx;

	struct vec devices; /* of Defender for Endpoint, beyond those that machines are */
	struct vec hands;   /* other writers that the document describes */
	struct vec remediations;
	json_t *allowed_writes; /* kinds of writes that the document permits beyond the rules */
	struct fault_book *faults;
	struct ledger *ledger;
	struct throttle *throttle;
	bool loading; /* while the document is read nothing reacts to changes */
};

/* estate_resource.c */
struct resource *estate_find(const struct estate *e, const char *id);
/* NULL unless it is of that kind. */
struct resource *estate_find_kind(const struct estate *e, const char *id, enum resource_kind kind);
/* Takes the document. The parent's lists are brought up to date. */
struct resource *estate_create(struct estate *e, enum resource_kind kind, const char *id,
	struct subscription *sub, json_t *take_doc);
void estate_replace(struct estate *e, struct resource *r, json_t *take_doc);
void estate_remove(struct estate *e, struct resource *r);
/* Called when Resource Graph no longer shows a removed one. */
void estate_resource_release(struct estate *e, struct resource *r);
void estate_resources_fini(struct estate *e);
struct machine *machine_of(struct resource *r);
const char *machine_status(const struct machine *m);
/* The name of its operating system, or NULL. */
const char *machine_system(const struct machine *m);
/* "Microsoft.HybridCompute/machines/extensions", or a VM's. */
const char *machine_extension_type(const struct machine *m);
struct group *estate_group(
	struct estate *e, struct subscription *sub, const char *name, const char *location);
struct subscription *estate_subscription(const struct estate *e, const char *id);
bool subscription_is_registered(const struct subscription *sub, const char *provider);
struct resource *subscription_setting(const struct subscription *sub, const char *name);
struct resource *subscription_plan(const struct subscription *sub);
bool subscription_setting_is_on(const struct subscription *sub, const char *name);
/* Plan Standard and WDATP on: Defender for Cloud deploys there. */
bool subscription_is_integrated(const struct subscription *sub);
/* "Standard" of the machine's own pricing, or else of its subscription. */
bool machine_is_paid(const struct machine *m);
/* The MDE extension of a machine whatever its name, or NULL. */
struct resource *machine_sensor(const struct machine *m);
bool extension_is_sensor(const json_t *doc);
bool extension_is_unified(const json_t *doc);
bool machine_is_protected(const struct machine *m);

/* estate_rows.c: what Resource Graph shows, and when */
void rows_changed(struct estate *e, struct resource *r);
void rows_forget(struct estate *e, struct resource *r);
void rows_fini(struct graph_rows *rows);
/* Brings the rows of a table up to date and returns them, borrowed. */
const json_t *rows_of(struct subscription *sub, enum graph_table_kind table);
enum graph_table_kind rows_table(enum resource_kind kind);
bool is_above_subscriptions(const struct resource *r);

/* estate_chance.c: everything that is drawn comes from the estate's seed */
void estate_guid(struct estate *e, char ret[static GUID_SIZE]);
struct dur estate_between(struct estate *e, struct span span);
/* The same answer for the same id, evenly in [0, 1000000). */
unsigned estate_share_of(const struct estate *e, const char *id, const char *salt);
void estate_mac(const struct estate *e, const char *text, unsigned char ret[static 32]);
/* Hexadecimal HMAC over the text with the estate's key, 2 * bytes digits (bytes <= 32). */
void estate_sign(const struct estate *e, const char *text, char *ret, size_t bytes);
char *base64url_encode(const void *data, size_t len);
/* NULL when it is not base64url; caller frees. NUL-terminated. */
unsigned char *base64url_decode(const char *text, size_t len, size_t *ret_len);

/* Someone else who changes a resource, or a member of it, from time to time. */
struct hand {
	struct estate_event event;
	char *resource;
	char *caller;  /* as the activity log names it; NULL: another.hand@contoso.test */
	char *member;  /* NULL: the whole document */
	json_t *value; /* NULL: it is deleted */
	struct dur after, every;
	unsigned times, struck; /* 0 times: for ever */
};
/* Takes it. */
void hand_start(struct estate *e, struct hand *take_hand);
void hand_free(struct hand *h);
/* As estate_meddle(), by that caller. */
int meddle_as(struct estate *e, const char *caller, const char *resource_id, const char *member,
	json_t *value);

/* estate_remediation.c: an assigned policy that deploys what it finds missing, again and again */
struct remediation;
/* Object id of the managed identity that it deploys as. */
#define REMEDIATION_CALLER "60000000-0000-4000-8000-000000000001"
void remediation_start(
	struct estate *e, struct subscription *sub, const char *assignment_id, struct dur every);
void remediation_free(struct remediation *r);

/* What follows from a change: called after each, also from events. */
void deployer_subscription_changed(struct estate *e, struct subscription *sub);
void deployer_machine_changed(struct estate *e, struct machine *m);
/* Begins the installation on somebody's word, over a sensor that is there as well. */
void sensor_deploy(struct estate *e, struct machine *m, const char *caller, json_t *take_doc);
void heartbeat_start(struct estate *e, struct machine *m);

#endif
