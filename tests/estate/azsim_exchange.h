/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azsim_exchange: one request from its first line to the last byte of its answer: it is put
 * together, given to the estate once, held for as long as the estate says, and answered, cut or
 * broken off.
 */
#ifndef MDC_TEST_AZSIM_EXCHANGE_H
#define MDC_TEST_AZSIM_EXCHANGE_H

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "tests/estate/azsim_face.h"

#include <microhttpd.h>

/* Larger requests get a 413 and never reach the estate. */
#define AZSIM_BODY_MAX (4 << 20)

/* What all exchanges of a face share. */
struct azsim_desk {
	struct azsim_face_setup setup;
	struct list held; /* exchanges whose connection sleeps */
	bool woken;       /* libmicrohttpd has to be run */
	bool closing;
};

/* One listening socket's view of it: the `cls` of its connections. */
struct azsim_door {
	struct azsim_desk *desk;
	const char *base; /* "http://169.254.169.254" for a plain one; NULL: https, as Host says */
};

void azsim_desk_init(struct azsim_desk *desk, const struct azsim_face_setup *setup);
/* Wakes those whose client has gone away, or (when closing) all; they break their connections. */
void azsim_desk_sweep(struct azsim_desk *desk);

/* The three callbacks of libmicrohttpd; `cls` is the door. */
void *azsim_exchange_begin(void *cls, const char *raw_url, struct MHD_Connection *connection);
enum MHD_Result azsim_exchange_step(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_len,
	void **exchange);
void azsim_exchange_end(void *cls, struct MHD_Connection *connection, void **exchange,
	enum MHD_RequestTerminationCode code);

#endif
