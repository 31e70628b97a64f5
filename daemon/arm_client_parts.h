/* SPDX-License-Identifier: Apache-2.0 */
/* arm_client_parts: what arm_client.c, arm_call.c and arm_report.c share. Nobody else. */
#ifndef MDCD_ARM_CLIENT_PARTS_H
#define MDCD_ARM_CLIENT_PARTS_H

#include "daemon/arm_client.h"
#include "daemon/arm_wire.h"
#include "daemon/credentials.h"
#include "daemon/identity.h"
#include "lib/base/list.h"
#include "lib/engine/call.h"
#include "lib/engine/call_queue.h"

#define ARM_CLIENT_MAGIC 0xa43c11e7u
#define ARM_CALL_MAGIC 0xa43ca110u

struct arm_client {
	uint32_t magic;
	const struct world *world;
	struct credentials *credentials;
	struct map identities;
	struct map governors; /* by cloud: their quotas have nothing in common */
	struct call_queue *queue;
	struct list fresh; /* calls that have not begun */
	struct list begun; /* all others */
	unsigned on_wire;  /* admitted and not answered */
	struct loop_timer *dispatching;
	struct mono dispatch_due;
	struct arm_client_counts counts;
	uint64_t by_class[ARM_ERROR_CLASS_N_];
};

struct arm_call {
	uint32_t magic;
	struct arm_client *client;
	struct list link;
	char *identity_name;
	struct identity *identity; /* from the beginning on; held */
	struct governor *governor;
	struct arm_request request;
	char *operation_url; /* a poll: secret */
	char *url;           /* absolute; secret where it is a poll's */
	char provider[ARM_PROVIDER_SIZE];
	enum arm_priority priority;
	char correlation_id[GUID_TEXT_SIZE];
	arm_last_look_fn last_look; /* or NULL */
	arm_done_fn done;
	void *ctx;

	struct call machine;
	/* What it waits for: one of these. */
	struct credential_waiter *waiter;
	struct queued_call queued;
	struct transfer *transfer;

	bool admitted; /* holds quota */
	bool sent;     /* at least once: a byte may have left */
	bool arrived;  /* a byte may have arrived: all but failures to connect */
	char *token;   /* the one that was sent; wiped */
	struct dur retry_after;
	struct http_reply reply;
};

/* The client is looked after at that time at the latest. */
void arm_client_dispatch_at(struct arm_client *c, struct mono due);
/* NULL when it is not configured (any more). */
struct identity *arm_client_identity(struct arm_client *c, const char *name);
struct governor *arm_client_governor(struct arm_client *c, const struct cloud_config *cloud);
/* Whose quota such a call spends; borrows all texts. */
struct quota_call arm_client_quota(const struct identity *id, const char *subscription,
	const char *provider, enum arm_quota quota);

/* A call that is fresh begins, under the configuration that is in force. */
void arm_call_begin(struct arm_call *call);
/* Back to fresh: nothing of it is under way. */
void arm_call_restart(struct arm_call *call);
void arm_call_admitted(struct arm_call *call);
/* No quota in time; `wait` is how long it would take. */
void arm_call_gives_up(struct arm_call *call, struct dur wait);
/* Withdraws whatever is under way. `done` is not called. */
void arm_call_free(struct arm_call *call);

#endif
