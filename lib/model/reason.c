/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/reason.h"

#include "lib/base/str.h"

static const struct {
	const char *word, *sentence, *remedy;
} reasons[] = {
#define REASON_ROW(name, word, sentence, remedy) [REASON_##name] = {word, sentence, remedy},
	REASONS(REASON_ROW)
#undef REASON_ROW
};

const char *reason_word(enum reason r)
{
	return r < REASON_N_ ? reasons[r].word : "unknown";
}

const char *reason_sentence(enum reason r)
{
	return r < REASON_N_ ? reasons[r].sentence : "";
}

const char *reason_remedy(enum reason r)
{
	return r < REASON_N_ ? reasons[r].remedy : "";
}

bool reason_is_urgent(enum reason r)
{
	return r == REASON_LEGACY_MUTE;
}

enum reason reason_from_word(const char *word)
{
	for (unsigned r = 0; r < REASON_N_; r++)
		if (str_equal(word, reasons[r].word))
			return (enum reason)r;
	return REASON_N_;
}
