/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "model/zstdio.h"

/* --- writing --- */

enum { LEVEL = 3, OUT_BYTES = 128 << 10, TEXT_BYTES = 64 << 10 };

struct compressor {
	ZSTD_CCtx *ctx;
	int fd, err;
	uint64_t *bytes;
	char out[OUT_BYTES];
};

static int write_all(int fd, const char *buf, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, buf, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int compress_chunk(struct compressor *c, ZSTD_inBuffer *in, ZSTD_EndDirective end)
{
	ZSTD_outBuffer out = {.dst = c->out, .size = sizeof(c->out)};
	size_t left;

	do {
		out.pos = 0;
		left = ZSTD_compressStream2(c->ctx, &out, in, end);
		if (ZSTD_isError(left))
			return -EIO;
		c->err = write_all(c->fd, c->out, out.pos);
		if (c->err)
			return c->err;
		*c->bytes += out.pos;
	} while (in->pos < in->size || (end == ZSTD_e_end && left));
	return 0;
}

static ssize_t on_write(void *cookie, const char *buf, size_t bytes)
{
	struct compressor *c = cookie;
	ZSTD_inBuffer in = {.src = buf, .size = bytes};

	if (!c->err)
		c->err = compress_chunk(c, &in, ZSTD_e_continue);
	if (!c->err)
		return (ssize_t)bytes;
	errno = -c->err;
	return 0;
}

static int on_close(void *cookie)
{
	struct compressor *c = cookie;
	ZSTD_inBuffer in = {0};
	int err = c->err ? c->err : compress_chunk(c, &in, ZSTD_e_end);

	ZSTD_freeCCtx(c->ctx);
	free(c);
	if (!err)
		return 0;
	errno = -err;
	return -1;
}

FILE *zstdio__compress(int fd, uint64_t *bytes)
{
	struct compressor *c = calloc(1, sizeof(*c));
	FILE *f = NULL;

	if (!c)
		return NULL;
	c->fd = fd;
	c->bytes = bytes;
	*bytes = 0;
	c->ctx = ZSTD_createCCtx();
	if (c->ctx) {
		ZSTD_CCtx_setParameter(c->ctx, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(c->ctx, ZSTD_c_checksumFlag, 1);
		f = fopencookie(c, "w",
				(cookie_io_functions_t){.write = on_write, .close = on_close});
	}
	if (!f) {
		ZSTD_freeCCtx(c->ctx);
		free(c);
		errno = ENOMEM;
		return NULL;
	}
	setvbuf(f, NULL, _IOFBF, TEXT_BYTES);
	return f;
}

/* --- reading --- */

enum {
	IN_BYTES = 128 << 10,
	MAX_LINE_BYTES = 1 << 20,
	WINDOW_LOG_MAX = 24,
	MAX_EXPANSION = 2000, /* traces reach 30 */
	FREE_EXPANSION_BYTES = 64 << 20,
};

struct linereader {
	int fd;
	ZSTD_DStream *zstd; /* NULL: plain text */
	bool started;
	bool eof;      /* of fd */
	bool in_frame; /* the zstd frame has not ended */
	ZSTD_inBuffer in;
	uint64_t in_bytes, text_bytes;
	char *text; /* what is decompressed but not yet handed out: [from, to) */
	size_t from, to, scanned;
	char buf[IN_BYTES];
};

struct linereader *linereader__new(int fd)
{
	struct linereader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->fd = fd;
	r->in.src = r->buf;
	r->text = malloc(MAX_LINE_BYTES + 1);
	if (r->text)
		return r;
	free(r);
	errno = ENOMEM;
	return NULL;
}

void linereader__free(struct linereader *r)
{
	if (!r)
		return;
	ZSTD_freeDStream(r->zstd);
	free(r->text);
	free(r);
}

static int fill(struct linereader *r)
{
	ssize_t n;

	do
		n = read(r->fd, r->buf, sizeof(r->buf));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->eof = n == 0;
	r->in.pos = 0;
	r->in.size = (size_t)n;
	r->in_bytes += (uint64_t)n;
	return 0;
}

static int begin(struct linereader *r)
{
	static const unsigned char magic[] = {0x28, 0xb5, 0x2f, 0xfd};
	int err = fill(r);

	r->started = true;
	if (err || r->in.size < sizeof(magic) || memcmp(r->buf, magic, sizeof(magic)) != 0)
		return err;
	r->zstd = ZSTD_createDStream();
	if (!r->zstd)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return 0;
}

static int decompress(struct linereader *r, char *to, size_t room, size_t *got)
{
	ZSTD_outBuffer out = {.dst = to, .size = room};
	size_t left = ZSTD_decompressStream(r->zstd, &out, &r->in);

	if (ZSTD_isError(left))
		return ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge
			       ? -E2BIG
			       : -EBADMSG;
	r->in_frame = left != 0;
	r->text_bytes += out.pos;
	if (r->text_bytes > FREE_EXPANSION_BYTES && r->text_bytes / MAX_EXPANSION > r->in_bytes)
		return -E2BIG;
	*got = out.pos;
	return 0;
}

static void copy_plain(struct linereader *r, char *to, size_t room, size_t *got)
{
	*got = r->in.size - r->in.pos < room ? r->in.size - r->in.pos : room;
	memcpy(to, r->buf + r->in.pos, *got);
	r->in.pos += *got;
}

/* Gets some more text, or finds the end: *got is 0. zstd may hold text back when its input is used
 * up. */
static int more(struct linereader *r, char *to, size_t room, size_t *got)
{
	int err = 0;

	for (*got = 0; !*got && !err;) {
		if (r->zstd && (r->in.pos < r->in.size || r->in_frame))
			err = decompress(r, to, room, got);
		else if (r->in.pos < r->in.size)
			copy_plain(r, to, room, got);
		if (*got || err || r->in.pos < r->in.size)
			continue;
		err = fill(r);
		if (!err && r->eof)
			return r->in_frame ? -ENODATA : 0;
	}
	return err;
}

/* Makes room for more text behind what is there. */
static int make_room(struct linereader *r)
{
	if (r->to < MAX_LINE_BYTES)
		return 0;
	if (r->from == 0)
		return -E2BIG;
	memmove(r->text, r->text + r->from, r->to - r->from);
	r->to -= r->from;
	r->scanned -= r->from;
	r->from = 0;
	return 0;
}

static int hand_out(struct linereader *r, size_t end, char **line, size_t *bytes)
{
	r->text[end] = '\0';
	*line = r->text + r->from;
	*bytes = end - r->from;
	r->from = r->scanned = end < r->to ? end + 1 : end;
	return 1;
}

int linereader__next(struct linereader *r, char **line, size_t *bytes)
{
	size_t got;
	char *end;
	int err = r->started ? 0 : begin(r);

	while (!err) {
		end = memchr(r->text + r->scanned, '\n', r->to - r->scanned);
		if (end)
			return hand_out(r, (size_t)(end - r->text), line, bytes);
		r->scanned = r->to;
		if ((err = make_room(r)) != 0 ||
		    (err = more(r, r->text + r->to, MAX_LINE_BYTES - r->to, &got)) != 0)
			break;
		r->to += got;
		if (!got)
			return r->from < r->to ? hand_out(r, r->to, line, bytes) : 0;
	}
	return err;
}
