/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/estate/azsim_socket.h"

#include "lib/base/str.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A free port of one family may be taken in the other. */
#define PORT_TRIES 20

void azsim_sockets_close(struct azsim_sockets *s)
{
	for (size_t i = 0; i < s->n; i++)
		close(s->v[i]);
	s->n = 0;
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return 0;
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						   : ((struct sockaddr_in *)&address)->sin_port);
}

static void set_port(struct sockaddr *address, unsigned port)
{
	if (address->sa_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)address)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)(void *)address)->sin_port = htons((uint16_t)port);
}

/* A descriptor or a negative errno. */
static int open_one(const struct addrinfo *info, unsigned port)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, error;

	if (fd < 0)
		return -errno;
	set_port(info->ai_addr, port);
	if ((info->ai_family != AF_INET6 ||
		    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* A host without IPv6 has localhost all the same. */
static bool is_about_the_family(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

static int open_all(const struct addrinfo *list, unsigned port, struct azsim_sockets *ret)
{
	int error = -EADDRNOTAVAIL;

	*ret = (struct azsim_sockets){.port = port};
	for (const struct addrinfo *info = list; info != NULL; info = info->ai_next) {
		int fd;

		if (ret->n == AZSIM_SOCKETS_MAX)
			break;
		fd = open_one(info, ret->port);
		if (fd >= 0) {
			ret->v[ret->n++] = fd;
			ret->port = port_of(fd);
			continue;
		}
		error = fd;
		if (!is_about_the_family(fd)) {
			azsim_sockets_close(ret);
			return error;
		}
	}
	return ret->n > 0 ? 0 : error;
}

static int look_up(const char *host, struct addrinfo **ret)
{
	/* Whatever /etc/hosts says of it, clients may try either family. */
	const char *numeric[] = {"127.0.0.1", "::1"};
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *second;
	int error;

	if (!str_equal_nocase(host, "localhost"))
		return getaddrinfo(str_equal(host, "*") ? NULL : host, "0", &hints, ret);
	hints.ai_flags |= AI_NUMERICHOST;
	error = getaddrinfo(numeric[0], "0", &hints, ret);
	if (error == 0 && getaddrinfo(numeric[1], "0", &hints, &second) == 0)
		(*ret)->ai_next = second;
	return error;
}

int azsim_sockets_open(const struct azsim_address *address, struct azsim_sockets *ret)
{
	struct addrinfo *list;
	int error = look_up(address->host, &list);

	if (error != 0) {
		fprintf(stderr, "azsim: %s: %s\n", address->host, gai_strerror(error));
		return -EADDRNOTAVAIL;
	}
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		error = open_all(list, address->port, ret);
		if (error != -EADDRINUSE || address->port != 0)
			break;
	}
	freeaddrinfo(list);
	if (error != 0)
		fprintf(stderr, "azsim: cannot listen on %s port %u: %s\n", address->host,
			address->port, strerror(-error));
	return error;
}
