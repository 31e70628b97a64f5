/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options, and that the checks obey each of its rows. */
#include "lib/base/str.h"
#include "tests/unit/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* A complete configuration into which a section or an option can be put. */
static const char base[] = "identity \"main\" {\n"
			   "	tenant = 11111111-1111-1111-1111-111111111111\n"
			   "	client = 22222222-2222-2222-2222-222222222222\n"
			   "	method = client-secret\n"
			   "	secret-file = /etc/s\n"
			   "}\n"
			   "policy \"servers\" {\n"
			   "}\n"
			   "scope \"all\" {\n"
			   "	identity = main\n"
			   "	policy = servers\n"
			   "}\n";

static const struct config_row *rows;
static size_t row_count;
static const struct config_section_row *sections;
static size_t section_count;

static const struct config_section_row *section_of(const char *path)
{
	for (size_t i = 0; i < section_count; i++)
		if (strcmp(sections[i].path, path) == 0)
			return &sections[i];
	return NULL;
}

static void open_section(struct buf *text, const char *path)
{
	const struct config_section_row *s = section_of(path);
	const char *slash = strrchr(path, '/');

	buf_adds(text, slash != NULL ? slash + 1 : path);
	/* Titles of their own, so that nothing of the base is said twice. */
	if (s->titled)
		buf_adds(text, " \"probe\"");
	buf_adds(text, " {\n");
}

/* The diagnostics about an option when it has that value, in a section that holds nothing else. */
static void diagnose(const struct config_row *row, const char *value, struct buf *ret)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(1 << 16);
	mdc_cleanup(config_section_fini) struct config_section root;
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;
	const char *slash = strchr(row->section, '/');
	mdc_autofree char *outer =
		xstrndup(row->section, slash == NULL ? 0 : (size_t)(slash - row->section));

	if (*outer != '\0')
		open_section(&text, outer);
	if (*row->section != '\0')
		open_section(&text, row->section);
	buf_addf(&text, "%s = %s\n", row->name, value);
	if (*row->section != '\0')
		buf_adds(&text, "}\n");
	if (*outer != '\0')
		buf_adds(&text, "}\n");
	buf_adds(&text, base);
	root = records_of(buf_str(&text));
	if (config_build(&root, &diags, &config) == 0)
		config_free(config);
	for (size_t i = 0; i < diags.n; i++)
		if (strncmp(diags.v[i].text, row->name, strlen(row->name)) == 0 &&
			diags.v[i].text[strlen(row->name)] == ':' &&
			strstr(diags.v[i].text, "not supported") == NULL &&
			strstr(diags.v[i].text, "there is no ") == NULL &&
			diags.v[i].level == DIAG_ERROR)
			buf_addf(ret, "%s\n", diags.v[i].text);
}

static void assert_accepted(const struct config_row *row, const char *value)
{
	mdc_cleanup(buf_fini) struct buf errors = BUF_INIT(1 << 16);

	diagnose(row, value, &errors);
	if (errors.len > 0)
		fail_msg("%s/%s = %s: %s", row->section, row->name, value, buf_str(&errors));
}

static void assert_refused(const struct config_row *row, const char *value, const char *why)
{
	mdc_cleanup(buf_fini) struct buf errors = BUF_INIT(1 << 16);

	diagnose(row, value, &errors);
	if (strstr(buf_str(&errors), why) == NULL || strstr(buf_str(&errors), "; write ") == NULL)
		fail_msg("%s/%s = %s: \"%s\" is not in \"%s\"", row->section, row->name, value, why,
			buf_str(&errors));
}

/* --- the table itself --- */

static void every_option_stands_in_a_known_section_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		assert_non_null(section_of(rows[i].section));
		for (size_t j = 0; j < i; j++)
			if (strcmp(rows[i].section, rows[j].section) == 0)
				assert_string_not_equal(rows[i].name, rows[j].name);
	}
}

static void every_section_follows_the_one_it_stands_in(void **state)
{
	(void)state;
	assert_string_equal(sections[0].path, "");
	for (size_t i = 1; i < section_count; i++) {
		const char *slash = strchr(sections[i].path, '/');
		mdc_autofree char *parent = NULL;

		if (slash == NULL)
			continue;
		parent = xstrndup(sections[i].path, (size_t)(slash - sections[i].path));
		assert_non_null(section_of(parent));
		assert_true(section_of(parent) < &sections[i]);
	}
}

static bool is_sentence(const char *help)
{
	size_t len = strlen(help);

	return len > 3 && help[len - 1] == '.';
}

static void everything_has_a_help_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++)
		if (!is_sentence(rows[i].help))
			fail_msg("%s/%s: %s", rows[i].section, rows[i].name, rows[i].help);
	for (size_t i = 0; i < section_count; i++)
		assert_true(is_sentence(sections[i].help));
}

static void sections_with_titles_have_one_for_the_example(void **state)
{
	(void)state;
	for (size_t i = 0; i < section_count; i++) {
		assert_int_equal(sections[i].titled, sections[i].example != NULL);
		assert_int_equal(sections[i].titled, sections[i].repeats);
	}
}

static void numbers_have_ranges_and_choices_have_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		const struct config_row *r = &rows[i];
		bool number = r->type == CONFIG_DURATION || r->type == CONFIG_COUNT ||
			r->type == CONFIG_PERCENT || r->type == CONFIG_PRICE;
		bool choice = r->type == CONFIG_CHOICE || r->type == CONFIG_CHOICES;

		assert_true(!number || (r->minimum != NULL && r->maximum != NULL));
		assert_int_equal(choice, r->choices != NULL);
		assert_int_equal(r->type == CONFIG_COUNT, r->unit != NULL);
	}
}

static void only_what_needs_a_restart_is_not_reloadable(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		bool restart = *rows[i].section == '\0' &&
			(strcmp(rows[i].name, "state-directory") == 0 ||
				strcmp(rows[i].name, "control-socket") == 0 ||
				strcmp(rows[i].name, "log") == 0);

		assert_int_equal(rows[i].reloadable, !restart);
	}
}

static void every_name_of_the_design_is_there(void **state)
{
	static const char *const names[] = {"/state-directory", "/control-socket", "/log",
		"cloud/login", "cloud/resource-manager", "cloud/defender", "cloud/audience",
		"cloud/ca-file", "cloud/quota-model", "proxy/url", "cloud/proxy/url",
		"identity/cloud", "identity/tenant", "identity/client", "identity/method",
		"identity/secret-file", "identity/certificate",
		"identity/certificate-password-file", "identity/federated-token-file",
		"poll/subscriptions", "poll/machines", "poll/full-sweep", "poll/inventory",
		"poll/jitter", "poll/operations", "impact/machines", "impact/subscriptions",
		"policy/plan", "policy/integration", "policy/unified-solution", "policy/linux",
		"policy/vulnerability-management", "policy/workspaces/from-machines",
		"policy/workspaces/list", "policy/extension/deploy", "policy/extension/grace",
		"policy/extension/first-grace", "policy/legacy/replace",
		"policy/legacy/remove-agent", "policy/connector/plan", "policy/connector/mde",
		"policy/connector/arc", "policy/connector/agentless",
		"policy/connector/vulnerability-assessment", "scope/identity",
		"scope/management-groups", "scope/subscriptions", "scope/policy", "scope/mode",
		"scope/exclude/tags", "scope/exclude/owner", "scope/exclude/ticket",
		"scope/exclude/until", "scope/exclude/reason", "scope/grant/control",
		"scope/grant/tags", "scope/grant/owner", "scope/grant/ticket", "scope/grant/until",
		"scope/grant/reason", "scope/ring/subscriptions", "scope/ring/max-in-flight",
		"scope/ring/soak", "scope/ring/halt-at", "scope/window/days", "scope/window/from",
		"scope/window/to", "scope/window/timezone"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bool found = false;

		for (size_t j = 0; j < row_count && !found; j++) {
			char name[128];

			snprintf(name, sizeof(name), "%s/%s", rows[j].section, rows[j].name);
			found = strcmp(name, names[i]) == 0;
		}
		if (!found)
			fail_msg("%s", names[i]);
	}
}

/* --- that the checks obey it --- */

static void defaults_and_examples_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		if (rows[i].standard != NULL && *rows[i].standard != '\0')
			assert_accepted(&rows[i], rows[i].standard);
		if (rows[i].example != NULL)
			assert_accepted(&rows[i], rows[i].example);
	}
}

/* A number of the same type, by `by` smallest units away. */
static void neighbour(enum config_type type, const char *text, int by, char ret[64])
{
	struct dur d = {0};
	uint64_t count = 0;

	switch (type) {
	case CONFIG_DURATION:
		assert_int_equal(str_parse_duration(text, &d), 0);
		str_format_duration(DUR_MS(d.ms + by), ret, 64);
		break;
	case CONFIG_PERCENT: snprintf(ret, 64, "%d%%", atoi(text) + by); break;
	case CONFIG_COUNT:
		assert_int_equal(str_parse_u64(text, UINT64_MAX, &count), 0);
		snprintf(ret, 64, "%llu", (unsigned long long)count + by);
		break;
	case CONFIG_PRICE: snprintf(ret, 64, "%s.00000%d", text, by); break;
	case CONFIG_TEXT:
	case CONFIG_PATH:
	case CONFIG_URL:
	case CONFIG_GUID:
	case CONFIG_SWITCH:
	case CONFIG_CHOICE:
	case CONFIG_LIST:
	case CONFIG_DATE:
	case CONFIG_TIME:
	case CONFIG_HALT:
	case CONFIG_GUIDS:
	case CONFIG_WORKSPACES:
	case CONFIG_TAGS:
	case CONFIG_CHOICES:
	case CONFIG_PROXY:
	case CONFIG_TYPE_N_: fail();
	}
}

static void numbers_are_accepted_in_their_range_only(void **state)
{
	char beyond[64];

	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		const struct config_row *r = &rows[i];
		bool number = r->type == CONFIG_DURATION || r->type == CONFIG_COUNT ||
			r->type == CONFIG_PERCENT;

		if (!number)
			continue;
		assert_accepted(r, r->minimum);
		assert_accepted(r, r->maximum);
		neighbour(r->type, r->maximum, 1, beyond);
		assert_refused(r, beyond, "too large");
		if (strspn(r->minimum, "0") > 0)
			continue; /* nothing is below nothing */
		neighbour(r->type, r->minimum, -1, beyond);
		assert_refused(r, beyond, "too small");
	}
}

static void long_texts_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		const struct config_row *r = &rows[i];
		size_t most = r->type == CONFIG_PATH ? 1024 : 256;
		mdc_autofree char *text = NULL;

		if (r->type != CONFIG_PATH && r->type != CONFIG_TEXT && r->type != CONFIG_LIST)
			continue;
		if (r->maximum != NULL)
			most = (size_t)atoi(r->maximum);
		text = xmalloc(most + 2);
		memset(text, r->type == CONFIG_PATH ? '/' : 'x', most + 1);
		text[most] = '\0';
		if (strcmp(r->name, "management-groups") != 0 && r->shape == NULL)
			assert_accepted(r, text);
		text[most] = 'x';
		text[most + 1] = '\0';
		assert_refused(r, text, "too long");
	}
}

struct sample {
	enum config_type type;
	const char *good[6];
	const char *bad[14];
	const char *why;
};

/* Values of every type; a type that is missing here fails the test below. */
static const struct sample samples[] = {
	{CONFIG_TEXT, {"x", "lab team", "„x“"}, {"\x01", "a\x7f", "\xff", "\xc2\x85"},
		"has control characters or is not UTF-8"},
	{CONFIG_PATH, {"/", "/etc/x"}, {"x", "etc/x", "./x", "~/x"}, "is not an absolute path"},
	{CONFIG_URL,
		{"https://a.example", "https://a.example:8443", "https://127.0.0.1:1",
			"https://[::1]:8443", "https://A-b.example"},
		{"http://a.example", "a.example", "https://", "https://a.example/b",
			"https://u@a.example", "https://a.example:0", "https://a.example:65536",
			"https://a.example:", "https://[::1", "https://-a.example", "https://a?b",
			"https://a b", "HTTPS://a.example"},
		"is not an https URL"},
	{CONFIG_GUID,
		{"0123ABCD-0123-0123-0123-0123456789ab", "00000000-0000-0000-0000-000000000000"},
		{"0123abcd", "*", "0123abcd-0123-0123-0123-0123456789ag",
			"{0123abcd-0123-0123-0123-0123456789ab}"},
		"is not a GUID"},
	{CONFIG_GUIDS, {"0123abcd-0123-0123-0123-0123456789ab", "*"},
		{"0123abcd", "**", "/subscriptions/0123abcd-0123-0123-0123-0123456789ab"},
		"is not a GUID"},
	{CONFIG_WORKSPACES,
		{"/subscriptions/0123abcd-0123-0123-0123-0123456789ab/resourceGroups/rg/providers/"
		 "Microsoft.OperationalInsights/workspaces/w"},
		{"w", "0123abcd-0123-0123-0123-0123456789ab",
			"/subscriptions/0123abcd-0123-0123-0123-0123456789ab/resourceGroups/rg"},
		"is not the resource id of a workspace"},
	{CONFIG_SWITCH, {"on", "off", "yes", "no", "true", "OFF"}, {"1", "onn", "enabled"},
		"is neither on nor off"},
	{CONFIG_DURATION, {"2s", "2000ms", "1m"},
		{"5x", "s", "-5s", "+5s", "5 s", "1h30m", "0x5s", "five"}, "is not a duration"},
	{CONFIG_COUNT, {"7", "007"}, {"x", "-1", "+1", "1.5", "1e3", "7 machines"},
		"is not a number"},
	{CONFIG_PERCENT, {"7%", "0%"}, {"%", "x%", "-1%", "1.5%", "7 %"}, "is not a percentage"},
	{CONFIG_PRICE, {"0.0205", "0", "007"}, {"x", "-1", "1,5", ".5", "5.", "1e3", "0.1234567"},
		"is not a price"},
	{CONFIG_CHOICE, {NULL}, {"x", "observe|enforce", "|"}, "is not known"},
	{CONFIG_CHOICES, {NULL}, {"x", "mon|tue", "MON "}, "is not known"},
	{CONFIG_LIST, {"x"}, {"\x01", "\xff"}, "has control characters or is not UTF-8"},
	{CONFIG_DATE, {"2027-01-31", "2028-02-29"},
		{"31.01.2027", "2027-02-29", "2027-13-01", "2027-1-31", "tomorrow",
			"2027-01-31T00:00:00Z"},
		"is not a date"},
	{CONFIG_TIME, {"00:00", "23:59", "05:00"},
		{"24:00", "5:00", "05:60", "0500", "05:00:00", "noon"}, "is not a time of day"},
	{CONFIG_HALT, {"1%", "100%", "1 machine", "7 machines"},
		{"0%", "101%", "0 machines", "x", "7 apples", "7machines", "%"}, "is not a limit"},
	{CONFIG_PROXY,
		{"none", "http://p.example:3128", "https://p.example:443", "http://[::1]:8080",
			"http://10.0.0.1:80"},
		{"p.example:3128", "http://p.example", "https://p.example", "http://:3128",
			"socks5h://p.example:1080", "http://p.example:0", "direct", "http://[::1]",
			"http://p.example:3128/x", "None"},
		"is not the URL of a proxy"},
	{CONFIG_TAGS, {"env=lab", "env=", "a=b=c"}, {"env", "=lab"}, "is not a tag with its value"},
};

static void each_choice_of_a_list_is_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		bool list = rows[i].type == CONFIG_CHOICES;
		mdc_autofree char *words = list ? xstrdup(rows[i].choices) : NULL;
		char *rest = words, *word;

		while ((word = strsep(&rest, "|")) != NULL)
			assert_accepted(&rows[i], word);
	}
}

static void values_are_judged_by_the_type_of_their_option(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		const struct sample *s = samples;

		while (s->type != rows[i].type)
			assert_true(++s < samples + ARRAY_LEN(samples));
		/* Texts of a shape are judged by that. */
		for (size_t j = 0;
			j < ARRAY_LEN(s->good) && s->good[j] != NULL && rows[i].shape == NULL; j++)
			assert_accepted(&rows[i], s->good[j]);
		for (size_t j = 0; j < ARRAY_LEN(s->bad) && s->bad[j] != NULL; j++)
			assert_refused(&rows[i], s->bad[j], s->why);
	}
}

static void empty_values_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++)
		assert_refused(&rows[i], "\"\"", "is empty");
}

static void lists_are_refused_where_one_value_belongs(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++) {
		bool list = rows[i].type == CONFIG_LIST || rows[i].type == CONFIG_GUIDS ||
			rows[i].type == CONFIG_WORKSPACES || rows[i].type == CONFIG_TAGS ||
			rows[i].type == CONFIG_CHOICES;

		if (!list)
			assert_refused(&rows[i], "[a]", "a list stands where one value belongs");
	}
}

static int set_up(void **state)
{
	(void)state;
	rows = config_rows(&row_count);
	sections = config_section_rows(&section_count);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_stands_in_a_known_section_once),
		cmocka_unit_test(every_section_follows_the_one_it_stands_in),
		cmocka_unit_test(everything_has_a_help_text),
		cmocka_unit_test(sections_with_titles_have_one_for_the_example),
		cmocka_unit_test(numbers_have_ranges_and_choices_have_words),
		cmocka_unit_test(only_what_needs_a_restart_is_not_reloadable),
		cmocka_unit_test(every_name_of_the_design_is_there),
		cmocka_unit_test(defaults_and_examples_are_accepted),
		cmocka_unit_test(numbers_are_accepted_in_their_range_only),
		cmocka_unit_test(long_texts_are_refused),
		cmocka_unit_test(each_choice_of_a_list_is_accepted),
		cmocka_unit_test(values_are_judged_by_the_type_of_their_option),
		cmocka_unit_test(empty_values_are_refused),
		cmocka_unit_test(lists_are_refused_where_one_value_belongs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, NULL);
}
