/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A text that grows. When memory ends it stays as it is and says so once, at the end. */
#ifndef LS_EXPORT_BUFFER_H
#define LS_EXPORT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *text; /* malloc'ed; not NUL-terminated */
	size_t bytes, size;
	bool failed;
};

void buffer__add(struct buffer *b, const char *text, size_t bytes);
void buffer__puts(struct buffer *b, const char *text);
void buffer__printf(struct buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buffer__u64(struct buffer *b, uint64_t v);
/* Nanoseconds as seconds, exact, without trailing zeros: 1500000 is 0.0015. */
void buffer__seconds(struct buffer *b, uint64_t ns);
void buffer__free(struct buffer *b);

#endif
