/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_eval.h"

#include "tests/estate/kql_regex.h"
#include "tests/estate/kql_text.h"

/* --- a run --- */

bool kql_run_exhausted(struct kql_run *run)
{
	kql_refuse(run->error, KQL_LIMITS, "The query needs more memory or time than allowed.");
	return false;
}

bool kql_work(struct kql_run *run, uint64_t amount)
{
	run->work += amount;
	if (run->work > KQL_WORK_MAX)
		kql_run_exhausted(run);
	return !kql_failed(run);
}

void *kql_scratch(struct kql_run *run, size_t size)
{
	void *taken = kql_arena_take(&run->scratch, size);

	if (taken == NULL)
		kql_run_exhausted(run);
	return taken;
}

struct kql_value kql_kept(struct kql_run *run, struct kql_value v)
{
	if (kql_keep(&run->keep, &v))
		return v;
	kql_run_exhausted(run);
	return kql_null();
}

/* --- slots --- */

static struct kql_value member_of_row(struct kql_frame *f, const struct kql_slot *slot)
{
	struct kql_value v = kql_from_json(json_object_getn(f->row, slot->key.text, slot->key.len));

	return slot->type == KQL_STRING && v.kind != KQL_IS_STRING ? kql_tostring(f->run, v) : v;
}

struct kql_value kql_slot_value(struct kql_frame *f, unsigned index)
{
	const struct kql_slot *slot = &f->stage->slots[index];
	struct kql_value v = kql_null();

	if (f->known[index])
		return f->values[index];
	switch (slot->kind) {
	case KQL_SLOT_MEMBER: v = member_of_row(f, slot); break;
	case KQL_SLOT_STORED: v = f->stored[slot->stored]; break;
	case KQL_SLOT_EXPRESSION: v = kql_eval(f, slot->expr); break;
	case KQL_SLOT_EXPANDED: break;
	}
	f->known[index] = true;
	f->values[index] = v;
	return v;
}

/* --- values and paths --- */

struct kql_value kql_eval_literal(struct kql_frame *f, const struct kql_expr *e)
{
	(void)f;
	return e->literal;
}

struct kql_value kql_eval_slot(struct kql_frame *f, const struct kql_expr *e)
{
	return kql_slot_value(f, e->slot);
}

struct kql_value kql_eval_member(struct kql_frame *f, const struct kql_expr *e)
{
	return kql_bag_at(kql_eval(f, e->args[0]), e->key.text, e->key.len);
}

struct kql_value kql_eval_index(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value of = kql_eval(f, e->args[0]);
	struct kql_value index = kql_eval(f, e->args[1]);

	if (index.kind == KQL_IS_STRING)
		return kql_bag_at(of, index.text, index.len);
	return index.kind == KQL_IS_LONG ? kql_array_at(of, index.number) : kql_null();
}

struct kql_value kql_eval_element(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value v = kql_array_at(kql_eval(f, e->args[0]), e->slot);

	return kql_is_null(v) ? kql_nothing(e->type) : v;
}

/* --- calls --- */

struct kql_value kql_eval_call(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value args[KQL_ARGS_MAX];

	for (unsigned i = 0; i < e->count; i++)
		args[i] = kql_eval(f, e->args[i]);
	return e->apply(f->run, args, e->count);
}

struct kql_value kql_eval_tostring(struct kql_frame *f, const struct kql_expr *e)
{
	return kql_tostring(f->run, kql_eval(f, e->args[0]));
}

struct kql_value kql_eval_toreal(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value v = kql_eval(f, e->args[0]);

	return v.kind == KQL_IS_LONG ? kql_real((double)v.number) : v;
}

/* Predicates and values in turn, the default last. */
struct kql_value kql_eval_case(struct kql_frame *f, const struct kql_expr *e)
{
	unsigned i;

	for (i = 0; i + 1 < e->count; i += 2)
		if (kql_is_true(kql_eval(f, e->args[i])))
			return kql_eval(f, e->args[i + 1]);
	return kql_eval(f, e->args[i]);
}

struct kql_value kql_eval_coalesce(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value v = kql_null();

	for (unsigned i = 0; i < e->count; i++) {
		v = kql_eval(f, e->args[i]);
		if (!kql_is_null(v) && (v.kind != KQL_IS_STRING || v.len > 0))
			break;
	}
	return v;
}

static bool find_regex(struct kql_frame *f, const struct kql_expr *e, struct kql_value *ret_group)
{
	struct kql_value text = kql_eval(f, e->args[0]);

	if (!kql_work(f->run, text.len * (uint64_t)kql_regex_size(e->regex) / 64))
		return false;
	switch (kql_regex_find(e->regex, &f->run->scratch, text, ret_group)) {
	case KQL_REGEX_FOUND: return true;
	case KQL_REGEX_NONE: return false;
	case KQL_REGEX_NO_MEMORY: break;
	}
	return kql_run_exhausted(f->run);
}

struct kql_value kql_eval_extract(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value group = KQL_EMPTY_TEXT;
	bool found = find_regex(f, e, &group);

	if (e->type == KQL_STRING)
		return group;
	return found ? kql_convert(f->run, group, e->type) : kql_null();
}

struct kql_value kql_eval_matches(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value group;

	return kql_bool(find_regex(f, e, &group));
}

/* --- parse --- */

struct parse_state {
	struct kql_run *run;
	const struct kql_patterns *patterns;
	struct kql_value text;
	struct kql_value *columns;
	unsigned column;
	size_t at;                         /* bytes taken so far */
	const struct kql_pattern *pending; /* a column or star that starts at `at` */
};

/* Ends what is pending before `end`; false when it does not have the type it should. */
static bool end_pending(struct parse_state *s, size_t end)
{
	struct kql_value part = s->text;

	if (s->pending == NULL || s->pending->kind == KQL_PATTERN_STAR)
		return true;
	part.text += s->at;
	part.len = (uint32_t)(end - s->at);
	if (s->pending->type != KQL_STRING)
		part = kql_convert(s->run, part, s->pending->type);
	s->columns[s->column++] = part;
	return !kql_is_null(part);
}

static bool match_text(struct parse_state *s, struct kql_value constant)
{
	ptrdiff_t found = kql_find(s->text, constant, s->at);

	if (found < 0 || (s->pending == NULL && (size_t)found != s->at) ||
		!end_pending(s, (size_t)found))
		return false;
	s->pending = NULL;
	s->at = (size_t)found + constant.len;
	return true;
}

static bool is_number_char(char c)
{
	return (c >= '0' && c <= '9') || c == '.';
}

/* A number that is pending ends where its digits end when no text follows it. */
static bool end_number(struct parse_state *s)
{
	size_t end = s->at;

	if (s->pending == NULL)
		return true;
	end += end < s->text.len && s->text.text[end] == '-';
	while (end < s->text.len && is_number_char(s->text.text[end]))
		end++;
	if (!end_pending(s, end))
		return false;
	s->at = end;
	return true;
}

static bool match_patterns(struct parse_state *s)
{
	for (size_t i = 0; i < s->patterns->count; i++) {
		const struct kql_pattern *pattern = &s->patterns->items[i];

		if (pattern->kind == KQL_PATTERN_TEXT) {
			if (!match_text(s, pattern->text))
				return false;
			continue;
		}
		if (!end_number(s))
			return false;
		s->pending = pattern;
	}
	return end_pending(s, s->text.len);
}

/* An array of what the columns get, or null when the text is not as the pattern says. */
struct kql_value kql_eval_parse(struct kql_frame *f, const struct kql_expr *e)
{
	struct parse_state s = {
		.run = f->run, .patterns = e->patterns, .text = kql_eval(f, e->args[0])};

	s.columns = kql_scratch(f->run, (e->patterns->columns + 1) * sizeof(*s.columns));
	if (s.columns == NULL || !match_patterns(&s))
		return kql_null();
	return (struct kql_value){.kind = KQL_IS_ARRAY,
		.scratch = true,
		.len = (uint32_t)e->patterns->columns,
		.items = s.columns};
}

/* --- logic --- */

/* False if any is false; else null if any is null. */
struct kql_value kql_eval_all(struct kql_frame *f, const struct kql_expr *e)
{
	bool unknown = false;

	for (unsigned i = 0; i < e->count; i++) {
		struct kql_value v = kql_eval(f, e->args[i]);

		if (kql_is_null(v))
			unknown = true;
		else if (!v.truth)
			return v;
	}
	return unknown ? kql_null() : kql_bool(true);
}

struct kql_value kql_eval_any(struct kql_frame *f, const struct kql_expr *e)
{
	bool unknown = false;

	for (unsigned i = 0; i < e->count; i++) {
		struct kql_value v = kql_eval(f, e->args[i]);

		if (kql_is_null(v))
			unknown = true;
		else if (v.truth)
			return v;
	}
	return unknown ? kql_null() : kql_bool(false);
}

struct kql_value kql_eval_negate(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value v = kql_eval(f, e->args[0]);

	if (v.kind == KQL_IS_REAL)
		v.real = -v.real;
	else if (!kql_is_null(v))
		v.number = (int64_t)(0 - (uint64_t)v.number);
	return v;
}

/* --- comparison --- */

struct kql_value kql_eval_equal(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value a = kql_eval(f, e->args[0]);
	struct kql_value b = kql_eval(f, e->args[1]);

	if (kql_is_null(a) && kql_is_null(b))
		return kql_null();
	return kql_bool(kql_same(a, b) != e->negated);
}

struct kql_value kql_eval_equal_nocase(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value a = kql_eval(f, e->args[0]);
	struct kql_value b = kql_eval(f, e->args[1]);

	return kql_bool(kql_same_nocase(a, b) != e->negated);
}

static bool in_order(enum kql_operator op, int order)
{
	switch (op) {
	case KQL_OP_LESS: return order < 0;
	case KQL_OP_LESS_EQUAL: return order <= 0;
	case KQL_OP_GREATER: return order > 0;
	case KQL_OP_GREATER_EQUAL: return order >= 0;
	case KQL_OP_ADD:
	case KQL_OP_SUBTRACT:
	case KQL_OP_MULTIPLY:
	case KQL_OP_DIVIDE:
	case KQL_OP_MODULO:
	case KQL_OP_EQUAL:
	case KQL_OP_CONTAINS:
	case KQL_OP_STARTS_WITH:
	case KQL_OP_ENDS_WITH:
	case KQL_OP_HAS:
	case KQL_OP_MATCHES:
	case KQL_OP_IN: break;
	}
	return false;
}

static bool is_nan(struct kql_value v)
{
	return v.kind == KQL_IS_REAL && v.real != v.real;
}

struct kql_value kql_eval_order(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value a = kql_eval(f, e->args[0]);
	struct kql_value b = kql_eval(f, e->args[1]);

	if (kql_is_null(a) || kql_is_null(b))
		return kql_null();
	return kql_bool(!is_nan(a) && !is_nan(b) && in_order(e->op, kql_compare(a, b)));
}

static bool search(enum kql_operator op, struct kql_value text, struct kql_value part)
{
	if (part.len > text.len)
		return false;
	if (op == KQL_OP_CONTAINS)
		return kql_find(text, part, 0) >= 0;
	if (op == KQL_OP_HAS)
		return kql_has_term(text, part);
	if (op == KQL_OP_ENDS_WITH)
		text.text += text.len - part.len;
	text.len = part.len;
	return kql_text_same(text, part);
}

/* A term may be found often before it is found whole, at its length each time. */
static bool search_work(struct kql_frame *f, struct kql_value text, struct kql_value part)
{
	return kql_work(f->run, (uint64_t)text.len * part.len / 4096);
}

struct kql_value kql_eval_search(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value text = kql_eval(f, e->args[0]);
	struct kql_value part = kql_eval(f, e->args[1]);
	bool found = search_work(f, text, part) && search(e->op, text, part);

	return kql_bool(found != e->negated);
}

static struct kql_value lowered(struct kql_run *run, struct kql_value text)
{
	char *lower = kql_scratch(run, text.len);

	if (lower == NULL)
		return KQL_EMPTY_TEXT;
	kql_lower_text(lower, text.text, text.len);
	return kql_scratch_text(lower, text.len);
}

struct kql_value kql_eval_search_nocase(struct kql_frame *f, const struct kql_expr *e)
{
	struct kql_value text = kql_eval(f, e->args[0]);
	struct kql_value part = kql_eval(f, e->args[1]);
	bool found = part.len <= text.len && search_work(f, text, part) &&
		search(e->op, lowered(f->run, text), lowered(f->run, part));

	return kql_bool(found != e->negated);
}

/* --- in --- */

struct sought {
	const struct kql_set *set;
	struct kql_value value;
};

static bool same_as_sought(const void *ctx, uint32_t ordinal)
{
	const struct sought *s = ctx;
	struct kql_value item = s->set->items[ordinal];

	if (s->set->nocase)
		return item.kind == KQL_IS_STRING && kql_same_nocase(item, s->value);
	return kql_same(item, s->value);
}

static uint64_t set_hash(const struct kql_set *set, struct kql_value v)
{
	return set->nocase && v.kind == KQL_IS_STRING ? kql_hash_nocase(v) : kql_value_hash(v);
}

bool kql_set_has(const struct kql_set *set, struct kql_value v)
{
	const struct sought sought = {set, v};

	return !kql_is_null(v) &&
		kql_index_find(&set->index, set_hash(set, v), same_as_sought, &sought) !=
		KQL_NOT_FOUND;
}

void kql_set_add(struct kql_set *set, struct kql_value v, uint32_t ordinal)
{
	if (!kql_is_null(v) && !kql_set_has(set, v))
		kql_index_add(&set->index, set_hash(set, v), ordinal);
}

struct kql_value kql_eval_in_set(struct kql_frame *f, const struct kql_expr *e)
{
	return kql_bool(kql_set_has(e->set, kql_eval(f, e->args[0])) != e->negated);
}

static bool same_item(struct kql_frame *f, struct kql_value v, struct kql_value item, bool nocase)
{
	if (nocase)
		return kql_same_nocase(v, kql_tostring(f->run, item));
	return !kql_is_null(v) && kql_same(v, item);
}

/* An array in the list stands for its elements. */
static bool in_item(struct kql_frame *f, struct kql_value v, struct kql_value item, bool nocase)
{
	ptrdiff_t length = kql_array_length(item);

	if (!kql_is_array(item))
		return same_item(f, v, item, nocase);
	for (ptrdiff_t i = 0; i < length; i++)
		if (same_item(f, v, kql_array_at(item, i), nocase))
			return true;
	return false;
}

static struct kql_value in_list(struct kql_frame *f, const struct kql_expr *e, bool nocase)
{
	struct kql_value v = kql_eval(f, e->args[0]);

	for (unsigned i = 1; i < e->count; i++)
		if (in_item(f, v, kql_eval(f, e->args[i]), nocase))
			return kql_bool(!e->negated);
	return kql_bool(e->negated);
}

struct kql_value kql_eval_in_list(struct kql_frame *f, const struct kql_expr *e)
{
	return in_list(f, e, false);
}

struct kql_value kql_eval_in_list_nocase(struct kql_frame *f, const struct kql_expr *e)
{
	return in_list(f, e, true);
}
