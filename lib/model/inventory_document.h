/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory_document: puts a document of ARM, or a row of Resource Graph in the same shape, where
 * it belongs in the inventory, by its id.
 */
#ifndef MDC_INVENTORY_DOCUMENT_H
#define MDC_INVENTORY_DOCUMENT_H

#include "lib/model/inventory.h"

/* What a document was about. */
struct noted {
	enum arm_kind kind;
	struct subscription *subscription;
	struct machine *machine;       /* for machines and their extensions */
	struct connector *connector;   /* for connectors of AWS and GCP */
	struct workspace *workspace;   /* for workspaces, and solutions on known ones */
	enum setting_id setting;       /* for settings; SETTING_N_: one that no control reads */
	enum single_id single;         /* for documents that are read one by one, else SINGLE_N_ */
	enum extension_kind extension; /* for extensions; OTHER also where it does not fit */
	bool unclear;                  /* an extension that does not say which one it is */
	bool again;                    /* a machine that was listed in this sweep before */
	bool changed;                  /* a fact that some control reads */
};

/*
 * -EINVAL for a document that is not what its id says, -ENOENT where the subscription or machine is
 * not known, -ENOTSUP for kinds that nothing here reads, -ENOSPC past a cap. *ret is only set on
 * success.
 */
int inventory_note(struct inventory *inv, const json_t *document, struct stamp stamp,
	struct noted *ret) MDC_MUST_CHECK;
/* The resource with that id was asked for and is not there. Errors as above. */
int inventory_note_absent(struct inventory *inv, const char *id, struct stamp stamp,
	struct noted *ret) MDC_MUST_CHECK;

#endif
