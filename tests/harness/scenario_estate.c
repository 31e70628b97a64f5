/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/scenario_parts.h"

#include "lib/azure/arm_document.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdio.h>

/* What takes its time takes always the same time, and answers come at once. */
#define STEADY \
	"{'latency': {'read': '1ms', 'write': '1ms', 'token': '1ms', 'graph': '1ms'}," \
	" 'operations': {'create': '3m', 'update': '2m', 'delete': '2m'}," \
	" 'plan': {'write': '5s'}," \
	" 'deployer': {'first': '2h', 'later': '20m'}," \
	" 'graph': {'lag': '0s'}," \
	" 'activity': {'delay': '5m'}," \
	" 'providers': {'registration': '1m'}}"
#define SMALL \
	"{'tenants': [{'id': '" TENANT "', 'name': 'Contoso'}]," \
	" 'principals': [{'tenant': '" TENANT "', 'client': '" CLIENT "', 'secret': '" SECRET "'," \
	"                 'applicationPermissions': ['Machine.Read.All']," \
	"                 'roles': [{'scope': '/', 'role': 'Owner'}]}," \
	"                {'tenant': '" TENANT "', 'client': '" OTHER_CLIENT "'," \
	"                 'secret': '" OTHER_SECRET "', 'name': 'other'," \
	"                 'roles': [{'scope': '/', 'role': 'Owner'}]}]," \
	" 'subscriptions': [%s]}"

/* Another client of the small estate. */
#define OTHER_CLIENT "20000000-0000-4000-8000-000000000002"
#define OTHER_SECRET "other-secret"

json_t *quoted_json(const char *format, ...)
{
	struct buf text = BUF_INIT(16 << 20);
	json_error_t error;
	json_t *value;
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\'')
			text.data[i] = '"';
	value = json_loads(buf_str(&text), JSON_DECODE_ANY, &error);
	if (value == NULL)
		fail_msg("%s at: %.60s", error.text, buf_str(&text) + error.position);
	buf_fini(&text);
	return value;
}

static void report(const struct diags *diags)
{
	struct buf text = BUF_INIT(1 << 16);

	diags_render(diags, &text);
	if (diags->errors > 0)
		fail_msg("the estate is not valid: %s", buf_str(&text));
	buf_fini(&text);
}

static json_t *read_document(const char *name)
{
	mdc_autofree char *path = xasprintf("tests/scenario/estates/%s.json", name);
	json_error_t error;
	json_t *document = json_load_file(path, 0, &error);

	if (document == NULL)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return document;
}

static json_t *base_document(const struct scenario_options *options)
{
	struct diags diags = DIAGS_INIT;
	json_t *document = NULL;

	if (options->file != NULL)
		return read_document(options->file);
	if (options->subscriptions != NULL)
		return quoted_json(SMALL, options->subscriptions);
	assert_non_null(options->specification);
	if (estate_generate(
		    options->specification, options->seed, SCENARIO_START, &diags, &document) != 0)
		report(&diags);
	diags_fini(&diags);
	return document;
}

/* Merges group by group. Takes `behaviour`. */
static void set_behaviour(json_t *document, json_t *take_behaviour)
{
	json_t *present = json_object_get(document, "behaviour");

	if (present == NULL) {
		json_object_set_new(document, "behaviour", take_behaviour);
		return;
	}
	json_object_update_recursive(present, take_behaviour);
	json_decref(take_behaviour);
}

static void set_members(json_t *document, const char *text)
{
	json_t *members = quoted_json("{%s}", text);
	const char *key;
	json_t *value;

	json_object_foreach (members, key, value) {
		if (str_equal(key, "behaviour"))
			set_behaviour(document, json_deep_copy(value));
		else
			json_object_set(document, key, value);
	}
	json_decref(members);
}

void scenario_make_estate(struct scenario *s)
{
	struct estate_options options = {.seed = s->options.seed,
		.start = SCENARIO_START,
		.arm_host = "management.test",
		.login_host = "login.test",
		.defender_host = "defender.test"};
	json_t *document = base_document(&s->options);
	struct diags diags = DIAGS_INIT;

	if (!s->options.lively)
		set_behaviour(document, quoted_json("%s", STEADY));
	if (s->options.document != NULL)
		set_members(document, s->options.document);
	if (estate_new(&options, document, &diags, &s->estate) != 0)
		report(&diags);
	diags_fini(&diags);
	json_decref(document);
}

/* --- what happens to it --- */

void scenario_faults(struct scenario *s, const char *rules)
{
	json_t *script = rules != NULL ? quoted_json("%s", rules) : NULL;
	struct diags diags = DIAGS_INIT;

	if (estate_set_faults(s->estate, script, &diags) != 0)
		report(&diags);
	diags_fini(&diags);
	json_decref(script);
}

void scenario_meddle(
	struct scenario *s, const char *resource_id, const char *member, const char *value)
{
	json_t *parsed = value != NULL ? quoted_json("%s", value) : NULL;

	estate_advance(s->estate, scenario_wall(s));
	if (estate_meddle(s->estate, resource_id, member, parsed) != 0)
		fail_msg("%s cannot be meddled with", resource_id);
	json_decref(parsed);
}

const char *scenario_peek(struct scenario *s, const char *resource_id, const char *path)
{
	estate_advance(s->estate, scenario_wall(s));
	return json_path_text(estate_peek(s->estate, resource_id), path);
}

bool scenario_exists(struct scenario *s, const char *resource_id)
{
	estate_advance(s->estate, scenario_wall(s));
	return estate_peek(s->estate, resource_id) != NULL;
}

/* --- another client --- */

struct exchange {
	const char *method, *url, *token, *type;
	const char *body;
};

/* Handled at once: nobody waits for the answer. */
static int ask(struct scenario *s, const struct exchange *x, struct estate_answer *ret)
{
	struct http_request r = {.method = xstrdup(x->method), .url = xstrdup(x->url)};
	mdc_autofree char *bearer = xasprintf("Bearer %s", x->token != NULL ? x->token : "");

	if (x->token != NULL)
		http_headers_add(&r.headers, "Authorization", bearer);
	if (x->body != NULL) {
		http_headers_add(&r.headers, "Content-Type", x->type);
		r.body = xstrdup(x->body);
		r.body_len = strlen(x->body);
	}
	estate_handle(s->estate, &r, scenario_wall(s), ret);
	http_request_fini(&r);
	return ret->reply.status;
}

static char *other_token(struct scenario *s)
{
	struct exchange x = {.method = "POST",
		.url = "https://login.test/" TENANT "/oauth2/v2.0/token",
		.type = "application/x-www-form-urlencoded",
		.body = "grant_type=client_credentials&client_id=" OTHER_CLIENT
			"&client_secret=" OTHER_SECRET
			"&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"};
	struct estate_answer answer;
	json_t *doc;
	char *token;

	assert_int_equal(ask(s, &x, &answer), 200);
	doc = json_loadb(answer.reply.body, answer.reply.body_len, 0, NULL);
	token = xstrdup(json_text(doc, "access_token"));
	json_decref(doc);
	estate_answer_fini(&answer);
	return token;
}

int scenario_other_put(
	struct scenario *s, const char *resource_id, const char *version, const char *document)
{
	mdc_autofree char *url =
		xasprintf("https://management.test%s?api-version=%s", resource_id, version);
	mdc_autofree char *token = other_token(s);
	json_t *doc = quoted_json("%s", document);
	char *body = json_dumps(doc, 0);
	struct exchange read = {.method = "GET", .url = url, .token = token};
	struct exchange write = {.method = "PUT",
		.url = url,
		.token = token,
		.type = "application/json",
		.body = body};
	struct estate_answer answer;
	int status;

	ask(s, &read, &answer);
	estate_answer_fini(&answer);
	status = ask(s, &write, &answer);
	estate_answer_fini(&answer);
	json_decref(doc);
	free(body);
	return status;
}
