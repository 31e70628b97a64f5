/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_estate: transport.h over an estate in the same process, in virtual time.
 *
 * A request takes a moment to the estate, which handles it then; the answer arrives after the delay
 * that the estate says, unless the connection hangs (the transport's time-out ends that), breaks,
 * is cut or was never accepted. Requests on the way when the plug is pulled are lost or end by the
 * time-out; later ones find no name.
 *
 * Each request is three events: it was started, it was handled by the estate, its answer was
 * delivered. The transport can be frozen at the n-th of them: from that moment on nothing passes in
 * either direction, so that a crash happens exactly there.
 */
#ifndef MDC_TEST_TRANSPORT_ESTATE_H
#define MDC_TEST_TRANSPORT_ESTATE_H

#include "daemon/transport.h"
#include "tests/estate/estate.h"

/* Borrows the estate. `options` as for transport_curl_new(). */
struct transport *transport_estate_new(
	struct loop *l, struct estate *e, const struct transport_options *options);

void transport_estate_unplug(struct transport *t);
void transport_estate_plug(struct transport *t);

enum transport_event { TRANSPORT_STARTED, TRANSPORT_HANDLED, TRANSPORT_DELIVERED };
/* Events so far. */
uint64_t transport_estate_events(const struct transport *t);
/* At the n-th event from now on (1 is the next; 0: never) it freezes, and calls `frozen`. */
typedef void (*transport_frozen_fn)(void *ctx, enum transport_event event);
void transport_estate_freeze_at(
	struct transport *t, uint64_t n, transport_frozen_fn frozen, void *ctx);
/* At once. */
void transport_estate_freeze(struct transport *t);
/* After a crash, when all transfers of the one who crashed are gone. */
void transport_estate_thaw(struct transport *t);

/* A write that reached the estate. Texts live as long as the transport. */
struct transport_write {
	struct wall at;
	char *method;
	char *path; /* without the query */
	char *body;
	int status; /* the estate's answer, be it delivered or not; 0: none */
};
/* PUT, PATCH, DELETE, and POST to what is not a query. */
size_t transport_estate_write_count(const struct transport *t);
const struct transport_write *transport_estate_write(const struct transport *t, size_t i);
/* Requests of that method whose URL holds `part` (either NULL: any) that reached the estate. */
uint64_t transport_estate_count(const struct transport *t, const char *method, const char *part);
/* The longest that any request was under way. */
struct dur transport_estate_longest(const struct transport *t);

#endif
