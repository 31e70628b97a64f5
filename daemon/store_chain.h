/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_chain: the history as a chain. Each record carries the SHA-256 of the record before it, so
 * that nothing can be changed or taken out without every later record showing it.
 *
 * The digest of a record is the SHA-256 of these bytes, numbers with the highest byte first:
 *
 *	32 bytes  the digest of the record before (zeros before record 1)
 *	 8 bytes  each of: sequence number, time in ms since 1970 UTC, operation id, deadline in ms
 *	 per text of CHAIN_TEXTS, in that order: 4 bytes length, then the bytes
 *
 * An absent number is 0 and an absent text has length 0. Resource ids are lower-cased (ASCII)
 *first, since Azure does not tell their cases apart.
 *
 * Kinds of record: "transition"; "write" (a phase of an operation, "intended" first) and "outcome"
 * (its end); "pruned" (everything up to a record was removed on purpose; its digest is then the
 * chain's base); "lost" (the state was found missing or too old at start: numbers may be left out
 * before it); "unstored" (so many transitions could not be kept while the disk was in trouble).
 */
#ifndef MDCD_STORE_CHAIN_H
#define MDCD_STORE_CHAIN_H

#include "daemon/store.h"
#include "daemon/store_sql.h"

struct digest {
	unsigned char byte[32];
};
struct chain_point {
	uint64_t seq;
	struct digest digest; /* of the record `seq` */
};

/* TEXT(NAME, column, how it is selected, its name in JSON) */
#define CHAIN_TEXTS(TEXT) \
	TEXT(KIND, "kind", "kind", "kind") \
	TEXT(CONTROL, "control", "control", "control") \
	TEXT(RESOURCE, "resource", "(SELECT name FROM resources WHERE id = resource)", \
		"resource_id") \
	TEXT(FROM, "from_state", "from_state", "from") \
	TEXT(TO, "to_state", "to_state", "to") \
	TEXT(REASON, "reason", "reason", "reason") \
	TEXT(DETAIL, "detail", "detail", "detail") \
	TEXT(CORRELATION, "correlation_id", "correlation_id", "correlation_id") \
	TEXT(TARGET, "target_id", "target_id", "target_id") \
	TEXT(VERB, "verb", "verb", "verb") \
	TEXT(BODY_HASH, "body_hash", "body_hash", "body_hash") \
	TEXT(PHASE, "phase", "phase", "phase") \
	TEXT(OUTCOME, "outcome", "outcome", "outcome") \
	TEXT(CODE, "code", "code", "code") \
	TEXT(REQUEST, "request_id", "request_id", "request_id")

enum chain_text {
#define CHAIN_TEXT_ENUM(name, column, select, json) CHAIN_##name,
	CHAIN_TEXTS(CHAIN_TEXT_ENUM)
#undef CHAIN_TEXT_ENUM
		CHAIN_TEXT_N_
};

struct chain_record {
	uint64_t seq;
	struct digest previous;
	int64_t at, operation, deadline;
	const char *text[CHAIN_TEXT_N_]; /* NULL is "" */
};

void chain_digest(const struct chain_record *r, struct digest *ret);
bool digest_equal(const struct digest *a, const struct digest *b);
void digest_hex(const struct digest *d, char ret[static 65]);
/* -EINVAL. */
int digest_from_hex(const char *text, struct digest *ret) MDC_MUST_CHECK;

/* "SELECT … FROM history" with the columns as chain_row() wants them. */
extern const char chain_select[];
/* Texts are borrowed from the statement until its next step. */
void chain_row(sqlite3_stmt *st, struct chain_record *ret);
/* "INSERT INTO history …"; the resource is bound by its number, 0 for none. */
extern const char chain_insert[];
void chain_bind(sqlite3_stmt *st, const struct chain_record *r, int64_t resource);

/* The one row of table `chain`. */
struct chain_state {
	struct chain_point base; /* the last record that was pruned; the chain starts after it */
	struct chain_point head;
	uint64_t last_operation;
	/* What store_open() found and nothing was committed since: it is then reported again. */
	enum store_condition condition;
};
/* -ENODATA when there is none. */
int chain_load(sqlite3 *db, struct chain_state *ret) MDC_MUST_CHECK;
/* Where the history really ends: the base when it is empty. */
int chain_last(
	sqlite3 *db, const struct chain_state *state, struct chain_point *ret) MDC_MUST_CHECK;
/*
 * What a record says about where the chain begins: in the detail of each "pruned" one, and at the
 * end of the detail of a "lost" one that begins a new database.
 */
#define CHAIN_BASE_TEXT_SIZE 160
void chain_base_text(const struct chain_point *base, char ret[static CHAIN_BASE_TEXT_SIZE]);
/* The digest of record `seq` as it is stored now: 1, or 0 when there is none. */
int chain_digest_at(sqlite3 *db, uint64_t seq, struct digest *ret) MDC_MUST_CHECK;
/* Whether the chain passes through `point`: 1 or 0. */
int chain_passes(sqlite3 *db, const struct chain_state *state,
	const struct chain_point *point) MDC_MUST_CHECK;

#endif
