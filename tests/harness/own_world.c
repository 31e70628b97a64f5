/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/own_world.h"

#include "lib/base/xalloc.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static bool become_root_inside(void)
{
	mdc_autofree char *uids = xasprintf("0 %u 1", (unsigned)geteuid());
	mdc_autofree char *gids = xasprintf("0 %u 1", (unsigned)getegid());

	if (geteuid() == 0)
		return true;
	return unshare(CLONE_NEWUSER) == 0 && put("/proc/self/setgroups", "deny") &&
		put("/proc/self/uid_map", uids) && put("/proc/self/gid_map", gids);
}

static bool loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;

	if (fd >= 0)
		close(fd);
	return up;
}

bool own_world_enter(void)
{
	return become_root_inside() && unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && loopback_up();
}

bool own_world_replace_file(const char *target, const char *text)
{
	char path[] = "/tmp/mdcd-own-world-XXXXXX";
	int fd = mkstemp(path);
	bool good = fd >= 0 && put(path, text) && mount(path, target, NULL, MS_BIND, NULL) == 0;

	if (fd >= 0)
		close(fd);
	unlink(path);
	return good;
}

bool own_world_empty_folder(const char *target)
{
	return mount("tmpfs", target, "tmpfs", 0, "mode=0755") == 0;
}
