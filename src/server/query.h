/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The query string of a request: known names only, numbers within bounds. */
#ifndef SERVER_QUERY_H
#define SERVER_QUERY_H

#include <stdint.h>

#define QUERY_MS_MAX 60000u
#define QUERY_KB_MAX 65536u

enum query_mode { QUERY_MODE_UNSET, QUERY_MODE_INLINE, QUERY_MODE_OFFLOAD };

struct query {
	uint32_t ms;
	uint32_t kb;
	enum query_mode mode;
};

/*
 * Reads `text` (without the '?'; NULL is empty) over the defaults that the caller put into `query`.
 * Names it does not know are skipped, as cache-busters come. -EINVAL for a known name with a bad
 * value, given twice, or a broken %XX in its value.
 */
int query__parse(const char *text, struct query *query);

#endif
