/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* As much of protobuf's wire format as writing a pprof profile takes. */
#ifndef LS_REPORT_PROTOBUF_H
#define LS_REPORT_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

/* A message under construction. When memory ends, err is -ENOMEM and the rest is dropped. */
struct protobuf {
	unsigned char *bytes;
	size_t n, size;
	int err;
};

void protobuf__free(struct protobuf *p);
/* Empties it for the next message. */
void protobuf__reset(struct protobuf *p);

/* 0 is the default and writes nothing. */
void protobuf__u64(struct protobuf *p, unsigned int field, uint64_t value);
void protobuf__bytes(struct protobuf *p, unsigned int field, const void *bytes, size_t n);
void protobuf__message(struct protobuf *p, unsigned int field, const struct protobuf *message);
/* One element of a packed repeated field, without a key. */
void protobuf__element(struct protobuf *p, uint64_t value);

#endif
