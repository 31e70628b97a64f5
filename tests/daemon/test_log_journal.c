/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log.h"
#include "lib/base/buf.h"
#include "lib/base/xalloc.h"

#include <endian.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "0d9c1a5be2f34c0a8b6f5d1e7a40c324"
#define ENTRY_MAX (2 << 20)

/* --- a journald of our own --- */

struct journal {
	char directory[64];
	char path[96];
	int fd;
};

static void journal_start(struct journal *j)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", j->path);
	unlink(j->path);
	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(j->fd >= 0);
	assert_int_equal(bind(j->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void journal_stop(struct journal *j)
{
	close(j->fd);
	j->fd = -1;
}

/* The sealed file that came in place of a datagram. */
static size_t read_file(int fd, char *data)
{
	ssize_t len = pread(fd, data, ENTRY_MAX, 0);

	assert_true(len > 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
		F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	close(fd);
	return (size_t)len;
}

static size_t journal_receive(struct journal *j, char *data)
{
	struct iovec part = {data, ENTRY_MAX};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(j->fd, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fd;

	assert_true(len >= 0);
	if (c == NULL)
		return (size_t)len;
	assert_int_equal(len, 0);
	assert_int_equal(c->cmsg_type, SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return read_file(fd, data);
}

/* The next entry as "NAME=value" lines, a newline inside a value as "↵". */
static char *journal_next(struct journal *j)
{
	mdc_autofree char *data = xmalloc(ENTRY_MAX);
	size_t len = journal_receive(j, data);
	struct buf text = BUF_INIT(4 * ENTRY_MAX);
	const char *p = data, *end = data + len;

	while (p < end) {
		const char *line = memchr(p, '\n', (size_t)(end - p));
		const char *equals;
		uint64_t size;

		assert_non_null(line);
		equals = memchr(p, '=', (size_t)(line - p));
		if (equals != NULL) {
			buf_add(&text, p, (size_t)(line - p));
			p = line + 1;
		} else {
			buf_add(&text, p, (size_t)(line - p));
			buf_addc(&text, '=');
			memcpy(&size, line + 1, sizeof(size));
			size = le64toh(size);
			p = line + 1 + sizeof(size);
			assert_true(size < (uint64_t)(end - p));
			for (uint64_t i = 0; i < size; i++)
				buf_adds(&text, p[i] == '\n' ? "↵" : (char[]){p[i], '\0'});
			p += size;
			assert_int_equal(*p, '\n');
			p++;
		}
		buf_addc(&text, '\n');
	}
	assert_false(buf_failed(&text));
	return buf_steal(&text);
}

/* --- what goes to stderr --- */

struct capture {
	int file;
	int saved;
};

static void capture_begin(struct capture *c)
{
	fflush(stderr);
	c->saved = dup(STDERR_FILENO);
	c->file = memfd_create("stderr", MFD_CLOEXEC);
	dup2(c->file, STDERR_FILENO);
}

static char *capture_end(struct capture *c)
{
	off_t size = lseek(c->file, 0, SEEK_END);
	char *text = xcalloc(1, (size_t)size + 1);

	assert_int_equal(pread(c->file, text, (size_t)size, 0), size);
	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	close(c->file);
	return text;
}

/* --- fixture --- */

static int setup(void **state)
{
	static struct journal j;

	j = (struct journal){.directory = "/tmp/mdcd-journal-XXXXXX", .fd = -1};
	assert_non_null(mkdtemp(j.directory));
	snprintf(j.path, sizeof(j.path), "%s/socket", j.directory);
	unsetenv("JOURNAL_STREAM");
	*state = &j;
	return 0;
}

static int teardown(void **state)
{
	struct journal *j = *state;

	if (j->fd >= 0)
		close(j->fd);
	unlink(j->path);
	rmdir(j->directory);
	return 0;
}

static int put(struct log_sink *s, const char *message)
{
	return s->write(s, LOG_NOTICE, ID, message, NULL, 0);
}

static void assert_next_message(struct journal *j, const char *message)
{
	mdc_autofree char *entry = journal_next(j);
	mdc_autofree char *start = xasprintf("MESSAGE=%s\n", message);

	assert_int_equal(strncmp(entry, start, strlen(start)), 0);
}

/* --- tests --- */

static void an_entry_arrives_with_its_fields(void **state)
{
	struct journal *j = *state;
	struct log_sink *s = log_sink_journal_at(j->path);
	const struct log_field fields[] = {
		{"MDCD_FROM", (char[]){"drifted"}}, {"MDCD_TO", (char[]){"queued"}}};
	mdc_autofree char *entry = NULL;

	journal_start(j);
	assert_int_equal(s->write(s, LOG_WARNING, ID, "a = b", fields, 2), 0);
	entry = journal_next(j);
	assert_string_equal(entry,
		"MESSAGE=a = b\nPRIORITY=4\nMESSAGE_ID=" ID
		"\nSYSLOG_IDENTIFIER=mdcd\nSYSLOG_FACILITY=3\n"
		"MDCD_FROM=drifted\nMDCD_TO=queued\n");
	s->free(s);
}

static void a_newline_in_a_value_makes_no_new_field(void **state)
{
	struct journal *j = *state;
	struct log_sink *s = log_sink_journal_at(j->path);
	const struct log_field fields[] = {{"MDCD_MACHINE", (char[]){"a\nPRIORITY=0\n"}}};
	mdc_autofree char *entry = NULL;

	journal_start(j);
	assert_int_equal(s->write(s, LOG_INFO, ID, "one\ntwo", fields, 1), 0);
	entry = journal_next(j);
	assert_string_equal(entry,
		"MESSAGE=one↵two\nPRIORITY=6\nMESSAGE_ID=" ID
		"\nSYSLOG_IDENTIFIER=mdcd\nSYSLOG_FACILITY=3\n"
		"MDCD_MACHINE=a↵PRIORITY=0↵\n");
	s->free(s);
}

static void an_entry_too_large_for_a_datagram_arrives_as_a_sealed_file(void **state)
{
	struct journal *j = *state;
	struct log_sink *s = log_sink_journal_at(j->path);
	size_t size = 900 * 1000;
	mdc_autofree char *value = xcalloc(1, size + 1);
	mdc_autofree char *entry = NULL;
	struct log_field field = {"MDCD_DETAIL", value};

	journal_start(j);
	memset(value, 'v', size);
	assert_int_equal(s->write(s, LOG_INFO, ID, "large", &field, 1), 0);
	entry = journal_next(j);
	assert_non_null(strstr(entry, "MESSAGE=large\n"));
	assert_non_null(strstr(entry, value));
	assert_int_equal(put(s, "small again"), 0);
	assert_next_message(j, "small again");
	s->free(s);
}

static void a_journal_that_does_not_read_is_waited_for(void **state)
{
	struct journal *j = *state;
	struct log_sink *s = log_sink_journal_at(j->path);
	unsigned sent = 0, n;
	char text[16];

	journal_start(j);
	for (;;) {
		int error;

		snprintf(text, sizeof(text), "%u", sent);
		error = put(s, text);
		if (error == 0) {
			sent++;
			continue;
		}
		assert_int_equal(error, -EAGAIN);
		break;
	}
	assert_true(sent > 0);
	for (n = 0; n < sent; n++) {
		snprintf(text, sizeof(text), "%u", n);
		assert_next_message(j, text);
	}
	assert_int_equal(put(s, "goes on"), 0);
	assert_next_message(j, "goes on");
	s->free(s);
}

static void without_any_journal_lines_go_to_stderr_and_count(void **state)
{
	struct journal *j = *state;
	struct log_sink *s = log_sink_journal_at(j->path);
	struct capture c;
	mdc_autofree char *lines = NULL;

	capture_begin(&c);
	assert_int_equal(put(s, "nobody there"), 0);
	lines = capture_end(&c);
	assert_non_null(strstr(lines, " nobody there\n"));
	journal_start(j);
	assert_int_equal(put(s, "now somebody"), 0);
	assert_next_message(j, "now somebody");
	s->free(s);
}

static void a_journal_that_went_away_is_found_again_and_told(void **state)
{
	struct journal *j = *state;
	struct log_sink *s = log_sink_journal_at(j->path);
	struct capture c;
	mdc_autofree char *lines = NULL;

	journal_start(j);
	assert_int_equal(put(s, "one"), 0);
	assert_next_message(j, "one");
	journal_stop(j);
	capture_begin(&c);
	assert_int_equal(put(s, "two"), -ECONNREFUSED);
	unlink(j->path);
	assert_int_equal(put(s, "three"), -ENOENT);
	lines = capture_end(&c);
	assert_non_null(strstr(lines, " two\n"));
	assert_non_null(strstr(lines, " three\n"));
	journal_start(j);
	assert_int_equal(put(s, "four"), 0);
	assert_next_message(j, "four");
	assert_next_message(j, "the journal is back; 2 log entries went to stderr in the meantime");
	assert_int_equal(put(s, "five"), 0);
	assert_next_message(j, "five");
	s->free(s);
}

static void a_journal_restarted_between_two_entries_is_not_missed(void **state)
{
	struct journal *j = *state;
	struct log_sink *s = log_sink_journal_at(j->path);

	journal_start(j);
	assert_int_equal(put(s, "one"), 0);
	journal_stop(j);
	journal_start(j);
	assert_int_equal(put(s, "two"), 0);
	assert_next_message(j, "two");
	s->free(s);
}

static void a_stopped_journal_holds_neither_the_log_nor_its_heartbeat(void **state)
{
	struct journal *j = *state;
	struct log *l;
	uint64_t beat;

	journal_start(j);
	l = log_new(log_sink_journal_at(j->path), true);
	for (unsigned i = 1; i <= 2000; i++)
		log_commit(log_begin(l, LOG_TRANSITION_MESSAGE), i, "%u", i);
	beat = log_heartbeat(l);
	while (log_heartbeat(l) < beat + 2)
		poll(NULL, 0, 1);
	assert_int_equal(log_dropped(l), 0);
	for (unsigned i = 1; i <= 2000; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		assert_next_message(j, text);
	}
	log_free(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_entry_arrives_with_its_fields),
		TEST(a_newline_in_a_value_makes_no_new_field),
		TEST(an_entry_too_large_for_a_datagram_arrives_as_a_sealed_file),
		TEST(a_journal_that_does_not_read_is_waited_for),
		TEST(without_any_journal_lines_go_to_stderr_and_count),
		TEST(a_journal_that_went_away_is_found_again_and_told),
		TEST(a_journal_restarted_between_two_entries_is_not_missed),
		TEST(a_stopped_journal_holds_neither_the_log_nor_its_heartbeat),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
