/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm_request: every request that the daemon can send to ARM, one constructor each. The api-version
 * comes from one table by resource type; a resource is read and written with the same one.
 */
#ifndef MDC_ARM_REQUEST_H
#define MDC_ARM_REQUEST_H

#include "lib/azure/arm_document.h"
#include "lib/azure/arm_id.h"
#include "lib/base/base.h"
#include "lib/base/tick.h"

#include <jansson.h>

enum arm_quota {
	ARM_QUOTA_READ,
	ARM_QUOTA_WRITE,
	ARM_QUOTA_DELETE,
	ARM_QUOTA_GRAPH, /* Resource Graph's own quota */
	/* Of the API of Defender for Endpoint, which is another service on a host of its own. */
	ARM_QUOTA_DEFENDER,
};

struct arm_request {
	const char *method;
	char *path;   /* "/subscriptions/…?api-version=…": appended to the ARM base */
	json_t *body; /* owned, NULL for none */
	enum arm_quota quota;
	char subscription[GUID_TEXT_SIZE]; /* whose bucket it drains; "" = tenant */
	const char *provider;              /* "Microsoft.Security", … or "" */
	bool secret_reply; /* the answer is never shown or logged, and overwritten after use */
};
void arm_request_fini(struct arm_request *r);

/* Reads. Ids are checked GUIDs or parsed ids: nothing from outside enters a path unescaped. */
void arm_list_subscriptions(struct arm_request *ret);
/* Everything below a management group, by its name: subscriptions and groups. */
void arm_list_descendants(const char *group, struct arm_request *ret);
void arm_get_subscription(const char *subscription, struct arm_request *ret);
void arm_get_pricing(const char *subscription, struct arm_request *ret);
void arm_get_machine_plan(const char *machine_id, struct arm_request *ret);
void arm_list_settings(const char *subscription, struct arm_request *ret);
void arm_get_setting(const char *subscription, const char *name, struct arm_request *ret);
/* The registration of a resource provider, by its namespace. */
void arm_get_provider(const char *subscription, const char *name, struct arm_request *ret);
void arm_get_vulnerability_setting(const char *subscription, struct arm_request *ret);
void arm_get_auto_provisioning(const char *subscription, struct arm_request *ret);
/* Of all clouds and environments. */
void arm_list_connectors(const char *subscription, struct arm_request *ret);
void arm_get_connector(const char *connector_id, struct arm_request *ret);
void arm_list_workspaces(const char *subscription, struct arm_request *ret);
void arm_list_solutions(const char *subscription, struct arm_request *ret);
void arm_get_solution(const char *solution_id, struct arm_request *ret);
/* -EINVAL: no rule's id. */
int arm_get_collection_rule(const char *rule_id, struct arm_request *ret) MDC_MUST_CHECK;
void arm_get_onboarding(const char *subscription, struct arm_request *ret);
/* A machine is Arc's or an Azure VM, by its id. */
void arm_get_machine(const char *machine_id, struct arm_request *ret);
/* Azure VMs: as they are made, or what they are doing. */
void arm_list_vms(const char *subscription, bool status_only, struct arm_request *ret);
void arm_list_machines(const char *subscription, struct arm_request *ret);
void arm_get_extension(const char *machine_id, const char *name, struct arm_request *ret);
void arm_list_extensions(const char *machine_id, struct arm_request *ret);
/* What is assigned to the subscription, above it and inside of it; a set by its id (-EINVAL: none).
 */
void arm_list_policy_assignments(const char *subscription, struct arm_request *ret);
int arm_get_policy_set(const char *id, struct arm_request *ret) MDC_MUST_CHECK;
/* Exemptions that reach the subscription or something inside of it, ended ones too. */
void arm_list_policy_exemptions(const char *subscription, struct arm_request *ret);
/* Activity log by correlation id, or by what was written, within [from, to]. */
void arm_find_activity(const char *subscription, const char *correlation_id, struct wall from,
	struct wall to, struct arm_request *ret);
void arm_find_activity_on(const char *subscription, const char *resource_id, struct wall from,
	struct wall to, struct arm_request *ret);
/* Devices of Defender for Endpoint: at most `top` (DEVICES_PER_PAGE) from the `skip`th on. */
#define DEVICES_PER_PAGE 10000
void defender_list_devices(unsigned top, uint64_t skip, struct arm_request *ret);
/* The resource that tokens for it are asked for, by the API's URL. */
const char *defender_audience(const char *api);
/* A nextLink: same origin as `arm_base` or -EXDEV; not a URL -EINVAL. Keeps the quota of `first`.
 */
int arm_follow_link(const struct arm_request *first, const char *arm_base, const char *link,
	struct arm_request *ret) MDC_MUST_CHECK;

/* Writes. */
/*
 * The document to send for a plan: `current` (as read) with tier and sub-plan overlaid, read-only
 * members stripped, extensions kept but for those that the sub-plan does not allow
 * (AgentlessVmScanning and FileIntegrityMonitoring exist for P2 only). Caller owns the result.
 */
json_t *arm_pricing_document(const json_t *current, const char *tier, const char *sub_plan);
/* In such a document: switches the extension on, and leaves its properties as they are. */
void arm_pricing_switch_on(json_t *document, enum plan_extension e);
/* Takes the document. */
void arm_put_pricing(const char *subscription, json_t *take_document, struct arm_request *ret);
/* PUT of P1 or none, DELETE for the subscription's own. */
void arm_write_machine_plan(
	const char *machine_id, enum machine_plan plan, struct arm_request *ret);
void arm_put_setting(
	const char *subscription, const char *name, bool enabled, struct arm_request *ret);
/* Microsoft Defender Vulnerability Management for all machines of the subscription. */
void arm_put_vulnerability_setting(const char *subscription, struct arm_request *ret);
/* The whole document (arm_connector.h). Takes it. */
void arm_put_solution(const char *solution_id, json_t *take_document, struct arm_request *ret);
void arm_put_connector(const char *connector_id, json_t *take_document, struct arm_request *ret);
/* POST; registering what is registered changes nothing. */
void arm_register_provider(const char *subscription, const char *name, struct arm_request *ret);
/*
 * MDE.Windows or MDE.Linux on a machine. `package` is the onboarding script as read, put into
 * protectedSettings. `unified` sets vNextEnabled "true". `current` (or NULL) is the extension as
 * read: settings that others put there are kept. What is sent always differs from it.
 */
void arm_put_mde_extension(const char *machine_id, const char *location, bool windows, bool unified,
	const char *package, const json_t *current, struct arm_request *ret);
void arm_delete_extension(const char *machine_id, const char *name, struct arm_request *ret);

/* The api-version used for a kind of resource. */
const char *arm_api_version(enum arm_kind kind);

#endif
