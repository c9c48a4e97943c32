/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The thread states of an interpreter, and whose threads they are. The lists are the target's and
 * change while they are read: bounded, and a state that does not point back to its interpreter ends
 * its list.
 */
#include "symbols/python_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/python.h"

enum {
	INTERPRETERS_MAX = 64,
	THREADS_MAX = 16384,
	PTHREAD_TID = 0x2d0, /* glibc x86-64, struct pthread.tid (2.31 to 2.43) */
};

static bool read_tstate(const struct python_interpreter *in, uint64_t address,
			struct python_tstate *out)
{
	const struct python_offsets *o = &in->offsets;

	*out = (struct python_tstate){
		.address = address,
		.next = target__u64(in->tgid, address + o->tstate.next),
		.interp = target__u64(in->tgid, address + o->tstate.interp),
		.thread_id = target__u64(in->tgid, address + o->tstate.thread_id),
	};
	if (o->tstate.native_thread_id)
		out->ns_tid = (pid_t)target__u32(in->tgid, address + o->tstate.native_thread_id);
	else
		out->ns_tid = (pid_t)target__u32(in->tgid, out->thread_id + PTHREAD_TID);
	return out->interp != 0;
}

int python_threads__each(const struct python_interpreter *in, python_tstate_fn *each, void *ctx)
{
	const struct python_offsets *o = &in->offsets;
	uint64_t interp = target__u64(in->tgid, in->runtime + o->runtime.interpreters_head);
	int n = 0;

	for (int i = 0; interp && i < INTERPRETERS_MAX; i++) {
		uint64_t at = target__u64(in->tgid, interp + o->interp.threads_head);
		struct python_tstate tstate;

		for (; at && n < THREADS_MAX; at = tstate.next, n++) {
			if (!read_tstate(in, at, &tstate) || tstate.interp != interp)
				break;
			if (!each(ctx, &tstate))
				return n + 1;
		}
		interp = target__u64(in->tgid, interp + o->interp.next);
	}
	return n;
}

/* --- pid namespaces ------------------------------------------------------------------------- */

/* The innermost id in the NSpid line of a status file; 0 when there is none. */
static pid_t innermost_id(const char *path)
{
	char line[512];
	pid_t id = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		char *p;

		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		p = strrchr(line, '\t');
		id = p ? (pid_t)strtol(p, NULL, 10) : 0;
		break;
	}
	fclose(f);
	return id;
}

static bool shares_namespace(pid_t tgid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", tgid);
	return innermost_id(path) == tgid;
}

struct tid_pair {
	pid_t ours, theirs;
};

/* What the target's threads are called there. NULL with *nr 0: the same, or not known. */
static struct tid_pair *read_tids(pid_t tgid, size_t *nr)
{
	struct tid_pair *pairs = NULL;
	char path[320];
	struct dirent *e;
	size_t room = 0;
	DIR *dir;

	*nr = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", tgid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)) != NULL) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid <= 0)
			continue;
		if (*nr == room) {
			struct tid_pair *more;

			room = room ? 2 * room : 64;
			more = realloc(pairs, room * sizeof(*pairs));
			if (!more)
				break;
			pairs = more;
		}
		snprintf(path, sizeof(path), "/proc/%d/task/%d/status", tgid, tid);
		pairs[(*nr)++] = (struct tid_pair){tid, innermost_id(path)};
	}
	if (dir)
		closedir(dir);
	return pairs;
}

static pid_t our_tid(const struct tid_pair *pairs, size_t nr, pid_t theirs)
{
	for (size_t i = 0; i < nr; i++)
		if (pairs[i].theirs == theirs)
			return pairs[i].ours;
	return 0;
}

struct listing {
	python_thread_fn *each;
	void *ctx;
	bool same;
	struct tid_pair *pairs;
	size_t nr_pairs;
};

static bool list_thread(void *ctx, const struct python_tstate *tstate)
{
	struct listing *l = ctx;
	pid_t tid = l->same ? tstate->ns_tid : our_tid(l->pairs, l->nr_pairs, tstate->ns_tid);
	struct py_thread thread = {.tstate = tstate->address};

	if (tid > 0)
		l->each(l->ctx, tid, &thread);
	return true;
}

int python__threads(struct python *py, pid_t tgid, python_thread_fn *each, void *ctx)
{
	struct python_interpreter *in = python__find(py, tgid);
	struct listing l = {.each = each, .ctx = ctx};
	int n;

	if (!in)
		return -ENOENT;
	l.same = shares_namespace(tgid);
	if (!l.same)
		l.pairs = read_tids(tgid, &l.nr_pairs);
	n = python_threads__each(in, list_thread, &l);
	free(l.pairs);
	return n;
}
