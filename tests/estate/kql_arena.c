/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_value.h"

#include "lib/base/xalloc.h"

#define CHUNK_SIZE ((size_t)64 * 1024)
/* Values of one rowset: 512 MiB. */
#define ROWS_BYTES_MAX ((size_t)512 << 20)

struct kql_chunk {
	struct kql_chunk *next;
	size_t size;
	char data[] __attribute__((aligned(16)));
};

void kql_arena_fini(struct kql_arena *a)
{
	while (a->chunks != NULL) {
		struct kql_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	*a = (struct kql_arena){.cap = a->cap};
}

void kql_arena_reset(struct kql_arena *a)
{
	struct kql_chunk *kept = a->chunks;

	a->used = 0;
	if (kept == NULL)
		return;
	while (kept->next != NULL) {
		struct kql_chunk *next = kept->next->next;

		free(kept->next);
		kept->next = next;
	}
	a->at = kept->data;
	a->end = kept->data + kept->size;
}

static void add_chunk(struct kql_arena *a, size_t size)
{
	struct kql_chunk *chunk;

	if (size < CHUNK_SIZE)
		size = CHUNK_SIZE;
	chunk = xmalloc(sizeof(*chunk) + size);
	chunk->next = a->chunks;
	chunk->size = size;
	a->chunks = chunk;
	a->at = chunk->data;
	a->end = chunk->data + size;
}

void *kql_arena_take(struct kql_arena *a, size_t size)
{
	void *taken;

	if (size > a->cap || a->used > a->cap - size)
		return NULL;
	size = size == 0 ? 8 : (size + 7) & ~(size_t)7;
	if ((size_t)(a->end - a->at) < size)
		add_chunk(a, size);
	taken = a->at;
	a->at += size;
	a->used += size;
	return taken;
}

char *kql_arena_text(struct kql_arena *a, const char *text, size_t len)
{
	char *copy = kql_arena_take(a, len + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void kql_rows_fini(struct kql_rows *r)
{
	free(r->values);
	*r = (struct kql_rows){.width = r->width};
}

struct kql_value *kql_rows_add(struct kql_rows *r)
{
	size_t width = r->width > 0 ? r->width : 1;

	if (r->count == r->room) {
		size_t room = r->room == 0 ? 64 : r->room * 2;

		if (room > ROWS_BYTES_MAX / sizeof(*r->values) / width)
			return NULL;
		r->values = xreallocarray(r->values, room * width, sizeof(*r->values));
		r->room = room;
	}
	return r->values + r->count++ * r->width;
}

void kql_index_fini(struct kql_index *x)
{
	free(x->slots);
	*x = (struct kql_index){0};
}

uint32_t kql_index_find(
	const struct kql_index *x, uint64_t hash, kql_index_same_fn same, const void *ctx)
{
	size_t mask = x->slot_count - 1;

	if (x->slot_count == 0)
		return KQL_NOT_FOUND;
	for (size_t at = hash & mask; x->slots[at].ordinal != 0; at = (at + 1) & mask)
		if (x->slots[at].hash == hash && same(ctx, x->slots[at].ordinal - 1))
			return x->slots[at].ordinal - 1;
	return KQL_NOT_FOUND;
}

static void place(struct kql_index *x, struct kql_index_slot slot)
{
	size_t mask = x->slot_count - 1;
	size_t at = slot.hash & mask;

	while (x->slots[at].ordinal != 0)
		at = (at + 1) & mask;
	x->slots[at] = slot;
}

static void grow(struct kql_index *x)
{
	struct kql_index old = *x;

	x->slot_count = old.slot_count == 0 ? 16 : old.slot_count * 2;
	x->slots = xcalloc(x->slot_count, sizeof(*x->slots));
	for (size_t i = 0; i < old.slot_count; i++)
		if (old.slots[i].ordinal != 0)
			place(x, old.slots[i]);
	free(old.slots);
}

void kql_index_add(struct kql_index *x, uint64_t hash, uint32_t ordinal)
{
	assert(ordinal < KQL_NOT_FOUND - 1);
	if ((x->count + 1) * 4 > x->slot_count * 3)
		grow(x);
	place(x, (struct kql_index_slot){.hash = hash, .ordinal = ordinal + 1});
	x->count++;
}
