/* SPDX-License-Identifier: Apache-2.0 */
/* What identities take from the environment where their configuration does not say it. */
#include "daemon/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TENANT "11111111-1111-1111-1111-111111111111"

static const char *environment(const char *name)
{
	if (strcmp(name, "AZURE_TENANT_ID") == 0)
		return "";
	if (strcmp(name, "AZURE_CLIENT_ID") == 0)
		return "22222222-2222-2222-2222-22222222222A";
	if (strcmp(name, "AZURE_FEDERATED_TOKEN_FILE") == 0)
		return "/var/run/token";
	return NULL;
}

static const char *odd_environment(const char *name)
{
	return strcmp(name, "AZURE_CLIENT_ID") == 0 ? "me" : environment(name);
}

static int load(const char *text, environment_fn from, struct diags *diags, struct config **ret)
{
	/* In a folder of its own: conf.d beside it would be read as well. */
	char folder[] = "/tmp/mdcd-environment-XXXXXX", path[64];
	FILE *f;
	int result;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/mdcd.conf", folder);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	result = config_files_load(path, from, diags, ret);
	unlink(path);
	rmdir(folder);
	return result;
}

static void a_workload_identity_is_what_the_environment_says(void **state)
{
	static const char text[] =
		"policy p { }\nscope s { identity = cluster policy = p }\n"
		"identity cluster {\n  tenant = " TENANT "\n  method = workload-identity\n}\n"
		"identity written {\n  method = workload-identity\n"
		"  federated-token-file = /mine\n  tenant = " TENANT "\n}\n"
		"identity vm {\n  method = managed-identity\n  tenant = " TENANT "\n}\n";
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	struct config *config = NULL;

	(void)state;
	assert_int_equal(load(text, environment, &diags, &config), 0);
	assert_int_equal(diags.n, 0);
	assert_string_equal(config->identities[0].client, "22222222-2222-2222-2222-22222222222a");
	assert_string_equal(config->identities[0].federated_token_file, "/var/run/token");
	assert_string_equal(config->identities[1].federated_token_file, "/mine");
	assert_null(config->identities[2].client);
	assert_non_null(strstr(config->canonical,
		"identity \"cluster\"/federated-token-file = \"/var/run/token\"\n"));
	config_free(config);
}

static void nonsense_in_the_environment_is_told_with_its_variable(void **state)
{
	mdc_cleanup(diags_fini) struct diags diags = DIAGS_INIT;
	mdc_cleanup(buf_fini) struct buf said = BUF_INIT(1 << 16);
	struct config *config = NULL;

	(void)state;
	assert_int_equal(load("policy p { }\nscope s { identity = cluster policy = p }\n"
			      "identity cluster { method = workload-identity }\n",
				 odd_environment, &diags, &config),
		-EINVAL);
	diags_render(&diags, &said);
	assert_non_null(strstr(buf_str(&said),
		"environment, AZURE_CLIENT_ID: error: client: \"me\" is not a GUID; write one such "
		"as \"01234567-89ab-cdef-0123-456789abcdef\"\n"));
	assert_non_null(strstr(buf_str(&said), "identity \"cluster\" has no tenant"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_workload_identity_is_what_the_environment_says),
		cmocka_unit_test(nonsense_in_the_environment_is_told_with_its_variable),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
