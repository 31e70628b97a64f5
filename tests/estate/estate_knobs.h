/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estate_knobs: how the simulated Azure behaves, as the member "behaviour" of an estate document
 * says. The defaults are what is documented or was recorded of the real one.
 */
#ifndef MDC_TEST_ESTATE_KNOBS_H
#define MDC_TEST_ESTATE_KNOBS_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

/* A length drawn evenly between two. */
struct span {
	struct dur low;
	struct dur high;
};

enum throttle_model {
	THROTTLE_OFF,
	THROTTLE_BUCKET,            /* per subscription and principal; the tenant's apart */
	THROTTLE_BUCKET_AND_TENANT, /* subscription calls drain the tenant's bucket too */
	THROTTLE_HOURLY,            /* the older model: so many in an hour */
};

struct bucket_size {
	unsigned size;
	unsigned refill; /* per second */
};

enum operation_shape_knob {
	SHAPE_ASYNC,    /* Azure-AsyncOperation and Location */
	SHAPE_LOCATION, /* Location alone */
	SHAPE_BODY,     /* the resource's provisioningState */
	SHAPE_BARE,     /* 202 without any URL */
};

struct knobs {
	bool odd_casing; /* ids as recorded: Machines/Extensions, no leading slash */

	struct {
		struct span read, write, token, graph;
	} latency;

	struct {
		enum throttle_model model;
		bool headers;
		struct bucket_size reads, writes, deletes;
		struct bucket_size tenant_reads, tenant_writes, tenant_deletes;
		unsigned global_factor;
		unsigned hourly_reads, hourly_writes, hourly_deletes;
		struct dur retry_after;
		unsigned graph_queries;
		struct dur graph_window;
		bool graph_drains_tenant;
		struct bucket_size hybrid_reads, hybrid_writes; /* size 0: none published */
		struct bucket_size security_reads, security_writes;
	} throttling;

	struct {
		unsigned subscriptions, machines, extensions, others;
		unsigned empty_every; /* each n-th page is empty; 0 for none */
	} paging;

	struct {
		enum operation_shape_knob shape;
		struct span create, update, remove;
		struct dur retry_after; /* 0: no header */
		bool hide_creation;
		bool moving_location;   /* the Location of an older answer is gone */
		struct dur url_life;    /* 0: for ever */
		unsigned lost_share;    /* of status URLs that are never known, in millionths */
		unsigned endless_share; /* of operations that never end */
		struct dur queue_limit; /* on a disconnected machine */
		bool retry_needs_change;
	} operations;

	struct {
		struct span write;
		bool owner_needed; /* plan extensions that assign roles fail without it */
	} plan;

	struct {
		bool on;
		struct span first;
		struct span later;
		struct dur busy_wait;
		unsigned unreached_share;
	} deployer;

	struct {
		unsigned flap_share;
		struct span up, down;
		struct dur expiry;
	} heartbeat;

	struct {
		struct span lag;
		uint64_t payload_limit;
		unsigned group_limit;
		unsigned subscription_limit;
	} graph;

	struct {
		struct span delay;
	} activity;

	struct {
		struct span registration;
	} providers;

	struct {
		struct dur life;
		bool refuse_replay;
		bool arc_selects; /* the Arc agent knows of user-assigned identities */
	} tokens;

	struct {
		struct span lag;   /* from an installed sensor to its device */
		unsigned id_share; /* of machines' devices that name them, in millionths */
		unsigned page_limit, per_minute, per_hour;
	} devices;

	struct {
		struct dur read_within; /* rule 4: a write follows a read of the same resource */
	} ledger;
};

void knobs_default(struct knobs *k);

#endif
