/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The framing of a chunked body as its bytes arrive: what RFC 9112, 7.1 allows and no more. evhttp
 * reads a size by strtoll(), to which " 3", "+3", "0x3" and "3 x" all are 3: where a proxy in front
 * sees something else, the two disagree about where the next request begins.
 */
#ifndef SERVER_CHUNKS_H
#define SERVER_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

struct chunks {
	enum chunks_at {
		CHUNKS_SIZE,
		CHUNKS_SIZE_LF,
		CHUNKS_DATA,
		CHUNKS_DATA_CR,
		CHUNKS_DATA_LF,
		CHUNKS_END, /* the last chunk's line was read: trailers and requests are not ours */
	} at;
	unsigned int digits;  /* of the size under way */
	uint64_t left;        /* that size; then what of the chunk is still to come */
	uint64_t total_bytes; /* of all chunks announced so far, saturating */
};

/*
 * Feed it what was received, from the first byte of the body on. 0, or -EINVAL for ever. Extensions
 * (";name=value") are refused too: evhttp cannot read them.
 */
int chunks__feed(struct chunks *chunks, const char *data, size_t len);

#endif
