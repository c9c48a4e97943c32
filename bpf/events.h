/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The records that cross from the kernel to user space: what leaves through the ring buffer, and the
 * state of each loop, which user space reads in place (mmap). Shared by bpf/, src/ and tests/.
 * All times are CLOCK_MONOTONIC nanoseconds. Append, never reorder; bump LS_ABI when a layout changes.
 */
#ifndef LS_EVENTS_H
#define LS_EVENTS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define LS_ABI 1

/* Where the wall time of an iteration went. The order is that of the JSON ledger. */
enum ls_cause {
	LS_CPU,
	LS_RUNQUEUE,
	LS_THROTTLED,
	LS_SLEEP,
	LS_NETWORK,
	LS_DISK,
	LS_LOCK,
	LS_GIL,
	LS_PAGE_FAULT,
	LS_PROCESS,
	LS_PIPE,
	LS_POLL,
	LS_OTHER,
	LS_NR_CAUSES,
};

/* What stands behind a descriptor. */
enum ls_object_kind {
	LS_OBJ_NONE,
	LS_OBJ_FILE, /* regular file or directory: path */
	LS_OBJ_BLOCKDEV,
	LS_OBJ_CHARDEV, /* path; ttys are LS_OBJ_TTY */
	LS_OBJ_TTY,
	LS_OBJ_PIPE, /* anonymous, or a FIFO with a path */
	LS_OBJ_SOCKET,
	LS_OBJ_SELF_SOCKET, /* a unix socket whose peer is this very process */
	LS_OBJ_EVENTFD,
	LS_OBJ_EPOLL,
	LS_OBJ_TIMERFD,
	LS_OBJ_SIGNALFD,
	LS_OBJ_INOTIFY,
	LS_OBJ_PIDFD,
	LS_OBJ_IO_URING,
	LS_OBJ_ANON, /* another anonymous inode */
	LS_OBJ_PATH, /* what a call by path was given: path, as it stands there */
};

enum {
	LS_COMM_LEN = 16,
	LS_PATH_LEN = 256,
	LS_KSTACK_MAX = 32,
	LS_STACK_MAX = 32768, /* libuv needs 15-17 KiB under uv__io_poll */
	LS_PYFRAMES_MAX = 96,
	LS_HIST_SUB = 8, /* buckets a power of two: a middle is right to 6.25 % */
	LS_HIST_BUCKETS = LS_HIST_SUB * 38, /* 0 .. 2^40 ns (18 minutes); the last takes the rest */
};

struct ls_object {
	__u8 kind;   /* enum ls_object_kind */
	__u8 family; /* AF_* of a socket */
	__u8 proto;  /* IPPROTO_* */
	__u8 sock_state;
	__u16 local_port, remote_port; /* host order */
	__u8 local[16], remote[16];    /* network order; IPv4 in the first 4 */
	__u32 peer_tgid;               /* unix: who made the other end; 0 unknown */
	__u32 nr_fds;                  /* of a poll, select or epoll: descriptors watched */
	__u64 ino;                     /* inode number, to check a path found later */
	__u32 dev;                     /* kernel's dev_t of that inode's file system */
	/* Components of a path leaf first, each with its NUL: "app.db\0lib\0var\0". Also the name of
	 * a unix socket, which begins with '/' or '@' and is one component. */
	__u16 path_bytes;
	__u8 path_truncated;
	__u8 _pad;
	char path[LS_PATH_LEN];
};

struct ls_call {
	__s32 nr;      /* system call number; -1 in a page fault or other exception */
	__s32 fd;      /* the descriptor it blocked on; -1 none */
	__u64 args[4]; /* as passed */
	struct ls_object object;
};

/* User registers in DWARF order for x86-64: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip. */
enum { LS_REG_RBP = 6, LS_REG_RSP = 7, LS_REG_RIP = 16, LS_NR_REGS = 17 };
struct ls_regs {
	__u64 r[LS_NR_REGS];
};

enum ls_ev_kind {
	LS_EV_LOOP =
		1, /* ls_ev_capture: a loop in its home wait; when found, and when its stack is new */
	LS_EV_CAPTURE, /* ls_ev_capture: time inside a long iteration, with its stack */
	LS_EV_PYTHON,  /* ls_ev_python: frames that belong to the capture which follows */
	LS_EV_HOLDER,  /* ls_ev_python: the same for the holder of the GIL */
	LS_EV_STALL,   /* ls_ev_stall: the iteration has ended */
	LS_EV_FORK,    /* ls_ev_process */
	LS_EV_EXEC,
	LS_EV_EXIT, /* a loop thread or a process of the targets is gone */
};

struct ls_event_hdr {
	__u16 kind; /* enum ls_ev_kind */
	__u16 size; /* of the whole record, tail included */
	__u32 tgid, tid;
	__u32 cpu;
	__u64 ts_ns;
};

enum ls_capture_flags {
	LS_CAP_ONCPU = 1,     /* a sample of running code, else a block */
	LS_CAP_STACK_CUT = 2, /* the stack went on beyond the copy */
	LS_CAP_PY_TORN = 4,   /* the Python chain could not be walked to its end */
	LS_CAP_SNAPSHOT =
		8, /* taken from outside while it hung; the stack is to be read by the reader */
	LS_CAP_KERNEL = 16, /* the sample hit the kernel: registers are those at its entry */
	LS_CAP_NO_GIL = 32, /* a Python thread's sample, while it did not have the GIL */
};

/* A capture: `ns` of one iteration, spent `count` times in the same way as at this point. */
struct ls_ev_capture {
	struct ls_event_hdr hdr;
	__u64 iteration;             /* since the loop was found, from 1 */
	__u64 start_ns;              /* of the iteration */
	__u64 ns;                    /* time this capture stands for */
	__u32 count;                 /* blocks (or samples) it stands for */
	__u8 cause;                  /* enum ls_cause */
	__u8 flags;                  /* enum ls_capture_flags */
	__u16 slot;                  /* index of the loop's state */
	__u32 waker_tid, waker_tgid; /* who ended the block; 0 unknown or an interrupt */
	__s32 lock_owner; /* glibc mutex: __owner, a tid in the target's pid namespace; 0 unknown */
	__u32 lock_word;  /* futex: its value at the block */
	char comm[LS_COMM_LEN], waker_comm[LS_COMM_LEN];
	struct ls_call call;
	struct ls_regs regs;
	__u64 fsbase; /* thread pointer: names the PyThreadState */
	__u64 serial; /* of the loop's records; an interpreter's frames carry their capture's */
	__u32 nr_kstack;
	__u32 stack_bytes;
	__u64 kstack[LS_KSTACK_MAX]; /* leaf first */
	__u8 stack[];                /* user stack from rsp upwards, stack_bytes long */
};

/* One interpreter frame, leaf first. Fields keep CPython's names; meaning by version in src/symbols. */
struct ls_pyframe {
	__u64 frame; /* address: lies inside the native frame of its eval loop when on the C stack */
	__u64 code;  /* PyCodeObject, untagged */
	__u64 instr; /* prev_instr/instr_ptr as a pointer; 3.8-3.10: f_lasti, sign-extended */
	__u64 co_filename, co_name, co_qualname,
		co_linetable; /* pointers: they validate a cached code */
	__u32 co_flags;
	__s32 co_firstlineno;
	__u8 owner;
	__u8 is_entry;
	__u8 flags; /* PY_FRAME_* in bpf/python_abi.h */
	__u8 _pad[5];
};

struct ls_ev_python {
	struct ls_event_hdr hdr;
	__u64 serial; /* of the capture which it belongs to */
	__u64 tstate;
	__u64 cframe; /* 3.11, 3.12: the innermost _PyCFrame; the chain is in the stack's copy */
	__u32 thread_tid; /* of tstate, in the target's pid namespace; 0 unknown */
	__u16 nr_frames;
	__u16 flags; /* LS_CAP_PY_TORN, LS_CAP_STACK_CUT: more than LS_PYFRAMES_MAX */
	struct ls_pyframe frames[]; /* nr_frames */
};

struct ls_ev_stall {
	struct ls_event_hdr hdr;
	__u64 iteration;
	__u64 start_ns, end_ns;
	__u64 ledger_ns[LS_NR_CAUSES]; /* what they leave of the wall time is unaccounted */
	__u32 counts[LS_NR_CAUSES];    /* how many blocks, preemptions or samples */
	__s32 ready; /* events that the wait after it returned; 0 if it had to sleep; -1 unknown */
	__u32 captures; /* records sent for this iteration: fewer received means losses */
	__u16 slot;
	__u16 before_attach; /* it began before we looked: start_ns is when we did */
};

struct ls_ev_process {
	struct ls_event_hdr hdr;
	__u32 child;      /* FORK: the new process */
	__u32 is_process; /* EXIT: the whole process is gone, not just this thread */
	char comm[LS_COMM_LEN];
};

/* How a loop idles. For epoll and io_uring, fd names the loop's own wait; for poll and select it is
 * the stack depth (sp) at which the call is made. */
struct ls_home {
	__s32 nr; /* system call number */
	__s32 fd; /* -1 for poll and select */
	__u64 sp;
};

/* The state of one loop thread; user space maps the array and reads it without system calls. */
struct ls_loop_state {
	__u32 tid, tgid; /* tid 0: free */
	struct ls_home home;
	char comm[LS_COMM_LEN];
	__u64 generation; /* bumped when the slot is taken: a reader sees that it was reused */

	__u64 iteration;    /* number of the current or last one */
	__u64 start_ns;     /* of the iteration under way; 0 while idle in the home wait */
	__u64 off_since_ns; /* when it left the CPU; 0 while running */
	__u64 woken_ns;     /* when it was woken after that; 0 not yet */
	__u64 on_since_ns;  /* CPU time is counted up to here */
	__u64 stint_since_ns, stint_exec_ns; /* since it got the CPU: our clock, the scheduler's */
	__u64 stint_queued_ns;               /* run queue charged just before */
	__u64 wait_since_ns;                 /* when it went to sleep in the home wait; 0 awake */
	__u64 ledger_ns[LS_NR_CAUSES];       /* of the iteration under way */
	__u32 counts[LS_NR_CAUSES];
	__u64 pending_ns[LS_NR_CAUSES]; /* part of the ledger that no capture stands for yet */
	__u32 pending_counts[LS_NR_CAUSES];
	__u64 held_ns; /* the other buffer holds a block this long, to send if this becomes long */
	__u64 capture_credit_ns; /* see may_capture() */
	__u64 serial;            /* records sent */
	__u64 taken_place;       /* whose stack the buffer in use holds; 0 none: see take_stack() */
	__u64 home_hash;         /* of the top of its stack when that was last sent */
	__u32 captures;
	__u32 waker_tid, waker_tgid;
	char waker_comm[LS_COMM_LEN];
	__u8 off_kind;  /* why it is off the CPU: see bpf/account.h */
	__u8 off_cause; /* enum ls_cause of a block */
	__u8 captured;  /* the buffer in use holds the stack of this block */
	__u8 buffer;    /* which of the loop's two capture buffers is in use */
	__u8 throttled; /* its wait for a CPU is the bandwidth controller's doing */
	__u8 before_attach;
	__u8 at_boundary; /* its own boundary is being accounted: samples and switches stand back */
	__u8 mixed;       /* the ledger under way has more than CPU time */
	__u32 pair;       /* which capture buffers the iteration has taken, + 1; 0 none yet */
	__u32 _pad2;

	/* Totals since the loop was found. */
	__u64 iterations, stalls;
	__u64 busy_ns, wait_ns; /* in iterations, in the home wait */
	__u64 max_ns;
	__u64 stalled_ns[LS_NR_CAUSES]; /* ledgers of the stalls, added up */
	__u64 stalled_wall_ns;
	__u32 histogram[LS_HIST_BUCKETS]; /* iteration lengths: hist_bucket() in bpf/account.h */
};

/* What went wrong, counted; a report shows each that is not zero. */
enum ls_loss {
	LS_LOST_STALLS,   /* ring buffer full: a stall is missing */
	LS_LOST_CAPTURES, /* ring buffer full: a stall lacks a stack */
	LS_LOST_LOOPS,    /* no free slot: a loop is not traced */
	LS_LOST_SAMPLES,  /* no buffer free: CPU time without a stack */
	LS_LOST_EVENTS,   /* ring buffer full: fork, exec or exit unseen */
	LS_NR_LOSSES,
};

#define LS_ASSERT_SIZE(t, n) _Static_assert(sizeof(struct t) == (n), "ABI: " #t)
LS_ASSERT_SIZE(ls_event_hdr, 24);
LS_ASSERT_SIZE(ls_pyframe, 72);
LS_ASSERT_SIZE(ls_home, 16);

#endif
