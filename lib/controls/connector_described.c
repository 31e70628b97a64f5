/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/connector_described.h"

#include "lib/base/str.h"
#include "lib/controls/verdict.h"

const struct connector_config *connector_description(const struct control_view *v)
{
	return scope_connector(v->scope, v->connector->id);
}

/* --- judging --- */

/* Without the provider there are none, and they cannot be listed. */
static bool has_no_provider(const struct subscription *s)
{
	const struct single_facts *provider = &s->singles[SINGLE_SECURITY_PROVIDER];

	return provider->stamp.source != SOURCE_NONE &&
		!str_equal_nocase(provider->word, "Registered");
}

/* One whose connectors are not known, one of which may be of that account; or NULL. */
static const struct subscription *find_unread(const struct inventory *inv)
{
	struct map_entry *entry;

	map_for_each ((struct map *)&inv->subscriptions, entry) {
		const struct subscription *s = entry->value;

		if (s->visible && s->scope != NULL && s->connectors_stamp.source == SOURCE_NONE &&
			!has_no_provider(s))
			return s;
	}
	return NULL;
}

struct verdict connector_judge_absent(
	const struct control_view *v, const struct connector_config *described)
{
	const struct inventory *inv = v->subscription->inventory;
	const struct connector *rival = inventory_connector_of_account(
		inv, described->is.cloud, described->is.hierarchy, v->connector);
	const struct subscription *unread = find_unread(inv);

	if (v->scope->policy->connector.plan == PLAN_UNMANAGED)
		return verdict_of(VERDICT_BLOCKED, REASON_CONNECTOR_PLANLESS, "");
	if (rival != NULL)
		return verdict_of(VERDICT_BLOCKED, REASON_CONNECTOR_TAKEN, rival->id);
	if (unread != NULL)
		return verdict_of(VERDICT_UNKNOWN, REASON_CONNECTORS_UNREAD, unread->id);
	return verdict_of(VERDICT_DRIFTED, REASON_CONNECTOR_ABSENT, described->is.hierarchy);
}

struct verdict connector_judge_account(
	const struct connector_config *described, enum connector_cloud cloud, const char *hierarchy)
{
	if (described == NULL ||
		(described->is.cloud == cloud && str_equal(described->is.hierarchy, hierarchy)))
		return verdict_in_sync();
	return verdict_of(
		VERDICT_BLOCKED, REASON_CONNECTOR_OTHER, hierarchy != NULL ? hierarchy : "");
}

struct verdict connector_judge_identities(
	const struct connector_config *described, const struct connector_offering *offering)
{
	for (unsigned i = 0; described != NULL && i < CONNECTOR_IDENTITY_N_; i++) {
		const char *wanted = described->is.identities[i];

		if (!str_empty(wanted) && !str_empty(offering->identities[i]) &&
			!str_equal(wanted, offering->identities[i]))
			return verdict_of(VERDICT_BLOCKED, REASON_CONNECTOR_IDENTITY,
				connector_identity_path((enum connector_identity)i));
	}
	return verdict_in_sync();
}

/* --- making --- */

static const char *plan_word(const struct control_view *v)
{
	return v->scope->policy->connector.plan == PLAN_P1 ? "P1" : "P2";
}

json_t *connector_new_document(
	const struct control_view *v, const struct connector_config *described)
{
	return arm_connector_new(&described->is, plan_word(v), v->scope->policy->connector.parts);
}

static struct difference *add(struct difference ret[static DIFFERENCES_MAX], size_t *n,
	const char *field, const char *wanted)
{
	struct difference *d = &ret[(*n)++];

	*d = (struct difference){.field = field};
	str_copy(d->wanted, sizeof(d->wanted), wanted);
	str_copy(d->observed, sizeof(d->observed), "not there");
	return d;
}

size_t connector_absent_differences(const struct control_view *v,
	const struct connector_config *described, struct difference ret[static DIFFERENCES_MAX])
{
	size_t n = 0;

	add(ret, &n, "environmentName", connector_cloud_word(described->is.cloud));
	add(ret, &n, "hierarchyIdentifier", described->is.hierarchy);
	add(ret, &n, "offerings[].subPlan", plan_word(v));
	for (unsigned p = 0; p < CONNECTOR_PART_N_; p++)
		if (v->scope->policy->connector.parts[p])
			add(ret, &n, connector_part_name((enum connector_part)p), "true");
	return n;
}

/* Azure gives no list of codes for it; what a status means for one that is being made is clear. */
enum reason connector_refusal(const struct control_view *v, const struct arm_error *error)
{
	bool conflicts = str_contains_nocase(error->code, "conflict") ||
		str_contains_nocase(error->code, "exist");

	if (connector_description(v) == NULL || !wall_is_set(v->connector->missing))
		return REASON_NONE;
	if (str_equal_nocase(error->code, "ResourceGroupNotFound"))
		return REASON_GROUP_MISSING;
	if (error->status == 409 && conflicts)
		return REASON_CONNECTOR_TAKEN;
	return error->class == ARM_ERROR_REQUEST ? REASON_CONNECTOR_REFUSED : REASON_NONE;
}

/* --- what only a person can do --- */

static void aws_by_hand(
	const struct policy_config *policy, const struct connector_description *d, struct buf *ret)
{
	const char *arc = d->identities[CONNECTOR_ARC_ROLE];
	const char *scanner = d->identities[CONNECTOR_AGENTLESS_ROLE];

	buf_addf(ret,
		"AWS account %s: run the CloudFormation template that Defender for Cloud generates "
		"for it; it makes the OIDC identity provider and the roles below, which trust it\n",
		d->hierarchy);
	if (d->stackset != NULL)
		buf_addf(ret,
			"AWS organization: run it as the StackSet %s for the member accounts as "
			"well\n",
			d->stackset);
	buf_addf(ret, "AWS role for Defender for Servers: %s\n",
		d->identities[CONNECTOR_SERVERS_ROLE]);
	if (policy->connector.parts[CONNECTOR_ARC])
		buf_addf(ret,
			"AWS role that installs the Arc agent: %s\n"
			"AWS instances: the SSM agent, an instance profile with "
			"AmazonSSMManagedInstanceCore, and a way to the endpoints of SSM and Azure "
			"Arc\n",
			arc);
	if (policy->connector.parts[CONNECTOR_AGENTLESS])
		buf_addf(ret, "AWS role for agentless scanning: %s\n", scanner);
	buf_adds(ret,
		"AWS, whenever the plan or a switch changes: run the CloudFormation template "
		"again\n");
}

static void gcp_by_hand(
	const struct policy_config *policy, const struct connector_description *d, struct buf *ret)
{
	buf_addf(ret,
		"GCP project %s (%s): run the script that Defender for Cloud generates for it; it "
		"makes the workload identity pool, its provider and the service accounts below\n",
		d->project, d->hierarchy);
	buf_adds(ret,
		"GCP APIs to enable: iam, sts, cloudresourcemanager, iamcredentials, compute "
		"(googleapis.com)\n");
	buf_addf(ret, "GCP workload identity provider: %s\n",
		d->identities[CONNECTOR_WORKLOAD_PROVIDER]);
	buf_addf(ret,
		"GCP service account for Defender for Servers: %s, with the roles compute.viewer, "
		"iam.serviceAccountTokenCreator, osconfig.osPolicyAssignmentAdmin and "
		"osconfig.osPolicyAssignmentReportViewer\n",
		d->identities[CONNECTOR_SERVICE_ACCOUNT]);
	if (policy->connector.parts[CONNECTOR_ARC])
		buf_adds(ret,
			"GCP machines: the OS Config agent (API osconfig), the service account "
			"azure-arc-for-servers-onboard, and a way to the endpoints of Azure Arc\n");
	if (d->organization_account != NULL)
		buf_addf(ret,
			"GCP organization: the service account %s and the workload identity "
			"provider %s, with rights on the whole organization\n",
			d->organization_account, d->organization_provider);
}

void connector_by_hand(const struct control_view *v, struct buf *ret)
{
	const struct connector_config *described = connector_description(v);
	const struct policy_config *policy = v->scope->policy;

	if (described == NULL)
		return;
	if (described->is.cloud == CONNECTOR_AWS)
		aws_by_hand(policy, &described->is, ret);
	else
		gcp_by_hand(policy, &described->is, ret);
	if (wall_is_set(v->connector->missing))
		buf_adds(ret, "Azure: the resource group, which is not made either\n");
	if (policy->connector.parts[CONNECTOR_ARC])
		buf_adds(ret,
			"Azure: installing the Arc agent makes role assignments, for which "
			"Defender "
			"for Cloud wants the role Owner on the subscription, besides Security "
			"Admin\n");
}
