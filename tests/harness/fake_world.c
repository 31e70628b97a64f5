/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/fake_world.h"

#include "lib/base/str.h"

#include <string.h>

#define START INT64_C(1795528800000)
#define VARIABLES_MAX 8

/* world.environment has no context, as getenv() has none. */
static struct {
	const char *name, *value;
} variables[VARIABLES_MAX];

static const char *environment(const char *name)
{
	for (size_t i = 0; i < VARIABLES_MAX && variables[i].name != NULL; i++)
		if (str_equal(variables[i].name, name))
			return variables[i].value;
	return NULL;
}

void fake_environment_set(const char *name, const char *value)
{
	size_t i = 0;

	while (i < VARIABLES_MAX && variables[i].name != NULL &&
		!str_equal(variables[i].name, name))
		i++;
	assert(i < VARIABLES_MAX);
	variables[i].name = name;
	variables[i].value = value;
}

void fake_world_init(struct fake_world *w, uint64_t seed)
{
	struct loop *l = loop_virtual_new((struct wall){START});

	memset(variables, 0, sizeof(variables));
	*w = (struct fake_world){.capture = log_capture_new()};
	w->world.loop = l;
	w->world.transport = fake_transport_new(l);
	w->world.log = log_new(log_capture_sink(w->capture), false);
	w->world.secrets = memory_files_new();
	w->world.random = seeded_random_new(seed);
	w->world.children = fake_children_new();
	w->world.environment = environment;
}

void fake_world_fini(struct fake_world *w)
{
	w->world.transport = w->world.transport->ops->free(w->world.transport);
	w->world.log = log_free(w->world.log);
	w->world.secrets = memory_files_free(w->world.secrets);
	w->world.random = seeded_random_free(w->world.random);
	w->world.children = fake_children_free(w->world.children);
	w->world.loop = w->world.loop->ops->free(w->world.loop);
	w->capture = log_capture_free(w->capture);
}
