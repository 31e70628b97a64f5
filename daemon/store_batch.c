/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_batch.h"

#include "lib/base/xalloc.h"

#include <string.h>

static const struct {
	unsigned numbers, texts;
} shapes[] = {
#define STORE_RECORD_SHAPE(name, numbers, texts) [RECORD_##name] = {numbers, texts},
	STORE_RECORDS(STORE_RECORD_SHAPE)
#undef STORE_RECORD_SHAPE
};

/* A text begins with its length plus TEXT_LENGTH, or with one of these alone. */
enum { TEXT_ABSENT, TEXT_SAME, TEXT_LENGTH };

struct batch *batch_new(void)
{
	struct batch *b = xcalloc(1, sizeof(*b));

	list_init(&b->link);
	buf_init(&b->bytes, SIZE_MAX / 4);
	return b;
}

struct batch *batch_free(struct batch *b)
{
	if (b == NULL)
		return NULL;
	list_remove(&b->link);
	buf_fini(&b->bytes);
	free(b);
	return NULL;
}

/* Seven bits a byte, lowest first. */
static void add_varint(struct buf *bytes, uint64_t value)
{
	char packed[10];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		packed[n++] = (char)(value | 0x80);
	packed[n++] = (char)value;
	buf_add(bytes, packed, n);
}

static uint64_t read_varint(const char **at)
{
	uint64_t value = 0;
	unsigned char byte;
	unsigned shift = 0;

	do {
		byte = (unsigned char)*(*at)++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

/* Small numbers of either sign stay short. */
static uint64_t fold_sign(int64_t number)
{
	return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static int64_t unfold_sign(uint64_t folded)
{
	return (int64_t)(folded >> 1 ^ -(folded & 1));
}

/* Cuts between characters, not inside one. */
static size_t bounded_length(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	for (len = max; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

static void add_text(struct batch *b, unsigned place, const char *text, size_t max)
{
	const char *last = b->last[place] != 0 ? b->bytes.data + b->last[place] : NULL;
	size_t len;

	if (text == NULL) {
		add_varint(&b->bytes, TEXT_ABSENT);
		return;
	}
	len = bounded_length(text, max);
	if (last != NULL && strncmp(last, text, len) == 0 && last[len] == '\0') {
		add_varint(&b->bytes, TEXT_SAME);
		return;
	}
	add_varint(&b->bytes, len + TEXT_LENGTH);
	b->last[place] = b->bytes.len;
	buf_add(&b->bytes, text, len);
	buf_addc(&b->bytes, '\0');
}

void batch_add(struct batch *b, const struct record *r)
{
	size_t max = r->kind == RECORD_VALUE ? RECORD_VALUE_MAX : RECORD_TEXT_MAX;

	buf_addc(&b->bytes, (char)r->kind);
	for (unsigned i = 0; i < shapes[r->kind].numbers; i++)
		add_varint(&b->bytes, fold_sign(r->number[i]));
	for (unsigned i = 0; i < shapes[r->kind].texts; i++)
		add_text(b, i, r->text[i], max);
	assert(!buf_failed(&b->bytes));
	b->records++;
	b->prunes = b->prunes || r->kind == RECORD_PRUNE;
}

void batch_read(const struct batch *b, struct batch_reader *ret)
{
	*ret = (struct batch_reader){.at = b->bytes.data};
	ret->end = b->bytes.data != NULL ? b->bytes.data + b->bytes.len : NULL;
}

static const char *read_text(struct batch_reader *reader, unsigned place)
{
	uint64_t head = read_varint(&reader->at);

	if (head == TEXT_ABSENT)
		return NULL;
	if (head != TEXT_SAME) {
		reader->last[place] = reader->at;
		reader->at += head - TEXT_LENGTH + 1;
	}
	return reader->last[place];
}

bool batch_next(struct batch_reader *reader, struct record *ret)
{
	if (reader->at == reader->end)
		return false;
	*ret = (struct record){.kind = (enum record_kind) * reader->at++};
	assert(ret->kind < RECORD_N_);
	for (unsigned i = 0; i < shapes[ret->kind].numbers; i++)
		ret->number[i] = unfold_sign(read_varint(&reader->at));
	for (unsigned i = 0; i < shapes[ret->kind].texts; i++)
		ret->text[i] = read_text(reader, i);
	assert(reader->at <= reader->end);
	return true;
}
