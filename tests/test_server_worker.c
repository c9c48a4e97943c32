/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A worker's side of the protocol, on a thread, with the test as the server. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "server/cpu_worker.h"
#include "server/encode.h"
#include "server/frame.h"

#define MAX_BYTES 1000000u

struct worker {
	int ours, theirs;
	pthread_t thread;
};

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	int status = cpu_worker__serve(w->theirs, MAX_BYTES);

	close(w->theirs);
	return (void *)(intptr_t)status;
}

static int start(void **state)
{
	struct worker *w = calloc(1, sizeof(*w));
	int sv[2];

	if (!w || socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		return -1;
	w->ours = sv[0];
	w->theirs = sv[1];
	*state = w;
	return pthread_create(&w->thread, NULL, worker_main, w);
}

/* Ends the worker's input; its exit status. */
static int finish(struct worker *w)
{
	void *status;

	shutdown(w->ours, SHUT_WR);
	pthread_join(w->thread, &status);
	close(w->ours);
	free(w);
	return (int)(intptr_t)status;
}

static void send_frame(struct worker *w, enum frame_kind kind, uint64_t id, const void *data,
		       uint32_t bytes)
{
	struct frame frame = {.kind = kind, .id = id, .bytes = bytes};
	uint8_t header[FRAME_HEADER_BYTES];

	frame__encode(&frame, header);
	assert_int_equal(write(w->ours, header, sizeof(header)), sizeof(header));
	if (bytes)
		assert_int_equal(write(w->ours, data, bytes), bytes);
}

static uint8_t *receive(struct worker *w, struct frame *frame)
{
	uint8_t header[FRAME_HEADER_BYTES], *data;

	assert_int_equal(recv(w->ours, header, sizeof(header), MSG_WAITALL), sizeof(header));
	assert_int_equal(frame__decode(header, sizeof(header), 2 * MAX_BYTES, frame),
			 FRAME_HEADER_BYTES);
	data = malloc(frame->bytes + 1);
	assert_non_null(data);
	if (frame->bytes)
		assert_int_equal(recv(w->ours, data, frame->bytes, MSG_WAITALL), frame->bytes);
	return data;
}

static void it_echoes(void **state)
{
	struct frame frame;
	uint8_t *data;

	for (uint64_t id = 1; id < 4; id++) {
		send_frame(*state, FRAME_ECHO, id, "hello", 5);
		data = receive(*state, &frame);
		assert_int_equal(frame.id, id);
		assert_int_equal(frame.kind, FRAME_RESULT);
		assert_int_equal(frame.bytes, 5);
		assert_memory_equal(data, "hello", 5);
		free(data);
	}
	assert_int_equal(finish(*state), 0);
}

static void it_compresses(void **state)
{
	static uint8_t in[100000], out[100000];
	uLongf out_bytes = sizeof(out);
	struct frame frame;
	uint8_t *data;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i / 100);
	send_frame(*state, FRAME_DEFLATE, 9, in, sizeof(in));
	data = receive(*state, &frame);
	assert_int_equal(uncompress(out, &out_bytes, data, frame.bytes), Z_OK);
	assert_int_equal(out_bytes, sizeof(in));
	assert_memory_equal(in, out, sizeof(in));
	free(data);
	assert_int_equal(finish(*state), 0);
}

static void it_compresses_nothing_too(void **state)
{
	struct frame frame;

	send_frame(*state, FRAME_DEFLATE, 1, NULL, 0);
	free(receive(*state, &frame));
	assert_true(frame.bytes > 0);
	assert_int_equal(finish(*state), 0);
}

static void it_ends_at_nonsense(void **state)
{
	struct worker *w = *state;

	assert_int_equal(write(w->ours, "this is no frame at all.", 24), 24);
	assert_int_equal(finish(w), 1);
}

static void it_ends_at_a_frame_that_is_too_large(void **state)
{
	struct frame frame = {.kind = FRAME_DEFLATE, .id = 1, .bytes = MAX_BYTES + 1};
	uint8_t header[FRAME_HEADER_BYTES];
	struct worker *w = *state;

	frame__encode(&frame, header);
	assert_int_equal(write(w->ours, header, sizeof(header)), sizeof(header));
	assert_int_equal(finish(w), 1);
}

static void it_ends_at_a_reply(void **state)
{
	send_frame(*state, FRAME_RESULT, 1, NULL, 0);
	assert_int_equal(finish(*state), 1);
}

static void it_ends_when_a_frame_breaks_off(void **state)
{
	struct frame frame = {.kind = FRAME_DEFLATE, .id = 1, .bytes = 10};
	uint8_t header[FRAME_HEADER_BYTES];
	struct worker *w = *state;

	frame__encode(&frame, header);
	assert_int_equal(write(w->ours, header, sizeof(header)), sizeof(header));
	assert_int_equal(write(w->ours, "12345", 5), 5);
	assert_int_equal(finish(w), 1);
}

static void compression_gives_the_same_bytes_and_can_be_cancelled(void **state)
{
	static uint8_t in[1000000];
	uint8_t *out = NULL;
	size_t out_bytes = 0;
	atomic_int cancelled = 1;

	(void)state;
	assert_int_equal(encode_deflate(in, sizeof(in), NULL, &out, &out_bytes), 0);
	assert_true(out_bytes <= encode_bound(sizeof(in)));
	free(out);
	assert_int_equal(encode_deflate(in, sizeof(in), &cancelled, &out, &out_bytes), -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_echoes, start),
		cmocka_unit_test_setup(it_compresses, start),
		cmocka_unit_test_setup(it_compresses_nothing_too, start),
		cmocka_unit_test_setup(it_ends_at_nonsense, start),
		cmocka_unit_test_setup(it_ends_at_a_frame_that_is_too_large, start),
		cmocka_unit_test_setup(it_ends_at_a_reply, start),
		cmocka_unit_test_setup(it_ends_when_a_frame_breaks_off, start),
		cmocka_unit_test(compression_gives_the_same_bytes_and_can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
