/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim_options: the command line of azsim. Everything is checked here for its form; files and
 * addresses are opened by those who use them.
 */
#ifndef MDC_TEST_AZSIM_OPTIONS_H
#define MDC_TEST_AZSIM_OPTIONS_H

#include "lib/base/base.h"

/* "HOST:PORT" taken apart; IPv6 addresses come in brackets and are kept without. */
struct azsim_address {
	char *host;
	unsigned port; /* 0: any free one */
};

struct azsim_options {
	struct azsim_address listen;
	struct azsim_address login_listen; /* host NULL: one port for both services */
	struct azsim_address imds_listen;  /* host NULL: no such service */
	struct azsim_address himds_listen;
	char *himds_keys; /* folder; NULL: the agent's own */
	char *arm_host;   /* as clients name it, or NULL */
	char *login_host;
	char *tls_dir;
	char **tls_names; /* further names for the certificate */
	size_t tls_name_count;
	char *estate_file; /* one of these two */
	char *generate;
	uint64_t seed;
	double time_scale;
	char *faults_file; /* the rest may be NULL */
	char *request_log;
	char *traffic_log;
	char *verdict_file;
	char *ready_file;
};

enum azsim_intent {
	AZSIM_RUN,
	AZSIM_DONE,    /* --help or --version was printed */
	AZSIM_MISUSED, /* said so on stderr */
};

/* Fills `ret` in any case; give it to azsim_options_fini(). */
enum azsim_intent azsim_options_parse(int argc, char **argv, struct azsim_options *ret);
void azsim_options_fini(struct azsim_options *o);

#endif
