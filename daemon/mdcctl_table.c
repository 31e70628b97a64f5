/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define CELL_MOST 2048

struct table {
	const char *const *titles;
	size_t columns;
	char **cells; /* row by row */
	size_t rows;
	size_t *widths;
};

/* Code points: close enough to columns for the names that Azure allows. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool is_right(const struct table *t, size_t column)
{
	return t->titles[column][0] == '>';
}

static const char *title(const struct table *t, size_t column)
{
	return t->titles[column] + (is_right(t, column) ? 1 : 0);
}

struct table *table_new(const char *const *titles)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->titles = titles;
	while (titles[t->columns] != NULL)
		t->columns++;
	t->widths = xcalloc(t->columns, sizeof(*t->widths));
	for (size_t i = 0; i < t->columns; i++)
		t->widths[i] = width_of(title(t, i));
	return t;
}

struct table *table_free(struct table *t)
{
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->widths);
	free(t);
	return NULL;
}

static char *cell(const char *text)
{
	struct buf escaped = BUF_INIT(CELL_MOST * 4 + 16);

	str_escape(&escaped, str_empty(text) ? "-" : text, CELL_MOST);
	return buf_steal(&escaped);
}

void table_row(struct table *t, const char *const *texts)
{
	size_t first = t->rows++ * t->columns;

	t->cells = xreallocarray(t->cells, t->rows * t->columns, sizeof(*t->cells));
	for (size_t i = 0; i < t->columns; i++) {
		t->cells[first + i] = cell(texts[i]);
		if (width_of(t->cells[first + i]) > t->widths[i])
			t->widths[i] = width_of(t->cells[first + i]);
	}
}

static void add_padded(struct buf *line, const struct table *t, size_t column, const char *text)
{
	size_t pad = t->widths[column] - width_of(text);
	bool last = column + 1 == t->columns;

	if (is_right(t, column))
		for (size_t i = 0; i < pad; i++)
			buf_addc(line, ' ');
	buf_adds(line, text);
	if (!is_right(t, column) && !last)
		for (size_t i = 0; i < pad; i++)
			buf_addc(line, ' ');
	if (!last)
		buf_adds(line, "  ");
}

/* Cuts between code points. */
static void print_cut(const char *line, unsigned width)
{
	size_t bytes = 0, n = 0;

	while (line[bytes] != '\0' && (width == 0 || n < width)) {
		bytes++;
		while (((unsigned char)line[bytes] & 0xc0) == 0x80)
			bytes++;
		n++;
	}
	printf("%.*s\n", (int)bytes, line);
}

void table_print(const struct table *t, unsigned width)
{
	struct buf line = BUF_INIT(1 << 20);

	for (size_t row = 0; row <= t->rows && t->rows > 0; row++) {
		buf_reset(&line);
		for (size_t i = 0; i < t->columns; i++)
			add_padded(&line, t, i,
				row == 0 ? title(t, i) : t->cells[(row - 1) * t->columns + i]);
		print_cut(buf_str(&line), width);
	}
	buf_fini(&line);
}
