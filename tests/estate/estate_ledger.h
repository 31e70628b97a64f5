/* SPDX-License-Identifier: Apache-2.0 */
/* estate_ledger: the counts behind the verdict; estate_ledger.c fills them, estate_verdict.c reads.
 */
#ifndef MDC_TEST_ESTATE_LEDGER_H
#define MDC_TEST_ESTATE_LEDGER_H

#include "tests/estate/estate_internal.h"

struct machine_counts {
	unsigned all;       /* that can be protected */
	unsigned protected; /* with a sensor that is provisioned */
	unsigned legacy;    /* 2012 R2 and 2016 without the unified solution */
};

struct ledger {
	struct machine_counts before;
	uint64_t requests;
	uint64_t graph;
	uint64_t writes;
	uint64_t refused;
	uint64_t throttled;
	uint64_t denied;
	uint64_t faulted;
	uint64_t forbidden;
	uint64_t repeated;
	json_t *statuses;    /* HTTP status -> count; "0" where no answer came */
	json_t *offences;    /* the first ones, with time, request and reason */
	struct map dealings; /* "client id" -> what the client did with the resource */
	struct map fights;
};

void ledger_count(struct estate *e, struct machine_counts *ret);

#endif
