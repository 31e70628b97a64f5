/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/assigned.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"

/* Policies of virtual machines do nothing on Arc machines, those of Windows nothing on Linux. */
static unsigned deeds_on(const struct machine *m, unsigned deeds)
{
	bool vm = str_contains_nocase(m->id, "/microsoft.compute/virtualmachines/");
	unsigned windows = vm ? DEED(SENSOR_VM_WINDOWS) : DEED(SENSOR_WINDOWS);
	unsigned linux_one = vm ? DEED(SENSOR_VM_LINUX) : DEED(SENSOR_LINUX);
	unsigned fitting = os_is_windows(m->os) ? windows : os_is_linux(m->os) ? linux_one : 0;

	return deeds & ((unsigned)~DEEDS_SENSOR | fitting);
}

/* Microsoft's definitions for Arc leave these out by conditions of their own. */
static bool is_left_out(const struct machine *m)
{
	static const char *const windows[] = {"2012", "2016", "2019", "2022"};

	if (m->connector_made)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(windows); i++)
		if (str_contains_nocase(m->os_sku, windows[i]))
			return false;
	return os_is_windows(m->os) && !str_contains_nocase(m->os_sku, "Enterprise");
}

static char *subscription_id(const struct control_view *v)
{
	return xasprintf("/subscriptions/%s", v->subscription->id);
}

/* Nothing is deployed where the assignment's own exemption lives, whoever honours it. */
static bool is_exempt(
	const struct control_view *v, const struct assigned_policy *policy, const char *resource_id)
{
	const struct policy_exemptions *all = &v->subscription->exemptions;

	for (size_t i = 0; i < all->n; i++)
		if (arm_id_same(all->v[i].assignment, policy->id) &&
			all->v[i].reference_count == 0 &&
			policy_exemption_reaches(&all->v[i], resource_id) &&
			wall_before(v->now, all->v[i].expires))
			return true;
	return false;
}

const struct assigned_policy *assigned_at_work(
	const struct control *control, const struct control_view *v)
{
	const struct machine *m = v->machine;
	unsigned deeds = m != NULL ? deeds_on(m, control->deeds) : control->deeds;
	mdc_autofree char *id = m != NULL ? xstrdup(m->id) : subscription_id(v);
	const struct assigned_policy *policy;

	if (deeds == 0 || (m != NULL && is_left_out(m)))
		return NULL;
	policy = assigned_policies_on(&v->subscription->policies, deeds, id);
	return policy != NULL && is_exempt(v, policy, id) ? NULL : policy;
}

/* --- exemptions that are honoured --- */

static enum tri is_honoured(const struct scope_config *scope, const struct subscription *s,
	const struct policy_exemption *e, unsigned deeds, struct wall now)
{
	if (policy_exemption_is_named(
		    e, &s->policies, scope->exemptions_of, scope->exemptions_of_count))
		return TRI_YES;
	return policy_exemption_is_from(e, &s->policies, deeds, now);
}

static struct dur grace_of(const struct control_view *v)
{
	return v->config != NULL ? v->config->expiry_grace : DUR_MS(0);
}

enum tri assigned_exempts(const struct control *control, const struct control_view *v,
	const struct policy_exemption **ret, const char **ret_missing)
{
	const struct policy_exemptions *all = &v->subscription->exemptions;
	enum tri answer = TRI_NO;

	if (!v->scope->honour_exemptions || !control->exempted || v->machine == NULL)
		return TRI_NO;
	*ret_missing = "policy exemptions";
	if (!policy_exemptions_known(all, v->now))
		return TRI_UNKNOWN;
	*ret_missing = "assigned policies, which tell what an exemption is from";
	for (size_t i = 0; i < all->n; i++) {
		const struct policy_exemption *e = &all->v[i];
		enum tri honoured;

		if (!policy_exemption_reaches(e, v->machine->id) ||
			wall_before(policy_exemption_until(e, grace_of(v)), v->now))
			continue;
		honoured = is_honoured(
			v->scope, v->subscription, e, deeds_on(v->machine, DEEDS_SENSOR), v->now);
		if (honoured == TRI_YES) {
			*ret = e;
			return TRI_YES;
		}
		if (honoured == TRI_UNKNOWN)
			answer = TRI_UNKNOWN;
	}
	return answer;
}

const struct policy_exemption *assigned_honoured_next(
	const struct scope_config *scope, const struct subscription *s, struct wall now, size_t *at)
{
	while (scope->honour_exemptions && *at < s->exemptions.n) {
		const struct policy_exemption *e = &s->exemptions.v[(*at)++];

		if (is_honoured(scope, s, e, DEEDS_SENSOR, now) == TRI_YES)
			return e;
	}
	return NULL;
}
