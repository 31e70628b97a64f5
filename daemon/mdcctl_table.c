/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define CELL_MOST 2048

struct table {
	const char *const *titles;
	size_t columns;
	char **cells; /* row by row */
	size_t rows, room;
	size_t *widths;
	enum colour (**colours)(const char *cell);
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

static const char *title_of(const struct table *t, size_t column)
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
	t->colours = xcalloc(t->columns, sizeof(*t->colours));
	for (size_t i = 0; i < t->columns; i++)
		t->widths[i] = width_of(title_of(t, i));
	return t;
}

struct table *table_free(struct table *t)
{
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->widths);
	free(t->colours);
	free(t);
	return NULL;
}

void table_colour(struct table *t, const char *title, enum colour (*colour)(const char *cell))
{
	for (size_t i = 0; i < t->columns; i++)
		if (str_equal(title_of(t, i), title))
			t->colours[i] = colour;
}

static char *cell_of(const char *text)
{
	struct buf escaped = BUF_INIT(CELL_MOST * 4 + 16);

	str_escape(&escaped, str_empty(text) ? "-" : text, CELL_MOST);
	return buf_steal(&escaped);
}

void table_row(struct table *t, const char *const *texts)
{
	size_t first = t->rows * t->columns;

	if (t->rows == t->room) {
		t->room = t->room == 0 ? 64 : t->room * 2;
		t->cells = xreallocarray(t->cells, t->room * t->columns, sizeof(*t->cells));
	}
	t->rows++;
	for (size_t i = 0; i < t->columns; i++) {
		size_t width;

		t->cells[first + i] = cell_of(texts[i]);
		width = width_of(t->cells[first + i]);
		if (width > t->widths[i])
			t->widths[i] = width;
	}
}

/* --- printing --- */

struct line {
	FILE *out;
	size_t left; /* columns; SIZE_MAX: any number */
};

static void put_blanks(struct line *l, size_t n)
{
	for (; n > 0 && l->left > 0; n--, l->left--)
		putc(' ', l->out);
}

/* Cut between code points. */
static void put_text(struct line *l, const char *text)
{
	size_t bytes = 0;

	while (text[bytes] != '\0' && l->left > 0) {
		bytes++;
		while (((unsigned char)text[bytes] & 0xc0) == 0x80)
			bytes++;
		l->left--;
	}
	fwrite(text, 1, bytes, l->out);
}

static void put_cell(struct line *l, const struct table *t, const struct screen *s, size_t column,
	const char *text, enum colour colour)
{
	size_t pad = t->widths[column] - width_of(text);
	bool last = column + 1 == t->columns;

	if (is_right(t, column))
		put_blanks(l, pad);
	if (l->left > 0) {
		fputs(colour_begin(s, colour), l->out);
		put_text(l, text);
		fputs(colour_end(s, colour), l->out);
	}
	if (!is_right(t, column) && !last)
		put_blanks(l, pad);
	if (!last)
		put_blanks(l, 2);
}

static void put_row(const struct table *t, const struct screen *s, const char *const *cells)
{
	struct line l = {.out = s->out, .left = s->width > 0 ? s->width : SIZE_MAX};

	for (size_t i = 0; i < t->columns; i++) {
		const char *text = cells != NULL ? cells[i] : title_of(t, i);
		enum colour colour = cells == NULL ? COLOUR_STRONG
			: t->colours[i] != NULL    ? t->colours[i](text)
						   : COLOUR_NONE;

		put_cell(&l, t, s, i, text, colour);
	}
	putc('\n', s->out);
}

void table_print(const struct table *t, const struct screen *s)
{
	if (t->rows > 0)
		put_row(t, s, NULL);
	for (size_t row = 0; row < t->rows; row++)
		put_row(t, s, (const char *const *)t->cells + row * t->columns);
}
