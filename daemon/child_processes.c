/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/world.h"

#include "lib/base/list.h"
#include "lib/base/xalloc.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define STDOUT_CAP_MAX ((size_t)16 << 20)
#define STDERR_KEPT 4096
#define LAST_WAIT_MS 1000

/* One end of a pipe, and what came out of it. */
struct stream {
	struct child_process *child;
	int fd;
	struct loop_io *io;
	char *data;
	size_t len;
	size_t cap;
	bool overflowed;
};

struct child_process {
	struct list node;
	struct child_processes_system *owner;
	pid_t pid;
	int pidfd;
	struct loop_io *exit;
	struct loop_timer *limit;
	struct stream out;
	struct stream err;
	int verdict; /* -ETIMEDOUT, -EFBIG: why we killed it */
	void (*done)(void *ctx, int exit_status, const char *output); /* NULL: cancelled */
	void *ctx;
};

struct child_processes_system {
	struct child_processes base;
	struct loop *loop;
	struct list running;
};

/* --- what it says --- */

static void stream_close(struct stream *s)
{
	if (s->io != NULL)
		s->io = s->child->owner->loop->ops->io_free(s->io);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void stream_fini(struct stream *s)
{
	stream_close(s);
	if (s->data != NULL)
		explicit_bzero(s->data, s->cap + 1);
	free(s->data);
	s->data = NULL;
}

/* Keeps the first `cap` bytes and reads on, so that the child is never held by a full pipe. */
static void stream_read(struct stream *s)
{
	char rest[4096];

	while (s->fd >= 0) {
		size_t room = s->cap - s->len;
		ssize_t n = read(
			s->fd, room > 0 ? s->data + s->len : rest, room > 0 ? room : sizeof(rest));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			stream_close(s);
			return;
		}
		if (room > 0)
			s->len += (size_t)n;
		else
			s->overflowed = true;
		if (s->overflowed)
			return;
	}
}

static void child_kill(struct child_process *c, int verdict)
{
	if (c->verdict == 0)
		c->verdict = verdict;
	kill(-c->pid, SIGKILL);
}

static void stream_event(void *ctx, int fd, bool readable, bool writable)
{
	struct stream *s = ctx;

	(void)fd;
	(void)readable;
	(void)writable;
	stream_read(s);
	if (s->overflowed && s == &s->child->out)
		child_kill(s->child, -EFBIG);
}

static void stream_watch(struct stream *s, struct child_process *c, int take_fd, size_t cap)
{
	struct loop *l = c->owner->loop;

	*s = (struct stream){.child = c, .fd = take_fd, .cap = cap, .data = xmalloc(cap + 1)};
	s->io = l->ops->io_new(l, take_fd, stream_event, s);
	l->ops->io_want(s->io, 1);
}

/* --- its end --- */

static struct child_process *child_free(struct child_process *c)
{
	struct loop *l = c->owner->loop;

	list_remove(&c->node);
	stream_fini(&c->out);
	stream_fini(&c->err);
	l->ops->io_free(c->exit);
	l->ops->timer_free(c->limit);
	close(c->pidfd);
	free(c);
	return NULL;
}

static int exit_status_of(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
}

static void child_exited(void *ctx, int fd, bool readable, bool writable)
{
	struct child_process *c = ctx;
	siginfo_t info = {0};
	struct stream *output;
	int status = c->verdict;

	(void)fd;
	(void)readable;
	(void)writable;
	/* What it started goes too. Until it is waited for, its number stays its group's. */
	kill(-c->pid, SIGKILL);
	if (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED) != 0)
		info = (siginfo_t){.si_code = CLD_KILLED, .si_status = SIGKILL};
	stream_read(&c->out);
	stream_read(&c->err);
	if (status == 0)
		status = c->out.overflowed ? -EFBIG : exit_status_of(&info);
	output = status == 0 ? &c->out : &c->err;
	output->data[output->len] = '\0';
	if (c->done != NULL)
		c->done(c->ctx, status, output->data);
	child_free(c);
}

static void child_overdue(void *ctx)
{
	child_kill(ctx, -ETIMEDOUT);
}

/* --- its start --- */

static int spawn(const char *const *argv, int out, int err, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t all, none;
	int error;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes,
		POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setsigmask(&attributes, &none);
	error = posix_spawnp(
		ret, argv[0], &files, &attributes, (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return -error;
}

static void close_pipe(int ends[2])
{
	for (unsigned i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

/* Our end does not block, the child's does. */
static int open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
		return -errno;
	return 0;
}

static struct child_process *child_watch(struct child_processes_system *p, pid_t pid, int pidfd)
{
	struct child_process *c = xcalloc(1, sizeof(*c));

	c->owner = p;
	c->pid = pid;
	c->pidfd = pidfd;
	c->exit = p->loop->ops->io_new(p->loop, pidfd, child_exited, c);
	p->loop->ops->io_want(c->exit, 1);
	c->limit = loop_timer_new(p->loop, child_overdue, c);
	list_append(&p->running, &c->node);
	return c;
}

static int start(struct child_processes_system *p, const char *const *argv, int out, int err,
	struct child_process **ret)
{
	pid_t pid;
	int pidfd;
	int error = spawn(argv, out, err, &pid);

	if (error != 0)
		return error;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		error = -errno;
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return error;
	}
	*ret = child_watch(p, pid, pidfd);
	return 0;
}

static int run(
	struct child_processes *base, const struct child_order *order, struct child_process **ret)
{
	struct child_processes_system *p = container_of(base, struct child_processes_system, base);
	int out[2] = {-1, -1}, err[2] = {-1, -1};
	struct child_process *c = NULL;
	int error;

	assert(order->cap <= STDOUT_CAP_MAX);
	error = open_pipe(out);
	if (error == 0)
		error = open_pipe(err);
	if (error == 0)
		error = start(p, order->argv, out[1], err[1], &c);
	if (error != 0) {
		close_pipe(out);
		close_pipe(err);
		return error;
	}
	assert(c != NULL);
	close(out[1]);
	close(err[1]);
	c->done = order->done;
	c->ctx = order->ctx;
	stream_watch(&c->out, c, out[0], order->cap);
	stream_watch(&c->err, c, err[0], STDERR_KEPT);
	p->loop->ops->timer_arm(c->limit, mono_add(loop_mono(p->loop), order->limit));
	*ret = c;
	return 0;
}

/* It is waited for all the same, or its number would never be free again. */
static void cancel(struct child_processes *base, struct child_process *child)
{
	(void)base;
	child->done = NULL;
	child_kill(child, -ECANCELED);
}

struct child_processes *child_processes_system(struct loop *l)
{
	struct child_processes_system *p = xcalloc(1, sizeof(*p));

	p->base.run = run;
	p->base.cancel = cancel;
	p->loop = l;
	list_init(&p->running);
	/* Inherited as ignored, it would take the exit status away. */
	signal(SIGCHLD, SIG_DFL);
	return &p->base;
}

struct child_processes *child_processes_system_free(struct child_processes *base)
{
	struct child_processes_system *p;

	if (base == NULL)
		return NULL;
	p = container_of(base, struct child_processes_system, base);
	list_for_each (&p->running, node) {
		struct child_process *c = list_entry(node, struct child_process, node);
		struct pollfd ended = {.fd = c->pidfd, .events = POLLIN};

		kill(-c->pid, SIGKILL);
		/* Killed, and yet it may hang in the kernel: not for us to wait out. */
		if (poll(&ended, 1, LAST_WAIT_MS) == 1)
			(void)waitid(P_PIDFD, (id_t)c->pidfd, NULL, WEXITED);
		child_free(c);
	}
	free(p);
	return NULL;
}
