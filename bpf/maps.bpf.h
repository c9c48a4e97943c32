/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every map and every load-time knob. Each program file declares them; loop.bpf.c, which sets
 * LS_DEFINE, defines them, and the objects are linked into one.
 */
#ifndef LS_MAPS_BPF_H
#define LS_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "account.h"
#include "maps_abi.h"
#include "seeds.h"

#ifdef LS_DEFINE
#define LS_MAP
#else
#define LS_MAP extern
#endif

enum { LS_CANDIDATES = 4 };

/* A wait which may turn out to be the thread's home. */
struct candidate {
	struct ls_home home;
	__u32 visits;
	__u32 first, last; /* position in the thread's sequence of waits */
};

struct ls_thread {
	__u32 slot; /* index of its loop state + 1; 0: not known to be a loop */
	__u32 waits;
	__u32 select_bits; /* descriptors in its last select(); the kernel overwrites the sets */
	__u32 lost;        /* a loop without a slot, and counted as such */
	struct candidate candidates[LS_CANDIDATES];
};

/* task -> what is known of a thread of a target. Written by BPF; the kernel deletes it with the task. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ls_thread);
} threads SEC(".maps");

/* tgid -> 1: processes to trace. User space adds; fork adds the child; exit deletes. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

/* tid -> where user space saw this thread when tracing began. Read by the iterator `on_task`. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct ls_seed);
} seeds SEC(".maps");

/* slot -> state of a loop. Written by BPF, read in place by user space, which zeroes freed slots. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256); /* set at load */
	__type(key, __u32);
	__type(value, struct ls_loop_state);
} loop_states SEC(".maps");

/* Free slots. User space pushes (all at start, later those of dead loops); BPF pops. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 256); /* set at load */
	__type(value, __u32);
} free_slots SEC(".maps");

/* 2 * pair + which -> capture. Written by BPF; user space reads that of a loop which hangs now. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512); /* set at load */
	__type(key, __u32);
	__type(value, struct capture_buffer);
} captures SEC(".maps");

/* Free pairs of capture buffers. An iteration takes one when it first blocks or is sampled, and gives
 * it back at its end: most loops, at any time, need none. User space pushes all at start, and later
 * those of loops which ended mid-iteration. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 256); /* set at load */
	__type(value, __u32);
} free_pairs SEC(".maps");

LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20); /* set at load */
} events SEC(".maps");

/* tgid -> where CPython keeps what. Written by user space when it finds CPython there, and at fork,
 * which leaves everything in its place; BPF deletes it at exec and exit. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct py_process);
} py_processes SEC(".maps");

/* tid -> its thread state. Written by user space from the interpreter's list. Stale entries do no
 * harm: they do not validate, and the least recently used go first. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct py_thread);
} py_threads SEC(".maps");

/* enum ls_loss -> count, a cell a CPU. */
LS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LS_NR_LOSSES);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

#ifdef LS_DEFINE
#define LS_KNOB(type, name, value) const volatile type name = value
#else
#define LS_KNOB(type, name, value) extern const volatile type name
#endif

LS_KNOB(__u64, cfg_threshold_ns, 10000000);
LS_KNOB(__u64, cfg_capture_after_ns,
	2500000); /* an iteration this long may become a stall: send captures */
LS_KNOB(__u64, cfg_sample_after_ns, 5000000); /* ... and sample its CPU time */
LS_KNOB(__s64, cfg_irq_regs_from_rq, 0);      /* bytes: see interrupted() */
LS_KNOB(__u64, cfg_quantum_ns, 312500);       /* the least time that a sent capture stands for */
LS_KNOB(__u64, cfg_capture_period_ns,
	500000); /* captures that come to nothing: one in this time ... */
LS_KNOB(__u64, cfg_capture_burst_ns, 128000000); /* ... but this much time's worth at once */
LS_KNOB(__u32, cfg_from_start, 0); /* the first wait on an epoll descriptor begins the loop */
LS_KNOB(__u32, cfg_tid, 0);        /* trace this thread only */

/* Set by user space at the end: nothing is counted any more, and what it reads holds still. */
#ifdef LS_DEFINE
volatile __u32 frozen = 0;
#else
extern volatile __u32 frozen;
#endif

static __always_inline void count_loss(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&losses, &which);

	if (n) /* the cell is this CPU's, but a sample may come between */
		__sync_fetch_and_add(n, 1);
}

static __always_inline struct ls_loop_state *slot_state(__u32 slot)
{
	return bpf_map_lookup_elem(&loop_states, &slot);
}

/* One of the loop's two capture buffers; NULL when all are taken by others. */
static __always_inline struct capture_buffer *loop_buffer(struct ls_loop_state *s, __u8 which)
{
	__u32 pair, index;

	if (!s->pair) {
		if (bpf_map_pop_elem(&free_pairs, &pair))
			return NULL;
		s->pair = pair + 1;
	}
	index = 2 * (s->pair - 1) + (which & 1);
	return bpf_map_lookup_elem(&captures, &index);
}

static __always_inline void give_buffers_back(struct ls_loop_state *s)
{
	__u32 pair = s->pair - 1;

	if (!s->pair)
		return;
	s->pair = 0;
	bpf_map_push_elem(&free_pairs, &pair, BPF_ANY);
}

/* What is known of a task; NULL for most. Asking the map costs more than a look at whether the task has
 * any storage at all (task_struct.bpf_storage, since Linux 5.11). */
static __always_inline struct ls_thread *thread_of(struct task_struct *task)
{
	if (!task->bpf_storage)
		return NULL;
	return bpf_task_storage_get(&threads, task, 0, 0);
}

/* The state of a thread's loop; NULL for every thread that is none. */
static __always_inline struct ls_loop_state *loop_of(struct task_struct *task, __u32 *slot)
{
	struct ls_thread *thread = thread_of(task);

	if (!thread || !thread->slot)
		return NULL;
	*slot = thread->slot - 1;
	return slot_state(*slot);
}

static __always_inline void fill_header(struct ls_event_hdr *hdr, __u16 kind, __u16 size,
					__u32 tgid, __u32 tid, __u64 now)
{
	hdr->kind = kind;
	hdr->size = size;
	hdr->tgid = tgid;
	hdr->tid = tid;
	hdr->cpu = bpf_get_smp_processor_id();
	hdr->ts_ns = now;
}

#endif
