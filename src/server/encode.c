/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* zlib, a slice at a time, so that a cancelled job ends soon. */
#include "server/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#define SLICE_BYTES (256u << 10) /* about 10 ms of level 6 */

size_t encode_bound(size_t bytes)
{
	return compressBound(bytes);
}

static int deflate_slices(z_stream *z, const uint8_t *in, size_t in_bytes,
			  const atomic_int *cancelled)
{
	size_t at = 0;
	int rc;

	do {
		size_t n = in_bytes - at < SLICE_BYTES ? in_bytes - at : SLICE_BYTES;

		if (cancelled && atomic_load(cancelled))
			return -ECANCELED;
		z->next_in = (uint8_t *)in + at;
		z->avail_in = (uInt)n;
		at += n;
		rc = deflate(z, at == in_bytes ? Z_FINISH : Z_NO_FLUSH);
	} while (rc == Z_OK && at < in_bytes);
	/* The output has room for everything: less than the end is a fault of ours. */
	return rc == Z_STREAM_END ? 0 : -EIO;
}

int encode_deflate(const uint8_t *in, size_t in_bytes, const atomic_int *cancelled, uint8_t **out,
		   size_t *out_bytes)
{
	size_t room = encode_bound(in_bytes);
	uint8_t *buf = malloc(room);
	z_stream z = {0};
	int err = -ENOMEM;

	if (!buf || deflateInit(&z, Z_DEFAULT_COMPRESSION) != Z_OK)
		goto out;
	z.next_out = buf;
	z.avail_out = (uInt)room;
	err = deflate_slices(&z, in, in_bytes, cancelled);
	if (!err) {
		*out = buf;
		*out_bytes = z.total_out;
		buf = NULL;
	}
	deflateEnd(&z);
out:
	free(buf);
	return err;
}
