/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/diag.h"

#include "lib/base/xalloc.h"

#include <stdarg.h>

#define DIAG_TEXT_MAX 2048

void diags_fini(struct diags *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].file);
		free(d->v[i].text);
	}
	free(d->v);
	*d = DIAGS_INIT;
}

static void add(struct diags *d, enum diag_level level, const char *file, unsigned line,
	const char *format, va_list args) MDC_PRINTF(5, 0);
static void add(struct diags *d, enum diag_level level, const char *file, unsigned line,
	const char *format, va_list args)
{
	struct buf text = BUF_INIT(DIAG_TEXT_MAX);

	if (level == DIAG_ERROR)
		d->errors++;
	else
		d->warnings++;
	if (d->n >= DIAG_MAX)
		return;
	if (buf_addv(&text, format, args) != 0) {
		buf_reset(&text);
		buf_adds(&text, "(the text is too long)");
	}
	d->v = xreallocarray(d->v, d->n + 1, sizeof(*d->v));
	d->v[d->n++] = (struct diag){
		.level = level,
		.file = file != NULL ? xstrdup(file) : NULL,
		.line = line,
		.text = buf_steal(&text),
	};
}

void diag_error(struct diags *d, const char *file, unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(d, DIAG_ERROR, file, line, format, args);
	va_end(args);
}

void diag_warning(struct diags *d, const char *file, unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(d, DIAG_WARNING, file, line, format, args);
	va_end(args);
}

int diags_render(const struct diags *d, struct buf *ret)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *one = &d->v[i];

		if (one->file != NULL && one->line > 0)
			buf_addf(ret, "%s:%u: ", one->file, one->line);
		else if (one->file != NULL)
			buf_addf(ret, "%s: ", one->file);
		buf_addf(
			ret, "%s: %s\n", one->level == DIAG_ERROR ? "error" : "warning", one->text);
	}
	if (d->errors + d->warnings > d->n)
		buf_addf(ret, "and %zu more\n", d->errors + d->warnings - d->n);
	return buf_failed(ret) ? -EFBIG : 0;
}
