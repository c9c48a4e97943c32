/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a blocking system call waits for, by its number (x86-64). Calls on a descriptor are told apart
 * further by the object behind it (object.bpf.h).
 */
#ifndef LS_SYSCALLS_BPF_H
#define LS_SYSCALLS_BPF_H

#include <asm/unistd_64.h>

#ifndef __NR_epoll_pwait2
#define __NR_epoll_pwait2 441
#endif
#ifndef __NR_futex_waitv
#define __NR_futex_waitv 449
#endif
#ifndef __NR_futex_wake
#define __NR_futex_wake 454 /* Linux 6.7 */
#endif
#ifndef __NR_futex_wait
#define __NR_futex_wait 455 /* Linux 6.7 */
#endif
enum { NR_CALLS = 512 };

enum call_class {
	CALL_OTHER,
	CALL_FD,      /* what its first argument's object says */
	CALL_DISK,    /* whole file systems, or no descriptor to tell which */
	CALL_PATH,    /* file-system metadata by path: the first argument */
	CALL_PATH_AT, /* the second, after the descriptor of a directory */
	CALL_DISK_FD, /* on a file, whatever kind */
	CALL_SLEEP,
	CALL_LOCK,
	CALL_FLOCK, /* a lock on the descriptor in the first argument */
	CALL_FCNTL, /* a lock when the command says so */
	CALL_PROCESS,
	CALL_POLL,
	CALL_SELECT,
	CALL_EPOLL,
	CALL_URING,
};

static const volatile __u8 call_classes[NR_CALLS] = {
	[__NR_read] = CALL_FD,
	[__NR_write] = CALL_FD,
	[__NR_readv] = CALL_FD,
	[__NR_writev] = CALL_FD,
	[__NR_pread64] = CALL_FD,
	[__NR_pwrite64] = CALL_FD,
	[__NR_preadv] = CALL_FD,
	[__NR_pwritev] = CALL_FD,
	[__NR_preadv2] = CALL_FD,
	[__NR_pwritev2] = CALL_FD,
	[__NR_sendfile] = CALL_FD,
	[__NR_splice] = CALL_FD,
	[__NR_tee] = CALL_FD,
	[__NR_vmsplice] = CALL_FD,
	[__NR_recvfrom] = CALL_FD,
	[__NR_recvmsg] = CALL_FD,
	[__NR_recvmmsg] = CALL_FD,
	[__NR_sendto] = CALL_FD,
	[__NR_sendmsg] = CALL_FD,
	[__NR_sendmmsg] = CALL_FD,
	[__NR_connect] = CALL_FD,
	[__NR_accept] = CALL_FD,
	[__NR_accept4] = CALL_FD,
	[__NR_shutdown] = CALL_FD,
	[__NR_close] = CALL_FD,
	[__NR_ioctl] = CALL_FD,
	[__NR_lseek] = CALL_FD,
	[__NR_fsync] = CALL_DISK_FD,
	[__NR_fdatasync] = CALL_DISK_FD,
	[__NR_sync_file_range] = CALL_DISK_FD,
	[__NR_syncfs] = CALL_DISK_FD,
	[__NR_ftruncate] = CALL_DISK_FD,
	[__NR_fallocate] = CALL_DISK_FD,
	[__NR_fstat] = CALL_FD,
	[__NR_getdents] = CALL_DISK_FD,
	[__NR_getdents64] = CALL_DISK_FD,
	[__NR_copy_file_range] = CALL_DISK_FD,
	[__NR_readahead] = CALL_DISK_FD,
	[__NR_fadvise64] = CALL_DISK_FD,
	[__NR_fchmod] = CALL_DISK_FD,
	[__NR_fchown] = CALL_DISK_FD,
	[__NR_sync] = CALL_DISK,
	[__NR_msync] = CALL_DISK,
	[__NR_open] = CALL_PATH,
	[__NR_openat] = CALL_PATH_AT,
	[__NR_openat2] = CALL_PATH_AT,
	[__NR_creat] = CALL_PATH,
	[__NR_stat] = CALL_PATH,
	[__NR_lstat] = CALL_PATH,
	[__NR_newfstatat] = CALL_PATH_AT,
	[__NR_statx] = CALL_PATH_AT,
	[__NR_access] = CALL_PATH,
	[__NR_faccessat] = CALL_PATH_AT,
	[__NR_faccessat2] = CALL_PATH_AT,
	[__NR_rename] = CALL_PATH,
	[__NR_renameat] = CALL_PATH_AT,
	[__NR_renameat2] = CALL_PATH_AT,
	[__NR_unlink] = CALL_PATH,
	[__NR_unlinkat] = CALL_PATH_AT,
	[__NR_mkdir] = CALL_PATH,
	[__NR_mkdirat] = CALL_PATH_AT,
	[__NR_rmdir] = CALL_PATH,
	[__NR_link] = CALL_PATH,
	[__NR_linkat] = CALL_PATH_AT,
	[__NR_symlink] = CALL_DISK,
	[__NR_symlinkat] = CALL_DISK,
	[__NR_readlink] = CALL_PATH,
	[__NR_readlinkat] = CALL_PATH_AT,
	[__NR_truncate] = CALL_PATH,
	[__NR_chmod] = CALL_PATH,
	[__NR_fchmodat] = CALL_PATH_AT,
	[__NR_chown] = CALL_PATH,
	[__NR_lchown] = CALL_PATH,
	[__NR_fchownat] = CALL_PATH_AT,
	[__NR_utimensat] = CALL_PATH_AT,
	[__NR_statfs] = CALL_PATH,
	[__NR_fstatfs] = CALL_DISK_FD,
	[__NR_io_getevents] = CALL_DISK,
	[__NR_nanosleep] = CALL_SLEEP,
	[__NR_clock_nanosleep] = CALL_SLEEP,
	[__NR_futex] = CALL_LOCK,
	[__NR_futex_waitv] = CALL_LOCK,
	[__NR_futex_wait] = CALL_LOCK,
	[__NR_flock] = CALL_FLOCK,
	[__NR_fcntl] = CALL_FCNTL,
	[__NR_wait4] = CALL_PROCESS,
	[__NR_waitid] = CALL_PROCESS,
	[__NR_vfork] = CALL_PROCESS,
	[__NR_fork] = CALL_PROCESS,
	[__NR_clone] = CALL_PROCESS,
	[__NR_clone3] = CALL_PROCESS,
	[__NR_execve] = CALL_PROCESS,
	[__NR_execveat] = CALL_PROCESS,
	[__NR_poll] = CALL_POLL,
	[__NR_ppoll] = CALL_POLL,
	[__NR_select] = CALL_SELECT,
	[__NR_pselect6] = CALL_SELECT,
	[__NR_epoll_wait] = CALL_EPOLL,
	[__NR_epoll_pwait] = CALL_EPOLL,
	[__NR_epoll_pwait2] = CALL_EPOLL,
	[__NR_io_uring_enter] = CALL_URING,
};

static __always_inline __u8 call_class(__s64 nr)
{
	__u64 i = nr;

	if (i >= NR_CALLS)
		return CALL_OTHER;
	asm volatile("%0 &= 511" : "+r"(i)); /* what the compiler knows, the verifier must see */
	return call_classes[i];
}

/* The waits in which a loop can idle. */
static __always_inline bool is_wait_call(__s64 nr)
{
	return call_class(nr) >= CALL_POLL;
}

/* Waits which name their own descriptor; poll and select are known by where they are called. */
static __always_inline bool wait_has_fd(__s64 nr)
{
	return call_class(nr) >= CALL_EPOLL;
}

#endif
