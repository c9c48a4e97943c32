/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/protobuf.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static void append(struct protobuf *p, const void *bytes, size_t n)
{
	size_t size = p->size ? p->size : 256;
	unsigned char *grown;

	if (p->err || !n)
		return;
	while (size - p->n < n)
		size *= 2;
	if (size != p->size) {
		grown = realloc(p->bytes, size);
		if (!grown) {
			p->err = -ENOMEM;
			return;
		}
		p->bytes = grown;
		p->size = size;
	}
	memcpy(p->bytes + p->n, bytes, n);
	p->n += n;
}

void protobuf__free(struct protobuf *p)
{
	free(p->bytes);
	*p = (struct protobuf){0};
}

void protobuf__reset(struct protobuf *p)
{
	p->n = 0;
}

void protobuf__element(struct protobuf *p, uint64_t value)
{
	unsigned char buf[10];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		buf[n++] = (unsigned char)(value | 0x80);
	buf[n++] = (unsigned char)value;
	append(p, buf, n);
}

static void key(struct protobuf *p, unsigned int field, unsigned int wire)
{
	protobuf__element(p, (uint64_t)field << 3 | wire);
}

void protobuf__u64(struct protobuf *p, unsigned int field, uint64_t value)
{
	if (!value)
		return;
	key(p, field, WIRE_VARINT);
	protobuf__element(p, value);
}

void protobuf__bytes(struct protobuf *p, unsigned int field, const void *bytes, size_t n)
{
	key(p, field, WIRE_BYTES);
	protobuf__element(p, n);
	append(p, bytes, n);
}

void protobuf__message(struct protobuf *p, unsigned int field, const struct protobuf *message)
{
	if (message->err)
		p->err = message->err;
	protobuf__bytes(p, field, message->bytes, message->n);
}
