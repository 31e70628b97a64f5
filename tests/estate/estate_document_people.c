/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/estate/estate_call.h"
#include "tests/estate/estate_document.h"

#include <stdio.h>
#include <string.h>

static char *copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

/* --- tenants --- */

struct tenant_spec {
	const char *id, *name, *domain;
};

static const struct field tenant_fields[] = {
	{"id", FIELD_GUID, offsetof(struct tenant_spec, id), true},
	{"name", FIELD_TEXT, offsetof(struct tenant_spec, name)},
	{"domain", FIELD_TEXT, offsetof(struct tenant_spec, domain)},
};

void document_read_tenant(struct document *d, const char *path, const json_t *object)
{
	struct tenant_spec spec = {.name = "Contoso"};
	struct tenant *t;

	if (!reader_struct(&d->reader, path, object, tenant_fields, &spec))
		return;
	if (map_has(&d->e->tenants, spec.id)) {
		reader_error(&d->reader, path, "the tenant was given before");
		return;
	}
	t = xcalloc(1, sizeof(*t));
	t->id = xstrdup(spec.id);
	str_fold(t->id);
	t->name = xstrdup(spec.name);
	t->domain = copy(spec.domain);
	map_set(&d->e->tenants, t->id, t);
}

static struct tenant *find_tenant(struct document *d, const char *path, const char *id)
{
	struct tenant *t = map_get(&d->e->tenants, id);

	if (t == NULL)
		reader_error(&d->reader, path, "there is no tenant %s", id);
	return t;
}

/* --- management groups --- */

struct group_spec {
	const char *name, *display_name, *tenant, *parent;
};

static const struct field group_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct group_spec, name), true},
	{"displayName", FIELD_TEXT, offsetof(struct group_spec, display_name)},
	{"tenant", FIELD_GUID, offsetof(struct group_spec, tenant), true},
	{"parent", FIELD_TEXT, offsetof(struct group_spec, parent)},
};

void document_read_management_group(struct document *d, const char *path, const json_t *object)
{
	struct group_spec spec = {0};
	struct management_group *g, *parent = NULL;
	struct tenant *tenant;

	if (!reader_struct(&d->reader, path, object, group_fields, &spec))
		return;
	tenant = find_tenant(d, path, spec.tenant);
	if (spec.parent != NULL) {
		parent = map_get(&d->e->management_groups, spec.parent);
		if (parent == NULL)
			reader_error(&d->reader, path, "there is no management group %s above it",
				spec.parent);
	}
	if (tenant == NULL)
		return;
	g = xcalloc(1, sizeof(*g));
	g->name = xstrdup(spec.name);
	g->display_name = xstrdup(spec.display_name != NULL ? spec.display_name : spec.name);
	g->tenant = tenant;
	g->parent = parent;
	map_set(&d->e->management_groups, g->name, g);
}

/* --- principals --- */

struct role_spec {
	const char *scope, *role;
	const json_t *actions, *not_actions;
};

static const struct field role_fields[] = {
	{"scope", FIELD_TEXT, offsetof(struct role_spec, scope), true},
	{"role", FIELD_TEXT, offsetof(struct role_spec, role)},
	{"actions", FIELD_TEXTS, offsetof(struct role_spec, actions)},
	{"notActions", FIELD_TEXTS, offsetof(struct role_spec, not_actions)},
};

static bool read_role(struct document *d, const char *path, const json_t *object, struct role *ret)
{
	struct role_spec spec = {0};

	if (!reader_struct(&d->reader, path, object, role_fields, &spec))
		return false;
	if (*spec.scope != '/')
		return reader_error(&d->reader, path, "a scope begins with \"/\"");
	if ((spec.role != NULL) == (spec.actions != NULL))
		return reader_error(&d->reader, path, "needs either \"role\" or \"actions\"");
	if (spec.role != NULL && !auth_read_role(spec.role, ret))
		return reader_error(&d->reader, path, "the role \"%s\" is not known", spec.role);
	if (spec.role == NULL) {
		ret->name = xstrdup("Custom");
		ret->actions = json_deep_copy(spec.actions);
		ret->not_actions =
			spec.not_actions != NULL ? json_deep_copy(spec.not_actions) : json_array();
	}
	ret->scope = xstrdup(spec.scope);
	return true;
}

static void read_roles(
	struct document *d, const char *path, const json_t *list, struct principal *p)
{
	size_t i;
	json_t *object;

	json_array_foreach (list, i, object) {
		struct role role = {0};
		char element[300];

		snprintf(element, sizeof(element), "%.200s.roles[%zu]", path, i);
		if (!read_role(d, element, object, &role))
			continue;
		p->roles = xreallocarray(p->roles, p->role_count + 1, sizeof(*p->roles));
		p->roles[p->role_count++] = role;
	}
}

struct federation_spec {
	const char *issuer, *subject, *audience, *key;
};

static const struct field federation_fields[] = {
	{"issuer", FIELD_TEXT, offsetof(struct federation_spec, issuer), true},
	{"subject", FIELD_TEXT, offsetof(struct federation_spec, subject), true},
	{"audience", FIELD_TEXT, offsetof(struct federation_spec, audience)},
	{"key", FIELD_TEXT, offsetof(struct federation_spec, key), true},
};

static void read_federations(
	struct document *d, const char *path, const json_t *list, struct principal *p)
{
	size_t i;
	json_t *object;

	json_array_foreach (list, i, object) {
		struct federation_spec spec = {.audience = "api://AzureADTokenExchange"};
		struct federation *f;
		char element[300];

		snprintf(element, sizeof(element), "%.200s.federations[%zu]", path, i);
		if (!reader_struct(&d->reader, element, object, federation_fields, &spec))
			continue;
		f = xcalloc(1, sizeof(*f));
		f->issuer = xstrdup(spec.issuer);
		f->subject = xstrdup(spec.subject);
		f->audience = xstrdup(spec.audience);
		f->key = xstrdup(spec.key);
		vec_add(&p->federations, f);
	}
}

struct subject_spec {
	const char *name, *issuer;
};

static const struct field subject_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct subject_spec, name), true},
	{"issuer", FIELD_TEXT, offsetof(struct subject_spec, issuer), true},
};

static void read_subjects(
	struct document *d, const char *path, const json_t *list, struct principal *p)
{
	size_t i;
	json_t *object;

	json_array_foreach (list, i, object) {
		struct subject_spec spec = {0};
		struct trusted_subject *t;
		char element[300];

		snprintf(element, sizeof(element), "%.200s.subjects[%zu]", path, i);
		if (!reader_struct(&d->reader, element, object, subject_fields, &spec))
			continue;
		if (!certificate_is_readable(spec.issuer)) {
			reader_error(&d->reader, element, "issuer is not a certificate in PEM");
			continue;
		}
		t = xcalloc(1, sizeof(*t));
		t->name = xstrdup(spec.name);
		t->issuer = xstrdup(spec.issuer);
		vec_add(&p->subjects, t);
	}
}

struct principal_spec {
	const char *tenant, *client, *object, *name, *secret;
	struct wall secret_expires;
	const json_t *certificates, *federations, *subjects, *permissions, *roles;
	int managed;
	bool system_assigned;
};

static const char *const managed_words[] = {"not", "vm", "arc", NULL};

static const struct field principal_fields[] = {
	{"tenant", FIELD_GUID, offsetof(struct principal_spec, tenant), true},
	{"client", FIELD_GUID, offsetof(struct principal_spec, client), true},
	{"object", FIELD_GUID, offsetof(struct principal_spec, object)},
	{"name", FIELD_TEXT, offsetof(struct principal_spec, name)},
	{"secret", FIELD_TEXT, offsetof(struct principal_spec, secret)},
	{"secretExpires", FIELD_TIME, offsetof(struct principal_spec, secret_expires)},
	{"certificates", FIELD_TEXTS, offsetof(struct principal_spec, certificates)},
	{"federations", FIELD_ARRAY, offsetof(struct principal_spec, federations)},
	{"subjects", FIELD_ARRAY, offsetof(struct principal_spec, subjects)},
	{"managed", FIELD_WORD, offsetof(struct principal_spec, managed), .words = managed_words},
	{"systemAssigned", FIELD_BOOL, offsetof(struct principal_spec, system_assigned)},
	{"applicationPermissions", FIELD_TEXTS, offsetof(struct principal_spec, permissions)},
	{"roles", FIELD_ARRAY, offsetof(struct principal_spec, roles)},
};

static void read_permissions(
	struct document *d, const char *path, const json_t *list, struct principal *p)
{
	size_t i;
	json_t *name;

	json_array_foreach (list, i, name) {
		if (str_equal(json_string_value(name), "Machine.Read.All"))
			p->reads_devices = true;
		else
			reader_error(&d->reader, path,
				"applicationPermissions[%zu] is not Machine.Read.All", i);
	}
}

static void read_certificates(
	struct document *d, const char *path, const json_t *list, struct principal *p)
{
	size_t i;
	json_t *pem;

	json_array_foreach (list, i, pem) {
		if (!certificate_is_readable(json_string_value(pem)))
			reader_error(&d->reader, path,
				"certificates[%zu] is not a certificate in PEM", i);
		else
			vec_add(&p->certificates, xstrdup(json_string_value(pem)));
	}
}

void document_read_principal(struct document *d, const char *path, const json_t *object)
{
	struct principal_spec spec = {.name = "mdcd"};
	char object_id[GUID_SIZE];
	struct tenant *tenant;
	struct principal *p;

	if (!reader_struct(&d->reader, path, object, principal_fields, &spec))
		return;
	tenant = find_tenant(d, path, spec.tenant);
	if (tenant == NULL)
		return;
	estate_guid(d->e, object_id);
	p = xcalloc(1, sizeof(*p));
	p->tenant = tenant;
	p->client = xstrdup(spec.client);
	p->object = xstrdup(spec.object != NULL ? spec.object : object_id);
	p->name = xstrdup(spec.name);
	p->secret = copy(spec.secret);
	p->secret_expires = spec.secret_expires;
	read_certificates(d, path, spec.certificates, p);
	read_federations(d, path, spec.federations, p);
	read_subjects(d, path, spec.subjects, p);
	p->managed = (enum managed_kind)spec.managed;
	p->system_assigned = spec.system_assigned;
	read_permissions(d, path, spec.permissions, p);
	read_roles(d, path, spec.roles, p);
	map_set(&d->e->principals, p->client, p);
}

/* --- other writers --- */

struct hand_spec {
	const char *resource, *member, *caller;
	const json_t *value;
	struct dur after, every;
	unsigned times;
};

static const struct field hand_fields[] = {
	{"resource", FIELD_TEXT, offsetof(struct hand_spec, resource), true},
	{"member", FIELD_TEXT, offsetof(struct hand_spec, member)},
	{"caller", FIELD_TEXT, offsetof(struct hand_spec, caller)},
	{"value", FIELD_ANY, offsetof(struct hand_spec, value)},
	{"after", FIELD_DURATION, offsetof(struct hand_spec, after)},
	{"every", FIELD_DURATION, offsetof(struct hand_spec, every)},
	{"times", FIELD_COUNT, offsetof(struct hand_spec, times)},
};

void document_read_hand(struct document *d, const char *path, const json_t *object)
{
	struct hand_spec spec = {0};
	struct hand *h;

	if (!reader_struct(&d->reader, path, object, hand_fields, &spec))
		return;
	h = xcalloc(1, sizeof(*h));
	h->resource = xstrdup(spec.resource);
	h->member = copy(spec.member);
	h->caller = copy(spec.caller);
	h->value = json_deep_copy(spec.value);
	h->after = spec.after;
	h->every = spec.every;
	h->times = spec.times;
	hand_start(d->e, h);
}
