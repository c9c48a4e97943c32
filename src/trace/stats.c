/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privileges.h"
#include "trace/stats.h"

#ifdef __aarch64__
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#define THIS_ARCH AUDIT_ARCH_X86_64
#endif

static int broker = -1; /* our end of the child's socket */

/* --- the child --------------------------------------------------------------------------------- */

static int send_fd(int to, int fd)
{
	char byte = fd >= 0, control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/*
 * From now on: read, send, close, BPF_ENABLE_STATS and the end. CAP_SYS_ADMIN alone would let it mount
 * file systems; this does not.
 */
static int allow_windows_alone(void)
{
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW_IF(v) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define UNLESS(v) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, 1, 0)
	struct sock_filter rules[] = {
		LOAD(arch),
		UNLESS(THIS_ARCH),
		REFUSE,
		LOAD(nr),
		ALLOW_IF(SYS_read),
		ALLOW_IF(SYS_sendmsg),
		ALLOW_IF(SYS_close),
		ALLOW_IF(SYS_exit_group),
		UNLESS(SYS_bpf),
		REFUSE,
		LOAD(args[0]),
		ALLOW_IF(BPF_ENABLE_STATS),
		REFUSE,
	};
	struct sock_fprog program = {sizeof(rules) / sizeof(rules[0]), rules};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int open_window(void)
{
	union bpf_attr attr = {.enable_stats.type = BPF_STATS_RUN_TIME};

	return syscall(SYS_bpf, BPF_ENABLE_STATS, &attr, sizeof(attr));
}

static void serve(int fd, const struct identity *who)
{
	sigset_t none;
	char byte;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN); /* a terminal's Ctrl-C: it ends when its parent does */
	prctl(PR_SET_NAME, "loopstall-stats");
	dup2(fd, 3);
	syscall(SYS_close_range, 4U, ~0U, 0U);
	if (privileges__keep(CAP_BIT(CAP_SYS_ADMIN), who) || allow_windows_alone())
		_exit(1);
	while (read(3, &byte, 1) == 1) {
		int window = open_window();

		if (send_fd(3, window))
			break;
		if (window >= 0)
			close(window);
	}
	_exit(0);
}

int stats__keep(const struct identity *who)
{
	int fds[2];
	pid_t pid;

	if (!privileges__has(CAP_SYS_ADMIN))
		return -EPERM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(fds[0]);
		serve(fds[1], who);
	}
	close(fds[1]);
	broker = fds[0];
	return 0;
}

/* --- its user ---------------------------------------------------------------------------------- */

static int receive_fd(int from)
{
	char byte, control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int stats__open_window(void)
{
	if (broker < 0)
		return bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (send(broker, "w", 1, MSG_NOSIGNAL) != 1)
		return -1;
	return receive_fd(broker);
}
