/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The wire format of the process pool: encode and check headers; pure functions. */
#include "server/frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <zlib.h>

#define FRAME_MAGIC 0x314c4f50u /* "POL1" */

#define AT_KIND  4
#define AT_ID    8
#define AT_BYTES 16
#define AT_CRC   20

static void put32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

void frame__encode(const struct frame *frame, uint8_t out[FRAME_HEADER_BYTES])
{
	uint64_t id = htole64(frame->id);

	put32(out, FRAME_MAGIC);
	put32(out + AT_KIND, frame->kind);
	memcpy(out + AT_ID, &id, sizeof(id));
	put32(out + AT_BYTES, frame->bytes);
	put32(out + AT_CRC, (uint32_t)crc32(0, out, AT_CRC));
}

ssize_t frame__decode(const uint8_t *data, size_t len, uint32_t max_bytes, struct frame *frame)
{
	uint32_t kind;
	uint64_t id;

	if (len < FRAME_HEADER_BYTES)
		return -EAGAIN;
	kind = get32(data + AT_KIND);
	if (get32(data) != FRAME_MAGIC || get32(data + AT_CRC) != crc32(0, data, AT_CRC) ||
	    kind < FRAME_DEFLATE || kind >= FRAME_KIND_END)
		return -EINVAL;

	memcpy(&id, data + AT_ID, sizeof(id));
	frame->kind = kind;
	frame->id = le64toh(id);
	frame->bytes = get32(data + AT_BYTES);
	return frame->bytes > max_bytes ? -EMSGSIZE : FRAME_HEADER_BYTES;
}
