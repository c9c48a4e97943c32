/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What reads bytes from outside: queries, frames, the measure of a request's head. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/frame.h"
#include "server/head.h"
#include "server/query.h"

/* A copy that ends where memory ends: reading past it is a fault. */
static char *at_guard_page(const void *data, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (len + page - 1) / page * page + page;
	char *map = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(map, MAP_FAILED);
	mprotect(map + room - page, page, PROT_NONE);
	return memcpy(map + room - page - len, data, len);
}

static int parse(const char *text, struct query *query)
{
	*query = (struct query){.ms = 50, .kb = 1024};
	return query__parse(text ? at_guard_page(text, strlen(text) + 1) : NULL, query);
}

static void a_query_overrides_only_what_it_names(void **state)
{
	struct query q;

	(void)state;
	assert_int_equal(parse(NULL, &q), 0);
	assert_int_equal(q.ms, 50);
	assert_int_equal(parse("kb=7", &q), 0);
	assert_int_equal(q.ms, 50);
	assert_int_equal(q.kb, 7);
	assert_int_equal(parse("ms=60000&mode=inline&&x&y=%zz", &q), 0);
	assert_int_equal(q.ms, 60000);
	assert_int_equal(q.mode, QUERY_MODE_INLINE);
	assert_int_equal(parse("mode=%6fffload&ms=%30%39", &q), 0);
	assert_int_equal(q.mode, QUERY_MODE_OFFLOAD);
	assert_int_equal(q.ms, 9);
}

static void a_bad_value_of_a_known_name_is_refused(void **state)
{
	static const char *const bad[] = {
		"ms",           "ms=",      "ms=x",      "ms=-1",
		"ms=60001",     "kb=65537", "ms=1&ms=1", "ms=1%",
		"ms=1%3",       "ms=%00",   "mode=both", "mode",
		"ms=1.5",       "ms= 1",    "ms=+1",     "ms=0000000000000001",
		"ms=4294967297"};
	struct query q;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], &q), -EINVAL);
}

static void a_frame_survives_the_wire(void **state)
{
	struct frame in = {.kind = FRAME_RESULT, .id = 0x0123456789abcdefull, .bytes = 1000}, out;
	uint8_t wire[FRAME_HEADER_BYTES];

	(void)state;
	frame__encode(&in, wire);
	assert_int_equal(frame__decode(wire, sizeof(wire), 1000, &out), FRAME_HEADER_BYTES);
	assert_int_equal(out.kind, in.kind);
	assert_int_equal(out.id, in.id);
	assert_int_equal(out.bytes, in.bytes);
	assert_int_equal(frame__decode(wire, sizeof(wire), 999, &out), -EMSGSIZE);
}

static void a_short_frame_waits_for_more(void **state)
{
	struct frame frame = {.kind = FRAME_ECHO};
	uint8_t wire[FRAME_HEADER_BYTES];

	(void)state;
	frame__encode(&frame, wire);
	for (size_t n = 0; n < sizeof(wire); n++)
		assert_int_equal(frame__decode((uint8_t *)at_guard_page(wire, n), n, 10, &frame),
				 -EAGAIN);
}

static void every_flipped_bit_of_a_frame_is_found(void **state)
{
	struct frame frame = {.kind = FRAME_DEFLATE, .id = 1, .bytes = 5};
	uint8_t wire[FRAME_HEADER_BYTES];

	(void)state;
	frame__encode(&frame, wire);
	for (size_t bit = 0; bit < sizeof(wire) * 8; bit++) {
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(frame__decode(wire, sizeof(wire), UINT32_MAX, &frame), -EINVAL);
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void an_unknown_kind_of_frame_is_refused(void **state)
{
	struct frame frame = {.kind = FRAME_KIND_END}, out;
	uint8_t wire[FRAME_HEADER_BYTES];

	(void)state;
	frame__encode(&frame, wire);
	assert_int_equal(frame__decode(wire, sizeof(wire), 10, &out), -EINVAL);
}

/* Feeds it in pieces of `step` bytes; the first status that is not 0. */
static int feed(struct head *head, const char *text, size_t step)
{
	static const struct head_limits limits = {40, 100};
	size_t len = strlen(text);
	int status = 0;

	*head = (struct head){0};
	for (size_t at = 0; at < len && !status; at += step) {
		size_t n = len - at < step ? len - at : step;

		status = head__feed(head, at_guard_page(text + at, n), n, &limits);
	}
	return status;
}

static void a_head_is_complete_at_its_blank_line(void **state)
{
	static const char text[] =
		"POST /encode HTTP/1.1\r\nContent-Length: 12\r\n\r\nbody\n\nbody";
	struct head head;

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		assert_int_equal(feed(&head, text, step), 0);
		assert_true(head.complete);
		assert_int_equal(head.bytes, 45);
		assert_int_equal(head.body_bytes, 10);
		assert_int_equal(head.content_length, 12);
	}
}

static void bare_line_feeds_end_lines_too(void **state)
{
	struct head head;

	(void)state;
	for (size_t step = 1; step < 30; step++) {
		assert_int_equal(feed(&head, "GET / HTTP/1.1\ncontent-LENGTH:\t7\n\nx", step), 0);
		assert_true(head.complete);
		assert_int_equal(head.content_length, 7);
		assert_int_equal(head.body_bytes, 1);
	}
}

static void a_long_line_is_414_and_a_long_head_431(void **state)
{
	char line[200] = "GET /", headers[300] = "GET / HTTP/1.1\r\n",
	     many[300] = "GET / HTTP/1.1\r\n";
	struct head head;

	(void)state;
	memset(line + 5, 'a', 190);
	memset(headers + 16, 'a', 200);
	for (int i = 0; i < 25; i++)
		strcat(many, "X: y\r\n");
	for (size_t step = 1; step < 200; step += 7) {
		assert_int_equal(feed(&head, line, step), 414);
		assert_int_equal(feed(&head, headers, step), 431);
		assert_int_equal(feed(&head, many, step), 431);
	}
}

static void an_absurd_content_length_saturates(void **state)
{
	struct head head;

	(void)state;
	assert_int_equal(
		feed(&head, "P / HTTP/1.1\r\nContent-Length:99999999999999999999999\r\n\r\n", 9),
		0);
	assert_true(head.content_length > UINT64_MAX / 100);
}

#define CHUNKED "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"

static void chunks_may_come_in_any_pieces(void **state)
{
	static const char text[] = CHUNKED "3\r\nabc\r\n00A\r\n0\r\n\r\n\r\n\r\n+\r\n0\r\nX: y\r\n"
					   "\r\nGET / HTTP/1.1\r\n";
	struct head head;

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		assert_int_equal(feed(&head, text, step), 0);
		assert_true(head.chunked);
		assert_int_equal(head.chunks.at, CHUNKS_END);
		assert_int_equal(head.chunks.total_bytes, 13);
	}
}

static void a_size_that_strtoll_would_take_is_refused(void **state)
{
	static const char *const bad[] = {" 3", "+3", "-3",    "0x3", "3 ",  "3 x",
					  "3;", "zz", "3;a=b", "",    "\t3", "00000000000000003"};
	char text[100];
	struct head head;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t step = 1; step < 70; step += 3) {
			snprintf(text, sizeof(text), CHUNKED "%s\r\nabc\r\n0\r\n\r\n", bad[i]);
			assert_int_equal(feed(&head, text, step), 400);
			snprintf(text, sizeof(text), CHUNKED "1\r\na\r\n%s\r\n", bad[i]);
			assert_int_equal(feed(&head, text, step), 400);
		}
	}
	assert_int_equal(feed(&head, CHUNKED "3\nabc\r\n", 1), 400);
	assert_int_equal(feed(&head, CHUNKED "3\r\nabcd\r\n", 9), 400);
	assert_int_equal(feed(&head, CHUNKED "3\r\nabc\n0\r\n", 9), 400);
}

static void absurd_chunks_saturate(void **state)
{
	struct chunks chunks = {0};

	(void)state;
	assert_int_equal(chunks__feed(&chunks, "5\r\nabcde\r\nffffffffffffffff\r\nx", 29), 0);
	assert_true(chunks.total_bytes == UINT64_MAX);
}

static void a_head_that_others_may_read_in_another_way_is_refused(void **state)
{
	static const char nul[] = "P / HTTP/1.1\r\nTransfer-Encoding: chunked\0, x\r\n\r\n";
	static const struct head_limits limits = {40, 100};
	struct head head = {0};

	(void)state;
	assert_int_equal(head__feed(&head, nul, sizeof(nul) - 1, &limits), 400);
	assert_int_equal(head__feed(&head, "x", 1, &limits), 400); /* for ever */
	for (size_t step = 1; step < 50; step++) {
		assert_int_equal(
			feed(&head, "P / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n", step),
			400);
		assert_int_equal(feed(&head, "P / HTTP/1.1\r\nX: y\r\n\tz\r\n\r\n", step), 400);
		assert_int_equal(feed(&head,
				      "P / HTTP/1.1\r\nTransfer-Encoding:                     "
				      "chunked\r\n\r\n",
				      step),
				 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_overrides_only_what_it_names),
		cmocka_unit_test(a_bad_value_of_a_known_name_is_refused),
		cmocka_unit_test(a_frame_survives_the_wire),
		cmocka_unit_test(a_short_frame_waits_for_more),
		cmocka_unit_test(every_flipped_bit_of_a_frame_is_found),
		cmocka_unit_test(an_unknown_kind_of_frame_is_refused),
		cmocka_unit_test(a_head_is_complete_at_its_blank_line),
		cmocka_unit_test(bare_line_feeds_end_lines_too),
		cmocka_unit_test(a_long_line_is_414_and_a_long_head_431),
		cmocka_unit_test(an_absurd_content_length_saturates),
		cmocka_unit_test(chunks_may_come_in_any_pieces),
		cmocka_unit_test(a_size_that_strtoll_would_take_is_refused),
		cmocka_unit_test(absurd_chunks_saturate),
		cmocka_unit_test(a_head_that_others_may_read_in_another_way_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
