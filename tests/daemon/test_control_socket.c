/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control_socket.h"
#include "tests/daemon/daemon_fixture.h"
#include "tests/harness/own_world.h"
#include "tests/harness/vfs_crash.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define CONFIG FIXTURE_POLICY FIXTURE_SCOPE("observe")
#define MOST 64
#define LINE_MOST 65536

/* --- clients --- */

static int try_connect(struct fixture *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mdc_autofree char *path = fixture_path(f, "control.sock");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	str_copy(address.sun_path, sizeof(address.sun_path), path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Until nothing happens any more at the present time. */
static void turn(struct fixture *f)
{
	struct loop *loop = f->fake.world.loop;

	do
		loop_virtual_settle(loop);
	while (loop_virtual_poll(loop));
}

static int client(struct fixture *f)
{
	int fd = try_connect(f);

	assert_true(fd >= 0);
	turn(f);
	return fd;
}

static void says(struct fixture *f, int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	turn(f);
}

/* Everything that is there now; "" for nothing, NULL for a connection that was closed. */
static char *hears(int fd)
{
	struct buf text = BUF_INIT(64 << 20);
	char chunk[65536];
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		buf_add(&text, chunk, (size_t)n);
	if (n == 0 && text.len == 0) {
		buf_fini(&text);
		return NULL;
	}
	return text.len > 0 ? buf_steal(&text) : xstrdup("");
}

static json_t *line_of(const char *text)
{
	const char *end = text != NULL ? strchr(text, '\n') : NULL;
	json_t *reply;

	assert_non_null(end);
	reply = json_loadb(text, (size_t)(end - text), 0, NULL);
	assert_non_null(reply);
	return reply;
}

static void hears_ok(int fd)
{
	mdc_autofree char *text = hears(fd);
	json_t *reply = line_of(text);

	assert_true(json_is_true(at(reply, "ok")));
	assert_true(json_is_object(at(reply, "result")));
	json_decref(reply);
}

static void hears_error(int fd, const char *code)
{
	mdc_autofree char *text = hears(fd);
	json_t *reply = line_of(text);

	assert_true(json_is_false(at(reply, "ok")));
	assert_string_equal(text_at(reply, "error.code"), code);
	json_decref(reply);
}

static void is_closed(int fd)
{
	mdc_autofree char *text = hears(fd);

	assert_null(text);
	close(fd);
}

static unsigned lines_in(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

/* --- what has to be durable --- */

#define PAUSE "{\"command\":\"pause\",\"arguments\":{\"target\":\"*\"}}\n"
#define RESUME "{\"command\":\"resume\",\"arguments\":{\"target\":\"*\"}}\n"

static void on_disk_is_what_was_answered(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, CONFIG);
	fixture_start(&f);
	fd = client(&f);
	says(&f, fd, PAUSE);
	pass(&f, DUR_S(1));
	turn(&f);
	hears_ok(fd);
	close(fd);
	f.d = daemon_abandon(f.d);
	fixture_start(&f);
	assert_true(gate_is_paused(f.d->gate, NULL, NULL));
	fixture_fini(&f);
}

static void what_cannot_be_stored_is_not_answered_as_done(void **state)
{
	struct fixture f;
	struct vfs_crash *disk = vfs_crash_new("test-socket", 3);
	int fd, second, gone;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, CONFIG);
	f.fake.world.store_vfs = "test-socket";
	fixture_start(&f);
	pass(&f, DUR_S(30));
	fd = client(&f);
	gone = client(&f);
	vfs_crash_arm(disk, VFS_DISK_FULL, 1, UINT64_MAX);
	says(&f, gone, PAUSE);
	close(gone);
	vfs_crash_disarm(disk);
	pass(&f, DUR_MIN(30));
	vfs_crash_arm(disk, VFS_DISK_FULL, 1, UINT64_MAX);
	/* What is sent ahead waits for the answer before it. */
	says(&f, fd, PAUSE "{\"command\":\"status\"}\n");
	{
		mdc_autofree char *nothing = hears(fd);

		assert_string_equal(nothing, "");
	}
	assert_true(gate_is_paused(f.d->gate, NULL, NULL));
	pass(&f, DUR_S(11));
	turn(&f);
	hears_error(fd, "failed");
	/* The trouble is known by now: nobody waits for it once more. */
	second = client(&f);
	says(&f, second, RESUME);
	hears_error(second, "failed");
	vfs_crash_disarm(disk);
	pass(&f, DUR_MIN(30));
	says(&f, second, PAUSE);
	pass(&f, DUR_S(1));
	turn(&f);
	hears_ok(second);
	/* Whoever waits when it ends is let go. */
	vfs_crash_arm(disk, VFS_DISK_FULL, 1, UINT64_MAX);
	says(&f, second, RESUME);
	fixture_stop(&f);
	is_closed(second);
	close(fd);
	fixture_fini(&f);
	vfs_crash_free(disk);
}

/* --- requests --- */

static void a_request_in_pieces_is_one_request(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	fd = client(&f);
	says(&f, fd, "{\"comm");
	says(&f, fd, "and\": \"sta");
	says(&f, fd, "tus\"}");
	{
		mdc_autofree char *text = hears(fd);

		assert_string_equal(text, "");
	}
	says(&f, fd, "\n");
	hears_ok(fd);
	close(fd);
	fixture_fini(&f);
}

static void requests_sent_ahead_are_answered_in_order(void **state)
{
	struct fixture f;
	mdc_autofree char *text = NULL;
	int fd;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	fd = client(&f);
	says(&f, fd,
		"{\"command\":\"config\"}\n{\"command\":\"nonsense\"}\n"
		"{\"command\":\"config\"}\n{\"command\":\"config\"}\n{\"command\":\"config\"}\n"
		"{\"command\":\"list\",\"arguments\":{\"limit\":1}}\n");
	text = hears(fd);
	assert_int_equal(lines_in(text), 6);
	assert_non_null(strstr(strchr(text, '\n'), "unknown command"));
	assert_non_null(strstr(text, "\"items\""));
	close(fd);
	fixture_fini(&f);
}

static void what_is_no_request_is_refused_and_the_next_one_served(void **state)
{
	static const char *const bad[] = {"\n", "nonsense\n", "[]\n", "\"status\"\n", "{}\n",
		"{\"command\":5}\n", "{\"command\":\"\"}\n", "{\"command\":\"status\"} x\n",
		"{\"command\":\"status\",\"command\":\"halt\"}\n",
		"{\"command\":\"status\",\"arguments\":[]}\n",
		"{\"command\":\"status\",\"arguments\":\"x\"}\n", "\xff\xfe\n",
		"{\"command\":\"\\u0000\"}\n"};
	struct fixture f;
	int fd;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	fd = client(&f);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		says(&f, fd, bad[i]);
		hears_error(fd, "usage");
	}
	says(&f, fd, "{\"command\":\"status\"}\n");
	hears_ok(fd);
	close(fd);
	fixture_fini(&f);
}

static void a_request_that_is_deeply_nested_is_refused(void **state)
{
	struct fixture f;
	char deep[30001];
	int fd;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	fd = client(&f);
	says(&f, fd, deep);
	says(&f, fd, "\n");
	hears_error(fd, "usage");
	close(fd);
	fixture_fini(&f);
}

static void a_line_without_end_is_refused_and_the_connection_closed(void **state)
{
	struct fixture f;
	char part[4097];
	int fd;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	memset(part, 'x', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	fd = client(&f);
	for (size_t sent = 0; sent < LINE_MOST; sent += sizeof(part) - 1)
		says(&f, fd, part);
	hears_error(fd, "usage");
	is_closed(fd);
	assert_int_equal(control_socket_connections(f.d->control), 0);
	fixture_fini(&f);
}

static void a_request_at_the_end_of_the_input_needs_no_newline(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	fd = client(&f);
	says(&f, fd, "{\"command\":\"status\"}");
	shutdown(fd, SHUT_WR);
	turn(&f);
	hears_ok(fd);
	is_closed(fd);
	assert_int_equal(control_socket_connections(f.d->control), 0);
	fixture_fini(&f);
}

/* --- clients that behave badly --- */

static void who_never_reads_is_held_with_one_answer_and_blocks_nobody(void **state)
{
	static const char request[] = "{\"command\":\"list\"}\n";
	struct fixture f;
	int mute, other, room = 4096, sent = 0;

	(void)state;
	fixture_observed(&f, "subscriptions=1,machines=2000,unreached=100%", CONFIG);
	mute = client(&f);
	setsockopt(mute, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	/* As many as the kernel takes; the daemon stops taking them with the first answer. */
	while (send(mute, request, strlen(request), MSG_NOSIGNAL) > 0 && sent < 100000) {
		sent++;
		turn(&f);
	}
	assert_true(sent < 100000);
	other = client(&f);
	says(&f, other, "{\"command\":\"status\"}\n");
	hears_ok(other);
	/* Once it reads, everything comes, in order. */
	for (int lines = 0; lines < sent;) {
		mdc_autofree char *text = hears(mute);

		assert_non_null(text);
		lines += (int)lines_in(text);
		turn(&f);
	}
	close(mute);
	close(other);
	turn(&f);
	assert_int_equal(control_socket_connections(f.d->control), 0);
	fixture_fini(&f);
}

static void who_leaves_in_the_middle_is_forgotten(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	fixture_observed(&f, "subscriptions=1,machines=2000,unreached=100%", CONFIG);
	/* In the middle of a request; of an answer; with requests not yet begun. */
	fd = client(&f);
	says(&f, fd, "{\"comm");
	close(fd);
	turn(&f);
	assert_int_equal(control_socket_connections(f.d->control), 0);
	fd = client(&f);
	says(&f, fd, "{\"command\":\"list\"}\n{\"command\":\"list\"}\n");
	assert_int_equal(control_socket_connections(f.d->control), 1);
	close(fd);
	turn(&f);
	assert_int_equal(control_socket_connections(f.d->control), 0);
	fixture_fini(&f);
}

static void there_is_room_for_64_and_the_next_is_told_so(void **state)
{
	struct fixture f;
	int fds[MOST], extra;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	for (int i = 0; i < MOST; i++)
		fds[i] = client(&f);
	assert_int_equal(control_socket_connections(f.d->control), MOST);
	extra = client(&f);
	hears_error(extra, "busy");
	is_closed(extra);
	for (int i = 0; i < MOST; i++) {
		says(&f, fds[i], "{\"command\":\"config\"}\n");
		hears_ok(fds[i]);
	}
	close(fds[0]);
	turn(&f);
	extra = client(&f);
	says(&f, extra, "{\"command\":\"config\"}\n");
	hears_ok(extra);
	close(extra);
	for (int i = 1; i < MOST; i++)
		close(fds[i]);
	fixture_fini(&f);
}

static void without_descriptors_it_waits_and_does_not_spin(void **state)
{
	struct fixture f;
	struct rlimit before, none;
	uint64_t turns;
	int fd;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	fd = try_connect(&f);
	assert_true(fd >= 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turns = loop_virtual_turns(f.fake.world.loop);
	for (int i = 0; i < 100; i++)
		turn(&f);
	assert_true(loop_virtual_turns(f.fake.world.loop) - turns < 10);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	pass(&f, DUR_S(2));
	turn(&f);
	says(&f, fd, "{\"command\":\"status\"}\n");
	hears_ok(fd);
	close(fd);
	fixture_fini(&f);
}

static void it_closes_all_connections_at_the_end(void **state)
{
	struct fixture f;
	mdc_autofree char *path = NULL;
	int fd;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	path = fixture_path(&f, "control.sock");
	fd = client(&f);
	assert_int_equal(access(path, F_OK), 0);
	fixture_stop(&f);
	is_closed(fd);
	assert_int_equal(access(path, F_OK), -1);
	fixture_fini(&f);
}

/* --- the file --- */

static void a_socket_that_nobody_listens_on_is_replaced(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct fixture f;
	mdc_autofree char *path = NULL;
	struct stat st;
	int stale, fd;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, CONFIG);
	path = fixture_path(&f, "control.sock");
	str_copy(address.sun_path, sizeof(address.sun_path), path);
	stale = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(stale, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(stale);
	fixture_start(&f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	fd = client(&f);
	says(&f, fd, "{\"command\":\"config\"}\n");
	hears_ok(fd);
	close(fd);
	fixture_fini(&f);
}

static void refuses_to_open(struct fixture *f, int error, const char *why)
{
	mdc_autofree char *path = fixture_path(f, "control.sock");
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct control_socket *s = NULL;

	assert_int_equal(control_socket_open(&f->fake.world, path, f->d, &diags, &s), error);
	assert_null(s);
	assert_int_equal(diags.errors, 1);
	assert_non_null(strstr(diags.v[0].text, why));
}

static void a_socket_that_somebody_listens_on_is_left_alone(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct fixture f;
	mdc_autofree char *path = NULL;
	int other, waiting;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, CONFIG);
	path = fixture_path(&f, "control.sock");
	str_copy(address.sun_path, sizeof(address.sun_path), path);
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(other, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(other, 0), 0);
	refuses_to_open(&f, -EADDRINUSE, "listens");
	/* Also one that takes nobody: a connection is asked for and never waited for. */
	waiting = try_connect(&f);
	refuses_to_open(&f, -EADDRINUSE, "listens");
	refuses_to_open(&f, -EADDRINUSE, "listens");
	if (waiting >= 0)
		close(waiting);
	close(other);
	fixture_fini(&f);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct fixture f;
	mdc_autofree char *path = NULL;
	struct stat st;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, CONFIG);
	path = fixture_path(&f, "control.sock");
	fixture_write(path, "precious");
	refuses_to_open(&f, -EEXIST, "no socket");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 8);
	fixture_fini(&f);
}

static void a_socket_in_the_place_of_ours_is_not_removed(void **state)
{
	struct fixture f;
	mdc_autofree char *path = NULL;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, CONFIG);
	path = fixture_path(&f, "control.sock");
	assert_int_equal(unlink(path), 0);
	fixture_write(path, "another daemon's");
	fixture_stop(&f);
	assert_int_equal(access(path, F_OK), 0);
	fixture_fini(&f);
}

/* --- who asks --- */

#define GROUPS "root:x:0:\nmdcd:x:70001:\nmdcd-admin:x:70002:%s\nstaff:x:70003:\n"

/* In a child that is this user with these groups: sends, and waits for the parent to hang up. */
static pid_t somebody_asks(
	struct fixture *f, uid_t uid, gid_t group, gid_t extra, const char *request, int *ret_fd)
{
	int ends[2];
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	child = fork();
	if (child == 0) {
		char chunk[65536];
		ssize_t n;
		int fd;

		if (setgroups(extra != 0 ? 1 : 0, &extra) != 0 || setgid(group) != 0 ||
			setuid(uid) != 0)
			_exit(1);
		fd = try_connect(f);
		if (fd < 0)
			_exit(2);
		fcntl(fd, F_SETFL, 0);
		(void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
		(void)!send(ends[1], "!", 1, MSG_NOSIGNAL);
		while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
			(void)!send(ends[1], chunk, (size_t)n, MSG_NOSIGNAL);
			if (chunk[n - 1] == '\n')
				break;
		}
		_exit(0);
	}
	close(ends[1]);
	*ret_fd = ends[0];
	return child;
}

/* Whoever looks up a name finds none. */
static void finds_no_name(struct fixture *f)
{
	if (!fake_children_runs(f->fake.world.children))
		return;
	fake_children_end(f->fake.world.children, 2, "");
	turn(f);
}

static json_t *what_somebody_hears(
	struct fixture *f, uid_t uid, gid_t group, gid_t extra, const char *request)
{
	struct buf text = BUF_INIT(1 << 20);
	char chunk[65536];
	json_t *reply;
	ssize_t n;
	int fd, status;
	pid_t child = somebody_asks(f, uid, group, extra, request, &fd);

	/* It has asked. */
	assert_int_equal(recv(fd, chunk, 1, 0), 1);
	turn(f);
	finds_no_name(f);
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		buf_add(&text, chunk, (size_t)n);
	close(fd);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	reply = line_of(buf_str(&text));
	buf_fini(&text);
	turn(f);
	return reply;
}

static void somebody_is_answered(struct fixture *f, uid_t uid, gid_t group, gid_t extra,
	const char *request, const char *code)
{
	json_t *reply = what_somebody_hears(f, uid, group, extra, request);

	if (code == NULL)
		assert_true(json_is_true(at(reply, "ok")));
	else
		assert_string_equal(text_at(reply, "error.code"), code);
	json_decref(reply);
}

/* Rights are the kernel's word on users and groups: other groups need a world of our own. */
static bool with_groups(struct fixture *f, const char *members)
{
	static enum { UNTRIED, IMPOSSIBLE, ENTERED } own;
	mdc_autofree char *groups = xasprintf(GROUPS, members);

	if (own == UNTRIED)
		own = geteuid() == 0 && own_world_enter() ? ENTERED : IMPOSSIBLE;
	if (own == ENTERED)
		umount2("/etc/group", MNT_DETACH);
	if (own != ENTERED || !own_world_replace_file("/etc/group", groups))
		return false;
	fixture_observed(f, SMALL_ESTATE, CONFIG);
	chmod(f->directory, 0755);
	return true;
}

#define LOOK "{\"command\":\"status\"}\n"
#define CHANGE "{\"command\":\"halt\"}\n"

static void groups_decide_who_may_look_and_who_may_change(void **state)
{
	struct fixture f;

	(void)state;
	if (!with_groups(&f, ""))
		skip();
	somebody_is_answered(&f, 70010, 70003, 0, LOOK, "denied");
	somebody_is_answered(&f, 70010, 70003, 0, CHANGE, "denied");
	somebody_is_answered(&f, 70011, 70001, 0, LOOK, NULL);
	somebody_is_answered(&f, 70011, 70003, 70001, LOOK, NULL);
	somebody_is_answered(&f, 70011, 70003, 70001, CHANGE, "denied");
	assert_false(gate_is_halted(f.d->gate));
	somebody_is_answered(&f, 70012, 70003, 70002, LOOK, NULL);
	somebody_is_answered(&f, 70012, 70003, 70002, CHANGE, NULL);
	assert_true(gate_is_halted(f.d->gate));
	assert_true(log_capture_holds(f.fake.capture, "by uid 70012"));
	fixture_fini(&f);
}

static void a_refused_change_is_told_to_the_journal_but_not_each_of_many(void **state)
{
	struct fixture f;

	(void)state;
	if (!with_groups(&f, ""))
		skip();
	for (int i = 0; i < 20; i++)
		somebody_is_answered(&f, 70011, 70001, 0, CHANGE, "denied");
	assert_int_equal(log_capture_count(f.fake.capture, LOG_COMMAND_MESSAGE), 1);
	pass(&f, DUR_S(11));
	somebody_is_answered(&f, 70011, 70001, 0, CHANGE, "denied");
	assert_int_equal(log_capture_count(f.fake.capture, LOG_COMMAND_MESSAGE), 2);
	assert_true(log_capture_holds(f.fake.capture, "uid 70011 may not halt"));
	assert_true(log_capture_holds(f.fake.capture, "and 19 more"));
	fixture_fini(&f);
}

static void a_group_with_very_many_members_counts_too(void **state)
{
	struct buf members = BUF_INIT(1 << 20);
	struct fixture f;

	(void)state;
	for (int i = 0; i < 3000; i++)
		buf_addf(&members, "%sadministrator%04d", i > 0 ? "," : "", i);
	if (!with_groups(&f, buf_str(&members))) {
		buf_fini(&members);
		skip();
	}
	buf_fini(&members);
	somebody_is_answered(&f, 70012, 70003, 70002, CHANGE, NULL);
	fixture_fini(&f);
}

static void who_may_only_look_cannot_lock_out_who_may_change(void **state)
{
	struct fixture f;
	int fds[MOST], admin_fd, n = 0;
	json_t *reply;

	(void)state;
	if (!with_groups(&f, ""))
		skip();
	/* The kernel remembers who one was when one connected. */
	for (; n < MOST; n++) {
		assert_int_equal(setegid(70001), 0);
		assert_int_equal(seteuid(70011), 0);
		fds[n] = try_connect(&f);
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(setegid(0), 0);
		assert_true(fds[n] >= 0);
		turn(&f);
	}
	finds_no_name(&f);
	assert_int_equal(control_socket_connections(f.d->control), MOST - 16);
	hears_error(fds[MOST - 1], "busy");
	admin_fd = client(&f);
	says(&f, admin_fd, LOOK);
	hears_ok(admin_fd);
	reply = what_somebody_hears(&f, 70012, 70002, 0, CHANGE);
	assert_true(json_is_true(at(reply, "ok")));
	json_decref(reply);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	close(admin_fd);
	fixture_fini(&f);
}

/* --- names --- */

/* A change by a user who is not root, whose name is asked for. */
static int somebody_connects(struct fixture *f)
{
	int fd;

	assert_int_equal(setegid(70002), 0);
	assert_int_equal(seteuid(70012), 0);
	fd = try_connect(f);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	assert_true(fd >= 0);
	turn(f);
	return fd;
}

#define ALICE "alice:x:70012:70002::/home/alice:/bin/sh\n"

static void a_user_is_named_once_the_name_is_known(void **state)
{
	struct fixture f;
	int fd, second;

	(void)state;
	if (!with_groups(&f, ""))
		skip();
	fd = somebody_connects(&f);
	says(&f, fd, CHANGE);
	assert_string_equal(fake_children_command(f.fake.world.children), "getent passwd 70012");
	assert_false(gate_is_halted(f.d->gate));
	fake_children_end(f.fake.world.children, 0, ALICE);
	turn(&f);
	hears_ok(fd);
	assert_true(log_capture_holds(f.fake.capture, "by alice (uid 70012)"));
	/* Known for a while, and then asked for again. */
	second = somebody_connects(&f);
	says(&f, second, LOOK);
	hears_ok(second);
	assert_int_equal(fake_children_started(f.fake.world.children), 1);
	close(second);
	pass(&f, DUR_MIN(11));
	second = somebody_connects(&f);
	assert_int_equal(fake_children_started(f.fake.world.children), 2);
	fake_children_end(f.fake.world.children, 2, "");
	turn(&f);
	says(&f, second, "{\"command\":\"unhalt\"}\n");
	hears_ok(second);
	assert_true(log_capture_holds(f.fake.capture, "lifted by uid 70012"));
	close(fd);
	close(second);
	fixture_fini(&f);
}

static void nobody_is_left_who_looks_up_a_name(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	if (!with_groups(&f, ""))
		skip();
	fd = somebody_connects(&f);
	says(&f, fd, CHANGE);
	close(fd);
	assert_true(fake_children_runs(f.fake.world.children));
	fixture_stop(&f);
	assert_true(fake_children_was_cancelled(f.fake.world.children));
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_disk_is_what_was_answered),
		cmocka_unit_test(what_cannot_be_stored_is_not_answered_as_done),
		cmocka_unit_test(a_request_in_pieces_is_one_request),
		cmocka_unit_test(requests_sent_ahead_are_answered_in_order),
		cmocka_unit_test(what_is_no_request_is_refused_and_the_next_one_served),
		cmocka_unit_test(a_request_that_is_deeply_nested_is_refused),
		cmocka_unit_test(a_line_without_end_is_refused_and_the_connection_closed),
		cmocka_unit_test(a_request_at_the_end_of_the_input_needs_no_newline),
		cmocka_unit_test(who_never_reads_is_held_with_one_answer_and_blocks_nobody),
		cmocka_unit_test(who_leaves_in_the_middle_is_forgotten),
		cmocka_unit_test(there_is_room_for_64_and_the_next_is_told_so),
		cmocka_unit_test(without_descriptors_it_waits_and_does_not_spin),
		cmocka_unit_test(it_closes_all_connections_at_the_end),
		cmocka_unit_test(a_socket_that_nobody_listens_on_is_replaced),
		cmocka_unit_test(a_socket_that_somebody_listens_on_is_left_alone),
		cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
		cmocka_unit_test(a_socket_in_the_place_of_ours_is_not_removed),
		cmocka_unit_test(groups_decide_who_may_look_and_who_may_change),
		cmocka_unit_test(a_refused_change_is_told_to_the_journal_but_not_each_of_many),
		cmocka_unit_test(a_group_with_very_many_members_counts_too),
		cmocka_unit_test(who_may_only_look_cannot_lock_out_who_may_change),
		cmocka_unit_test(a_user_is_named_once_the_name_is_known),
		cmocka_unit_test(nobody_is_left_who_looks_up_a_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
