/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The processes that run CPython: one entry each, from attach to forget. */
#include "symbols/python.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/python_internal.h"
#include "symbols/strings.h"

enum { BUCKETS = 256 };

struct python {
	struct strings *pool;
	struct python_interpreter *buckets[BUCKETS];
};

struct python *python__new(struct strings *pool)
{
	struct python *py = calloc(1, sizeof(*py));

	if (py)
		py->pool = pool;
	return py;
}

static void free_interpreter(struct python_interpreter *in)
{
	if (!in)
		return;
	python_codes__free(in->codes);
	free(in);
}

void python__free(struct python *py)
{
	if (!py)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (py->buckets[i]) {
			struct python_interpreter *in = py->buckets[i];

			py->buckets[i] = in->next;
			free_interpreter(in);
		}
	}
	free(py);
}

static struct python_interpreter **slot_of(const struct python *py, pid_t tgid)
{
	return (struct python_interpreter **)&py->buckets[(unsigned int)tgid % BUCKETS];
}

struct python_interpreter *python__find(const struct python *py, pid_t tgid)
{
	struct python_interpreter *in = *slot_of(py, tgid);

	while (in && in->tgid != tgid)
		in = in->next;
	return in;
}

struct strings *python__pool(const struct python *py)
{
	return py->pool;
}

bool python__attached(const struct python *py, pid_t tgid)
{
	return python__find(py, tgid) != NULL;
}

void python__forget(struct python *py, pid_t tgid)
{
	struct python_interpreter **at = slot_of(py, tgid);

	while (*at && (*at)->tgid != tgid)
		at = &(*at)->next;
	if (*at) {
		struct python_interpreter *in = *at;

		*at = in->next;
		free_interpreter(in);
	}
}

int python__attach(struct python *py, pid_t tgid, struct py_process *out, char *why, size_t size)
{
	struct python_interpreter *in = calloc(1, sizeof(*in));
	int err = -ENOMEM;

	why[0] = '\0';
	python__forget(py, tgid);
	if (!in)
		return err;
	in->tgid = tgid;
	in->started = python_source__start_time(tgid);
	in->codes = python_codes__new();
	if (in->codes)
		err = python_runtime__find(in, py->pool, why, size);
	if (err) {
		free_interpreter(in);
		return err;
	}
	python_offsets__to_process(&in->offsets, out);
	out->code_type = in->code_type;
	out->gil = in->gil;
	out->tss_key = python_runtime__tss_key(in);
	in->next = *slot_of(py, tgid);
	*slot_of(py, tgid) = in;
	return 0;
}

bool python__record_ok(const struct ls_ev_python *record, size_t bytes)
{
	return bytes >= sizeof(*record) && record->nr_frames <= LS_PYFRAMES_MAX &&
	       bytes >= PY_RECORD_BYTES(record->nr_frames);
}
