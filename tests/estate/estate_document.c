/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The estate document: a JSON object. Every member but "tenants", "principals" and "subscriptions"
 * may be left out, an unknown one is an error, and times are RFC 3339 or "-2h" from the start.
 *
 *   tenants           [{ id*, name, domain }]
 *   principals        [{ tenant*, client*, object, name, secret, secretExpires,
 *                        certificates: [PEM],
 *                        federations: [{ issuer*, subject*, audience, key* (PEM) }],
 *                        subjects: [{ name*, issuer* (PEM) }]   certificates trusted by their
 * names, managed ("vm"|"arc": the identity of the machine that asks its metadata service),
 * systemAssigned, applicationPermissions: ["Machine.Read.All"],
 * roles: [{ scope*, role (a built-in role's name), or actions: [...], notActions:
 * [...] }] }] managementGroups  [{ name*, displayName, tenant*, parent }]       parents first
 *   subscriptions     [{ id*, name, tenant*, managementGroup, state, tags,
 *                        delegatedTo: [tenants whose principals may act there by their roles],
 *                        providers: [registered namespaces; all when left out],
 *                        modern (WDATP brings its opt-ins along),
 *                        plan: { tier, subPlan, enforce, since, extensions: [as ARM writes them] },
 *                        planFailures: { extension: message },
 *                        settings: { WDATP: true, ... }                 left out: never set
 *                        vulnerabilityProvider ("MdeTvm"), autoProvision ("On"|"Off"),
 *                        groups: [{ name*, location, tags }],
 *                        locks: [{ name*, level*, scope, notes }],
 *                        policies: [{ name*, deny* (a type), scope }],
 *                        denyAssignments: [{ name*, actions*, notActions, scope,
 *                                            principals (object ids; everybody when left out),
 *                                            except (object ids) }],
 *                        assignments: [{ name*, definition* (id), scope, notScopes, effect,
 *                                        enforced, remediates (how often it deploys what is
 *                                        missing; never when left out) }],
 *                        policySets: [{ name*, definitions: [ids] }],
 *                        workspaces: [{ name*, group, location, customer* (GUID),
 *                                       solutions: ["Security"|"SecurityCenterFree"] }],
 *                        rules: [{ name*, group, location, destinations* (workspaces' ids),
 *                                  streams }]: of data collection
 *                        exemptions: [{ name*, assignment* (id, or name of one of this
 *                                       subscription), scope, expires, references: [names],
 *                                       description, requestedBy, ticket }],
 *                        machines: [...] }]
 *   machines          { name*, group*, location, os (osSku), osType, osVersion,
 *                        status (Connected|Disconnected|Error|Expired|NeverConnected), since,
 *                        created, agent, fqdn, cloud, kind, tags, configMode,
 *                        extensionsEnabled, allow: [{publisher,type}], block: [...],
 *                        plan (P1|Free: the machine's own), properties: { overlaid as they are },
 *                        extensions: [{ type*, publisher, name, version, state, unified, owner,
 *                                       workspace, settings, code, level, message, since }],
 *                        outcomes: [codes of the handler's next attempts, the last repeating],
 *                        rules: [ids of its data collection rules],
 *                        rebootAfter (ends a pending restart), reached (by Defender for Cloud),
 *                        onboarded (to Defender for Endpoint, before it came to Azure),
 *                        stuck (operations never end),
 *                        timeline: [{ after*, status* }],
 *                        vm: { ownImage, allowExtensions, agent (reports), scaleSet, publisher,
 *                              offer, sku }: an Azure VM, whose status is running, deallocated … }
 *   devices           [{ name*, id, os (osPlatform), version, health, onboarding, machine (resource
 *                        id), mergedInto (id), seen, suspected }]: of Defender for Endpoint, in the
 *                     first tenant, beyond those of the machines (estate_devices.c)
 *   behaviour         see estate_knobs.c
 *   allowedWrites     [kinds that the ledger shall not call forbidden; see estate_ledger.c]
 *   otherHands        [{ resource*, member, value, caller, after, every, times }]: writers that set
 *                     the value, or delete where there is none; see estate_meddle()
 *   faults            see estate_faults.c
 */
#include "tests/estate/estate_document.h"

#include "lib/base/str.h"

#include <stdio.h>
#include <string.h>

struct root {
	const json_t *tenants, *principals, *groups, *subscriptions, *devices, *behaviour, *allowed,
		*hands, *faults;
};

static const struct field root_fields[] = {
	{"tenants", FIELD_ARRAY, offsetof(struct root, tenants), true},
	{"principals", FIELD_ARRAY, offsetof(struct root, principals), true},
	{"managementGroups", FIELD_ARRAY, offsetof(struct root, groups)},
	{"subscriptions", FIELD_ARRAY, offsetof(struct root, subscriptions), true},
	{"devices", FIELD_ARRAY, offsetof(struct root, devices)},
	{"behaviour", FIELD_OBJECT, offsetof(struct root, behaviour)},
	{"allowedWrites", FIELD_TEXTS, offsetof(struct root, allowed)},
	{"otherHands", FIELD_ARRAY, offsetof(struct root, hands)},
	{"faults", FIELD_ARRAY, offsetof(struct root, faults)},
};

void document_each(
	struct document *d, const char *path, const json_t *array, document_element_fn read)
{
	char element[300];
	size_t i;
	json_t *object;

	json_array_foreach (array, i, object) {
		snprintf(element, sizeof(element), "%.260s[%zu]", path, i);
		read(d, element, object);
	}
}

static void release(void *value)
{
	json_decref(value);
}

static void read_all(struct document *d, const struct root *root)
{
	/* First: what follows asks how things behave. */
	if (root->behaviour != NULL)
		knobs_read(&d->reader, "behaviour", root->behaviour, &d->e->knobs);
	document_each(d, "tenants", root->tenants, document_read_tenant);
	document_each(d, "managementGroups", root->groups, document_read_management_group);
	document_each(d, "subscriptions", root->subscriptions, document_read_subscription);
	document_each(d, "principals", root->principals, document_read_principal);
	document_each(d, "devices", root->devices, document_read_device);
	document_each(d, "otherHands", root->hands, document_read_hand);
	d->e->allowed_writes = json_incref((json_t *)root->allowed);
}

int document_read(struct estate *e, const json_t *document, struct diags *diags)
{
	struct document d = {.reader = {.diags = diags, .start = e->start}, .e = e};
	size_t errors = diags->errors;
	struct root root = {0};

	if (!reader_struct(&d.reader, "document", document, root_fields, &root))
		return -EINVAL;
	map_init(&d.shared, release);
	read_all(&d, &root);
	map_fini(&d.shared);
	if (root.faults != NULL && estate_set_faults(e, root.faults, diags) != 0)
		return -EINVAL;
	return diags->errors == errors ? 0 : -EINVAL;
}
