/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata services, of an Azure VM and of the Arc agent. */
#include "tests/estate/test/estate_fixture.h"

#define VM_SYSTEM "20000000-0000-4000-8000-00000000000a"
#define VM_USER "20000000-0000-4000-8000-00000000000b"
#define VM_OTHER "20000000-0000-4000-8000-00000000000c"
#define ARC_SYSTEM "20000000-0000-4000-8000-00000000000d"
#define ARC_USER "20000000-0000-4000-8000-00000000000e"
#define VM "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
#define AGENT "http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2020-06-01"
#define RESOURCE "&resource=https%3A%2F%2Fmanagement.test"

static char key_name[64], key_text[128];

static void put_key(void *ctx, const char *name, const char *content)
{
	(void)ctx;
	assert_true(str_copy(key_name, sizeof(key_name), name));
	assert_true(str_copy(key_text, sizeof(key_text), content));
}

static json_t *principal(const char *client, const char *managed, bool system)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:[{s:s, s:s}]}", "tenant", TENANT, "client", client,
		"managed", managed, "systemAssigned", system, "roles", "scope", "/", "role",
		"Reader");
}

static void open_estate(struct fixture *f, json_t *take_principals, const char *behaviour)
{
	struct estate_options options = {.seed = 7,
		.arm_host = "management.test",
		.login_host = "login.test",
		.put_key = put_key};
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	json_t *document = fixture_document("", behaviour);

	*f = (struct fixture){0};
	json_array_extend(json_object_get(document, "principals"), take_principals);
	json_decref(take_principals);
	assert_int_equal(wall_parse("2026-11-24T08:00:00Z", &f->now), 0);
	options.start = f->now;
	assert_int_equal(estate_new(&options, document, &diags, &f->e), 0);
	json_decref(document);
}

static int ask(struct fixture *f, const char *url, const char *authorization)
{
	const char *const headers[] = {"Metadata", "true",
		authorization != NULL ? "Authorization" : NULL, authorization, NULL};

	return send_raw(f, "GET", url, headers, NULL);
}

/* The token of the answer reads the subscriptions. */
static void assert_token_of(struct fixture *f, const char *client)
{
	assert_int_equal(f->answer.reply.status, 200);
	assert_string_equal(text(f, "client_id"), client);
	assert_string_equal(text(f, "token_type"), "Bearer");
	assert_string_equal(text(f, "expires_in"), "3600");
	assert_string_equal(text(f, "expires_on"), "1795510800");
	free(f->token);
	f->token = xstrdup(text(f, "access_token"));
	assert_int_equal(get(f, "/subscriptions?api-version=2022-12-01"), 200);
	assert_int_equal(json_array_size(tree_get(f->doc, "value")), 1);
}

static void assert_description(struct fixture *f, int status, const char *says)
{
	assert_int_equal(f->answer.reply.status, status);
	assert_non_null(strstr(text(f, "error_description"), says));
}

static void a_vm_gets_the_token_of_its_identity(void **state)
{
	static const struct {
		bool system, user, other;
		const char *selector;
		const char *client; /* NULL: refused */
		const char *says;
	} rows[] = {
		{true, false, false, "", VM_SYSTEM, NULL},
		{true, true, true, "", VM_SYSTEM, NULL},
		{false, true, false, "", VM_USER, NULL},
		{false, true, true, "", NULL, "Multiple user assigned identities"},
		{false, true, true, "&client_id=" VM_OTHER, VM_OTHER, NULL},
		{true, false, false, "&client_id=" VM_USER, NULL, "Identity not found"},
		{false, false, false, "", NULL, "Identity not found"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *principals = json_array();
		mdc_autofree char *url = xasprintf("%s%s", VM RESOURCE, rows[i].selector);
		struct fixture f;

		if (rows[i].system)
			json_array_append_new(principals, principal(VM_SYSTEM, "vm", true));
		if (rows[i].user)
			json_array_append_new(principals, principal(VM_USER, "vm", false));
		if (rows[i].other)
			json_array_append_new(principals, principal(VM_OTHER, "vm", false));
		json_array_append_new(principals, principal(ARC_SYSTEM, "arc", true));
		open_estate(&f, principals, "");
		ask(&f, url, NULL);
		if (rows[i].client != NULL)
			assert_token_of(&f, rows[i].client);
		else
			assert_description(&f, 400, rows[i].says);
		assert_true(verdict(&f).good);
		fixture_close(&f);
	}
}

static void what_a_client_does_wrong_is_refused_and_noted(void **state)
{
	static const struct {
		const char *url;
		const char *headers[5];
		int status;
		const char *says;
	} rows[] = {
		{VM RESOURCE, {NULL}, 400, "Required metadata header"},
		{VM RESOURCE, {"Metadata", "false"}, 400, "Required metadata header"},
		{VM RESOURCE, {"Metadata", "true", "X-Forwarded-For", "10.0.0.1"}, 400, "proxy"},
		{VM, {"Metadata", "true"}, 400, "AADSTS500011"},
		{VM "&resource=https%3A%2F%2Felsewhere.test", {"Metadata", "true"}, 400,
			"AADSTS500011"},
		{"http://169.254.169.254/metadata/identity/oauth2/token?x=y" RESOURCE,
			{"Metadata", "true"}, 400, "api-version"},
		{"http://127.0.0.1:40342/metadata/identity/oauth2/"
		 "token?api-version=2018-02-01" RESOURCE,
			{"Metadata", "true"}, 400, "api-version"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *principals = json_array();
		struct fixture f;

		json_array_append_new(principals, principal(VM_SYSTEM, "vm", true));
		open_estate(&f, principals, "");
		send_raw(&f, "GET", rows[i].url, rows[i].headers, NULL);
		assert_description(&f, rows[i].status, rows[i].says);
		assert_false(verdict(&f).good);
		fixture_close(&f);
	}
}

static void other_paths_are_not_there(void **state)
{
	struct fixture f;

	(void)state;
	open_estate(&f, json_array(), "");
	assert_int_equal(ask(&f, "http://169.254.169.254/metadata/instance", NULL), 404);
	assert_int_equal(send_raw(&f, "POST", VM RESOURCE, NULL, ""), 404);
	/* Over TLS it is no metadata service. */
	assert_int_equal(
		ask(&f, "https://169.254.169.254/metadata/identity/oauth2/token", NULL), 421);
	fixture_close(&f);
}

static void open_arc(struct fixture *f, const char *behaviour)
{
	json_t *principals = json_array();

	json_array_append_new(principals, principal(ARC_SYSTEM, "arc", true));
	json_array_append_new(principals, principal(ARC_USER, "arc", false));
	open_estate(f, principals, behaviour);
}

static char *answer_challenge(struct fixture *f, const char *url)
{
	mdc_autofree char *realm = NULL;

	assert_int_equal(ask(f, url, NULL), 401);
	realm = xasprintf("Basic realm=/var/opt/azcmagent/tokens/%s", key_name);
	assert_string_equal(answer_header_of(f, "WWW-Authenticate"), realm);
	assert_true(str_ends_nocase(key_name, ".key"));
	return xasprintf("Basic %s", key_text);
}

static void the_agent_wants_its_key_to_be_read_first(void **state)
{
	struct fixture f;
	mdc_autofree char *authorization = NULL, *second = NULL;

	(void)state;
	open_arc(&f, "");
	authorization = answer_challenge(&f, AGENT RESOURCE);
	ask(&f, AGENT RESOURCE, authorization);
	assert_token_of(&f, ARC_SYSTEM);
	assert_true(verdict(&f).good);
	/* A key is good once, and not for ever. */
	assert_int_equal(ask(&f, AGENT RESOURCE, authorization), 401);
	assert_false(verdict(&f).good);
	second = answer_challenge(&f, AGENT RESOURCE);
	assert_string_not_equal(authorization, second);
	pass(&f, DUR_MIN(6));
	assert_int_equal(ask(&f, AGENT RESOURCE, second), 401);
	assert_int_equal(ask(&f, AGENT RESOURCE, "Basic guess"), 401);
	assert_int_equal(ask(&f, AGENT RESOURCE, "Bearer x"), 401);
	assert_null(answer_header_of(&f, "WWW-Authenticate"));
	fixture_close(&f);
}

static void older_agents_do_not_know_of_user_assigned_identities(void **state)
{
	static const char *const clients[] = {ARC_USER, ARC_SYSTEM};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		mdc_autofree char *authorization = NULL;
		struct fixture f;

		open_arc(&f, i == 0 ? "" : "\"tokens\":{\"arcSelects\":false}");
		authorization = answer_challenge(&f, AGENT RESOURCE "&client_id=" ARC_USER);
		ask(&f, AGENT RESOURCE "&client_id=" ARC_USER, authorization);
		assert_token_of(&f, clients[i]);
		fixture_close(&f);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_vm_gets_the_token_of_its_identity),
	cmocka_unit_test(what_a_client_does_wrong_is_refused_and_noted),
	cmocka_unit_test(other_paths_are_not_there),
	cmocka_unit_test(the_agent_wants_its_key_to_be_read_first),
	cmocka_unit_test(older_agents_do_not_know_of_user_assigned_identities),
};

RUN_ESTATE_TESTS(tests)
