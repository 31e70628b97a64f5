/* SPDX-License-Identifier: Apache-2.0 */
/* estate_document: reading the document that an estate is made from; see estate_document.c. */
#ifndef MDC_TEST_ESTATE_DOCUMENT_H
#define MDC_TEST_ESTATE_DOCUMENT_H

#include "tests/estate/estate_internal.h"
#include "tests/estate/estate_reader.h"

struct document {
	struct reader reader;
	struct estate *e;
	struct map shared; /* JSON values that many machines have in common, by name or text */
};

/* -EINVAL with diags. */
int document_read(struct estate *e, const json_t *document, struct diags *diags) MDC_MUST_CHECK;

/* One element of each array; `path` names it in errors. */
typedef void (*document_element_fn)(struct document *d, const char *path, const json_t *object);
void document_each(
	struct document *d, const char *path, const json_t *array, document_element_fn read);

/* estate_document_people.c */
void document_read_tenant(struct document *d, const char *path, const json_t *object);
void document_read_principal(struct document *d, const char *path, const json_t *object);
void document_read_management_group(struct document *d, const char *path, const json_t *object);
void document_read_hand(struct document *d, const char *path, const json_t *object);
/* estate_devices.c */
void document_read_device(struct document *d, const char *path, const json_t *object);
/* estate_document_subscription.c */
void document_read_subscription(struct document *d, const char *path, const json_t *object);
/* estate_document_machine.c: one of a subscription's "machines" */
void document_read_connector(
	struct document *d, struct subscription *sub, const char *path, const json_t *object);
/* estate_document_workspace.c: its "workspaces" and "rules", and the rules of a machine */
void document_read_workspace(
	struct document *d, struct subscription *sub, const char *path, const json_t *object);
void document_read_rule(
	struct document *d, struct subscription *sub, const char *path, const json_t *object);
void document_associate(
	struct document *d, struct subscription *sub, const char *machine, const json_t *rules);
void document_read_machine(
	struct document *d, struct subscription *sub, const char *path, const json_t *object);

/* estate_knobs.c */
void knobs_read(const struct reader *r, const char *path, const json_t *object, struct knobs *ret);

#endif
