/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/fake_world.h"

#define START INT64_C(1795528800000)

void fake_world_init(struct fake_world *w, uint64_t seed)
{
	struct loop *l = loop_virtual_new((struct wall){START});

	*w = (struct fake_world){.capture = log_capture_new()};
	w->world.loop = l;
	w->world.transport = fake_transport_new(l);
	w->world.log = log_new(log_capture_sink(w->capture), false);
	w->world.secrets = memory_files_new();
	w->world.random = seeded_random_new(seed);
}

void fake_world_fini(struct fake_world *w)
{
	w->world.transport = w->world.transport->ops->free(w->world.transport);
	w->world.log = log_free(w->world.log);
	w->world.secrets = memory_files_free(w->world.secrets);
	w->world.random = seeded_random_free(w->world.random);
	w->world.loop = w->world.loop->ops->free(w->world.loop);
	w->capture = log_capture_free(w->capture);
}
