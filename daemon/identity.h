/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity: one identity of a configuration with its cloud, copied out of it and counted, so that
 * what runs under it may outlive a reload.
 */
#ifndef MDCD_IDENTITY_H
#define MDCD_IDENTITY_H

#include "daemon/transport.h"
#include "lib/base/map.h"
#include "lib/model/config.h"

struct identity {
	struct identity_config config; /* `cloud` points to the one here */
	struct cloud_config cloud;
	unsigned held;
};

/* Held once. */
struct identity *identity_new(const struct identity_config *config);
struct identity *identity_hold(struct identity *id);
/* Gives one hold back; the last one frees. Returns NULL. */
struct identity *identity_drop(struct identity *id);
/* How requests under it leave this machine; borrows its texts. */
struct transport_route identity_route(const struct identity *id);
/* True when nothing that signing in or sending depends on differs. */
bool identity_same(const struct identity *id, const struct identity_config *config);

/* name -> struct identity, each held by the map. */
void identity_map_init(struct map *m);
/*
 * Brings the map to that configuration: same ones stay the same pointer, others are replaced, those
 * that vanished are removed.
 */
void identity_map_configure(struct map *m, const struct config *config);

#endif
