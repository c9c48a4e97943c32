/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What /proc says of processes and threads. Everything may be gone at the next look: -ESRCH. */
#ifndef LS_TRACE_PROC_H
#define LS_TRACE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a thread stands: /proc/PID/task/TID/syscall. */
struct proc_syscall {
	bool running; /* on a CPU, or waiting for one: nothing else is known */
	long nr;      /* -1: blocked outside a system call */
	uint64_t args[6];
	uint64_t sp, pc;
};

/* 0 or -errno; EPERM without ptrace permission. */
int proc__syscall(pid_t pid, pid_t tid, struct proc_syscall *out);

/* The thread's name into comm; "?" when it is gone. */
void proc__comm(pid_t pid, pid_t tid, char comm[16]);

/* The command line, its NULs as blanks, cut at `size`; "" when there is none. */
void proc__command_line(pid_t pid, char *buf, size_t size);

bool proc__exists(pid_t pid);
bool proc__is_zombie(pid_t pid); /* ended, and its parent has not looked yet */
/* -1: not known. */
pid_t proc__parent(pid_t pid);
bool proc__has_thread(pid_t pid, pid_t tid);
bool proc__is_kernel_thread(pid_t pid);
/* A 32-bit program; its system call numbers are others. */
bool proc__is_compat(pid_t pid);
/* The process a thread belongs to; -ESRCH. */
pid_t proc__tgid(pid_t tid);

/* tids of pid, sorted; *tids is malloc'ed. How many, or -errno. */
ssize_t proc__threads(pid_t pid, pid_t **tids);
/* pid's descendants, itself not among them; *pids is malloc'ed. How many, or -errno. */
ssize_t proc__descendants(pid_t pid, pid_t **pids);

/* Calls fn for each epoll descriptor of pid until it returns false. */
int proc__each_epoll(pid_t pid, bool (*fn)(void *arg, int fd), void *arg);

/* The host-wide tid of the thread which pid's own pid namespace calls `ns_tid`; -ESRCH. */
pid_t proc__tid_from_ns(pid_t pid, pid_t ns_tid);

/* This process's CPU time so far, and its resident set in bytes. */
uint64_t proc__own_cpu_ns(void);
uint64_t proc__own_rss_bytes(void);

#endif
