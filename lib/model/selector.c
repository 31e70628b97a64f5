/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/model/config.h"

#include <string.h>

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* "*" stands for any characters, "?" for one; ASCII case does not count. */
static bool matches_pattern(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == '?') {
			pattern++;
			do
				text++;
			while (is_continuation(*text));
		} else if (*pattern != '\0' && str_lower(*pattern) == str_lower(*text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++retry;
		} else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool lists(char *const *list, size_t count, const char *text)
{
	if (count == 0)
		return true;
	for (size_t i = 0; i < count && text != NULL; i++)
		if (str_equal_nocase(list[i], text))
			return true;
	return false;
}

static bool lists_machine(char *const *patterns, size_t count, const char *machine)
{
	if (count == 0)
		return true;
	for (size_t i = 0; i < count && machine != NULL; i++)
		if (matches_pattern(patterns[i], machine))
			return true;
	return false;
}

/* Whether "name=value\n…" has that line; names compare without case, values with. */
static bool has_tag(const char *tags, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);

	while (tags != NULL && *tags != '\0') {
		size_t len = strcspn(tags, "\n");

		if (len == name_len + 1 + value_len && tags[name_len] == '=' &&
			str_starts_nocase(tags, name) &&
			memcmp(tags + name_len + 1, value, value_len) == 0)
			return true;
		tags += len;
		tags += *tags == '\n';
	}
	return false;
}

bool selector_has_any_tag(const struct selector *s, const char *tags)
{
	for (size_t i = 0; i < s->tag_count; i++)
		if (has_tag(tags, s->tags[i].name, s->tags[i].value))
			return true;
	return false;
}

bool selector_matches(const struct selector *s, const char *subscription, const char *group,
	const char *machine, const char *tags)
{
	if (!lists(s->subscriptions, s->subscription_count, subscription) ||
		!lists(s->groups, s->group_count, group) ||
		!lists_machine(s->machines, s->machine_count, machine))
		return false;
	for (size_t i = 0; i < s->tag_count; i++)
		if (!has_tag(tags, s->tags[i].name, s->tags[i].value))
			return false;
	return true;
}

const struct machine_plan_config *policy_machine_plan(const struct policy_config *p,
	const char *subscription, const char *group, const char *machine, const char *tags)
{
	for (size_t i = 0; i < p->machine_plan_count; i++)
		if (selector_matches(
			    &p->machine_plans[i].selector, subscription, group, machine, tags))
			return &p->machine_plans[i];
	return NULL;
}
