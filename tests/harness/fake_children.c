/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/fake_children.h"

#include "lib/base/buf.h"
#include "lib/base/xalloc.h"

struct child_process {
	void (*done)(void *ctx, int exit_status, const char *output);
	void *ctx;
};

struct fake_children {
	struct child_processes base;
	struct child_process *running;
	char *command;
	unsigned started;
	bool cancelled;
	int refusal;
};

static struct fake_children *self(const struct child_processes *c)
{
	return container_of(c, struct fake_children, base);
}

static int run(
	struct child_processes *c, const struct child_order *order, struct child_process **ret)
{
	struct fake_children *f = self(c);
	struct buf command = BUF_INIT(1 << 16);

	for (size_t i = 0; order->argv[i] != NULL; i++)
		buf_addf(&command, "%s%s", i > 0 ? " " : "", order->argv[i]);
	free(f->command);
	f->command = buf_steal(&command);
	if (f->refusal != 0)
		return f->refusal;
	assert(f->running == NULL);
	f->started++;
	f->running = xcalloc(1, sizeof(*f->running));
	*f->running = (struct child_process){order->done, order->ctx};
	*ret = f->running;
	return 0;
}

static void cancel(struct child_processes *c, struct child_process *child)
{
	assert(self(c)->running == child);
	free(child);
	self(c)->running = NULL;
	self(c)->cancelled = true;
}

struct child_processes *fake_children_new(void)
{
	struct fake_children *f = xcalloc(1, sizeof(*f));

	f->base = (struct child_processes){.run = run, .cancel = cancel};
	return &f->base;
}

struct child_processes *fake_children_free(struct child_processes *c)
{
	if (c == NULL)
		return NULL;
	free(self(c)->running);
	free(self(c)->command);
	free(self(c));
	return NULL;
}

void fake_children_refuse(struct child_processes *c, int error)
{
	self(c)->refusal = error;
}

const char *fake_children_command(const struct child_processes *c)
{
	return self(c)->command != NULL ? self(c)->command : "";
}

unsigned fake_children_started(const struct child_processes *c)
{
	return self(c)->started;
}

bool fake_children_runs(const struct child_processes *c)
{
	return self(c)->running != NULL;
}

bool fake_children_was_cancelled(const struct child_processes *c)
{
	return self(c)->cancelled;
}

void fake_children_end(struct child_processes *c, int exit_status, const char *output)
{
	struct child_process ended = *self(c)->running;

	free(self(c)->running);
	self(c)->running = NULL;
	ended.done(ended.ctx, exit_status, output);
}
