/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof that the extension's success lacks: the machine's device is onboarded and reports, by
 * the inventory of Defender for Endpoint. Where nothing is known of that the control does not
 * apply: what cannot be read is told once (daemon/devices.h) and not for each machine.
 */
#include "lib/controls/rows.h"
#include "lib/controls/verdict.h"
#include "lib/model/device_join.h"

static bool is_expected(const struct machine *m)
{
	return m->sensor != NULL && os_is_supported(m->os) && m->mde.present &&
		m->mde.provisioning == PROVISIONING_SUCCEEDED;
}

/* A device shows up to so much later than its sensor. */
static struct verdict judge_absent(const struct control_view *v)
{
	const struct machine *m = v->machine;
	struct wall limit = wall_add(m->mde.changed, DEVICE_LAG);

	if (wall_before(v->now, limit))
		return verdict_waiting(REASON_SENSOR_AWAITED, limit, "");
	return verdict_of(VERDICT_BLOCKED, REASON_SENSOR_ABSENT,
		m->sensor->listed ? "its device is not onboarded" : "");
}

static struct verdict judge_active(const struct machine *m)
{
	bool outdated = sensor_is_outdated(
		m->sensor->version, os_is_windows(m->os), m->os == OS_WINDOWS_UNIFIED);

	return outdated ? verdict_of(VERDICT_COMPLIANT, REASON_SENSOR_OUTDATED, m->sensor->version)
			: verdict_in_sync();
}

static struct verdict judge(const struct control_view *v)
{
	const struct machine *m = v->machine;

	if (!m->connected)
		return machine_connection(v);
	if (!m->sensor->listed || !m->sensor->onboarded)
		return judge_absent(v);
	switch (m->sensor->health) {
	case SENSOR_ACTIVE: return judge_active(m);
	case SENSOR_IMPAIRED:
		return verdict_of(
			VERDICT_BLOCKED, REASON_SENSOR_SILENT, "its communication is impaired");
	case SENSOR_MUTE:
		return verdict_of(VERDICT_BLOCKED, REASON_SENSOR_SILENT, "it sends nothing");
	case SENSOR_HEALTH_UNKNOWN: break;
	}
	return verdict_unreadable("healthStatus");
}

static struct verdict assess_onboarded(const struct control_view *v)
{
	const struct machine *m = v->machine;
	struct verdict verdict;

	if (v->scope->policy->deploy == DEPLOY_NEVER || !is_expected(m))
		return verdict_not_applicable();
	verdict = judge(v);
	verdict.stamp = (struct stamp){.at = m->sensor->at, .source = SOURCE_DEFENDER};
	return verdict;
}

static size_t differences(const struct control_view *v, struct difference ret[DIFFERENCES_MAX])
{
	const struct sensor_facts *s = v->machine->sensor;
	size_t n = 0;

	if (s == NULL)
		return 0;
	if (!s->listed || !s->onboarded)
		ret[n++] = (struct difference){.field = "onboardingStatus", .wanted = "Onboarded"};
	else if (s->health == SENSOR_MUTE || s->health == SENSOR_IMPAIRED)
		ret[n++] = (struct difference){.field = "healthStatus", .wanted = "Active"};
	return n;
}

/* In ARM; all else comes from the inventory of Defender for Endpoint. */
static const char *const fields[] = {"properties.provisioningState", NULL};
static const char *const reads[] = {"Microsoft.HybridCompute/machines/extensions/read", NULL};
static const enum control_id after[] = {CONTROL_N_};

const struct control sensor_onboarded_control = {
	.id = CONTROL_SENSOR_ONBOARDED,
	.help = "The sensor is onboarded and reports, by the inventory of Defender for Endpoint.",
	.fields = fields,
	.reads = reads,
	.after = after,
	.unobserved = extensions_unobserved,
	.assess = assess_onboarded,
	.differences = differences,
};
