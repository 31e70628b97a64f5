/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>

#define STATUS_MAX 512

static void systemd_send(struct notify *n, const char *state)
{
	(void)n;
	/* Nobody to tell, or systemd is busy: nothing that we could do differently. */
	(void)sd_notify(0, state);
}

static struct notify *systemd_free(struct notify *n)
{
	free(n);
	return NULL;
}

struct notify *notify_systemd_new(void)
{
	struct notify *n = xcalloc(1, sizeof(*n));
	uint64_t usec = 0;

	n->send = systemd_send;
	n->free = systemd_free;
	if (sd_watchdog_enabled(0, &usec) > 0)
		n->watchdog = dur_max(DUR_MS((int64_t)(usec / 2000)), DUR_MS(1));
	return n;
}

/* A newline in a status would begin another assignment, such as READY=1. */
static void send_with_status(struct notify *n, const char *state, const char *status)
{
	mdc_cleanup(buf_fini) struct buf b = BUF_INIT(STATUS_MAX * 4 + 64);

	buf_adds(&b, state);
	if (status != NULL) {
		buf_adds(&b, "STATUS=");
		(void)str_escape(&b, status, STATUS_MAX);
		buf_addc(&b, '\n');
	}
	n->send(n, buf_str(&b));
}

void notify_ready(struct notify *n, const char *status)
{
	send_with_status(n, "READY=1\n", status);
}

void notify_reloading(struct notify *n, struct mono now)
{
	mdc_cleanup(buf_fini) struct buf b = BUF_INIT(128);

	/* systemd drops a time before it asked for the reload: ours was cut to milliseconds. */
	buf_addf(&b, "RELOADING=1\nMONOTONIC_USEC=%lld\n", (long long)(now.ms + 1) * 1000);
	n->send(n, buf_str(&b));
}

void notify_status(struct notify *n, const char *status)
{
	send_with_status(n, "", status);
}

void notify_stopping(struct notify *n)
{
	n->send(n, "STOPPING=1\n");
}

void notify_alive(struct notify *n)
{
	n->send(n, "WATCHDOG=1\n");
}
