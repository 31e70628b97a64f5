/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim_face: the HTTPS face of an estate, and the plain one of its metadata services.
 * libmicrohttpd without threads of its own, one daemon per listening socket, their epoll
 * descriptors in our loop; answers that come late are connections put to sleep.
 */
#ifndef MDC_TEST_AZSIM_FACE_H
#define MDC_TEST_AZSIM_FACE_H

#include "tests/estate/azsim_clock.h"
#include "tests/estate/azsim_lines.h"
#include "tests/estate/azsim_tls.h"
#include "tests/estate/estate.h"

#include <ev.h>

struct azsim_face;

/* All borrowed, except for the sockets that are added later. */
struct azsim_face_setup {
	struct ev_loop *loop;
	struct estate *estate;
	const struct azsim_clock *clock;
	struct azsim_lines *requests; /* these two may be NULL */
	struct azsim_lines *traffic;
	const struct azsim_tls *tls;
	const char *arm_host;
	const char *login_host;
	/* Paths of the token endpoint are understood on the ARM host, too. */
	bool one_port;
};

struct azsim_face *azsim_face_new(const struct azsim_face_setup *setup);
/*
 * Takes the socket, whatever the result. `base` is where requests on it are said to go, without TLS
 * then ("http://169.254.169.254", borrowed); NULL: https to the host that they name.
 */
int azsim_face_listen(struct azsim_face *face, int take_socket, const char *base) MDC_MUST_CHECK;
/* Breaks the connections that still wait for something. */
struct azsim_face *azsim_face_free(struct azsim_face *face);

#endif
