/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: entries for the journal (or readable lines on stderr), handed to a thread of their own so
 * that a stopped journald never holds the loop.
 *
 * An entry has a message for people, a priority, a MESSAGE_ID by its kind and fields. Text from
 * outside is escaped here, and only here. Secrets are never passed to it. Any thread may log.
 *
 * What waits for the thread is bounded in bytes. When it is full, the newest entry is dropped and
 * counted, and one entry tells the count once there is room. Nothing that is a transition is lost
 * by that: log_written_seq() stops before the first one that was dropped, and whoever holds the
 * store sends them again when log_resend_wanted() asks for it.
 */
#ifndef MDCD_LOG_H
#define MDCD_LOG_H

#include "lib/base/base.h"
#include "lib/base/tick.h"

#include <syslog.h>

/*
 * MESSAGE(NAME, id, priority, "what it is"): one row a kind of entry, each with a catalog entry in
 * systemd/mdcd.catalog under the same id.
 */
#define LOG_MESSAGES(MESSAGE) \
	MESSAGE(STARTED, "0d9c1a5be2f34c0a8b6f5d1e7a40c301", LOG_INFO, "the daemon has started") \
	MESSAGE(STOPPING, "0d9c1a5be2f34c0a8b6f5d1e7a40c302", LOG_INFO, "the daemon is stopping") \
	MESSAGE(TRANSITION, "0d9c1a5be2f34c0a8b6f5d1e7a40c303", LOG_NOTICE, \
		"an item changed state") \
	MESSAGE(FIRST_SIGHT, "0d9c1a5be2f34c0a8b6f5d1e7a40c304", LOG_INFO, \
		"first observation, summarised") \
	MESSAGE(WRITE_SENT, "0d9c1a5be2f34c0a8b6f5d1e7a40c305", LOG_NOTICE, \
		"a write goes to Azure") \
	MESSAGE(WRITE_FAILED, "0d9c1a5be2f34c0a8b6f5d1e7a40c306", LOG_WARNING, "a write failed") \
	MESSAGE(FAILURE_GROUP, "0d9c1a5be2f34c0a8b6f5d1e7a40c307", LOG_WARNING, \
		"several failures with one cause") \
	MESSAGE(OBSERVATION_FAILED, "0d9c1a5be2f34c0a8b6f5d1e7a40c308", LOG_WARNING, \
		"an observation failed or was incomplete") \
	MESSAGE(PASS, "0d9c1a5be2f34c0a8b6f5d1e7a40c309", LOG_INFO, "a pass ended") \
	MESSAGE(RELOADED, "0d9c1a5be2f34c0a8b6f5d1e7a40c310", LOG_NOTICE, \
		"configuration reloaded") \
	MESSAGE(RELOAD_FAILED, "0d9c1a5be2f34c0a8b6f5d1e7a40c311", LOG_ERR, \
		"configuration not reloaded") \
	MESSAGE(CONFIG_INVALID, "0d9c1a5be2f34c0a8b6f5d1e7a40c312", LOG_ERR, \
		"the configuration is not valid") \
	MESSAGE(HALTED, "0d9c1a5be2f34c0a8b6f5d1e7a40c313", LOG_CRIT, "all writes are halted") \
	MESSAGE(UNHALTED, "0d9c1a5be2f34c0a8b6f5d1e7a40c314", LOG_NOTICE, "the halt was lifted") \
	MESSAGE(PAUSED, "0d9c1a5be2f34c0a8b6f5d1e7a40c315", LOG_NOTICE, "paused or resumed") \
	MESSAGE(UNCONFIRMED, "0d9c1a5be2f34c0a8b6f5d1e7a40c316", LOG_WARNING, \
		"writing waits for confirmation") \
	MESSAGE(CONFIRMED, "0d9c1a5be2f34c0a8b6f5d1e7a40c317", LOG_NOTICE, \
		"the reach was confirmed") \
	MESSAGE(STATE_LOST, "0d9c1a5be2f34c0a8b6f5d1e7a40c318", LOG_ERR, \
		"the stored state is lost or older than it should be") \
	MESSAGE(STORE_FAILED, "0d9c1a5be2f34c0a8b6f5d1e7a40c319", LOG_CRIT, \
		"the state cannot be stored") \
	MESSAGE(CHECKPOINT, "0d9c1a5be2f34c0a8b6f5d1e7a40c320", LOG_INFO, \
		"checkpoint of the history's chain") \
	MESSAGE(IDENTITY, "0d9c1a5be2f34c0a8b6f5d1e7a40c321", LOG_ERR, \
		"no token can be had for an identity") \
	MESSAGE(CREDENTIAL, "0d9c1a5be2f34c0a8b6f5d1e7a40c340", LOG_WARNING, \
		"a certificate or a secret will end") \
	MESSAGE(RULE, "0d9c1a5be2f34c0a8b6f5d1e7a40c322", LOG_ERR, \
		"a rule of writing refused a request") \
	MESSAGE(COMMAND, "0d9c1a5be2f34c0a8b6f5d1e7a40c323", LOG_NOTICE, "an operator's command") \
	MESSAGE(TROUBLE, "0d9c1a5be2f34c0a8b6f5d1e7a40c324", LOG_WARNING, \
		"trouble inside the daemon that it survives") \
	MESSAGE(STORE_RECOVERED, "0d9c1a5be2f34c0a8b6f5d1e7a40c325", LOG_NOTICE, \
		"the state is stored again") \
	MESSAGE(CONFLICT, "0d9c1a5be2f34c0a8b6f5d1e7a40c326", LOG_WARNING, \
		"someone undoes what is corrected") \
	MESSAGE(DEVICES, "0d9c1a5be2f34c0a8b6f5d1e7a40c343", LOG_WARNING, \
		"the inventory of Defender for Endpoint cannot be read, or can be again") \
	MESSAGE(EXPIRED, "0d9c1a5be2f34c0a8b6f5d1e7a40c342", LOG_WARNING, \
		"an exclusion, a grant or an honoured policy exemption has ended") \
	MESSAGE(CONFIG_DOUBTFUL, "0d9c1a5be2f34c0a8b6f5d1e7a40c328", LOG_WARNING, \
		"the configuration holds something doubtful") \
	MESSAGE(NOT_STARTED, "0d9c1a5be2f34c0a8b6f5d1e7a40c327", LOG_ERR, \
		"the daemon could not start")

enum log_message {
#define LOG_MESSAGE_ENUM(name, id, priority, what) LOG_##name##_MESSAGE,
	LOG_MESSAGES(LOG_MESSAGE_ENUM)
#undef LOG_MESSAGE_ENUM
		LOG_MESSAGE_N_
};
const char *log_message_id(enum log_message m);

/* An entry under construction; owned by the caller until log_commit(). */
struct log_entry;

struct log;

struct log_field {
	const char *name; /* "MDCD_FROM"; a static string */
	char *value;      /* already escaped */
};
/*
 * Where finished entries go. Called on the log thread. 0: written. -EAGAIN: not now; it has waited
 * for a moment (never longer than a quarter of a second) and wants to be called again with the same
 * entry. Any other negative errno: this entry was not written and will not be.
 */
struct log_sink {
	int (*write)(struct log_sink *s, int priority, const char *message_id, const char *message,
		const struct log_field *fields, size_t count);
	struct log_sink *(*free)(struct log_sink *s);
};

/*
 * journald's native protocol. While there is no journal, lines go to stderr and each entry tries
 * again. An entry that went to stderr alone counts as written only as long as no journal was ever
 * there: one that went away will be told everything when it is back.
 */
struct log_sink *log_sink_journal(void);
struct log_sink *log_sink_journal_at(const char *socket_path);
/*
 * "HH:MM:SS message (what matters)" lines, colour only on a terminal and without NO_COLOR;
 * "<priority>message" where stderr is a stream to the journal ($JOURNAL_STREAM).
 */
struct log_sink *log_sink_stderr(void);
/* Whether stderr is a stream to the journal, as systemd gives it to services. */
bool log_stderr_is_journal(void);

/* `threaded` false: entries are written by the caller's thread (tests, --once). Takes the sink. */
struct log *log_new(struct log_sink *take_sink, bool threaded);
/* Writes what is left, for about two seconds at most. */
struct log *log_free(struct log *l);
/* Least important priority that is written (LOG_INFO by default). Transitions always are. */
void log_set_level(struct log *l, int priority);

struct log_entry *log_begin(struct log *l, enum log_message m);
/* Text from outside is allowed: it is escaped and cut at 2 KiB. NULL and "" add nothing. */
void log_add(struct log_entry *e, const char *name, const char *value);
void log_addf(struct log_entry *e, const char *name, const char *format, ...) MDC_PRINTF(3, 4);
/* Overrides the kind's own priority. */
void log_priority(struct log_entry *e, int priority);
/*
 * `seq` 0, or the number that a transition has in the store. New ones come in rising order; after a
 * start those that the journal lacks come before any new one.
 */
void log_commit(struct log_entry *take_entry, uint64_t seq, const char *format, ...)
	MDC_PRINTF(3, 4);
/* The short form: no fields. */
void log_say(struct log *l, enum log_message m, const char *format, ...) MDC_PRINTF(3, 4);

/* Every transition up to here that was committed has been handed to the sink, without a hole. */
uint64_t log_written_seq(const struct log *l);
/*
 * True when transitions were dropped and may be sent again: commit those after *ret_after once
 * more, oldest first, as many as you like, and ask again later.
 */
bool log_resend_wanted(struct log *l, uint64_t *ret_after);
/* The transition of this number is not committed by whoever made it: it is to be sent again. */
void log_missed(struct log *l, uint64_t seq);
/* Entries dropped because too many waited (journald stopped for long). */
uint64_t log_dropped(const struct log *l);
/* Grows whenever the thread turns, which asking makes it do soon; for the watchdog. */
uint64_t log_heartbeat(struct log *l);

#endif
