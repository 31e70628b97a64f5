/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_sequence.h"

bool log_sequence_commit(struct log_sequence *s, uint64_t seq)
{
	bool again = seq <= s->newest;

	if (!again)
		s->newest = seq;
	return !s->behind || (s->resending && again);
}

void log_sequence_queued(struct log_sequence *s, uint64_t seq, bool counts)
{
	if (!counts)
		return;
	if (seq > s->handed)
		s->handed = seq;
	if (s->behind && seq == s->newest && seq >= s->missed)
		s->behind = s->resending = false;
}

void log_sequence_dropped(struct log_sequence *s, uint64_t seq)
{
	if (seq <= s->handed)
		return;
	s->behind = true;
	s->resending = false;
}

void log_sequence_missed(struct log_sequence *s, uint64_t seq)
{
	if (seq > s->missed)
		s->missed = seq;
	log_sequence_dropped(s, seq);
}

void log_sequence_written(struct log_sequence *s, uint64_t seq, bool counts, unsigned round)
{
	if (counts && round == s->round && seq > s->written)
		s->written = seq;
}

void log_sequence_refused(struct log_sequence *s, uint64_t seq)
{
	if (seq <= s->written)
		return;
	s->behind = true;
	s->resending = false;
	s->handed = s->written;
	s->round++;
}

bool log_sequence_resend(struct log_sequence *s, uint64_t *ret_after)
{
	if (!s->behind)
		return false;
	s->resending = true;
	*ret_after = s->handed;
	return true;
}
