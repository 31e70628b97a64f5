/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_options.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_SCALE_MAX 100000.0
#define TLS_NAMES_MAX 100

static const char help[] =
	"Usage: azsim --tls-dir DIR (--estate FILE | --generate SPEC) [OPTION...]\n"
	"\n"
	"A simulated Azure on this host: Azure Resource Manager, Resource Graph and the token\n"
	"endpoint over HTTPS, with subscriptions and machines that move by themselves. It refuses\n"
	"what Azure refuses, fails as told, and says at its end how a client behaved.\n"
	"\n"
	"The estate:\n"
	"  --estate FILE         read the estate from a JSON document\n"
	"  --generate SPEC       make an estate from a short specification: NAME=VALUE, separated\n"
	"                        by commas; values are numbers or shares of the machines, as in\n"
	"                        \"subscriptions=3,machines=300,legacy=20%,disconnected=10%\".\n"
	"                        A name that is not known is refused. The same SPEC and seed\n"
	"                        give the same estate\n"
	"  --seed N              for everything that is drawn by chance (default 1)\n"
	"  --time-scale X        let the estate's time run X times as fast (default 1). Tokens\n"
	"                        and certificates of clients are judged by the estate's time\n"
	"  --faults FILE         faults by script, a JSON document; read again on SIGHUP\n"
	"\n"
	"Addresses:\n"
	"  --listen HOST:PORT    where to listen (default localhost:8443, IPv4 and IPv6); port 0\n"
	"                        takes a free one; [::1]:8443 for an IPv6 address\n"
	"  --login-listen HOST:PORT\n"
	"                        a second port for the token endpoint alone\n"
	"  --imds-listen HOST:PORT, --himds-listen HOST:PORT\n"
	"                        plain HTTP ports for the metadata services of an Azure VM and of\n"
	"                        the Arc agent, for principals that are \"managed\"\n"
	"  --himds-keys DIR      where the Arc agent puts its keys (default\n"
	"                        /var/opt/azcmagent/tokens, which it names in any case)\n"
	"  --arm-host NAME[:PORT], --login-host NAME[:PORT]\n"
	"                        what clients call the two services, where it is not the address\n"
	"                        listened on. Links in answers and the audience of assertions\n"
	"                        are built from these; a request for any other host gets a 421\n"
	"                        The API of Defender for Endpoint is under /api/ of the first.\n"
	"                        With one port, the token endpoint is 127.0.0.1 where Resource\n"
	"                        Manager is localhost, and localhost otherwise; paths of the\n"
	"                        token endpoint are understood under both names, except that\n"
	"                        signed assertions must be made out to its own name\n"
	"\n"
	"TLS:\n"
	"  --tls-dir DIR         the test authority and the server's certificate. Made on the\n"
	"                        first start, used again while valid: ca.pem is for clients to\n"
	"                        trust; ca-key.pem, server.pem and server-key.pem\n"
	"  --tls-name NAME       a further name or address for the certificate; may be repeated.\n"
	"                        localhost, 127.0.0.1, ::1 and all names above are always there\n"
	"\n"
	"What it tells:\n"
	"  --ready-file FILE     written once requests are served: AZSIM_ARM, AZSIM_LOGIN,\n"
	"                        AZSIM_CA and AZSIM_PID, to be read by a shell; AZSIM_IMDS and\n"
	"                        AZSIM_HIMDS where they are served\n"
	"  --request-log FILE    one JSON object for each request: when, what, the answer and its\n"
	"                        delay. No bodies, tokens or signed parts of URLs\n"
	"  --traffic-log FILE    one JSON object for each request to Resource Manager and its\n"
	"                        answer, whole, in the form that Microsoft's validator oav reads.\n"
	"                        Secrets are replaced by others of the same type\n"
	"  --verdict FILE        the ledger as JSON, written at the end\n"
	"  --help, --version     say that and exit\n"
	"\n"
	"\"azsim: ready URL\" on standard output tells that requests are served. SIGUSR1 prints "
	"the\n"
	"verdict so far. SIGTERM or SIGINT prints it and ends azsim.\n"
	"\n"
	"Exit status: 0 when no request was refused, forbidden or repeated; 3 when one was; 2 for "
	"a\n"
	"wrong command line; 1 for any other trouble.\n";

static void print_help(void)
{
	struct buf names = BUF_INIT(64 * 1024);

	fputs(help, stdout);
	if (estate_spec_help(&names) == 0)
		printf("\nNames in SPEC:\n%s", buf_str(&names));
	buf_fini(&names);
}

enum option_key {
	KEY_ESTATE = 256,
	KEY_GENERATE,
	KEY_SEED,
	KEY_TIME_SCALE,
	KEY_FAULTS,
	KEY_LISTEN,
	KEY_LOGIN_LISTEN,
	KEY_IMDS_LISTEN,
	KEY_HIMDS_LISTEN,
	KEY_HIMDS_KEYS,
	KEY_ARM_HOST,
	KEY_LOGIN_HOST,
	KEY_TLS_DIR,
	KEY_TLS_NAME,
	KEY_READY_FILE,
	KEY_REQUEST_LOG,
	KEY_TRAFFIC_LOG,
	KEY_VERDICT,
	KEY_HELP,
	KEY_VERSION,
};

static const struct option long_options[] = {
	{"estate", required_argument, NULL, KEY_ESTATE},
	{"generate", required_argument, NULL, KEY_GENERATE},
	{"seed", required_argument, NULL, KEY_SEED},
	{"time-scale", required_argument, NULL, KEY_TIME_SCALE},
	{"faults", required_argument, NULL, KEY_FAULTS},
	{"listen", required_argument, NULL, KEY_LISTEN},
	{"login-listen", required_argument, NULL, KEY_LOGIN_LISTEN},
	{"imds-listen", required_argument, NULL, KEY_IMDS_LISTEN},
	{"himds-listen", required_argument, NULL, KEY_HIMDS_LISTEN},
	{"himds-keys", required_argument, NULL, KEY_HIMDS_KEYS},
	{"arm-host", required_argument, NULL, KEY_ARM_HOST},
	{"login-host", required_argument, NULL, KEY_LOGIN_HOST},
	{"tls-dir", required_argument, NULL, KEY_TLS_DIR},
	{"tls-name", required_argument, NULL, KEY_TLS_NAME},
	{"ready-file", required_argument, NULL, KEY_READY_FILE},
	{"request-log", required_argument, NULL, KEY_REQUEST_LOG},
	{"traffic-log", required_argument, NULL, KEY_TRAFFIC_LOG},
	{"verdict", required_argument, NULL, KEY_VERDICT},
	{"help", no_argument, NULL, KEY_HELP},
	{"version", no_argument, NULL, KEY_VERSION},
	{NULL, 0, NULL, 0},
};

static bool complain(const char *option, const char *value, const char *want)
{
	fprintf(stderr, "azsim: --%s: \"%s\" is not %s\n", option, value, want);
	return false;
}

static bool take_text(char **slot, const char *value)
{
	free(*slot);
	*slot = xstrdup(value);
	return true;
}

static bool take_address(struct azsim_address *slot, const char *option, const char *value)
{
	const char *colon = strrchr(value, ':');
	const char *start = value + (*value == '[');
	const char *end = colon;
	uint64_t port;

	if (colon == NULL || str_parse_u64(colon + 1, 65535, &port) != 0)
		return complain(option, value, "HOST:PORT");
	if (*value == '[') {
		end = colon - 1;
		if (end <= start || *end != ']')
			return complain(option, value, "[ADDRESS]:PORT");
	} else if (memchr(value, ':', (size_t)(colon - value)) != NULL) {
		return complain(option, value, "[ADDRESS]:PORT; an IPv6 address needs brackets");
	}
	if (end == start)
		return complain(option, value, "HOST:PORT");
	free(slot->host);
	slot->host = xstrndup(start, (size_t)(end - start));
	slot->port = (unsigned)port;
	return true;
}

static bool take_scale(double *slot, const char *value)
{
	char *end;
	double scale = strtod(value, &end);

	if (end == value || *end != '\0' || !isfinite(scale) || scale <= 0 ||
		scale > TIME_SCALE_MAX)
		return complain("time-scale", value, "a number above 0, up to 100000");
	*slot = scale;
	return true;
}

static bool take_name(struct azsim_options *o, const char *value)
{
	if (*value == '\0' || o->tls_name_count == TLS_NAMES_MAX)
		return complain("tls-name", value, "a name, or one too many");
	o->tls_names = xreallocarray(o->tls_names, o->tls_name_count + 1, sizeof(*o->tls_names));
	o->tls_names[o->tls_name_count++] = xstrdup(value);
	return true;
}

static bool take_option(struct azsim_options *o, enum option_key key, const char *value)
{
	switch (key) {
	case KEY_ESTATE: return take_text(&o->estate_file, value);
	case KEY_GENERATE: return take_text(&o->generate, value);
	case KEY_SEED:
		return str_parse_u64(value, UINT64_MAX, &o->seed) == 0 ||
			complain("seed", value, "a number from 0 to 2^64 - 1");
	case KEY_TIME_SCALE: return take_scale(&o->time_scale, value);
	case KEY_FAULTS: return take_text(&o->faults_file, value);
	case KEY_LISTEN: return take_address(&o->listen, "listen", value);
	case KEY_LOGIN_LISTEN: return take_address(&o->login_listen, "login-listen", value);
	case KEY_IMDS_LISTEN: return take_address(&o->imds_listen, "imds-listen", value);
	case KEY_HIMDS_LISTEN: return take_address(&o->himds_listen, "himds-listen", value);
	case KEY_HIMDS_KEYS: return take_text(&o->himds_keys, value);
	case KEY_ARM_HOST: return take_text(&o->arm_host, value);
	case KEY_LOGIN_HOST: return take_text(&o->login_host, value);
	case KEY_TLS_DIR: return take_text(&o->tls_dir, value);
	case KEY_TLS_NAME: return take_name(o, value);
	case KEY_READY_FILE: return take_text(&o->ready_file, value);
	case KEY_REQUEST_LOG: return take_text(&o->request_log, value);
	case KEY_TRAFFIC_LOG: return take_text(&o->traffic_log, value);
	case KEY_VERDICT: return take_text(&o->verdict_file, value);
	case KEY_HELP:
	case KEY_VERSION: break;
	}
	return false;
}

static bool is_complete(const struct azsim_options *o)
{
	const char *missing = NULL;

	if ((o->estate_file == NULL) == (o->generate == NULL))
		missing = "give either --estate FILE or --generate SPEC";
	else if (o->tls_dir == NULL)
		missing = "give --tls-dir DIR";
	if (missing != NULL)
		fprintf(stderr, "azsim: %s; see azsim --help\n", missing);
	return missing == NULL;
}

enum azsim_intent azsim_options_parse(int argc, char **argv, struct azsim_options *ret)
{
	int key;

	*ret = (struct azsim_options){
		.listen = {.host = xstrdup("localhost"), .port = 8443},
		.seed = 1,
		.time_scale = 1,
	};
	while ((key = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (key == KEY_HELP) {
			print_help();
			return AZSIM_DONE;
		}
		if (key == KEY_VERSION) {
			puts("azsim " MDC_VERSION);
			return AZSIM_DONE;
		}
		if (key == '?' || !take_option(ret, (enum option_key)key, optarg))
			return AZSIM_MISUSED;
	}
	if (optind < argc) {
		fprintf(stderr, "azsim: unexpected \"%s\"; see azsim --help\n", argv[optind]);
		return AZSIM_MISUSED;
	}
	return is_complete(ret) ? AZSIM_RUN : AZSIM_MISUSED;
}

void azsim_options_fini(struct azsim_options *o)
{
	free(o->listen.host);
	free(o->login_listen.host);
	free(o->imds_listen.host);
	free(o->himds_listen.host);
	free(o->himds_keys);
	free(o->arm_host);
	free(o->login_host);
	free(o->tls_dir);
	for (size_t i = 0; i < o->tls_name_count; i++)
		free(o->tls_names[i]);
	free(o->tls_names);
	free(o->estate_file);
	free(o->generate);
	free(o->faults_file);
	free(o->request_log);
	free(o->traffic_log);
	free(o->verdict_file);
	free(o->ready_file);
	*o = (struct azsim_options){0};
}
