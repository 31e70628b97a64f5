/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/azure/access_request.h"

#include "lib/base/http_message.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#define AUTHORIZATION "Microsoft.Authorization"
#define PERMISSIONS_VERSION "2022-04-01"
#define LOCKS_VERSION "2020-05-01"
#define PROVIDERS_VERSION "2024-03-01"
#define POLICY_INSIGHTS "Microsoft.PolicyInsights"
#define RESTRICTIONS_VERSION "2023-03-01"

static void ask(const char *method, const char *subscription, const char *provider, char *take_path,
	struct arm_request *ret)
{
	*ret = (struct arm_request){
		.method = method,
		.path = take_path,
		.quota = ARM_QUOTA_READ,
		.provider = provider,
	};
	str_copy(ret->subscription, sizeof(ret->subscription), subscription);
}

static void list_of(
	const char *subscription, const char *type, const char *version, struct arm_request *ret)
{
	ask("GET", subscription, AUTHORIZATION,
		xasprintf("/subscriptions/%s/providers/" AUTHORIZATION "/%s?api-version=%s",
			subscription, type, version),
		ret);
}

void access_list_permissions(const char *subscription, const char *group, struct arm_request *ret)
{
	mdc_autofree char *name = NULL;

	if (group == NULL) {
		list_of(subscription, "permissions", PERMISSIONS_VERSION, ret);
		return;
	}
	name = http_percent_encode(group);
	ask("GET", subscription, AUTHORIZATION,
		xasprintf("/subscriptions/%s/resourcegroups/%s/providers/" AUTHORIZATION
			  "/permissions?api-version=" PERMISSIONS_VERSION,
			subscription, name),
		ret);
}

void access_get_registration(
	const char *subscription, const char *provider, struct arm_request *ret)
{
	mdc_autofree char *name = http_percent_encode(provider);

	ask("GET", subscription, "",
		xasprintf("/subscriptions/%s/providers/%s?api-version=" PROVIDERS_VERSION,
			subscription, name),
		ret);
}

void access_list_locks(const char *subscription, struct arm_request *ret)
{
	list_of(subscription, "locks", LOCKS_VERSION, ret);
}

void access_list_deny_assignments(const char *subscription, struct arm_request *ret)
{
	list_of(subscription, "denyAssignments", PERMISSIONS_VERSION, ret);
}

void access_check_policies(const char *subscription, const char *parent, json_t *take_content,
	const char *version, struct arm_request *ret)
{
	json_t *details =
		json_pack("{s:o, s:s}", "resourceContent", take_content, "apiVersion", version);

	if (parent != NULL)
		json_object_set_new(details, "scope", json_string(parent));
	ask("POST", subscription, POLICY_INSIGHTS,
		xasprintf("/subscriptions/%s/providers/" POLICY_INSIGHTS
			  "/checkPolicyRestrictions?api-version=" RESTRICTIONS_VERSION,
			subscription),
		ret);
	ret->body = json_pack("{s:o}", "resourceDetails", details);
}
