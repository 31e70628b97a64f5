/* SPDX-License-Identifier: Apache-2.0 */
/*
 * small_config: a configuration of two identities and nothing else, to be changed by tests: "main"
 * in the cloud "public", "east" in "china", both with the client secret in /secret.
 */
#ifndef MDC_TEST_SMALL_CONFIG_H
#define MDC_TEST_SMALL_CONFIG_H

#include "lib/model/config.h"

#define SMALL_ARM "https://management.azure.com"
#define SMALL_TENANT "11111111-1111-1111-1111-111111111111"
#define SMALL_CLIENT "22222222-2222-2222-2222-222222222222"
#define SMALL_SECRET_FILE "/secret"

/* Its texts are literals. It points into itself: not to be moved. */
struct small_config {
	struct cloud_config clouds[2];
	struct identity_config identities[2];
	struct config config;
};
void small_config_init(struct small_config *c);

#endif
