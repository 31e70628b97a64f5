/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_doc: writes what people read about the options from the table that the program obeys.
 *
 *   config_doc --example        the commented example, conf/mdcd.conf
 *   config_doc --manual FRAME   the manual, conf/mdcd.conf.5: the lines @OPTIONS@ and @LATER@ of
 *                               FRAME are replaced
 */
#include "lib/base/xalloc.h"
#include "lib/model/config.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_COLUMNS 79

static const struct config_row *rows;
static size_t row_count;
static const struct config_section_row *sections;
static size_t section_count;

/* --- what of the table is shown --- */

/* What this version acts on, besides saying "do nothing". */
static bool is_supported(const struct config_row *row)
{
	if (row->supported == NULL)
		return true;
	return *row->supported != '\0' &&
		(row->standard == NULL || strcmp(row->supported, row->standard) != 0);
}

static bool is_section_shown(const struct config_section_row *s)
{
	for (size_t i = 0; i < row_count; i++)
		if (strcmp(rows[i].section, s->path) == 0 && is_supported(&rows[i]))
			return !s->unsupported;
	return false;
}

static bool is_required(const struct config_row *row)
{
	return row->standard != NULL && *row->standard == '\0';
}

static bool is_list(const struct config_row *row)
{
	return row->type == CONFIG_LIST || row->type == CONFIG_GUIDS ||
		row->type == CONFIG_WORKSPACES || row->type == CONFIG_TAGS ||
		row->type == CONFIG_CHOICES;
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static unsigned depth_of(const char *path)
{
	return *path == '\0' ? 0 : strchr(path, '/') != NULL ? 2 : 1;
}

/* "a, b or c". */
static void add_choices(struct buf *to, const char *choices)
{
	for (const char *p = choices; *p != '\0'; p++)
		if (*p != '|')
			buf_addc(to, *p);
		else
			buf_adds(to, strchr(p + 1, '|') != NULL ? ", " : " or ");
}

/* What may be written: "duration, 1s to 1d", "text, required". */
static void add_nature(struct buf *to, const struct config_row *row)
{
	static const char *const words[CONFIG_TYPE_N_] = {
		[CONFIG_TEXT] = "text",
		[CONFIG_PATH] = "absolute path",
		[CONFIG_URL] = "https URL",
		[CONFIG_GUID] = "GUID",
		[CONFIG_SWITCH] = "on or off",
		[CONFIG_DURATION] = "duration",
		[CONFIG_COUNT] = "number of",
		[CONFIG_CHOICE] = "",
		[CONFIG_LIST] = "list of texts",
		[CONFIG_DATE] = "date",
		[CONFIG_TIME] = "time of day",
		[CONFIG_PERCENT] = "percentage",
		[CONFIG_PRICE] = "price",
		[CONFIG_HALT] = "percentage, or number of machines",
		[CONFIG_GUIDS] = "list of GUIDs",
		[CONFIG_WORKSPACES] = "list of resource ids",
		[CONFIG_TAGS] = "list of tags, each NAME=VALUE",
		[CONFIG_CHOICES] = "list of ",
		[CONFIG_PROXY] = "http or https URL with its port, or none",
	};

	buf_adds(to, words[row->type]);
	if (row->choices != NULL)
		add_choices(to, row->supported != NULL ? row->supported : row->choices);
	if (row->unit != NULL)
		buf_addf(to, " %s", row->unit);
	if (row->minimum != NULL)
		buf_addf(to, ", %s to %s", row->minimum, row->maximum);
	if (is_required(row))
		buf_adds(to, ", required");
	if (!row->reloadable)
		buf_adds(to, "; a change needs a restart");
}

/* The option as one would write it: with its default, or else with an example. */
static void add_statement(struct buf *to, const struct config_row *row)
{
	bool bare = row->type == CONFIG_SWITCH || row->type == CONFIG_DURATION ||
		row->type == CONFIG_COUNT || row->type == CONFIG_CHOICE ||
		row->type == CONFIG_DATE || row->type == CONFIG_TIME ||
		row->type == CONFIG_PERCENT || row->type == CONFIG_PRICE ||
		row->type == CONFIG_CHOICES;
	const char *value = row->standard;

	if (value == NULL || *value == '\0')
		value = row->example;
	if (value == NULL)
		value = "00000000-0000-0000-0000-000000000000";
	buf_addf(to, "%s = %s%s%s%s%s", row->name, is_list(row) ? "{ " : "", bare ? "" : "\"",
		value, bare ? "" : "\"", is_list(row) ? " }" : "");
}

/* --- the example --- */

static void indent(unsigned depth)
{
	fputs(depth > 0 ? "#" : "", stdout);
	for (unsigned i = 0; i < depth; i++)
		putchar('\t');
}

/* Text as comment lines. Outside sections they begin with "# ", inside with "#" and tabs. */
static void print_comment(const char *text, unsigned depth)
{
	size_t room = LINE_MAX_COLUMNS - 8 * depth - 2;

	while (*text != '\0') {
		size_t len = strlen(text);

		if (len > room)
			for (len = room; len > 0 && text[len] != ' ';)
				len--;
		indent(depth);
		printf("# %.*s\n", (int)len, text);
		text += len;
		text += *text == ' ';
	}
}

static void print_example_option(const struct config_row *row, unsigned depth)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
	mdc_cleanup(buf_fini) struct buf statement = BUF_INIT(4096);

	buf_addf(&text, "%s (", row->help);
	add_nature(&text, row);
	buf_addc(&text, ')');
	print_comment(buf_str(&text), depth);
	add_statement(&statement, row);
	if (depth == 0)
		putchar('#');
	indent(depth);
	printf("%s\n", buf_str(&statement));
}

static void print_example_options(const char *path)
{
	for (size_t i = 0; i < row_count; i++)
		if (strcmp(rows[i].section, path) == 0 && is_supported(&rows[i]))
			print_example_option(&rows[i], depth_of(path));
}

static void print_example_section(const struct config_section_row *s)
{
	unsigned depth = depth_of(s->path) - 1;

	print_comment(s->help, depth);
	if (depth == 0)
		putchar('#');
	indent(depth);
	if (s->titled)
		printf("%s \"%s\" {\n", last_name(s->path), s->example);
	else
		printf("%s {\n", last_name(s->path));
	print_example_options(s->path);
	for (size_t i = 0; i < section_count; i++) {
		size_t len = strlen(s->path);

		if (strncmp(sections[i].path, s->path, len) == 0 && sections[i].path[len] == '/' &&
			is_section_shown(&sections[i]))
			print_example_section(&sections[i]);
	}
	if (depth == 0)
		putchar('#');
	indent(depth);
	printf("}\n");
}

static void print_example(void)
{
	puts("# SPDX-License-Identifier: Apache-2.0");
	print_comment("The configuration of mdcd; mdcd.conf(5) describes it. Everything that can "
		      "be set is here, with its default, or with an example where it has none. To "
		      "set something, remove the # before it and before its section.",
		0);
	putchar('\n');
	print_comment("Files in conf.d are read after this one, in the order of their names.", 0);
	putchar('\n');
	print_example_options("");
	for (size_t i = 0; i < section_count; i++)
		if (depth_of(sections[i].path) == 1 && is_section_shown(&sections[i])) {
			putchar('\n');
			print_example_section(&sections[i]);
		}
}

/* --- the manual --- */

static bool ends_sentence(const char *word, size_t len)
{
	return len > 1 && (word[len - 1] == '.' || word[len - 1] == ':');
}

static void print_word(const char *word, size_t len, bool first_on_line)
{
	if (first_on_line && (*word == '.' || *word == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < len; i++)
		if (word[i] == '\\')
			fputs("\\e", stdout);
		else
			putchar(word[i]);
}

/* Every sentence on a line of its own, and nothing that mdoc would take for its own. */
static void print_prose(const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + len >= LINE_MAX_COLUMNS) {
			putchar('\n');
			column = 0;
		}
		if (column > 0)
			putchar(' ');
		print_word(text, len, column == 0);
		column += len + 1;
		if (ends_sentence(text, len) && text[len] != '\0') {
			putchar('\n');
			column = 0;
		}
		text += len;
		text += *text == ' ';
	}
	putchar('\n');
}

static void print_manual_option(const struct config_row *row)
{
	mdc_cleanup(buf_fini) struct buf nature = BUF_INIT(4096);

	printf(".It Ic %s\n", row->name);
	print_prose(row->help);
	buf_adds(&nature, "Value: ");
	add_nature(&nature, row);
	buf_addc(&nature, '.');
	print_prose(buf_str(&nature));
	if (row->standard != NULL && !is_required(row))
		printf("Default:\n.Cm %s .\n", row->standard);
}

static void print_heading(const struct config_section_row *s)
{
	const char *slash = strchr(s->path, '/');

	if (*s->path == '\0')
		printf(".Ss Top level\n");
	else if (slash != NULL)
		printf(".Ss %s%s { }, in %.*s\n", slash + 1, s->titled ? " \\(dqNAME\\(dq" : "",
			(int)(slash - s->path), s->path);
	else
		printf(".Ss %s%s { }\n", s->path, s->titled ? " \\(dqNAME\\(dq" : "");
}

static void print_manual_options(void)
{
	for (size_t i = 0; i < section_count; i++) {
		if (!is_section_shown(&sections[i]))
			continue;
		print_heading(&sections[i]);
		print_prose(sections[i].help);
		printf(".Bl -tag -width Ds\n");
		for (size_t j = 0; j < row_count; j++)
			if (strcmp(rows[j].section, sections[i].path) == 0 &&
				is_supported(&rows[j]))
				print_manual_option(&rows[j]);
		printf(".El\n");
	}
}

static bool is_in_unsupported_section(const struct config_row *row)
{
	for (size_t i = 0; i < section_count; i++)
		if (strcmp(sections[i].path, row->section) == 0)
			return sections[i].unsupported;
	return false;
}

static void print_later(void)
{
	printf(".Bl -bullet -compact\n");
	for (size_t i = 0; i < section_count; i++)
		if (sections[i].unsupported)
			printf(".It\nthe section\n.Ic %s\n", sections[i].path);
	for (size_t i = 0; i < row_count; i++) {
		if (is_supported(&rows[i]) || is_in_unsupported_section(&rows[i]))
			continue;
		printf(".It\n.Ic %s%s%s", rows[i].section, *rows[i].section != '\0' ? "/" : "",
			rows[i].name);
		if (*rows[i].supported != '\0')
			printf(" ,\nother than\n.Cm %s", rows[i].supported);
		putchar('\n');
	}
	for (size_t i = 0; i < row_count; i++) {
		mdc_cleanup(buf_fini) struct buf choices = BUF_INIT(4096);

		if (rows[i].supported == NULL || !is_supported(&rows[i]))
			continue;
		add_choices(&choices, rows[i].supported);
		printf(".It\n.Ic %s/%s ,\nother than\n%s\n", rows[i].section, rows[i].name,
			buf_str(&choices));
	}
	printf(".El\n");
}

static int print_manual(const char *frame)
{
	char line[1024];
	FILE *f = fopen(frame, "r");

	if (f == NULL) {
		perror(frame);
		return 1;
	}
	while (fgets(line, sizeof(line), f) != NULL)
		if (strcmp(line, "@OPTIONS@\n") == 0)
			print_manual_options();
		else if (strcmp(line, "@LATER@\n") == 0)
			print_later();
		else
			fputs(line, stdout);
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	rows = config_rows(&row_count);
	sections = config_section_rows(&section_count);
	if (argc == 2 && strcmp(argv[1], "--example") == 0)
		print_example();
	else if (argc == 3 && strcmp(argv[1], "--manual") == 0)
		return print_manual(argv[2]);
	else {
		fprintf(stderr, "usage: config_doc --example | --manual FRAME\n");
		return 1;
	}
	return 0;
}
