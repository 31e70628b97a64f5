/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "lib/model/device_join.h"
#include "tests/unit/estate_builder.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ABOUT "\"osPlatform\":\"WindowsServer2019\",\"onboardingStatus\":\"Onboarded\""

/* --- rows --- */

static enum device_reading read_text(const char *text, struct device **ret)
{
	json_t *row = json_loads(text, 0, NULL);
	enum device_reading reading;

	assert_non_null(row);
	reading = device_read(row, ret);
	json_decref(row);
	return reading;
}

static void a_row_is_read_into_a_record(void **state)
{
	struct device *d;

	(void)state;
	assert_int_equal(
		read_text(
			"{\"id\":\"AB12\",\"computerDnsName\":\"web1.example.com\","
			"\"osPlatform\":\"Ubuntu\",\"agentVersion\":\"30.124.1.0\","
			"\"lastSeen\":\"2026-11-24T14:00:00.1234567Z\",\"healthStatus\":\"Active\","
			"\"onboardingStatus\":\"onboarded\",\"isPotentialDuplication\":true,"
			"\"mergedIntoMachineId\":null,\"vmMetadata\":{\"resourceId\":"
			"\"/subscriptions/30000000-0000-4000-8000-000000000001/resourceGroups/rg/"
			"providers/Microsoft.HybridCompute/machines/web1\"}}",
			&d),
		DEVICE_READ);
	assert_string_equal(d->id, "ab12");
	assert_string_equal(d->name, "web1.example.com");
	assert_string_equal(d->version, "30.124.1.0");
	assert_true(d->onboarded && d->suspected && wall_is_set(d->last_seen));
	assert_int_equal(d->system, DEVICE_LINUX);
	assert_int_equal(d->health, SENSOR_ACTIVE);
	assert_non_null(strstr(d->resource, "/machines/web1"));
	free(d);
}

static void what_is_no_server_of_its_own_is_of_no_concern(void **state)
{
	static const struct {
		const char *row;
		enum device_reading reading;
	} rows[] = {
		{"{\"id\":\"a\"}", DEVICE_READ},
		{"{\"id\":\"a\",\"osPlatform\":\"WindowsServer2025\"}", DEVICE_READ},
		{"{\"id\":\"a\",\"osPlatform\":\"RedHatEnterpriseLinux\"}", DEVICE_READ},
		{"{\"id\":\"a\",\"osPlatform\":\"Windows11\"}", DEVICE_OF_NO_CONCERN},
		{"{\"id\":\"a\",\"osPlatform\":\"macOS\"}", DEVICE_OF_NO_CONCERN},
		{"{\"id\":\"a\",\"mergedIntoMachineId\":\"b\"}", DEVICE_OF_NO_CONCERN},
		{"{\"id\":\"a\",\"mergedIntoMachineId\":\"\"}", DEVICE_READ},
		{"{\"id\":\"a\",\"isExcluded\":true}", DEVICE_OF_NO_CONCERN},
		{"{}", DEVICE_UNREADABLE},
		{"{\"id\":\"\"}", DEVICE_UNREADABLE},
		{"{\"id\":7}", DEVICE_UNREADABLE},
		{"{\"id\":\"a b\"}", DEVICE_UNREADABLE},
		{"{\"id\":\"\\u001b[2J\"}", DEVICE_UNREADABLE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct device *d = NULL;

		if (read_text(rows[i].row, &d) != rows[i].reading)
			fail_msg("%s", rows[i].row);
		free(d);
	}
}

static void texts_of_a_wrong_kind_or_size_are_left_out(void **state)
{
	mdc_autofree char *huge = xmalloc(100001);
	mdc_autofree char *text = NULL;
	struct device *d;

	(void)state;
	memset(huge, 'x', 100000);
	huge[100000] = '\0';
	text = xasprintf("{\"id\":\"a\",\"computerDnsName\":\"%s\",\"agentVersion\":[],"
			 "\"lastSeen\":\"%s\",\"healthStatus\":{},\"vmMetadata\":{\"resourceId\":"
			 "\"/subscriptions/%s\"}}",
		huge, huge, huge);
	assert_int_equal(read_text(text, &d), DEVICE_READ);
	assert_string_equal(d->name, "");
	assert_string_equal(d->version, "");
	assert_string_equal(d->resource, "");
	assert_false(wall_is_set(d->last_seen));
	assert_true(malloc_usable_size(d) < 3072);
	free(d);
}

/* --- the join --- */

#define ROWS_MOST 8
struct join_case {
	const char *about;
	const char *machines; /* names, between blanks; in ESTATE_TENANT */
	const char *rows[ROWS_MOST];
	/* "machine:id machine:-"; "?" where nothing is known */
	const char *sensors;
	const char *gaps; /* "kind:id", sorted */
};

#define AT(day) ",\"lastSeen\":\"2026-11-" day "T00:00:00Z\""
#define ID(id) "{\"id\":\"" id "\",\"agentVersion\":\"" id "\"," ABOUT
#define NAMED(id, name) ID(id) ",\"computerDnsName\":\"" name "\""
#define RESOURCE(name) \
	",\"vmMetadata\":{\"resourceId\":\"/SUBSCRIPTIONS/%s/resourcegroups/RG/providers/" \
	"microsoft.hybridcompute/machines/" name "\"}"
#define SHADOW(id, name) \
	"{\"id\":\"" id "\",\"agentVersion\":\"" id \
	"\",\"onboardingStatus\":\"CanBeOnboarded\",\"computerDnsName\":\"" name "\""

static const struct join_case join_cases[] = {
	{"the resource id decides over the name", "web1 web2",
		{NAMED("a", "web2") RESOURCE("WEB1") "}"}, "web1:a web2:-", ""},
	{"without one the short name does", "web1", {NAMED("a", "WEB1.example.com") "}"}, "web1:a",
		""},
	{"a machine's own domain does not matter", "web1.example.com", {NAMED("a", "web1") "}"},
		"web1.example.com:a", ""},
	{"nobody's device is still to be connected", "web1", {NAMED("a", "db1.example.com") "}"},
		"web1:-", "not-connected:a"},
	{"a device without a name is, too", "web1", {ID("a") "}"}, "web1:-", "not-connected:a"},
	{"one that names a machine out of sight", "web1", {NAMED("a", "web1") RESOURCE("gone") "}"},
		"web1:-", "elsewhere:a"},
	{"two machines of one name are not guessed at", "web1.a web1.b",
		{NAMED("a", "web1.example.com") "}"}, "web1.a:- web1.b:-", "ambiguous:a"},
	{"unless the device names one", "web1.a web1.b",
		{NAMED("a", "web1.example.com") RESOURCE("web1.b") "}"}, "web1.a:- web1.b:a", ""},
	{"two devices of one name in two domains", "web1",
		{NAMED("a", "web1.a.com") "}", NAMED("b", "web1.b.com") "}"}, "web1:-",
		"ambiguous:a ambiguous:b"},
	{"in one domain the one seen last speaks", "web1",
		{NAMED("a", "web1.a.com") AT("20") "}", NAMED("b", "web1.a.com") AT("21") "}",
			NAMED("c", "web1") AT("19") "}"},
		"web1:b", "duplicate:a duplicate:c"},
	{"one that names the machine speaks before a newer one", "web1",
		{NAMED("a", "web1") RESOURCE("web1") AT("01") "}", NAMED("b", "web1") AT("21") "}"},
		"web1:a", "duplicate:b"},
	{"a shadow that was only discovered is nobody's gap", "web1",
		{SHADOW("a", "db1") "}", SHADOW("b", "web1") "}", NAMED("c", "web1") "}"}, "web1:c",
		""},
	{"a shadow alone is known and not onboarded", "web1", {SHADOW("a", "web1") "}"}, "web1:a",
		""},
	{"a suspected duplicate is told", "web1",
		{NAMED("a", "web1") ",\"isPotentialDuplication\":true}"}, "web1:a", "duplicate:a"},
	{"another system is another host", "web1",
		{"{\"id\":\"a\",\"osPlatform\":\"Ubuntu\",\"onboardingStatus\":\"Onboarded\","
		 "\"computerDnsName\":\"web1\"}"},
		"web1:-", "not-connected:a"},
	{"an id twice is not the whole", "web1 web2",
		{NAMED("a", "web1") "}", NAMED("a", "web1") "}"}, "web1:a web2:?", ""},
	{"a row without an id is not the whole", "web1", {"{}"}, "web1:?", ""},
};

static void add_row(struct device_join *j, const struct subscription *s, const char *format)
{
	mdc_cleanup(buf_fini) struct buf text = BUF_INIT(4096);
	const char *at = strstr(format, "%s");
	json_t *row;

	if (at != NULL) {
		buf_add(&text, format, (size_t)(at - format));
		buf_adds(&text, s->id);
		at += 2;
	}
	buf_adds(&text, at != NULL ? at : format);
	row = json_loads(buf_str(&text), 0, NULL);
	assert_non_null(row);
	device_join_add(j, row);
	json_decref(row);
}

static void shuffle(const struct join_case *c, struct rng *rng, const char *ret[static ROWS_MOST],
	size_t *ret_n)
{
	size_t n = 0;

	while (n < ROWS_MOST && c->rows[n] != NULL) {
		ret[n] = c->rows[n];
		n++;
	}
	for (size_t i = n; rng != NULL && i > 1; i--) {
		size_t other = rng_below(rng, (uint32_t)i);
		const char *row = ret[i - 1];

		ret[i - 1] = ret[other];
		ret[other] = row;
	}
	*ret_n = n;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void write_gaps(const struct device_gaps *g, struct buf *ret)
{
	char words[ROWS_MOST][64];

	for (size_t i = 0; i < g->n; i++)
		snprintf(words[i], sizeof(words[i]), "%s:%s", gap_word(g->v[i].kind),
			g->v[i].device->id);
	qsort(words, g->n, sizeof(words[0]), compare_texts);
	for (size_t i = 0; i < g->n; i++)
		buf_addf(ret, "%s%s", i > 0 ? " " : "", words[i]);
}

/* One word for each machine, in the order in which the case names them. */
static void write_sensors(const struct join_case *c, const struct subscription *s, struct buf *ret)
{
	mdc_autofree char *names = xstrdup(c->machines);
	char *rest = names, *name;

	while ((name = strsep(&rest, " ")) != NULL) {
		for (size_t i = 0; i < s->machine_count; i++) {
			const struct sensor_facts *f = s->machines[i]->sensor;

			if (str_equal(s->machines[i]->name, name))
				buf_addf(ret, "%s%s:%s", ret->len > 0 ? " " : "", name,
					f == NULL            ? "?"
						: !f->listed ? "-"
							     : f->version);
		}
	}
}

static void add_machines(struct estate *e, struct subscription *s, const char *text, bool from_end)
{
	mdc_autofree char *names = xstrdup(text);
	char *rest = names, *name, *last;

	while (from_end && (last = strrchr(names, ' ')) != NULL) {
		estate_machine(e, s, last + 1, "Windows Server 2019 Datacenter");
		*last = '\0';
	}
	while ((name = strsep(&rest, " ")) != NULL)
		estate_machine(e, s, name, "Windows Server 2019 Datacenter");
}

/* Rows in the order of the case, or shuffled. */
static void check_join(const struct join_case *c, struct rng *rng)
{
	struct estate e;
	struct subscription *s;
	struct device_join *j = device_join_new();
	struct device_gaps gaps;
	mdc_cleanup(buf_fini) struct buf sensors = BUF_INIT(4096);
	mdc_cleanup(buf_fini) struct buf told = BUF_INIT(4096);
	const char *rows[ROWS_MOST];
	size_t n;

	estate_init(&e);
	s = estate_subscription(&e, 1);
	add_machines(&e, s, c->machines, rng != NULL && rng_below(rng, 2) == 1);
	shuffle(c, rng, rows, &n);
	for (size_t i = 0; i < n; i++)
		add_row(j, s, rows[i]);
	device_join_begin(j, e.inv, ESTATE_TENANT, true, e.now);
	while (device_join_some(j, e.inv, rng != NULL ? 1 : 1000))
		;
	device_join_take(j, &gaps);
	write_sensors(c, s, &sensors);
	write_gaps(&gaps, &told);
	if (!str_equal(buf_str(&sensors), c->sensors) || !str_equal(buf_str(&told), c->gaps))
		fail_msg("%s: \"%s\", \"%s\"", c->about, buf_str(&sensors), buf_str(&told));
	device_gaps_fini(&gaps);
	device_join_free(j);
	estate_fini(&e);
}

static void devices_are_joined_by_resource_id_and_then_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(join_cases); i++)
		check_join(&join_cases[i], NULL);
}

static void the_order_of_devices_and_machines_does_not_matter(void **state)
{
	const uint64_t seed = 20261125;
	struct rng rng;

	(void)state;
	rng_seed(&rng, seed);
	print_message("# seed %llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < 20; round++)
		for (size_t i = 0; i < ARRAY_LEN(join_cases); i++)
			check_join(&join_cases[i], &rng);
}

static void machines_of_another_tenant_are_left_alone(void **state)
{
	struct estate e;
	struct subscription *s;
	struct machine *m;
	struct device_join *j = device_join_new();
	struct device_gaps gaps;

	(void)state;
	estate_init(&e);
	s = estate_subscription(&e, 1);
	m = estate_machine(&e, s, "web1", "Windows Server 2019 Datacenter");
	add_row(j, s, NAMED("a", "web1") "}");
	device_join_begin(j, e.inv, "22222222-0000-4000-8000-000000000000", true, e.now);
	while (device_join_some(j, e.inv, 10))
		;
	assert_null(m->sensor);
	device_join_take(j, &gaps);
	assert_int_equal(gaps.n, 1);
	assert_int_equal(gaps.v[0].kind, GAP_NOT_CONNECTED);
	device_gaps_fini(&gaps);
	device_join_free(j);
	estate_fini(&e);
}

static void an_incomplete_list_takes_nothing_back(void **state)
{
	struct estate e;
	struct subscription *s;
	struct machine *seen, *missing;
	struct device_join *j = device_join_new();

	(void)state;
	estate_init(&e);
	s = estate_subscription(&e, 1);
	seen = estate_machine(&e, s, "web1", "Windows Server 2019 Datacenter");
	missing = estate_machine(&e, s, "web2", "Windows Server 2019 Datacenter");
	estate_sensor(&e, missing, "10.8760", SENSOR_ACTIVE);
	add_row(j, s, NAMED("a", "web1") "}");
	device_join_begin(j, e.inv, ESTATE_TENANT, false, e.now);
	while (device_join_some(j, e.inv, 10))
		;
	assert_true(seen->sensor->listed);
	assert_true(missing->sensor->listed);
	device_join_free(j);
	estate_fini(&e);
}

/* --- gaps of machines --- */

static void a_machine_has_a_gap_only_where_something_is_known(void **state)
{
	static const struct {
		bool known, listed, onboarded, connected, extension;
		struct dur age; /* of the extension */
		const char *tier;
		enum gap_kind gap;
	} rows[] = {
		{false, false, false, true, false, {0}, "Standard", GAP_KIND_N_},
		{true, false, false, true, false, {0}, "Standard", GAP_NO_DEVICE},
		{true, false, false, false, false, {0}, "Standard", GAP_KIND_N_},
		{true, false, false, true, true, DUR_H(25), "Standard", GAP_KIND_N_},
		{true, false, false, true, true, DUR_H(27), "Standard", GAP_NO_DEVICE},
		{true, true, false, true, true, DUR_H(27), "Standard", GAP_NOT_ONBOARDED},
		{true, true, true, true, true, DUR_H(27), "Standard", GAP_KIND_N_},
		{true, true, true, true, false, {0}, "Standard", GAP_BILLED_TWICE},
		{true, true, true, true, false, {0}, "Free", GAP_KIND_N_},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct subscription s = {.pricing = {.tier = rows[i].tier}};
		struct sensor_facts f = {.listed = rows[i].listed, .onboarded = rows[i].onboarded};
		struct machine m = {.subscription = &s,
			.connected = rows[i].connected,
			.extensions_known = true,
			.sensor = rows[i].known ? &f : NULL,
			.mde = {.present = rows[i].extension,
				.provisioning = PROVISIONING_SUCCEEDED,
				.changed = wall_add(ESTATE_NOW, DUR_MS(-rows[i].age.ms))}};

		if (machine_gap(&m, ESTATE_NOW) != rows[i].gap)
			fail_msg("row %zu: %s", i, gap_word(machine_gap(&m, ESTATE_NOW)));
	}
}

/* --- size --- */

static void a_hundred_thousand_devices_take_bounded_memory(void **state)
{
	static const char resource[] =
		"/subscriptions/30000000-0000-4000-8000-000000000001/resourceGroups/rg-production/"
		"providers/Microsoft.HybridCompute/machines/m";
	size_t before = mallinfo2().uordblks;
	struct device_join *j = device_join_new();
	size_t each;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		json_t *row = json_pack("{s:o, s:s, s:s, s:s, s:o, s:{s:s+}}", "id",
			json_sprintf("%040x", i), "osPlatform", "WindowsServer2019",
			"onboardingStatus", "Onboarded", "agentVersion", "10.8760.20348.2461",
			"computerDnsName", json_sprintf("host-%u.corp.example.com", i),
			"vmMetadata", "resourceId", resource, "");

		device_join_add(j, row);
		json_decref(row);
	}
	assert_int_equal(device_join_count(j), 100000);
	each = (mallinfo2().uordblks - before) / 100000;
	print_message("# %zu bytes a device\n", each);
	assert_true(each < 640);
	device_join_free(j);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_read_into_a_record),
		cmocka_unit_test(what_is_no_server_of_its_own_is_of_no_concern),
		cmocka_unit_test(texts_of_a_wrong_kind_or_size_are_left_out),
		cmocka_unit_test(devices_are_joined_by_resource_id_and_then_by_name),
		cmocka_unit_test(the_order_of_devices_and_machines_does_not_matter),
		cmocka_unit_test(machines_of_another_tenant_are_left_alone),
		cmocka_unit_test(an_incomplete_list_takes_nothing_back),
		cmocka_unit_test(a_machine_has_a_gap_only_where_something_is_known),
		cmocka_unit_test(a_hundred_thousand_devices_take_bounded_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
