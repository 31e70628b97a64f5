/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *checked(void *memory)
{
	assert(memory != NULL && "out of memory");
	if (memory == NULL)
		abort();
	return memory;
}

void *xmalloc(size_t size)
{
	return checked(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
	return checked(realloc(old, size > 0 ? size : 1));
}

void *xreallocarray(void *old, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return checked(NULL);
	return xrealloc(old, total);
}

char *xstrdup(const char *text)
{
	return checked(strdup(text));
}

char *xstrndup(const char *text, size_t max)
{
	return checked(strndup(text, max));
}

void *xmemdup(const void *data, size_t size)
{
	return memcpy(xmalloc(size), data, size);
}

char *xasprintf(const char *format, ...)
{
	va_list args, again;
	char *text;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(len >= 0);
	text = xmalloc((size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}
