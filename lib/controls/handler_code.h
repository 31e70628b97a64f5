/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handler_code: what a failed MDE extension means: what kind of failure it is, in words, and the
 * one thing that helps.
 *
 * Exit codes are those of the installers that the extension wraps (Install.ps1 of the unified
 * package, mde_installer.sh) and differ between Windows and Linux: the key is (system, code). Some
 * messages of the extension or the Arc agent say more than any code, and come first.
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
	HANDLER_NEEDS_PERSON,      /* something on the machine has to be mended */
	HANDLER_NEEDS_OFFBOARDING, /* a sensor is onboarded already, perhaps to another tenant */
	HANDLER_OTHER_PRODUCT,     /* another product does the same work there */
	HANDLER_OLD_AGENT,         /* the Arc agent cannot handle the package */
	HANDLER_BUSY,              /* the agent is at work on the extension */
	HANDLER_UNSUPPORTED,
	HANDLER_CLASS_N_
};

struct handler_code {
	int code;
	enum handler_class class;
	const char *text;   /* for people */
	const char *remedy; /* NULL: that of its class */
};

/*
 * `code` as in instanceView.status.code. Never NULL: codes that are not in the table, and words
 * that are no numbers, are a row of class HANDLER_RETRIES.
 */
const struct handler_code *handler_code_find(bool windows, const char *code);
/* By the message where that is telling, else by the code. */
const struct handler_code *handler_failure_find(
	bool windows, const char *code, const char *message);
/* The reason whose schedule and sentence fit the class. */
enum reason handler_class_reason(enum handler_class class);
const char *handler_class_word(enum handler_class class);
/* Never NULL; "" where nothing is to be done. */
const char *handler_remedy(const struct handler_code *c);
/* Whether trying it again without anything else changed is of any use. */
bool handler_class_needs_person(enum handler_class class);

#endif
