/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/str.h"
#include "lib/model/near_miss.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_PATH "/run/mdcd/control.sock"
#define SOCKET_VARIABLE "MDCCTL_SOCKET"
#define LIMIT_MOST 1000000

static const char usage[] =
	"Usage: mdcctl [OPTION]... COMMAND\n"
	"\n"
	"Look:\n"
	"  status                     what the daemon does, how far it is, what to do next\n"
	"  plan [--scope S] [--limit N]\n"
	"                             what it would correct, and what holds it back; exits 0\n"
	"                             (nothing), 2 (changes), 1 (error, or not all is known)\n"
	"  explain RESOURCE           all about a machine, connector, workspace or subscription\n"
	"  list [--state S,...] [--control C,...] [--reason R] [--scope S] [--subscription S]\n"
	"       [--limit N]           items, one a line\n"
	"  gaps [--kind K,...] [--scope S] [--limit N] [--csv]\n"
	"                             devices of Defender for Endpoint without a machine, and\n"
	"                             machines without a device\n"
	"  cost [--by B] [--kind K,...] [--scope S] [--limit N] [--csv]\n"
	"                             which machines are billed, under which plan, which twice,\n"
	"                             and what the policy comes to; by subscription or machine\n"
	"  history [RESOURCE] [--limit N] [--before SEQ]\n"
	"                             the latest transitions and writes, newest first\n"
	"  preflight                  what the configuration needs and Azure does not give, with\n"
	"                             what helps; exits 0 (nothing missing), 2 (something), 1\n"
	"                             (not everything could be read)\n"
	"  preflight --role [--scope S] [--config FILE]\n"
	"                             the smallest custom role, as JSON; needs no daemon\n"
	"  config show                the configuration in force, with every default\n"
	"  config check [FILE]        test a configuration (mdcd --check); needs no daemon\n"
	"\n"
	"Change:\n"
	"  reconcile [RESOURCE]       observe everything now; or a resource, whose graces,\n"
	"                             backoffs and conflicts are over then\n"
	"  pause TARGET [--reason R]  no writes for a scope, a resource, or \"*\" for all\n"
	"  resume TARGET              end a pause\n"
	"  halt [--reason R]          no writes at all until unhalt, also after a restart\n"
	"  unhalt                     lift the halt\n"
	"  confirm [--yes]            allow what waits for confirmation; shows it and asks\n"
	"  reload                     read the configuration anew\n"
	"\n"
	"A RESOURCE is the name of a machine, the name or id of a subscription, or a resource id.\n"
	"\n"
	"  -o, --output FORM   table, wide, json, name: resource ids, one a line; csv: of\n"
	"                      gaps and cost\n"
	"      --json          the same as -o json\n"
	"  -n, --limit N       rows to show, or \"all\"\n"
	"  -s, --socket PATH   (" SOCKET_PATH ", or the variable " SOCKET_VARIABLE ")\n"
	"  -h, --help          this text\n"
	"      --version       the version\n";

enum words { WORDS_NONE, WORDS_MAY, WORDS_MUST };

static const struct command {
	const char *name;
	enum words words;    /* of one word, the target */
	const char *options; /* beyond those of all commands, each between blanks */
} commands[] = {
	{"status", WORDS_NONE, " "},
	{"plan", WORDS_NONE, " scope limit "},
	{"explain", WORDS_MUST, " "},
	{"list", WORDS_NONE, " state control reason scope subscription limit "},
	{"gaps", WORDS_NONE, " kind scope limit csv "},
	{"cost", WORDS_NONE, " by kind scope limit csv "},
	{"history", WORDS_MAY, " before limit "},
	{"config", WORDS_NONE, " "},
	{"preflight", WORDS_NONE, " role scope config "},
	{"reconcile", WORDS_MAY, " "},
	{"pause", WORDS_MUST, " reason "},
	{"resume", WORDS_MUST, " "},
	{"halt", WORDS_NONE, " reason "},
	{"unhalt", WORDS_NONE, " "},
	{"confirm", WORDS_NONE, " yes "},
	{"reload", WORDS_NONE, " "},
};

enum {
	OPTION_TEXT = 256,
	OPTION_NUMBER,
	OPTION_JSON,
	OPTION_YES,
	OPTION_ROLE,
	OPTION_CSV,
	OPTION_FILE,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{"scope", required_argument, NULL, OPTION_TEXT},
	{"state", required_argument, NULL, OPTION_TEXT},
	{"control", required_argument, NULL, OPTION_TEXT},
	{"subscription", required_argument, NULL, OPTION_TEXT},
	{"reason", required_argument, NULL, OPTION_TEXT},
	{"before", required_argument, NULL, OPTION_NUMBER},
	{"limit", required_argument, NULL, 'n'},
	{"yes", no_argument, NULL, OPTION_YES},
	{"role", no_argument, NULL, OPTION_ROLE},
	{"config", required_argument, NULL, OPTION_FILE},
	{"kind", required_argument, NULL, OPTION_TEXT},
	{"by", required_argument, NULL, OPTION_TEXT},
	{"csv", no_argument, NULL, OPTION_CSV},
	{"output", required_argument, NULL, 'o'},
	{"json", no_argument, NULL, OPTION_JSON},
	{"socket", required_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};
#define COMMAND_OPTIONS 13 /* the first ones are of some commands only */

/* --- what is wrong --- */

static int misuse(const char *format, ...) MDC_PRINTF(1, 2);
static int misuse(const char *format, ...)
{
	va_list args;

	fputs("mdcctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nTry 'mdcctl --help'.\n", stderr);
	return -EINVAL;
}

static int unknown_command(const char *written)
{
	struct near_miss near;

	near_miss_begin(&near, written);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		near_miss_offer(&near, commands[i].name, strlen(commands[i].name));
	if (near.best != NULL)
		return misuse("unknown command \"%s\"; did you mean \"%s\"?", written, near.best);
	return misuse("unknown command \"%s\"", written);
}

/* `written` is as it stands on the command line: "--stat=x". */
static int unknown_option(const char *written)
{
	struct near_miss near;
	char name[NEAR_MISS_MAX];

	str_copy(name, sizeof(name), written);
	name[strcspn(name, "=")] = '\0';
	near_miss_begin(&near, name + strspn(name, "-"));
	for (const struct option *o = long_options; o->name != NULL; o++)
		near_miss_offer(&near, o->name, strlen(o->name));
	if (near.best != NULL && strncmp(name, "--", 2) == 0)
		return misuse("unknown option %s; did you mean --%s?", name, near.best);
	return misuse("unknown option %s", name);
}

/* --- options --- */

static int take_output(struct request *r, const char *form)
{
	static const char *const forms[] = {[OUTPUT_TABLE] = "table",
		[OUTPUT_WIDE] = "wide",
		[OUTPUT_NAME] = "name",
		[OUTPUT_JSON] = "json",
		[OUTPUT_CSV] = "csv"};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (str_equal(form, forms[i])) {
			r->output = (enum output)i;
			return 0;
		}
	return misuse("--output wants table, wide, name, json or csv, not \"%s\"", form);
}

static int take_limit(struct request *r, const char *text)
{
	if (str_equal(text, "all"))
		r->limit = LIMIT_MOST;
	else if (str_parse_u64(text, LIMIT_MOST, &r->limit) != 0 || r->limit == 0)
		return misuse(
			"--limit wants a number up to %d, or all, not \"%s\"", LIMIT_MOST, text);
	return 0;
}

static int take_text(struct request *r, const char *name, const char *text)
{
	const char *dashes = str_equal(name, "target") ? "" : "--";

	/* An empty variable in a script is a mistake, not the absence of a filter. */
	if (str_empty(text))
		return misuse("%s%s wants a text that is not empty", dashes, name);
	if (json_object_set_new(r->arguments, name, json_string(text)) != 0)
		return misuse("%s%s wants text in UTF-8", dashes, name);
	return 0;
}

static int take_number(struct request *r, const char *name, const char *text)
{
	uint64_t n;

	if (str_parse_u64(text, INT64_MAX, &n) != 0)
		return misuse("--%s wants a number, not \"%s\"", name, text);
	json_object_set_new(r->arguments, name, json_integer((json_int_t)n));
	return 0;
}

static int take_option(struct request *r, int option, const char *name, char **argv)
{
	switch (option) {
	case 's': r->socket = optarg; return 0;
	case 'o': return take_output(r, optarg);
	case 'n': return take_limit(r, optarg);
	case 'h': fputs(usage, stdout); return 1;
	case OPTION_JSON: r->output = OUTPUT_JSON; return 0;
	case OPTION_YES: r->yes = true; return 0;
	case OPTION_ROLE: r->role = true; return 0;
	case OPTION_CSV: r->output = OUTPUT_CSV; return 0;
	case OPTION_FILE: r->file = optarg; return 0;
	case OPTION_VERSION: puts("mdcctl " MDC_VERSION); return 1;
	case OPTION_TEXT: return take_text(r, name, optarg);
	case OPTION_NUMBER: return take_number(r, name, optarg);
	case ':': return misuse("option %s wants a value", argv[optind - 1]);
	default: return unknown_option(argv[optind - 1]);
	}
}

/* --- words --- */

static const struct command *command_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_equal(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* Options that some other command has, by the place in their table. */
static int check_options(const struct command *c, uint64_t given)
{
	for (unsigned i = 0; i < COMMAND_OPTIONS; i++) {
		char padded[32];

		snprintf(padded, sizeof(padded), " %s ", long_options[i].name);
		if ((given >> i & 1) != 0 && strstr(c->options, padded) == NULL)
			return misuse("%s takes no --%s", c->name, long_options[i].name);
	}
	return 0;
}

static int take_config_words(struct request *r, int *at, int argc, char **argv)
{
	const char *what = *at < argc ? argv[(*at)++] : "";

	if (str_equal(what, "show"))
		return 0;
	if (!str_equal(what, "check"))
		return misuse("config wants show or check");
	r->command = "config-check";
	if (*at < argc)
		r->file = argv[(*at)++];
	return 0;
}

/* The daemon checks everything that it is configured for. */
static int check_preflight(const struct request *r)
{
	if (r->role)
		return 0;
	if (r->file != NULL || json_object_get(r->arguments, "scope") != NULL)
		return misuse("preflight takes --config and --scope with --role only");
	return 0;
}

static int take_words(struct request *r, int argc, char **argv, uint64_t given)
{
	const struct command *c;
	int at = optind, error = 0;

	if (at >= argc)
		return misuse("a command is missing");
	c = command_of(argv[at++]);
	if (c == NULL && str_equal(argv[optind], "help")) {
		fputs(usage, stdout);
		return 1;
	}
	if (c == NULL)
		return unknown_command(argv[optind]);
	r->command = c->name;
	if (c->words != WORDS_NONE && at < argc)
		error = take_text(r, "target", argv[at++]);
	else if (c->words == WORDS_MUST)
		error = misuse("%s wants the name of what it is about", c->name);
	if (error == 0 && str_equal(c->name, "config"))
		error = take_config_words(r, &at, argc, argv);
	if (error == 0 && at < argc)
		error = misuse("%s: unexpected argument \"%s\"", c->name, argv[at]);
	if (error == 0)
		error = check_options(c, given);
	/* A file is whole. */
	if (r->output == OUTPUT_CSV && r->limit == 0)
		r->limit = LIMIT_MOST;
	return error == 0 && str_equal(c->name, "preflight") ? check_preflight(r) : error;
}

int request_read(int argc, char **argv, struct request *ret)
{
	struct request *r = ret;
	int option, index = 0, status;
	uint64_t given = 0;

	*r = (struct request){.socket = getenv(SOCKET_VARIABLE), .arguments = json_object()};
	if (str_empty(r->socket))
		r->socket = SOCKET_PATH;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":s:o:n:h", long_options, &index)) != -1) {
		/* Of short options only -n is in the table of the commands'. */
		while (option == 'n' && !str_equal(long_options[index].name, "limit"))
			index = (index + 1) % COMMAND_OPTIONS;
		if (option != '?' && option != ':' && (option >= OPTION_TEXT || option == 'n') &&
			index < COMMAND_OPTIONS)
			given |= UINT64_C(1) << index;
		status = take_option(r, option, long_options[index].name, argv);
		if (status != 0)
			return status;
	}
	return take_words(r, argc, argv, given);
}

void request_fini(struct request *r)
{
	json_decref(r->arguments);
	r->arguments = NULL;
}
