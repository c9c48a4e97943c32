/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The pool's protocol, as a worker reads it. Two inputs in three have their headers' magic and CRC
 * put right first, as chance would not find them. Every reply must be a good frame.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "server/cpu_worker.h"
#include "server/encode.h"
#include "server/frame.h"

#define MAX_BYTES 512
#define INPUT_MAX 2048 /* its replies fit a socket's buffer, so nobody needs to read meanwhile */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t le32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static void mend_headers(uint8_t *data, size_t size)
{
	while (size >= FRAME_HEADER_BYTES) {
		uint32_t bytes = le32(data + 16) % (2 * MAX_BYTES);
		struct frame frame = {
			.kind = data[4] % FRAME_KIND_END, .id = le32(data + 8), .bytes = bytes};
		size_t whole = FRAME_HEADER_BYTES + bytes;

		frame__encode(&frame, data);
		if (whole > size)
			return;
		data += whole;
		size -= whole;
	}
}

static void check_replies(int fd)
{
	static uint8_t buf[1 << 20];
	size_t len = 0;
	ssize_t n;
	struct frame frame;

	while ((n = recv(fd, buf + len, sizeof(buf) - len, 0)) > 0)
		len += (size_t)n;
	for (size_t at = 0; at < len; at += FRAME_HEADER_BYTES + frame.bytes) {
		if (frame__decode(buf + at, len - at, (uint32_t)encode_bound(MAX_BYTES), &frame) <
			    0 ||
		    frame.bytes > len - at - FRAME_HEADER_BYTES ||
		    (frame.kind != FRAME_RESULT && frame.kind != FRAME_FAILED))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;
	int sv[2];

	if (size < 1 || size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		return 0;
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	if (data[0] % 3)
		mend_headers(copy, size - 1);
	if (send(sv[0], copy, size - 1, 0) != (ssize_t)size - 1)
		abort();
	shutdown(sv[0], SHUT_WR);
	cpu_worker__serve(sv[1], MAX_BYTES);
	close(sv[1]);
	check_replies(sv[0]);
	close(sv[0]);
	free(copy);
	return 0;
}
