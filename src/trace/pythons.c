/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "log.h"
#include "symbols/python.h"
#include "trace/pythons.h"
#include "trace/tracer.h"

static void put_thread(void *ctx, pid_t tid, const struct py_thread *thread)
{
	uint32_t key = tid;

	bpf_map_update_elem(*(int *)ctx, &key, thread, BPF_ANY);
}

/* Each loop of the process asks again; its refusal is told once. */
static void warn_once(pid_t tgid, const char *why)
{
	static pid_t told;

	if (told != tgid)
		log_warn("process %d: %s: no Python frames", tgid, why);
	told = tgid;
}

int pythons__attach(struct python *py, struct tracer *t, pid_t tgid)
{
	int processes = tracer__map_fd(t, "py_processes"),
	    threads = tracer__map_fd(t, "py_threads");
	struct py_process process;
	uint32_t key = tgid;
	char why[256];
	int err, nr;

	err = python__attach(py, tgid, &process, why, sizeof(why));
	if (err) {
		if (why[0])
			warn_once(tgid, why);
		return err;
	}
	if (bpf_map_update_elem(processes, &key, &process, BPF_ANY)) {
		err = -errno;
		log_warn("process %d: no Python frames: %s", tgid, strerror(-err));
		python__forget(py, tgid);
		return err;
	}
	nr = python__threads(py, tgid, put_thread, &threads);
	log_info("process %d: CPython %d.%d, %d threads", tgid, process.version >> 8,
		 process.version & 255, nr);
	return 0;
}
