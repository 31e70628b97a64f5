/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_batch: records on their way from the loop to the disk, packed into one run of bytes. The
 * loop only appends; the writer reads them once, in order. A text that equals the one at the same
 * place in the record before costs one byte, so that the items of one machine share its id.
 */
#ifndef MDCD_STORE_BATCH_H
#define MDCD_STORE_BATCH_H

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/base/tick.h"

/* RECORD(NAME, numbers, texts): what each kind holds, in the order in which it is put. */
#define STORE_RECORDS(RECORD) \
	/* since, due, first_drift, attempts, corrections; control, resource, state, reason, \
	 * detail */ \
	RECORD(ITEM, 5, 5) \
	/* control, resource */ \
	RECORD(ITEM_GONE, 0, 2) \
	/* name, value or NULL */ \
	RECORD(VALUE, 0, 2) \
	/* seq, at; control, resource, to, reason, detail, from, correlation */ \
	RECORD(TRANSITION, 2, 7) \
	/* seq, at, id, started, deadline; control, resource, phase, verb, target, body hash, \
	 * correlation */ \
	RECORD(OPERATION, 5, 7) \
	/* seq, at, id; outcome, code, request */ \
	RECORD(OUTCOME, 3, 3) \
	/* seq, at, cutoff, last by size */ \
	RECORD(PRUNE, 4, 0) \
	/* seq, at, how many */ \
	RECORD(UNSTORED, 3, 0)

enum record_kind {
#define STORE_RECORD_ENUM(name, numbers, texts) RECORD_##name,
	STORE_RECORDS(STORE_RECORD_ENUM)
#undef STORE_RECORD_ENUM
		RECORD_N_
};

#define RECORD_NUMBERS 5
#define RECORD_TEXTS 7
/* Longer texts are cut, but a value's. */
#define RECORD_TEXT_MAX 8192
#define RECORD_VALUE_MAX (16 << 20)

struct record {
	enum record_kind kind;
	int64_t number[RECORD_NUMBERS];
	const char *text[RECORD_TEXTS]; /* NULL where absent */
};

struct batch {
	struct list link;
	uint64_t number; /* given when it is handed over */
	struct wall at;  /* likewise */
	bool prunes;
	size_t records;
	struct buf bytes;
	size_t last[RECORD_TEXTS]; /* where the last text of each place begins; 0: none yet */
};

struct batch *batch_new(void);
struct batch *batch_free(struct batch *b);
void batch_add(struct batch *b, const struct record *r);

struct batch_reader {
	const char *at, *end;
	const char *last[RECORD_TEXTS];
};
void batch_read(const struct batch *b, struct batch_reader *ret);
/* False at the end. Texts are borrowed from the batch. */
bool batch_next(struct batch_reader *reader, struct record *ret);

#endif
