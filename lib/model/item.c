/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/item.h"

#include "lib/base/str.h"

static const struct {
	const char *word, *meaning;
} states[] = {
#define STATE_ROW(name, word, meaning) [ITEM_##name] = {word, meaning},
	ITEM_STATES(STATE_ROW)
#undef STATE_ROW
};

const char *item_state_word(enum item_state s)
{
	return s < ITEM_STATE_N_ ? states[s].word : "none";
}

const char *item_state_meaning(enum item_state s)
{
	return s < ITEM_STATE_N_ ? states[s].meaning : "";
}

enum item_state item_state_from_word(const char *word)
{
	for (unsigned s = 0; s < ITEM_STATE_N_; s++)
		if (str_equal(word, states[s].word))
			return (enum item_state)s;
	return ITEM_STATE_N_;
}

static const char *const control_words[] = {
#define CONTROL_WORD(name, word) [CONTROL_##name] = word,
	CONTROL_IDS(CONTROL_WORD)
#undef CONTROL_WORD
};

const char *control_word(enum control_id c)
{
	return c < CONTROL_N_ ? control_words[c] : "none";
}

enum control_id control_from_word(const char *word)
{
	for (unsigned c = 0; c < CONTROL_N_; c++)
		if (str_equal(word, control_words[c]))
			return (enum control_id)c;
	return CONTROL_N_;
}
