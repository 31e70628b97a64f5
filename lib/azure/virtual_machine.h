/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtual_machine: an Azure VM (Microsoft.Compute/virtualMachines, api-version 2024-07-01), read
 * into the same record as an Arc machine. ARM's own document tells the power state in
 * `instanceView` where it was asked for, Resource Graph in `extended.instanceView`; what is made of
 * nothing but the run-time status says no more than that.
 */
#ifndef MDC_VIRTUAL_MACHINE_H
#define MDC_VIRTUAL_MACHINE_H

#include "lib/azure/arm_document.h"

/* `id` is the document's, of a VM. Texts are borrowed from the document. */
void virtual_machine_read(const json_t *document, const char *id, struct arm_machine *ret);

/*
 * The name of the operating system as an Arc agent would write it ("Ubuntu 22.04", "Windows Server
 * 2016 Datacenter"): from what the VM agent reports, else from the image of the marketplace.
 * Arguments may be NULL; "" where they do not tell.
 */
struct vm_system {
	const char *name, *version;           /* as reported by the agent */
	const char *publisher, *offer, *plan; /* of the image; `plan` is its SKU */
};
void vm_system_text(const struct vm_system *s, char ret[static ARM_OS_TEXT_SIZE]);
/*
 * Whether the image is of those that get no sensor: OS_EXCLUDED (nodes of container platforms and
 * of Databricks), OS_APPLIANCE (of vendors who maintain it themselves), else OS_UNKNOWN.
 */
enum os_class vm_image_class(const char *publisher, const char *offer);

#endif
