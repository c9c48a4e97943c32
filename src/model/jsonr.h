/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Takes numbers and strings out of JSON that nobody vouches for. An absent key leaves the value as
 * it is; a value of the wrong type or out of range is remembered as the first fault, and leaves it
 * too.
 */
#ifndef LS_MODEL_JSONR_H
#define LS_MODEL_JSONR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Instants and lengths beyond this are no measurement: sums of a file's worth stay below 2^64. */
#define JSONR_MAX    (1ll << 44)
#define JSONR_MAX_NS (1ll << 60)

struct jsonr {
	const char *fault; /* the key at fault; NULL none */
};

void jsonr__u64(struct jsonr *r, const json_t *o, const char *key, uint64_t max, uint64_t *value);
void jsonr__u32(struct jsonr *r, const json_t *o, const char *key, uint32_t *value);
/* Not negative. */
void jsonr__int(struct jsonr *r, const json_t *o, const char *key, int *value);
void jsonr__bool(struct jsonr *r, const json_t *o, const char *key, bool *value);
/* Borrowed from the object. */
void jsonr__str(struct jsonr *r, const json_t *o, const char *key, const char **value);
/* NULL when absent. */
json_t *jsonr__array(struct jsonr *r, const json_t *o, const char *key);
json_t *jsonr__object(struct jsonr *r, const json_t *o, const char *key);

#endif
