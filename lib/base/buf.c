/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buf.h"

#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, size_t cap)
{
	*b = BUF_INIT(cap);
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT(b->cap);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

static bool make_room(struct buf *b, size_t more)
{
	size_t need;

	if (b->failed || more > b->cap || b->len > b->cap - more) {
		b->failed = true;
		return false;
	}
	need = b->len + more + 1;
	if (need > b->room) {
		size_t room = b->room < 64 ? 64 : b->room;

		while (room < need)
			room *= 2;
		b->data = xrealloc(b->data, room);
		b->room = room;
	}
	return true;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	if (!make_room(b, len))
		return -EFBIG;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_adds(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

int buf_addc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_addv(struct buf *b, const char *format, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0) {
		b->failed = true;
		return -EINVAL;
	}
	if (!make_room(b, (size_t)len))
		return -EFBIG;
	vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
	b->len += (size_t)len;
	return 0;
}

int buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	int result;

	va_start(args, format);
	result = buf_addv(b, format, args);
	va_end(args);
	return result;
}

bool buf_failed(const struct buf *b)
{
	return b->failed;
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (len == 0)
		return;
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

const char *buf_str(const struct buf *b)
{
	return b->data != NULL ? b->data : "";
}

char *buf_steal(struct buf *b)
{
	char *data = b->data != NULL ? b->data : xstrdup("");

	*b = BUF_INIT(b->cap);
	return data;
}
