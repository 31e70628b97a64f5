/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm_document: decoders for the documents that the daemon reads. ARM's answers and the rows of our
 * Resource Graph queries have the same shape, so that both give identical facts.
 *
 * Every text is borrowed from the JSON tree and lives as long as it does; absent, null and members
 * of a wrong type are NULL (text) or TRI_UNKNOWN. Nothing here fails except for a missing or bad
 * id.
 */
#ifndef MDC_ARM_DOCUMENT_H
#define MDC_ARM_DOCUMENT_H

#include "lib/azure/arm_id.h"
#include "lib/azure/os_class.h"
#include "lib/base/base.h"
#include "lib/base/tick.h"

#include <jansson.h>

/*
 * An answer's body as a tree; a byte order mark is skipped. NULL for what is not a JSON object or
 * array. The caller has capped `len`; jansson caps the depth.
 */
json_t *json_body(const char *body, size_t len);

enum tri { TRI_UNKNOWN, TRI_NO, TRI_YES };

/* JSON true/false, or the strings "true"/"false" in any case. */
enum tri json_tri(const json_t *value);
/* The string member, also by another casing of the key; NULL if absent, empty or not a string. */
const char *json_text(const json_t *object, const char *key);
/* Follows a path "a.b.c" of object members; NULL if any is absent. */
json_t *json_path(const json_t *object, const char *path);
const char *json_path_text(const json_t *object, const char *path);

struct arm_subscription {
	const char *id; /* GUID */
	const char *name;
	const char *tenant;
	const char *state;               /* "Enabled", "Disabled", "Warned", "PastDue", "Deleted" */
	const json_t *management_groups; /* array of {name}, nearest first; Resource Graph only */
	const json_t *managed_by;        /* array of {tenantId} that it is delegated to; ARM only */
};
int arm_subscription_read(const json_t *document, struct arm_subscription *ret) MDC_MUST_CHECK;

/* Microsoft.Security/pricings/VirtualMachines, api-version 2024-01-01 */
struct arm_pricing {
	const char *id;
	const char *tier;     /* "Free", "Standard" */
	const char *sub_plan; /* "P1", "P2", NULL */
	enum tri enforce;
	struct wall enabled_at;   /* enablementTime, WALL_UNSET when unknown */
	const json_t *extensions; /* array or NULL */
	const char *coverage;     /* "FullyCovered", "PartiallyCovered", "NotCovered" */
	bool deprecated;
	const json_t *replaced_by; /* array of names, or NULL */
};
int arm_pricing_read(const json_t *document, struct arm_pricing *ret) MDC_MUST_CHECK;
/* The extensions of the plan, by their names in the contract. */
enum plan_extension {
	PLAN_AGENTLESS_SCANNING,
	PLAN_DESIGNATED_SUBSCRIPTION,
	PLAN_FILE_INTEGRITY,
	PLAN_EXTENSION_N_
};
const char *plan_extension_name(enum plan_extension e);
/* PLAN_EXTENSION_N_ for one that is not known. */
enum plan_extension plan_extension_from_name(const char *name);
bool plan_extension_needs_p2(enum plan_extension e);
/*
 * Whether the document holds what the extension cannot be switched on without: for the file
 * integrity monitoring its workspace and rules.
 */
bool arm_pricing_extension_ready(const struct arm_pricing *p, enum plan_extension e);
/* isEnabled of a plan extension by name; TRI_UNKNOWN when it is not listed. */
enum tri arm_pricing_extension(const struct arm_pricing *p, const char *name);
/* The first extension with operationStatus.code Failed: its name and message; false if none. */
bool arm_pricing_failure(
	const struct arm_pricing *p, const char **ret_name, const char **ret_message);

/* The same on one machine: of its own, or the subscription's. */
enum machine_plan {
	MACHINE_PLAN_UNKNOWN, /* not read, or words that we do not know */
	MACHINE_PLAN_INHERITED,
	MACHINE_PLAN_OFF,
	MACHINE_PLAN_P1,
	MACHINE_PLAN_N_
};
enum machine_plan arm_machine_plan_read(const json_t *document);

/* Microsoft.Security/settings, api-version 2022-05-01 */
struct arm_setting {
	const char *id;
	const char *name; /* "WDATP", … */
	enum tri enabled;
};
int arm_setting_read(const json_t *document, struct arm_setting *ret) MDC_MUST_CHECK;

/* Microsoft.HybridCompute/machines, api-version 2025-01-13, or an Azure VM (virtual_machine.h) */
#define ARM_OS_TEXT_SIZE 96
struct arm_machine {
	const char *id;
	const char *location;
	const char
		*status; /* "Connected", "Disconnected", …; of a VM "running", "deallocated", … */
	struct wall status_since; /* lastStatusChange; of a VM when it was made */
	const char *os_type;
	const char *os_name;
	const char *os_sku;
	const char *os_version;
	const char *agent_version;
	const char *cloud; /* cloudMetadata.provider: "AWS", "GCP", "N/A"; of a VM "Azure" */
	enum tri extensions_enabled;
	bool proxied;             /* agentConfiguration.proxyUrl names one */
	const char *config_mode;  /* "full", "monitor" */
	const json_t *allow_list; /* arrays of {publisher, type}, or NULL */
	const json_t *block_list;
	const json_t *tags; /* object or NULL */
	/* Of a VM. */
	bool virtual;
	bool status_only;          /* nothing but its status was told */
	bool own_image;            /* made of a generalized image that is not the marketplace's */
	bool in_scale_set;         /* an instance of a flexible one */
	enum tri agent_ready;      /* the VM agent */
	enum os_class image_class; /* what its image alone decides, or OS_UNKNOWN */
	char os_text[ARM_OS_TEXT_SIZE]; /* what os_sku points to */
};
int arm_machine_read(const json_t *document, struct arm_machine *ret) MDC_MUST_CHECK;
/*
 * Whether the agent's own lists let this extension be installed; TRI_UNKNOWN where the agent has
 * not reported its configuration, or a list is too long to be read.
 */
enum tri arm_machine_allows(const struct arm_machine *m, const char *publisher, const char *type);
/* MDFCSecurityConnector=true: made by a multicloud connector. Tag names compare without case. */
bool arm_machine_is_connector_made(const struct arm_machine *m);

/* Microsoft.HybridCompute/machines/extensions, api-version 2025-01-13, and those of VMs */
struct arm_extension {
	const char *id;
	const char *name;
	const char *publisher;
	const char *type;
	const char *provisioning_state;
	const char *version;
	enum tri vnext;          /* settings.vNextEnabled */
	const char *owner_id;    /* settings.azureResourceId */
	const char *workspace;   /* settings.workspaceId */
	const char *status_code; /* instanceView.status.code, of a VM the first of its `statuses`;
				    numbers are given as text in `code_text` */
	const char *status_level;
	const char *status_message;
	char code_text[24];
};
int arm_extension_read(const json_t *document, struct arm_extension *ret) MDC_MUST_CHECK;

enum extension_kind {
	EXTENSION_OTHER,
	EXTENSION_MDE_WINDOWS,
	EXTENSION_MDE_LINUX,
	EXTENSION_MMA, /* MicrosoftMonitoringAgent */
	EXTENSION_OMS, /* OmsAgentForLinux */
	EXTENSION_KIND_N_
};
#define MDE_PUBLISHER "Microsoft.Azure.AzureDefenderForServers"
#define MMA_PUBLISHER "Microsoft.EnterpriseCloud.Monitoring"
/* By publisher and type, without case; the resource's name does not matter. */
enum extension_kind extension_kind(const char *publisher, const char *type);
const char *extension_kind_type(enum extension_kind kind);

enum provisioning {
	PROVISIONING_UNKNOWN, /* absent or a word we do not know: taken as running */
	PROVISIONING_RUNNING, /* Creating, Updating, Deleting, Accepted, … */
	PROVISIONING_SUCCEEDED,
	PROVISIONING_FAILED,
	PROVISIONING_CANCELED,
	PROVISIONING_N_
};
enum provisioning provisioning_read(const char *state);
/*
 * The word for the state that a resource says it is in, which is where an operation on it has got
 * to; NULL: it says none. A resource provider that is registered is "Succeeded".
 */
const char *arm_document_state(const json_t *document);

/* Microsoft.Security/mdeOnboardings, 2021-10-01-preview: a document or a list; secrets. */
const char *mde_onboarding_package(const json_t *document, bool windows);
/*
 * The organisation of Defender for Endpoint into which a decoded package onboards (orgId in the
 * JSON that it holds, which scripts quote in their own ways); false where none is found.
 */
bool mde_organisation(const char *script, char ret[static GUID_TEXT_SIZE]) MDC_MUST_CHECK;

#endif
