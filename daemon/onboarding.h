/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onboarding: the onboarding packages of Defender for Endpoint, one per subscription and family of
 * systems. They are secrets: kept in memory for ten minutes, wiped then, never stored or logged.
 */
#ifndef MDCD_ONBOARDING_H
#define MDCD_ONBOARDING_H

#include "daemon/arm_client.h"

struct onboarding;

struct onboarding *onboarding_new(const struct world *w, struct arm_client *client);
struct onboarding *onboarding_free(struct onboarding *o);

/* The package is borrowed for the call. Without a failure and a package Azure has none for that
 * family of systems. */
typedef void (*onboarding_fn)(void *ctx, struct arm_result *failure, const char *package);
/* `done` may be called at once. Requests for the same subscription share one call. */
void onboarding_get(struct onboarding *o, const char *identity, const char *subscription,
	bool windows, onboarding_fn done, void *ctx);
/* `done` will not be called for that ctx. */
void onboarding_forget(struct onboarding *o, const void *ctx);
/*
 * The organisation of Defender for Endpoint that the subscription's packages onboard into, as the
 * last one said, and when that was read; NULL where none was needed yet, or none said. No secret.
 */
const char *onboarding_organisation(
	const struct onboarding *o, const char *subscription, struct wall *ret_at);

#endif
