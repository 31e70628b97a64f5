/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario: the whole daemon in virtual time against an estate in the same process, as one object
 * that a test drives: time, commands, reloads, crashes, other hands, faults; and what came of it:
 * states, the trace of transitions, what was written, the estate's verdict.
 *
 *   scenario.c         life, time, crashes, configuration
 *   scenario_estate.c  building the estate, and what happens to it
 *   scenario_trace.c   the trace, and its comparison with a golden file
 *   scenario_check.c   questions about items, writes and the verdict
 *   scenario_facts.c   what was observed, as text
 *
 * Its asserts are cmocka's. Everything comes from the seed: same seed, same trace. JSON that tests
 * write stands in single quotes: {'name': 'web1'}.
 */
#ifndef MDC_TEST_SCENARIO_H
#define MDC_TEST_SCENARIO_H

#include "daemon/commands.h"
#include "daemon/daemon.h"
#include "tests/estate/estate.h"
#include "tests/harness/log_capture.h"
#include "tests/harness/loop_virtual.h"
#include "tests/harness/memory_files.h"
#include "tests/harness/transport_estate.h"
#include "tests/harness/vfs_crash.h"

/* --- names of the small estate; estate_generate() uses the same --- */

#define TENANT "10000000-0000-4000-8000-000000000001"
#define CLIENT "20000000-0000-4000-8000-000000000001"
#define SECRET "estate-secret"
#define SUB(n) "30000000-0000-4000-8000-00000000000" #n
#define SUB_ID(n) "/subscriptions/" SUB(n)
#define MACHINE_OF(n, name) \
	SUB_ID(n) "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/" name
#define MACHINE(name) MACHINE_OF(1, name)
#define SENSOR(name, type) MACHINE(name) "/extensions/" type
#define PLAN_ID(n) SUB_ID(n) "/providers/Microsoft.Security/pricings/VirtualMachines"
#define SETTING_ID(n, name) SUB_ID(n) "/providers/Microsoft.Security/settings/" name

/* A subscription of the small estate up to its machines, and after them. */
#define SUBSCRIPTION(n, members, machines) \
	"{'id': '" SUB(n) "', 'name': 'sub" #n "', 'tenant': '" TENANT "', " members \
			  "'machines': [" machines "]}"
#define NO_PLAN "'plan': {'tier': 'Free'}, "
#define PLAN_P2 "'plan': {'tier': 'Standard', 'subPlan': 'P2', 'since': '-60d'}, "
#define SETTINGS_OFF "'settings': {'WDATP': false, 'WDATP_UNIFIED_SOLUTION': false}, "
#define SETTINGS_ON "'settings': {'WDATP': true, 'WDATP_UNIFIED_SOLUTION': true}, "
/* Everything switched on long ago: nothing is left to do but machines. */
#define ALL_ON PLAN_P2 SETTINGS_ON
#define SERVER(name, members) \
	"{'name': '" name "', 'group': 'rg', 'since': '-30d', 'created': '-300d'" members "}"
#define WINDOWS ", 'os': 'Windows Server 2022 Datacenter'"
#define LINUX ", 'os': 'Ubuntu 22.04.4 LTS'"
#define WINDOWS_2016 ", 'os': 'Windows Server 2016 Datacenter'"
#define UNREACHED ", 'reached': false"
#define WITH_SENSOR(type) ", 'extensions': [{'type': '" type "', 'since': '-30d'}]"

/* --- parts of configurations --- */

/* Without jitter, so that traces do not depend on random numbers. */
#define CONFIG_POLL "poll { subscriptions = 15m  machines = 5m  operations = 1m  jitter = 0% }\n"
/* For days and weeks: each pass takes the test's time. */
#define CONFIG_POLL_SLOW \
	"poll { subscriptions = 1h  machines = 30m  operations = 1m  jitter = 0% }\n"
#define CONFIG_POLICY \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on\n" \
	"    extension { deploy = after-grace  grace = 3h  first-grace = 14h }\n" \
	"    legacy { replace = on }\n" \
	"}\n"
#define CONFIG_SCOPE(members) \
	"scope \"all\" { identity = \"main\"  policy = \"servers\"  " members " }\n"
#define CONFIG_ENFORCE \
	CONFIG_POLL CONFIG_POLICY CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce")
#define CONFIG_SLOW \
	CONFIG_POLL_SLOW CONFIG_POLICY CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce")
/* Without graces: Defender for Cloud is not waited for. */
#define CONFIG_POLICY_PROMPT \
	"policy \"servers\" {\n" \
	"    plan = P2  integration = on  unified-solution = on\n" \
	"    extension { deploy = after-grace  grace = 0s  first-grace = 0s }\n" \
	"    legacy { replace = on }\n" \
	"}\n"
#define CONFIG_PROMPT \
	CONFIG_POLL CONFIG_POLICY_PROMPT CONFIG_SCOPE("subscriptions = { \"*\" }  mode = enforce")
#define CONFIG_PROMPT_SLOW \
	CONFIG_POLL_SLOW CONFIG_POLICY_PROMPT CONFIG_SCOPE( \
		"subscriptions = { \"*\" }  mode = enforce")
#define CONFIG_OBSERVE \
	CONFIG_POLL CONFIG_POLICY CONFIG_SCOPE("subscriptions = { \"*\" }  mode = observe")

/* --- life --- */

struct scenario_options {
	uint64_t seed; /* 0 stands for 1 */
	/* The estate is made of one of these. */
	const char *subscriptions; /* in the form of an estate document, divided by commas */
	const char *file;          /* a whole document: tests/scenario/estates/NAME.json */
	const char *specification; /* for estate_generate() */
	/* Members that replace those of the document: 'behaviour' is merged, all others replaced.
	 */
	const char *document;
	/* The estate's own delays, by its seed; else all are fixed and answers come at once. */
	bool lively;
	/* The cloud has the API of Defender for Endpoint. */
	bool defender;
	/* Sections besides cloud and identity; NULL: CONFIG_ENFORCE. */
	const char *config;
};

struct scenario_trace;

struct scenario {
	struct world world;
	struct estate *estate;
	struct vfs_crash *vfs;
	struct daemon *daemon; /* NULL while it is down */
	struct log_capture *log;
	struct scenario_trace *trace;
	struct scenario_options options;
	char vfs_name[32];
	char *directory, *config_path;
	struct mono begun;
	bool frozen;    /* a crash was reached: nothing gets out any more */
	bool lost;      /* a state was lost on purpose */
	json_t *answer; /* to the last command */
	char *status;   /* last sd_notify STATUS= */
	unsigned ready;
};

/* The daemon is not started yet. */
struct scenario *scenario_new(const struct scenario_options *options);
/* Also sees that no secret was logged. */
struct scenario *scenario_free(struct scenario *s);
static inline void scenario_free_p(struct scenario **s)
{
	scenario_free(*s);
}
#define scenario_auto mdc_cleanup(scenario_free_p) struct scenario

/* Starts it; the test fails when it does not. */
void scenario_start(struct scenario *s);
/* -errno, and why in *ret_why (freed by the caller). */
int scenario_try_start(struct scenario *s, char **ret_why) MDC_MUST_CHECK;
/* SIGTERM, and waits until it has stopped. */
void scenario_stop(struct scenario *s);

/* Crashes now, or after what crash_at had frozen. */
void scenario_crash(struct scenario *s, enum vfs_loss loss);
/* Freezes the world at the n-th event of the transport from now on. */
void scenario_crash_at(struct scenario *s, uint64_t n);
/* Does that, and starts again: what runs at event n, or after `within`, is lost, unsynced files
 * too. */
void scenario_crash_within(struct scenario *s, uint64_t n, struct dur within);
/* While the daemon is down: all of the state directory is lost, or the database alone. */
void scenario_lose_state(struct scenario *s);
void scenario_lose_database(struct scenario *s);

/* --- time --- */

struct dur scenario_time(const struct scenario *s); /* since it began */
struct wall scenario_wall(const struct scenario *s);
/* All of these end early where a crash is reached. */
void scenario_run(struct scenario *s, struct dur length);
typedef bool (*scenario_condition_fn)(struct scenario *s, void *ctx);
/* Looks each ten seconds; false when it was not reached within `limit`. */
bool scenario_run_until(
	struct scenario *s, scenario_condition_fn condition, void *ctx, struct dur limit);
/* Until the item is in that state; the test fails when it is not within `limit`. */
void scenario_await(struct scenario *s, const char *target, const char *control, const char *state,
	struct dur limit);
/* Until nothing is open: no item unknown, drifted, waiting, on its way or backing off. */
bool scenario_is_settled(struct scenario *s, void *unused);
void scenario_settle(struct scenario *s, struct dur limit);
/* The first complete observation, and what it confirms. */
void scenario_observe(struct scenario *s);
void scenario_begin(struct scenario *s); /* start, observe, confirm */

/* --- what operators and others do --- */

/* As a caller with all rights; the answer is valid until the next command. */
const json_t *scenario_command(struct scenario *s, const char *command, const char *arguments);
/* The command has to be refused. */
void scenario_refused(
	struct scenario *s, const char *command, const char *arguments, const char *code);
void scenario_configure(struct scenario *s, const char *config);
void scenario_reload(struct scenario *s, const char *config);
void scenario_signal(struct scenario *s, int signal_number);

/* JSON in single quotes; the caller owns it. */
json_t *quoted_json(const char *format, ...) MDC_PRINTF(1, 2);
/* An array of rules (tests/estate/estate_faults.c); NULL ends them. */
void scenario_faults(struct scenario *s, const char *rules);
/* As estate_meddle(); `value` NULL deletes. */
void scenario_meddle(
	struct scenario *s, const char *resource_id, const char *member, const char *value);
/* Another client of the small estate reads and writes; the HTTP status. */
int scenario_other_put(
	struct scenario *s, const char *resource_id, const char *version, const char *document);
/* A text of the resource's document in the estate, or NULL. */
const char *scenario_peek(struct scenario *s, const char *resource_id, const char *path);
/* Whether it stands in the estate. */
bool scenario_exists(struct scenario *s, const char *resource_id);

/* --- what came of it --- */

/* Says why, shows seed, states and the end of the trace, and fails the test. */
void scenario_fail(struct scenario *s, const char *format, ...) MDC_PRINTF(2, 3)
	__attribute__((noreturn));

/* What `explain` says of a control; the test fails where it says nothing. Until the next command.
 */
const json_t *scenario_explained(struct scenario *s, const char *target, const char *control);
/* That what it says would help holds the text. */
void scenario_help_holds(
	struct scenario *s, const char *target, const char *control, const char *text);
/* The value of a fact that it shows, or NULL. */
const char *scenario_fact(struct scenario *s, const char *target, const char *name);

/* By machine name, subscription name or id; NULL when it does not apply. */
const struct item *scenario_item(struct scenario *s, const char *target, const char *control);
/* `reason` NULL: any. */
void scenario_item_is(struct scenario *s, const char *target, const char *control,
	const char *state, const char *reason);
size_t scenario_count(struct scenario *s, const char *control, const char *state);
/* Writes that reached the estate whose path ends so (NULL: all). */
size_t scenario_writes(const struct scenario *s, const char *path_end);
/* The test fails when they are not so many. */
void scenario_writes_are(struct scenario *s, const char *path_end, size_t least, size_t most);
/* No refused, forbidden, repeated request. */
void scenario_is_good(struct scenario *s);
/* How many machines of the estate have a working sensor. */
unsigned scenario_protected(struct scenario *s);
/* Every waiting state has a deadline, every other one that is not good a reason. */
void scenario_nothing_is_stuck(struct scenario *s);
/* The chain of the history is whole, and each transition in it was told to the journal. */
void scenario_history_is_whole(struct scenario *s);
/* All items with their states and reasons, sorted, one a line; caller frees. */
char *scenario_states(struct scenario *s);
/* All facts that controls read, in the same way, without source and time of observation. */
char *scenario_facts(struct scenario *s);

/* The trace so far. */
const char *scenario_trace(const struct scenario *s);
/* Forgets it, so that only what follows is compared. */
void scenario_trace_clear(struct scenario *s);
/* Compares with tests/scenario/golden/NAME.trace; UPDATE_GOLDEN=1 writes it anew. */
void scenario_golden(struct scenario *s, const char *name);
/* Times that the trace holds the text. */
size_t scenario_traced(const struct scenario *s, const char *text);

/* --- seeds --- */

/* At the beginning of main(): TAP, and MDC_TEST=PATTERN runs only the tests of such names. */
void scenario_main(void);

/* The seeds of a sweep: MDC_SEEDS ("50", or "50-80"), or 1 to `standard`. */
struct seed_range {
	unsigned first, last;
};
struct seed_range scenario_seeds(unsigned standard);
/* MDC_FULL is set: everything, however long it takes. */
bool scenario_full(void);

#endif
