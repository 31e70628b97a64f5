/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/controls/switch.h"

#include "lib/base/str.h"
#include "lib/controls/verdict.h"

enum reason switch_unobserved(const struct control_view *v)
{
	return v->subscription->settings_stamp.source == SOURCE_NONE ? REASON_NOT_OBSERVED
								     : REASON_NONE;
}

static struct verdict judge(enum setting_id setting, enum tri enabled, bool present)
{
	bool on = setting_protects_on(setting);

	if (enabled == (on ? TRI_YES : TRI_NO))
		return verdict_in_sync();
	if (enabled != TRI_UNKNOWN)
		return verdict_of(
			VERDICT_DRIFTED, on ? REASON_SETTING_OFF : REASON_SETTING_EXCLUDES, "");
	if (present)
		return verdict_unreadable("properties.enabled");
	return verdict_of(VERDICT_DRIFTED, REASON_SETTING_ABSENT, "");
}

static bool not_offered(const struct setting_facts *facts, struct wall now)
{
	return facts->enabled == TRI_UNKNOWN && wall_is_set(facts->not_offered) &&
		wall_since(now, facts->not_offered).ms < SWITCH_NOT_OFFERED_FOR.ms;
}

struct verdict switch_assess(const struct control_view *v, enum setting_id setting)
{
	const struct setting_facts *facts = &v->subscription->settings[setting];
	struct verdict verdict = not_offered(facts, v->now) && !view_insists(v)
		? verdict_of(VERDICT_COMPLIANT, REASON_NOT_OFFERED, setting_name(setting))
		: judge(setting, facts->enabled, facts->listed);

	verdict.stamp = facts->stamp;
	return verdict;
}

static const char *word_of(bool enabled)
{
	return enabled ? "true" : "false";
}

size_t switch_differences(const struct control_view *v, enum setting_id setting,
	struct difference ret[DIFFERENCES_MAX])
{
	enum tri enabled = v->subscription->settings[setting].enabled;
	bool on = setting_protects_on(setting);

	if (enabled == (on ? TRI_YES : TRI_NO))
		return 0;
	ret[0] = (struct difference){.field = "properties.enabled"};
	str_copy(ret[0].wanted, sizeof(ret[0].wanted), word_of(on));
	str_copy(ret[0].observed, sizeof(ret[0].observed),
		enabled == TRI_UNKNOWN ? "not set" : word_of(enabled == TRI_YES));
	return 1;
}

void switch_read(const struct control_view *v, enum setting_id setting, struct arm_request *ret)
{
	arm_get_setting(v->subscription->id, setting_name(setting), ret);
}

enum compose_result switch_compose(const struct control_view *v, enum setting_id setting,
	const struct compose_input *in, struct arm_request *ret, struct verdict *ret_verdict)
{
	struct arm_setting current = {.enabled = TRI_UNKNOWN};
	struct verdict verdict;

	if (in->current != NULL && arm_setting_read(in->current, &current) != 0)
		verdict = verdict_unreadable("the setting");
	else
		verdict = judge(setting, current.enabled, in->current != NULL);
	if (verdict.kind != VERDICT_DRIFTED)
		return compose_instead(&verdict, ret_verdict);
	arm_put_setting(
		v->subscription->id, setting_name(setting), setting_protects_on(setting), ret);
	return COMPOSED;
}
