/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listing.h"
#include "lib/base/buf.h"
#include "tests/harness/arm_fixture.h"

#include <stdio.h>

#define MACHINES_PATH "/subscriptions/" SUB_A "/providers/Microsoft.HybridCompute/machines"
#define LINK(rest) "\"nextLink\":\"" SMALL_ARM MACHINES_PATH "?" rest "\""
#define HOUR DUR_H(1)

/* What a listing delivered. */
struct reading {
	struct fixture *fixture;
	struct listing *listing;
	char names[512];
	uint64_t rows;
	unsigned cancel_at_row; /* 0: never */
	bool cancel_when_done;
	unsigned ended;
	enum arm_error_class class;
	char message[128];
	bool complete;
	unsigned pages;
	uint64_t end_rows;
	uint64_t turn, rows_in_turn, most_in_turn;
	struct patience *patience;
};

/* Cancels some turns of the loop after a row was read. */
struct patience {
	struct reading *reading;
	uint64_t from_row;
	unsigned turns;
};

static void lose_patience(void *ctx)
{
	struct patience *p = ctx;
	struct loop *loop = p->reading->fixture->fake.world.loop;

	if (p->turns-- > 0)
		loop->ops->defer(loop, lose_patience, p);
	else if (p->reading->listing != NULL)
		p->reading->listing = listing_cancel(p->reading->listing);
}

static void take_row(void *ctx, const json_t *row)
{
	struct reading *r = ctx;
	const char *name = json_text(row, "name");
	uint64_t turn = loop_virtual_turns(r->fixture->fake.world.loop);

	assert_int_equal(r->ended, 0);
	assert_non_null(r->listing);
	r->rows++;
	r->rows_in_turn = turn == r->turn ? r->rows_in_turn + 1 : 1;
	r->turn = turn;
	if (r->rows_in_turn > r->most_in_turn)
		r->most_in_turn = r->rows_in_turn;
	if (name != NULL && strlen(r->names) + strlen(name) < sizeof(r->names))
		strcat(r->names, name);
	if (r->patience != NULL && r->rows == r->patience->from_row)
		lose_patience(r->patience);
	if (r->rows == r->cancel_at_row)
		r->listing = listing_cancel(r->listing);
}

static void take_end(void *ctx, const struct listing_end *end)
{
	struct reading *r = ctx;

	assert_non_null(r->listing);
	r->ended++;
	r->class = end->error->class;
	str_copy(r->message, sizeof(r->message), end->error->message);
	r->complete = end->complete;
	r->pages = end->pages;
	r->end_rows = end->rows;
	if (r->cancel_when_done)
		listing_cancel(r->listing);
	r->listing = NULL;
}

static struct listing_target target_of(struct fixture *f, struct reading *r)
{
	*r = (struct reading){.fixture = f};
	return (struct listing_target){
		.client = f->client,
		.loop = f->fake.world.loop,
		.identity = "main",
		.row = take_row,
		.done = take_end,
		.ctx = r,
	};
}

static void begin_arm(struct fixture *f, struct reading *r)
{
	struct listing_target target = target_of(f, r);
	struct arm_request request;

	arm_list_machines(SUB_A, &request);
	r->listing = listing_arm(&target, &request);
}

static void begin_graph(struct fixture *f, struct reading *r)
{
	static const char *const subscriptions[] = {SUB_A, SUB_B};
	struct listing_target target = target_of(f, r);

	r->listing = listing_graph(&target,
		&(struct graph_question){.table = GRAPH_MACHINES,
			.partitions = 3,
			.index = 2,
			.subscriptions = subscriptions,
			.subscription_count = 2});
}

static void page(struct fixture *f, const char *body)
{
	answers(f, &(struct fake_answer){.status = 200, .body = body, .delay = DUR_MS(10)});
}

static void failure(struct fixture *f, int status, const char *body)
{
	answers(f, &(struct fake_answer){.status = status, .body = body});
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	fixture_init(f);
	answers_token(f, "tok-1", true);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fixture_fini(f);
	free(f);
	return 0;
}

/* --- complete lists --- */

static void follows_the_links_of_arm_to_the_end(void **state)
{
	struct fixture *f = *state;
	struct reading r;

	page(f, "{\"value\":[{\"name\":\"a\"},{\"name\":\"b\"}]," LINK("x=1&y=%20z") "}");
	page(f, "{" LINK("page=3") ",\"value\":[]}");
	page(f, "{\"value\":[{\"name\":\"c\"}],\"nextLink\":null}");
	begin_arm(f, &r);
	pass(f, HOUR);
	assert_int_equal(r.ended, 1);
	assert_int_equal(r.class, ARM_ERROR_NONE);
	assert_true(r.complete);
	assert_string_equal(r.names, "abc");
	assert_int_equal(r.pages, 3);
	assert_int_equal(r.end_rows, 3);
	assert_int_equal(arm_requests(f), 3);
	assert_string_equal(
		arm_request_at(f, 1)->request.url, SMALL_ARM MACHINES_PATH "?x=1&y=%20z");
}

#define GRAPH_PAGE(total, count, truncated, token, data) \
	"{\"totalRecords\":" #total ",\"count\":" #count ",\"resultTruncated\":\"" truncated \
	"\"" token ",\"data\":[" data "]}"
#define TOKEN(text) ",\"$skipToken\":\"" text "\""
#define A "{\"name\":\"a\"}"
#define B "{\"name\":\"b\"}"

static void sends_the_same_question_with_the_token_of_graph(void **state)
{
	struct fixture *f = *state;
	struct reading r;

	page(f, GRAPH_PAGE(2, 1, "true", TOKEN("t-1"), A));
	page(f, GRAPH_PAGE(2, 1, "false", "", B));
	begin_graph(f, &r);
	pass(f, HOUR);
	assert_int_equal(r.ended, 1);
	assert_true(r.complete);
	assert_string_equal(r.names, "ab");
	for (size_t i = 0; i < 2; i++) {
		const char *body = arm_request_at(f, i)->request.body;

		assert_non_null(strstr(body, "hash(tolower(id)) % 3 == 2"));
		assert_non_null(strstr(body, SUB_A));
		assert_non_null(strstr(body, SUB_B));
		assert_int_equal(strstr(body, "\"t-1\"") != NULL, i == 1);
	}
}

static void an_empty_collection_is_complete(void **state)
{
	struct fixture *f = *state;
	struct reading r;

	page(f, "{\"value\":[]}");
	begin_arm(f, &r);
	pass(f, HOUR);
	assert_true(r.complete);
	assert_int_equal(r.end_rows, 0);
	page(f, GRAPH_PAGE(0, 0, "false", "", ""));
	begin_graph(f, &r);
	pass(f, HOUR);
	assert_true(r.complete);
}

/* --- lists that are not all --- */

static void an_incomplete_answer_of_graph_is_never_all(void **state)
{
	static const char *const pages[][2] = {
		{GRAPH_PAGE(2, 1, "true", "", A)},
		{GRAPH_PAGE(2, 1, "false", "", A)},
		{GRAPH_PAGE(0, 1, "false", "", A)},
		{GRAPH_PAGE(1, 2, "false", "", A)},
		{"{\"totalRecords\":1,\"count\":1,\"data\":[" A "]}"},
		/* The number of rows changed between the pages: some may have moved to one already
		   read. */
		{GRAPH_PAGE(3, 1, "true", TOKEN("t"), A), GRAPH_PAGE(2, 1, "false", "", B)},
		{GRAPH_PAGE(2, 2, "true", TOKEN("t"), A), GRAPH_PAGE(2, 1, "false", "", B)},
	};

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		struct fixture *f = *state;
		struct reading r;

		page(f, pages[i][0]);
		if (pages[i][1] != NULL)
			page(f, pages[i][1]);
		begin_graph(f, &r);
		pass(f, HOUR);
		assert_int_equal(r.ended, 1);
		assert_int_equal(r.class, ARM_ERROR_NONE);
		if (r.complete)
			fail_msg("row %zu", i);
		assert_true(r.rows > 0);
	}
}

static void a_tenant_of_which_graph_saw_only_a_part_is_never_all(void **state)
{
	struct fixture *f = *state;
	struct reading r;

	answers(f,
		&(struct fake_answer){.status = 200,
			.body = GRAPH_PAGE(1, 1, "false", "", A),
			.headers = {"x-ms-tenant-subscription-limit-hit: true"}});
	begin_graph(f, &r);
	pass(f, HOUR);
	assert_int_equal(r.class, ARM_ERROR_NONE);
	assert_false(r.complete);
}

static void an_answer_that_is_no_list_ends_it(void **state)
{
	static const struct {
		const char *first, *second; /* NULL: the first one is wrong already */
		const char *names;
	} rows[] = {
		{"<html>", NULL, ""},
		{"", NULL, ""},
		{"{}", NULL, ""},
		{"{\"value\":[" A "," B, NULL, "ab"},
		{"{\"value\":[" A ",5]}", NULL, "a"},
		{"{\"value\":[" A "]," LINK("p=2") "}", "{\"value\":[" B ",", "ab"},
		{"{\"value\":[" A "]," LINK("p=2") "}", "{\"error\":{\"code\":\"x\"}}", "a"},
		{"{\"value\":[" A "],\"nextLink\":7}", NULL, "a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f = *state;
		struct reading r;

		page(f, rows[i].first);
		if (rows[i].second != NULL)
			page(f, rows[i].second);
		begin_arm(f, &r);
		pass(f, HOUR);
		assert_int_equal(r.ended, 1);
		assert_int_equal(r.class, ARM_ERROR_TRANSIENT);
		assert_false(r.complete);
		assert_string_equal(r.names, rows[i].names);
	}
}

static void a_link_to_another_place_is_not_followed(void **state)
{
	static const char *const links[] = {
		"https://evil.test/subscriptions/x",
		"http://management.azure.com/subscriptions/x",
		"https://management.azure.com:8443/subscriptions/x",
		"https://management.azure.com@evil.test/",
		"/subscriptions/x?page=2",
		"javascript:1",
	};

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		struct fixture *f = *state;
		struct reading r;
		size_t before = arm_requests(f);
		mdc_autofree char *body =
			xasprintf("{\"value\":[" A "],\"nextLink\":\"%s\"}", links[i]);

		page(f, body);
		begin_arm(f, &r);
		pass(f, HOUR);
		assert_int_equal(r.ended, 1);
		assert_false(r.complete);
		assert_int_not_equal(r.class, ARM_ERROR_NONE);
		assert_int_equal(arm_requests(f), before + 1);
	}
}

static void a_row_of_any_size_does_no_harm(void **state)
{
	struct fixture *f = *state;
	size_t size = 3 << 20;
	char *text = xcalloc(1, size + 1);
	mdc_autofree char *body = NULL;
	struct reading r;

	memset(text, 'x', size);
	body = xasprintf("{\"value\":[" A ",{\"name\":\"%s\"}]}", text);
	free(text);
	page(f, body);
	begin_arm(f, &r);
	pass(f, HOUR);
	assert_int_equal(r.ended, 1);
	assert_false(r.complete);
	assert_int_equal(r.class, ARM_ERROR_TRANSIENT);
	assert_string_equal(r.message, "an element of the list is too large");
	assert_string_equal(r.names, "a");
}

/* --- lists without an end --- */

/* Every page has a link; after `circle` pages they come again (0: never). */
struct endless {
	struct fixture *fixture;
	unsigned pages, circle;
	bool empty, graph;
	char body[512];
};

static void serve_endless(
	void *ctx, const struct http_request *request, struct mono now, struct fake_answer *ret)
{
	struct endless *e = ctx;
	unsigned link = e->circle > 0 ? e->pages % e->circle : e->pages;
	const char *row = e->empty ? "" : A;

	(void)request;
	(void)now;
	e->pages++;
	if (e->graph)
		snprintf(e->body, sizeof(e->body),
			"{\"totalRecords\":99,\"count\":%d,\"resultTruncated\":\"true\","
			"\"$skipToken\":\"t%u\",\"data\":[%s]}",
			!e->empty, link, row);
	else
		snprintf(e->body, sizeof(e->body),
			"{\"value\":[%s],\"nextLink\":\"" SMALL_ARM MACHINES_PATH "?p=%u\"}", row,
			link);
	ret->body = e->body;
}

static void links_that_go_round_end(void **state)
{
	static const unsigned circles[] = {1, 2, 3, 4, 7, 100, 1000};

	for (size_t i = 0; i < ARRAY_LEN(circles) * 2; i++) {
		struct fixture *f = *state;
		struct endless e = {.fixture = f, .circle = circles[i / 2], .graph = i % 2 == 1};
		struct reading r;

		fake_transport_serve(net(f), serve_endless, &e);
		if (e.graph)
			begin_graph(f, &r);
		else
			begin_arm(f, &r);
		pass(f, DUR_H(10));
		assert_int_equal(r.ended, 1);
		assert_false(r.complete);
		assert_int_equal(r.class, ARM_ERROR_TRANSIENT);
		assert_true(e.pages <= 4 * e.circle + 2);
	}
}

static void empty_pages_in_a_long_row_end(void **state)
{
	struct fixture *f = *state;
	struct endless e = {.fixture = f, .empty = true};
	struct reading r;

	fake_transport_serve(net(f), serve_endless, &e);
	begin_arm(f, &r);
	pass(f, HOUR);
	assert_int_equal(r.ended, 1);
	assert_false(r.complete);
	assert_in_range(e.pages, 20, 100);
}

static void ever_new_pages_end(void **state)
{
	struct fixture *f = *state;
	struct endless e = {.fixture = f};
	struct reading r;

	fake_transport_serve(net(f), serve_endless, &e);
	begin_arm(f, &r);
	pass(f, DUR_DAYS(1));
	assert_int_equal(r.ended, 1);
	assert_false(r.complete);
	assert_string_equal(r.message, "the pages do not end");
}

/* --- failures --- */

static void what_will_not_pass_is_told_at_once(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum arm_error_class class;
	} rows[] = {
		{403, "{\"error\":{\"code\":\"AuthorizationFailed\"}}", ARM_ERROR_DENIED},
		{404, "{\"error\":{\"code\":\"SubscriptionNotFound\"}}", ARM_ERROR_NO_SUBSCRIPTION},
		{404, "", ARM_ERROR_ABSENT},
		{410, "", ARM_ERROR_ABSENT},
		{400, "{\"error\":{\"code\":\"InvalidQuery\"}}", ARM_ERROR_REQUEST},
		{409, "{\"error\":{\"code\":\"MissingSubscriptionRegistration\"}}",
			ARM_ERROR_UNREGISTERED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		struct fixture *f = *state;
		bool second = i % 2 == 1;
		size_t before = arm_requests(f);
		struct reading r;

		if (second)
			page(f, "{\"value\":[" A "]," LINK("p=2") "}");
		failure(f, rows[i / 2].status, rows[i / 2].body);
		begin_arm(f, &r);
		pass(f, HOUR);
		assert_int_equal(r.ended, 1);
		assert_int_equal(r.class, rows[i / 2].class);
		assert_false(r.complete);
		assert_int_equal(r.end_rows, second);
		assert_int_equal(arm_requests(f) - before, 1 + second);
	}
}

static void what_may_pass_is_asked_again_twice(void **state)
{
	static const int statuses[] = {500, 502, 503, 504, 408};

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct fixture *f = *state;
		size_t before = arm_requests(f);
		struct reading r;

		page(f, "{\"value\":[" A "]," LINK("p=2") "}");
		failure(f, statuses[i], "");
		failure(f, statuses[i], "");
		page(f, "{\"value\":[" B "]," LINK("p=3") "}");
		failure(f, statuses[i], "");
		page(f, "{\"value\":[]}");
		begin_arm(f, &r);
		pass(f, HOUR);
		assert_int_equal(r.ended, 1);
		assert_true(r.complete);
		assert_string_equal(r.names, "ab");
		assert_int_equal(arm_requests(f) - before, 6);
		/* The same page each time. */
		assert_string_equal(
			arm_request_at(f, before + 3)->request.url, SMALL_ARM MACHINES_PATH "?p=2");
		for (unsigned k = 0; k < 3; k++)
			failure(f, statuses[i], "");
		begin_arm(f, &r);
		pass(f, HOUR);
		assert_int_equal(r.ended, 1);
		assert_int_equal(r.class, ARM_ERROR_TRANSIENT);
	}
}

static void who_asks_soon_anyway_asks_once(void **state)
{
	struct fixture *f = *state;
	struct reading r;
	struct listing_target target = target_of(f, &r);
	struct arm_request request;

	page(f, "{\"value\":[" A "]," LINK("p=2") "}");
	failure(f, 503, "");
	target.impatient = true;
	arm_list_machines(SUB_A, &request);
	r.listing = listing_arm(&target, &request);
	pass(f, HOUR);
	assert_int_equal(r.ended, 1);
	assert_false(r.complete);
	assert_int_equal(r.class, ARM_ERROR_TRANSIENT);
	assert_int_equal(arm_requests(f), 2);
}

static void the_first_page_is_asked_again_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct reading r;

	answers(f, &(struct fake_answer){.result = TRANSPORT_TIMEOUT});
	page(f, GRAPH_PAGE(1, 1, "false", "", A));
	begin_graph(f, &r);
	pass(f, HOUR);
	assert_true(r.complete);
	assert_string_equal(arm_request_at(f, 0)->request.body, arm_request_at(f, 1)->request.body);
}

static void the_servers_time_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct reading r;

	answers(f, &(struct fake_answer){.status = 503, .headers = {"Retry-After: 30"}});
	answers(f, &(struct fake_answer){.status = 429, .headers = {"Retry-After: 120"}});
	page(f, "{\"value\":[" A "]}");
	begin_arm(f, &r);
	pass(f, HOUR);
	assert_true(r.complete);
	assert_true(mono_since(arm_request_at(f, 1)->at, arm_request_at(f, 0)->at).ms >= 30000);
	assert_true(mono_since(arm_request_at(f, 2)->at, arm_request_at(f, 1)->at).ms >= 120000);
}

static void longer_than_a_minute_nothing_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct reading r;

	answers(f, &(struct fake_answer){.status = 503, .headers = {"Retry-After: 3600"}});
	begin_arm(f, &r);
	pass(f, DUR_S(5));
	assert_int_equal(r.ended, 1);
	assert_int_equal(r.class, ARM_ERROR_TRANSIENT);
}

static unsigned rows_asked_for(struct fixture *f, size_t request)
{
	json_t *body = json_loads(arm_request_at(f, request)->request.body, 0, NULL);
	unsigned rows = (unsigned)json_integer_value(json_path(body, "options.$top"));

	json_decref(body);
	return rows;
}

static void an_answer_that_is_too_large_is_asked_for_in_smaller_parts(void **state)
{
	static const char too_large[] =
		"{\"error\":{\"code\":\"BadRequest\",\"details\":[{\"code\":"
		"\"ResponsePayloadTooLarge\"}]}}";
	struct fixture *f = *state;
	struct reading r;

	failure(f, 400, too_large);
	failure(f, 400, too_large);
	page(f, GRAPH_PAGE(2, 1, "true", TOKEN("t"), A));
	page(f, GRAPH_PAGE(2, 1, "false", "", B));
	begin_graph(f, &r);
	pass(f, HOUR);
	assert_true(r.complete);
	assert_int_equal(rows_asked_for(f, 0), 1000);
	assert_int_equal(rows_asked_for(f, 1), 250);
	assert_int_equal(rows_asked_for(f, 2), 62);
	assert_int_equal(rows_asked_for(f, 3), 62);
	for (unsigned i = 0; i < 5; i++)
		failure(f, 400, too_large);
	begin_graph(f, &r);
	pass(f, HOUR);
	assert_int_equal(r.ended, 1);
	assert_int_equal(r.class, ARM_ERROR_TOO_LARGE);
}

/* --- the loop is never held long --- */

static char *page_of(unsigned total, const char *token, unsigned rows, unsigned name_len)
{
	struct buf body = BUF_INIT(8 << 20);

	buf_addf(&body,
		"{\"totalRecords\":%u,\"count\":%u,\"resultTruncated\":\"false\"%s,\"data\":[",
		total, rows, token);
	for (unsigned i = 0; i < rows; i++)
		buf_addf(&body, "%s{\"name\":\"%0*u\"}", i > 0 ? "," : "", (int)name_len, i);
	buf_adds(&body, "]}");
	return buf_steal(&body);
}

static void a_page_is_read_over_many_turns(void **state)
{
	static const struct {
		unsigned rows, name_len;
		uint64_t most;
	} rows[] = {{1000, 10, 32}, {100, 5000, 14}, {10, 200000, 1}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f = *state;
		mdc_autofree char *body = page_of(rows[i].rows, "", rows[i].rows, rows[i].name_len);
		struct reading r;

		page(f, body);
		begin_graph(f, &r);
		pass(f, DUR_S(1));
		assert_true(r.complete);
		assert_int_equal(r.rows, rows[i].rows);
		assert_in_range(r.most_in_turn, 1, rows[i].most);
	}
}

/* --- cancelling --- */

static void three_pages(struct fixture *f)
{
	mdc_autofree char *first = page_of(201, TOKEN("t1"), 100, 5);
	mdc_autofree char *last = page_of(201, "", 100, 5);

	page(f, first);
	failure(f, 503, "");
	page(f, GRAPH_PAGE(201, 1, "true", TOKEN("t2"), A));
	page(f, last);
}

static void may_be_cancelled_between_any_two_turns(void **state)
{
	static const uint64_t from_rows[] = {1, 33, 100, 101, 102, 201};
	unsigned canceled = 0, ended = 0;

	(void)state;
	for (unsigned i = 0; i < 8 * ARRAY_LEN(from_rows); i++) {
		struct fixture f;
		struct reading r;
		struct patience patience = {
			.reading = &r, .from_row = from_rows[i / 8], .turns = i % 8};

		fixture_init(&f);
		answers_token(&f, "tok-1", true);
		three_pages(&f);
		begin_graph(&f, &r);
		r.patience = &patience;
		pass(&f, HOUR);
		canceled += r.ended == 0;
		ended += r.ended;
		assert_null(r.listing);
		assert_int_equal(net(&f)->ops->running(net(&f)), 0);
		fixture_fini(&f);
	}
	assert_int_equal(canceled + ended, 8 * ARRAY_LEN(from_rows));
	assert_true(canceled > 30 && ended > 0);
}

/* While it waits for an answer, and while it waits before it asks again. */
static void may_be_cancelled_while_it_waits(void **state)
{
	for (unsigned ms = 0; ms < 10000; ms += 500) {
		struct fixture f;
		struct reading r;

		(void)state;
		fixture_init(&f);
		answers_token(&f, "tok-1", true);
		failure(&f, 503, "");
		answers(&f, &(struct fake_answer){.status = 503, .delay = DUR_S(3)});
		answers(&f, &(struct fake_answer){.hangs = true});
		begin_graph(&f, &r);
		pass(&f, DUR_MS(ms));
		assert_non_null(r.listing);
		listing_cancel(r.listing);
		pass(&f, HOUR);
		assert_int_equal(r.ended, 0);
		assert_int_equal(net(&f)->ops->running(net(&f)), 0);
		fixture_fini(&f);
	}
}

static void may_be_cancelled_from_inside(void **state)
{
	static const unsigned at_rows[] = {1, 2, 31, 32, 33, 99, 100, 101, 201, 202};

	for (size_t i = 0; i < ARRAY_LEN(at_rows); i++) {
		struct fixture f;
		struct reading r;

		(void)state;
		fixture_init(&f);
		answers_token(&f, "tok-1", true);
		three_pages(&f);
		begin_graph(&f, &r);
		r.cancel_at_row = at_rows[i];
		r.cancel_when_done = true;
		pass(&f, HOUR);
		assert_int_equal(r.rows, at_rows[i] <= 201 ? at_rows[i] : 201);
		assert_int_equal(r.ended, at_rows[i] > 201);
		fixture_fini(&f);
	}
}

/* The daemon is taken apart while a page is half read. */
static void may_be_cancelled_when_the_loop_will_not_turn_again(void **state)
{
	for (unsigned turns = 0; turns < 6; turns++) {
		struct fixture f;
		struct reading r;

		(void)state;
		fixture_init(&f);
		answers_token(&f, "tok-1", true);
		three_pages(&f);
		begin_graph(&f, &r);
		for (unsigned i = 0; i < turns; i++)
			loop_virtual_step(f.fake.world.loop);
		if (r.listing != NULL)
			listing_cancel(r.listing);
		fixture_fini(&f);
	}
}

static void ends_with_its_identity(void **state)
{
	struct fixture *f = *state;
	struct reading r;

	f->small.config.identity_count = 0;
	configure(f);
	begin_arm(f, &r);
	pass(f, DUR_S(1));
	assert_int_equal(r.ended, 1);
	assert_int_equal(r.class, ARM_ERROR_IDENTITY);
	assert_false(r.complete);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(follows_the_links_of_arm_to_the_end),
		CASE(sends_the_same_question_with_the_token_of_graph),
		CASE(an_empty_collection_is_complete),
		CASE(an_incomplete_answer_of_graph_is_never_all),
		CASE(a_tenant_of_which_graph_saw_only_a_part_is_never_all),
		CASE(an_answer_that_is_no_list_ends_it),
		CASE(a_link_to_another_place_is_not_followed),
		CASE(a_row_of_any_size_does_no_harm),
		CASE(links_that_go_round_end),
		CASE(empty_pages_in_a_long_row_end),
		CASE(ever_new_pages_end),
		CASE(what_will_not_pass_is_told_at_once),
		CASE(what_may_pass_is_asked_again_twice),
		CASE(who_asks_soon_anyway_asks_once),
		CASE(the_first_page_is_asked_again_as_it_was),
		CASE(the_servers_time_is_waited_for),
		CASE(longer_than_a_minute_nothing_is_waited_for),
		CASE(an_answer_that_is_too_large_is_asked_for_in_smaller_parts),
		CASE(a_page_is_read_over_many_turns),
		cmocka_unit_test(may_be_cancelled_between_any_two_turns),
		cmocka_unit_test(may_be_cancelled_while_it_waits),
		cmocka_unit_test(may_be_cancelled_from_inside),
		cmocka_unit_test(may_be_cancelled_when_the_loop_will_not_turn_again),
		CASE(ends_with_its_identity),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
