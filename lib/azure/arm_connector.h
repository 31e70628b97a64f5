/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm_connector: Microsoft.Security/securityConnectors of AWS and GCP, api-version
 * 2024-08-01-preview: what the Defender for Servers offering says, and the document to send.
 *
 * `offerings` is replaced as a whole by a write, so that all of it goes back as it came, with the
 * members that nobody here knows. Texts are borrowed from the JSON tree, as in arm_document.h.
 */
#ifndef MDC_ARM_CONNECTOR_H
#define MDC_ARM_CONNECTOR_H

#include "lib/azure/arm_document.h"

enum connector_cloud { CONNECTOR_CLOUD_OTHER, CONNECTOR_AWS, CONNECTOR_GCP };
const char *connector_cloud_word(enum connector_cloud cloud);

/* What the offering switches on for the machines of the account or project. */
enum connector_part {
	CONNECTOR_ARC,
	CONNECTOR_MDE,
	CONNECTOR_VULNERABILITY,
	CONNECTOR_AGENTLESS, /* with P2 only */
	CONNECTOR_PART_N_
};
/* The member's name in the contract. */
const char *connector_part_name(enum connector_part part);

/* As whom Defender for Cloud acts in the other cloud. People make it there. */
enum connector_identity {
	CONNECTOR_SERVERS_ROLE,
	CONNECTOR_ARC_ROLE,
	CONNECTOR_AGENTLESS_ROLE,
	CONNECTOR_WORKLOAD_PROVIDER,
	CONNECTOR_SERVICE_ACCOUNT,
	CONNECTOR_IDENTITY_N_
};
/* The member's path in the offering, and the cloud that has it. */
const char *connector_identity_path(enum connector_identity identity);
enum connector_cloud connector_identity_cloud(enum connector_identity identity);
/* The role without which a switch cannot be on in that cloud, or CONNECTOR_IDENTITY_N_. */
enum connector_identity connector_part_role(enum connector_cloud cloud, enum connector_part part);

/* The Defender for Servers offering of a connector. */
struct connector_offering {
	bool present;
	bool doubled;         /* there are two of them: nobody can say which one counts */
	bool identified;      /* it holds the role or the workload identity of the other cloud */
	bool by_defender;     /* the assessment is Defender's own (TVM), not a retired one */
	const char *sub_plan; /* "P1", "P2"; NULL: not set */
	enum tri parts[CONNECTOR_PART_N_]; /* UNKNOWN: not there */
	bool ready[CONNECTOR_PART_N_];     /* all that is needed to switch it on is there */
	const char *identities[CONNECTOR_IDENTITY_N_]; /* NULL or "": not there */
};

struct arm_connector {
	const char *id;
	const char *location;
	enum connector_cloud cloud;
	const char *hierarchy; /* AWS account id, GCP project number */
	const char *parent;    /* of a member of an organization: the organization's hierarchy */
	unsigned scan_hours;
	struct connector_offering offering;
};
/* -EINVAL for what is not a connector's document. */
int arm_connector_read(const json_t *document, struct arm_connector *ret) MDC_MUST_CHECK;

/* A connector that does not exist yet, as somebody described it. Whoever fills it owns the texts.
 */
struct connector_description {
	enum connector_cloud cloud;
	char *location;
	char *hierarchy;                         /* AWS account id, GCP project number */
	char *project;                           /* GCP project id */
	char *identities[CONNECTOR_IDENTITY_N_]; /* NULL: none */
	unsigned scan_hours;
	/* Of an organization: its StackSet in AWS, its own identity in GCP; NULL: a single one. */
	char *stackset;
	char *organization_provider, *organization_account;
	char **excluded; /* accounts or projects of the organization */
	size_t excluded_count;
};
/*
 * The document that creates it, with the Defender for Servers offering alone: what is not in
 * `parts` is written down as off. Caller owns the result.
 */
json_t *arm_connector_new(const struct connector_description *d, const char *sub_plan,
	const bool parts[static CONNECTOR_PART_N_]);

/* `current` without what the service alone may set. Caller owns the result. */
json_t *arm_connector_document(const json_t *current);
/* In such a document. The offering is there, once. */
void arm_connector_set_plan(json_t *document, const char *sub_plan);
void arm_connector_switch(json_t *document, enum connector_part part, bool on);
/*
 * Whether two such documents differ in nothing but what the functions above set: the plan and the
 * switches of the offering.
 */
bool arm_connector_same_besides(const json_t *a, const json_t *b);

#endif
