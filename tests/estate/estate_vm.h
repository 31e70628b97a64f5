/* SPDX-License-Identifier: Apache-2.0 */
/* estate_vm: Azure VMs, which are machines with documents of another shape. */
#ifndef MDC_TEST_ESTATE_VM_H
#define MDC_TEST_ESTATE_VM_H

#include "tests/estate/estate_internal.h"
#include "tests/estate/estate_reader.h"

#define VM_TYPE "Microsoft.Compute/virtualMachines"
#define VM_EXTENSION_TYPE VM_TYPE "/extensions"

/* The member "vm" of a machine. */
struct vm_spec {
	bool own_image;        /* a generalized one, which Defender for Cloud does not deploy to */
	bool allow_extensions; /* osProfile.allowExtensionOperations */
	bool agent;            /* the VM agent reports */
	const char *scale_set; /* the flexible one that it is an instance of */
	const char *publisher, *offer, *sku;
};
bool vm_spec_read(
	const struct reader *reader, const char *path, const json_t *object, struct vm_spec *ret);

struct vm_facts {
	const char *name, *group, *location, *os, *status;
	bool windows;
	struct wall created;
	const json_t *tags;
};
json_t *vm_doc(
	struct estate *e, const char *sub, const struct vm_spec *vm, const struct vm_facts *facts);
/* `extended` of a VM that is "running", "deallocated", … */
json_t *vm_extended(const char *name, const char *os, const char *status);

/* What the VM's document says. */
bool vm_is_of_own_image(const struct machine *m);
bool vm_allows_extensions(const struct machine *m);
bool vm_is_managed_by_others(const struct machine *m);
/* The word behind "PowerState/", or NULL. */
const char *vm_power(const json_t *doc);

#endif
