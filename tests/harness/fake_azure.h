/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_azure: what the observer reads of Azure, served by a fake transport from documents in
 * memory: the lists and documents of ARM, and Resource Graph, which evaluates the daemon's own
 * queries over the same documents (tests/estate/kql.h). It keeps no rules and moves by itself not
 * at all; a hook sees every answer before it leaves and may spoil it in any way.
 *
 * Tokens are told apart by client, so that each client sees what `seen_by` lets it see.
 */
#ifndef MDC_TEST_FAKE_AZURE_H
#define MDC_TEST_FAKE_AZURE_H

#include "daemon/loop.h"
#include "tests/harness/fake_transport.h"

#include <jansson.h>

enum azure_call {
	AZURE_TOKEN,
	AZURE_SUBSCRIPTIONS,
	AZURE_PLAN,
	AZURE_SETTINGS,
	AZURE_MACHINES,    /* ARM's list of a subscription */
	AZURE_EXTENSIONS,  /* ARM's list of a machine */
	AZURE_DESCENDANTS, /* of a management group */
	AZURE_GRAPH_GROUPS,
	AZURE_GRAPH_PLANS,
	AZURE_GRAPH_COUNTS,
	AZURE_GRAPH_MACHINES,
	AZURE_GRAPH_EXTENSIONS,
	AZURE_OTHER,
	AZURE_CALL_N_
};

struct azure_reply {
	int status;
	json_t *body; /* sent unless `raw` is set */
	char *raw;
	const char *header; /* "name: value", or NULL */
	struct dur delay;
	bool hangs;
	enum transport_result result; /* where nothing arrived: with the status 0 */
};

struct fake_azure {
	/* id (lower case) -> {"name","tenant","state","groups":[nearest first],"seen_by":[client],
	   "plan":document,"settings":{name: bool}}; `seen_by` absent: everybody. */
	json_t *subscriptions;
	/* lower-case id -> machine or extension as ARM gives it */
	json_t *resources;
	unsigned arm_page; /* rows in a page of ARM; 0: all in one */
	struct dur latency;
	unsigned calls[AZURE_CALL_N_];
	void (*hook)(void *ctx, struct fake_azure *a, enum azure_call call,
		const struct http_request *request, struct azure_reply *reply);
	void *hook_ctx;
	struct fake_answer answer; /* of the call that is being served */
};

/* Serves all requests of the transport; it ends before the transport does. */
struct fake_azure *fake_azure_new(struct transport *t);
struct fake_azure *fake_azure_free(struct fake_azure *a);

/* Plan P2, WDATP on, no groups. */
void fake_azure_subscription(struct fake_azure *a, const char *id);
json_t *fake_azure_subscription_of(struct fake_azure *a, const char *id);
/* A connected Ubuntu in "rg"; the document is the estate's own, to be changed. */
json_t *fake_azure_machine(struct fake_azure *a, const char *subscription, const char *name);
/* An extension of that type, succeeded; replaces one of the same name. */
json_t *fake_azure_extension(struct fake_azure *a, const char *subscription, const char *machine,
	const char *type, const char *state);
/* A machine with its extensions, or one "machine/extensions/name". */
void fake_azure_remove(struct fake_azure *a, const char *subscription, const char *name);
/* All calls but those for tokens. */
unsigned fake_azure_total(const struct fake_azure *a);
void fake_azure_forget_calls(struct fake_azure *a);

#endif
