/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estate: a simulated Azure. It answers HTTP requests as the Azure Resource Manager, Resource Graph
 * and the token endpoint do, moves by itself (Defender for Cloud's deployer, handlers, heartbeats),
 * refuses what Azure refuses, fails as told, and keeps a ledger whose verdict decides a test.
 *
 * One core, two faces: tests call estate_handle() in virtual time; azsim serves it over HTTPS.
 * Nothing in here reads a clock, opens a socket or draws unseeded random numbers.
 */
#ifndef MDC_TEST_ESTATE_H
#define MDC_TEST_ESTATE_H

#include "lib/base/base.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/base/http_message.h"
#include "lib/base/tick.h"

#include <jansson.h>

struct estate;

struct estate_options {
	uint64_t seed;
	struct wall start;      /* the estate's time at creation */
	const char *arm_host;   /* "management.test:8443"; URLs in answers are built from it */
	const char *login_host; /* "login.test:8443" */
	/* Of Defender for Endpoint's API, may be arm_host; NULL: it is not served. */
	const char *defender_host;
	/*
	 * Where the Arc agent puts a key into its folder of tokens for whoever may read there;
	 * NULL: it never does, and gives no token.
	 */
	void (*put_key)(void *ctx, const char *name, const char *content);
	void *put_key_ctx;
};

/* Hosts of the metadata services: of an Azure VM, and of the Arc agent of a machine. */
#define ESTATE_VM_METADATA "169.254.169.254"
#define ESTATE_ARC_METADATA "127.0.0.1:40342"
/* The folder that the agent names for its keys. */
#define ESTATE_ARC_KEYS "/var/opt/azcmagent/tokens"

/*
 * Builds an estate from an estate document (see estate_generate() for one made from a short
 * specification). -EINVAL with diags for a document that is not valid.
 */
int estate_new(const struct estate_options *options, const json_t *document, struct diags *diags,
	struct estate **ret) MDC_MUST_CHECK;
struct estate *estate_free(struct estate *e);

/*
 * Makes an estate document from a specification such as
 * "subscriptions=3,machines=300,legacy=20%,disconnected=10%". Same spec and seed, same document.
 */
int estate_generate(const char *specification, uint64_t seed, struct wall start,
	struct diags *diags, json_t **ret) MDC_MUST_CHECK;

/* The keys of a specification, one line each. */
int estate_spec_help(struct buf *ret);

/*
 * Faults by script (a JSON array, see estate_faults.c); replaces what was set before, and NULL ends
 * them.
 */
int estate_set_faults(struct estate *e, const json_t *faults, struct diags *diags) MDC_MUST_CHECK;

/* What happens to the connection that carried the request. */
enum estate_delivery {
	ESTATE_ANSWERED,  /* the reply arrives after `delay` */
	ESTATE_HANGS,     /* nothing ever arrives; the connection stays open */
	ESTATE_RESETS,    /* the connection breaks after `delay`, before any byte of the reply */
	ESTATE_TRUNCATES, /* the connection breaks in the middle of the body */
	ESTATE_REFUSED,   /* the connection is not accepted: the request was never seen */
};

struct estate_answer {
	enum estate_delivery delivery;
	struct dur delay;
	struct http_reply reply;
};

/*
 * Handles one request at time `now` (never earlier than before). Also moves the estate to `now`.
 * The URL's host selects the service: arm_host, login_host, or one of the metadata services; any
 * other is a 421. The API of Defender for Endpoint is what is under "/api/" on its host.
 */
void estate_handle(struct estate *e, const struct http_request *request, struct wall now,
	struct estate_answer *ret);
void estate_answer_fini(struct estate_answer *a);

/* Lets the estate move by itself up to `now`. */
void estate_advance(struct estate *e, struct wall now);
/* When the estate will next change by itself; WALL_NEVER when it will not. */
struct wall estate_next_change(const struct estate *e);

/*
 * Another hand at work, for tests: sets, replaces or (with NULL) deletes a resource document or one
 * member of it ("properties.status") without any check. -ENOENT when the parent is not there. The
 * member "managementGroup" of a subscription moves it below that group; the member "sensor" of a
 * machine ("reporting", "silent", "foreign") says where its sensor reports from now on.
 */
int estate_meddle(struct estate *e, const char *resource_id, const char *member, json_t *value);
/* The stored document with its effective read-only fields, borrowed; NULL when absent. */
const json_t *estate_peek(struct estate *e, const char *resource_id);

/* Totals of the ledger; see estate_ledger_document() for the whole. */
struct estate_verdict {
	unsigned machines;         /* that the policy could protect */
	unsigned protected_before; /* MDE extension provisioned at creation */
	unsigned protected_after;
	unsigned legacy_before; /* 2012 R2/2016 without the unified solution */
	unsigned legacy_after;
	uint64_t requests;
	uint64_t graph_requests;
	uint64_t writes;           /* accepted PUT/PATCH/POST/DELETE of resources */
	uint64_t refused;          /* 4xx that a correct client would not have met */
	uint64_t throttled;        /* 429 */
	uint64_t forbidden_writes; /* writes outside the rules of writing (allow-list, lowering) */
	uint64_t repeated_writes;  /* the same write again while the first ran or was in effect */
	bool good;                 /* no refused, forbidden or repeated request */
};
void estate_verdict(struct estate *e, struct estate_verdict *ret);
/* Every count and each offending request with its reason; caller frees. */
json_t *estate_ledger_document(struct estate *e);
/* A few lines for people, and the same numbers. */
int estate_verdict_render(struct estate *e, struct buf *ret);

#endif
