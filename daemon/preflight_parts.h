/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_parts: inside the preflight only.
 *
 *   preflight.c           the run: who signs in, which subscriptions are asked about, the report
 *   preflight_probe.c     the questions about one subscription, one after the other
 *   preflight_judge.c     what the answers mean, in words and commands
 */
#ifndef MDCD_PREFLIGHT_PARTS_H
#define MDCD_PREFLIGHT_PARTS_H

#include "daemon/listing.h"
#include "daemon/preflight.h"
#include "lib/base/list.h"
#include "lib/engine/finding.h"
#include "lib/engine/obstacle.h"
#include "lib/engine/permission.h"

/* A subscription that some scope is about. */
struct subject {
	char id[GUID_TEXT_SIZE];
	char *name; /* "" where it is not known */
	const struct scope_config *scope;
};

/* An identity tries its credential, and tells which subscriptions it can see. */
struct sign_in {
	struct preflight *preflight;
	const struct identity_config *identity;
	struct listing *listing;
	struct map visible; /* by id: the keys are the set */
	bool failed;        /* no subscription is asked about as this identity */
	bool complete;
};

enum run_state { RUN_NONE, RUN_WAITS, RUN_SIGNS_IN, RUN_ASKS, RUN_OVER };

struct preflight {
	uint32_t magic;
	const struct world *world;
	struct arm_client *client;
	struct inventory *inventory;
	const struct config *config;
	struct loop_timer *turn;
	bool passed[PASS_KIND_N_]; /* observed at least once */
	char observation[256];     /* why the last pass over subscriptions was incomplete, or "" */
	enum run_state state;
	uint64_t run;
	struct sign_in *sign_ins;
	size_t sign_in_count, signing_in;
	struct subject *subjects;
	size_t subject_count, next, done;
	struct list probes;
	unsigned probing;
	struct findings findings;
};

/* In the order of the questions. */
enum question {
	ASK_PERMISSIONS,
	ASK_GROUP_PERMISSIONS, /* of the groups with machines, where the subscription lacks some */
	ASK_PROVIDERS,
	ASK_LOCKS,
	ASK_DENY_ASSIGNMENTS,
	ASK_POLICIES,
	ASK_NOTHING,
};

#define PROBE_GROUPS_MAX 20
#define PROBE_PROVIDERS_MAX 8

struct probe {
	uint32_t magic;
	struct preflight *preflight;
	struct list link;
	const struct subject *subject;
	struct subscription *subscription; /* observed; NULL: not yet */
	struct permission_need needs[PERMISSION_NEEDS_MAX];
	size_t need_count;
	bool missing[PERMISSION_NEEDS_MAX];    /* at the subscription */
	unsigned groups[PERMISSION_NEEDS_MAX]; /* on so many groups it is there */
	char *group_names[PROBE_GROUPS_MAX];
	size_t group_count;
	struct map machines_in; /* by group: how many; made when first asked for */
	char providers[PROBE_PROVIDERS_MAX][PERMISSION_PROVIDER_SIZE];
	size_t provider_count;
	enum question question;
	size_t part;   /* of the question */
	char *refusal; /* by a policy, the last one: Windows and Linux are asked about one by one */
	json_t *entries; /* of a list of permissions */
	struct listing *listing;
	struct arm_call *call;
};

/* Begins with the first question; the preflight is told at the end. */
void probe_new(struct preflight *p, const struct subject *subject);
void probe_free(struct probe *probe);
void preflight_probe_over(struct preflight *p);

/* --- preflight_judge.c --- */

/* About one subscription, or with a NULL subject about an identity. */
void preflight_find(
	struct preflight *p, const struct subject *subject, const struct finding *finding);
/* "403 AuthorizationFailed" and such; the text lives in `ret`. */
#define FAILURE_TEXT_SIZE 400
const char *failure_text(const struct arm_error *error, char ret[static FAILURE_TEXT_SIZE]);

void judge_sign_in(
	struct preflight *p, const struct identity_config *identity, const struct arm_error *error);
/* It is configured by id, and the identity does not see it. */
void judge_not_visible(struct preflight *p, const struct subject *subject);
void judge_empty_scope(struct preflight *p, const struct scope_config *scope);
/* The subscription is disabled, or its machines cannot be reached by an extension. */
void judge_observed(struct probe *probe);

void judge_permissions(struct probe *probe);
/* Which groups hold machines; more than can be asked for are none. */
void collect_groups(struct probe *probe);
void judge_registration(struct probe *probe, const char *provider, const json_t *document);
void judge_lock(struct probe *probe, const json_t *document);
void judge_deny_assignment(struct probe *probe, const json_t *document);
void judge_policy(struct probe *probe, const char *type, const json_t *document);
/* A question that got no answer: what was asked, and the action that it takes. */
void judge_unread(struct probe *probe, enum finding_kind kind, const char *what, const char *action,
	const struct arm_error *error);

#endif
