/* SPDX-License-Identifier: Apache-2.0 */
/* Resource ids: whatever is taken has a stable key, a sound parent and a path that stays at home.
 */
#include "lib/azure/arm_id.h"
#include "lib/azure/arm_request.h"
#include "lib/base/http_message.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_key(const struct arm_id *id)
{
	mdc_autofree char *key = arm_id_key(id->text);
	mdc_autofree char *again = arm_id_key(key);

	must(str_equal(key, again));
	must(arm_id_same(key, id->text));
	must(key[0] == '/');
}

/* ARM_KIND_N_: some kind. */
static enum arm_kind parent_kind(enum arm_kind kind)
{
	if (kind == ARM_KIND_ARC_EXTENSION)
		return ARM_KIND_ARC_MACHINE;
	return kind == ARM_KIND_VM_EXTENSION ? ARM_KIND_VIRTUAL_MACHINE : ARM_KIND_N_;
}

static void check_parent(const struct arm_id *id)
{
	mdc_autofree char *text = arm_id_parent(id);
	enum arm_kind kind = parent_kind(id->kind);
	struct arm_id parent;

	must((text != NULL) == (kind != ARM_KIND_N_ || id->kind == ARM_KIND_RESOURCE_PRICING));
	if (text == NULL)
		return;
	must(arm_id_parse(text, &parent) == 0);
	must(str_equal(parent.subscription, id->subscription));
	if (kind != ARM_KIND_N_) {
		must(parent.kind == kind);
		must(str_equal(parent.name, id->parent_name));
	}
	arm_id_fini(&parent);
}

static void check_path(const struct arm_id *id)
{
	mdc_autofree char *url = NULL;
	struct arm_request request;
	struct http_url parsed;

	arm_get_extension(id->text, id->name, &request);
	url = xasprintf("https://management.example%s", request.path);
	must(http_url_parse(url, &parsed) == 0);
	must(str_equal(parsed.host, "management.example"));
	must(str_equal(parsed.query, "api-version=2025-01-13"));
	must(strstr(parsed.path, "//") == NULL && strstr(parsed.path, "/../") == NULL);
	http_url_fini(&parsed);
	arm_request_fini(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mdc_autofree char *text = xstrndup((const char *)data, size);
	struct arm_id id;

	if (arm_id_parse(text, &id) != 0)
		return 0;
	check_key(&id);
	check_parent(&id);
	check_path(&id);
	arm_id_fini(&id);
	return 0;
}
