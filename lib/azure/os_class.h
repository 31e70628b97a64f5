/* SPDX-License-Identifier: Apache-2.0 */
/* os_class: which sensor path an operating system takes, from what the Arc agent reports. */
#ifndef MDC_OS_CLASS_H
#define MDC_OS_CLASS_H

#include "lib/base/base.h"

enum os_class {
	OS_UNKNOWN,         /* nothing reported yet */
	OS_WINDOWS_UNIFIED, /* Server 2012 R2 and 2016: need the unified solution */
	OS_WINDOWS_INBOX,   /* Server 2019 and later, Azure Stack HCI: sensor is part of Windows */
	OS_WINDOWS_MAYBE,   /* multi-session clients: left to Defender for Cloud */
	OS_WINDOWS_UNSUPPORTED, /* clients, Server 2012 without R2, 2008 */
	OS_LINUX,
	OS_LINUX_UNSUPPORTED, /* known distribution, version outside the support matrix */
	OS_LINUX_UNCERTAIN,   /* distribution or version that the support matrix does not name */
	OS_EXCLUDED,          /* OpenShift, CoreOS: managed by something else */
	OS_APPLIANCE,         /* of a vendor who maintains it */
	OS_CLASS_N_
};

/*
 * Any argument may be NULL or empty. `sku` decides ("Windows Server 2016 Datacenter", on Linux the
 * PRETTY_NAME); `type`/`name` ("windows", "linux") only where it does not say. Build numbers are
 * never used: client and server share them.
 */
enum os_class os_classify(const char *type, const char *name, const char *sku);
bool os_is_windows(enum os_class c);
bool os_is_linux(enum os_class c);
/* True where a sensor can be expected (UNIFIED, INBOX, LINUX). */
bool os_is_supported(enum os_class c);
/* One word for JSON ("windows-unified") and a phrase for people. */
const char *os_class_name(enum os_class c);
const char *os_class_text(enum os_class c);

#endif
