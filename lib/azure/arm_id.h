/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm_id: Azure resource ids.
 *
 * lib/azure/ knows the words of Azure: ids, documents, error classes, headers, operating systems,
 * queries, requests. It decides nothing; policy is in controls/ and engine/.
 *
 * Ids compare without case and come back in other casing than they were sent (ARM RPC, resource
 * api reference); some responses omit the leading slash. The text form here is as received, with
 * the slash added; keys are folded to lower case.
 */
#ifndef MDC_ARM_ID_H
#define MDC_ARM_ID_H

#include "lib/base/base.h"

#define GUID_TEXT_SIZE 37
/* Longest id accepted: ARM's own limits on names stay far below. */
#define ARM_ID_MAX 2048

enum arm_kind {
	ARM_KIND_SUBSCRIPTION,
	ARM_KIND_RESOURCE_GROUP,
	ARM_KIND_PROVIDER,          /* a resource provider's registration in a subscription */
	ARM_KIND_PRICING,           /* Microsoft.Security/pricings, on a subscription */
	ARM_KIND_RESOURCE_PRICING,  /* the same on a machine */
	ARM_KIND_SETTING,           /* Microsoft.Security/settings */
	ARM_KIND_VA_SETTING,        /* Microsoft.Security/serverVulnerabilityAssessmentsSettings */
	ARM_KIND_AUTO_PROVISIONING, /* Microsoft.Security/autoProvisioningSettings, retired */
	ARM_KIND_CONNECTOR,         /* Microsoft.Security/securityConnectors */
	ARM_KIND_WORKSPACE,         /* Microsoft.OperationalInsights/workspaces */
	ARM_KIND_SOLUTION,          /* Microsoft.OperationsManagement/solutions */
	ARM_KIND_COLLECTION_RULE,   /* Microsoft.Insights/dataCollectionRules */
	ARM_KIND_MDE_ONBOARDING,    /* Microsoft.Security/mdeOnboardings */
	ARM_KIND_ARC_MACHINE,       /* Microsoft.HybridCompute/machines */
	ARM_KIND_ARC_EXTENSION,     /* Microsoft.HybridCompute/machines/extensions */
	ARM_KIND_VIRTUAL_MACHINE,   /* Microsoft.Compute/virtualMachines */
	ARM_KIND_VM_EXTENSION,      /* Microsoft.Compute/virtualMachines/extensions */
	ARM_KIND_OTHER,
	ARM_KIND_N_
};

struct arm_id {
	char *text;                        /* with leading slash, casing as received */
	char subscription[GUID_TEXT_SIZE]; /* lower case; "" at tenant level */
	char *group;                       /* resource group as received, or NULL */
	char *name;                        /* of the resource itself: last segment */
	char *parent_name; /* machine's name for an extension or a machine's plan, else NULL */
	enum arm_kind kind;
};

/* -EINVAL for text that is not a resource id, -ENAMETOOLONG past ARM_ID_MAX. */
int arm_id_parse(const char *text, struct arm_id *ret) MDC_MUST_CHECK;
void arm_id_fini(struct arm_id *id);
/* "/subscriptions/…/machines/m" of an extension's or a machine's plan's id; caller frees. NULL for
 * other kinds. */
char *arm_id_parent(const struct arm_id *id);
/* Lower-cased copy with leading slash, the key under which the id is stored; caller frees. */
char *arm_id_key(const char *text);
/* Under which subscription an id is, lower case, without a look at the rest; false: under none. */
bool arm_id_subscription(const char *text, char ret[static GUID_TEXT_SIZE]);
/* Same resource, whatever the casing and leading slash; NULL equals nothing. */
bool arm_id_same(const char *a, const char *b);
/* Whether it is an Azure VM's. */
bool arm_id_is_vm(const char *text);
const char *arm_kind_name(enum arm_kind kind);

#endif
