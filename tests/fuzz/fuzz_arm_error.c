/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error bodies and status documents. The first line of the input is the HTTP status, the rest the
 * body.
 */
#include "lib/azure/arm_document.h"
#include "lib/azure/arm_error.h"
#include "lib/azure/long_running.h"
#include "lib/base/xalloc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_error(int status, const char *body, size_t len)
{
	struct arm_error error;

	arm_error_read(status, body, len, &error);
	must((error.class == ARM_ERROR_NONE) == (status >= 200 && status < 300));
	must(error.class < ARM_ERROR_CLASS_N_);
	must(strnlen(error.code, sizeof(error.code)) < sizeof(error.code));
	must(strnlen(error.message, sizeof(error.message)) < sizeof(error.message));
	must(strnlen(error.target, sizeof(error.target)) < sizeof(error.target));
}

static void check_operation(int status, char *body, size_t len)
{
	struct http_reply reply = {.status = status, .body = body, .body_len = len};
	const struct wall now = {1};

	for (unsigned shape = OPERATION_NONE; shape <= OPERATION_BODY; shape++) {
		struct operation_poll poll = {.shape = (enum operation_shape)shape};
		struct arm_error error = {.class = ARM_ERROR_CLASS_N_};

		if (operation_polled(&reply, "https://h", now, &poll, &error) == OPERATION_FAILED)
			must(error.class < ARM_ERROR_CLASS_N_ && error.class != ARM_ERROR_NONE);
		must(poll.after.ms == 60000);
		operation_poll_fini(&poll);
	}
	if (status >= 200 && status < 300) {
		struct operation_poll poll;
		struct arm_error error;

		(void)operation_started(&reply, "PUT", "https://h", now, &poll, &error);
		operation_poll_fini(&poll);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	size_t head = line != NULL ? (size_t)(line - data) : size;
	size_t skip = line != NULL ? head + 1 : size;
	mdc_autofree char *status = xstrndup((const char *)data, head < 3 ? head : 3);
	mdc_autofree char *body = xmalloc(size - skip + 1);

	memcpy(body, data + skip, size - skip);
	body[size - skip] = '\0';
	check_error(atoi(status), body, size - skip);
	check_operation(atoi(status), body, size - skip);
	return 0;
}
