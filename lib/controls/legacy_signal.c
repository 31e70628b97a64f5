/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/controls/legacy.h"

/* What a machine reports once a day is awaited for so long (mde inventory: 24 h). */
#define REPORT_AGE DUR_H(26)

bool legacy_is_over(const struct machine *m)
{
	const struct extension_facts *e = &m->mde;

	return e->present && e->provisioning == PROVISIONING_SUCCEEDED && !e->foreign_owner &&
		(m->os != OS_WINDOWS_UNIFIED || e->vnext == TRI_YES);
}

static bool shows_old_sensor(const struct machine *m)
{
	return m->sensor != NULL && m->sensor->listed &&
		sensor_generation(m->sensor->version) == SENSOR_LEGACY;
}

enum legacy_signal legacy_signal(const struct machine *m)
{
	if (m->os != OS_WINDOWS_UNIFIED)
		return LEGACY_NONE;
	if (shows_old_sensor(m))
		return LEGACY_SENSOR;
	if (m->mde.present && m->mde.vnext != TRI_YES)
		return LEGACY_ROUTE;
	return m->legacy.present && !legacy_is_over(m) ? LEGACY_AGENT : LEGACY_NONE;
}

const char *legacy_signal_text(enum legacy_signal s)
{
	static const char *const texts[] = {
		[LEGACY_NONE] = "no sign of the old sensor",
		[LEGACY_AGENT] =
			"the Log Analytics agent is installed, the unified solution is not",
		[LEGACY_ROUTE] = "the MDE extension was deployed without the unified solution",
		[LEGACY_SENSOR] = "Defender for Endpoint shows the old sensor (10.3720)",
	};
	_Static_assert(ARRAY_LEN(texts) == LEGACY_SIGNAL_N_, "a text for each signal");

	return s < LEGACY_SIGNAL_N_ ? texts[s] : "";
}

bool legacy_is_mute(const struct machine *m)
{
	return legacy_signal(m) == LEGACY_SENSOR && m->sensor->health == SENSOR_MUTE;
}

/* Seen at work since it was installed, and not just before the old one went. */
static bool is_at_work(const struct machine *m)
{
	const struct sensor_facts *s = m->sensor;
	enum sensor_generation generation = sensor_generation(s->version);
	bool fits = m->os == OS_WINDOWS_UNIFIED ? generation == SENSOR_CURRENT
						: generation != SENSOR_LEGACY;

	return s->listed && s->onboarded && s->health == SENSOR_ACTIVE && fits &&
		wall_before(m->mde.changed, s->last_seen) &&
		wall_since(s->at, s->last_seen).ms <= REPORT_AGE.ms;
}

enum sensor_proof sensor_proof(const struct control_view *v)
{
	const struct machine *m = v->machine;

	if (m->sensor != NULL)
		return is_at_work(m) ? SENSOR_PROVEN : SENSOR_NOT_SEEN;
	return v->scope->policy->legacy_proof == PROOF_BY_EXTENSION ? SENSOR_ACCEPTED
								    : SENSOR_NOT_KNOWN;
}
