/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/scenario_parts.h"

#include "daemon/config_file.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/seeded_random.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_PATH "/secret"
#define LOOK_EVERY DUR_S(10)
/* Longer than a daemon waits for what is on the wire. */
#define STOP_LIMIT DUR_S(30)

/* --- the small parts of its world --- */

struct notify_memory {
	struct notify base;
	struct scenario *scenario;
};

static void notify_send(struct notify *n, const char *state)
{
	struct scenario *s = container_of(n, struct notify_memory, base)->scenario;
	const char *status = strstr(state, "STATUS=");

	if (strstr(state, "READY=1") != NULL)
		s->ready++;
	if (status == NULL)
		return;
	free(s->status);
	s->status = xstrndup(status + strlen("STATUS="), strcspn(status, "\n") - strlen("STATUS="));
}

static struct notify *notify_free(struct notify *n)
{
	free(container_of(n, struct notify_memory, base));
	return NULL;
}

static struct notify *notify_new(struct scenario *s)
{
	struct notify_memory *n = xcalloc(1, sizeof(*n));

	n->base = (struct notify){.send = notify_send, .free = notify_free};
	n->scenario = s;
	return &n->base;
}

static const char *no_environment(const char *name)
{
	(void)name;
	return NULL;
}

/* --- its directory --- */

static void make_directory(struct scenario *s)
{
	/* In memory where there is such a place: a sync then costs nothing. Numbers, since letters
	 * by chance may look like a secret in the log. */
	const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	static unsigned number;

	do {
		free(s->directory);
		s->directory =
			xasprintf("%s/mdcd-scenario-%ld-%u", place, (long)getpid(), number++);
	} while (mkdir(s->directory, 0700) != 0 && errno == EEXIST);
	assert_int_equal(access(s->directory, W_OK), 0);
	s->config_path = xasprintf("%s/mdcd.conf", s->directory);
}

static void empty_directory(const char *path)
{
	DIR *stream = opendir(path);
	struct dirent *entry;

	if (stream == NULL)
		return;
	while ((entry = readdir(stream)) != NULL) {
		mdc_autofree char *file = xasprintf("%s/%s", path, entry->d_name);

		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, "..") &&
			unlink(file) != 0) {
			empty_directory(file);
			rmdir(file);
		}
	}
	closedir(stream);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

void scenario_configure(struct scenario *s, const char *config)
{
	mdc_autofree char *text = xasprintf("state-directory = \"%s/state\"\n"
					    "control-socket = \"%s/control.sock\"\n"
					    "cloud \"simulated\" {\n"
					    "    login = \"https://login.test\"\n"
					    "    resource-manager = \"https://management.test\"\n"
					    "    audience = \"https://management.azure.com\"\n"
					    "%s"
					    "}\n"
					    "identity \"main\" {\n"
					    "    cloud = simulated  tenant = \"" TENANT "\"\n"
					    "    client = \"" CLIENT "\"\n"
					    "    method = client-secret\n"
					    "    secret-file = \"" SECRET_PATH "\"\n"
					    "}\n"
					    "%s",
		s->directory, s->directory,
		s->options.defender ? "    defender = \"https://defender.test\"\n" : "", config);

	write_file(s->config_path, text);
}

/* --- life --- */

static void make_vfs(struct scenario *s)
{
	static unsigned number;

	snprintf(s->vfs_name, sizeof(s->vfs_name), "scenario-%u", ++number);
	s->vfs = vfs_crash_new(s->vfs_name, s->options.seed);
	s->world.store_vfs = s->vfs_name;
}

struct scenario *scenario_new(const struct scenario_options *options)
{
	struct scenario *s = xcalloc(1, sizeof(*s));

	s->options = *options;
	if (s->options.seed == 0)
		s->options.seed = 1;
	s->world.loop = loop_virtual_new(SCENARIO_START);
	s->begun = loop_mono(s->world.loop);
	s->log = log_capture_new();
	s->trace = scenario_trace_new();
	scenario_make_estate(s);
	s->world.transport = transport_estate_new(s->world.loop, s->estate,
		&(struct transport_options){.timeout = DUR_S(120), .reply_cap = 20u << 20});
	s->world.notify = notify_new(s);
	s->world.secrets = memory_files_new();
	s->world.random = seeded_random_new(s->options.seed);
	s->world.environment = no_environment;
	memory_files_put(s->world.secrets, SECRET_PATH, SECRET);
	make_directory(s);
	make_vfs(s);
	scenario_configure(s, options->config != NULL ? options->config : CONFIG_ENFORCE);
	return s;
}

static void sees_no_secret(const struct scenario *s)
{
	/* The client secret, tokens, and the signatures of operation URLs. */
	assert_false(log_capture_holds(s->log, SECRET));
	assert_false(log_capture_holds(s->log, "eyJ"));
	assert_false(log_capture_holds(s->log, "onboarding package of"));
}

struct scenario *scenario_free(struct scenario *s)
{
	if (s == NULL)
		return NULL;
	if (s->daemon != NULL)
		scenario_crash(s, VFS_LOSE_NOTHING);
	sees_no_secret(s);
	s->world.transport->ops->free(s->world.transport);
	s->world.notify->free(s->world.notify);
	memory_files_free(s->world.secrets);
	seeded_random_free(s->world.random);
	s->world.loop->ops->free(s->world.loop);
	vfs_crash_free(s->vfs);
	estate_free(s->estate);
	log_capture_free(s->log);
	scenario_trace_free(s->trace);
	json_decref(s->answer);
	empty_directory(s->directory);
	rmdir(s->directory);
	free(s->directory);
	free(s->config_path);
	free(s->status);
	free(s);
	return NULL;
}

static int bring_up(struct scenario *s, struct diags *diags)
{
	struct daemon_options options = {.config_path = s->config_path};
	struct config *config = NULL;
	int error = config_files_load(s->config_path, no_environment, diags, &config);

	if (error != 0)
		return error;
	s->world.log = log_new(scenario_sink_new(s), false);
	error = daemon_new(&s->world, &options, config, diags, &s->daemon);
	if (error != 0)
		s->world.log = log_free(s->world.log);
	return error;
}

int scenario_try_start(struct scenario *s, char **ret_why)
{
	struct diags diags = DIAGS_INIT;
	struct buf why = BUF_INIT(1 << 20);
	int error;

	assert_null(s->daemon);
	error = bring_up(s, &diags);
	diags_render(&diags, &why);
	*ret_why = buf_steal(&why);
	diags_fini(&diags);
	if (error == 0)
		daemon_start(s->daemon);
	return error;
}

void scenario_start(struct scenario *s)
{
	mdc_autofree char *why = NULL;

	if (scenario_try_start(s, &why) != 0)
		fail_msg("the daemon does not start: %s", why);
}

void scenario_stop(struct scenario *s)
{
	scenario_signal(s, SIGTERM);
	loop_virtual_run_for(s->world.loop, STOP_LIMIT);
	assert_true(s->daemon->stopping);
	s->daemon = daemon_free(s->daemon);
	s->world.log = log_free(s->world.log);
	assert_int_equal(s->world.transport->ops->running(s->world.transport), 0);
	loop_virtual_settle(s->world.loop);
}

/* --- crashes --- */

/* From here on nothing that the daemon does gets out: no request, no write, no log. */
static void freeze(void *ctx, enum transport_event event)
{
	struct scenario *s = ctx;

	(void)event;
	s->frozen = true;
	vfs_crash_arm(s->vfs, VFS_POWER_CUT, 1, 1);
	s->world.loop->ops->stop(s->world.loop);
}

void scenario_crash_at(struct scenario *s, uint64_t n)
{
	transport_estate_freeze_at(s->world.transport, n, freeze, s);
}

void scenario_crash_within(struct scenario *s, uint64_t n, struct dur within)
{
	scenario_crash_at(s, n);
	scenario_run(s, within);
	scenario_crash(s, VFS_LOSE_UNSYNCED);
	scenario_start(s);
}

void scenario_crash(struct scenario *s, enum vfs_loss loss)
{
	if (!s->frozen) {
		s->frozen = true;
		vfs_crash_arm(s->vfs, VFS_POWER_CUT, 1, 1);
	}
	/* What was only put off to the end of the turn is memory to be freed. */
	transport_estate_freeze(s->world.transport);
	loop_virtual_settle(s->world.loop);
	s->daemon = daemon_abandon(s->daemon);
	s->world.log = log_free(s->world.log);
	vfs_crash_restart(s->vfs, loss);
	transport_estate_thaw(s->world.transport);
	s->frozen = false;
}

void scenario_lose_state(struct scenario *s)
{
	mdc_autofree char *state = xasprintf("%s/state", s->directory);

	empty_directory(state);
	scenario_lose_database(s);
}

void scenario_lose_database(struct scenario *s)
{
	assert_null(s->daemon);
	vfs_crash_free(s->vfs);
	make_vfs(s);
	s->lost = true;
}

/* --- time --- */

struct dur scenario_time(const struct scenario *s)
{
	return mono_since(loop_mono(s->world.loop), s->begun);
}

struct wall scenario_wall(const struct scenario *s)
{
	return loop_wall(s->world.loop);
}

void scenario_run(struct scenario *s, struct dur length)
{
	if (!s->frozen)
		loop_virtual_run_for(s->world.loop, length);
}

bool scenario_run_until(
	struct scenario *s, scenario_condition_fn condition, void *ctx, struct dur limit)
{
	struct mono end = mono_add(loop_mono(s->world.loop), limit);

	while (!s->frozen) {
		if (condition(s, ctx))
			return true;
		if (!mono_before(loop_mono(s->world.loop), end))
			return false;
		scenario_run(s, LOOK_EVERY);
	}
	return false;
}

struct awaited {
	const char *target, *control, *state;
};

static bool is_there(struct scenario *s, void *ctx)
{
	const struct awaited *a = ctx;
	const struct item *item = scenario_item(s, a->target, a->control);

	return item != NULL && str_equal(item_state_word((enum item_state)item->state), a->state);
}

void scenario_await(struct scenario *s, const char *target, const char *control, const char *state,
	struct dur limit)
{
	struct awaited a = {target, control, state};

	if (!scenario_run_until(s, is_there, &a, limit) && !s->frozen)
		scenario_fail(s, "%s %s is not %s in time", target, control, state);
}

bool scenario_is_settled(struct scenario *s, void *unused)
{
	struct reconciler_counts counts;
	const uint64_t *n = counts.by_state;

	(void)unused;
	reconciler_count(s->daemon->reconciler, &counts);
	return wall_is_set(s->daemon->last_pass[PASS_MACHINES].ended) &&
		n[ITEM_UNKNOWN] + n[ITEM_DRIFTED] + n[ITEM_WAITING] + n[ITEM_QUEUED] +
			n[ITEM_APPLYING] + n[ITEM_SETTLING] + n[ITEM_BACKOFF] ==
		0;
}

void scenario_settle(struct scenario *s, struct dur limit)
{
	if (!scenario_run_until(s, scenario_is_settled, NULL, limit) && !s->frozen)
		scenario_fail(s, "it does not settle");
}

static bool is_observed(struct scenario *s, void *unused)
{
	(void)unused;
	return wall_is_set(s->daemon->last_pass[PASS_MACHINES].ended);
}

void scenario_observe(struct scenario *s)
{
	if (!scenario_run_until(s, is_observed, NULL, DUR_MIN(10)) && !s->frozen)
		scenario_fail(s, "nothing is observed");
}

void scenario_begin(struct scenario *s)
{
	scenario_start(s);
	scenario_observe(s);
	if (!s->frozen)
		scenario_command(s, "confirm", NULL);
}

/* --- operators --- */

static json_t *run_command(
	struct scenario *s, const char *command, const char *arguments, struct command_error *error)
{
	static const struct command_caller caller = {
		.name = "tester (uid 0)", .may_read = true, .may_change = true};
	json_t *parsed = arguments != NULL ? quoted_json("%s", arguments) : json_object();
	json_t *answer = command_run(s->daemon, &caller, command, parsed, error);

	json_decref(parsed);
	return answer;
}

const json_t *scenario_command(struct scenario *s, const char *command, const char *arguments)
{
	struct command_error error;

	json_decref(s->answer);
	s->answer = run_command(s, command, arguments, &error);
	if (s->answer == NULL)
		fail_msg("%s is refused: %s", command, error.message);
	return s->answer;
}

void scenario_refused(
	struct scenario *s, const char *command, const char *arguments, const char *code)
{
	struct command_error error;
	json_t *answer = run_command(s, command, arguments, &error);

	if (answer != NULL)
		fail_msg("%s is not refused", command);
	assert_string_equal(error.code, code);
	assert_true(*error.message != '\0');
}

void scenario_reload(struct scenario *s, const char *config)
{
	scenario_configure(s, config);
	scenario_command(s, "reload", NULL);
}

void scenario_signal(struct scenario *s, int signal_number)
{
	loop_virtual_signal(s->world.loop, signal_number);
	loop_virtual_settle(s->world.loop);
}

/* --- seeds --- */

void scenario_main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	cmocka_set_test_filter(getenv("MDC_TEST"));
}

struct seed_range scenario_seeds(unsigned standard)
{
	struct seed_range range = {1, standard};
	const char *text = getenv("MDC_SEEDS");
	int end = 0;

	if (text == NULL)
		return range;
	if (sscanf(text, "%u-%u%n", &range.first, &range.last, &end) != 2) {
		range.first = 1;
		if (sscanf(text, "%u%n", &range.last, &end) != 1)
			end = 0;
	}
	if (end == 0 || text[end] != '\0' || range.last < range.first)
		fail_msg("MDC_SEEDS=%s is not as in 50 or 50-80", text);
	return range;
}

bool scenario_full(void)
{
	return getenv("MDC_FULL") != NULL;
}
