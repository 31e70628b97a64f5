/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulation of all ways through the program at once: one thread per instruction, in order of
 * precedence, each with the limits of the wanted group on its way.
 */
#include "tests/estate/kql_regex_internal.h"
#include "tests/estate/kql_text.h"

#define NOWHERE SIZE_MAX

struct thread {
	uint32_t step;
	size_t start, end; /* of the group */
};

struct threads {
	struct thread *items;
	uint32_t count;
};

struct matcher {
	const struct kql_regex *regex;
	struct kql_value text;
	struct threads now, next;
	size_t *marks; /* position + 1 at which a step was last added */
	bool found;
	struct thread match;
};

static bool is_word(struct kql_value text, size_t at, bool before)
{
	unsigned char c;

	if (before ? at == 0 : at >= text.len)
		return false;
	c = (unsigned char)text.text[before ? at - 1 : at];
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

static bool holds(const struct matcher *m, enum regex_assertion assertion, size_t at)
{
	bool boundary = is_word(m->text, at, true) != is_word(m->text, at, false);

	switch (assertion) {
	case REGEX_TEXT_START: return at == 0;
	case REGEX_TEXT_END: return at == m->text.len;
	case REGEX_LINE_START: return at == 0 || m->text.text[at - 1] == '\n';
	case REGEX_LINE_END: return at == m->text.len || m->text.text[at] == '\n';
	case REGEX_WORD_BOUNDARY: return boundary;
	case REGEX_NO_WORD_BOUNDARY: return !boundary;
	}
	return false;
}

/* Follows everything that takes no text; recurses at most once per step of the program. */
static void add_thread(struct matcher *m, struct threads *to, struct thread t, size_t at)
{
	const struct regex_step *step = &m->regex->steps[t.step];

	if (m->marks[t.step] == at + 1)
		return;
	m->marks[t.step] = at + 1;
	switch (step->op) {
	case REGEX_TAKE:
	case REGEX_MATCH: to->items[to->count++] = t; return;
	case REGEX_FORK:
		add_thread(m, to, (struct thread){step->next, t.start, t.end}, at);
		t.step = step->other;
		break;
	case REGEX_GROUP_START: t = (struct thread){step->next, at, NOWHERE}; break;
	case REGEX_GROUP_END: t = (struct thread){step->next, t.start, at}; break;
	case REGEX_ASSERT:
		if (!holds(m, step->assertion, at))
			return;
		t.step = step->next;
		break;
	case REGEX_JUMP: t.step = step->next; break;
	}
	add_thread(m, to, t, at);
}

static bool in_ranges(const struct regex_class *class, uint32_t code)
{
	for (unsigned i = 0; i < class->count; i++)
		if (code >= class->ranges[i].first && code <= class->ranges[i].last)
			return true;
	return false;
}

static bool takes(const struct regex_class *class, uint32_t code)
{
	bool in = in_ranges(class, code);

	if (class->nocase && !in)
		in = in_ranges(class, kql_lower(code)) ||
			(code >= 'a' && code <= 'z' && in_ranges(class, code - 0x20));
	return in != class->negated;
}

/* Moves every thread over one code point (or past the end); true while any is left. */
static bool advance(struct matcher *m, size_t at, size_t step, uint32_t code)
{
	struct threads done = m->now;

	m->next.count = 0;
	for (uint32_t i = 0; i < m->now.count; i++) {
		struct thread t = m->now.items[i];
		const struct regex_step *s = &m->regex->steps[t.step];

		if (s->op == REGEX_MATCH) {
			m->found = true;
			m->match = t;
			break;
		}
		if (step > 0 && takes(s->class, code))
			add_thread(
				m, &m->next, (struct thread){s->next, t.start, t.end}, at + step);
	}
	m->now = m->next;
	m->next = done;
	return m->now.count > 0;
}

static bool prepare(struct matcher *m, struct kql_arena *scratch)
{
	uint32_t count = m->regex->count;

	m->now.items = kql_arena_take(scratch, count * sizeof(struct thread));
	m->next.items = kql_arena_take(scratch, count * sizeof(struct thread));
	m->marks = kql_arena_take(scratch, count * sizeof(*m->marks));
	if (m->now.items == NULL || m->next.items == NULL || m->marks == NULL)
		return false;
	memset(m->marks, 0, count * sizeof(*m->marks));
	return true;
}

enum kql_regex_outcome kql_regex_find(const struct kql_regex *regex, struct kql_arena *scratch,
	struct kql_value text, struct kql_value *ret_group)
{
	struct matcher m = {.regex = regex, .text = text};
	const struct thread first = {0, NOWHERE, NOWHERE};

	if (!prepare(&m, scratch))
		return KQL_REGEX_NO_MEMORY;
	for (size_t at = 0;;) {
		uint32_t code = 0;
		size_t step =
			at < text.len ? kql_utf8_decode(text.text + at, text.len - at, &code) : 0;

		/* A later start has less right than all that already run. */
		if (!m.found)
			add_thread(&m, &m.now, first, at);
		if ((!advance(&m, at, step, code) && m.found) || step == 0)
			break;
		at += step;
	}
	if (!m.found)
		return KQL_REGEX_NONE;
	*ret_group = KQL_EMPTY_TEXT;
	if (m.match.start != NOWHERE && m.match.end != NOWHERE) {
		*ret_group = text;
		ret_group->text += m.match.start;
		ret_group->len = (uint32_t)(m.match.end - m.match.start);
	}
	return KQL_REGEX_FOUND;
}
