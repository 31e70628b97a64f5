/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estate_builder: small estates for tests of policy: one scope, one policy, subscriptions and
 * machines that are filled through the inventory's own functions, so that tests see what the daemon
 * would see. Times are relative to a fixed "now".
 */
#ifndef MDC_ESTATE_BUILDER_H
#define MDC_ESTATE_BUILDER_H

#include "lib/base/rng.h"
#include "lib/controls/control.h"
#include "lib/engine/item_machine.h"
#include "lib/engine/plan.h"

#define ESTATE_TENANT "11111111-0000-4000-8000-000000000000"
#define ESTATE_NOW ((struct wall){INT64_C(1800000000000)})

struct estate {
	struct inventory *inv;
	struct config config;
	struct scope_config scopes[3]; /* the first one is used unless scope_count says more */
	struct policy_config policy;
	struct identity_config identity;
	struct wall now;
};

/* Everything in one enforcing scope; P2, integration, unified solution, deploy after 3 h. */
void estate_init(struct estate *e);
void estate_fini(struct estate *e);

/* Visible and enabled, in our tenant, plan and settings as wanted. */
struct subscription *estate_subscription(struct estate *e, unsigned number);
void estate_plan(struct estate *e, struct subscription *s, const char *tier, const char *sub_plan);
/* A full pricing document. */
void estate_plan_document(struct estate *e, struct subscription *s, const char *json);
void estate_settings(struct estate *e, struct subscription *s, enum tri wdatp, enum tri unified);
/* One setting as ARM tells it. */
void estate_setting(
	struct estate *e, struct subscription *s, enum setting_id setting, enum tri enabled);
/* One of the documents that are read singly; `word` NULL: it is not there. */
void estate_single(struct estate *e, struct subscription *s, enum single_id id, const char *word);
/* The policy wants everything that it can. */
void estate_want_everything(struct estate *e);
/* Resolves scopes; after subscriptions or the configuration changed. */
void estate_resolve(struct estate *e);

/* Connected for a day, with everything allowed, extensions listed and none there. */
struct machine *estate_machine(
	struct estate *e, struct subscription *s, const char *name, const char *sku);
/* Reads a machine document in place of what is known; ARM's form. */
struct machine *estate_machine_document(struct estate *e, const char *json);
void estate_status(struct estate *e, struct machine *m, const char *status);

struct estate_extension {
	const char *type;  /* NULL: the MDE extension that fits */
	const char *state; /* NULL: "Succeeded" */
	const char *vnext; /* JSON, NULL: absent */
	const char *owner; /* NULL: the machine itself */
	const char *code, *message;
	const char *workspace; /* of a legacy agent; NULL: none is named */
	const char *name;      /* NULL: the type */
	enum fact_source source;
	struct wall at; /* unset: now */
};
void estate_extension(
	struct estate *e, struct machine *m, const struct estate_extension *extension);
/* The same as a document of ARM; the caller owns it. */
json_t *estate_extension_document(
	const struct machine *m, const struct estate_extension *extension);
/* As the inventory of Defender for Endpoint shows it: seen a minute ago, and asked for now. */
void estate_sensor(
	struct estate *e, struct machine *m, const char *version, enum sensor_health health);
/* Assigned policies that install the agent: `scope` NULL for a complete list without any. */
void estate_agent_policy(struct estate *e, struct subscription *s, const char *scope);
/* A complete list without it. */
void estate_no_extension(struct estate *e, struct machine *m, struct wall since);

/*
 * A connector of AWS, or (`cloud` "GCP") of GCP, as ARM tells it: the members of its Defender for
 * Servers offering ("": none but the role), and further members of its properties. Listed now.
 */
struct estate_connector {
	const char *name;       /* NULL: "c1" */
	const char *cloud;      /* NULL: "AWS" */
	const char *offering;   /* NULL: there is no such offering */
	const char *properties; /* NULL: none */
};
struct connector *estate_connector(
	struct estate *e, struct subscription *s, const struct estate_connector *connector);
/* The same as a document; the caller owns it. */
json_t *estate_connector_document(
	const struct subscription *s, const struct estate_connector *connector);

/* A workspace, and solutions on it, as ARM tells them. Listed now, with who reports to it known. */
struct estate_workspace {
	const char *name;     /* NULL: "w1" */
	const char *solution; /* "Security", "SecurityCenterFree"; NULL: none */
	const char *state;    /* of the solution; NULL: "Succeeded" */
};
struct workspace *estate_workspace(
	struct estate *e, struct subscription *s, const struct estate_workspace *workspace);
/* Machines of that subscription report to it. */
void estate_reports(struct estate *e, struct subscription *s, const struct workspace *w);

/* For controls on connectors and workspaces: of the subscription's first one, which is made where
 * there is none. */
struct control_view estate_view(
	struct estate *e, struct subscription *s, struct machine *m, enum control_id control);
/* Judges one item, or all, and steps them as the daemon does; items come to life. */
struct verdict estate_judge(
	struct estate *e, struct subscription *s, struct machine *m, enum control_id control);
void estate_judge_all(struct estate *e);
/* Sets what the setter of the daemon would. */
void estate_step(struct estate *e, struct item *item, const struct item_event *event);

/*
 * A seeded estate of some subscriptions and machines in every condition. The same seed gives the
 * same resources, listed in order or from the end.
 */
void estate_random(
	struct estate *e, uint64_t seed, unsigned subscriptions, unsigned machines, bool from_end);
/* Everything is listed again as it is, now. */
void estate_relist(struct estate *e);

#endif
