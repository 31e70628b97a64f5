/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv6, names with addresses of both families, and names that a private network answers with
 * addresses of its own. The program moves into network and mount namespaces of its own.
 */
#include "lib/base/str.h"
#include "lib/base/xalloc.h"
#include "tests/harness/http_client.h"
#include "tests/harness/own_world.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BOTH "both.test"
#define PRIVATE "management.azure.com"
#define PRIVATE_ADDRESS "10.1.2.3"
#define HOSTS \
	"127.0.0.1 localhost\n::1 localhost\n127.0.0.1 " BOTH "\n::1 " BOTH "\n" PRIVATE_ADDRESS \
	" " PRIVATE "\n"
#define NAMES "DNS:" BOTH ",DNS:" PRIVATE ",IP:::1"

static bool serve(void *ctx, struct https_connection *c, const struct https_request *r)
{
	(void)ctx;
	(void)r;
	return https_says(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static int setup(void **state)
{
	static struct http_client c;

	http_client_open(&c, serve);
	*state = &c;
	return 0;
}

static int teardown(void **state)
{
	http_client_close(*state);
	return 0;
}

static void use_server(struct http_client *c, const char *address, unsigned port)
{
	http_client_use_server(c,
		(struct https_server_options){
			.ca = c->ca, .names = NAMES, .address = address, .port = port});
}

static void get(struct http_client *c, struct http_answer *a, const char *host)
{
	mdc_autofree char *url = xasprintf("https://%s:%u/", host, https_server_port(c->server));

	http_client_get_url(c, a, url, c->ca_file);
}

static void an_address_of_ipv6_is_used_as_it_is_written(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;

	use_server(c, "::1", 0);
	get(c, &a, "[::1]");
	http_answer_is(&a, 200, "ok");
}

static void a_name_with_both_is_reached_by_either(void **state)
{
	static const char *const addresses[] = {"::1", "127.0.0.1"};
	struct http_client *c = *state;

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct http_answer a;

		use_server(c, addresses[i], 0);
		get(c, &a, BOTH);
		http_answer_is(&a, 200, "ok");
	}
}

/* Not refused, which would be noticed at once: nothing ever comes back. */
static void a_family_that_is_dead_does_not_hold_the_other(void **state)
{
	static const char *const addresses[][2] = {{"::1", "127.0.0.1"}, {"127.0.0.1", "::1"}};
	struct http_client *c = *state;

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct black_hole hole;
		struct http_answer a;

		use_server(c, addresses[i][1], black_hole_open(&hole, addresses[i][0]));
		get(c, &a, BOTH);
		http_answer_is(&a, 200, "ok");
		black_hole_close(&hole);
	}
}

static void an_address_of_a_private_network_is_as_good_as_any(void **state)
{
	struct http_client *c = *state;
	struct http_answer a;

	use_server(c, PRIVATE_ADDRESS, 0);
	get(c, &a, PRIVATE);
	http_answer_is(&a, 200, "ok");
}

static bool add_address(const char *text)
{
	struct ifreq request = {.ifr_name = "lo:0"};
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool good;

	inet_pton(AF_INET, text, &address.sin_addr);
	memcpy(&request.ifr_addr, &address, sizeof(address));
	good = fd >= 0 && ioctl(fd, SIOCSIFADDR, &request) == 0;
	close(fd);
	return good;
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	close(fd);
	return good;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_of_a_private_network_is_as_good_as_any),
		TEST(an_address_of_ipv6_is_used_as_it_is_written),
		TEST(a_name_with_both_is_reached_by_either),
		TEST(a_family_that_is_dead_does_not_hold_the_other),
	};

	if (!own_world_enter() || !own_world_replace_file("/etc/hosts", HOSTS) ||
		!own_world_replace_file("/etc/nsswitch.conf", "hosts: files\n") ||
		!add_address(PRIVATE_ADDRESS)) {
		printf("1..0 # SKIP no namespaces here: %s\n", strerror(errno));
		return 0;
	}
	if (!has_ipv6()) {
		printf("1..0 # SKIP no IPv6 here\n");
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
