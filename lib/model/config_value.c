/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/config_internal.h"
#include "lib/model/config_shape.h"
#include "lib/model/money.h"
#include "lib/model/near_miss.h"

#include <string.h>

#define TEXT_MAX 256
#define PATH_LENGTH_MAX 1024
#define COUNT_MAX UINT64_C(1000000000)

struct config_shown config_show(const char *text)
{
	struct config_shown shown;
	struct buf b = BUF_INIT(4096);

	str_escape(&b, text, 80);
	str_copy(shown.text, sizeof(shown.text), buf_str(&b));
	buf_fini(&b);
	return shown;
}

struct config_shown config_show_section(const struct config_section *s)
{
	struct config_shown shown;
	struct buf b = BUF_INIT(4096);

	str_escape(&b, s->kind, 40);
	if (s->title != NULL) {
		buf_adds(&b, " \"");
		str_escape(&b, s->title, 40);
		buf_adds(&b, "\"");
	}
	str_copy(shown.text, sizeof(shown.text), buf_str(&b));
	buf_fini(&b);
	return shown;
}

/* --- choices --- */

/* The next word of "a|b|c"; false at the end. */
static bool next_choice(const char **at, const char **ret_word, size_t *ret_len)
{
	if (**at == '\0')
		return false;
	*ret_word = *at;
	*ret_len = strcspn(*at, "|");
	*at += *ret_len;
	if (**at == '|')
		(*at)++;
	return true;
}

bool config_choice_has(const char *choices, const char *word)
{
	const char *choice;
	size_t len;

	while (next_choice(&choices, &choice, &len))
		if (strlen(word) == len && memcmp(word, choice, len) == 0)
			return true;
	return false;
}

void config_choice_join(struct buf *ret, const char *choices, const char *last)
{
	const char *choice;
	size_t len;

	for (bool first = true; next_choice(&choices, &choice, &len); first = false) {
		if (!first)
			buf_adds(ret, *choices != '\0' ? ", " : last);
		buf_add(ret, choice, len);
	}
}

static bool check_choice(const struct config_row *row, const char *text, struct buf *why)
{
	const char *at = row->choices, *choice;
	struct near_miss near;
	size_t len;

	if (config_choice_has(row->choices, text))
		return true;
	near_miss_begin(&near, text);
	while (next_choice(&at, &choice, &len))
		near_miss_offer(&near, choice, len);
	buf_addf(why, "\"%s\" is not known; write ", config_show(text).text);
	if (near.best != NULL)
		buf_add(why, near.best, near.best_len);
	else
		config_choice_join(why, row->choices, " or ");
	return false;
}

/* --- numbers --- */

static int parse_percent(const char *text, uint64_t *ret)
{
	char digits[8];
	size_t len = strlen(text);

	if (len < 2 || len > sizeof(digits) || text[len - 1] != '%')
		return -EINVAL;
	str_copy(digits, len, text);
	return str_parse_u64(digits, 100, ret);
}

static int parse_price(const char *text, uint64_t *ret)
{
	int64_t amount = 0;
	int error = money_parse(text, &amount);

	if (error == 0)
		*ret = (uint64_t)amount;
	return error;
}

int config_value_number(enum config_type type, const char *text, uint64_t *ret)
{
	struct dur d;
	int error;

	if (type == CONFIG_PERCENT)
		return parse_percent(text, ret);
	if (type == CONFIG_COUNT)
		return str_parse_u64(text, COUNT_MAX, ret);
	if (type == CONFIG_PRICE)
		return parse_price(text, ret);
	assert(type == CONFIG_DURATION);
	error = str_parse_duration(text, &d);
	if (error == 0)
		*ret = (uint64_t)d.ms;
	return error;
}

static void say_range(const struct config_row *row, struct buf *why)
{
	buf_addf(why, "write %s to %s", row->minimum, row->maximum);
	if (row->unit != NULL)
		buf_addf(why, " %s", row->unit);
}

static bool is_bare_number(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < 8 && strspn(text, "0123456789") == len;
}

static void say_not_a_duration(const char *text, struct buf *why)
{
	if (is_bare_number(text))
		buf_addf(why, "\"%s\" has no unit; write %ss, %sm, %sh or %sd", text, text, text,
			text, text);
	else
		buf_addf(why,
			"\"%s\" is not a duration; write a number with its unit, such as 30s, "
			"5m, 3h or 2d",
			config_show(text).text);
}

static void say_not_a_percentage(const char *text, struct buf *why)
{
	if (is_bare_number(text))
		buf_addf(why, "\"%s\" has no percent sign; write %s%%", text, text);
	else
		buf_addf(why, "\"%s\" is not a percentage; write one such as 10%%",
			config_show(text).text);
}

static void say_not_a_number(const struct config_row *row, const char *text, struct buf *why)
{
	if (row->type == CONFIG_DURATION)
		say_not_a_duration(text, why);
	else if (row->type == CONFIG_PERCENT)
		say_not_a_percentage(text, why);
	else if (row->type == CONFIG_PRICE)
		buf_addf(why,
			"\"%s\" is not a price; write a number with a point and at most six "
			"decimals, such as 0.0205",
			config_show(text).text);
	else {
		buf_addf(why, "\"%s\" is not a number; ", config_show(text).text);
		say_range(row, why);
	}
}

static bool check_number(const struct config_row *row, const char *text, struct buf *why)
{
	uint64_t value = 0, minimum = 0, maximum = 0;
	int error = config_value_number(row->type, text, &value);
	bool unreadable;

	if (error == -EINVAL) {
		say_not_a_number(row, text, why);
		return false;
	}
	unreadable = config_value_number(row->type, row->minimum, &minimum) != 0 ||
		config_value_number(row->type, row->maximum, &maximum) != 0;
	assert(!unreadable);
	if (error == 0 && value >= minimum && value <= maximum)
		return true;
	buf_addf(why, "\"%s\" is too %s; ", config_show(text).text,
		error == 0 && value < minimum ? "small" : "large");
	say_range(row, why);
	return false;
}

/* --- the other types --- */

static bool check_text(const struct config_row *row, const char *text, struct buf *why)
{
	uint64_t longest = row->type == CONFIG_PATH ? PATH_LENGTH_MAX : TEXT_MAX;

	if (row->maximum != NULL) {
		int error = str_parse_u64(row->maximum, COUNT_MAX, &longest);

		assert(error == 0);
	}
	if (strlen(text) > longest) {
		buf_addf(why, "the text is too long; write at most %llu bytes",
			(unsigned long long)longest);
		return false;
	}
	if (row->shape == NULL || row->shape->fits(text))
		return true;
	buf_addf(why, "\"%s\" is not %s; write %s", config_show(text).text, row->shape->what,
		row->shape->instead);
	return false;
}

static bool check_path(const struct config_row *row, const char *text, struct buf *why)
{
	if (*text == '/')
		return check_text(row, text, why);
	buf_addf(why, "\"%s\" is not an absolute path; write it from the root, as in \"/etc/mdcd\"",
		config_show(text).text);
	return false;
}

static bool is_port(const char *text)
{
	uint64_t port;

	return str_parse_u64(text, 65535, &port) == 0 && port > 0;
}

/* "HOST" or "HOST:PORT", and nothing that would make the client talk to somebody else. */
static bool is_authority(const char *text)
{
	char host[TEXT_MAX + 1];
	size_t len;

	if (*text == '[') {
		len = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
		if (len < 3 || text[len++] != ']')
			return false;
	} else {
		if (!str_copy(host, sizeof(host), text))
			return false;
		str_fold(host);
		len = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
		if (len == 0 || *host == '.' || *host == '-')
			return false;
	}
	return text[len] == '\0' || (text[len] == ':' && is_port(text + len + 1));
}

static bool is_url(const char *text)
{
	return strncmp(text, "https://", 8) == 0 && is_authority(text + 8);
}

static bool check_url(const struct config_row *row, const char *text, struct buf *why)
{
	mdc_autofree char *shorter = xstrdup(text);
	size_t len = strlen(text);

	if (!check_text(row, text, why))
		return false;
	if (is_url(text))
		return true;
	if (text[len - 1] == '/')
		shorter[len - 1] = '\0';
	if (is_url(shorter))
		buf_addf(why, "\"%s\" ends with a slash; write \"%s\"", text, shorter);
	else
		buf_addf(why,
			"\"%s\" is not an https URL; write \"https://HOST\" or "
			"\"https://HOST:PORT\"",
			config_show(text).text);
	return false;
}

/* With its port: nobody agrees on the one that is meant where none is written. */
static bool is_proxy(const char *text)
{
	const char *authority = strstr(text, "://");
	const char *end = strrchr(text, ']');

	if (authority == NULL)
		return false;
	authority += strlen("://");
	return (is_url(text) || (strncmp(text, "http://", 7) == 0 && is_authority(authority))) &&
		strchr(end != NULL ? end : authority, ':') != NULL;
}

static bool check_proxy(const struct config_row *row, const char *text, struct buf *why)
{
	size_t len = strlen(text);
	mdc_autofree char *shorter = xstrndup(text, len - (text[len - 1] == '/'));

	if (!check_text(row, text, why))
		return false;
	if (str_equal(text, "none") || is_proxy(text))
		return true;
	/* What stands before the @ is a secret: it is not shown. */
	if (strchr(text, '@') != NULL)
		buf_adds(why,
			"user and password do not belong into a configuration; write "
			"\"http://HOST:PORT\", and credentials-file = \"/etc/mdcd/credentials/"
			"proxy\" with a file that holds USER:PASSWORD");
	else if (is_proxy(shorter))
		buf_addf(why, "\"%s\" ends with a slash; write \"%s\"", text, shorter);
	else
		buf_addf(why,
			"\"%s\" is not the URL of a proxy; write \"http://HOST:PORT\", "
			"\"https://HOST:PORT\" or none",
			config_show(text).text);
	return false;
}

static bool check_guid(const struct config_row *row, const char *text, struct buf *why)
{
	const char *slash = strrchr(text, '/');

	if (str_is_guid(text) || (row->type == CONFIG_GUIDS && str_equal(text, "*")))
		return true;
	buf_addf(why, "\"%s\" is not a GUID; write ", config_show(text).text);
	if (slash != NULL && str_is_guid(slash + 1))
		buf_addf(why, "\"%s\"", slash + 1);
	else
		buf_addf(why, "one such as \"01234567-89ab-cdef-0123-456789abcdef\"%s",
			row->type == CONFIG_GUIDS ? ", or \"*\" for all" : "");
	return false;
}

static bool check_workspace(const struct config_row *row, const char *text, struct buf *why)
{
	struct arm_id id;
	bool fits = false;

	(void)row;
	if (arm_id_parse(text, &id) == 0) {
		fits = id.kind == ARM_KIND_WORKSPACE;
		arm_id_fini(&id);
	}
	if (!fits)
		buf_addf(why,
			"\"%s\" is not the resource id of a workspace; write \"/subscriptions/"
			"ID/resourceGroups/GROUP/providers/Microsoft.OperationalInsights/"
			"workspaces/NAME\"",
			config_show(text).text);
	return fits;
}

static bool check_switch(const struct config_row *row, const char *text, struct buf *why)
{
	bool on;

	(void)row;
	if (str_parse_bool(text, &on) == 0)
		return true;
	buf_addf(why, "\"%s\" is neither on nor off; write on or off", config_show(text).text);
	return false;
}

static bool check_date(const struct config_row *row, const char *text, struct buf *why)
{
	struct wall end;

	(void)row;
	if (wall_parse_date_end(text, &end) == 0)
		return true;
	buf_addf(why, "\"%s\" is not a date; write YYYY-MM-DD, such as 2027-01-31",
		config_show(text).text);
	return false;
}

static bool two_digits(const char *text, unsigned below)
{
	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return false;
	return (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0') < below;
}

static bool check_time(const struct config_row *row, const char *text, struct buf *why)
{
	(void)row;
	if (strlen(text) == 5 && text[2] == ':' && two_digits(text, 24) && two_digits(text + 3, 60))
		return true;
	buf_addf(why, "\"%s\" is not a time of day; write HH:MM, from 00:00 to 23:59",
		config_show(text).text);
	return false;
}

static bool is_machine_count(const char *text)
{
	char digits[16];
	size_t len = strspn(text, "0123456789");
	uint64_t value;

	if (len == 0 || len >= sizeof(digits))
		return false;
	if (!str_equal(text + len, " machines") && !str_equal(text + len, " machine"))
		return false;
	str_copy(digits, len + 1, text);
	return str_parse_u64(digits, COUNT_MAX, &value) == 0 && value > 0;
}

static bool check_halt(const struct config_row *row, const char *text, struct buf *why)
{
	struct config_shown shown = config_show(text);
	uint64_t percent = 0;

	(void)row;
	if ((parse_percent(text, &percent) == 0 && percent > 0) || is_machine_count(text))
		return true;
	if (str_parse_u64(text, COUNT_MAX, &percent) == 0)
		buf_addf(why,
			"\"%s\" does not say of what; write \"%s%%\" for a part, or \"%s "
			"machines\" for a number",
			shown.text, shown.text, shown.text);
	else
		buf_addf(why,
			"\"%s\" is not a limit; write a part from \"1%%\" to \"100%%\", or a "
			"number such as \"7 machines\"",
			shown.text);
	return false;
}

static bool check_tag(const struct config_row *row, const char *text, struct buf *why)
{
	if (*text != '=' && strchr(text, '=') != NULL)
		return check_text(row, text, why);
	buf_addf(why, "\"%s\" is not a tag with its value; write \"NAME=VALUE\"",
		config_show(text).text);
	return false;
}

static const struct {
	bool (*check)(const struct config_row *row, const char *text, struct buf *why);
	bool list;
	bool quoted;
} types[CONFIG_TYPE_N_] = {
	[CONFIG_TEXT] = {check_text, .quoted = true},
	[CONFIG_PATH] = {check_path, .quoted = true},
	[CONFIG_URL] = {check_url, .quoted = true},
	[CONFIG_GUID] = {check_guid, .quoted = true},
	[CONFIG_SWITCH] = {check_switch},
	[CONFIG_DURATION] = {check_number},
	[CONFIG_COUNT] = {check_number},
	[CONFIG_CHOICE] = {check_choice},
	[CONFIG_LIST] = {check_text, .list = true, .quoted = true},
	[CONFIG_DATE] = {check_date},
	[CONFIG_TIME] = {check_time},
	[CONFIG_PERCENT] = {check_number},
	[CONFIG_PRICE] = {check_number},
	[CONFIG_HALT] = {check_halt, .quoted = true},
	[CONFIG_GUIDS] = {check_guid, .list = true, .quoted = true},
	[CONFIG_TAGS] = {check_tag, .list = true, .quoted = true},
	[CONFIG_CHOICES] = {check_choice, .list = true},
	[CONFIG_WORKSPACES] = {check_workspace, .list = true, .quoted = true},
	[CONFIG_PROXY] = {check_proxy, .quoted = true},
};

bool config_type_is_list(enum config_type type)
{
	return types[type].list;
}

/* Nothing that a terminal would obey or JSON would refuse. */
static bool is_plain(const char *text)
{
	struct buf b = BUF_INIT(4 * strlen(text) + 1);
	bool plain;

	str_escape(&b, text, strlen(text));
	plain = str_equal(buf_str(&b), text);
	buf_fini(&b);
	return plain;
}

bool config_value_check(const struct config_row *row, const char *text, struct buf *why)
{
	if (*text == '\0') {
		buf_adds(why, "the text is empty; write one, or leave the option out");
		return false;
	}
	if (!is_plain(text)) {
		buf_addf(why, "\"%s\" has control characters or is not UTF-8; write plain text",
			config_show(text).text);
		return false;
	}
	return types[row->type].check(row, text, why);
}

static void format_quoted(const char *text, struct buf *ret)
{
	buf_addc(ret, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\' || *text == '$')
			buf_addc(ret, '\\');
		buf_addc(ret, *text);
	}
	buf_addc(ret, '"');
}

static void format_number(const struct config_row *row, const char *text, struct buf *ret)
{
	char duration[32], price[MONEY_TEXT_SIZE];
	uint64_t value;

	if (config_value_number(row->type, text, &value) != 0)
		return;
	if (row->type == CONFIG_PRICE) {
		money_format((int64_t)value, price);
		buf_adds(ret, price);
	} else if (row->type == CONFIG_DURATION) {
		str_format_duration(DUR_MS((int64_t)value), duration, sizeof(duration));
		buf_adds(ret, duration);
	} else
		buf_addf(ret, "%llu%s", (unsigned long long)value,
			row->type == CONFIG_PERCENT ? "%" : "");
}

void config_value_format(const struct config_row *row, const char *text, struct buf *ret)
{
	char guid[GUID_TEXT_SIZE];
	bool on = false;

	if (types[row->type].check == check_number)
		format_number(row, text, ret);
	else if (row->type == CONFIG_SWITCH)
		buf_adds(ret, str_parse_bool(text, &on) == 0 && on ? "on" : "off");
	else if (types[row->type].check == check_guid) {
		str_copy(guid, sizeof(guid), text);
		str_fold(guid);
		format_quoted(guid, ret);
	} else if (types[row->type].quoted)
		format_quoted(text, ret);
	else
		buf_adds(ret, text);
}
