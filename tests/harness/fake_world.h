/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_world: a struct world of fakes: virtual time, a scripted transport, files in memory, seeded
 * random numbers, a log that is captured, children and an environment that tests set. Without
 * notify and store.
 */
#ifndef MDC_TEST_FAKE_WORLD_H
#define MDC_TEST_FAKE_WORLD_H

#include "daemon/world.h"
#include "tests/harness/fake_children.h"
#include "tests/harness/fake_transport.h"
#include "tests/harness/log_capture.h"
#include "tests/harness/loop_virtual.h"
#include "tests/harness/memory_files.h"
#include "tests/harness/seeded_random.h"

struct fake_world {
	struct world world;
	struct log_capture *capture;
};

/* Begins on 2026-11-24 at 14:00 UTC. */
void fake_world_init(struct fake_world *w, uint64_t seed);
void fake_world_fini(struct fake_world *w);
/* A variable of the environment of all fake worlds until the next fake_world_init(); NULL unsets.
 * Up to 8; both texts are borrowed. */
void fake_environment_set(const char *name, const char *value);

#endif
