/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The CPU work: zlib compression, on the loop (inline), on a thread, or in a worker process. */
#ifndef SERVER_ENCODE_H
#define SERVER_ENCODE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The most that `bytes` of input can become. */
size_t encode_bound(size_t bytes);

/*
 * Compresses into a buffer that the caller frees. The bytes are the same wherever it runs. 0,
 * -ENOMEM, or -ECANCELED soon after `cancelled` (may be NULL) is no longer 0.
 */
int encode_deflate(const uint8_t *in, size_t in_bytes, const atomic_int *cancelled, uint8_t **out,
		   size_t *out_bytes);

#endif
