/* SPDX-License-Identifier: Apache-2.0 */
/* mdcd: reads the command line and the configuration, makes the real world, runs the daemon. */
#include "daemon/daemon.h"
#include "daemon/json_memory.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <getopt.h>
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
	"      --once            one pass in the foreground: 0 in sync, 1 error, 2 drift remains\n"
	"      --timeout TIME    how long --once waits for its corrections (1h)\n"
	"      --log WHERE       journal or stderr, over the configuration\n"
	"  -v, --verbose         tell more\n"
	"  -h, --help            this text\n"
	"      --version         the version\n"
	"\n"
	"Signals: HUP reloads the configuration, USR1 observes everything now, TERM stops.\n";

struct command_line {
	struct daemon_options options;
	bool check;
	bool verbose;
	const char *log; /* NULL: as configured */
};

enum { OPTION_CHECK = 256, OPTION_ONCE, OPTION_TIMEOUT, OPTION_LOG, OPTION_VERSION };

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"once", no_argument, NULL, OPTION_ONCE},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
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
	case OPTION_ONCE: line->options.once = true; return 0;
	case OPTION_TIMEOUT:
		if (str_parse_duration(optarg, &line->options.once_limit) != 0)
			return misuse("--timeout wants a time such as 30m, not ", optarg);
		return 0;
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
	if (ret->check && ret->options.once)
		return misuse("--check and --once exclude each other", "");
	return 0;
}

static const char *environment(const char *name)
{
	return getenv(name);
}

static void print_diags(const struct diags *diags)
{
	struct buf text = BUF_INIT(1 << 20);

	diags_render(diags, &text);
	fputs(buf_str(&text), stderr);
	buf_fini(&text);
}

static bool logs_to_journal(const struct command_line *line, const struct config *c)
{
	if (line->log != NULL)
		return str_equal(line->log, "journal");
	return c->log_to_journal && !line->options.once;
}

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

static int run(const struct command_line *line, struct config *take_config)
{
	struct diags diags = DIAGS_INIT;
	struct world w = {0};
	struct daemon *d = NULL;
	int status = EXIT_ERROR;

	world_init(&w, logs_to_journal(line, take_config) ? log_sink_journal() : log_sink_stderr());
	if (line->verbose)
		log_set_level(w.log, LOG_DEBUG);
	if (daemon_new(&w, &line->options, take_config, &diags, &d) == 0) {
		daemon_start(d);
		w.loop->ops->run(w.loop);
		status = d->exit_status;
		daemon_free(d);
	}
	print_diags(&diags);
	diags_fini(&diags);
	world_fini(&w);
	return status;
}

int main(int argc, char **argv)
{
	struct command_line line;
	struct diags diags = DIAGS_INIT;
	struct config *config = NULL;
	int status = read_command_line(argc, argv, &line);

	if (status != 0)
		return status > 0 ? 0 : EXIT_ERROR;
	json_memory_init();
	status = config_files_load(line.options.config_path, environment, &diags, &config);
	print_diags(&diags);
	diags_fini(&diags);
	if (status != 0) {
		fprintf(stderr, "mdcd: %s is not a valid configuration\n",
			line.options.config_path);
		return EXIT_CONFIG;
	}
	if (line.check) {
		printf("%s: good, %zu scopes\n", line.options.config_path, config->scope_count);
		config_free(config);
		return 0;
	}
	return run(&line, config);
}
