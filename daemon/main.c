/* SPDX-License-Identifier: Apache-2.0 */
/* mdcd: reads the command line and the configuration, makes the real world, runs the daemon. */
#include "daemon/daemon.h"
#include "daemon/json_memory.h"
#include "daemon/once.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/engine/permission.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_PATH "/etc/mdcd/mdcd.conf"
#define ONCE_LIMIT DUR_H(1)

static const char usage[] =
	"Usage: mdcd [OPTION]...\n"
	"Keeps servers protected by Microsoft Defender for Cloud.\n"
	"\n"
	"  -c, --config FILE     configuration (" CONFIG_PATH ")\n"
	"      --check           test the configuration and exit: 0 good, 78 not\n"
	"      --role            print the smallest custom role for Azure as JSON and exit\n"
	"      --scope NAME      with --role: of that scope only\n"
	"      --once            one pass in the foreground: 0 in sync, 1 error, 2 drift remains\n"
	"      --timeout TIME    how long --once waits for its corrections (1h)\n"
	"      --yes             with --once: write also where confirmation is needed\n"
	"      --log WHERE       journal or stderr, over the configuration\n"
	"  -v, --verbose         log more\n"
	"  -h, --help            this text\n"
	"      --version         the version\n"
	"\n"
	"Signals: HUP reloads the configuration, USR1 observes everything now, TERM stops.\n";

struct command_line {
	struct daemon_options options;
	bool check;
	bool role;
	const char *scope; /* of `role`; NULL: all */
	bool verbose;
	const char *log; /* NULL: as configured */
};

enum {
	OPTION_CHECK = 256,
	OPTION_ROLE,
	OPTION_SCOPE,
	OPTION_ONCE,
	OPTION_TIMEOUT,
	OPTION_YES,
	OPTION_LOG,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"role", no_argument, NULL, OPTION_ROLE},
	{"scope", required_argument, NULL, OPTION_SCOPE},
	{"once", no_argument, NULL, OPTION_ONCE},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"yes", no_argument, NULL, OPTION_YES},
	{"log", required_argument, NULL, OPTION_LOG},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static int misuse(const char *what, const char *value)
{
	fprintf(stderr, "mdcd: %s%s\nTry 'mdcd --help'.\n", what, value);
	return -EINVAL;
}

static int take_option(struct command_line *line, int option)
{
	switch (option) {
	case 'c': line->options.config_path = optarg; return 0;
	case OPTION_CHECK: line->check = true; return 0;
	case OPTION_ROLE: line->role = true; return 0;
	case OPTION_SCOPE: line->scope = optarg; return 0;
	case OPTION_ONCE: line->options.once = true; return 0;
	case OPTION_TIMEOUT:
		if (str_parse_duration(optarg, &line->options.once_limit) != 0)
			return misuse("--timeout wants a time such as 30m, not ", optarg);
		return 0;
	case OPTION_YES: line->options.yes = true; return 0;
	case OPTION_LOG:
		if (!str_equal(optarg, "journal") && !str_equal(optarg, "stderr"))
			return misuse("--log wants journal or stderr, not ", optarg);
		line->log = optarg;
		return 0;
	case 'v': line->verbose = true; return 0;
	case 'h': fputs(usage, stdout); return 1;
	case OPTION_VERSION: puts("mdcd " MDC_VERSION); return 1;
	default: fputs("Try 'mdcd --help'.\n", stderr); return -EINVAL;
	}
}

/* 0 to go on, 1 when all is said, -EINVAL. */
static int read_command_line(int argc, char **argv, struct command_line *ret)
{
	int option, status;

	*ret = (struct command_line){
		.options = {.config_path = CONFIG_PATH, .once_limit = ONCE_LIMIT}};
	while ((option = getopt_long(argc, argv, "c:vh", long_options, NULL)) != -1) {
		status = take_option(ret, option);
		if (status != 0)
			return status;
	}
	if (optind < argc)
		return misuse("unexpected argument ", argv[optind]);
	if (ret->check + ret->options.once + ret->role > 1)
		return misuse("--check, --role and --once exclude each other", "");
	if (ret->scope != NULL && !ret->role)
		return misuse("--scope belongs to --role", "");
	if (ret->options.yes && !ret->options.once)
		return misuse("--yes belongs to --once; a running daemon is asked with ",
			"'mdcctl confirm'");
	return 0;
}

static const char *environment(const char *name)
{
	return getenv(name);
}

/* --- telling what is wrong --- */

static void print_diags(const struct diags *diags)
{
	struct buf text = BUF_INIT(1 << 20);

	diags_render(diags, &text);
	fputs(buf_str(&text), stderr);
	buf_fini(&text);
}

static void log_diags(struct log *log, enum log_message kind, const struct diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *one = &diags->v[i];
		struct log_entry *e = log_begin(log, kind);

		log_priority(e, one->level == DIAG_ERROR ? LOG_ERR : LOG_WARNING);
		log_add(e, "CODE_FILE", one->file);
		if (one->line > 0)
			log_addf(e, "CODE_LINE", "%u", one->line);
		if (one->file != NULL && one->line > 0)
			log_commit(e, 0, "%s:%u: %s", one->file, one->line, one->text);
		else
			log_commit(e, 0, "%s%s%s", one->file != NULL ? one->file : "",
				one->file != NULL ? ": " : "", one->text);
	}
}

/* A service has nobody who reads its stderr: there it is an entry like any other. */
static void tell_invalid(const struct command_line *line, const struct diags *diags)
{
	struct log *log;

	if (line->check || line->role || line->options.once || !log_stderr_is_journal()) {
		print_diags(diags);
		fprintf(stderr, "mdcd: %s is not a valid configuration\n",
			line->options.config_path);
		return;
	}
	log = log_new(log_sink_journal(), true);
	log_diags(log, LOG_CONFIG_INVALID_MESSAGE, diags);
	log_free(log);
}

static bool logs_to_journal(const struct command_line *line, const struct config *c)
{
	if (line->log != NULL)
		return str_equal(line->log, "journal");
	return c->log_to_journal && !line->options.once;
}

/* --- running --- */

static void world_init(struct world *w, struct log_sink *sink)
{
	static const struct transport_options transport = {
		.connect_timeout = DUR_S(10),
		.timeout = DUR_S(120),
		.reply_cap = 20u << 20,
		.environment = environment,
	};

	w->loop = loop_ev_new();
	w->transport = transport_curl_new(w->loop, &transport);
	w->log = log_new(sink, true);
	w->notify = notify_systemd_new();
	w->secrets = secret_files_system();
	w->random = random_source_system();
	w->children = child_processes_system(w->loop);
	w->store_threaded = true;
	w->environment = environment;
}

static void world_fini(struct world *w)
{
	child_processes_system_free(w->children);
	w->transport->ops->free(w->transport);
	w->notify->free(w->notify);
	log_free(w->log);
	w->loop->ops->free(w->loop);
}

/* A reload that is asked for during the start comes right after it, and does not end us. */
static void hold_signals(int how)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(how, &signals, NULL);
}

static int run_daemon(struct daemon *d)
{
	struct buf summary = BUF_INIT(1 << 20);
	int status;

	daemon_start(d);
	hold_signals(SIG_UNBLOCK);
	d->world->loop->ops->run(d->world->loop);
	status = d->exit_status;
	if (d->options.once) {
		once_summary(d, &summary);
		fputs(buf_str(&summary), stdout);
	}
	buf_fini(&summary);
	daemon_free(d);
	return status;
}

static void tell_where_the_log_is(bool to_journal)
{
	if (to_journal && isatty(STDERR_FILENO) == 1)
		fputs("mdcd: the log goes to the journal: journalctl -f -t mdcd (here with --log "
		      "stderr)\n",
			stderr);
}

/* `diags` are the warnings about the configuration. */
static int run(const struct command_line *line, struct config *take_config, struct diags *diags)
{
	bool to_journal = logs_to_journal(line, take_config);
	struct world w = {0};
	struct daemon *d = NULL;
	int status = EXIT_ERROR;

	hold_signals(SIG_BLOCK);
	world_init(&w, to_journal ? log_sink_journal() : log_sink_stderr());
	if (line->verbose)
		log_set_level(w.log, LOG_DEBUG);
	tell_where_the_log_is(to_journal);
	log_diags(w.log, LOG_CONFIG_DOUBTFUL_MESSAGE, diags);
	diags_fini(diags);
	*diags = DIAGS_INIT;
	if (daemon_new(&w, &line->options, take_config, diags, &d) == 0) {
		status = run_daemon(d);
	} else {
		log_diags(w.log, LOG_NOT_STARTED_MESSAGE, diags);
		if (to_journal && !log_stderr_is_journal())
			print_diags(diags);
	}
	world_fini(&w);
	return status;
}

static int check(const struct command_line *line, const struct config *c, const struct diags *diags)
{
	print_diags(diags);
	printf("%s: good, %zu scope%s%s\n", line->options.config_path, c->scope_count,
		c->scope_count == 1 ? "" : "s", diags->warnings > 0 ? ", with warnings" : "");
	return 0;
}

static const struct scope_config *scope_named(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->scope_count; i++)
		if (str_equal_nocase(c->scopes[i].name, name))
			return &c->scopes[i];
	return NULL;
}

static int print_role(const struct command_line *line, const struct config *c, struct diags *diags)
{
	const struct scope_config *only = scope_named(c, line->scope);
	json_t *role;

	if (line->scope != NULL && only == NULL) {
		fprintf(stderr, "mdcd: %s has no scope \"%s\"\n", line->options.config_path,
			line->scope);
		return EXIT_ERROR;
	}
	role = permission_custom_role(c, only, diags);
	print_diags(diags);
	if (role == NULL)
		return EXIT_ERROR;
	json_dumpf(role, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(role);
	return fflush(stdout) == 0 ? 0 : EXIT_ERROR;
}

static int start(const struct command_line *line, struct diags *diags)
{
	struct config *config = NULL;
	int status;

	if (config_files_load(line->options.config_path, environment, diags, &config) != 0) {
		tell_invalid(line, diags);
		return EXIT_CONFIG;
	}
	if (!line->check && !line->role)
		return run(line, config, diags);
	status = line->role ? print_role(line, config, diags) : check(line, config, diags);
	config_free(config);
	return status;
}

int main(int argc, char **argv)
{
	struct command_line line;
	struct diags diags = DIAGS_INIT;
	int status = read_command_line(argc, argv, &line);

	if (status != 0)
		return status > 0 ? 0 : EXIT_ERROR;
	json_memory_init();
	status = start(&line, &diags);
	diags_fini(&diags);
	return status;
}
