/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon_parts.h"

#include "daemon/control_socket.h"
#include "daemon/journal_replay.h"
#include "daemon/once.h"
#include "daemon/watchdog.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/scope.h"

#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The answer to a write that is on the wire is worth some seconds at the end; so is the disk. */
#define STOP_PATIENCE DUR_S(10)
#define STOP_LOOK DUR_MS(100)
/* Of the unit; see systemd/mdcd.sysusers. */
#define SERVICE_USER "mdcd"

/* --- ports: who asks whom --- */

static void on_subscriptions_listed(void *ctx)
{
	struct daemon *d = ctx;

	tenants_listed(d->tenants, d->inventory);
	reconciler_resolve(d->reconciler);
}

static void on_subscription_seen(void *ctx, struct subscription *s)
{
	struct daemon *d = ctx;

	executor_adopt(d->executor, s, NULL);
	reconciler_subscription_seen(d->reconciler, s);
}

static void on_machine_seen(void *ctx, struct machine *m)
{
	struct daemon *d = ctx;

	executor_adopt(d->executor, m->subscription, m);
	reconciler_machine_seen(d->reconciler, m);
}

static void on_machine_gone(void *ctx, struct machine *m)
{
	struct daemon *d = ctx;

	reconciler_machine_gone(d->reconciler, m);
}

static bool on_judging(void *ctx)
{
	struct daemon *d = ctx;

	return reconciler_is_judging(d->reconciler);
}

static size_t on_watched(void *ctx, const struct subscription **ret, size_t room)
{
	struct daemon *d = ctx;

	return executor_watched(d->executor, ret, room);
}

static void log_pass(struct daemon *d, const struct pass_report *report)
{
	char took[DUR_TEXT_SIZE];
	enum log_message kind =
		report->problems > 0 ? LOG_OBSERVATION_FAILED_MESSAGE : LOG_PASS_MESSAGE;
	struct log_entry *e;

	dur_format(wall_since(report->ended, report->started), took);
	e = log_begin(d->world->log, kind);
	/* The watch is frequent and tells of its findings as transitions. */
	if (report->kind == PASS_WATCH && report->problems == 0)
		log_priority(e, LOG_DEBUG);
	log_add(e, "MDCD_PASS", pass_kind_word(report->kind));
	log_addf(e, "MDCD_SUBSCRIPTIONS", "%llu", (unsigned long long)report->subscriptions);
	log_addf(e, "MDCD_MACHINES", "%llu", (unsigned long long)report->machines);
	if (report->problems > 0)
		log_commit(e, 0, "pass over %s incomplete: %s (%llu problems)",
			pass_kind_word(report->kind), report->first_problem,
			(unsigned long long)report->problems);
	else
		log_commit(e, 0, "pass over %s: %llu subscriptions, %llu machines in %s",
			pass_kind_word(report->kind), (unsigned long long)report->subscriptions,
			(unsigned long long)report->machines, took);
}

static void on_pass_ended(void *ctx, const struct pass_report *report)
{
	struct daemon *d = ctx;

	d->last_pass[report->kind] = *report;
	log_pass(d, report);
	executor_expire(d->executor);
	if (report->kind == PASS_MACHINES)
		gate_measure(d->gate, d->config, d->inventory);
	reconciler_pass_ended(d->reconciler);
	scheduler_pass_ended(d->scheduler, report);
	preflight_pass_ended(d->preflight, report);
	devices_pass_ended(d->devices, report);
	daemon_look_at_store(d);
	daemon_update_status(d);
	if (d->life->once != NULL)
		once_pass_ended(d->life->once, report);
}

static void on_pass(void *ctx, enum pass_kind kind)
{
	struct daemon *d = ctx;

	observer_pass(d->observer, kind);
}

static size_t on_running(void *ctx)
{
	struct daemon *d = ctx;

	return executor_running(d->executor);
}

static void on_observe(void *ctx, const struct item_ref *ref)
{
	struct daemon *d = ctx;

	observer_refresh(d->observer, ref->subscription, ref->machine);
}

static void on_inquire(void *ctx, const struct item_ref *ref)
{
	struct daemon *d = ctx;

	executor_inquire(d->executor, ref);
}

static void on_withdraw(void *ctx, const struct item_ref *ref)
{
	struct daemon *d = ctx;

	executor_withdraw(d->executor, ref);
}

static void on_ended(void *ctx, const struct item_ref *ref, const char *outcome)
{
	struct daemon *d = ctx;

	executor_ended(d->executor, ref, outcome);
}

static void on_carry_out(void *ctx, const struct item_ref *ref)
{
	struct daemon *d = ctx;

	executor_carry_out(d->executor, ref);
	scheduler_operations_began(d->scheduler);
}

static void on_limits(void *ctx, struct plan_limits *ret)
{
	struct daemon *d = ctx;

	gate_limits(d->gate, ret);
	executor_limits(d->executor, ret);
}

/* --- signals --- */

static void on_reload_signal(void *ctx, int number)
{
	struct daemon *d = ctx;
	struct reload_result result;
	int error;

	(void)number;
	if (d->stopping)
		return;
	error = daemon_reload(d, &result);
	(void)error; /* reported to the journal and to systemd */
	reload_result_fini(&result);
}

static void on_pass_signal(void *ctx, int number)
{
	struct daemon *d = ctx;

	(void)number;
	scheduler_now(d->scheduler, PASS_SUBSCRIPTIONS);
	scheduler_now(d->scheduler, PASS_MACHINES);
}

/* Who asks twice does not want to wait for answers. */
static void on_stop_signal(void *ctx, int number)
{
	struct daemon *d = ctx;

	(void)number;
	if (d->stopping)
		d->world->loop->ops->stop(d->world->loop);
	else
		daemon_stop(d);
}

/* --- the end --- */

/* What the store cannot take now has been told without it. */
static bool nothing_is_awaited(const struct daemon *d)
{
	return executor_on_the_wire(d->executor) == 0 &&
		(reconciler_untold(d->reconciler) == 0 || !store_healthy(d->store));
}

static void look_at_stop(void *ctx)
{
	struct daemon *d = ctx;
	struct loop *loop = d->world->loop;

	if (nothing_is_awaited(d) || !mono_before(loop_mono(loop), d->life->stop_until))
		loop->ops->stop(loop);
	else
		loop->ops->timer_arm(d->life->stop_timer, mono_add(loop_mono(loop), STOP_LOOK));
}

void daemon_stop(struct daemon *d)
{
	struct loop *loop = d->world->loop;

	if (d->stopping)
		return;
	d->stopping = true;
	notify_stopping(d->world->notify);
	log_say(d->world->log, LOG_STOPPING_MESSAGE, "stopping: %zu operations run on in Azure",
		executor_running(d->executor));
	scheduler_stop(d->scheduler);
	devices_stop(d->devices);
	executor_withdraw_all(d->executor, REASON_STOPPING);
	executor_stop(d->executor);
	daemon_tell_checkpoint(d);
	d->life->stop_until = mono_add(loop_mono(loop), STOP_PATIENCE);
	look_at_stop(d);
}

static void once_over(void *ctx, int exit_status)
{
	struct daemon *d = ctx;

	d->exit_status = exit_status;
	daemon_stop(d);
}

/* --- the beginning --- */

static void tell_condition(struct daemon *d, enum store_condition condition)
{
	switch (condition) {
	case STORE_GOOD:
	case STORE_NEW: break;
	case STORE_BEHIND:
		log_say(d->world->log, LOG_STATE_LOST_MESSAGE,
			"the stored state is older than its own checkpoint: all writes wait for "
			"`mdcctl confirm`");
		break;
	case STORE_REPLACED:
		log_say(d->world->log, LOG_STATE_LOST_MESSAGE,
			"the stored state was unreadable and has been kept under another name: all "
			"writes wait for `mdcctl confirm`");
		break;
	}
}

static void make_parts(struct daemon *d, enum store_condition condition)
{
	const struct world *w = d->world;
	struct reconciler_ports reconciler = {.ctx = d,
		.observe = on_observe,
		.inquire = on_inquire,
		.withdraw = on_withdraw,
		.ended = on_ended,
		.carry_out = on_carry_out,
		.limits = on_limits};
	struct observer_ports observer = {.ctx = d,
		.subscriptions_listed = on_subscriptions_listed,
		.subscription_seen = on_subscription_seen,
		.machine_seen = on_machine_seen,
		.machine_gone = on_machine_gone,
		.judging = on_judging,
		.pass_ended = on_pass_ended,
		.watched = on_watched};
	struct scheduler_ports scheduler = {.ctx = d, .pass = on_pass, .running = on_running};
	bool lost = condition == STORE_BEHIND || condition == STORE_REPLACED;

	d->inventory = inventory_new();
	d->client = arm_client_new(w);
	d->gate = gate_new(w, d->store, d->config->state_directory, lost);
	d->tenants = tenants_new(d->store);
	d->reconciler = reconciler_new(w, d->store, d->inventory, &reconciler);
	d->observer = observer_new(w, d->client, d->inventory, &observer);
	d->executor = executor_new(w, d->store, d->client, d->gate, d->inventory);
	executor_bind(d->executor, d->reconciler);
	d->scheduler = scheduler_new(w, &scheduler);
	d->preflight = preflight_new(w, d->client, d->inventory);
	d->devices = devices_new(w, d->client, d->inventory);
	d->life->housekeeping = loop_timer_new(w->loop, daemon_keep_house, d);
	d->life->stop_timer = loop_timer_new(w->loop, look_at_stop, d);
	d->life->store_was_healthy = true;
	store_checkpoint_read(d->store, &d->life->checkpoint);
	d->life->checkpoint_at = d->started;
}

/*
 * Files that root leaves among those of the service's user would keep the service from starting.
 */
static int check_owner(const char *directory, struct diags *diags)
{
	const struct passwd *service;
	struct stat st;

	if (geteuid() != 0 || stat(directory, &st) != 0 || st.st_uid == 0)
		return 0;
	service = getpwnam(SERVICE_USER);
	if (service == NULL || service->pw_uid != st.st_uid)
		return 0;
	diag_error(diags, directory, 0,
		"the state belongs to the user " SERVICE_USER
		": run this as that user (sudo -u " SERVICE_USER " mdcd ...)");
	return -EPERM;
}

static int open_store(struct daemon *d, struct diags *diags, enum store_condition *ret)
{
	int error = check_owner(d->config->state_directory, diags);

	if (error == 0)
		error = store_open(d->world, d->config->state_directory, diags, ret, &d->store);
	return error;
}

static int restore(struct daemon *d, struct diags *diags)
{
	int error = executor_restore(d->executor);

	if (error == 0)
		error = reconciler_restore(d->reconciler);
	if (error != 0)
		diag_error(diags, NULL, 0, "%s: the stored state cannot be read: %s",
			d->config->state_directory, strerror(-error));
	return error;
}

static int open_control(struct daemon *d, struct diags *diags)
{
	const char *path = d->config->control_socket;

	if (d->options.once || str_empty(path))
		return 0;
	return control_socket_open(d->world, path, d, diags, &d->control);
}

int daemon_new(const struct world *w, const struct daemon_options *options,
	struct config *take_config, struct diags *diags, struct daemon **ret)
{
	struct daemon *d = xcalloc(1, sizeof(*d));
	enum store_condition condition;
	int error;

	d->magic = DAEMON_MAGIC;
	d->world = w;
	d->options = *options;
	d->config = take_config;
	d->started = loop_wall(w->loop);
	/* A verdict of --once is given at its end; who stops it before gets none. */
	d->exit_status = options->once ? EXIT_ERROR : 0;
	d->life = xcalloc(1, sizeof(*d->life));
	daemon_fix_options(d);
	error = open_store(d, diags, &condition);
	if (error == 0) {
		make_parts(d, condition);
		tell_condition(d, condition);
		error = restore(d, diags);
	}
	if (error == 0)
		error = open_control(d, diags);
	if (error != 0) {
		daemon_free(d);
		return error;
	}
	daemon_tell_warnings(d, LOG_STATE_LOST_MESSAGE, diags);
	*ret = d;
	return 0;
}

static void take_signals(struct daemon *d)
{
	struct loop *loop = d->world->loop;

	loop->ops->on_signal(loop, SIGHUP, on_reload_signal, d);
	loop->ops->on_signal(loop, SIGUSR1, on_pass_signal, d);
	loop->ops->on_signal(loop, SIGTERM, on_stop_signal, d);
	loop->ops->on_signal(loop, SIGINT, on_stop_signal, d);
}

void daemon_start(struct daemon *d)
{
	struct log_entry *e;

	MDC_MAGIC_CHECK(d, DAEMON_MAGIC);
	take_signals(d);
	daemon_apply_config(d);
	e = log_begin(d->world->log, LOG_STARTED_MESSAGE);
	log_add(e, "MDCD_CONFIG_DIGEST", d->config_digest);
	log_commit(e, 0, "mdcd %s has started: %zu scope%s, configuration %.12s of %s", MDC_VERSION,
		d->config->scope_count, d->config->scope_count == 1 ? "" : "s", d->config_digest,
		d->options.config_path);
	journal_replay(d->store, d->world->log);
	if (d->options.once)
		d->life->once = once_new(d, once_over, d);
	d->life->watchdog = watchdog_new(d->world, d->store);
	daemon_keep_house(d);
	notify_ready(d->world->notify, "observing");
}

static void free_life(struct daemon *d)
{
	struct daemon_life *life = d->life;
	const struct loop_ops *ops = d->world->loop->ops;

	watchdog_free(life->watchdog);
	once_free(life->once);
	if (life->housekeeping != NULL)
		ops->timer_free(life->housekeeping);
	if (life->stop_timer != NULL)
		ops->timer_free(life->stop_timer);
	for (size_t i = 0; i < DAEMON_FIXED_N_; i++)
		free(life->fixed[i]);
	free(life);
}

static struct daemon *take_apart(struct daemon *d, struct store *(*end)(struct store *s))
{
	MDC_MAGIC_CHECK(d, DAEMON_MAGIC);
	d->magic = 0;
	d->control = control_socket_close(d->control);
	d->scheduler = scheduler_free(d->scheduler);
	d->preflight = preflight_free(d->preflight);
	d->devices = devices_free(d->devices);
	d->observer = observer_free(d->observer);
	if (d->store != NULL && end == store_close)
		journal_replay_remember(d->store, d->world->log);
	d->store = d->store != NULL ? end(d->store) : NULL;
	d->executor = executor_free(d->executor);
	d->reconciler = reconciler_free(d->reconciler);
	d->gate = gate_free(d->gate);
	d->tenants = tenants_free(d->tenants);
	d->client = arm_client_free(d->client);
	d->inventory = inventory_free(d->inventory);
	free_life(d);
	config_free(d->config);
	free(d);
	return NULL;
}

struct daemon *daemon_free(struct daemon *d)
{
	return d != NULL ? take_apart(d, store_close) : NULL;
}

struct daemon *daemon_abandon(struct daemon *d)
{
	return d != NULL ? take_apart(d, store_abandon) : NULL;
}
