/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation: one ARM write from its durable intent to its outcome. The intent is on disk before the
 * first byte is on the wire; the signed operation URL never is.
 */
#ifndef MDC_OPERATION_H
#define MDC_OPERATION_H

#include "lib/base/base.h"
#include "lib/base/list.h"
#include "lib/base/tick.h"
#include "lib/model/item.h"

enum operation_phase {
	PHASE_READING,  /* the exact resource is being read; nothing is written down yet */
	PHASE_INTENDED, /* intent handed to the store, not yet durable */
	PHASE_SENT, /* durable; the call is waiting for quota, on the wire, or was before a crash */
	PHASE_RUNNING, /* accepted as a long-running operation */
	PHASE_ENDED,
	PHASE_N_
};

struct operation {
	uint64_t id; /* ever growing, stored */
	enum control_id control;
	char *resource_id;  /* the machine's or subscription's id: the item's resource */
	char *target_id;    /* what is written (an extension, a setting) */
	const char *verb;   /* "PUT", "DELETE" */
	char body_hash[65]; /* SHA-256 in hex of what is sent, secrets included */
	char correlation_id[37];
	struct wall started;
	struct wall deadline;
	enum operation_phase phase;
	bool recovered; /* found in the store at start: its answer was lost with the process */
	struct list link;
	void *shell; /* the executor's own */
};

const char *operation_phase_word(enum operation_phase p);

#endif
