/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way to sign in, from the file or service that it begins with to an answer of Resource
 * Manager, against the simulated Azure in virtual time.
 */
#include "daemon/arm_client.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate.h"
#include "tests/harness/fake_world.h"
#include "tests/harness/signing_keys.h"
#include "tests/harness/small_config.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define ARM "https://management.test"
#define SUB "30000000-0000-4000-8000-000000000001"
#define MANAGED "33333333-3333-3333-3333-333333333333"
#define ISSUER "https://issuer.test"

struct fixture {
	struct fake_world fake;
	struct small_config small;
	struct estate *estate;
	struct dur offset; /* of the estate's clock: certificates are made by the real one */
	struct arm_client *client;
	struct estate_answer answer; /* lives until the next one */
	char *headers[16];
};

/* --- the estate behind the transport --- */

static void put_key(void *ctx, const char *name, const char *content)
{
	struct fixture *f = ctx;
	mdc_autofree char *path = xasprintf(ESTATE_ARC_KEYS "/%s", name);

	memory_files_put(f->fake.world.secrets, path, content);
}

static void forget_answer(struct fixture *f)
{
	estate_answer_fini(&f->answer);
	for (size_t i = 0; i < ARRAY_LEN(f->headers); i++) {
		free(f->headers[i]);
		f->headers[i] = NULL;
	}
}

static void serve(
	void *ctx, const struct http_request *request, struct mono now, struct fake_answer *ret)
{
	struct fixture *f = ctx;
	const struct http_headers *h = &f->answer.reply.headers;

	(void)now;
	forget_answer(f);
	estate_handle(f->estate, request, loop_wall(f->fake.world.loop), &f->answer);
	assert_int_equal(f->answer.delivery, ESTATE_ANSWERED);
	*ret = (struct fake_answer){.status = f->answer.reply.status,
		.body = f->answer.reply.body,
		.delay = f->answer.delay};
	for (size_t i = 0, n = 0; i < h->n && n < ARRAY_LEN(f->headers) - 1; i++) {
		/* Those that the client reads. */
		if (!str_equal_nocase(h->v[i].name, "WWW-Authenticate") &&
			!str_equal_nocase(h->v[i].name, "Retry-After") &&
			!str_equal_nocase(h->v[i].name, "Date"))
			continue;
		f->headers[n] = xasprintf("%s: %s", h->v[i].name, h->v[i].value);
		ret->headers[n] = f->headers[n];
		n++;
	}
}

/* --- the fixture --- */

static struct identity_config *identity_of(struct fixture *f)
{
	return &f->small.identities[0];
}

static struct secret_files *files(struct fixture *f)
{
	return f->fake.world.secrets;
}

static json_t *document(json_t *take_principal, json_t *take_faults)
{
	json_object_set_new(take_principal, "tenant", json_string(SMALL_TENANT));
	json_object_set_new(
		take_principal, "roles", json_pack("[{s:s, s:s}]", "scope", "/", "role", "Reader"));
	return json_pack("{s:[{s:s}], s:[o], s:[{s:s, s:s, s:s}], s:o}", "tenants", "id",
		SMALL_TENANT, "principals", take_principal, "subscriptions", "id", SUB, "name",
		"one", "tenant", SMALL_TENANT, "faults",
		take_faults != NULL ? take_faults : json_array());
}

/* It is now: certificates are judged by the estate's time. */
static void setup(struct fixture *f)
{
	*f = (struct fixture){0};
	fake_world_init(&f->fake, 11);
	loop_virtual_set_wall(f->fake.world.loop, (struct wall){(int64_t)time(NULL) * 1000});
	small_config_init(&f->small);
	f->small.clouds[0].login = (char *)"https://login.test";
	f->small.clouds[0].resource_manager = (char *)ARM;
	f->small.clouds[0].audience = (char *)ARM;
	identity_of(f)->secret_file = NULL;
}

static void open_estate(struct fixture *f, json_t *take_principal, json_t *take_faults)
{
	struct estate_options options = {.seed = 5,
		.start = loop_wall(f->fake.world.loop),
		.arm_host = "management.test",
		.login_host = "login.test",
		.put_key = put_key,
		.put_key_ctx = f};
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	json_t *doc = document(take_principal, take_faults);

	if (estate_new(&options, doc, &diags, &f->estate) != 0)
		fail_msg("%s", diags.v[0].text);
	json_decref(doc);
	fake_transport_serve(f->fake.world.transport, serve, f);
	f->client = arm_client_new(&f->fake.world);
	arm_client_configure(f->client, &f->small.config);
}

static void teardown(struct fixture *f)
{
	struct estate_verdict verdict;

	estate_verdict(f->estate, &verdict);
	assert_int_equal(verdict.refused, 0);
	f->client = arm_client_free(f->client);
	f->estate = estate_free(f->estate);
	forget_answer(f);
	fake_world_fini(&f->fake);
}

struct outcome {
	unsigned times;
	struct arm_error error;
	int status;
	char body[1024];
};

static void ended(void *ctx, struct arm_result *result)
{
	struct outcome *o = ctx;

	o->times++;
	o->error = result->error;
	o->status = result->reply != NULL ? result->reply->status : 0;
	str_copy(o->body, sizeof(o->body), result->reply != NULL ? result->reply->body : "");
}

static struct outcome ask(struct fixture *f)
{
	struct outcome o = {0};
	struct arm_request request;

	arm_list_subscriptions(&request);
	arm_client_call(f->client, "main", &request, ARM_NORMAL, NULL, ended, &o);
	loop_virtual_run_for(f->fake.world.loop, DUR_MIN(2));
	assert_int_equal(o.times, 1);
	return o;
}

static void assert_sees(struct fixture *f)
{
	struct outcome o = ask(f);

	if (o.status != 200)
		fail_msg("%s: %s", o.error.code, o.error.message);
	assert_non_null(strstr(o.body, SUB));
}

static void assert_refused(struct fixture *f, const char *code, const char *says)
{
	struct outcome o = ask(f);

	assert_int_equal(o.error.class, ARM_ERROR_IDENTITY);
	assert_string_equal(o.error.code, code);
	if (strstr(o.error.message, says) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", says, o.error.message);
}

static uint64_t token_requests(struct fixture *f)
{
	struct arm_client_counts counts;

	arm_client_counts(f->client, &counts);
	return counts.token_requests;
}

/* --- secrets --- */

static json_t *with_secret(const char *secret)
{
	return json_pack("{s:s, s:s}", "client", SMALL_CLIENT, "secret", secret);
}

static void a_client_secret(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	identity_of(&f)->secret_file = (char *)SMALL_SECRET_FILE;
	memory_files_put(files(&f), SMALL_SECRET_FILE, "old\n");
	open_estate(&f, with_secret("new"), NULL);
	assert_refused(&f, "AADSTS7000215", "not its id");
	/* Rotated, it is used at once. */
	memory_files_put(files(&f), SMALL_SECRET_FILE, "new\n");
	assert_sees(&f);
	teardown(&f);
}

static void an_expired_secret_an_unknown_client_an_unknown_tenant(void **state)
{
	static const struct {
		const char *client, *tenant, *code;
	} rows[] = {
		{SMALL_CLIENT, SMALL_TENANT, "AADSTS7000222"},
		{MANAGED, SMALL_TENANT, "AADSTS700016"},
		{SMALL_CLIENT, MANAGED, "AADSTS90002"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		json_t *principal = with_secret("secret");

		setup(&f);
		json_object_set_new(principal, "secretExpires", json_string("-1h"));
		identity_of(&f)->secret_file = (char *)SMALL_SECRET_FILE;
		identity_of(&f)->client = (char *)rows[i].client;
		identity_of(&f)->tenant = (char *)rows[i].tenant;
		memory_files_put(files(&f), SMALL_SECRET_FILE, "secret\n");
		open_estate(&f, principal, NULL);
		assert_refused(&f, rows[i].code, "; ");
		teardown(&f);
	}
}

#define ROUNDS 6
#define AT_ONCE 4

static void ask_again_and_again(struct fixture *f, struct outcome outcomes[ROUNDS][AT_ONCE])
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < AT_ONCE; i++) {
			struct arm_request request;

			outcomes[round][i] = (struct outcome){0};
			arm_list_subscriptions(&request);
			arm_client_call(f->client, "main", &request, ARM_NORMAL, NULL, ended,
				&outcomes[round][i]);
		}
		loop_virtual_run_for(f->fake.world.loop, DUR_S(20));
	}
	loop_virtual_run_for(f->fake.world.loop, DUR_MIN(1));
}

/* Whoever asks is answered, and the token endpoint is asked as seldom as it wants to be. */
static void moods_of_the_token_endpoint(void **state)
{
	static const struct {
		const char *when, *does;
		uint64_t requests;
	} rows[] = {
		{"\"times\":1", "\"retryAfter\":\"35s\"", 2},
		{"\"times\":2", "\"status\":503", 3},
		{"\"times\":1", "\"status\":500,\"content\":\"html\"", 2},
		{"\"times\":1", "\"delay\":\"50s\"", 1},
		{"\"times\":1", "\"status\":200,\"content\":\"malformed\"", 2},
		{"\"times\":1", "\"status\":400,\"code\":\"x\"", 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mdc_autofree char *faults =
			xasprintf("[{\"when\":{\"host\":\"login\",%s},\"do\":{%s}}]", rows[i].when,
				rows[i].does);
		struct outcome outcomes[ROUNDS][AT_ONCE];
		struct fixture f;

		setup(&f);
		identity_of(&f)->secret_file = (char *)SMALL_SECRET_FILE;
		memory_files_put(files(&f), SMALL_SECRET_FILE, "secret\n");
		open_estate(&f, with_secret("secret"), json_loads(faults, 0, NULL));
		ask_again_and_again(&f, outcomes);
		for (unsigned k = 0; k < ROUNDS * AT_ONCE; k++)
			assert_int_equal(outcomes[k / AT_ONCE][k % AT_ONCE].times, 1);
		assert_int_equal(outcomes[ROUNDS - 1][0].status, 200);
		assert_int_equal(token_requests(&f), rows[i].requests);
		teardown(&f);
	}
}

/* --- certificates --- */

static void use_certificate(struct fixture *f, const char *text, size_t len, bool chain)
{
	memory_files_put_bytes(files(f), "/certificate", text, len);
	identity_of(f)->method = IDENTITY_CLIENT_CERTIFICATE;
	identity_of(f)->certificate = (char *)"/certificate";
	identity_of(f)->certificate_chain = chain;
}

static json_t *with_certificate(const struct signing_keys *keys)
{
	return json_pack("{s:s, s:[s]}", "client", SMALL_CLIENT, "certificates",
		signing_keys_certificate(keys));
}

static void a_registered_certificate(void **state)
{
	struct signing_keys *keys = signing_keys_issue("ours", NULL, 90);
	struct signing_keys *other = signing_keys_issue("other", NULL, 90);
	struct fixture f;

	(void)state;
	setup(&f);
	use_certificate(&f, signing_keys_pem(other), strlen(signing_keys_pem(other)), false);
	open_estate(&f, with_certificate(keys), NULL);
	assert_refused(&f, "AADSTS700027", "add this certificate to the application");
	memory_files_put(files(&f), "/certificate", signing_keys_pem(keys));
	assert_sees(&f);
	teardown(&f);
	signing_keys_free(other);
	signing_keys_free(keys);
}

static void a_certificate_in_pkcs12(void **state)
{
	struct signing_keys *keys = signing_keys_issue("ours", NULL, 90);
	size_t len;
	mdc_autofree char *file = signing_keys_pkcs12(keys, NULL, "sesame", &len);
	struct fixture f;

	(void)state;
	setup(&f);
	use_certificate(&f, file, len, false);
	memory_files_put(files(&f), "/password", "sesame\n");
	identity_of(&f)->certificate_password_file = (char *)"/password";
	open_estate(&f, with_certificate(keys), NULL);
	assert_sees(&f);
	teardown(&f);
	signing_keys_free(keys);
}

static void a_certificate_that_is_trusted_by_its_subject(void **state)
{
	struct signing_keys *issuer = signing_keys_issue("issuer", NULL, 900);
	struct signing_keys *first = signing_keys_issue("mdcd.contoso.test", issuer, 90);
	struct signing_keys *renewed = signing_keys_issue("mdcd.contoso.test", issuer, 180);
	struct signing_keys *forged = signing_keys_issue("mdcd.contoso.test", NULL, 90);
	struct fixture f;
	json_t *principal = json_pack("{s:s, s:[{s:s, s:s}]}", "client", SMALL_CLIENT, "subjects",
		"name", "mdcd.contoso.test", "issuer", signing_keys_certificate(issuer));

	(void)state;
	setup(&f);
	use_certificate(&f, signing_keys_pem(forged), strlen(signing_keys_pem(forged)), true);
	open_estate(&f, principal, NULL);
	assert_refused(&f, "AADSTS700027", "certificate-chain");
	memory_files_put(files(&f), "/certificate", signing_keys_pem(first));
	assert_sees(&f);
	/* Another certificate of that name needs no change in Entra. */
	memory_files_put(files(&f), "/certificate", signing_keys_pem(renewed));
	loop_virtual_run_for(f.fake.world.loop, DUR_H(1));
	assert_sees(&f);
	teardown(&f);
	signing_keys_free(forged);
	signing_keys_free(renewed);
	signing_keys_free(first);
	signing_keys_free(issuer);
}

static void a_clock_that_is_wrong(void **state)
{
	struct signing_keys *keys = signing_keys_issue("ours", NULL, 90);
	struct fixture f;
	struct outcome o;

	(void)state;
	setup(&f);
	use_certificate(&f, signing_keys_pem(keys), strlen(signing_keys_pem(keys)), false);
	open_estate(&f, with_certificate(keys), NULL);
	/* The estate does not go back with us. */
	estate_advance(f.estate, wall_add(loop_wall(f.fake.world.loop), DUR_H(1)));
	o = ask(&f);
	assert_string_equal(o.error.code, "AADSTS700024");
	assert_non_null(strstr(o.error.message, "the clock of this machine is 59 min"));
	assert_non_null(strstr(o.error.message, "behind"));
	f.client = arm_client_free(f.client);
	f.estate = estate_free(f.estate);
	forget_answer(&f);
	fake_world_fini(&f.fake);
	signing_keys_free(keys);
}

/* --- workload identity --- */

static char *federated_token(
	struct fixture *f, const struct signing_keys *keys, const char *subject, struct dur life)
{
	struct wall now = loop_wall(f->fake.world.loop);

	return signing_keys_jwt(keys,
		json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "iss", ISSUER, "sub", subject, "aud",
			"api://AzureADTokenExchange", "jti", "1", "nbf",
			(json_int_t)(now.ms / 1000), "exp",
			(json_int_t)((now.ms + life.ms) / 1000)));
}

static void the_token_of_another_issuer(void **state)
{
	struct signing_keys *keys = signing_keys_issue("issuer", NULL, 90);
	mdc_autofree char *public = signing_keys_public(keys);
	mdc_autofree char *wrong = NULL, *first = NULL, *second = NULL;
	struct fixture f;

	(void)state;
	setup(&f);
	identity_of(&f)->method = IDENTITY_WORKLOAD;
	identity_of(&f)->federated_token_file = (char *)"/token";
	open_estate(&f,
		json_pack("{s:s, s:[{s:s, s:s, s:s}]}", "client", SMALL_CLIENT, "federations",
			"issuer", ISSUER, "subject", "system:serviceaccount:mdcd", "key", public),
		NULL);
	wrong = federated_token(&f, keys, "system:serviceaccount:other", DUR_H(1));
	memory_files_put(files(&f), "/token", wrong);
	assert_refused(&f, "AADSTS70021", "federated credentials");
	first = federated_token(&f, keys, "system:serviceaccount:mdcd", DUR_H(1));
	memory_files_put(files(&f), "/token", first);
	assert_sees(&f);
	/* The cluster rotates it, and the next sign-in takes the new one. */
	loop_virtual_run_for(f.fake.world.loop, DUR_H(3));
	second = federated_token(&f, keys, "system:serviceaccount:mdcd", DUR_H(1));
	memory_files_put(files(&f), "/token", second);
	assert_sees(&f);
	teardown(&f);
	signing_keys_free(keys);
}

/* --- managed identities --- */

static json_t *managed(const char *kind, const char *client, bool system)
{
	return json_pack(
		"{s:s, s:s, s:b}", "client", client, "managed", kind, "systemAssigned", system);
}

static void the_identity_of_an_azure_vm(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	identity_of(&f)->method = IDENTITY_MANAGED;
	identity_of(&f)->client = NULL;
	open_estate(&f, managed("vm", MANAGED, true),
		json_loads("[{\"when\":{\"path\":\"^/metadata/\",\"times\":2},\"do\":{\"status\":"
			   "410}}]",
			0, NULL));
	assert_sees(&f);
	assert_int_equal(token_requests(&f), 3);
	teardown(&f);
}

static void an_identity_that_the_vm_does_not_have(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	identity_of(&f)->method = IDENTITY_MANAGED;
	open_estate(&f, managed("vm", MANAGED, false), NULL);
	assert_refused(&f, "invalid_request", "assign the identity of that client to the VM");
	teardown(&f);
}

static void open_arc(struct fixture *f, const char *client)
{
	setup(f);
	memory_files_put(files(f), "/opt/azcmagent/bin/himds", "");
	identity_of(f)->method = IDENTITY_ARC;
	identity_of(f)->client = (char *)client;
}

static void the_identity_of_an_arc_machine(void **state)
{
	struct fixture f;

	(void)state;
	open_arc(&f, NULL);
	open_estate(&f, managed("arc", MANAGED, true), NULL);
	assert_sees(&f);
	assert_int_equal(token_requests(&f), 2);
	teardown(&f);
}

static void a_user_assigned_identity_of_an_arc_machine(void **state)
{
	struct fixture f;

	(void)state;
	open_arc(&f, MANAGED);
	open_estate(&f, managed("arc", MANAGED, false), NULL);
	assert_sees(&f);
	teardown(&f);
}

/* --- several at once --- */

static void two_clouds_and_two_identities_do_not_mix(void **state)
{
	struct fixture f;
	struct outcome o[2] = {{0}};
	size_t east = 0;

	(void)state;
	setup(&f);
	f.small.clouds[1].login = (char *)"https://login.test";
	f.small.clouds[1].proxy.url = (char *)"http://proxy.test:3128";
	identity_of(&f)->secret_file = (char *)SMALL_SECRET_FILE;
	memory_files_put(files(&f), SMALL_SECRET_FILE, "secret\n");
	open_estate(&f, with_secret("secret"), NULL);
	for (unsigned i = 0; i < 2; i++) {
		struct arm_request request;

		arm_list_subscriptions(&request);
		arm_client_call(f.client, f.small.identities[i].name, &request, ARM_NORMAL, NULL,
			ended, &o[i]);
	}
	loop_virtual_run_for(f.fake.world.loop, DUR_MIN(1));
	assert_int_equal(o[0].status, 200);
	/* The other cloud is not served here; its requests went there, and by its own way. */
	assert_int_equal(o[1].status, 421);
	for (size_t i = 0; i < fake_transport_count(f.fake.world.transport); i++) {
		const struct fake_request *r =
			fake_transport_request(f.fake.world.transport, (int)i);
		bool china = strstr(r->request.url, "chinacloudapi") != NULL;

		east += china;
		if (china)
			assert_string_equal(r->proxy, "http://proxy.test:3128");
		else if (strstr(r->request.url, "management.test") != NULL)
			assert_null(r->proxy);
	}
	assert_int_equal(east, 1);
	f.client = arm_client_free(f.client);
	f.estate = estate_free(f.estate);
	forget_answer(&f);
	fake_world_fini(&f.fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_secret),
		cmocka_unit_test(an_expired_secret_an_unknown_client_an_unknown_tenant),
		cmocka_unit_test(moods_of_the_token_endpoint),
		cmocka_unit_test(a_registered_certificate),
		cmocka_unit_test(a_certificate_in_pkcs12),
		cmocka_unit_test(a_certificate_that_is_trusted_by_its_subject),
		cmocka_unit_test(a_clock_that_is_wrong),
		cmocka_unit_test(the_token_of_another_issuer),
		cmocka_unit_test(the_identity_of_an_azure_vm),
		cmocka_unit_test(an_identity_that_the_vm_does_not_have),
		cmocka_unit_test(the_identity_of_an_arc_machine),
		cmocka_unit_test(a_user_assigned_identity_of_an_arc_machine),
		cmocka_unit_test(two_clouds_and_two_identities_do_not_mix),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("identities", tests, NULL, NULL);
}
