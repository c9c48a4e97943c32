/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * For tests of symbols: builds programs in a directory of their own, starts them, and captures a
 * thread as the kernel side does (registers and up to 32 KiB of stack), but by ptrace.
 */
#ifndef LS_TESTS_TARGET_H
#define LS_TESTS_TARGET_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"

struct target {
	pid_t pid;
	FILE *to, *from;
};

struct capture {
	struct ls_regs regs;
	uint8_t stack[LS_STACK_MAX];
	size_t bytes;
};

/* Runs a shell command made by printf; fails the test if it fails. */
static __attribute__((format(printf, 1, 2), unused)) void run(const char *fmt, ...)
{
	char *command;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&command, fmt, ap) > 0);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
	free(command);
}

/* A line of what the target prints. */
static __attribute__((unused)) void expect_line(struct target *t, const char *line)
{
	char buf[256] = "";

	if (!fgets(buf, sizeof(buf), t->from))
		fail_msg("the target ended");
	buf[strcspn(buf, "\n")] = '\0';
	assert_string_equal(buf, line);
}

/* Starts argv[0], in `root` if that is given; it dies with the test. */
static __attribute__((unused)) struct target start(const char *root, const char *const argv[])
{
	int to[2], from[2];
	struct target t;

	assert_int_equal(pipe(to) | pipe(from), 0);
	t.pid = fork();
	assert_true(t.pid >= 0);
	if (t.pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		if (root && (chroot(root) || chdir("/")))
			_exit(126);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	t.to = fdopen(to[1], "w");
	t.from = fdopen(from[0], "r");
	return t;
}

static __attribute__((unused)) void stop(struct target *t)
{
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	fclose(t->to);
	fclose(t->from);
}

static __attribute__((unused)) size_t peek(pid_t tid, uint64_t addr, void *buf, size_t bytes)
{
	struct iovec local = {.iov_base = buf}, remote;
	size_t done = 0, n;

	while (done < bytes) { /* page by page up to the first that is not there */
		n = 4096 - (addr + done) % 4096;
		n = n < bytes - done ? n : bytes - done;
		local = (struct iovec){.iov_base = (char *)buf + done, .iov_len = n};
		remote = (struct iovec){.iov_base = (void *)(uintptr_t)(addr + done), .iov_len = n};
		if (process_vm_readv(tid, &local, 1, &remote, 1, 0) != (ssize_t)n)
			break;
		done += n;
	}
	return done;
}

static __attribute__((unused)) struct ls_regs dwarf_regs(const struct user_regs_struct *u)
{
	return (struct ls_regs){{u->rax, u->rdx, u->rcx, u->rbx, u->rsi, u->rdi, u->rbp, u->rsp,
				 u->r8, u->r9, u->r10, u->r11, u->r12, u->r13, u->r14, u->r15,
				 u->rip}};
}

static __attribute__((unused)) void capture(pid_t tid, struct capture *c)
{
	struct user_regs_struct user;
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, tid, 0, 0), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, tid, 0, 0), 0);
	assert_int_equal(waitpid(tid, &status, __WALL), tid);
	assert_int_equal(ptrace(PTRACE_GETREGS, tid, 0, &user), 0);
	c->regs = dwarf_regs(&user);
	c->bytes = peek(tid, user.rsp, c->stack, sizeof(c->stack));
	ptrace(PTRACE_DETACH, tid, 0, 0);
}

/* Waits until the thread sleeps in a system call: "ready" is printed a little before. */
static __attribute__((unused)) void wait_asleep(pid_t tid)
{
	char path[64], buf[512], *state;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	for (int i = 0; i < 5000; i++) {
		f = fopen(path, "r");
		assert_non_null(f);
		n = fread(buf, 1, sizeof(buf) - 1, f);
		fclose(f);
		buf[n] = '\0';
		state = strrchr(buf, ')');
		if (state && state[2] == 'S')
			return;
		usleep(1000);
	}
	fail_msg("the target does not sleep");
}

/* The other thread of a process with two. */
static __attribute__((unused)) pid_t second_thread(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	pid_t tid = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (atoi(entry->d_name) != pid && atoi(entry->d_name))
			tid = atoi(entry->d_name);
	closedir(dir);
	assert_true(tid > 0);
	return tid;
}

#endif
