/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A service manager: one abstract datagram socket. */
struct manager {
	int fd;
	struct notify *notify;
	char text[8192];
};

static int setup(void **state)
{
	static struct manager m;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];
	int len;

	m.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(m.fd >= 0);
	len = snprintf(name, sizeof(name), "@mdcd-test-notify-%d", (int)getpid());
	memcpy(address.sun_path + 1, name + 1, (size_t)len - 1);
	assert_int_equal(bind(m.fd, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	m.notify = notify_systemd_new();
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct manager *m = *state;

	assert_null(m->notify->free(m->notify));
	close(m->fd);
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

static void assert_told(struct manager *m, const char *wanted)
{
	ssize_t len = recv(m->fd, m->text, sizeof(m->text) - 1, 0);

	assert_true(len >= 0);
	m->text[len] = '\0';
	assert_string_equal(m->text, wanted);
}

static void ready_and_status_come_in_one_datagram(void **state)
{
	struct manager *m = *state;

	notify_ready(m->notify, "2 subscriptions, 3 drifted");
	assert_told(m, "READY=1\nSTATUS=2 subscriptions, 3 drifted\n");
	notify_ready(m->notify, NULL);
	assert_told(m, "READY=1\n");
}

static void a_reload_names_a_time_that_is_not_before_the_request(void **state)
{
	struct manager *m = *state;

	/* Asked at 1234567.8 ms, read as 1234567 ms. */
	notify_reloading(m->notify, (struct mono){1234567});
	assert_told(m, "RELOADING=1\nMONOTONIC_USEC=1234568000\n");
}

static void stopping_status_and_watchdog_are_told(void **state)
{
	struct manager *m = *state;

	notify_status(m->notify, "working");
	assert_told(m, "STATUS=working\n");
	notify_stopping(m->notify);
	assert_told(m, "STOPPING=1\n");
	notify_alive(m->notify);
	assert_told(m, "WATCHDOG=1\n");
}

static void a_status_cannot_smuggle_in_another_assignment(void **state)
{
	struct manager *m = *state;

	notify_status(m->notify, "scope a\nREADY=1\nMAINPID=1");
	assert_told(m, "STATUS=scope a\\x0aREADY=1\\x0aMAINPID=1\n");
}

static void a_long_status_is_cut(void **state)
{
	struct manager *m = *state;
	char longer[4000];

	memset(longer, '\n', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	notify_status(m->notify, longer);
	assert_true(recv(m->fd, m->text, sizeof(m->text) - 1, 0) > 512);
	assert_non_null(strstr(m->text, "…\n"));
}

static void the_watchdog_is_fed_twice_in_its_time(void **state)
{
	static const struct {
		const char *usec;
		const char *pid;
		int64_t ms;
	} cases[] = {{NULL, NULL, 0}, {"30000000", NULL, 15000}, {"400000", NULL, 200},
		{"1000", NULL, 1}, {"30000000", "1", 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct notify *n;

		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (cases[i].usec != NULL)
			setenv("WATCHDOG_USEC", cases[i].usec, 1);
		if (cases[i].pid != NULL)
			setenv("WATCHDOG_PID", cases[i].pid, 1);
		n = notify_systemd_new();
		assert_int_equal(n->watchdog.ms, cases[i].ms);
		n->free(n);
	}
}

static void without_a_manager_nothing_happens(void **state)
{
	struct manager *m = *state;

	unsetenv("NOTIFY_SOCKET");
	notify_ready(m->notify, "ready");
	notify_alive(m->notify);
	assert_int_equal(recv(m->fd, m->text, sizeof(m->text), 0), -1);
}

static void a_manager_that_went_away_is_no_error(void **state)
{
	struct manager *m = *state;

	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	notify_ready(m->notify, "ready");
	notify_stopping(m->notify);
	assert_int_equal(recv(m->fd, m->text, sizeof(m->text), 0), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ready_and_status_come_in_one_datagram),
		TEST(a_reload_names_a_time_that_is_not_before_the_request),
		TEST(stopping_status_and_watchdog_are_told),
		TEST(a_status_cannot_smuggle_in_another_assignment),
		TEST(a_long_status_is_cut),
		TEST(the_watchdog_is_fed_twice_in_its_time),
		TEST(without_a_manager_nothing_happens),
		TEST(a_manager_that_went_away_is_no_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
