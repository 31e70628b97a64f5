/* SPDX-License-Identifier: Apache-2.0 */
/* log_capture: a log sink that keeps what was written, for tests to look at. */
#ifndef MDC_TEST_LOG_CAPTURE_H
#define MDC_TEST_LOG_CAPTURE_H

#include "daemon/log.h"

struct log_capture;
struct captured_entry;

/* The capture outlives its sink, which the log takes and frees. Not for a threaded log. */
struct log_capture *log_capture_new(void);
struct log_capture *log_capture_free(struct log_capture *c);
struct log_sink *log_capture_sink(struct log_capture *c);

size_t log_capture_total(const struct log_capture *c);
/* Entries of one kind, and the n-th of them (NULL: there are fewer). */
size_t log_capture_count(const struct log_capture *c, enum log_message m);
const struct captured_entry *log_capture_entry(
	const struct log_capture *c, enum log_message m, size_t n);
const char *captured_text(const struct captured_entry *e);
int captured_priority(const struct captured_entry *e);
/* NULL when it has no such field. */
const char *captured_field(const struct captured_entry *e, const char *name);
/* Whether any message or field holds that text: for what must never be logged. */
bool log_capture_holds(const struct log_capture *c, const char *text);

#endif
