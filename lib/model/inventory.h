/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory: everything observed, each fact with its time, and for each collection whether it was
 * listed completely. Absence is concluded only from a complete list (rule 5 of writing).
 *
 * It is filled by observation batches ("sweeps") and by single reads, and holds the items beside
 * the resource they are about. Records are compact: texts that many machines share are interned.
 */
#ifndef MDC_INVENTORY_H
#define MDC_INVENTORY_H

#include "lib/azure/arm_connector.h"
#include "lib/azure/arm_document.h"
#include "lib/azure/arm_id.h"
#include "lib/azure/arm_workspace.h"
#include "lib/azure/os_class.h"
#include "lib/base/heap.h"
#include "lib/base/intern.h"
#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/model/assigned_policy.h"
#include "lib/model/item.h"
#include "lib/model/policy_exemption.h"
#include "lib/model/sensor.h"

/* SOURCE_DEFENDER: the inventory of Defender for Endpoint. */
enum fact_source { SOURCE_NONE, SOURCE_GRAPH, SOURCE_ARM, SOURCE_DEFENDER };

/* When and from where a group of facts was last read. */
struct stamp {
	struct wall at; /* WALL_UNSET: never */
	enum fact_source source;
};

enum subscription_state {
	SUBSCRIPTION_STATE_UNKNOWN,
	SUBSCRIPTION_ENABLED,
	SUBSCRIPTION_WARNED, /* Warned, PastDue: read, do not write */
	SUBSCRIPTION_DISABLED,
};

/* The settings of Microsoft.Security/settings that some control reads. */
enum setting_id { SETTING_WDATP, SETTING_UNIFIED, SETTING_EXCLUDE_LINUX, SETTING_N_ };
const char *setting_name(enum setting_id s);
enum setting_id setting_from_name(const char *name);
/* The value that protects: the exclusion of Linux machines does it by being off. */
bool setting_protects_on(enum setting_id s);

struct extension_facts {
	bool present : 1;
	bool foreign_owner : 1; /* azureResourceId names another machine */
	bool ahead : 1;         /* ARM told something that Graph may not know yet */
	enum provisioning provisioning : 8;
	enum tri vnext : 8;
	enum fact_source source : 8; /* who told it last, and when */
	struct wall at;
	const char *name; /* interned, like the other texts */
	const char *version;
	const char *state; /* provisioningState as received */
	const char *code;
	const char *message; /* cut at 400 bytes */
	struct wall changed; /* when `present` or `provisioning` last changed, or was first seen */
};

struct machine {
	struct subscription *subscription;
	const char *id; /* as received first; the machine's own copy */
	const char *group;
	const char *name; /* points into id */
	const char *location;
	const char *status;
	const char *os_sku;
	const char *os_type;
	const char *agent_version;
	const char *cloud;
	const char *tags; /* interned "name=value\n…", names lower case, sorted; "" */
	enum os_class os : 8;
	enum tri extensions_enabled : 8;
	enum tri mde_allowed : 8;     /* by the agent's own lists */
	enum tri owner_in_tenant : 8; /* whether mde_owner is in a subscription of this tenant */
	bool connected : 1;
	bool proxied : 1; /* the agent goes through a proxy */
	bool connector_made : 1;
	bool extensions_known : 1; /* a complete list of its extensions was read */
	bool tags_unknown : 1;     /* too many to be read: no selector can be trusted */
	bool unjudged : 1;         /* a fact changed since its items were last judged */
	bool doubted : 1;          /* in this sweep something of its extensions was unreadable */
	bool refresh_queued : 1;   /* the observer's own */
	bool azure_vm : 1;         /* not Arc's: `status` is its power state */
	bool own_image : 1;        /* of a VM: Defender for Cloud does not deploy to it */
	bool in_scale_set : 1;     /* of a VM: an instance of a flexible one */
	enum tri agent_ready : 8;  /* the VM agent, as far as ARM was asked */
	enum machine_plan plan : 8;
	struct wall plan_at;      /* when its own plan was asked for; WALL_UNSET: never */
	struct wall looked_at;    /* of a VM: when ARM was asked what is wrong with it */
	struct wall status_since; /* lastStatusChange, or when we saw it change */
	struct stamp stamp;
	uint32_t seen;                  /* sweep in which it was last listed */
	uint32_t mde_seen, legacy_seen; /* sweeps in which these extensions were */
	uint32_t place;                 /* in the subscription's array */
	struct extension_facts mde;     /* MDE.Windows or MDE.Linux, whichever fits the system */
	struct extension_facts legacy;  /* MicrosoftMonitoringAgent or OmsAgentForLinux */
	const char *mde_owner;        /* interned azureResourceId where it is not the machine; "" */
	const char *legacy_workspace; /* interned: to which the legacy agent reports; "" */
	struct sensor_facts *sensor;  /* NULL: nothing is known of it */
	struct heap_node deadline;    /* of the earliest item */
	struct item items[MACHINE_CONTROLS];
};

/*
 * A connector of AWS or GCP; others are not kept. It is a resource of its own, and is observed,
 * judged and looked at together with its subscription.
 */
struct connector {
	struct subscription *subscription;
	char *id; /* as received first */
	const char *group, *name;
	enum connector_cloud cloud;
	const char *hierarchy; /* interned: AWS account id, GCP project number; "" */
	const char *parent;    /* interned: that of its organization; "" */
	unsigned scan_hours;   /* between two looks of Defender for Cloud at the other cloud */
	struct connector_offering offering; /* its text is interned */
	struct wall changed;                /* when the offering was seen to change */
	struct wall missing;                /* since when complete lists lack it */
	struct stamp stamp;                 /* SOURCE_NONE: only described, and never seen */
	struct item items[CONNECTOR_CONTROLS];
};

/* Machines of one subscription that report to a workspace. */
struct workspace_reporter {
	const struct subscription *subscription;
	uint32_t agents; /* by a data collection rule of the Azure Monitor agent */
	uint32_t legacy; /* by the settings of a legacy agent */
};

/*
 * A Log Analytics workspace: a resource of its own like a connector, observed, judged and looked at
 * together with the subscription that it is in; machines of other ones may report to it.
 */
struct workspace {
	struct subscription *subscription;
	char *id; /* as received first */
	const char *group, *name;
	const char *location;         /* interned; "" */
	const char *customer;         /* interned: the GUID by which legacy agents name it; "" */
	const char *plan_state;       /* interned: provisioningState of the plan's solution; "" */
	bool plan;                    /* the solution Security(<name>) is there */
	bool free;                    /* SecurityCenterFree(<name>) is there, which is no plan */
	struct wall plan_at, free_at; /* when they were last seen */
	struct workspace_reporter *reporters;
	size_t reporter_count;
	struct wall missing; /* since when complete lists lack it */
	struct stamp stamp;
	struct item items[WORKSPACE_CONTROLS];
};

/* What machines of a subscription use to report. */
enum workspace_use_kind {
	USE_RULE,   /* a rule that sends to the workspace `target` */
	USE_LEGACY, /* agents whose workspace has the GUID `target` */
	USE_UNREAD, /* the rule `target` cannot be read: nobody knows to which workspace */
};
struct workspace_use {
	enum workspace_use_kind kind;
	const char *target; /* interned */
	uint32_t machines;
	bool known; /* the workspace is among those that were listed */
};

struct setting_facts {
	enum tri enabled;        /* TRI_UNKNOWN after a complete list: never set, or not readable */
	bool listed;             /* stood in the last complete list */
	struct wall changed;     /* when we saw it change; WALL_UNSET: it was so when first seen */
	struct wall not_offered; /* when Azure last said that it has no such setting here */
	struct stamp stamp;
};

/* Documents that are read one by one (lib/model/single.h). */
enum single_id {
	SINGLE_SECURITY_PROVIDER,
	SINGLE_ARC_PROVIDER,
	SINGLE_SOLUTIONS_PROVIDER,
	SINGLE_VULNERABILITY,
	SINGLE_AUTO_PROVISIONING, /* retired; only told */
	SINGLE_N_
};
struct single_facts {
	const char *word;    /* interned; "": the document is not there */
	struct wall changed; /* when we saw it change, or saw it first */
	struct wall asked;   /* for it, with an answer or without */
	struct stamp stamp;
};

/* What could not be read of a subscription. */
enum unread { UNREAD_SWITCHES /* plan, settings, … */, UNREAD_MACHINES, UNREAD_N_ };

struct subscription {
	struct inventory *inventory; /* that holds it */
	char id[GUID_TEXT_SIZE];     /* lower case */
	char *name;
	char tenant[GUID_TEXT_SIZE];
	char home[GUID_TEXT_SIZE]; /* the tenant that it was first seen in; "" : not known yet */
	const char *managed_by;    /* tenants that it is delegated to, "GUID GUID…" */
	char **management_groups;  /* nearest first */
	size_t management_group_count;
	bool groups_known; /* they have been read */
	enum subscription_state state;
	bool visible;   /* in the last complete list */
	bool pass_seen; /* listed in the present pass */
	struct stamp stamp;
	struct {
		struct stamp stamp;
		const char *tier;
		const char *sub_plan;
		enum tri enforce;
		struct wall enabled_at;
		const char *failure; /* "name: message" of a plan extension that failed, or "" */
		const char *coverage;
		const char *replaced_by; /* of a deprecated plan: by what, or "nothing"; else "" */
		enum tri extensions[PLAN_EXTENSION_N_];
		bool ready[PLAN_EXTENSION_N_]; /* all that is needed to switch it on is there */
		bool ahead;                    /* ARM told something that Graph may not know yet */
	} pricing;
	struct stamp settings_stamp;
	struct setting_facts settings[SETTING_N_];
	struct assigned_policies policies; /* that do, or undo, what controls do */
	struct policy_exemptions exemptions;
	struct single_facts singles[SINGLE_N_];
	bool seems_unregistered;     /* Microsoft.Security answered so in place of the settings */
	struct stamp machines_stamp; /* of the last complete list of machines and extensions */
	struct wall drop_since; /* since when lists are complete and much shorter than before */
	uint32_t machine_count;
	uint32_t seen_count; /* machines listed in the sweep `seen` */
	uint32_t seen;
	uint32_t os_count[OS_CLASS_N_];
	uint64_t announced_machines;      /* by the counting query */
	const struct scope_config *scope; /* resolved; NULL: in no scope */
	bool rescoped; /* it was in another scope before; until that has been acted on */
	const char *scope_conflict;    /* interned names of two scopes that tie, or NULL */
	struct stamp connectors_stamp; /* of the last complete list */
	struct connector **connectors; /* they stay: what is not there any more says so */
	size_t connector_count;
	struct stamp workspaces_stamp; /* of the last complete lists of workspaces and solutions */
	struct workspace **workspaces; /* they stay, too */
	size_t workspace_count;
	struct workspace_use *uses; /* of its own machines, whatever workspace */
	size_t use_count;
	struct stamp reports; /* when all reporters of its workspaces were last known */
	struct machine **machines;
	size_t machine_room;
	bool refresh_queued; /* the observer's own */
	/* The reconciler's own. `judged`: the facts, in one number, under which its machines were
	 * judged; those below `to_judge` in the array are still to be judged under them. */
	uint64_t judged;
	uint32_t to_judge;
	bool reconfigured;
	struct list judging;
	struct {
		char *why; /* "the settings of a subscription: …" of the latest pass, or NULL */
		struct wall at;
	} unread[UNREAD_N_];
	struct heap_node
		deadline; /* of the earliest item, those of connectors and workspaces included */
	struct item items[FIRST_CONNECTOR_CONTROL];
	/* Its own items and those of its connectors, workspaces and machines, by state; kept by the
	 * daemon's one setter. */
	uint32_t states[CONTROL_N_][ITEM_STATE_N_];
};

/* Which way of the migration a machine goes. */
enum machine_path { PATH_AZURE_VM, PATH_ON_PREMISES, PATH_AWS, PATH_GCP, MACHINE_PATH_N_ };
enum machine_path machine_path(const struct machine *m);
/* One word for JSON ("azure-vm") and a phrase for people. */
const char *machine_path_word(enum machine_path p);
const char *machine_path_text(enum machine_path p);

struct inventory {
	struct intern texts;
	struct map subscriptions; /* by id */
	struct map machines;      /* by folded id */
	uint32_t sweep;           /* number of the present sweep */
	struct dur graph_lag;     /* how long Graph may still show what was before (2 min) */
};

struct inventory *inventory_new(void);
struct inventory *inventory_free(struct inventory *inv);

/* It is in another tenant than the one that it was first seen in. */
bool subscription_has_moved(const struct subscription *s);
struct subscription *inventory_subscription(const struct inventory *inv, const char *id);
struct subscription *inventory_add_subscription(struct inventory *inv, const char *id);
struct machine *inventory_machine(const struct inventory *inv, const char *id);

/* Far above any estate: what claims to be more is not taken (-ENOSPC, or NULL). */
#define INVENTORY_SUBSCRIPTIONS_MAX 100000
#define INVENTORY_MACHINES_MAX 4000000
#define INVENTORY_CONNECTORS_MAX 10000 /* of one subscription */
#define INVENTORY_WORKSPACES_MAX 10000 /* the same */

/*
 * Single facts. `changed` tells whether any fact that a control reads is different now.
 *
 * A stamp tells when the question was asked, so that an answer is never younger than it looks.
 * Answers may cross: one to an earlier question than the known fact is not taken, unless it is so
 * much earlier that the clock must have been set. Resource Graph lags behind: what ARM itself told
 * anew of a plan, an extension that ARM showed as succeeded, and one that ARM showed as gone, are
 * not taken back by Graph within `graph_lag`.
 */
void inventory_set_subscription(struct inventory *inv, struct subscription *s,
	const struct arm_subscription *facts, struct stamp stamp, bool *ret_changed);
/* An array of {"name"}, nearest first. */
void inventory_set_management_groups(struct subscription *s, const json_t *groups);
void inventory_set_pricing(struct inventory *inv, struct subscription *s,
	const struct arm_pricing *facts, struct stamp stamp, bool *ret_changed);
/* enabled TRI_UNKNOWN records that the setting is not set. */
void inventory_set_setting(struct inventory *inv, struct subscription *s, enum setting_id setting,
	enum tri enabled, struct stamp stamp, bool *ret_changed);
/* A PUT of a setting that had never been set was answered "no such setting". */
void inventory_setting_not_offered(
	struct inventory *inv, struct subscription *s, enum setting_id setting, struct stamp stamp);
/*
 * After a complete list of settings: those not listed are "not set", except for what was read
 * singly and never stood in a list: lists leave out settings that have their default.
 */
void inventory_settings_complete(struct inventory *inv, struct subscription *s,
	const bool listed[static SETTING_N_], struct stamp stamp);
/* `word` NULL: the document is not there. */
void inventory_set_single(struct inventory *inv, struct subscription *s, enum single_id id,
	const char *word, struct stamp stamp, bool *ret_changed);
/*
 * Adds the machine where it is new. -EINVAL for a bad id or an unknown subscription, -ENOSPC;
 * -ENOENT for a VM that is not known and of which nothing but its status is told.
 */
int inventory_set_machine(struct inventory *inv, const struct arm_machine *facts,
	struct stamp stamp, struct machine **ret, bool *ret_changed) MDC_MUST_CHECK;
/* -ENOENT where the machine is not known (yet), -EINVAL for a bad id; 0 also for extensions that no
 * control reads. */
int inventory_set_extension(struct inventory *inv, const struct arm_extension *facts,
	struct stamp stamp, struct machine **ret, bool *ret_changed) MDC_MUST_CHECK;
/* The extension was read from ARM and is not there. */
void inventory_unset_extension(struct inventory *inv, struct machine *m, enum extension_kind kind,
	struct stamp stamp, bool *ret_changed);
/* Of its own, or inherited. */
void inventory_set_machine_plan(
	struct machine *m, enum machine_plan plan, struct stamp stamp, bool *ret_changed);
/* What the inventory of Defender for Endpoint says; NULL: nothing is known (any more). */
void inventory_set_sensor(struct inventory *inv, struct machine *m,
	const struct sensor_facts *facts, bool *ret_changed);
/* Takes over what the complete list of assignments said. */
void inventory_set_policies(
	struct subscription *s, struct assigned_policies *take, bool *ret_changed);
/* The same of exemptions. */
void inventory_set_exemptions(
	struct subscription *s, struct policy_exemptions *take, bool *ret_changed);
/* Whether that kind is one of the machine's two, as far as its system is known. */
bool extension_fits(const struct machine *m, enum extension_kind kind);
/* After a complete list of one machine's extensions: those not listed are not there. */
void inventory_extensions_complete(
	struct inventory *inv, struct machine *m, bool mde, bool legacy, struct stamp stamp);
/*
 * Something about its extensions could not be read. Once the sweep is concluded they are not known;
 * from one that is not, such as where those of many machines cannot be read, nothing is concluded.
 */
void inventory_doubt_extensions(struct machine *m);

/*
 * A sweep: begin, set machines and extensions as they are listed, then check for each subscription
 * whose collections were listed completely whether the lists can be believed, and conclude, some
 * machines at a time: those that were not seen are removed through `gone`, extensions not seen are
 * taken as absent.
 *
 * `announced` is the count told by the counting query. More than `tolerance_percent` fewer machines
 * than before, or than announced, is no list to conclude from (-ESTALE), and neither is an empty
 * one where there were machines: lost access looks like that. Fewer than before is believed once
 * every list of a whole day agreed with what was announced: machines do get decommissioned.
 */
void inventory_sweep_begin(struct inventory *inv);
bool inventory_is_far_below(uint64_t seen, uint64_t expected, unsigned tolerance_percent);
int inventory_sweep_check(const struct inventory *inv, struct subscription *s, uint64_t announced,
	unsigned tolerance_percent, struct wall now) MDC_MUST_CHECK;

struct sweep_conclusion {
	struct subscription *subscription;
	struct stamp stamp; /* when the first question of the sweep was asked */
	uint32_t left;      /* machines of the subscription's array, from its beginning */
};
void inventory_conclude_begin(
	struct subscription *s, struct stamp stamp, struct sweep_conclusion *ret);
typedef void (*inventory_gone_fn)(void *ctx, struct machine *m);
/* At most `most` machines; true when there are more. */
bool inventory_conclude(struct inventory *inv, struct sweep_conclusion *c, uint32_t most,
	inventory_gone_fn gone, void *ctx) MDC_MUST_CHECK;
void inventory_remove_machine(struct inventory *inv, struct machine *m);

/* For how long a connector that complete lists lack may come back before it counts as gone. */
#define CONNECTOR_KEPT DUR_H(23)
struct connector *inventory_connector(const struct inventory *inv, const char *id);
/* Adds it where it is new. -ENOTSUP for other clouds, else as inventory_set_machine(). */
int inventory_set_connector(struct inventory *inv, const struct arm_connector *facts,
	struct stamp stamp, struct connector **ret, bool *ret_changed) MDC_MUST_CHECK;
/* It was asked for, or stands in no complete list. */
void inventory_connector_missing(struct connector *c, struct stamp stamp);
/*
 * After a complete list of the subscription's connectors, asked for at `stamp`. Those that its
 * scope describes and that are not there are added, as missing and never seen.
 */
void inventory_connectors_complete(struct subscription *s, struct stamp stamp);
/* One that is there, of that account or project, or NULL. */
const struct connector *inventory_connector_of_account(const struct inventory *inv,
	enum connector_cloud cloud, const char *hierarchy, const struct connector *besides);
/* Whether it has made the machine, as far as account, project and cloud tell. */
bool connector_owns(const struct connector *c, const struct machine *m);

/* As long as a connector may. */
#define WORKSPACE_KEPT CONNECTOR_KEPT
struct workspace *inventory_workspace(const struct inventory *inv, const char *id);
/* Adds it where it is new; errors as inventory_set_machine(). */
int inventory_set_workspace(struct inventory *inv, const struct arm_workspace *facts,
	struct stamp stamp, struct workspace **ret, bool *ret_changed) MDC_MUST_CHECK;
/* One that should be there, whether or not it is seen. */
void inventory_expect_workspace(struct inventory *inv, const char *id);
/* -ENOENT: of a workspace that is not known. */
int inventory_set_solution(struct inventory *inv, const struct arm_solution *facts,
	struct stamp stamp, struct workspace **ret, bool *ret_changed) MDC_MUST_CHECK;
/* The workspace was asked for, or stands in no complete list. */
void inventory_workspace_missing(struct workspace *w, struct stamp stamp);
/* Its plan was asked for and is not there. */
void inventory_unset_solution(struct workspace *w, struct stamp stamp, bool *ret_changed);
/* After complete lists of the subscription's workspaces, and of the solutions on them. */
void inventory_workspaces_complete(struct subscription *s, struct stamp stamp);
void inventory_solutions_complete(struct subscription *s, struct stamp stamp);
/* What its machines use, in place of what was known. */
void inventory_clear_uses(struct inventory *inv, struct subscription *s);
void inventory_add_use(struct inventory *inv, struct subscription *s, enum workspace_use_kind kind,
	const char *target, uint32_t machines);
/* Finds the reporters of every workspace by what machines use. */
void inventory_relate_workspaces(struct inventory *inv);

struct stamp extension_stamp(const struct extension_facts *e);

/* The item of a control on its resource; `m` is NULL for the subscription's own controls. */
struct item *inventory_item(struct subscription *s, struct machine *m, enum control_id control);
struct item *connector_item(struct connector *c, enum control_id control);
struct item *workspace_item(struct workspace *w, enum control_id control);

#endif
