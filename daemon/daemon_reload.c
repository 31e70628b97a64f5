/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon_parts.h"

#include "daemon/digest.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <string.h>

#define TEXT_MOST (1 << 20)
/* Lines that one entry of the journal tells. */
#define LINES_TOLD 8

static const char *const fixed_names[DAEMON_FIXED_N_] = {
	[DAEMON_FIXED_STATE] = "state-directory",
	[DAEMON_FIXED_SOCKET] = "control-socket",
	[DAEMON_FIXED_LOG] = "log",
};

static const char *fixed_value(const struct config *c, enum daemon_fixed option)
{
	switch (option) {
	case DAEMON_FIXED_STATE: return c->state_directory;
	case DAEMON_FIXED_SOCKET: return c->control_socket;
	case DAEMON_FIXED_LOG: return c->log_to_journal ? "journal" : "stderr";
	case DAEMON_FIXED_N_: break;
	}
	return "";
}

void daemon_fix_options(struct daemon *d)
{
	for (unsigned i = 0; i < DAEMON_FIXED_N_; i++) {
		const char *value = fixed_value(d->config, (enum daemon_fixed)i);

		d->life->fixed[i] = xstrdup(value != NULL ? value : "");
	}
}

size_t daemon_restart_options(const struct daemon *d, const char *ret[static DAEMON_FIXED_N_])
{
	size_t n = 0;

	for (unsigned i = 0; i < DAEMON_FIXED_N_; i++) {
		const char *value = fixed_value(d->config, (enum daemon_fixed)i);

		if (!str_equal(d->life->fixed[i], value != NULL ? value : ""))
			ret[n++] = fixed_names[i];
	}
	return n;
}

void daemon_apply_config(struct daemon *d)
{
	sha256_hex(d->config->canonical, strlen(d->config->canonical), d->config_digest);
	d->configured = loop_wall(d->world->loop);
	d->life->expired_told = WALL_UNSET;
	arm_client_configure(d->client, d->config);
	observer_configure(d->observer, d->config);
	executor_configure(d->executor, d->config);
	reconciler_configure(d->reconciler, d->config);
	if (wall_is_set(d->last_pass[PASS_MACHINES].ended))
		gate_measure(d->gate, d->config, d->inventory);
	scheduler_configure(d->scheduler, d->config);
	preflight_configure(d->preflight, d->config);
	devices_configure(d->devices, d->config);
}

void reload_result_fini(struct reload_result *r)
{
	diags_fini(&r->diags);
	buf_fini(&r->changes);
}

/* --- telling --- */

void daemon_tell_warnings(struct daemon *d, enum log_message kind, const struct diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *one = &diags->v[i];

		if (one->level != DIAG_WARNING)
			continue;
		if (one->file != NULL && one->line > 0)
			log_say(d->world->log, kind, "%s:%u: %s", one->file, one->line, one->text);
		else
			log_say(d->world->log, kind, "%s%s%s", one->file != NULL ? one->file : "",
				one->file != NULL ? ": " : "", one->text);
	}
}

/* "a; b; c; and 4 more" of lines. */
static void lines_in_one(const char *text, struct buf *ret)
{
	unsigned n = 0;

	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		if (n++ < LINES_TOLD)
			buf_addf(ret, "%s%.*s", n > 1 ? "; " : "", (int)strcspn(line, "\n"), line);
	if (n > LINES_TOLD)
		buf_addf(ret, "; and %u more", n - LINES_TOLD);
}

static void tell_failure(struct daemon *d, const struct diags *diags)
{
	struct buf text = BUF_INIT(TEXT_MOST), line = BUF_INIT(TEXT_MOST);

	diags_render(diags, &text);
	lines_in_one(buf_str(&text), &line);
	log_say(d->world->log, LOG_RELOAD_FAILED_MESSAGE,
		"configuration not reloaded, the previous one stays in force: %s", buf_str(&line));
	buf_fini(&text);
	buf_fini(&line);
}

static void tell_success(struct daemon *d, const struct reload_result *r)
{
	struct buf line = BUF_INIT(TEXT_MOST);
	struct log_entry *e = log_begin(d->world->log, LOG_RELOADED_MESSAGE);

	lines_in_one(buf_str(&r->changes), &line);
	log_add(e, "MDCD_CONFIG_DIGEST", d->config_digest);
	log_commit(e, 0, "configuration reloaded (%.12s): %s", d->config_digest,
		line.len > 0 ? buf_str(&line) : "nothing changed");
	buf_fini(&line);
	daemon_tell_warnings(d, LOG_CONFIG_DOUBTFUL_MESSAGE, &r->diags);
}

/* --- reloading --- */

/* Changes beyond what is kept of them are no reason to refuse. */
static void compare(const struct config *old, const struct config *fresh, struct reload_result *ret)
{
	if (config_diff(old, fresh, &ret->changes, &ret->needs_restart) == 0)
		return;
	ret->changes.failed = false;
	ret->changes.cap += 64;
	buf_adds(&ret->changes, "and more changes than can be shown\n");
}

int daemon_reload(struct daemon *d, struct reload_result *ret)
{
	struct config *old = d->config, *fresh = NULL;

	MDC_MAGIC_CHECK(d, DAEMON_MAGIC);
	*ret = (struct reload_result){.changes = BUF_INIT(TEXT_MOST)};
	notify_reloading(d->world->notify, loop_mono(d->world->loop));
	if (config_files_load(d->options.config_path, d->world->environment, &ret->diags, &fresh) !=
		0) {
		d->life->reload_failed = true;
		tell_failure(d, &ret->diags);
		notify_ready(d->world->notify, "reload failed, the previous configuration stays");
		return -EINVAL;
	}
	d->life->reload_failed = false;
	compare(old, fresh, ret);
	executor_withdraw_all(d->executor, REASON_RELOADED);
	d->config = fresh;
	daemon_apply_config(d);
	config_free(old);
	tell_success(d, ret);
	notify_ready(d->world->notify, "configuration reloaded");
	return 0;
}
