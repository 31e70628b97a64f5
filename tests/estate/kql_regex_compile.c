/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/kql_regex_internal.h"
#include "tests/estate/kql_text.h"

#define REPEAT_MAX 1000
#define DEPTH_MAX 100
#define ANY_CODE 0x10FFFF

enum node_kind {
	NODE_EMPTY,
	NODE_CLASS,
	NODE_ASSERT,
	NODE_BOTH,
	NODE_EITHER,
	NODE_REPEAT,
	NODE_GROUP
};

struct node {
	enum node_kind kind;
	enum regex_assertion assertion;
	const struct regex_class *class;
	const struct node *left, *right;
	int min, max; /* repeats; max -1 has no end */
	bool lazy;
	unsigned group;
};

struct flags {
	bool nocase, dot_all, lines;
};

struct compiler {
	struct kql_arena *arena;
	const char *at, *end;
	struct flags flags;
	unsigned groups; /* seen so far */
	unsigned wanted;
	int depth;
	const char *problem;
	struct kql_regex program;
};

static void *fail(struct compiler *c, const char *problem)
{
	if (c->problem == NULL)
		c->problem = problem;
	return NULL;
}

static void *take(struct compiler *c, size_t size)
{
	void *taken = kql_arena_take(c->arena, size);

	return taken != NULL ? taken : fail(c, "the pattern is too large");
}

static const struct node *new_node(struct compiler *c, struct node node)
{
	struct node *made = take(c, sizeof(*made));

	if (made != NULL)
		*made = node;
	return made;
}

static bool accept(struct compiler *c, char expected)
{
	if (c->at == c->end || *c->at != expected)
		return false;
	c->at++;
	return true;
}

static uint32_t next_code(struct compiler *c)
{
	uint32_t code;

	c->at += kql_utf8_decode(c->at, (size_t)(c->end - c->at), &code);
	return code;
}

/* --- classes --- */

#define CLASS_RANGES_MAX 200

struct class_builder {
	struct regex_range ranges[CLASS_RANGES_MAX];
	unsigned count;
	bool negated;
};

static void add_range(struct compiler *c, struct class_builder *b, uint32_t first, uint32_t last)
{
	if (b->count == CLASS_RANGES_MAX) {
		fail(c, "a character class is too large");
		return;
	}
	b->ranges[b->count++] = (struct regex_range){first, last};
}

/* The classes \d, \s and \w; their capital letters take everything else. */
static bool add_named_class(struct compiler *c, struct class_builder *b, char letter)
{
	static const struct regex_range digits[] = {{'0', '9'}};
	static const struct regex_range spaces[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
	static const struct regex_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
	char small = (char)(letter | 0x20);
	const struct regex_range *ranges = small == 'd' ? digits : small == 's' ? spaces : words;
	unsigned count = small == 'd' ? 1 : small == 's' ? 3 : 4;
	uint32_t next = 0;

	if (small != 'd' && small != 's' && small != 'w')
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (letter == small)
			add_range(c, b, ranges[i].first, ranges[i].last);
		else if (ranges[i].first > next)
			add_range(c, b, next, ranges[i].first - 1);
		next = ranges[i].last + 1;
	}
	if (letter != small)
		add_range(c, b, next, ANY_CODE);
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t escaped_hex(struct compiler *c)
{
	uint32_t code = 0;

	for (int i = 0; i < 2; i++) {
		int digit = c->at < c->end ? hex_value(*c->at++) : -1;

		if (digit < 0) {
			fail(c, "\\x needs two hexadecimal digits");
			return 0;
		}
		code = code * 16 + (uint32_t)digit;
	}
	return code;
}

/* The code after a backslash that stands for one character. */
static uint32_t escaped_code(struct compiler *c)
{
	uint32_t code = next_code(c);

	switch (code) {
	case 't': return '\t';
	case 'n': return '\n';
	case 'r': return '\r';
	case 'f': return '\f';
	case 'v': return '\v';
	case 'x': return escaped_hex(c);
	default: break;
	}
	if ((code >= '0' && code <= '9') || ((code | 0x20) >= 'a' && (code | 0x20) <= 'z'))
		fail(c, "an escape sequence is not supported");
	return code;
}

static const struct node *class_node(struct compiler *c, const struct class_builder *b)
{
	struct regex_class *class = take(c, sizeof(*class));
	struct regex_range *ranges = take(c, (b->count + 1) * sizeof(*ranges));

	if (class == NULL || ranges == NULL)
		return NULL;
	memcpy(ranges, b->ranges, b->count * sizeof(*ranges));
	*class = (struct regex_class){ranges, b->count, b->negated, c->flags.nocase};
	return new_node(c, (struct node){.kind = NODE_CLASS, .class = class});
}

static const struct node *code_node(struct compiler *c, uint32_t code)
{
	struct class_builder b = {.count = 0};

	add_range(c, &b, code, code);
	return class_node(c, &b);
}

static const struct node *dot_node(struct compiler *c)
{
	struct class_builder b = {.negated = true};

	if (!c->flags.dot_all)
		add_range(c, &b, '\n', '\n');
	return class_node(c, &b);
}

/* One member of a bracket expression: a named class, a code or a range of codes. */
static void bracket_member(struct compiler *c, struct class_builder *b)
{
	uint32_t first, last;

	if (*c->at == '\\' && c->end - c->at > 1 && add_named_class(c, b, c->at[1])) {
		c->at += 2;
		return;
	}
	first = accept(c, '\\') && c->at < c->end ? escaped_code(c) : next_code(c);
	last = first;
	if (c->end - c->at > 1 && c->at[0] == '-' && c->at[1] != ']') {
		c->at++;
		last = accept(c, '\\') && c->at < c->end ? escaped_code(c)
			: c->at < c->end                 ? next_code(c)
							 : first;
	}
	if (last < first)
		fail(c, "a range of a character class is empty");
	add_range(c, b, first, last);
}

static const struct node *bracket_node(struct compiler *c)
{
	struct class_builder b = {.negated = accept(c, '^')};
	bool first = true;

	for (; c->problem == NULL; first = false) {
		if (c->at == c->end)
			return fail(c, "a character class is not closed");
		if (!first && accept(c, ']'))
			return class_node(c, &b);
		if (c->end - c->at > 1 && c->at[0] == '[' && c->at[1] == ':')
			return fail(c, "named classes of POSIX are not supported");
		bracket_member(c, &b);
	}
	return NULL;
}

/* --- the pattern's tree --- */

static const struct node *parse_either(struct compiler *c);

static const struct node *assert_node(struct compiler *c, enum regex_assertion assertion)
{
	return new_node(c, (struct node){.kind = NODE_ASSERT, .assertion = assertion});
}

static const struct node *escape_node(struct compiler *c)
{
	struct class_builder b = {.count = 0};

	if (c->at == c->end)
		return fail(c, "the pattern ends with a backslash");
	if (add_named_class(c, &b, *c->at)) {
		c->at++;
		return class_node(c, &b);
	}
	if (accept(c, 'b'))
		return assert_node(c, REGEX_WORD_BOUNDARY);
	if (accept(c, 'B'))
		return assert_node(c, REGEX_NO_WORD_BOUNDARY);
	if (accept(c, 'A'))
		return assert_node(c, REGEX_TEXT_START);
	if (accept(c, 'z'))
		return assert_node(c, REGEX_TEXT_END);
	return code_node(c, escaped_code(c));
}

/* "i", "s-i": what follows "(?". */
static void read_flags(struct compiler *c)
{
	bool on = true;

	for (; c->at < c->end && *c->at != ')' && *c->at != ':'; c->at++) {
		switch (*c->at) {
		case '-': on = false; break;
		case 'i': c->flags.nocase = on; break;
		case 's': c->flags.dot_all = on; break;
		case 'm': c->flags.lines = on; break;
		default: fail(c, "a flag or kind of group is not supported"); return;
		}
	}
}

static void skip_group_name(struct compiler *c)
{
	while (c->at < c->end && *c->at != '>')
		c->at++;
	if (!accept(c, '>'))
		fail(c, "the name of a group is not closed");
}

/* After "(". Flags set inside hold to the end of the group around them. */
static const struct node *group_node(struct compiler *c)
{
	struct flags before = c->flags;
	unsigned group = 0;
	const struct node *body;

	if (!accept(c, '?')) {
		group = ++c->groups;
	} else if (c->end - c->at > 1 && c->at[0] == 'P' && c->at[1] == '<') {
		skip_group_name(c);
		group = ++c->groups;
	} else {
		read_flags(c);
		if (accept(c, ')'))
			return new_node(c, (struct node){.kind = NODE_EMPTY});
		if (!accept(c, ':'))
			return fail(c, "a group is not closed");
	}
	body = parse_either(c);
	if (body == NULL || !accept(c, ')'))
		return fail(c, "a group is not closed");
	c->flags = before;
	return new_node(c, (struct node){.kind = NODE_GROUP, .left = body, .group = group});
}

static const struct node *parse_atom(struct compiler *c)
{
	if (accept(c, '('))
		return group_node(c);
	if (accept(c, '['))
		return bracket_node(c);
	if (accept(c, '\\'))
		return escape_node(c);
	if (accept(c, '.'))
		return dot_node(c);
	if (accept(c, '^'))
		return assert_node(c, c->flags.lines ? REGEX_LINE_START : REGEX_TEXT_START);
	if (accept(c, '$'))
		return assert_node(c, c->flags.lines ? REGEX_LINE_END : REGEX_TEXT_END);
	if (strchr("*+?", *c->at) != NULL)
		return fail(c, "nothing to repeat");
	return code_node(c, next_code(c));
}

static int read_count(struct compiler *c)
{
	int count = -1;

	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
		count = (count < 0 ? 0 : count > REPEAT_MAX ? count : count * 10) + (*c->at - '0');
	return count;
}

/* "{2}", "{2,}" or "{2,3}"; false when the brace is an ordinary character. */
static bool read_braces(struct compiler *c, int *ret_min, int *ret_max)
{
	const char *start = c->at;
	int min, max;

	c->at++;
	min = max = read_count(c);
	if (min >= 0 && accept(c, ','))
		max = read_count(c);
	if (min < 0 || !accept(c, '}')) {
		c->at = start;
		return false;
	}
	if (min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && max < min))
		fail(c, "a repeat count is not valid");
	*ret_min = min;
	*ret_max = max;
	return true;
}

static const struct node *parse_repeat(struct compiler *c)
{
	const struct node *node = parse_atom(c);
	int min, max;

	for (int repeats = 0; node != NULL && c->at < c->end; repeats++) {
		min = *c->at == '+';
		max = *c->at == '?' ? 1 : -1;
		if (*c->at == '{') {
			if (!read_braces(c, &min, &max))
				break;
		} else if (*c->at == '*' || *c->at == '+' || *c->at == '?') {
			c->at++;
		} else {
			break;
		}
		if (repeats > 0)
			return fail(c, "a repeat is repeated");
		node = new_node(c,
			(struct node){.kind = NODE_REPEAT,
				.left = node,
				.min = min,
				.max = max,
				.lazy = accept(c, '?')});
	}
	return node;
}

static const struct node *parse_both(struct compiler *c)
{
	const struct node *node = new_node(c, (struct node){.kind = NODE_EMPTY});

	while (node != NULL && c->problem == NULL && c->at < c->end && *c->at != '|' &&
		*c->at != ')') {
		const struct node *right = parse_repeat(c);

		if (right == NULL)
			return NULL;
		node = new_node(c, (struct node){.kind = NODE_BOTH, .left = node, .right = right});
	}
	return c->problem == NULL ? node : NULL;
}

static const struct node *parse_either(struct compiler *c)
{
	const struct node *node;

	if (++c->depth > DEPTH_MAX)
		return fail(c, "groups are nested too deep");
	node = parse_both(c);
	while (node != NULL && accept(c, '|')) {
		const struct node *right = parse_both(c);

		if (right == NULL)
			return NULL;
		node = new_node(
			c, (struct node){.kind = NODE_EITHER, .left = node, .right = right});
	}
	c->depth--;
	return node;
}

/* --- the program --- */

static uint32_t emit(struct compiler *c, struct regex_step step)
{
	if (c->program.count == REGEX_PROGRAM_MAX) {
		fail(c, "the pattern is too large");
		return 0;
	}
	step.next = c->program.count + 1;
	c->program.steps[c->program.count] = step;
	return c->program.count++;
}

static void emit_node(struct compiler *c, const struct node *node);

/* The chain leans left and may be as long as the pattern: it is walked, not recursed. */
static void emit_both(struct compiler *c, const struct node *node)
{
	const struct node **parts;
	unsigned count = 0;

	for (const struct node *n = node; n->kind == NODE_BOTH; n = n->left)
		count++;
	parts = take(c, count * sizeof(const struct node *));
	if (parts == NULL)
		return;
	for (unsigned i = count; i > 0; node = node->left)
		parts[--i] = node->right;
	for (unsigned i = 0; i < count && c->problem == NULL; i++)
		emit_node(c, parts[i]);
}

static void emit_either(struct compiler *c, const struct node *node)
{
	uint32_t fork = emit(c, (struct regex_step){.op = REGEX_FORK});
	uint32_t jump;

	emit_node(c, node->left);
	jump = emit(c, (struct regex_step){.op = REGEX_JUMP});
	c->program.steps[fork].other = c->program.count;
	emit_node(c, node->right);
	c->program.steps[jump].next = c->program.count;
}

static void set_fork(struct compiler *c, uint32_t fork, uint32_t out, bool lazy)
{
	struct regex_step *step = &c->program.steps[fork];

	step->other = out;
	if (lazy) {
		step->other = step->next;
		step->next = out;
	}
}

static void emit_repeat(struct compiler *c, const struct node *node)
{
	uint32_t fork, jump;

	for (int i = 0; i < node->min && c->problem == NULL; i++)
		emit_node(c, node->left);
	if (node->max < 0) {
		fork = emit(c, (struct regex_step){.op = REGEX_FORK});
		emit_node(c, node->left);
		jump = emit(c, (struct regex_step){.op = REGEX_JUMP});
		c->program.steps[jump].next = fork;
		set_fork(c, fork, c->program.count, node->lazy);
	}
	for (int i = node->min; i < node->max && c->problem == NULL; i++) {
		fork = emit(c, (struct regex_step){.op = REGEX_FORK});
		emit_node(c, node->left);
		/* x{0,2} is x?x?: whoever leaves the first leaves by the forks behind it. */
		set_fork(c, fork, c->program.count, node->lazy);
	}
}

static void emit_group(struct compiler *c, const struct node *node)
{
	bool wanted = node->group != 0 && node->group == c->wanted;

	if (wanted)
		emit(c, (struct regex_step){.op = REGEX_GROUP_START});
	emit_node(c, node->left);
	if (wanted)
		emit(c, (struct regex_step){.op = REGEX_GROUP_END});
}

static void emit_node(struct compiler *c, const struct node *node)
{
	if (c->problem != NULL)
		return;
	switch (node->kind) {
	case NODE_EMPTY: break;
	case NODE_CLASS:
		emit(c, (struct regex_step){.op = REGEX_TAKE, .class = node->class});
		break;
	case NODE_ASSERT:
		emit(c, (struct regex_step){.op = REGEX_ASSERT, .assertion = node->assertion});
		break;
	case NODE_BOTH: emit_both(c, node); break;
	case NODE_EITHER: emit_either(c, node); break;
	case NODE_REPEAT: emit_repeat(c, node); break;
	case NODE_GROUP: emit_group(c, node); break;
	}
}

static void emit_program(struct compiler *c, const struct node *tree)
{
	if (c->wanted == 0)
		emit(c, (struct regex_step){.op = REGEX_GROUP_START});
	emit_node(c, tree);
	if (c->wanted == 0)
		emit(c, (struct regex_step){.op = REGEX_GROUP_END});
	emit(c, (struct regex_step){.op = REGEX_MATCH});
}

int kql_regex_compile(struct kql_arena *a, struct kql_value pattern, unsigned group,
	const struct kql_regex **ret, const char **ret_problem)
{
	struct compiler c = {
		.arena = a, .at = pattern.text, .end = pattern.text + pattern.len, .wanted = group};
	const struct node *tree = parse_either(&c);
	struct kql_regex *program;

	if (tree != NULL && c.at != c.end)
		fail(&c, "a parenthesis closes nothing");
	c.program.steps = take(&c, REGEX_PROGRAM_MAX * sizeof(struct regex_step));
	program = take(&c, sizeof(*program));
	if (c.problem == NULL)
		emit_program(&c, tree);
	if (c.problem != NULL) {
		*ret_problem = c.problem;
		return -EINVAL;
	}
	*program = c.program;
	*ret = program;
	return 0;
}

size_t kql_regex_size(const struct kql_regex *regex)
{
	return regex->count;
}
