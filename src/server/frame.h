/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the loop and a worker process say to each other over a socket: a header of fixed size, then
 * `bytes` of payload. The header carries its own CRC, so that a peer which lost step, or is not
 * what it should be, is found out at the next header and before its length is believed.
 *
 *   0 magic u32 | 4 kind u32 | 8 id u64 | 16 bytes u32 | 20 crc u32 of the 20 before
 * (little-endian)
 */
#ifndef SERVER_FRAME_H
#define SERVER_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_HEADER_BYTES 24

enum frame_kind {
	FRAME_DEFLATE = 1, /* to the worker: compress the payload */
	FRAME_ECHO,        /* to the worker: send it back as it is; what the crossing alone costs */
	FRAME_RESULT,      /* from the worker */
	FRAME_FAILED,      /* from the worker: it could not; no payload */
	FRAME_KIND_END,
};

struct frame {
	enum frame_kind kind;
	uint64_t id; /* a reply bears its request's */
	uint32_t bytes;
};

void frame__encode(const struct frame *frame, uint8_t out[FRAME_HEADER_BYTES]);

/*
 * Bytes consumed (FRAME_HEADER_BYTES), -EAGAIN when `len` is too short for a header, -EINVAL when
 * it is none, -EMSGSIZE when its payload would exceed `max_bytes`. Does not look at the payload.
 */
ssize_t frame__decode(const uint8_t *data, size_t len, uint32_t max_bytes, struct frame *frame);

#endif
