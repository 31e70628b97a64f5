/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pass: one reading of whole collections; inside the observer only.
 *
 *   observer.c            which pass runs, and from stage to stage
 *   pass_subscriptions.c  which subscriptions there are, their plans and settings
 *   pass_singles.c        their documents that are read one by one
 *   pass_connectors.c     their connectors of AWS and GCP
 *   pass_workspaces.c     their Log Analytics workspaces, and who reports to these
 *   pass_groups.c         their management groups
 *   pass_policies.c       assigned policies that do what controls do, or undo it
 *   pass_exemptions.c     exemptions from them
 *   pass_machine_plans.c  plans of single machines
 *   pass_machines.c       machines and extensions, from Graph or, where it refuses, from ARM
 *   pass_vms.c            Azure VMs from ARM
 *   pass_tell.c           what complete lists say, and telling what was seen
 *   refresh.c             one resource at a time, outside of passes
 *
 * A pass goes through its stages once for each identity. One whose first question stays without an
 * answer is put off until the others have had their turn, and then asked nothing more; in the next
 * pass it comes last. A stage starts listings, a bounded number at a time; when the last has ended
 * the next stage begins. What takes long without waiting for anybody goes on in another turn of the
 * loop.
 */
#ifndef MDCD_PASS_H
#define MDCD_PASS_H

#include "daemon/listing.h"
#include "daemon/observer.h"
#include "lib/base/list.h"
#include "lib/model/inventory_document.h"

#define OBSERVER_MAGIC 0x0b5e2be2u
/* Subscriptions in one Graph query: Microsoft recommends groups under 300. */
#define BATCH_SUBSCRIPTIONS 200

enum stage {
	STAGE_SUBSCRIPTIONS,
	STAGE_GROUPS,
	STAGE_GROUPS_FROM_ARM,
	STAGE_PLANS,
	STAGE_PLANS_FROM_ARM,
	STAGE_SETTINGS,
	STAGE_SINGLES,
	STAGE_CONNECTORS,
	STAGE_WORKSPACES,
	STAGE_SOLUTIONS,
	STAGE_USES,  /* of workspaces, by machines */
	STAGE_RULES, /* by which they report */
	STAGE_POLICIES,
	STAGE_POLICY_SETS,
	STAGE_EXEMPTIONS,
	STAGE_EXEMPTIONS_FROM_ARM,
	STAGE_COUNTS,
	STAGE_MACHINES,
	STAGE_EXTENSIONS,
	STAGE_MACHINE_PLANS,
	STAGE_CONCLUDE,
	STAGE_TELL,
	STAGE_END,
};

/* What was learnt about one subscription in the present pass. */
struct progress {
	struct subscription *subscription;
	bool groups_read, plan_read;
	bool incomplete;               /* a list of its own failed: nothing is concluded about it */
	uint64_t machines, extensions; /* announced by the counting query, or listed by ARM */
	uint64_t extension_rows;       /* listed */
	uint32_t next_plan;            /* the next machine whose plan may be read */
	uint32_t next;                 /* ARM: the next machine whose extensions are to be listed */
	unsigned failures;             /* of such lists, one after the other */
	bool listed[SETTING_N_];
	bool workspaces_read;
	bool policies_read;
	json_t *assignments; /* that deploy something: definitions that we know, or sets */
	struct policy_exemptions exemptions; /* listed in this pass */
	bool exemptions_unclear, exemptions_read;
};

/* Subscriptions that share their Graph queries. */
struct batch {
	size_t first, count; /* in pass->progress */
	uint64_t machines, extensions;
	unsigned partitions, next;
	unsigned failures; /* partitions that failed; after some the others are not asked for */
	bool incomplete;
	bool from_arm; /* Graph refuses: ARM is asked, one subscription at a time */
};

/* A management group of the configuration, as ARM tells what is below it. */
struct group {
	const char *name;                /* the configuration's */
	struct map subscriptions, below; /* by id, by name: the keys are the set */
	bool listed;
};

struct pass {
	struct observer *observer;
	enum pass_kind kind;
	enum stage stage;
	size_t identity;                  /* index into the configuration's */
	size_t *order, order_count, turn; /* identities, as they come */
	unsigned answered, unanswered;    /* first questions of this identity */
	bool in_short;                    /* they are asked once */
	bool gives_up;                    /* on this identity */
	struct pass_report before;        /* this identity */
	struct progress *progress;
	size_t count;
	struct map places; /* subscription's id -> its progress */
	struct batch *batches;
	size_t batch_count;
	struct group *groups;
	size_t group_count;
	struct map policy_sets; /* id -> struct policy_set */
	struct map rules;       /* id -> struct rule, of those in use */
	struct found_use *uses; /* what machines use, until the rules have been read */
	size_t use_count;
	bool uses_unread; /* who reports to workspaces was not read completely */
	size_t next;      /* of the stage's work */
	/* STAGE_CONCLUDE, STAGE_TELL: within progress[next] */
	bool begun;
	struct sweep_conclusion conclusion;
	uint32_t machine;
	unsigned pending;
	bool list_complete; /* of subscriptions */
	struct list listings;
	struct pass_report report;
};

/* One listing or call of a pass, and which part it reads. */
struct part {
	struct pass *pass;
	struct list link;
	struct listing *listing;
	struct arm_call *call;
	size_t index; /* of the progress, the batch or the group */
	enum single_id single;
	enum graph_table table;
	struct wall asked;
	struct machine *machine;
	bool repeats; /* a row came twice */
	/* ARM's list of one machine: what it showed, and whether something could not be read. */
	bool mde_seen, legacy_seen, unclear;
};

/* What is remembered of an identity from pass to pass. */
struct sight {
	bool graph_refuses;
	struct mono graph_since;
	bool is_silent; /* nothing answered when it asked last */
};

struct observer {
	uint32_t magic;
	const struct world *world;
	struct arm_client *client;
	struct inventory *inventory;
	struct observer_ports ports;
	const struct config *config;
	struct pass *pass;
	bool wanted[PASS_KIND_N_];
	struct loop_timer *turn; /* the pass goes on, or another one begins, in the next turn */
	struct sight *sights;    /* of each identity */
	struct list waiting, running; /* refreshes */
	unsigned refreshing;
};

/* A fact is no younger than the question. */
static inline struct stamp stamp_of(struct wall asked, enum fact_source source)
{
	return (struct stamp){.at = asked, .source = source};
}
const struct identity_config *pass_identity(const struct pass *p);
/* `error` NULL or of class NONE: incomplete. The first one is kept as text. */
void pass_problem(struct pass *p, const char *what, const struct arm_error *error);
/* The same, remembered with each of the subscriptions that it keeps unread. */
void pass_problem_of(
	struct pass *p, struct subscription *s, const char *what, const struct arm_error *error);
void pass_problem_of_batch(
	struct pass *p, const struct batch *b, const char *what, const struct arm_error *error);
/* What kept it unread before this pass is over. */
void pass_forget_problem(const struct pass *p, struct subscription *s);
struct part *part_new(struct pass *p, size_t index);
/* Takes the request. */
void part_list_arm(struct part *part, struct arm_request *take_request, listing_row_fn row,
	listing_done_fn done);
/* A list that ARM has of each subscription; the part's index is that of its progress. */
struct subscription_list {
	bool (*wanted)(const struct pass *p, const struct progress *progress); /* NULL: of all */
	void (*request)(const char *subscription, struct arm_request *ret);
	listing_row_fn row;
	listing_done_fn done;
};
/* Begins the next one that is wanted; false when there is none left. */
bool pass_list_next(struct pass *p, const struct subscription_list *list);
/* About the subscriptions of the part's batch. */
void part_list_graph(struct part *part, enum graph_table table, unsigned index, listing_row_fn row,
	listing_done_fn done);
/* Ends the part and lets the pass go on. */
void part_end(struct part *part);
bool part_ended_well(const struct listing_end *end);
/* A first question of the pass's identity ended: whether anybody is there. */
void part_heard(struct part *part, const struct arm_error *error);

bool row_is_of(const json_t *row, const struct subscription *s);
/* The progress of the subscription that the row's id is under, or NULL. */
struct progress *row_progress(struct pass *p, const json_t *row);
/* The same if the part's batch is about it; else the batch is incomplete: a foreign row. */
struct progress *row_in_batch(struct part *part, const json_t *row);
/* Whether the row is about the one subscription that the part reads. */
bool row_is_own(struct part *part, const json_t *row);
struct progress *pass_progress(struct pass *p, const char *subscription);

/* Graph of this pass's identity. */
bool graph_rests(const struct pass *p);
/* Whether the error says that Graph will not answer such queries for now; remembers it. */
bool graph_refuses(struct pass *p, const struct arm_error *error);

/* Which subscriptions the following stages are about. */
bool is_listed_now(const struct pass *p, const struct subscription *s);
bool is_concerned(const struct pass *p, const struct subscription *s);
void pass_collect(
	struct pass *p, bool (*concerns)(const struct pass *, const struct subscription *));

/* Each starts one more listing of its stage; false when there is none left. */
bool start_subscriptions(struct pass *p);
bool start_groups(struct pass *p);
bool start_groups_from_arm(struct pass *p);
bool start_plans(struct pass *p);
bool start_plan_from_arm(struct pass *p);
bool start_settings(struct pass *p);
bool start_singles(struct pass *p);
bool start_connectors(struct pass *p);
void workspaces_begin(struct pass *p);
bool start_workspaces(struct pass *p);
bool start_solutions(struct pass *p);
bool start_uses(struct pass *p);
bool start_rules(struct pass *p);
bool start_policies(struct pass *p);
bool start_policy_sets(struct pass *p);
bool start_exemptions(struct pass *p);
bool start_exemptions_from_arm(struct pass *p);
bool start_counts(struct pass *p);
bool start_machines(struct pass *p);
bool start_extensions(struct pass *p);
bool start_machine_plans(struct pass *p);
/* Has ARM asked about those Azure VMs whose trouble Graph does not explain. */
void look_at_vms(struct pass *p);
/* Goes on with the Azure VMs of the part's subscription, and ends the part. */
void list_vms(struct part *part);
/* The policy names it, or it was seen to have a plan of its own. */
bool machine_plan_matters(const struct machine *m);

/* Between the assignments and their sets, after the sets, and at any end. */
/* Before the uses of workspaces are read, and after their rules. */
void rules_init(struct pass *p);
void uses_begin(struct pass *p);
void uses_conclude(struct pass *p);
void uses_free(struct pass *p);
void policy_sets_init(struct pass *p);
void exemptions_from_arm_begin(struct pass *p);
void exemptions_conclude(struct pass *p);
void exemptions_free(struct pass *p);
void policy_sets_begin(struct pass *p);
void policies_conclude(struct pass *p);
void policies_free(struct pass *p);
void groups_begin(struct pass *p);
void groups_from_arm_begin(struct pass *p);
void groups_conclude(struct pass *p);
void groups_free(struct pass *p);
/* The list of subscriptions and the scopes are known: who is visible. */
void note_visible(struct pass *p);
bool has_operation(const struct machine *m);

/* Some work, then back to the loop; false when all is done. */
bool conclude_some(struct pass *p);
void tell_begin(struct pass *p);
bool tell_some(struct pass *p);

static inline bool is_mde(enum extension_kind kind)
{
	return kind == EXTENSION_MDE_WINDOWS || kind == EXTENSION_MDE_LINUX;
}
static inline bool is_legacy(enum extension_kind kind)
{
	return kind == EXTENSION_MMA || kind == EXTENSION_OMS;
}
/* Whether the document is about something of that machine. */
bool is_below(const json_t *row, const struct machine *m);
/* False for what is not one of the machine's extensions, or does not say which. */
bool note_extension_of(struct observer *o, struct machine *m, const json_t *row, struct wall asked,
	struct noted *ret) MDC_MUST_CHECK;
/* A complete list of one machine's extensions was read from ARM. */
void conclude_extensions(
	struct observer *o, struct machine *m, bool mde_seen, bool legacy_seen, struct wall asked);

/* What the answer in place of a list of Microsoft.Security says about its registration. */
void note_registration(struct subscription *s, const struct arm_error *error);
/* The answer to a single_request(); false where it tells nothing. */
bool note_single(struct observer *o, struct subscription *s, enum single_id id, struct wall asked,
	const struct arm_result *result) MDC_MUST_CHECK;

/* Whether its scope wants anything of connectors. */
bool connectors_matter(const struct subscription *s);
/* False for what cannot be read, or is not of that subscription. */
bool note_connector(struct observer *o, const struct subscription *s, const json_t *row,
	struct wall asked) MDC_MUST_CHECK;

/* The same of workspaces, and of the solutions on them. */
bool workspaces_ended_well(const struct listing_end *end, bool unclear);
bool workspaces_matter(const struct subscription *s);
bool note_workspace(struct observer *o, const struct subscription *s, const json_t *row,
	struct wall asked) MDC_MUST_CHECK;
bool note_solution(struct observer *o, const struct subscription *s, const json_t *row,
	struct wall asked) MDC_MUST_CHECK;

void refresh_cancel_all(struct observer *o);
/* Those that were asked wait again; the others go on waiting. */
void refresh_restart(struct observer *o);
void refresh_resume(struct observer *o);

#endif
