/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/world.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- secret files --- */

struct folder {
	char path[64];
	char file[96];
	char other[96];
};

static int folder_make(void **state)
{
	static struct folder f;

	f = (struct folder){.path = "/tmp/mdcd-world-XXXXXX"};
	assert_non_null(mkdtemp(f.path));
	snprintf(f.file, sizeof(f.file), "%s/secret", f.path);
	snprintf(f.other, sizeof(f.other), "%s/other", f.path);
	*state = &f;
	return 0;
}

static int folder_remove(void **state)
{
	struct folder *f = *state;

	unlink(f->file);
	unlink(f->other);
	rmdir(f->path);
	return 0;
}

static void write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static int read_secret(const char *path, size_t cap, char **ret, size_t *ret_len)
{
	struct secret_files *files = secret_files_system();

	return files->read(files, path, cap, ret, ret_len);
}

static void a_secret_is_read_whole_with_its_bytes(void **state)
{
	struct folder *f = *state;
	mdc_autofree char *text = NULL, *empty = NULL;
	size_t len = 0;

	write_file(f->file, "a\0b\n", 4);
	assert_int_equal(read_secret(f->file, 4, &text, &len), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(text, "a\0b\n\0", 5);
	write_file(f->file, "", 0);
	assert_int_equal(read_secret(f->file, 4, &empty, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(empty, "");
}

static void a_link_to_a_secret_is_followed(void **state)
{
	struct folder *f = *state;
	mdc_autofree char *text = NULL;
	size_t len;

	write_file(f->other, "there", 5);
	assert_int_equal(symlink(f->other, f->file), 0);
	assert_int_equal(read_secret(f->file, 100, &text, &len), 0);
	assert_string_equal(text, "there");
}

static void a_link_is_refused_where_somebody_else_named_it(void **state)
{
	struct folder *f = *state;
	struct secret_files *files = secret_files_system();
	mdc_autofree char *text = NULL;
	char *refused = NULL;
	size_t len;

	write_file(f->other, "there", 5);
	assert_int_equal(symlink(f->other, f->file), 0);
	assert_int_equal(files->read_unlinked(files, f->file, 100, &refused, &len), -ELOOP);
	assert_null(refused);
	assert_int_equal(files->read_unlinked(files, f->other, 4, &refused, &len), -EFBIG);
	assert_int_equal(files->read_unlinked(files, f->path, 4, &refused, &len), -EISDIR);
	assert_int_equal(files->read_unlinked(files, f->other, 5, &text, &len), 0);
	assert_string_equal(text, "there");
}

static void a_file_above_the_cap_is_refused(void **state)
{
	struct folder *f = *state;
	char *text = NULL;
	size_t len = 99;

	write_file(f->file, "12345", 5);
	assert_int_equal(read_secret(f->file, 4, &text, &len), -EFBIG);
	assert_null(text);
	assert_int_equal(len, 99);
}

static void what_is_no_regular_file_is_refused_at_once(void **state)
{
	struct folder *f = *state;
	struct secret_files *files = secret_files_system();
	char *text = NULL;
	size_t len;
	uint64_t version;

	assert_int_equal(mkfifo(f->file, 0600), 0);
	assert_int_equal(read_secret(f->file, 100, &text, &len), -EINVAL);
	assert_int_equal(files->version(files, f->file, &version), -EINVAL);
	assert_int_equal(read_secret(f->path, 100, &text, &len), -EISDIR);
	assert_int_equal(files->version(files, f->path, &version), -EISDIR);
	assert_int_equal(read_secret("/dev/zero", 100, &text, &len), -EINVAL);
	assert_int_equal(read_secret(f->other, 100, &text, &len), -ENOENT);
	assert_int_equal(files->version(files, f->other, &version), -ENOENT);
}

static void a_version_changes_with_content_time_and_file(void **state)
{
	struct folder *f = *state;
	struct secret_files *files = secret_files_system();
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	const struct timespec later[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 1}};
	uint64_t version[5];

	write_file(f->file, "one", 3);
	assert_int_equal(utimensat(AT_FDCWD, f->file, old, 0), 0);
	assert_int_equal(files->version(files, f->file, &version[0]), 0);
	assert_int_equal(files->version(files, f->file, &version[1]), 0);
	assert_true(version[0] == version[1]);
	assert_int_equal(utimensat(AT_FDCWD, f->file, later, 0), 0);
	assert_int_equal(files->version(files, f->file, &version[2]), 0);
	write_file(f->file, "three", 5);
	assert_int_equal(utimensat(AT_FDCWD, f->file, later, 0), 0);
	assert_int_equal(files->version(files, f->file, &version[3]), 0);
	write_file(f->other, "three", 5);
	assert_int_equal(utimensat(AT_FDCWD, f->other, later, 0), 0);
	assert_int_equal(rename(f->other, f->file), 0);
	assert_int_equal(files->version(files, f->file, &version[4]), 0);
	for (unsigned a = 1; a < 5; a++)
		for (unsigned b = 1; b < a; b++)
			assert_true(version[a] != version[b]);
}

/* --- random numbers --- */

static void random_bytes_fill_all_of_the_room_and_no_more(void **state)
{
	struct random_source *r = random_source_system();
	unsigned char seen[64] = {0}, bytes[66];

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	for (unsigned round = 0; round < 64; round++) {
		r->fill(r, bytes + 1, 64);
		for (unsigned i = 0; i < 64; i++)
			seen[i] |= bytes[i + 1] ^ 0xa5;
	}
	for (unsigned i = 0; i < 64; i++)
		assert_int_not_equal(seen[i], 0);
	assert_int_equal(bytes[0], 0xa5);
	assert_int_equal(bytes[65], 0xa5);
}

static void fill_with(struct random_source *r, void *data, size_t len)
{
	(void)r;
	memset(data, 0xff, len);
}

static void a_guid_is_of_version_4(void **state)
{
	struct random_source all_ones = {.fill = fill_with};
	char guid[37], other[37];

	(void)state;
	random_guid(&all_ones, guid);
	assert_string_equal(guid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
	random_guid(random_source_system(), guid);
	random_guid(random_source_system(), other);
	assert_true(str_is_guid(guid));
	assert_int_equal(guid[14], '4');
	assert_string_not_equal(guid, other);
}

/* --- child processes --- */

struct nursery {
	struct loop *loop;
	struct child_processes *children;
	struct child_process *child; /* the last one */
	int calls;
	int status;
	char *output;
};

static int nursery_open(void **state)
{
	static struct nursery n;

	n = (struct nursery){.loop = loop_ev_new()};
	n.children = child_processes_system(n.loop);
	*state = &n;
	return 0;
}

static int nursery_close(void **state)
{
	struct nursery *n = *state;

	assert_null(child_processes_system_free(n->children));
	n->loop->ops->free(n->loop);
	free(n->output);
	return 0;
}

static void child_done(void *ctx, int exit_status, const char *output)
{
	struct nursery *n = ctx;

	n->calls++;
	n->status = exit_status;
	free(n->output);
	n->output = xstrdup(output);
	n->loop->ops->stop(n->loop);
}

static int start(struct nursery *n, const char *const *argv, struct dur limit, size_t cap)
{
	const struct child_order order = {
		.argv = argv, .limit = limit, .cap = cap, .done = child_done, .ctx = n};

	return n->children->run(n->children, &order, &n->child);
}

static void run_to_end(struct nursery *n, const char *const *argv, struct dur limit, size_t cap)
{
	n->calls = 0;
	assert_int_equal(start(n, argv, limit, cap), 0);
	assert_int_equal(n->calls, 0);
	n->loop->ops->run(n->loop);
	assert_int_equal(n->calls, 1);
}

static void run_script(struct nursery *n, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};

	run_to_end(n, argv, DUR_S(60), 4096);
}

static void a_child_gives_its_output_and_no_shell_sees_its_arguments(void **state)
{
	struct nursery *n = *state;
	const char *const argv[] = {"printf", "%s|", "a b", "$HOME", "; exit 3", "*", NULL};

	run_to_end(n, argv, DUR_S(60), 4096);
	assert_int_equal(n->status, 0);
	assert_string_equal(n->output, "a b|$HOME|; exit 3|*|");
}

static void a_failed_child_gives_its_status_and_what_it_complained(void **state)
{
	struct nursery *n = *state;

	run_script(n, "echo token; echo 'Please run az login' >&2; exit 3");
	assert_int_equal(n->status, 3);
	assert_string_equal(n->output, "Please run az login\n");
	run_script(n, "kill -TERM $$");
	assert_int_equal(n->status, 128 + SIGTERM);
}

static void a_long_complaint_is_cut_and_never_holds_the_child(void **state)
{
	struct nursery *n = *state;

	run_script(n, "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1");
	assert_int_equal(n->status, 1);
	assert_int_equal(strlen(n->output), 4096);
}

static void output_up_to_the_cap_is_given_and_above_it_refused(void **state)
{
	struct nursery *n = *state;
	const char *const fits[] = {"head", "-c", "100000", "/dev/urandom", NULL};
	const char *const endless[] = {"cat", "/dev/zero", NULL};

	run_to_end(n, fits, DUR_S(60), 100000);
	assert_int_equal(n->status, 0);
	run_to_end(n, fits, DUR_S(60), 99999);
	assert_int_equal(n->status, -EFBIG);
	run_to_end(n, endless, DUR_S(60), 1000);
	assert_int_equal(n->status, -EFBIG);
	assert_string_equal(n->output, "");
}

static void a_child_that_takes_too_long_dies_with_all_it_started(void **state)
{
	struct nursery *n = *state;
	const char *const argv[] = {"sh", "-c", "echo here >&2; sleep 1000 & sleep 1000", NULL};
	int status, killed = 0;

	/* What it leaves behind becomes ours. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	run_to_end(n, argv, DUR_MS(200), 4096);
	assert_int_equal(n->status, -ETIMEDOUT);
	while (waitpid(-1, &status, 0) > 0) {
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		killed++;
	}
	assert_int_equal(errno, ECHILD);
	assert_in_range(killed, 0, 2);
}

static void a_child_of_a_child_does_not_hold_the_end(void **state)
{
	struct nursery *n = *state;
	int status;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	run_script(n, "sleep 1000 & echo done");
	assert_int_equal(n->status, 0);
	assert_string_equal(n->output, "done\n");
	assert_true(waitpid(-1, &status, 0) > 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_child_has_nothing_to_read_and_no_descriptor_of_ours(void **state)
{
	struct nursery *n = *state;
	int inherited = dup(STDERR_FILENO); /* not close-on-exec */

	run_script(n,
		"cat; for f in 3 4 5 6 7 8 9; do"
		" [ ! -e /proc/self/fd/$f ] || echo $f; done");
	assert_int_equal(n->status, 0);
	assert_string_equal(n->output, "");
	close(inherited);
}

static void a_child_gets_default_signals(void **state)
{
	struct nursery *n = *state;
	sigset_t blocked;

	/* The loop ignores SIGPIPE, and threads of ours block everything. */
	sigfillset(&blocked);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	run_script(n, "kill -PIPE $$; sleep 1000");
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	assert_int_equal(n->status, 128 + SIGPIPE);
}

static void a_program_that_is_not_there_is_an_error_at_once(void **state)
{
	struct nursery *n = *state;
	const char *const argv[] = {"mdcd-no-such-program", NULL};

	assert_int_equal(start(n, argv, DUR_S(60), 100), -ENOENT);
	assert_int_equal(n->calls, 0);
}

static void a_cancelled_child_dies_without_a_call(void **state)
{
	struct nursery *n = *state;
	const char *const argv[] = {"sleep", "1000", NULL};

	n->calls = 0;
	assert_int_equal(start(n, argv, DUR_S(60), 100), 0);
	n->children->cancel(n->children, n->child);
	run_script(n, "exit 7");
	assert_int_equal(n->status, 7);
	/* Nobody is left to be waited for once the loop has seen it. */
	while (waitpid(-1, NULL, WNOHANG) == 0)
		run_script(n, "true");
	assert_int_equal(errno, ECHILD);
}

static void freeing_kills_those_that_run_without_a_call(void **state)
{
	struct nursery *n = *state;
	const char *const argv[] = {"sleep", "1000", NULL};

	assert_int_equal(start(n, argv, DUR_S(60), 100), 0);
	assert_int_equal(start(n, argv, DUR_S(60), 100), 0);
	n->children = child_processes_system_free(n->children);
	assert_int_equal(n->calls, 0);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	n->children = child_processes_system(n->loop);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)
#define CHILD_TEST(name) cmocka_unit_test_setup_teardown(name, nursery_open, nursery_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(a_secret_is_read_whole_with_its_bytes),
		FILE_TEST(a_link_to_a_secret_is_followed),
		FILE_TEST(a_link_is_refused_where_somebody_else_named_it),
		FILE_TEST(a_file_above_the_cap_is_refused),
		FILE_TEST(what_is_no_regular_file_is_refused_at_once),
		FILE_TEST(a_version_changes_with_content_time_and_file),
		cmocka_unit_test(random_bytes_fill_all_of_the_room_and_no_more),
		cmocka_unit_test(a_guid_is_of_version_4),
		CHILD_TEST(a_child_gives_its_output_and_no_shell_sees_its_arguments),
		CHILD_TEST(a_failed_child_gives_its_status_and_what_it_complained),
		CHILD_TEST(a_long_complaint_is_cut_and_never_holds_the_child),
		CHILD_TEST(output_up_to_the_cap_is_given_and_above_it_refused),
		CHILD_TEST(a_child_that_takes_too_long_dies_with_all_it_started),
		CHILD_TEST(a_child_of_a_child_does_not_hold_the_end),
		CHILD_TEST(a_child_has_nothing_to_read_and_no_descriptor_of_ours),
		CHILD_TEST(a_child_gets_default_signals),
		CHILD_TEST(a_program_that_is_not_there_is_an_error_at_once),
		CHILD_TEST(a_cancelled_child_dies_without_a_call),
		CHILD_TEST(freeing_kills_those_that_run_without_a_call),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
