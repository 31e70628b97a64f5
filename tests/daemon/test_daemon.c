/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon_parts.h"
#include "daemon/once.h"
#include "tests/daemon/daemon_fixture.h"
#include "tests/harness/own_world.h"
#include "tests/harness/vfs_crash.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#define OBSERVE FIXTURE_POLICY FIXTURE_SCOPE("observe")
#define ENFORCE FIXTURE_POLICY FIXTURE_SCOPE("enforce")
/* An estate in which only one extension is missing. */
#define ONE_MACHINE "subscriptions=1,machines=1,unreached=100%,plan=P2,integration=on"

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

static void sends_signal(struct fixture *f, int number)
{
	loop_virtual_signal(f->fake.world.loop, number);
	loop_virtual_settle(f->fake.world.loop);
}

static struct item *extension_of_the_machine(struct fixture *f)
{
	size_t place = 0;
	struct machine *m = map_walk(&f->d->inventory->machines, &place)->value;

	return inventory_item(m->subscription, m, CONTROL_MDE_EXTENSION);
}

static uint64_t writes_sent(struct fixture *f)
{
	struct executor_counts n;

	executor_counts(f->d->executor, &n);
	return n.sent;
}

static void the_estate_is_content(struct fixture *f)
{
	struct estate_verdict verdict;

	estate_verdict(f->estate, &verdict);
	assert_true(verdict.good);
}

/* --- the beginning --- */

static void cannot_start(struct fixture *f, int error, const char *why)
{
	struct buf text = BUF_INIT(65536);

	assert_int_equal(fixture_try_new(f), error);
	assert_null(f->d);
	diags_render(&f->diags, &text);
	if (strstr(buf_str(&text), why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, buf_str(&text));
	buf_fini(&text);
}

static void a_state_directory_that_is_missing_is_made_for_its_owner_alone(void **state)
{
	struct fixture f;
	mdc_autofree char *path = NULL;
	struct stat st;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	path = fixture_path(&f, "state");
	fixture_start(&f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	fixture_fini(&f);
}

static void a_state_directory_in_use_is_refused_with_its_holder(void **state)
{
	struct fixture f;
	struct daemon *first;
	mdc_autofree char *holder = xasprintf("process %d", (int)getpid());

	(void)state;
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	fixture_start(&f);
	first = mdc_take(f.d);
	cannot_start(&f, -EAGAIN, holder);
	daemon_free(first);
	fixture_start(&f);
	fixture_fini(&f);
}

static void places_that_cannot_be_used_are_named(void **state)
{
	struct fixture f;
	mdc_autofree char *socket = NULL, *directory = NULL;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	directory = fixture_path(&f, "state");
	fixture_write(directory, "a file");
	cannot_start(&f, -ENOTDIR, directory);
	assert_int_equal(unlink(directory), 0);
	socket = fixture_path(&f, "control.sock");
	fixture_write(socket, "a file");
	cannot_start(&f, -EEXIST, socket);
	assert_int_equal(unlink(socket), 0);
	/* What failed left nothing behind that is in the way. */
	fixture_start(&f);
	fixture_fini(&f);
}

static void root_does_not_spoil_the_state_of_the_service(void **state)
{
	struct fixture f;
	mdc_autofree char *path = NULL;

	(void)state;
	if (geteuid() != 0 || !own_world_enter() ||
		!own_world_replace_file(
			"/etc/passwd", "root:x:0:0::/:/bin/sh\nmdcd:x:70001:70001::/:/bin/false\n"))
		skip();
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	path = fixture_path(&f, "state");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, 70001, 70001), 0);
	cannot_start(&f, -EPERM, "sudo -u mdcd");
	/* Another owner is no service's. */
	assert_int_equal(chown(path, 70002, 70002), 0);
	fixture_start(&f);
	fixture_fini(&f);
	umount2("/etc/passwd", MNT_DETACH);
}

static void systemd_is_told_of_the_start_in_words(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, SMALL_ESTATE, OBSERVE);
	assert_int_equal(fixture_try_new(&f), 0);
	assert_false(notified(&f, "READY=1"));
	daemon_start(f.d);
	assert_int_equal(times_notified(&f, "READY=1"), 1);
	assert_true(notified(&f, "STATUS=observing for the first time"));
	pass(&f, DUR_MIN(1));
	assert_true(notified(&f,
		"STATUS=20 machines in 2 subscriptions; 20 in sync, 24 to go, 0 in work, 0 need a "
		"person"));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_STARTED_MESSAGE), 1);
	assert_string_equal(
		captured_field(log_capture_entry(f.fake.capture, LOG_STARTED_MESSAGE, 0),
			"MDCD_CONFIG_DIGEST"),
		f.d->config_digest);
	fixture_fini(&f);
}

static void the_status_line_is(struct fixture *f, const char *beginning)
{
	struct buf line = BUF_INIT(4096);

	daemon_status_line(f->d, &line);
	if (strncmp(buf_str(&line), beginning, strlen(beginning)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", buf_str(&line), beginning);
	buf_fini(&line);
}

static void the_status_line_begins_with_what_holds_all_writes(void **state)
{
	struct fixture f;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, ENFORCE);
	the_status_line_is(&f, "waits for mdcctl confirm; 20 machines");
	tell(&f, "confirm", NULL);
	the_status_line_is(&f, "20 machines in 2 subscriptions");
	tell(&f, "pause", "{\"target\":\"*\"}");
	the_status_line_is(&f, "paused; ");
	tell(&f, "halt", NULL);
	the_status_line_is(&f, "HALTED, see mdcctl status; ");
	daemon_stop(f.d);
	the_status_line_is(&f, "stopping; ");
	fixture_fini(&f);
}

/* --- reload --- */

static void a_reload_signal_reads_the_configuration_anew(void **state)
{
	struct fixture f;
	char digest[65];

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	str_copy(digest, sizeof(digest), f.d->config_digest);
	buf_reset(&f.notified);
	fixture_configure(&f, ENFORCE);
	sends_signal(&f, SIGHUP);
	assert_string_not_equal(f.d->config_digest, digest);
	assert_true(notified(&f, "RELOADING=1\nMONOTONIC_USEC="));
	assert_true(strstr(strstr(buf_str(&f.notified), "RELOADING=1"), "READY=1") != NULL);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_RELOADED_MESSAGE), 1);
	assert_true(log_capture_holds(f.fake.capture, "scope \"all\"/mode: observe -> enforce"));
	assert_int_equal(f.d->config->scopes[0].mode, MODE_ENFORCE);
	fixture_fini(&f);
}

static void a_reload_with_an_error_keeps_everything(void **state)
{
	struct fixture f;
	const struct config *config;
	char digest[65];

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	config = f.d->config;
	str_copy(digest, sizeof(digest), f.d->config_digest);
	buf_reset(&f.notified);
	fixture_configure(&f, FIXTURE_POLICY "scope \"all\" { mode = perhaps }\n");
	sends_signal(&f, SIGHUP);
	assert_ptr_equal(f.d->config, config);
	assert_string_equal(f.d->config_digest, digest);
	assert_true(notified(&f, "RELOADING=1"));
	assert_true(notified(&f, "READY=1\nSTATUS=reload failed"));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_RELOAD_FAILED_MESSAGE), 1);
	assert_true(log_capture_holds(f.fake.capture, "perhaps"));
	/* A file that is away is an error like any other. */
	assert_int_equal(unlink(f.config_path), 0);
	sends_signal(&f, SIGHUP);
	assert_ptr_equal(f.d->config, config);
	/* It goes on as before. */
	fixture_configure(&f, OBSERVE);
	pass(&f, DUR_MIN(6));
	assert_int_equal(f.d->last_pass[PASS_MACHINES].problems, 0);
	/* What is written is not in force, until a reload succeeds. */
	the_status_line_is(&f, "the last reload failed; 20 machines");
	sends_signal(&f, SIGHUP);
	the_status_line_is(&f, "20 machines");
	fixture_fini(&f);
}

static void warnings_of_a_reload_are_told(void **state)
{
	struct fixture f;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	fixture_configure(&f, FIXTURE_POLICY);
	sends_signal(&f, SIGHUP);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_RELOADED_MESSAGE), 1);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_CONFIG_DOUBTFUL_MESSAGE), 1);
	assert_true(log_capture_holds(f.fake.capture, "there is no scope"));
	fixture_fini(&f);
}

static void what_waits_for_a_restart_is_named_until_it_is_taken_back(void **state)
{
	struct fixture f;
	const char *names[DAEMON_FIXED_N_];
	mdc_autofree char *before = NULL, *elsewhere = NULL;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	assert_int_equal(daemon_restart_options(f.d, names), 0);
	before = xasprintf("%s/state", f.directory);
	elsewhere = xasprintf("state-directory = \"%s/other\"\ncontrol-socket = \"%s/s\"\n"
			      "log = journal\n" FIXTURE_CLOUD OBSERVE,
		f.directory, f.directory);
	fixture_write(f.config_path, elsewhere);
	tell(&f, "reload", NULL);
	assert_int_equal(daemon_restart_options(f.d, names), 3);
	assert_string_equal(names[0], "state-directory");
	assert_string_equal(names[1], "control-socket");
	assert_string_equal(names[2], "log");
	/* Whatever else is reloaded meanwhile. */
	tell(&f, "reload", NULL);
	assert_int_equal(daemon_restart_options(f.d, names), 3);
	fixture_configure(&f, OBSERVE);
	tell(&f, "reload", NULL);
	assert_int_equal(daemon_restart_options(f.d, names), 0);
	/* The halt is still where the state is. */
	tell(&f, "halt", NULL);
	assert_int_equal(access(before, F_OK), 0);
	fixture_fini(&f);
}

/* At every moment of a pass, and of the operations that follow it. */
static void a_reload_at_any_moment_loses_and_repeats_nothing(void **state)
{
	(void)state;
	for (int64_t at = 0; at < 40; at++) {
		struct fixture f;
		struct item *item;

		fixture_init(&f, ONE_MACHINE, ENFORCE);
		fixture_start(&f);
		pass(&f, DUR_S(10));
		tell(&f, "confirm", NULL);
		for (int64_t i = 0; i < 5; i++) {
			fixture_configure(
				&f, i % 2 == 0 ? "impact { machines = 50 }\n" ENFORCE : ENFORCE);
			pass(&f, DUR_MS(137 * at));
			sends_signal(&f, SIGHUP);
		}
		pass(&f, DUR_H(2));
		item = extension_of_the_machine(&f);
		assert_int_equal(item->state, ITEM_COMPLIANT);
		assert_int_equal(writes_sent(&f), 1);
		the_estate_is_content(&f);
		fixture_fini(&f);
	}
}

static unsigned open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* What would be lost each time is found by the sanitizer at the end, or counted here. */
static void a_thousand_reloads_hold_on_to_nothing(void **state)
{
	static const char *const configurations[] = {OBSERVE, ENFORCE,
		FIXTURE_POLICY
		"scope \"one\" { identity = \"main\"  subscriptions = { \"" ESTATE_SUB
		"\" }  policy = \"servers\" }\n",
		FIXTURE_POLICY, "nonsense\n"};
	struct fixture f;
	unsigned descriptors;
	size_t texts;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	descriptors = open_descriptors();
	texts = f.d->inventory->texts.strings.count;
	for (int i = 0; i < 1000; i++) {
		struct reload_result result;
		int error;

		fixture_configure(&f, configurations[i % 5]);
		error = daemon_reload(f.d, &result);
		assert_int_equal(error, i % 5 == 4 ? -EINVAL : 0);
		reload_result_fini(&result);
		if (i % 10 == 0)
			pass(&f, DUR_S(1));
	}
	assert_int_equal(open_descriptors(), descriptors);
	assert_true(f.d->inventory->texts.strings.count <= texts + 5);
	fixture_fini(&f);
}

/* --- signals --- */

static void usr1_observes_now(void **state)
{
	struct fixture f;
	struct wall before;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	before = f.d->last_pass[PASS_MACHINES].ended;
	sends_signal(&f, SIGUSR1);
	pass(&f, DUR_S(10));
	assert_true(wall_before(before, f.d->last_pass[PASS_MACHINES].ended));
	fixture_fini(&f);
}

static bool stopped; /* the loop was told to stop */
static const struct loop_ops *real_ops;

static void note_stop(struct loop *l)
{
	stopped = true;
	real_ops->stop(l);
}

/* Sees when the loop is told to stop. */
static void watch_stop(struct fixture *f)
{
	static struct loop_ops watched;
	struct loop *loop = f->fake.world.loop;

	stopped = false;
	real_ops = loop->ops;
	watched = *loop->ops;
	watched.stop = note_stop;
	loop->ops = &watched;
}

static void without_writes_on_the_wire_it_stops_at_once(void **state)
{
	struct fixture f;

	(void)state;
	fixture_observed(&f, SMALL_ESTATE, OBSERVE);
	watch_stop(&f);
	sends_signal(&f, SIGTERM);
	assert_true(stopped);
	assert_true(f.d->stopping);
	assert_int_equal(f.d->exit_status, 0);
	assert_true(notified(&f, "STOPPING=1"));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_STOPPING_MESSAGE), 1);
	fixture_fini(&f);
}

/* The one write of the estate is on the wire, and nobody answers it. */
static void with_a_write_on_the_wire(struct fixture *f)
{
	fixture_observed(f, ONE_MACHINE, ENFORCE);
	fake_transport_answer(
		f->fake.world.transport, &(struct fake_answer){.method = "PUT", .hangs = true});
	tell(f, "confirm", NULL);
	for (int i = 0; i < 100 && executor_on_the_wire(f->d->executor) == 0; i++)
		pass(f, DUR_MS(100));
	assert_int_equal(executor_on_the_wire(f->d->executor), 1);
	watch_stop(f);
}

static void a_write_on_the_wire_is_waited_for_but_not_for_ever(void **state)
{
	struct fixture f;

	(void)state;
	with_a_write_on_the_wire(&f);
	sends_signal(&f, SIGTERM);
	assert_false(stopped);
	pass(&f, DUR_S(9));
	assert_false(stopped);
	pass(&f, DUR_S(2));
	assert_true(stopped);
	/* It may have arrived: nothing is sent again before that is known. */
	fixture_stop(&f);
	fixture_start(&f);
	pass(&f, DUR_MIN(1));
	assert_int_equal(writes_sent(&f), 0);
	fixture_fini(&f);
}

/* The last transitions are those of what the stop takes back. */
static void what_the_stop_takes_back_is_told_before_the_end(void **state)
{
	struct fixture f;
	size_t before;
	const struct captured_entry *e;

	(void)state;
	fixture_observed(&f, ONE_MACHINE, ENFORCE);
	fake_transport_answer(f.fake.world.transport,
		&(struct fake_answer){.method = "GET", .always = true, .hangs = true});
	tell(&f, "confirm", NULL);
	for (int i = 0; i < 100 && executor_waiting(f.d->executor) == 0; i++)
		pass(&f, DUR_MS(100));
	pass(&f, DUR_MS(100));
	before = log_capture_count(f.fake.capture, LOG_TRANSITION_MESSAGE);
	watch_stop(&f);
	sends_signal(&f, SIGTERM);
	for (int i = 0; i < 10 && !stopped; i++)
		pass(&f, DUR_MS(100));
	assert_true(stopped);
	e = log_capture_entry(f.fake.capture, LOG_TRANSITION_MESSAGE, before);
	assert_non_null(e);
	assert_string_equal(captured_field(e, "MDCD_REASON"), "stopping");
	assert_non_null(captured_field(e, "MDCD_SEQ"));
	fixture_fini(&f);
}

static void who_asks_twice_does_not_wait(void **state)
{
	struct fixture f;

	(void)state;
	with_a_write_on_the_wire(&f);
	sends_signal(&f, SIGINT);
	assert_false(stopped);
	sends_signal(&f, SIGINT);
	assert_true(stopped);
	fixture_fini(&f);
}

static void while_it_stops_a_reload_signal_does_nothing(void **state)
{
	struct fixture f;

	(void)state;
	with_a_write_on_the_wire(&f);
	sends_signal(&f, SIGTERM);
	sends_signal(&f, SIGHUP);
	assert_false(notified(&f, "RELOADING=1"));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_RELOADED_MESSAGE), 0);
	fixture_fini(&f);
}

/* --- the journal --- */

static unsigned replayed(const struct fixture *f)
{
	unsigned n = 0;

	for (size_t i = 0;; i++) {
		const struct captured_entry *e =
			log_capture_entry(f->fake.capture, LOG_TRANSITION_MESSAGE, i);

		if (e == NULL)
			return n;
		n += captured_field(e, "MDCD_REPLAYED") != NULL;
	}
}

static void after_a_crash_the_journal_gets_what_it_may_lack(void **state)
{
	struct fixture f;
	size_t told;

	(void)state;
	fixture_observed(&f, ONE_MACHINE, ENFORCE);
	tell(&f, "confirm", NULL);
	pass(&f, DUR_S(30));
	told = log_capture_count(f.fake.capture, LOG_TRANSITION_MESSAGE);
	assert_true(told > 0);
	assert_int_equal(replayed(&f), 0);
	f.d = daemon_abandon(f.d);
	fixture_start(&f);
	/* The same numbers as before, each once, under the same name. */
	assert_int_equal(replayed(&f), told);
	for (size_t i = 0; i < told; i++) {
		const struct captured_entry *before =
			log_capture_entry(f.fake.capture, LOG_TRANSITION_MESSAGE, i);
		const struct captured_entry *again =
			log_capture_entry(f.fake.capture, LOG_TRANSITION_MESSAGE, told + i);

		assert_string_equal(
			captured_field(before, "MDCD_SEQ"), captured_field(again, "MDCD_SEQ"));
		assert_string_equal(captured_field(before, "MDCD_MACHINE"),
			captured_field(again, "MDCD_MACHINE"));
		assert_string_equal(captured_field(before, "MDCD_SUBSCRIPTION_ID"),
			captured_field(again, "MDCD_SUBSCRIPTION_ID"));
	}
	fixture_fini(&f);
}

static void after_a_stop_the_journal_has_everything(void **state)
{
	struct fixture f;

	(void)state;
	fixture_observed(&f, ONE_MACHINE, ENFORCE);
	tell(&f, "confirm", NULL);
	pass(&f, DUR_MIN(10));
	assert_true(log_capture_count(f.fake.capture, LOG_TRANSITION_MESSAGE) > 0);
	fixture_stop(&f);
	fixture_start(&f);
	pass(&f, DUR_MIN(10));
	assert_int_equal(replayed(&f), 0);
	fixture_fini(&f);
}

static void checkpoints_are_told_in_time_and_at_the_end(void **state)
{
	struct fixture f;
	const struct captured_entry *e;
	struct store_checkpoint c;
	json_t *undone = json_string("Free");

	(void)state;
	fixture_observed(&f, ONE_MACHINE, ENFORCE);
	tell(&f, "confirm", NULL);
	pass(&f, DUR_MIN(30));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_CHECKPOINT_MESSAGE), 0);
	pass(&f, DUR_MIN(40));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_CHECKPOINT_MESSAGE), 1);
	e = log_capture_entry(f.fake.capture, LOG_CHECKPOINT_MESSAGE, 0);
	store_checkpoint_read(f.d->store, &c);
	assert_string_equal(captured_field(e, "MDCD_HASH"), c.hash);
	/* Nothing new, nothing told. */
	pass(&f, DUR_H(5));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_CHECKPOINT_MESSAGE), 1);
	tell(&f, "pause", "{\"target\":\"*\"}");
	assert_int_equal(estate_meddle(f.estate,
				 "/subscriptions/" ESTATE_SUB
				 "/providers/Microsoft.Security/pricings/VirtualMachines",
				 "properties.pricingTier", undone),
		0);
	json_decref(undone);
	tell(&f, "reconcile", NULL);
	pass(&f, DUR_MIN(5));
	daemon_stop(f.d);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_CHECKPOINT_MESSAGE), 2);
	fixture_fini(&f);
}

/* --- the store --- */

static void a_full_disk_is_told_holds_writes_and_is_survived(void **state)
{
	struct fixture f;
	struct vfs_crash *disk = vfs_crash_new("test-daemon", 3);

	(void)state;
	fixture_init(&f, ONE_MACHINE, ENFORCE);
	f.fake.world.store_vfs = "test-daemon";
	fixture_start(&f);
	pass(&f, DUR_S(30));
	vfs_crash_arm(disk, VFS_DISK_FULL, 1, UINT64_MAX);
	tell(&f, "confirm", NULL);
	pass(&f, DUR_MIN(10));
	assert_false(store_healthy(f.d->store));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_STORE_FAILED_MESSAGE), 1);
	the_status_line_is(&f, "THE STATE CANNOT BE STORED");
	assert_int_equal(writes_sent(&f), 0);
	vfs_crash_disarm(disk);
	pass(&f, DUR_H(2));
	assert_int_equal(log_capture_count(f.fake.capture, LOG_STORE_RECOVERED_MESSAGE), 1);
	assert_int_equal(extension_of_the_machine(&f)->state, ITEM_COMPLIANT);
	the_estate_is_content(&f);
	fixture_fini(&f);
	vfs_crash_free(disk);
}

static void a_state_that_was_replaced_holds_all_writes_until_somebody_confirms(void **state)
{
	struct fixture f;
	mdc_autofree char *database = NULL;

	(void)state;
	fixture_observed(&f, ONE_MACHINE, ENFORCE);
	tell(&f, "confirm", NULL);
	fixture_stop(&f);
	database = fixture_path(&f, "state/state.db");
	fixture_write(database,
		"this is no database, and long enough to be read as one: "
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	fixture_start(&f);
	assert_int_equal(log_capture_count(f.fake.capture, LOG_STATE_LOST_MESSAGE), 2);
	assert_true(log_capture_holds(f.fake.capture, "was kept as"));
	pass(&f, DUR_MIN(10));
	assert_int_equal(writes_sent(&f), 0);
	/* A restart does not forget it. */
	fixture_stop(&f);
	fixture_start(&f);
	pass(&f, DUR_MIN(10));
	assert_int_equal(writes_sent(&f), 0);
	tell(&f, "confirm", NULL);
	pass(&f, DUR_MIN(10));
	assert_int_equal(writes_sent(&f), 1);
	fixture_fini(&f);
}

/* --- counting --- */

/* The numbers that the setter keeps are those of the items, whatever happens to them. */
static void the_numbers_are_those_of_the_items(struct fixture *f)
{
	struct map_entry *entry;

	map_for_each (&f->d->inventory->subscriptions, entry) {
		const struct subscription *s = entry->value;
		uint32_t states[CONTROL_N_][ITEM_STATE_N_] = {{0}};

		for (size_t i = 0; i < FIRST_CONNECTOR_CONTROL; i++)
			states[s->items[i].control][s->items[i].state] += s->items[i].applies;
		for (uint32_t m = 0; m < s->machine_count; m++)
			for (size_t i = 0; i < MACHINE_CONTROLS; i++) {
				const struct item *item = &s->machines[m]->items[i];

				states[item->control][item->state] += item->applies;
			}
		assert_memory_equal(states, s->states, sizeof(states));
	}
}

static void the_counts_follow_the_items_through_everything(void **state)
{
	static const char estate[] =
		"subscriptions=3,machines=60,unreached=60%,legacy=30%,linux=30%,clients=5%,"
		"unsupported=5%,disconnected=10%,expired=3%,failing=10%,blocked=3%,lag=1s,pace=100";
	struct fixture f;
	size_t place = 0;

	(void)state;
	fixture_observed(&f, estate, ENFORCE);
	the_numbers_are_those_of_the_items(&f);
	tell(&f, "confirm", NULL);
	for (int i = 0; i < 30; i++) {
		pass(&f, DUR_S(20));
		the_numbers_are_those_of_the_items(&f);
	}
	/* Machines go. */
	for (int i = 0; i < 3; i++) {
		struct machine *m = map_walk(&f.d->inventory->machines, &place)->value;

		assert_int_equal(estate_meddle(f.estate, m->id, NULL, NULL), 0);
	}
	pass(&f, DUR_H(1));
	assert_int_equal(map_count(&f.d->inventory->machines), 57);
	the_numbers_are_those_of_the_items(&f);
	/* Controls come and go with the configuration. */
	fixture_configure(&f, "policy \"servers\" { plan = P1 }\n" FIXTURE_SCOPE("observe"));
	tell(&f, "reload", NULL);
	the_numbers_are_those_of_the_items(&f);
	fixture_configure(&f, FIXTURE_POLICY);
	tell(&f, "reload", NULL);
	the_numbers_are_those_of_the_items(&f);
	/* A restart remembers. */
	fixture_configure(&f, ENFORCE);
	fixture_stop(&f);
	fixture_start(&f);
	pass(&f, DUR_MIN(10));
	the_numbers_are_those_of_the_items(&f);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_directory_that_is_missing_is_made_for_its_owner_alone),
		cmocka_unit_test(a_state_directory_in_use_is_refused_with_its_holder),
		cmocka_unit_test(places_that_cannot_be_used_are_named),
		cmocka_unit_test(systemd_is_told_of_the_start_in_words),
		cmocka_unit_test(the_status_line_begins_with_what_holds_all_writes),
		cmocka_unit_test(a_reload_signal_reads_the_configuration_anew),
		cmocka_unit_test(a_reload_with_an_error_keeps_everything),
		cmocka_unit_test(warnings_of_a_reload_are_told),
		cmocka_unit_test(what_waits_for_a_restart_is_named_until_it_is_taken_back),
		cmocka_unit_test(a_reload_at_any_moment_loses_and_repeats_nothing),
		cmocka_unit_test(a_thousand_reloads_hold_on_to_nothing),
		cmocka_unit_test(usr1_observes_now),
		cmocka_unit_test(without_writes_on_the_wire_it_stops_at_once),
		cmocka_unit_test(a_write_on_the_wire_is_waited_for_but_not_for_ever),
		cmocka_unit_test(what_the_stop_takes_back_is_told_before_the_end),
		cmocka_unit_test(who_asks_twice_does_not_wait),
		cmocka_unit_test(while_it_stops_a_reload_signal_does_nothing),
		cmocka_unit_test(after_a_crash_the_journal_gets_what_it_may_lack),
		cmocka_unit_test(after_a_stop_the_journal_has_everything),
		cmocka_unit_test(checkpoints_are_told_in_time_and_at_the_end),
		cmocka_unit_test(a_full_disk_is_told_holds_writes_and_is_survived),
		cmocka_unit_test(
			a_state_that_was_replaced_holds_all_writes_until_somebody_confirms),
		cmocka_unit_test(the_counts_follow_the_items_through_everything),
		/* Last: it enters a world of its own. */
		cmocka_unit_test(root_does_not_spoil_the_state_of_the_service),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
