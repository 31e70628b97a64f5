/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log.h"
#include "lib/base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "0d9c1a5be2f34c0a8b6f5d1e7a40c324"

/* Runs one write with `fd` as stderr; gives what arrives at `read_fd`. Takes `fd`. */
static char *line_of(int take_fd, int read_fd, int priority, const char *message,
	const struct log_field *fields, size_t count)
{
	int saved = dup(STDERR_FILENO);
	struct log_sink *s;
	char *text = xcalloc(1, 4096);
	int result;

	fflush(stderr);
	dup2(take_fd, STDERR_FILENO);
	s = log_sink_stderr();
	result = s->write(s, priority, ID, message, fields, count);
	s->free(s);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(take_fd);
	assert_int_equal(result, 0);
	assert_true(read(read_fd, text, 4095) > 0);
	return text;
}

static char *piped_line(
	int priority, const char *message, const struct log_field *fields, size_t count)
{
	int ends[2];
	char *text;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	text = line_of(ends[1], ends[0], priority, message, fields, count);
	close(ends[0]);
	return text;
}

static char *terminal_line(int priority, const char *message)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios raw;
	int slave;
	char *text;

	if (master < 0) {
		print_message("# no terminals here: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	assert_int_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	/* One more descriptor, so that the terminal does not hang up before it is read. */
	text = line_of(dup(slave), master, priority, message, NULL, 0);
	close(slave);
	close(master);
	return text;
}

/* "HH:MM:SS ", whatever the time. */
static const char *after_time(const char *line)
{
	static const char form[] = "00:00:00 ";

	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == '0')
			assert_in_range(line[i], '0', '9');
		else
			assert_int_equal(line[i], form[i]);
	return line + strlen(form);
}

static int setup(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	return 0;
}

static void a_line_has_the_time_the_sentence_and_what_matters(void **state)
{
	const struct log_field fields[] = {{"MDCD_CONTROL", (char[]){"servers-plan"}},
		{"MDCD_ERROR_CODE", (char[]){"AuthorizationFailed"}},
		{"MDCD_SCOPE", (char[]){"production"}}};
	mdc_autofree char *line = NULL;

	(void)state;
	line = piped_line(LOG_WARNING, "it failed", fields, ARRAY_LEN(fields));
	assert_string_equal(
		after_time(line), "it failed (scope production, code AuthorizationFailed)\n");
}

static void a_line_without_fields_is_only_the_sentence(void **state)
{
	mdc_autofree char *line = NULL;

	(void)state;
	line = piped_line(LOG_CRIT, "halted", NULL, 0);
	assert_string_equal(after_time(line), "halted\n");
}

static void a_terminal_gets_colours_by_priority(void **state)
{
	mdc_autofree char *error = NULL, *info = NULL;

	(void)state;
	error = terminal_line(LOG_ERR, "bad");
	info = terminal_line(LOG_INFO, "fine");
	assert_string_equal(after_time(error), "\x1b[31mbad\x1b[0m\n");
	assert_string_equal(after_time(info), "fine\n");
}

static void no_color_and_dumb_terminals_are_respected(void **state)
{
	mdc_autofree char *asked = NULL, *dumb = NULL;

	(void)state;
	setenv("NO_COLOR", "1", 1);
	asked = terminal_line(LOG_ERR, "bad");
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	dumb = terminal_line(LOG_ERR, "bad");
	assert_string_equal(after_time(asked), "bad\n");
	assert_string_equal(after_time(dumb), "bad\n");
}

static void a_stream_to_the_journal_gets_priorities_and_no_time(void **state)
{
	int ends[2];
	struct stat st;
	char stream[64];
	mdc_autofree char *line = NULL, *other = NULL;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fstat(ends[1], &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	line = line_of(ends[1], ends[0], LOG_WARNING, "it failed", NULL, 0);
	assert_string_equal(line, "<4>it failed\n");
	/* The variable is inherited by children whose stderr is something else. */
	other = piped_line(LOG_WARNING, "it failed", NULL, 0);
	assert_string_equal(after_time(other), "it failed\n");
	close(ends[0]);
}

static void a_stderr_that_nobody_reads_is_not_waited_for(void **state)
{
	int ends[2], saved = dup(STDERR_FILENO), error;
	struct log_sink *s;
	static const char block[4096];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(ends[1], block, sizeof(block)) > 0)
		continue;
	dup2(ends[1], STDERR_FILENO);
	s = log_sink_stderr();
	error = s->write(s, LOG_INFO, ID, "unread", NULL, 0);
	s->free(s);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(error, -EAGAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, NULL)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_the_time_the_sentence_and_what_matters),
		TEST(a_line_without_fields_is_only_the_sentence),
		TEST(a_terminal_gets_colours_by_priority),
		TEST(no_color_and_dumb_terminals_are_respected),
		TEST(a_stream_to_the_journal_gets_priorities_and_no_time),
		TEST(a_stderr_that_nobody_reads_is_not_waited_for),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
