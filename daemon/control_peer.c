/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control_peer.h"

#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/xalloc.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_GROUP "mdcd"
#define CHANGE_GROUP "mdcd-admin"
#define NO_GROUP ((gid_t)-1)
#define GROUP_ENTRY_MOST (1 << 20)
#define GROUPS_MOST 65536
/* Users that are remembered. */
#define NAMES_MOST 64
#define LOOK_UP_LIMIT DUR_S(1)
#define ENTRY_MOST 4096
/* People are renamed, and a directory service that was away comes back. */
#define REMEMBERED_FOR DUR_MIN(10)

enum name_state { NAME_ASKED, NAME_KNOWN };

struct name {
	struct list link;
	struct control_peers *peers;
	struct child_process *child; /* that looks it up, or NULL */
	uid_t uid;
	enum name_state state;
	struct mono at;
	char text[64]; /* "" where there is none */
};

struct control_peers {
	const struct world *world;
	gid_t read_group, change_group;
	struct list names;
	size_t count;
	void (*known)(void *ctx, uid_t uid);
	void *ctx;
};

/* --- rights --- */

static gid_t group_by_name(const char *name)
{
	struct group group, *found = NULL;
	size_t room = 4096;
	gid_t gid = NO_GROUP;
	char *text = NULL;
	int error = ERANGE;

	/* A group with many members is a long entry. */
	for (; error == ERANGE && room <= GROUP_ENTRY_MOST; room *= 4) {
		text = xrealloc(text, room);
		error = getgrnam_r(name, &group, text, room, &found);
	}
	if (error == 0 && found != NULL)
		gid = found->gr_gid;
	free(text);
	return gid;
}

static void allow_group(const struct control_peers *p, struct control_peer *peer, gid_t gid)
{
	if (gid == NO_GROUP)
		return;
	if (gid == p->change_group)
		peer->may_read = peer->may_change = true;
	else if (gid == p->read_group)
		peer->may_read = true;
}

/* Supplementary groups as they were when it connected. */
static int allow_groups(const struct control_peers *p, int fd, struct control_peer *peer)
{
	socklen_t len = 256 * sizeof(gid_t);
	mdc_autofree gid_t *groups = xmalloc(len);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0) {
		if (errno != ERANGE || len > GROUPS_MOST * sizeof(gid_t))
			return -errno;
		groups = xrealloc(groups, len);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
			return -errno;
	}
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		allow_group(p, peer, groups[i]);
	return 0;
}

int control_peer_identify(const struct control_peers *p, int fd, struct control_peer *ret)
{
	struct control_peer peer = {0};
	struct ucred credentials;
	socklen_t len = sizeof(credentials);
	int error;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0)
		return -errno;
	peer.uid = credentials.uid;
	if (peer.uid == 0 || peer.uid == geteuid())
		peer.may_read = peer.may_change = true;
	allow_group(p, &peer, credentials.gid);
	error = allow_groups(p, fd, &peer);
	if (error == 0)
		*ret = peer;
	return error;
}

/* --- names --- */

static struct name *name_of(struct control_peers *p, uid_t uid)
{
	list_for_each (&p->names, node) {
		struct name *n = list_entry(node, struct name, link);

		if (n->uid == uid)
			return n;
	}
	return NULL;
}

static void name_drop(struct name *n)
{
	struct child_processes *children = n->peers->world->children;

	if (n->child != NULL)
		children->cancel(children, n->child);
	n->peers->count--;
	list_remove(&n->link);
	free(n);
}

static void name_found(void *ctx, int exit_status, const char *output)
{
	struct name *n = ctx;
	size_t len = strcspn(output, ":\n");

	n->child = NULL;
	n->state = NAME_KNOWN;
	if (exit_status == 0 && len > 0 && len < sizeof(n->text)) {
		memcpy(n->text, output, len);
		n->text[len] = '\0';
	}
	n->at = loop_mono(n->peers->world->loop);
	n->peers->known(n->peers->ctx, n->uid);
}

/* The oldest one that nobody waits for. */
static void forget_one(struct control_peers *p)
{
	list_for_each (&p->names, node) {
		struct name *n = list_entry(node, struct name, link);

		if (n->state != NAME_KNOWN)
			continue;
		name_drop(n);
		return;
	}
}

static struct name *name_add(struct control_peers *p, uid_t uid)
{
	struct name *n = xcalloc(1, sizeof(*n));

	if (p->count >= NAMES_MOST)
		forget_one(p);
	n->peers = p;
	n->uid = uid;
	n->at = loop_mono(p->world->loop);
	list_append(&p->names, &n->link);
	p->count++;
	return n;
}

static struct name *name_ask(struct control_peers *p, uid_t uid)
{
	struct child_processes *children = p->world->children;
	struct name *n = name_add(p, uid);
	char number[16];
	const char *const argv[] = {"getent", "passwd", number, NULL};
	const struct child_order order = {
		.argv = argv,
		.limit = LOOK_UP_LIMIT,
		.cap = ENTRY_MOST,
		.done = name_found,
		.ctx = n,
	};

	snprintf(number, sizeof(number), "%u", uid);
	if (children == NULL || children->run(children, &order, &n->child) != 0)
		n->state = NAME_KNOWN;
	return n;
}

static bool is_old(const struct control_peers *p, const struct name *n)
{
	return n->state == NAME_KNOWN &&
		mono_since(loop_mono(p->world->loop), n->at).ms >= REMEMBERED_FOR.ms;
}

bool control_peer_name(struct control_peers *p, uid_t uid, char ret[static CONTROL_PEER_NAME])
{
	struct name *n = name_of(p, uid);

	if (uid == 0) {
		str_copy(ret, CONTROL_PEER_NAME, "root");
		return true;
	}
	if (n != NULL && is_old(p, n)) {
		name_drop(n);
		n = NULL;
	}
	if (n == NULL)
		n = name_ask(p, uid);
	if (n->state == NAME_ASKED)
		return false;
	if (*n->text != '\0')
		snprintf(ret, CONTROL_PEER_NAME, "%s (uid %u)", n->text, uid);
	else
		snprintf(ret, CONTROL_PEER_NAME, "uid %u", uid);
	return true;
}

struct control_peers *control_peers_new(
	const struct world *w, void (*known)(void *ctx, uid_t uid), void *ctx)
{
	struct control_peers *p = xcalloc(1, sizeof(*p));

	p->world = w;
	p->known = known;
	p->ctx = ctx;
	p->read_group = group_by_name(READ_GROUP);
	p->change_group = group_by_name(CHANGE_GROUP);
	list_init(&p->names);
	return p;
}

struct control_peers *control_peers_free(struct control_peers *p)
{
	if (p == NULL)
		return NULL;
	list_for_each (&p->names, node)
		name_drop(list_entry(node, struct name, link));
	free(p);
	return NULL;
}
