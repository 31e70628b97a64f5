/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/small_config.h"

void small_config_init(struct small_config *c)
{
	*c = (struct small_config){0};
	for (unsigned i = 0; i < 2; i++) {
		c->clouds[i] = (struct cloud_config){.name = (char *)(i == 0 ? "public" : "china"),
			.login = (char *)"https://login.test/",
			.resource_manager =
				(char *)(i == 0 ? SMALL_ARM "/"
						: "https://management.chinacloudapi.cn"),
			.audience = (char *)SMALL_ARM,
			.ca_file = (char *)"/ca.pem",
			.quota = i == 0 ? CLOUD_QUOTA_BUCKETS : CLOUD_QUOTA_HOURLY};
		c->identities[i] =
			(struct identity_config){.name = (char *)(i == 0 ? "main" : "east"),
				.cloud = &c->clouds[i],
				.tenant = (char *)SMALL_TENANT,
				.client = (char *)SMALL_CLIENT,
				.method = IDENTITY_CLIENT_SECRET,
				.secret_file = (char *)SMALL_SECRET_FILE};
	}
	c->config = (struct config){.clouds = c->clouds,
		.cloud_count = 2,
		.identities = c->identities,
		.identity_count = 2};
}
