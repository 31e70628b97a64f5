/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pass: one reading of whole collections; inside the observer only.
 *
 *   observer.c            which pass runs, and from stage to stage
 *   pass_subscriptions.c  which subscriptions there are, their plans and settings
 *   pass_machines.c       machines and extensions, from Graph or, where it refuses, from ARM
 *   refresh.c             one resource at a time, outside of passes
 *
 * A pass goes through its stages once for each identity. A stage starts listings, a bounded number
 * at a time; when the last has ended the next stage begins.
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
	STAGE_PLANS,
	STAGE_PLANS_FROM_ARM,
	STAGE_SETTINGS,
	STAGE_COUNTS,
	STAGE_MACHINES,
	STAGE_EXTENSIONS,
	STAGE_TELL,
	STAGE_END,
};

/* What was learnt about one subscription in the present pass. */
struct progress {
	struct subscription *subscription;
	bool plan_read;
	bool incomplete;   /* a list of its own failed: nothing is concluded about it */
	uint64_t machines; /* announced by the counting query, or listed by ARM */
	uint32_t next;     /* ARM: the next machine whose extensions are to be listed */
	bool listed[SETTING_N_];
};

/* Subscriptions that share their Graph queries. */
struct batch {
	size_t first, count; /* in pass->progress */
	uint64_t machines, extensions;
	unsigned partitions, next;
	bool incomplete;
	bool from_arm; /* Graph refuses: ARM is asked, one subscription at a time */
};

struct pass {
	struct observer *observer;
	enum pass_kind kind;
	enum stage stage;
	size_t identity; /* index into the configuration's */
	struct progress *progress;
	size_t count;
	struct batch *batches;
	size_t batch_count;
	size_t next;      /* of the stage's work */
	uint32_t machine; /* STAGE_TELL: next machine of progress[next] */
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
	size_t index; /* of the progress or the batch */
	struct wall asked;
	struct machine *machine;
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
	struct wall graph_refused; /* since when Graph is not asked; WALL_UNSET: it is */
	struct list refreshes;
	unsigned refreshing;
};

/* A fact is no younger than the question. */
static inline struct stamp stamp_of(struct wall asked, enum fact_source source)
{
	return (struct stamp){.at = asked, .source = source};
}
const struct identity_config *pass_identity(const struct pass *p);
/* `error` NULL: incomplete. The first one is kept as text. */
void pass_problem(struct pass *p, const char *what, const struct arm_error *error);
struct part *part_new(struct pass *p, size_t index);
struct listing_target part_target(struct part *part, listing_row_fn row, listing_done_fn done);
/* Ends the part and lets the pass go on. */
void part_end(struct part *part);
/* The progress of a subscription by id, or NULL. */
struct progress *pass_progress(struct pass *p, const char *subscription);
struct listing *list_batch(struct part *part, enum graph_table table, unsigned index,
	listing_row_fn row, listing_done_fn done);
/* Whether the error says that Graph will not answer such queries for now. */
bool graph_refuses(const struct arm_error *error);

/* Each starts one more listing of its stage; false when there is none left. */
bool start_subscriptions(struct pass *p);
bool start_groups(struct pass *p);
bool start_plans(struct pass *p);
bool start_plan_from_arm(struct pass *p);
bool start_settings(struct pass *p);
bool start_counts(struct pass *p);
bool start_machines(struct pass *p);
bool start_extensions(struct pass *p);
/* Subscriptions that left a complete list are not visible any more; nothing else is concluded. */
void note_invisible(struct pass *p);
/* What the complete lists say about absence. */
void conclude_machines(struct pass *p);

void refresh_cancel_all(struct observer *o);

#endif
