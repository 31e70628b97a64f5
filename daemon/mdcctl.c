/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/mdcctl.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_PATH "/run/mdcd/control.sock"
#define SOCKET_VARIABLE "MDCCTL_SOCKET"
#define ANSWER_MOST (256u << 20)
#define EXIT_ERROR 1

static const char usage[] =
	"Usage: mdcctl [--socket PATH] [--json] COMMAND\n"
	"\n"
	"Look:\n"
	"  status                         what the daemon does and how far it is\n"
	"  plan [--scope S]               what it would correct, and what holds it back;\n"
	"                                 exits 0 (nothing), 2 (changes), 1 (error)\n"
	"  explain MACHINE|SUBSCRIPTION   everything about one resource\n"
	"  list [--state S] [--control C] [--scope S] [--subscription S] [--limit N]\n"
	"  history [RESOURCE] [--limit N] the latest transitions\n"
	"  config show                    the configuration in force\n"
	"  config check [FILE]            test a configuration (mdcd --check)\n"
	"\n"
	"Change:\n"
	"  reconcile [RESOURCE]           observe now; graces and backoffs are over\n"
	"  pause TARGET [--reason R]      no writes for a scope, a resource, or \"*\"\n"
	"  resume TARGET\n"
	"  halt [--reason R]              no writes at all, until unhalt\n"
	"  unhalt\n"
	"  confirm                        allow what waits for confirmation\n"
	"  reload                         read the configuration anew\n"
	"\n"
	"  --socket PATH   (" SOCKET_PATH ", or the variable " SOCKET_VARIABLE ")\n"
	"  --json          the answer for programs\n";

struct request {
	const char *socket;
	bool json;
	const char *command;
	json_t *arguments;
};

/* Which commands take one word, under which name. */
static const struct {
	const char *command, *word;
	bool needed;
} words[] = {
	{"explain", "target", true},
	{"history", "target", false},
	{"reconcile", "target", false},
	{"pause", "target", true},
	{"resume", "target", true},
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},
	{"scope", required_argument, NULL, 0},
	{"state", required_argument, NULL, 0},
	{"control", required_argument, NULL, 0},
	{"subscription", required_argument, NULL, 0},
	{"reason", required_argument, NULL, 0},
	{"limit", required_argument, NULL, 'n'},
	{0},
};

static int misuse(const char *what, const char *value)
{
	fprintf(stderr, "mdcctl: %s%s\nTry 'mdcctl --help'.\n", what, value);
	return -EINVAL;
}

static int take_option(struct request *r, int option, int index)
{
	uint64_t n;

	switch (option) {
	case 's': r->socket = optarg; return 0;
	case 'j': r->json = true; return 0;
	case 'h': fputs(usage, stdout); return 1;
	case 'v': puts("mdcctl " MDC_VERSION); return 1;
	case 'n':
		if (str_parse_u64(optarg, 1000000, &n) != 0 || n == 0)
			return misuse("--limit wants a number up to 1000000, not ", optarg);
		json_object_set_new(r->arguments, "limit", json_integer((json_int_t)n));
		return 0;
	case 0:
		json_object_set_new(r->arguments, long_options[index].name, json_string(optarg));
		return 0;
	default: fputs("Try 'mdcctl --help'.\n", stderr); return -EINVAL;
	}
}

static int take_words(struct request *r, int argc, char **argv)
{
	if (optind >= argc)
		return misuse("a command is missing", "");
	r->command = argv[optind++];
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!str_equal(r->command, words[i].command))
			continue;
		if (optind < argc)
			json_object_set_new(
				r->arguments, words[i].word, json_string(argv[optind++]));
		else if (words[i].needed)
			return misuse(r->command, " wants the name of a resource");
	}
	if (str_equal(r->command, "config")) {
		if (optind >= argc || !str_equal(argv[optind], "show"))
			return misuse("config wants show or check", "");
		optind++;
	}
	return optind < argc ? misuse("unexpected argument ", argv[optind]) : 0;
}

static int read_command_line(int argc, char **argv, struct request *r)
{
	int option, index = 0, status;

	r->socket = getenv(SOCKET_VARIABLE);
	if (str_empty(r->socket))
		r->socket = SOCKET_PATH;
	r->arguments = json_object();
	while ((option = getopt_long(argc, argv, "s:jhn:", long_options, &index)) != -1) {
		status = take_option(r, option, index);
		if (status != 0)
			return status;
	}
	return take_words(r, argc, argv);
}

/* `config check` needs no daemon: the daemon's own binary tests the file. */
static int check_config(int argc, char **argv)
{
	const char *file = argc > 3 ? argv[3] : NULL;
	const char *slash = strrchr(argv[0], '/');
	mdc_autofree char *path = slash != NULL
		? xasprintf("%.*s/mdcd", (int)(slash - argv[0]), argv[0])
		: xstrdup("mdcd");

	if (file != NULL)
		execlp(path, "mdcd", "--check", "--config", file, (char *)NULL);
	else
		execlp(path, "mdcd", "--check", (char *)NULL);
	fprintf(stderr, "mdcctl: %s: %s\n", path, strerror(errno));
	return EXIT_ERROR;
}

/* --- asking --- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (!str_copy(address.sun_path, sizeof(address.sun_path), path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int send_line(int fd, const struct request *r)
{
	mdc_autofree char *text = NULL;
	json_t *line = json_pack("{s:s, s:O}", "command", r->command, "arguments", r->arguments);
	size_t len, sent = 0;

	text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	len = strlen(text);
	text[len++] = '\n'; /* over the NUL: only the length counts from here */
	while (sent < len) {
		ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			return -errno;
		sent += (size_t)n;
	}
	return 0;
}

static int read_line(int fd, struct buf *ret)
{
	char chunk[65536];

	for (;;) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		if (buf_add(ret, chunk, (size_t)n) != 0)
			return -EFBIG;
		if (chunk[n - 1] == '\n')
			return 0;
	}
}

static json_t *ask(const struct request *r, int *ret_error)
{
	struct buf answer = BUF_INIT(ANSWER_MOST);
	json_t *document = NULL;
	int fd = connect_to(r->socket);

	*ret_error = fd < 0 ? fd : send_line(fd, r);
	if (*ret_error == 0)
		*ret_error = read_line(fd, &answer);
	if (fd >= 0)
		close(fd);
	if (*ret_error == 0)
		document = json_loadb(answer.data, answer.len, 0, NULL);
	buf_fini(&answer);
	if (*ret_error == 0 && document == NULL)
		*ret_error = -EBADMSG;
	return document;
}

static int show_refusal(const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *unblock = json_string_value(json_object_get(error, "unblock"));

	fprintf(stderr, "mdcctl: %s\n", message != NULL ? message : "refused");
	if (!str_empty(unblock))
		fprintf(stderr, "mdcctl: what helps: %s\n", unblock);
	return EXIT_ERROR;
}

static int show_json(const char *command, const json_t *result)
{
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
	/* The exit status of a plan is for programs, too. */
	if (str_equal(command, "plan"))
		return json_integer_value(json_object_get(result, "total")) > 0 ? 2 : 0;
	return 0;
}

static int run(const struct request *r)
{
	int error, status;
	json_t *answer = ask(r, &error);
	const json_t *result = json_object_get(answer, "result");

	if (answer == NULL) {
		fprintf(stderr, "mdcctl: %s: %s%s\n", r->socket,
			error == -EBADMSG ? "not an answer of mdcd" : strerror(-error),
			error == -ECONNREFUSED || error == -ENOENT ? " (is mdcd running?)" : "");
		return EXIT_ERROR;
	}
	if (!json_is_true(json_object_get(answer, "ok")) || result == NULL)
		status = show_refusal(answer);
	else if (r->json)
		status = show_json(r->command, result);
	else
		status = show_answer(r->command, result);
	json_decref(answer);
	return status;
}

int main(int argc, char **argv)
{
	struct request r = {0};
	int status;

	if (argc > 2 && str_equal(argv[1], "config") && str_equal(argv[2], "check"))
		return check_config(argc, argv);
	status = read_command_line(argc, argv, &r);
	if (status == 0)
		status = run(&r);
	else
		status = status > 0 ? 0 : EXIT_ERROR;
	json_decref(r.arguments);
	return status;
}
