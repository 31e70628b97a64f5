/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/model/sensor.h"

#include "lib/base/str.h"
#include "lib/base/version.h"

enum sensor_health sensor_health_read(const char *word)
{
	static const struct {
		const char *word;
		enum sensor_health health;
	} words[] = {
		{"Active", SENSOR_ACTIVE},
		{"ImpairedCommunication", SENSOR_IMPAIRED},
		{"Inactive", SENSOR_MUTE},
		{"NoSensorData", SENSOR_MUTE},
		{"NoSensorDataImpairedCommunication", SENSOR_MUTE},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_equal_nocase(word, words[i].word))
			return words[i].health;
	return SENSOR_HEALTH_UNKNOWN;
}

enum sensor_generation sensor_generation(const char *version)
{
	if (!version_is_one(version))
		return SENSOR_GENERATION_UNKNOWN;
	if (version_is_of(version, "10.3720"))
		return SENSOR_LEGACY;
	/* "10.8*": 10.8048, 10.8560, 10.8760, … */
	if (version_compare(version, "10.8000") >= 0 && version_compare(version, "10.9000") < 0)
		return SENSOR_CURRENT;
	return SENSOR_OTHER;
}

bool sensor_is_outdated(const char *version, bool windows, bool unified)
{
	const char *least = !windows ? "30.101.23052.009" : unified ? "10.8560" : "10.8555";

	return version_is_one(version) && version_compare(version, least) < 0;
}
