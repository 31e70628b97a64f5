/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_entry: one entry as it waits for the log's thread: its text in one block, already escaped.
 * Private to log*.c; everybody else uses log.h.
 */
#ifndef MDCD_LOG_ENTRY_H
#define MDCD_LOG_ENTRY_H

#include "daemon/log.h"
#include "lib/base/buf.h"
#include "lib/base/list.h"

/* Bytes of one text from outside, before escaping. */
#define LOG_TEXT_MAX 2048
#define LOG_FIELDS_MAX 32

struct log_entry {
	struct list node;
	struct log *log;
	enum log_message kind;
	int priority;
	uint64_t seq;
	unsigned round; /* see log_sequence.h */
	bool counts;
	size_t count;
	const char *names[LOG_FIELDS_MAX];
	size_t at[LOG_FIELDS_MAX]; /* where each value starts in `text` */
	size_t message_at;
	struct buf text;
};

struct log_entry *log_entry_new(struct log *l, enum log_message m);
struct log_entry *log_entry_free(struct log_entry *e);
void log_entry_say(struct log_entry *e, const char *format, va_list args) MDC_PRINTF(2, 0);
/* Bytes that it holds. */
size_t log_entry_size(const struct log_entry *e);
int log_entry_write(const struct log_entry *e, struct log_sink *sink);

#endif
