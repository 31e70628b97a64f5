/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_eval.h"

#include "lib/base/xalloc.h"

#define NO_ROW UINT32_MAX

/* The rows of the right side by their keys, those of one key in a chain. */
struct joining {
	struct kql_run *run;
	const struct kql_stage *stage;
	const struct kql_rows *left, *right;
	struct kql_index index; /* of the first row of each key */
	uint32_t *next, *last;  /* last: of the chain that starts here */
	bool *matched;          /* rows of the right side */
	struct kql_index seen;  /* keys of the left side, for innerunique */
	struct kql_rows joined;
};

/* One row's keys, compared to those of another row of the same or the other side. */
struct probe {
	const struct joining *j;
	const struct kql_value *row;
	const unsigned *keys;
	const struct kql_rows *others;
	const unsigned *other_keys;
};

static bool same_row_keys(const void *ctx, uint32_t ordinal)
{
	const struct probe *p = ctx;
	const struct kql_value *other = kql_rows_at(p->others, ordinal);

	for (unsigned i = 0; i < p->j->stage->key_count; i++)
		if (!kql_same(p->row[p->keys[i]], other[p->other_keys[i]]))
			return false;
	return true;
}

/* False where a key is null, which is equal to nothing. */
static bool hash_keys(
	const struct joining *j, const struct kql_value *row, const unsigned *keys, uint64_t *ret)
{
	*ret = 0;
	for (unsigned i = 0; i < j->stage->key_count; i++) {
		if (kql_is_null(row[keys[i]]))
			return false;
		*ret = (*ret ^ kql_value_hash(row[keys[i]])) * UINT64_C(0x9E3779B97F4A7C15);
	}
	*ret ^= *ret >> 32;
	return true;
}

static void index_right(struct joining *j)
{
	const unsigned *keys = j->stage->right_keys;

	for (uint32_t i = 0; i < j->right->count; i++) {
		struct probe probe = {j, kql_rows_at(j->right, i), keys, j->right, keys};
		uint32_t first;
		uint64_t hash;

		j->next[i] = NO_ROW;
		j->last[i] = i;
		if (!hash_keys(j, probe.row, keys, &hash))
			continue;
		first = kql_index_find(&j->index, hash, same_row_keys, &probe);
		if (first == KQL_NOT_FOUND) {
			kql_index_add(&j->index, hash, i);
			continue;
		}
		j->next[j->last[first]] = i;
		j->last[first] = i;
	}
}

static void put_side(
	struct kql_value *to, const struct kql_value *row, const enum kql_type *types, size_t width)
{
	for (size_t i = 0; i < width; i++)
		to[i] = row != NULL ? row[i] : kql_nothing(types[i]);
}

/* Either side may be NULL. */
static void add_joined(
	struct joining *j, const struct kql_value *left, const struct kql_value *right)
{
	size_t width = j->left->width;
	struct kql_value *row = kql_work(j->run, 1) ? kql_rows_add(&j->joined) : NULL;

	if (row == NULL) {
		kql_run_exhausted(j->run);
		return;
	}
	put_side(row, left, j->stage->types, width);
	put_side(row + width, right, j->stage->types + width, j->right->width);
}

/* Whether a row of the left side with these keys was there before. */
static bool seen_before(struct joining *j, uint32_t left, uint64_t hash)
{
	const unsigned *keys = j->stage->left_keys;
	struct probe probe = {j, kql_rows_at(j->left, left), keys, j->left, keys};

	if (kql_index_find(&j->seen, hash, same_row_keys, &probe) != KQL_NOT_FOUND)
		return true;
	kql_index_add(&j->seen, hash, left);
	return false;
}

static void join_row(struct joining *j, uint32_t left)
{
	const struct kql_value *row = kql_rows_at(j->left, left);
	struct probe probe = {j, row, j->stage->left_keys, j->right, j->stage->right_keys};
	enum kql_join_kind kind = j->stage->join;
	uint32_t right = KQL_NOT_FOUND;
	uint64_t hash;

	if (hash_keys(j, row, j->stage->left_keys, &hash)) {
		if (kind == KQL_JOIN_INNER_UNIQUE && seen_before(j, left, hash))
			return;
		right = kql_index_find(&j->index, hash, same_row_keys, &probe);
	}
	if (right == KQL_NOT_FOUND) {
		if (kind == KQL_JOIN_LEFT_OUTER || kind == KQL_JOIN_FULL_OUTER)
			add_joined(j, row, NULL);
		return;
	}
	for (; right != NO_ROW && !kql_failed(j->run); right = j->next[right]) {
		j->matched[right] = true;
		add_joined(j, row, kql_rows_at(j->right, right));
	}
}

static void join_all(struct joining *j)
{
	index_right(j);
	for (uint32_t i = 0; i < j->left->count && !kql_failed(j->run); i++)
		join_row(j, i);
	if (j->stage->join != KQL_JOIN_FULL_OUTER)
		return;
	for (uint32_t i = 0; i < j->right->count && !kql_failed(j->run); i++)
		if (!j->matched[i])
			add_joined(j, NULL, kql_rows_at(j->right, i));
}

/* In the order of the left side, then of the right; what only the right has comes last. */
struct kql_rows kql_join_rows(struct kql_run *run, const struct kql_stage *stage,
	const struct kql_rows *left, const struct kql_rows *right)
{
	mdc_autofree uint32_t *next = xcalloc(right->count, sizeof(*next));
	mdc_autofree uint32_t *last = xcalloc(right->count, sizeof(*last));
	mdc_autofree bool *matched = xcalloc(right->count, sizeof(*matched));
	struct joining j = {
		.run = run,
		.stage = stage,
		.left = left,
		.right = right,
		.next = next,
		.last = last,
		.matched = matched,
		.joined = {.width = stage->width},
	};

	if (!kql_failed(run))
		join_all(&j);
	kql_index_fini(&j.index);
	kql_index_fini(&j.seen);
	return j.joined;
}
