/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_replay: transitions that were stored and did not reach the journal (a crash, a journald
 * that was stopped for long) are sent to it again with the same sequence number.
 */
#ifndef MDCD_JOURNAL_REPLAY_H
#define MDCD_JOURNAL_REPLAY_H

#include "daemon/log.h"
#include "daemon/store.h"

/* At start: sends what came after the last number known to be written. */
void journal_replay(struct store *s, struct log *l);
/*
 * From time to time: sends again what the log had to drop, once it has room. True when it is worth
 * to come again soon.
 */
bool journal_replay_dropped(struct store *s, struct log *l);
/* Stores how far the journal has come. */
void journal_replay_remember(struct store *s, struct log *l);

#endif
