/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handler_code: what the exit code of a failed MDE extension means. The codes are those of the
 * installers that the extension wraps (Install.ps1 of the unified package, mde_installer.sh) and
 * differ between Windows and Linux: the key is (system, code).
 */
#ifndef MDC_HANDLER_CODE_H
#define MDC_HANDLER_CODE_H

#include "lib/base/base.h"
#include "lib/model/reason.h"

enum handler_class {
	HANDLER_RETRIES,      /* time may cure it */
	HANDLER_RETRIES_ONCE, /* worth one more try */
	HANDLER_NEEDS_WAY,    /* network, proxy or package mirror */
	HANDLER_NEEDS_REBOOT,
	HANDLER_NEEDS_PERSON, /* something on the machine has to be mended */
	HANDLER_UNSUPPORTED,
	HANDLER_CLASS_N_
};

struct handler_code {
	int code;
	enum handler_class class;
	const char *text; /* for people */
};

/*
 * `code` as in instanceView.status.code. Never NULL: codes that are not in the table, and words
 * that are no numbers, are a row of class HANDLER_RETRIES.
 */
const struct handler_code *handler_code_find(bool windows, const char *code);
/* The reason whose schedule and sentence fit the class. */
enum reason handler_class_reason(enum handler_class class);

#endif
