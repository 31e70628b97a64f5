/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_face.h"

#include "lib/base/xalloc.h"
#include "tests/estate/azsim_exchange.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The services of Azure close idle connections after a few minutes, too. */
#define IDLE_SECONDS 120u
#define CONNECTIONS_MAX 8192u
/* Request line and headers of one connection: operation URLs have 4 KB, tokens 2 KB and more. */
#define HEADER_MEMORY (64u * 1024)
#define SWEEP_SECONDS 2.
#define LISTENERS_MAX 16

struct listener {
	struct MHD_Daemon *daemon;
	struct azsim_door door;
	ev_io io;
};

struct azsim_face {
	struct azsim_desk desk;
	struct listener listeners[LISTENERS_MAX];
	size_t count;
	ev_prepare prepare;
	ev_timer pending; /* what libmicrohttpd wants to do by itself */
	ev_timer sweep;
	ev_timer estate; /* the estate's own next change */
};

static void run_all(struct azsim_face *face)
{
	for (size_t i = 0; i < face->count; i++)
		MHD_run(face->listeners[i].daemon);
}

static void socket_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct listener *listener = io->data;

	(void)loop;
	(void)events;
	MHD_run(listener->daemon);
}

static void pending_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	run_all(timer->data);
}

static void sweep_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct azsim_face *face = timer->data;

	(void)loop;
	(void)events;
	azsim_desk_sweep(&face->desk);
}

static void estate_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct azsim_face *face = timer->data;

	(void)loop;
	(void)events;
	estate_advance(face->desk.setup.estate, azsim_clock_now(face->desk.setup.clock));
}

static void arm_timer(struct ev_loop *loop, ev_timer *timer, double seconds)
{
	ev_timer_stop(loop, timer);
	ev_timer_set(timer, seconds, 0.);
	ev_timer_start(loop, timer);
}

static void arm_pending(struct azsim_face *face, struct ev_loop *loop)
{
	MHD_UNSIGNED_LONG_LONG least = 0;
	bool any = false;

	for (size_t i = 0; i < face->count; i++) {
		MHD_UNSIGNED_LONG_LONG ms;

		if (MHD_get_timeout(face->listeners[i].daemon, &ms) != MHD_YES)
			continue;
		least = any && least < ms ? least : ms;
		any = true;
	}
	if (any)
		arm_timer(loop, &face->pending, (double)least / 1000.);
	else
		ev_timer_stop(loop, &face->pending);
}

static void arm_estate(struct azsim_face *face, struct ev_loop *loop)
{
	const struct azsim_face_setup *setup = &face->desk.setup;
	struct wall next = estate_next_change(setup->estate);
	struct dur wait = wall_since(next, azsim_clock_now(setup->clock));
	double seconds = azsim_clock_seconds(setup->clock, dur_max(wait, DUR_MS(0)));

	if (next.ms == WALL_NEVER.ms)
		ev_timer_stop(loop, &face->estate);
	else
		arm_timer(loop, &face->estate, seconds < 0.001 ? 0.001 : seconds);
}

/* Before the loop sleeps: whatever was done in this turn may have moved the next dates. */
static void before_sleep(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct azsim_face *face = prepare->data;

	(void)events;
	if (face->desk.woken) {
		face->desk.woken = false;
		run_all(face);
	}
	azsim_lines_flush(face->desk.setup.requests);
	azsim_lines_flush(face->desk.setup.traffic);
	arm_pending(face, loop);
	arm_estate(face, loop);
}

struct azsim_face *azsim_face_new(const struct azsim_face_setup *setup)
{
	struct azsim_face *face = xcalloc(1, sizeof(*face));

	azsim_desk_init(&face->desk, setup);
	ev_prepare_init(&face->prepare, before_sleep);
	ev_timer_init(&face->pending, pending_due, 0., 0.);
	ev_timer_init(&face->estate, estate_due, 0., 0.);
	ev_timer_init(&face->sweep, sweep_due, SWEEP_SECONDS, SWEEP_SECONDS);
	face->prepare.data = face->pending.data = face->estate.data = face->sweep.data = face;
	ev_prepare_start(setup->loop, &face->prepare);
	ev_timer_start(setup->loop, &face->sweep);
	return face;
}

static struct MHD_Daemon *start_daemon(struct azsim_face *face, struct azsim_door *door, int fd)
{
	const struct azsim_tls *tls = face->desk.setup.tls;
	const unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	const struct MHD_OptionItem secure[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, tls->certificate},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key},
		{MHD_OPTION_HTTPS_PRIORITIES, 0,
			(void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
		{MHD_OPTION_END, 0, NULL}};
	const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};

	return MHD_start_daemon(door->base == NULL ? flags | MHD_USE_TLS : flags, 0, NULL, NULL,
		azsim_exchange_step, door, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MEMORY,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, azsim_exchange_begin,
		door, MHD_OPTION_NOTIFY_COMPLETED, azsim_exchange_end, door, MHD_OPTION_ARRAY,
		door->base == NULL ? secure : plain, MHD_OPTION_END);
}

int azsim_face_listen(struct azsim_face *face, int take_socket, const char *base)
{
	struct listener *listener = &face->listeners[face->count];
	const union MHD_DaemonInfo *info;

	if (face->count == LISTENERS_MAX) {
		close(take_socket);
		return -ENFILE;
	}
	*listener = (struct listener){.door = {.desk = &face->desk, .base = base}};
	listener->daemon = start_daemon(face, &listener->door, take_socket);
	if (listener->daemon == NULL) {
		close(take_socket);
		fprintf(stderr, "azsim: the HTTP%s server cannot start\n", base == NULL ? "S" : "");
		return -EIO;
	}
	info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	ev_io_init(&listener->io, socket_ready, info->epoll_fd, EV_READ);
	listener->io.data = listener;
	ev_io_start(face->desk.setup.loop, &listener->io);
	face->count++;
	return 0;
}

struct azsim_face *azsim_face_free(struct azsim_face *face)
{
	struct ev_loop *loop;

	if (face == NULL)
		return NULL;
	loop = face->desk.setup.loop;
	/* libmicrohttpd does not end while a connection sleeps. */
	face->desk.closing = true;
	azsim_desk_sweep(&face->desk);
	run_all(face);
	for (size_t i = 0; i < face->count; i++) {
		ev_io_stop(loop, &face->listeners[i].io);
		MHD_stop_daemon(face->listeners[i].daemon);
	}
	ev_prepare_stop(loop, &face->prepare);
	ev_timer_stop(loop, &face->pending);
	ev_timer_stop(loop, &face->estate);
	ev_timer_stop(loop, &face->sweep);
	free(face);
	return NULL;
}
