/* SPDX-License-Identifier: Apache-2.0 */
/* The watchdog of a whole daemon: fed while the loop and both threads turn, and not otherwise. */
#include "tests/daemon/daemon_fixture.h"

#include <sched.h>
#include <semaphore.h>
#include <sqlite3.h>

#define OBSERVE FIXTURE_POLICY FIXTURE_SCOPE("observe")

static bool notified(const struct fixture *f, const char *text)
{
	return strstr(buf_str(&f->notified), text) != NULL;
}

static unsigned times_notified(const struct fixture *f, const char *text)
{
	unsigned n = 0;

	for (const char *p = buf_str(&f->notified); (p = strstr(p, text)) != NULL; p++)
		n++;
	return n;
}

static void the_watchdog_is_fed_while_everything_turns(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	f.notify.watchdog = DUR_S(15);
	fixture_start(&f);
	pass(&f, DUR_MIN(10));
	assert_in_range(times_notified(&f, "WATCHDOG=1"), 39, 41);
	fixture_fini(&f);
}

static void without_a_watchdog_nothing_is_fed(void **state)
{
	struct fixture f;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	pass(&f, DUR_MIN(10));
	assert_int_equal(times_notified(&f, "WATCHDOG=1"), 0);
	fixture_fini(&f);
}

struct stuck_sink {
	struct log_sink base;
	sem_t entered, go;
	bool stuck;
};

static int stuck_write(struct log_sink *s, int priority, const char *message_id,
	const char *message, const struct log_field *fields, size_t count)
{
	struct stuck_sink *sink = container_of(s, struct stuck_sink, base);

	(void)priority;
	(void)message_id;
	(void)message;
	(void)fields;
	(void)count;
	if (__atomic_load_n(&sink->stuck, __ATOMIC_SEQ_CST)) {
		sem_post(&sink->entered);
		sem_wait(&sink->go);
	}
	return 0;
}

static struct log_sink *stuck_free(struct log_sink *s)
{
	(void)s;
	return NULL;
}

/* Half a minute of the daemon's time at least, and as much of the threads' as they need. */
static bool gets_fed(struct fixture *f, unsigned tries)
{
	buf_reset(&f->notified);
	for (unsigned i = 0; i < tries && !notified(f, "WATCHDOG=1"); i++) {
		pass(f, DUR_S(15));
		sched_yield();
	}
	return notified(f, "WATCHDOG=1");
}

static void a_thread_that_hangs_starves_the_watchdog(void **state)
{
	struct stuck_sink sink = {.base = {.write = stuck_write, .free = stuck_free}};
	struct fixture f;

	(void)state;
	sem_init(&sink.entered, 0, 0);
	sem_init(&sink.go, 0, 0);
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	f.fake.world.log = log_free(f.fake.world.log);
	f.fake.world.log = log_new(&sink.base, true);
	f.notify.watchdog = DUR_S(15);
	fixture_start(&f);
	assert_true(gets_fed(&f, 100000));
	__atomic_store_n(&sink.stuck, true, __ATOMIC_SEQ_CST);
	log_say(f.fake.world.log, LOG_TROUBLE_MESSAGE, "for a journal that hangs");
	sem_wait(&sink.entered);
	/* The turn that it began before may still count once. */
	pass(&f, DUR_S(15));
	assert_false(gets_fed(&f, 20));
	__atomic_store_n(&sink.stuck, false, __ATOMIC_SEQ_CST);
	sem_post(&sink.go);
	assert_true(gets_fed(&f, 100000));
	fixture_stop(&f);
	f.fake.world.log = log_free(f.fake.world.log);
	fixture_fini(&f);
	sem_destroy(&sink.entered);
	sem_destroy(&sink.go);
}

/* The system's files, whose syncs hang while they are told to. */
static struct stuck_disk {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	sqlite3_io_methods methods;
	int (*sync)(sqlite3_file *file, int flags);
	sem_t entered, go;
	bool stuck;
} stuck_disk;

static int stuck_sync(sqlite3_file *file, int flags)
{
	if (__atomic_load_n(&stuck_disk.stuck, __ATOMIC_SEQ_CST)) {
		sem_post(&stuck_disk.entered);
		sem_wait(&stuck_disk.go);
	}
	return stuck_disk.sync(file, flags);
}

static int stuck_open(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	int r = stuck_disk.real->xOpen(stuck_disk.real, name, file, flags, ret_flags);

	(void)vfs;
	if (r != SQLITE_OK || (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) == 0)
		return r;
	/* Files of one kind share their methods. */
	if (stuck_disk.sync == NULL) {
		stuck_disk.methods = *file->pMethods;
		stuck_disk.sync = stuck_disk.methods.xSync;
		stuck_disk.methods.xSync = stuck_sync;
	}
	file->pMethods = &stuck_disk.methods;
	return r;
}

static void stuck_disk_begin(void)
{
	memset(&stuck_disk, 0, sizeof(stuck_disk));
	stuck_disk.real = sqlite3_vfs_find(NULL);
	stuck_disk.vfs = *stuck_disk.real;
	stuck_disk.vfs.zName = "stuck";
	stuck_disk.vfs.xOpen = stuck_open;
	sem_init(&stuck_disk.entered, 0, 0);
	sem_init(&stuck_disk.go, 0, 0);
	assert_int_equal(sqlite3_vfs_register(&stuck_disk.vfs, 0), SQLITE_OK);
}

static void stuck_disk_end(void)
{
	sqlite3_vfs_unregister(&stuck_disk.vfs);
	sem_destroy(&stuck_disk.entered);
	sem_destroy(&stuck_disk.go);
}

static void a_disk_that_hangs_starves_the_watchdog(void **state)
{
	struct fixture f;

	(void)state;
	stuck_disk_begin();
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	f.fake.world.store_vfs = "stuck";
	f.fake.world.store_threaded = true;
	f.notify.watchdog = DUR_S(15);
	fixture_start(&f);
	assert_true(gets_fed(&f, 100000));
	__atomic_store_n(&stuck_disk.stuck, true, __ATOMIC_SEQ_CST);
	tell(&f, "pause", "{\"target\":\"*\"}");
	sem_wait(&stuck_disk.entered);
	/* The turn that it began before may still count once. */
	pass(&f, DUR_S(15));
	assert_false(gets_fed(&f, 20));
	__atomic_store_n(&stuck_disk.stuck, false, __ATOMIC_SEQ_CST);
	sem_post(&stuck_disk.go);
	assert_true(gets_fed(&f, 100000));
	fixture_stop(&f);
	fixture_fini(&f);
	stuck_disk_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_watchdog_is_fed_while_everything_turns),
		cmocka_unit_test(without_a_watchdog_nothing_is_fed),
		cmocka_unit_test(a_thread_that_hangs_starves_the_watchdog),
		cmocka_unit_test(a_disk_that_hangs_starves_the_watchdog),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
