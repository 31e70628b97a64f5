/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/connect_proxy.h"

#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/https_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connect_proxy {
	struct connect_proxy_options options;
	struct https_server *server;
	char *url;
	pthread_mutex_t lock; /* over `last` */
	char *last;
};

static bool has_credentials(const struct connect_proxy *p, const char *head)
{
	mdc_autofree char *wanted = NULL;

	if (p->options.credentials == NULL)
		return true;
	wanted = xasprintf("\r\nProxy-Authorization: Basic %s\r\n", p->options.credentials);
	return strstr(head, wanted) != NULL;
}

/* A descriptor or -1. */
static int open_target(const char *host_and_port)
{
	const char *colon = strrchr(host_and_port, ':');
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint64_t port;
	int fd;

	if (colon == NULL || str_parse_u64(colon + 1, 65535, &port) != 0)
		return -1;
	address.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool serve(void *ctx, struct https_connection *c, const struct https_request *request)
{
	struct connect_proxy *p = ctx;
	int target;

	pthread_mutex_lock(&p->lock);
	free(p->last);
	p->last = xstrdup(request->head);
	pthread_mutex_unlock(&p->lock);
	if (p->options.hangs)
		return https_wait(c);
	if (p->options.says != NULL) {
		(void)https_says(c, p->options.says);
		return false;
	}
	if (!str_equal(request->method, "CONNECT"))
		return https_says(c, "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
	if (!has_credentials(p, request->head))
		return https_says(c,
			"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
			"Content-Length: 0\r\n\r\n");
	target = open_target(request->path);
	if (target < 0)
		return https_says(c, "HTTP/1.1 502 Nobody\r\nContent-Length: 0\r\n\r\n");
	if (https_says(c, "HTTP/1.1 200 Connected\r\n\r\n"))
		https_tunnel(c, target);
	else
		close(target);
	return false;
}

struct connect_proxy *connect_proxy_new(const struct connect_proxy_options *options)
{
	struct connect_proxy *p = xcalloc(1, sizeof(*p));

	p->options = *options;
	pthread_mutex_init(&p->lock, NULL);
	p->server = https_server_new(&(struct https_server_options){.ca = options->ca}, serve, p);
	p->url = xasprintf(options->ca != NULL ? "https://localhost:%u" : "http://127.0.0.1:%u",
		https_server_port(p->server));
	return p;
}

struct connect_proxy *connect_proxy_free(struct connect_proxy *p)
{
	if (p == NULL)
		return NULL;
	https_server_free(p->server);
	pthread_mutex_destroy(&p->lock);
	free(p->url);
	free(p->last);
	free(p);
	return NULL;
}

const char *connect_proxy_url(const struct connect_proxy *p)
{
	return p->url;
}

unsigned connect_proxy_requests(const struct connect_proxy *p)
{
	return https_server_requests(p->server);
}

char *connect_proxy_last(struct connect_proxy *p)
{
	char *copy;

	pthread_mutex_lock(&p->lock);
	copy = xstrdup(p->last != NULL ? p->last : "");
	pthread_mutex_unlock(&p->lock);
	return copy;
}
