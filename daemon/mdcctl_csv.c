/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include <string.h>

#define CELL_MOST 65536

static bool is_number(const char *text)
{
	text += *text == '-';
	return *text != '\0' && text[strspn(text, "0123456789.")] == '\0';
}

/* Quoted where it has to be. A cell that a spreadsheet would take for a formula is made none. */
static void add_cell(struct buf *line, const char *text)
{
	struct buf safe = BUF_INIT(CELL_MOST);

	if (*text != '\0' && strchr("=+-@", *text) != NULL && !is_number(text))
		buf_addc(&safe, '\'');
	add_text(&safe, text);
	if (strpbrk(buf_str(&safe), ",\"") == NULL) {
		buf_adds(line, buf_str(&safe));
	} else {
		buf_addc(line, '"');
		for (const char *p = buf_str(&safe); *p != '\0'; p++) {
			if (*p == '"')
				buf_addc(line, '"');
			buf_addc(line, *p);
		}
		buf_addc(line, '"');
	}
	buf_fini(&safe);
}

static void add_value(struct buf *line, const json_t *value)
{
	if (json_is_integer(value))
		buf_addf(line, "%lld", (long long)json_integer_value(value));
	else
		add_cell(line, json_is_string(value) ? json_string_value(value) : "");
}

void csv_print(const struct screen *s, const char *const *columns, const json_t *rows)
{
	json_t *row;
	size_t i;

	for (const char *const *c = columns; *c != NULL; c++)
		fprintf(s->out, "%s%s", c > columns ? "," : "", *c);
	fputc('\n', s->out);
	json_array_foreach (rows, i, row) {
		struct buf line = BUF_INIT(1 << 20);

		for (const char *const *c = columns; *c != NULL; c++) {
			if (c > columns)
				buf_addc(&line, ',');
			add_value(&line, json_object_get(row, *c));
		}
		fprintf(s->out, "%s\n", buf_str(&line));
		buf_fini(&line);
	}
}
