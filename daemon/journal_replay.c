/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/journal_replay.h"

#include "lib/azure/arm_document.h"
#include "lib/azure/arm_id.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define VALUE_NAME "journal-seq"
#define ROWS_AT_ONCE 1000
/* At start. More than this is history, not news: `mdcctl history` has it. */
#define ROWS_MOST 100000
/* While running, where it holds the loop. */
#define ROWS_A_TURN 2000

static uint64_t remembered(struct store *s)
{
	mdc_autofree char *text = store_load_value(s, VALUE_NAME);
	uint64_t seq;

	return text != NULL && str_parse_u64(text, UINT64_MAX, &seq) == 0 ? seq : 0;
}

static void add(struct log_entry *e, const char *field, const json_t *row, const char *key)
{
	log_add(e, field, json_text(row, key));
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_text(row, key);

	return text != NULL ? text : "";
}

/* The fields by which people look for a resource; returns what it is called. */
static char *add_names(struct log_entry *e, const char *resource_id)
{
	struct arm_id id;
	char *name = xstrdup(resource_id);

	if (arm_id_parse(resource_id, &id) != 0) {
		/* A subscription's own items go by its id alone. */
		log_add(e, "MDCD_SUBSCRIPTION_ID", resource_id);
		return name;
	}
	log_add(e, "MDCD_SUBSCRIPTION_ID", id.subscription);
	log_add(e, "MDCD_MACHINE", id.name);
	if (id.name != NULL) {
		free(name);
		name = xstrdup(id.name);
	}
	arm_id_fini(&id);
	return name;
}

static void send_again(struct log *l, const json_t *row, uint64_t seq)
{
	struct log_entry *e = log_begin(l, LOG_TRANSITION_MESSAGE);
	mdc_autofree char *name = add_names(e, text_of(row, "resource_id"));

	log_addf(e, "MDCD_SEQ", "%llu", (unsigned long long)seq);
	log_add(e, "MDCD_REPLAYED", "yes");
	add(e, "MDCD_AT", row, "at");
	add(e, "MDCD_CONTROL", row, "control");
	add(e, "MDCD_FROM", row, "from");
	add(e, "MDCD_TO", row, "to");
	add(e, "MDCD_REASON", row, "reason");
	add(e, "MDCD_DETAIL", row, "detail");
	add(e, "MDCD_RESOURCE_ID", row, "resource_id");
	add(e, "MDCD_CORRELATION_ID", row, "correlation_id");
	log_commit(e, seq, "%s: %s %s -> %s (at %s, told again)", name, text_of(row, "control"),
		text_of(row, "from"), text_of(row, "to"), text_of(row, "at"));
}

/* Sends a batch; moves *after to the last number in it. How many there were, or -errno. */
static int replay_some(struct store *s, struct log *l, uint64_t *after)
{
	json_t *rows = NULL, *row;
	size_t i;
	int error = store_transitions_after(s, *after, ROWS_AT_ONCE, &rows);

	if (error != 0) {
		log_say(l, LOG_TROUBLE_MESSAGE,
			"transitions that the journal lacks cannot be read: %s", strerror(-error));
		return error;
	}
	json_array_foreach (rows, i, row) {
		*after = (uint64_t)json_integer_value(json_object_get(row, "seq"));
		send_again(l, row, *after);
	}
	json_decref(rows);
	return (int)i;
}

/* True when there may be more than `most`. */
static bool replay_after(struct store *s, struct log *l, uint64_t after, unsigned most)
{
	for (unsigned rows = 0; rows < most; rows += ROWS_AT_ONCE)
		if (replay_some(s, l, &after) < ROWS_AT_ONCE)
			return false;
	return true;
}

void journal_replay(struct store *s, struct log *l)
{
	if (replay_after(s, l, remembered(s), ROWS_MOST))
		log_say(l, LOG_TROUBLE_MESSAGE,
			"more than %d transitions had not reached the journal: the others are only "
			"in `mdcctl history`",
			ROWS_MOST);
}

bool journal_replay_dropped(struct store *s, struct log *l)
{
	uint64_t after;

	return log_resend_wanted(l, &after) && replay_after(s, l, after, ROWS_A_TURN);
}

void journal_replay_remember(struct store *s, struct log *l)
{
	uint64_t seq = log_written_seq(l);
	char text[24];

	if (seq <= remembered(s))
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)seq);
	store_put_value(s, VALUE_NAME, text);
}
