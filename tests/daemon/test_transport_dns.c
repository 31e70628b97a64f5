/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are never resolved. The program moves into network and mount namespaces of its own,
 * where the only name server is a socket of the test that does not answer: whoever waits for it
 * waits for minutes, and the alarm ends the program.
 */
#include "daemon/transport.h"
#include "lib/base/xalloc.h"
#include "tests/harness/https_server.h"
#include "tests/harness/own_world.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- fixture --- */

struct fixture {
	struct loop *loop;
	struct transport *transport;
	struct loop_io *dns_io;
	int dns; /* the name server */
	unsigned queries;
	unsigned waiting;
	unsigned threads; /* before any resolver */
	struct https_server *server;
	unsigned results[TRANSPORT_CANCELED + 1];
	struct transfer *victim; /* cancelled when its name is asked for */
	void (*when_asked)(struct fixture *f);
};

static void asked(void *ctx, int fd, bool readable, bool writable)
{
	struct fixture *f = ctx;
	char query[512];

	(void)readable;
	(void)writable;
	/* Left in the queue for answer_late(). */
	assert_true(recv(fd, query, sizeof(query), MSG_PEEK) > 0);
	f->loop->ops->io_want(f->dns_io, 0);
	f->queries++;
	if (f->when_asked != NULL)
		f->when_asked(f);
}

static void use_options(struct fixture *f, struct transport_options options)
{
	f->transport = transport_curl_new(f->loop, &options);
}

static unsigned threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned n = 0;

	assert_non_null(tasks);
	while (readdir(tasks) != NULL)
		n++;
	closedir(tasks);
	return n - 2;
}

static int setup(void **state)
{
	static struct fixture f;
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	f = (struct fixture){.loop = loop_ev_new(), .threads = threads()};
	f.dns = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f.dns, (struct sockaddr *)&address, sizeof(address)), 0);
	f.dns_io = f.loop->ops->io_new(f.loop, f.dns, asked, &f);
	f.loop->ops->io_want(f.dns_io, 1);
	*state = &f;
	return 0;
}

/* "No such name" to all that was asked, so that the resolvers' threads end. */
static void answer_late(struct fixture *f)
{
	while (threads() > f->threads) {
		unsigned char query[512];
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n =
			recvfrom(f->dns, query, sizeof(query), 0, (struct sockaddr *)&from, &len);

		if (n > 4) {
			query[2] = 0x81;
			query[3] = 0x83;
			sendto(f->dns, query, (size_t)n, 0, (struct sockaddr *)&from, len);
		}
		sched_yield();
	}
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->transport != NULL)
		f->transport->ops->free(f->transport);
	https_server_free(f->server);
	answer_late(f);
	f->loop->ops->io_free(f->dns_io);
	f->loop->ops->free(f->loop);
	close(f->dns);
	return 0;
}

static void done(
	void *ctx, enum transport_result result, const char *detail, struct http_reply *reply)
{
	struct fixture *f = ctx;

	(void)detail;
	(void)reply;
	f->results[result]++;
	if (--f->waiting == 0)
		f->loop->ops->stop(f->loop);
}

static struct transfer *start(struct fixture *f, const char *url)
{
	struct http_request r = {.method = xstrdup("GET"), .url = xstrdup(url)};

	f->waiting++;
	return f->transport->ops->start(f->transport, &r, NULL, done, f);
}

/* --- tests --- */

static void cancel_victim(struct fixture *f)
{
	f->transport->ops->cancel(f->transport, f->victim);
	f->loop->ops->stop(f->loop);
}

static void cancelling_does_not_wait_for_the_resolver(void **state)
{
	struct fixture *f = *state;

	use_options(f, (struct transport_options){0});
	f->when_asked = cancel_victim;
	f->victim = start(f, "https://never.example/");
	f->loop->ops->run(f->loop);
	assert_int_equal(f->queries, 1);
	assert_int_equal(f->transport->ops->running(f->transport), 0);
	assert_true(threads() > f->threads); /* the resolver still waits */
}

static void stop(struct fixture *f)
{
	f->loop->ops->stop(f->loop);
}

static void freeing_the_transport_does_not_wait_for_the_resolver(void **state)
{
	struct fixture *f = *state;

	use_options(f, (struct transport_options){0});
	f->when_asked = stop;
	start(f, "https://never.example/");
	f->loop->ops->run(f->loop);
	f->transport = f->transport->ops->free(f->transport);
	assert_int_equal(f->waiting, 1); /* and not told */
	assert_true(threads() > f->threads);
}

static void a_name_that_is_not_resolved_in_time_is_an_error(void **state)
{
	struct fixture *f = *state;

	use_options(f, (struct transport_options){.connect_timeout = DUR_MS(300)});
	for (unsigned i = 0; i < 20; i++)
		start(f, "https://never.example/");
	f->loop->ops->run(f->loop);
	assert_int_equal(f->results[TRANSPORT_RESOLVE], 20);
}

static bool serve(void *ctx, struct https_connection *c, const struct https_request *r)
{
	(void)ctx;
	(void)r;
	return https_says(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void ask_the_other(struct fixture *f)
{
	mdc_autofree char *url = xasprintf("http://127.0.0.1:%u/", https_server_port(f->server));

	start(f, url);
}

static void others_are_served_meanwhile(void **state)
{
	struct fixture *f = *state;

	f->server = https_server_new(&(struct https_server_options){0}, serve, NULL);
	use_options(f, (struct transport_options){.connect_timeout = DUR_MS(300)});
	f->when_asked = ask_the_other;
	start(f, "https://never.example/");
	f->loop->ops->run(f->loop);
	assert_int_equal(f->results[TRANSPORT_OK], 1);
	assert_int_equal(f->results[TRANSPORT_RESOLVE], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void *nothing(void *ctx)
{
	return ctx;
}

int main(void)
{
	pthread_t first;
	const struct CMUnitTest tests[] = {
		TEST(cancelling_does_not_wait_for_the_resolver),
		TEST(freeing_the_transport_does_not_wait_for_the_resolver),
		TEST(a_name_that_is_not_resolved_in_time_is_an_error),
		TEST(others_are_served_meanwhile),
	};

	if (!own_world_enter() ||
		!own_world_replace_file("/etc/resolv.conf",
			"nameserver 127.0.0.1\noptions timeout:30 attempts:5\n") ||
		!own_world_replace_file("/etc/nsswitch.conf", "hosts: files dns\n")) {
		printf("1..0 # SKIP no namespaces here: %s\n", strerror(errno));
		return 0;
	}
	/* A sanitizer's own thread begins with the first of ours: it must not be taken for a
	 * resolver's. */
	if (pthread_create(&first, NULL, nothing, NULL) == 0)
		pthread_join(first, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(25);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
