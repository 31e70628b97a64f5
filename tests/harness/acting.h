/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acting: the acting side of the daemon without its observer: store, ARM client, gate, reconciler
 * and executor, put together as daemon.c does, in a fake world with virtual time. The test says
 * what is observed and what Azure answers.
 *
 * The scope "production" enforces the policy P2, integration, unified solution and extension, with
 * a grace of three hours, on every subscription that is added. The store is a real one, inside the
 * loop, on a file system that can crash. Tokens and onboarding packages are answered by themselves;
 * the Windows package is "script-windows", the Linux one "script-linux".
 */
#ifndef MDC_TEST_ACTING_H
#define MDC_TEST_ACTING_H

#include "daemon/executor.h"
#include "tests/harness/fake_world.h"
#include "tests/harness/small_config.h"
#include "tests/harness/vfs_crash.h"

#define ACTING_VFS "acting-vfs"
#define ACTING_WINDOWS "Windows Server 2022 Datacenter"
#define ACTING_2016 "Windows Server 2016 Datacenter"
#define ACTING_LINUX "Ubuntu 22.04.4 LTS"

struct acting {
	struct fake_world fake;
	struct vfs_crash *vfs;
	char directory[64];
	struct small_config small;
	struct config *config; /* small.config */
	struct policy_config policy;
	struct scope_config scopes[2]; /* "production" and "second"; scope_count is 1 at first */
	enum store_condition condition;
	struct store *store;
	struct inventory *inventory;
	struct arm_client *client;
	struct gate *gate;
	struct reconciler *reconciler;
	struct executor *executor;
	unsigned observed;   /* early observations that were asked for */
	unsigned unscripted; /* requests that no answer of the test fitted */
	bool mute;           /* onboarding packages are for the script, too */
	bool unconfirmed;    /* subscriptions that are added wait for a confirmation */
};

/* Opens everything in a new directory. */
void acting_init(struct acting *a);
/* Closes, and fails when a token or an onboarding package was logged or stored. */
void acting_fini(struct acting *a);
/* Stops as a crash would and starts again; nothing is observed then. */
void acting_crash(struct acting *a, enum vfs_loss loss);
/* The same without a start, and the start. */
void acting_stop(struct acting *a, bool politely);
void acting_start(struct acting *a);
/* The configuration (changed in place) is in force, as after a reload. */
void acting_reload(struct acting *a);

/* --- what is observed; all of it is noted at the present time --- */

/* Visible and enabled, everything on, machines listed completely, confirmed. */
struct subscription *acting_subscription(struct acting *a, unsigned number);
void acting_plan(struct acting *a, struct subscription *s, const char *tier, const char *sub_plan);
void acting_setting(
	struct acting *a, struct subscription *s, enum setting_id setting, enum tri enabled);
/* Connected and without an extension for a day: a correction is due. */
struct machine *acting_machine(
	struct acting *a, struct subscription *s, const char *name, const char *sku);
struct machine *acting_machine_in(struct acting *a, struct subscription *s, const char *group,
	const char *name, const char *sku);
void acting_status(struct acting *a, struct machine *m, const char *status);
void acting_extension(
	struct acting *a, struct machine *m, const char *state, enum fact_source source);
/* Everything is listed again as it is. */
void acting_relist(struct acting *a);
/* The reconciler is told, as the daemon does after an observation. */
void acting_saw(struct acting *a, struct subscription *s, struct machine *m);
void acting_saw_all(struct acting *a);
void acting_pass_ended(struct acting *a);
/* relist, saw_all, pass_ended. */
void acting_pass(struct acting *a);
/* A complete list no longer has it. */
void acting_gone(struct acting *a, struct machine *m);
void acting_confirm(struct acting *a);

/* --- what Azure answers --- */

/* The texts of documents; caller frees. */
char *acting_pricing_json(const struct subscription *s, const char *tier, const char *sub_plan);
char *acting_setting_json(const struct subscription *s, const char *name, bool enabled);
char *acting_extension_json(const struct machine *m, const char *state, const char *code);
char *acting_error_json(const char *code, const char *message);
/* Once, to the next request that fits; any further is unscripted. */
void acting_answer(
	struct acting *a, const char *method, const char *url_part, int status, const char *body);
void acting_answer_error(
	struct acting *a, const char *method, const char *url_part, int status, const char *code);
/* Each one, from now on. */
void acting_always(
	struct acting *a, const char *method, const char *url_part, int status, const char *body);
void acting_script(struct acting *a, const struct fake_answer *answer);
/* How many requests of that kind there were so far. */
size_t acting_requests(const struct acting *a, const char *method, const char *url_part);
/* The last one, or NULL. */
const struct fake_request *acting_last(
	const struct acting *a, const char *method, const char *url_part);

void acting_run(struct acting *a, struct dur time);
struct wall acting_now(const struct acting *a);
struct item *acting_item(struct subscription *s, struct machine *m, enum control_id control);
/* The machine's mde-extension. */
struct item *acting_sensor(struct machine *m);
/* Fails with words. */
#define acting_expect(item, state, reason) \
	acting_expect_at((item), (state), (reason), __FILE__, __LINE__)
void acting_expect_at(const struct item *item, enum item_state state, enum reason reason,
	const char *file, int line);

/* Rows that are stored: items, operations without an end. */
size_t acting_stored_items(struct acting *a);
size_t acting_open_operations(struct acting *a);
/* The newest record of that kind in the history ("transition", "write", "outcome"), or NULL. */
json_t *acting_record(struct acting *a, const char *resource_id, const char *kind, unsigned nth);

#endif
