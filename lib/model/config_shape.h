/* SPDX-License-Identifier: Apache-2.0 */
/* config_shape: texts whose form somebody else has laid down: Azure, AWS, GCP. */
#ifndef MDC_CONFIG_SHAPE_H
#define MDC_CONFIG_SHAPE_H

#include <stdbool.h>

struct config_shape {
	bool (*fits)(const char *text);
	const char *what;    /* "is not WHAT" */
	const char *instead; /* "write INSTEAD" */
};

extern const struct config_shape config_shape_group;    /* resource group */
extern const struct config_shape config_shape_location; /* region of Azure */
extern const struct config_shape config_shape_account;  /* of AWS */
extern const struct config_shape config_shape_role;     /* of AWS */
extern const struct config_shape config_shape_stackset;
extern const struct config_shape config_shape_project_number; /* of GCP */
extern const struct config_shape config_shape_project;
extern const struct config_shape config_shape_provider; /* of workload identities */
extern const struct config_shape config_shape_service_account;

#define AWS_ACCOUNT_LENGTH 12
/* Where the account stands in the ARN of a role; NULL: it is none. */
const char *aws_role_account(const char *arn);

#endif
