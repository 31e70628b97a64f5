/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_join: which device of Defender for Endpoint is which machine, and where one is without the
 * other.
 *
 * A resource id that a device names decides. Devices that name none are joined by their short name,
 * if that fits one machine only, and all devices of that name are of one domain; else nothing is
 * guessed, and the device is told as ambiguous. Of several devices of a machine the best witness
 * (device_compare) speaks for it, one that names it before one of its name; the others are
 * duplicates. What comes out does not depend on the order in which devices or machines come.
 */
#ifndef MDC_DEVICE_JOIN_H
#define MDC_DEVICE_JOIN_H

#include "lib/model/device.h"
#include "lib/model/inventory.h"

/* X(id, word, sentence) */
#define GAP_KINDS(X) \
	X(NOT_CONNECTED, "not-connected", \
		"onboarded to Defender for Endpoint and no machine in Azure: still to migrate") \
	X(ELSEWHERE, "elsewhere", \
		"names a machine that is in no subscription that is read, or gone") \
	X(AMBIGUOUS, "ambiguous", \
		"more than one machine or device has this name, and the device names none") \
	X(DUPLICATE, "duplicate", "another device speaks for the same machine") \
	X(BILLED_TWICE, "billed-twice", \
		"the device is onboarded, its machine has a plan and no extension: it may be " \
		"billed as both") \
	X(NO_DEVICE, "no-device", \
		"the machine is connected and Defender for Endpoint has no device for it") \
	X(NOT_ONBOARDED, "not-onboarded", \
		"Defender for Endpoint knows the device, and it is not onboarded")

enum gap_kind {
#define X(id, word, sentence) GAP_##id,
	GAP_KINDS(X)
#undef X
		GAP_KIND_N_
};
const char *gap_word(enum gap_kind kind);
const char *gap_sentence(enum gap_kind kind);

/* A device with a gap of its own. */
struct device_gap {
	enum gap_kind kind;
	struct device *device;
	char *machine; /* id of the one that it is or names; "" for none */
};

struct device_join;

struct device_join *device_join_new(void);
struct device_join *device_join_free(struct device_join *j);
/* Of two rows with the same id the better witness is kept. */
void device_join_add(struct device_join *j, const json_t *row);
size_t device_join_count(const struct device_join *j);
/* All that was added was told, and once: without that nothing is concluded from an absence. */
bool device_join_is_whole(const struct device_join *j);

/*
 * Joins with the machines of the tenant's subscriptions and tells each what is known of its sensor,
 * some at a time: true while there is more. `complete`: the list was, so that a machine without a
 * device has none. `asked`: when the list was begun. Machines may come and go meanwhile.
 */
void device_join_begin(struct device_join *j, const struct inventory *inv, const char *tenant,
	bool complete, struct wall asked);
/* In place of devices: nothing is known of the tenant's any more. */
void device_join_begin_forgetting(
	struct device_join *j, const struct inventory *inv, const char *tenant);
bool device_join_some(struct device_join *j, struct inventory *inv, size_t most) MDC_MUST_CHECK;

struct device_gaps {
	struct device_gap *v; /* in the order in which the devices were added */
	size_t n;
};
/* After the end. The caller owns them. */
void device_join_take(struct device_join *j, struct device_gaps *ret);
void device_gaps_fini(struct device_gaps *g);

/*
 * The gap on the machine's side; GAP_KIND_N_: there is none, or nothing is known. A sensor that was
 * just installed is in the inventory up to 26 hours later: before that a missing one is no gap.
 */
#define DEVICE_LAG DUR_H(26)
enum gap_kind machine_gap(const struct machine *m, struct wall now);

#endif
