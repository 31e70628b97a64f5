/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm_client: carries ARM requests: waits for quota, attaches a token, sends, reads the headers'
 * corrections, renews a token once, classifies the answer. One place decides what happens next:
 * lib/engine/call.c. It retries nothing but one connect failure; what failed goes back to its
 * caller with its class.
 *
 * Tokens go to the service that they are for, the resource-manager of the identity's cloud or its
 * API of Defender for Endpoint, and to nobody else, over TLS. Signed operation URLs
 * and replies are wiped after use and never logged. A write waits for its quota for a short time
 * only, since what was read before it grows old.
 */
#ifndef MDCD_ARM_CLIENT_H
#define MDCD_ARM_CLIENT_H

#include "daemon/jwt_claims.h"
#include "daemon/world.h"
#include "lib/azure/arm_error.h"
#include "lib/azure/arm_request.h"
#include "lib/azure/long_running.h"
#include "lib/model/config.h"

struct arm_client;
struct arm_call;

struct arm_client *arm_client_new(const struct world *w);
struct arm_client *arm_client_free(struct arm_client *c);
/*
 * Another configuration is in force: calls that wait go on under it, and end with
 * ARM_ERROR_IDENTITY where their identity is gone; those on the wire end as they are. The client
 * keeps no pointer into `config` beyond what it copies.
 */
void arm_client_configure(struct arm_client *c, const struct config *config);

struct arm_result {
	struct arm_error error;   /* class ARM_ERROR_NONE: a 2xx */
	struct dur retry_after;   /* 0 when the server named none */
	struct http_reply *reply; /* the callee may take from it; NULL: no reply */
	char correlation_id[37];
	char request_id[64];
	char arm_origin[256]; /* for long_running.h */
	bool unsent;          /* failed before any byte of the request could arrive */
};
typedef void (*arm_done_fn)(void *ctx, struct arm_result *result);

enum arm_priority {
	ARM_URGENT, /* reads right before a write, writes */
	ARM_NORMAL, /* observation */
	ARM_IDLE,   /* polls of overdue operations, activity log */
};

/*
 * Sends as `identity` (by name). Takes the request. `correlation_id` NULL: a new one. `done` is
 * called exactly once, later, unless the call is cancelled. A call that no quota will admit before
 * `patience` ends with ARM_ERROR_THROTTLED and the time to wait.
 */
struct arm_call *arm_client_call(struct arm_client *c, const char *identity,
	struct arm_request *take_request, enum arm_priority priority, const char *correlation_id,
	arm_done_fn done, void *ctx);
/*
 * A write. `last_look` is asked when token and quota are there, right before it goes on the wire;
 * false drops the call: `done` is not called.
 */
typedef bool (*arm_last_look_fn)(void *ctx);
struct arm_call *arm_client_write(struct arm_client *c, const char *identity,
	struct arm_request *take_request, const char *correlation_id, arm_last_look_fn last_look,
	arm_done_fn done, void *ctx);
/* How long a write to that subscription would have to wait for ARM's own quota now. */
struct dur arm_client_write_wait(
	struct arm_client *c, const char *identity, const char *subscription);
/* A signed operation URL on the ARM host: a GET with quota of `subscription`. */
struct arm_call *arm_client_poll(struct arm_client *c, const char *identity,
	const char *subscription, const char *url, arm_done_fn done, void *ctx);
void arm_client_cancel(struct arm_client *c, struct arm_call *call);
/* True while no byte of it can have left: cancelling it now undoes it. */
bool arm_call_is_unsent(const struct arm_call *call);

/* The object id of the identity's principal, for advice only (jwt_claims.h). */
bool arm_client_object_id(const struct arm_client *c, const char *identity,
	char ret[static OBJECT_ID_SIZE]) MDC_MUST_CHECK;

/*
 * For `status`: {"calls":{"waiting","running","by_class"},"tokens","quotas"}, the last two as in
 * credentials.h and governor.h, quotas with their cloud. Never a token's text. Caller owns.
 */
json_t *arm_client_report(struct arm_client *c);
struct arm_client_counts {
	uint64_t arm_reads, arm_writes, arm_deletes, graph_queries, device_lists, token_requests;
	uint64_t throttled, failed;
};
void arm_client_counts(const struct arm_client *c, struct arm_client_counts *ret);

#endif
