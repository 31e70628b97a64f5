/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_sequence: how far numbered entries reached the sink without a hole, and when those that did
 * not are to be sent again. A pure record of what happened; the caller locks.
 *
 * Once an entry was dropped, nothing counts until the owner sends again from `handed` on, oldest
 * first. New entries are written meanwhile, and are sent twice. A drop in the middle of sending
 * again ends that round: the next one starts from where it got to.
 */
#ifndef MDCD_LOG_SEQUENCE_H
#define MDCD_LOG_SEQUENCE_H

#include "lib/base/base.h"

struct log_sequence {
	uint64_t newest;  /* the highest number that was committed */
	uint64_t missed;  /* the highest one that was not, and has to come from the owner's store */
	uint64_t handed;  /* all up to here wait for the sink or have reached it */
	uint64_t written; /* all up to here have reached it */
	bool behind;      /* something after `handed` was dropped */
	bool resending;   /* a round of sending again is open */
	unsigned round;   /* entries of an older round do not count any more */
};

/* An entry is committed: does it count towards `written`? */
bool log_sequence_commit(struct log_sequence *s, uint64_t seq);
/* What became of it then: it waits for the sink, or there was no room. */
void log_sequence_queued(struct log_sequence *s, uint64_t seq, bool counts);
void log_sequence_dropped(struct log_sequence *s, uint64_t seq);
/* It was not even committed. */
void log_sequence_missed(struct log_sequence *s, uint64_t seq);
/* The sink took it, or refused it for good. `round` is what it was when the entry was committed. */
void log_sequence_written(struct log_sequence *s, uint64_t seq, bool counts, unsigned round);
void log_sequence_refused(struct log_sequence *s, uint64_t seq);
/* True when entries are missing: those after *ret_after are to be committed again. */
bool log_sequence_resend(struct log_sequence *s, uint64_t *ret_after);

#endif
