/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <limits.h>

#include "model/jsonr.h"

static void fault(struct jsonr *r, const char *key)
{
	if (!r->fault)
		r->fault = key;
}

void jsonr__u64(struct jsonr *r, const json_t *o, const char *key, uint64_t max, uint64_t *value)
{
	const json_t *v = json_object_get(o, key);
	json_int_t n;

	if (!v)
		return;
	n = json_is_integer(v) ? json_integer_value(v) : -1;
	if (n < 0 || (uint64_t)n > max)
		fault(r, key);
	else
		*value = (uint64_t)n;
}

void jsonr__u32(struct jsonr *r, const json_t *o, const char *key, uint32_t *value)
{
	uint64_t v = *value;

	jsonr__u64(r, o, key, UINT32_MAX, &v);
	*value = (uint32_t)v;
}

void jsonr__int(struct jsonr *r, const json_t *o, const char *key, int *value)
{
	uint64_t v = INT_MAX;

	if (!json_object_get(o, key))
		return;
	jsonr__u64(r, o, key, INT_MAX, &v);
	*value = (int)v;
}

void jsonr__bool(struct jsonr *r, const json_t *o, const char *key, bool *value)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		return;
	if (!json_is_boolean(v))
		fault(r, key);
	else
		*value = json_is_true(v);
}

void jsonr__str(struct jsonr *r, const json_t *o, const char *key, const char **value)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		return;
	if (!json_is_string(v))
		fault(r, key);
	else
		*value = json_string_value(v);
}

json_t *jsonr__array(struct jsonr *r, const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!v || json_is_array(v))
		return v;
	fault(r, key);
	return NULL;
}

json_t *jsonr__object(struct jsonr *r, const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!v || json_is_object(v))
		return v;
	fault(r, key);
	return NULL;
}
