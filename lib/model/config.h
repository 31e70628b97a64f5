/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: the desired state as the operator wrote it, checked and with every reference resolved.
 *
 * lib/model/ holds the three things that policy compares: the configuration (desired), the
 * inventory (observed) and the items (memory).
 *
 * The reader (daemon/config_file.c) gives neutral records: sections, options, strings with file and
 * line. config_build() turns them into this structure and reports every error at once. A struct
 * config never changes after it is built; a reload builds another.
 */
#ifndef MDC_CONFIG_H
#define MDC_CONFIG_H

#include "lib/azure/arm_connector.h"
#include "lib/azure/arm_document.h"
#include "lib/azure/arm_id.h"
#include "lib/base/diag.h"
#include "lib/base/tick.h"

/* --- neutral records, as read --- */

struct config_value {
	char *text;
	char *file;
	unsigned line;
};
struct config_option {
	char *name;
	char *file;
	unsigned line;
	struct config_value *values; /* one, or several for a list */
	size_t n;                    /* 0 and not a list: unreadable, and reported by the reader */
	bool list;                   /* written with braces */
};
/* An option stands once in a section, and so does a section of one kind and title. */
struct config_section {
	char *kind;  /* "" for the top level */
	char *title; /* or NULL */
	char *file;
	unsigned line;
	struct config_option *options;
	size_t option_count;
	struct config_section *sections;
	size_t section_count;
};
void config_section_fini(struct config_section *s);

/* --- the option table: one row an option; drives parsing, manual, example and `config show` --- */

enum config_type {
	CONFIG_TEXT,
	CONFIG_PATH,
	CONFIG_URL,
	CONFIG_GUID,
	CONFIG_SWITCH, /* on, off */
	CONFIG_DURATION,
	CONFIG_COUNT,
	CONFIG_CHOICE,     /* one of `choices` */
	CONFIG_LIST,       /* of text */
	CONFIG_DATE,       /* YYYY-MM-DD */
	CONFIG_TIME,       /* HH:MM */
	CONFIG_PERCENT,    /* "10%" */
	CONFIG_PRICE,      /* "0.0205": lib/model/money.h */
	CONFIG_HALT,       /* "5%" or "7 machines" */
	CONFIG_GUIDS,      /* list of GUIDs, or "*" */
	CONFIG_TAGS,       /* list of "name=value" */
	CONFIG_CHOICES,    /* list of `choices` */
	CONFIG_WORKSPACES, /* list of resource ids of workspaces */
	CONFIG_PROXY,      /* "http://HOST:PORT", "https://HOST:PORT", or "none" */
	CONFIG_TYPE_N_
};
struct config_shape;
struct config_row {
	const char *section; /* "", "identity", "policy/extension", … */
	const char *name;
	enum config_type type;
	const char *minimum; /* in the type's own notation, or NULL */
	const char *maximum;
	const char *standard; /* the default, or NULL: none, "" : required */
	const char *choices;  /* "a|b|c" */
	const char *unit;     /* what a CONFIG_COUNT counts */
	/* The values that this version acts on, as "a|b" ("": none may be written); NULL: all. */
	const char *supported;
	const struct config_shape *shape; /* of a text (config_shape.h), or NULL */
	bool reloadable;
	const char *example; /* for the example file where there is no default */
	const char *help;    /* one or two sentences */
};
/* Rows in the order of the manual. */
const struct config_row *config_rows(size_t *ret_count);
/* What the environment says about an identity of that method where the configuration does not. */
struct config_environment_row {
	const char *method;
	const char *option;
	const char *variable;
};
const struct config_environment_row *config_environment_rows(size_t *ret_count);
/* The kinds of section: where each may stand, whether it has a title. */
struct config_section_row {
	const char *path; /* "scope/exclude"; "" for the top level */
	bool titled;
	bool repeats;
	bool unsupported;    /* refused by this version */
	const char *example; /* title in the example file */
	const char *help;
};
const struct config_section_row *config_section_rows(size_t *ret_count);

/* --- the built configuration --- */

enum identity_method {
	IDENTITY_CLIENT_SECRET,
	IDENTITY_CLIENT_CERTIFICATE,
	IDENTITY_WORKLOAD,
	IDENTITY_MANAGED,
	IDENTITY_ARC,
	IDENTITY_AZURE_CLI,
	IDENTITY_METHOD_N_
};

/* How ARM counts calls in a cloud. */
enum cloud_quota { CLOUD_QUOTA_BUCKETS, CLOUD_QUOTA_BUCKETS_AND_TENANT, CLOUD_QUOTA_HOURLY };

/* The way out of this network; all may be NULL. */
struct proxy_config {
	char *url; /* NULL: what the environment says; "none": no proxy */
	char *credentials_file;
	char *ca_file;  /* extra trust for the proxy's own certificate */
	char *no_proxy; /* "10.0.0.0/8,.example.com"; NULL: what the environment says */
};

struct cloud_config {
	char *name;
	char *login; /* "https://login.microsoftonline.com"; NULL: not known, see cloud_discovery.h
		      */
	char *resource_manager; /* "https://management.azure.com" */
	char *defender;
	char *audience; /* token scope is "<audience>/.default" */
	char *ca_file;  /* extra trust, or NULL */
	enum cloud_quota quota;
	struct proxy_config proxy;
};

struct identity_config {
	char *name;
	const struct cloud_config *cloud;
	char *tenant;
	char *client;
	enum identity_method method;
	char *secret_file;
	struct wall secret_expires; /* as the administrator says; WALL_UNSET: not known */
	char *certificate;
	char *certificate_password_file;
	bool certificate_chain; /* the certificate is sent along (x5c) */
	char *federated_token_file;
};

enum servers_plan { PLAN_UNMANAGED, PLAN_P1, PLAN_P2 };
enum extension_deploy { DEPLOY_NEVER, DEPLOY_AFTER_GRACE };
/* What proves that the new sensor is at work. */
enum legacy_proof { PROOF_BY_INVENTORY, PROOF_BY_EXTENSION };

/* Empty lists match everything; all given lists must match. */
struct selector {
	char **subscriptions; /* GUIDs, lower case */
	size_t subscription_count;
	char **management_groups; /* above the subscription, at any height */
	size_t management_group_count;
	char **groups; /* resource group names */
	size_t group_count;
	char **machines; /* names, "*" and "?" allowed */
	size_t machine_count;
	struct {
		char *name;
		char *value;
	} * tags; /* "env=lab": all must be there */
	size_t tag_count;
};

/* Machines whose plan is not their subscription's. */
struct machine_plan_config {
	char *name;
	enum machine_plan plan;
	struct selector selector;
};

struct policy_config {
	char *name;
	enum servers_plan plan;
	bool plan_extensions[PLAN_EXTENSION_N_]; /* wanted on; the others are left as they are */
	bool integration;
	bool unified_solution;
	bool linux_integration;
	bool vulnerability_management;
	bool register_providers;
	struct dur policy_grace; /* the time of assigned policies that do the same */
	enum extension_deploy deploy;
	bool own_images;        /* also to Azure VMs to which Defender for Cloud does not deploy */
	struct dur grace;       /* Defender for Cloud's own time for a machine */
	struct dur first_grace; /* the same after the plan or integration was just switched on */
	bool legacy_replace;
	bool legacy_remove_agent;
	enum legacy_proof legacy_proof;
	struct dur legacy_remove_after; /* how long the new sensor has to be there before */
	bool legacy_any_workspace;
	char **legacy_workspaces; /* whose agents may go */
	size_t legacy_workspace_count;
	struct selector other_edr; /* tags, each of which says that another product is there */
	struct {
		enum servers_plan plan;
		bool parts[CONNECTOR_PART_N_]; /* wanted on; the others are left as they are */
	} connector;
	struct {
		bool from_machines; /* those that machines of P2 subscriptions report to */
		char **list;        /* resource ids */
		size_t list_count;
	} workspaces;
	struct machine_plan_config *machine_plans; /* the first that matches decides */
	size_t machine_plan_count;
};

struct exclude_config {
	char *name;
	struct selector selector;
	struct wall expires; /* as written; WALL_NEVER when not given */
	struct wall until;   /* when it counts as absent: a while after */
	char *owner, *ticket, *reason;
};

struct grant_config {
	char *name;
	char *control;
	struct selector selector;
	struct wall expires, until; /* as those of an exclusion */
	char *owner, *ticket, *reason;
};

/* A connector that is made where it is not there. */
struct connector_config {
	char *name;
	char *id;           /* the resource's */
	char *subscription; /* lower case */
	struct connector_description is;
};

/* What the operator pays; PRICE_UNKNOWN where it is not written. */
#define PRICE_UNKNOWN INT64_C(-1)
struct prices_config {
	char *currency;
	int64_t p1_per_hour, p2_per_hour, mde_per_month; /* lib/model/money.h */
};

enum scope_mode { MODE_OBSERVE, MODE_ENFORCE };

struct scope_config {
	char *name;
	const struct identity_config *identity;
	char **subscriptions; /* GUIDs, lower case; "*" is `everything` */
	size_t subscription_count;
	bool everything;
	char **management_groups;
	size_t management_group_count;
	const struct policy_config *policy;
	enum scope_mode mode;
	bool honour_exemptions; /* of Azure Policy */
	char **exemptions_of;   /* assignments and definitions, besides those of the sensor */
	size_t exemptions_of_count;
	uint64_t max_in_flight; /* operations running at once */
	struct exclude_config *excludes;
	size_t exclude_count;
	struct grant_config *grants;
	size_t grant_count;
	struct connector_config *connectors;
	size_t connector_count;
	/* Connectors are listed here: they matter, or are of the account that another describes. */
	bool lists_connectors;
};

struct config {
	char *state_directory;
	char *control_socket;
	bool log_to_journal; /* else stderr */
	struct {
		struct dur subscriptions, machines, full_sweep, inventory;
		struct dur operations; /* running operations are watched in bulk */
		unsigned jitter_percent;
	} poll;
	struct {
		uint64_t machines, subscriptions;
	} impact;
	uint64_t max_in_flight;  /* of scopes that say nothing else */
	struct dur expiry_grace; /* for which what has ended still holds */
	struct prices_config prices;
	struct cloud_config *clouds;
	size_t cloud_count;
	struct identity_config *identities;
	size_t identity_count;
	struct policy_config *policies;
	size_t policy_count;
	struct scope_config *scopes;
	size_t scope_count;
	char *canonical; /* every effective option, one per line; what is digested and shown */
};

/* All errors at once in `diags`; -EINVAL if there was any, or if the reader could not read an
 * option. Warnings do not fail. */
int config_build(
	const struct config_section *root, struct diags *diags, struct config **ret) MDC_MUST_CHECK;
struct config *config_free(struct config *c);

/* What a reload changed: "poll/machines: 5m -> 1m" a line; names options that need a restart. */
int config_diff(const struct config *old, const struct config *fresh, struct buf *ret,
	bool *ret_needs_restart);

/* What the policy says of a machine's own plan, or NULL; without its tags none that needs them. */
const struct machine_plan_config *policy_machine_plan(const struct policy_config *p,
	const char *subscription, const char *group, const char *machine, const char *tags);
/* Whether "name=value\n…" holds any of the selector's tags. */
bool selector_has_any_tag(const struct selector *s, const char *tags);
/* What the scope says of that resource, or NULL. */
const struct connector_config *scope_connector(const struct scope_config *scope, const char *id);
bool selector_matches(const struct selector *s, const char *subscription, const char *group,
	const char *machine, const char *tags);

#endif
