/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_chain.h"

#include "lib/base/str.h"

#include <endian.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* --- digests --- */

static void add_number(EVP_MD_CTX *hash, uint64_t number)
{
	uint64_t bytes = htobe64(number);

	EVP_DigestUpdate(hash, &bytes, sizeof(bytes));
}

static void add_text(EVP_MD_CTX *hash, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	uint32_t bytes = htobe32((uint32_t)len);

	EVP_DigestUpdate(hash, &bytes, sizeof(bytes));
	EVP_DigestUpdate(hash, text, len);
}

static void add_folded(EVP_MD_CTX *hash, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	uint32_t bytes = htobe32((uint32_t)len);
	char piece[256];

	EVP_DigestUpdate(hash, &bytes, sizeof(bytes));
	for (size_t at = 0; at < len;) {
		size_t n = 0;

		while (n < sizeof(piece) && at < len)
			piece[n++] = str_lower(text[at++]);
		EVP_DigestUpdate(hash, piece, n);
	}
}

void chain_digest(const struct chain_record *r, struct digest *ret)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	int ok = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL);

	assert(ok);
	EVP_DigestUpdate(hash, r->previous.byte, sizeof(r->previous.byte));
	add_number(hash, r->seq);
	add_number(hash, (uint64_t)r->at);
	add_number(hash, (uint64_t)r->operation);
	add_number(hash, (uint64_t)r->deadline);
	for (unsigned i = 0; i < CHAIN_TEXT_N_; i++) {
		if (i == CHAIN_RESOURCE)
			add_folded(hash, r->text[i]);
		else
			add_text(hash, r->text[i]);
	}
	ok = EVP_DigestFinal_ex(hash, ret->byte, NULL);
	assert(ok);
	(void)ok;
	EVP_MD_CTX_free(hash);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

void digest_hex(const struct digest *d, char ret[static 65])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < sizeof(d->byte); i++) {
		ret[2 * i] = digits[d->byte[i] >> 4];
		ret[2 * i + 1] = digits[d->byte[i] & 15];
	}
	ret[64] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int digest_from_hex(const char *text, struct digest *ret)
{
	struct digest d;

	if (strlen(text) != 2 * sizeof(d.byte))
		return -EINVAL;
	for (unsigned i = 0; i < sizeof(d.byte); i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		d.byte[i] = (unsigned char)(high << 4 | low);
	}
	*ret = d;
	return 0;
}

/* --- rows --- */

#define CHAIN_COLUMN(name, column, select, json) ", " column
#define CHAIN_SELECTED(name, column, select, json) ", " select
#define CHAIN_PLACE(name, column, select, json) ", ?"
const char chain_select[] =
	"SELECT seq, previous, at, operation, deadline" CHAIN_TEXTS(CHAIN_SELECTED) " FROM history";
const char chain_insert[] =
	"INSERT INTO history(seq, previous, at, operation, deadline" CHAIN_TEXTS(
		CHAIN_COLUMN) ") VALUES(?, ?, ?, ?, ?" CHAIN_TEXTS(CHAIN_PLACE) ")";
#define FIRST_TEXT_COLUMN 5

/* A digest of another length is no digest: zeros match nothing but the start. */
static void column_digest(sqlite3_stmt *st, int column, struct digest *ret)
{
	const void *data = sqlite3_column_blob(st, column);

	memset(ret, 0, sizeof(*ret));
	if (data != NULL && sqlite3_column_bytes(st, column) == sizeof(ret->byte))
		memcpy(ret->byte, data, sizeof(ret->byte));
}

void chain_row(sqlite3_stmt *st, struct chain_record *ret)
{
	ret->seq = (uint64_t)sqlite3_column_int64(st, 0);
	column_digest(st, 1, &ret->previous);
	ret->at = sqlite3_column_int64(st, 2);
	ret->operation = sqlite3_column_int64(st, 3);
	ret->deadline = sqlite3_column_int64(st, 4);
	for (int i = 0; i < CHAIN_TEXT_N_; i++)
		ret->text[i] = sql_text(st, FIRST_TEXT_COLUMN + i);
}

void chain_bind(sqlite3_stmt *st, const struct chain_record *r, int64_t resource)
{
	sql_bind_number(st, 1, (int64_t)r->seq);
	sql_bind_blob(st, 2, r->previous.byte, sizeof(r->previous.byte));
	sql_bind_number(st, 3, r->at);
	sql_bind_number(st, 4, r->operation);
	sql_bind_number(st, 5, r->deadline);
	for (int i = 0; i < CHAIN_TEXT_N_; i++)
		sql_bind_text(
			st, 1 + FIRST_TEXT_COLUMN + i, i == CHAIN_RESOURCE ? NULL : r->text[i]);
	if (resource != 0)
		sql_bind_number(st, 1 + FIRST_TEXT_COLUMN + CHAIN_RESOURCE, resource);
}

/* --- the chain's ends --- */

int chain_load(sqlite3 *db, struct chain_state *ret)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	int r = sql_prepare(db,
		"SELECT base_seq, base_hash, head_seq, head_hash, last_operation, condition "
		"FROM chain",
		&st);

	if (r == 0)
		r = sql_step(st);
	if (r < 0)
		return r;
	if (r == 0)
		return -ENODATA;
	ret->base.seq = (uint64_t)sqlite3_column_int64(st, 0);
	column_digest(st, 1, &ret->base.digest);
	ret->head.seq = (uint64_t)sqlite3_column_int64(st, 2);
	column_digest(st, 3, &ret->head.digest);
	ret->last_operation = (uint64_t)sqlite3_column_int64(st, 4);
	ret->condition = (enum store_condition)sqlite3_column_int(st, 5);
	return 0;
}

void chain_base_text(const struct chain_point *base, char ret[static CHAIN_BASE_TEXT_SIZE])
{
	char hash[65];

	digest_hex(&base->digest, hash);
	snprintf(ret, CHAIN_BASE_TEXT_SIZE, "the chain begins after record %llu with SHA-256 %s",
		(unsigned long long)base->seq, hash);
}

/* The first row of the history that `rest` selects: 1 with its digest, 0 when there is none. */
static int select_row(
	sqlite3 *db, const char *rest, uint64_t seq, struct chain_record *row, struct digest *ret)
{
	mdc_cleanup(sql_finalize_p) sqlite3_stmt *st = NULL;
	char query[1024];
	int r;

	sqlite3_snprintf(sizeof(query), query, "%s %s", chain_select, rest);
	r = sql_prepare(db, query, &st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, (int64_t)seq);
	r = sql_step(st);
	if (r == 1) {
		chain_row(st, row);
		chain_digest(row, ret);
		memset(row->text, 0, sizeof(row->text));
	}
	return r;
}

int chain_last(sqlite3 *db, const struct chain_state *state, struct chain_point *ret)
{
	struct chain_record row;
	struct digest digest;
	int r = select_row(db, "WHERE seq > ? ORDER BY seq DESC LIMIT 1", 0, &row, &digest);

	if (r < 0)
		return r;
	*ret = r == 1 ? (struct chain_point){row.seq, digest} : state->base;
	return 0;
}

int chain_digest_at(sqlite3 *db, uint64_t seq, struct digest *ret)
{
	struct chain_record row;

	return select_row(db, "WHERE seq = ?", seq, &row, ret);
}

int chain_passes(sqlite3 *db, const struct chain_state *state, const struct chain_point *point)
{
	struct chain_record row;
	struct digest digest;
	int r;

	if (point->seq == state->base.seq)
		return digest_equal(&point->digest, &state->base.digest);
	r = chain_digest_at(db, point->seq, &digest);
	if (r != 0)
		return r < 0 ? r : digest_equal(&digest, &point->digest);
	/* The record itself was lost, but the one after it took up its digest. */
	r = select_row(db, "WHERE seq = ?", point->seq + 1, &row, &digest);
	return r <= 0 ? r : digest_equal(&row.previous, &point->digest);
}
