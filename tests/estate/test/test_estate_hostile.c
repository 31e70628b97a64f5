/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that nobody should send: whatever comes, there is an answer, and the estate goes on. */
#include "tests/estate/test/estate_fixture.h"

#include "lib/base/rng.h"

#define MACHINE_PLAN_ID MACHINE "/providers/Microsoft.Security/pricings/VirtualMachines"
#define MACHINE_PLAN MACHINE_PLAN_ID "?api-version=2024-01-01"

static const struct {
	const char *method, *url, *body;
} seeds[] = {
	{"GET", ARM SUB_PATH "?api-version=2022-12-01", NULL},
	{"GET", ARM "/subscriptions?api-version=2022-12-01&$skiptoken=NDAwLjEuYWFhYQ", NULL},
	{"GET", ARM SUB_PATH "/providers/Microsoft.HybridCompute/machines?" ARC, NULL},
	{"GET", ARM MACHINE "?" ARC "&$expand=instanceView", NULL},
	{"PUT", ARM MACHINE "/extensions/MDE.Windows?" ARC,
		"{\"location\":\"westeurope\",\"tags\":{\"a\":\"b\"},\"properties\":{\"publisher\":"
		"\"Microsoft.Azure.AzureDefenderForServers\",\"type\":\"MDE.Windows\",\"settings\":"
		"{"
		"\"azureResourceId\":\"x\"},\"protectedSettings\":{"
		"\"defenderForEndpointOnboardingScript\":\"y\"}}}"},
	{"PATCH", ARM MACHINE "/extensions/MDE.Linux?" ARC, "{\"properties\":{\"settings\":{}}}"},
	{"DELETE", ARM MACHINE "/extensions/MDE.Linux?" ARC, NULL},
	{"PUT", ARM PLAN,
		"{\"properties\":{\"pricingTier\":\"Standard\",\"subPlan\":\"P2\",\"enforce\":"
		"\"True\","
		"\"extensions\":[{\"name\":\"AgentlessVmScanning\",\"isEnabled\":\"True\"}]}}"},
	{"PUT",
		ARM MACHINE "/providers/Microsoft.Security/pricings/VirtualMachines?api-version="
			    "2024-01-01",
		"{\"properties\":{\"pricingTier\":\"Free\"}}"},
	{"GET", ARM SECURITY "/pricings?api-version=2024-01-01&$filter=name%20in%20(A,B)", NULL},
	{"PUT", ARM SETTING("WDATP"),
		"{\"kind\":\"DataExportSettings\",\"properties\":{\"enabled\":true}}"},
	{"POST", ARM "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01",
		"{\"query\":\"resources\",\"subscriptions\":[\"" SUB
		"\"],\"options\":{\"$top\":5,\"resultFormat\":\"table\",\"$skipToken\":\"MTAuYQ\"}"
		"}"},
	{"GET",
		ARM SUB_PATH
		"/providers/Microsoft.HybridCompute/locations/westeurope/operationstatus/"
		"x?" ARC "&t=1&s=2",
		NULL},
	{"GET",
		ARM SUB_PATH
		"/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&"
		"$filter=eventTimestamp%20ge%20'2026-01-01T00:00:00Z'%20and%20eventTimestamp%20le%"
		"20'"
		"2027-01-01T00:00:00Z'%20and%20correlationId%20eq%20'x'&$select=caller",
		NULL},
	{"GET",
		ARM SUB_PATH
		"/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter="
		"principalId%20eq%20'" SUB "'",
		NULL},
	{"GET",
		ARM "/providers/Microsoft.Management/managementGroups/root/descendants?api-version="
		    "2023-04-01",
		NULL},
	{"POST", LOGIN "/" TENANT "/oauth2/v2.0/token",
		"grant_type=client_credentials&client_id=" CLIENT
		"&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-"
		"bearer&client_assertion=eyJhbGciOiJQUzI1NiJ9.eyJqdGkiOiJ4In0.AAAA&scope="
		"https%3A%2F%2Fmanagement.test%2F.default"},
};

/* Some bytes overwritten, removed or doubled; printable and not. */
static char *mutate(struct rng *r, const char *text)
{
	static const char *const bits[] = {"/", "//", "%", "%00", "%ff", "?", "&", "=", "'", "\"",
		"{", "}", "[", "\\", "\xff", "\xc3", " ", "providers", "null", "-1", "1e999", "..",
		"*"};
	struct buf out = BUF_INIT(1 << 20);
	uint64_t changes = rng_below(r, 4);

	buf_adds(&out, text);
	for (uint64_t i = 0; i < changes; i++) {
		size_t at = (size_t)rng_below(r, out.len + 1);
		mdc_autofree char *tail = xstrdup(buf_str(&out) + at);
		size_t skip = rng_below(r, 3) == 0 ? 0 : (size_t)rng_below(r, strlen(tail) + 1);

		out.len = at;
		buf_adds(&out, bits[rng_below(r, ARRAY_LEN(bits))]);
		buf_adds(&out, rng_below(r, 2) == 0 ? tail + skip : tail);
	}
	return buf_steal(&out);
}

static void strike(struct fixture *f, struct rng *r, size_t i)
{
	static const char *const methods[] = {
		"GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "get", ""};
	const char *method =
		rng_below(r, 8) == 0 ? methods[rng_below(r, ARRAY_LEN(methods))] : seeds[i].method;
	mdc_autofree char *url = mutate(r, seeds[i].url);
	mdc_autofree char *body = seeds[i].body != NULL ? mutate(r, seeds[i].body) : NULL;
	mdc_autofree char *bearer = xasprintf("Bearer %s", f->token);
	const char *type = str_starts_nocase(url, LOGIN) ? "application/x-www-form-urlencoded"
							 : "application/json";
	int status = send_raw(f, method, url,
		(const char *const[]){"Authorization", bearer, "Content-Type", type,
			"x-ms-client-request-id", "\xff\xfe", "x-ms-return-client-request-id",
			"true", NULL},
		body);

	assert_in_range(status, 200, 599);
	assert_int_not_equal(status, 500);
	/* What has a body has JSON in it. */
	if (f->answer.reply.body_len > 0 && f->doc == NULL)
		fail_msg("%s %s: %s", method, url, f->answer.reply.body);
	if (status >= 400 && f->doc != NULL)
		assert_non_null(json_object_get(f->doc, "error"));
}

static void whatever_comes_is_answered(void **state)
{
	struct fixture f;
	struct rng r;

	(void)state;
	print_message("# seed 20261124\n");
	rng_seed(&r, 20261124);
	fixture_open(&f,
		"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"extensions\":[{\"type\":\"MDE."
		"Linux\"}]"
		"}]",
		"\"throttling\":{\"model\":\"off\"},\"tokens\":{\"life\":\"72h\"}");
	for (int round = 0; round < 400; round++) {
		for (size_t i = 0; i < ARRAY_LEN(seeds); i++)
			strike(&f, &r, i);
		pass(&f, DUR_MIN(1));
	}
	/* And it still works. */
	assert_int_equal(get(&f, SUB_PATH "?api-version=2022-12-01"), 200);
	fixture_close(&f);
}

static const char *const ids[] = {MACHINE, MACHINE "/extensions/MDE.Linux",
	SECURITY "/pricings/VirtualMachines", SUB_PATH, SECURITY "/settings/WDATP",
	SUB_PATH "/providers/Microsoft.HybridCompute/machines/x", SUB_PATH "/resourceGroups/rg",
	SUB_PATH "/providers/Microsoft.Security", SUB_PATH "/x", "/", "", MACHINE "/extensions/new",
	MACHINE_PLAN_ID};

static void use_everything(struct fixture *f)
{
	static const char free_plan[] = "{\"properties\":{\"pricingTier\":\"Free\"}}";

	get(f, MACHINE "?" ARC);
	get(f, PLAN);
	put(f, PLAN, "{\"properties\":{\"pricingTier\":\"Standard\"}}");
	get(f, SETTING("WDATP"));
	put(f, MACHINE_PLAN, free_plan);
	get(f, MACHINE_PLAN);
	call(f, "DELETE", MACHINE_PLAN, NULL);
	call(f, "DELETE", MACHINE "/extensions/MDE.Linux?" ARC, NULL);
	call(f, "POST", "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01",
		"{\"query\":\"resources\"}");
	pass(f, DUR_MIN(7));
	call(f, "POST", "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01",
		"{\"query\":\"resourcecontainers\"}");
	verdict(f);
	pass(f, DUR_DAYS(1));
}

static void other_hands_may_write_nonsense(void **state)
{
	static const char *const values[] = {
		"{}", "{\"properties\":7}", "{\"properties\":{\"type\":null}}", "[]", NULL};

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(values); v++) {
		json_t *value = values[v] != NULL ? parse(values[v]) : NULL;

		for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
			struct fixture f;

			fixture_open(&f,
				"\"settings\":{\"WDATP\":true},\"plan\":{\"tier\":\"Standard\"},"
				"\"machines\":[{\"name\":\"m1\",\"group\":\"rg\",\"plan\":\"P1\","
				"\"extensions\":[{\"type\":\"MDE.Linux\"}]}]",
				"\"tokens\":{\"life\":\"72h\"},\"graph\":{\"lag\":\"20s\"}");
			estate_meddle(f.e, ids[i], NULL, value);
			use_everything(&f);
			estate_meddle(f.e, ids[i], NULL, value);
			use_everything(&f);
			fixture_close(&f);
		}
		json_decref(value);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(whatever_comes_is_answered),
	cmocka_unit_test(other_hands_may_write_nonsense),
};
RUN_ESTATE_TESTS(tests)
