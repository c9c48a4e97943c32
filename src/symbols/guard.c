/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "symbols/guard.h"

enum { PAGE_BYTES = 4096 };

static volatile sig_atomic_t depth;
static struct sigaction old_action;
static struct rlimit old_limit;
static bool limited;
static uint64_t deadline_ns;

/* mmap is no async-signal-safe function by POSIX; on Linux it is a bare system call. */
static void on_sigbus(int signo, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)(PAGE_BYTES - 1);

	(void)context;
	if (depth && info->si_code == BUS_ADRERR &&
	    mmap((void *)page, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != MAP_FAILED)
		return;
	/* Not ours: the faulting instruction runs again and meets the action of before. */
	sigaction(signo, &old_action, NULL);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* What RLIMIT_DATA counts: the sixth field of statm, in pages. 0: unknown. */
static uint64_t data_bytes(void)
{
	unsigned long long pages = 0;
	char buf[256];
	ssize_t n;
	int fd;

	fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	if (sscanf(buf, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit_memory(void)
{
	struct rlimit limit;
	uint64_t bytes = data_bytes();

	limited = false;
	if (!bytes || getrlimit(RLIMIT_DATA, &old_limit))
		return;
	limit = old_limit;
	if (limit.rlim_cur <= bytes + GUARD_BYTES)
		return;
	limit.rlim_cur = bytes + GUARD_BYTES;
	limited = setrlimit(RLIMIT_DATA, &limit) == 0;
}

void guard__enter(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	if (depth++)
		return;
	sigaction(SIGBUS, &action, &old_action);
	limit_memory();
	deadline_ns = cpu_ns() + GUARD_NS;
}

bool guard__expired(void)
{
	static unsigned int calls;

	/* The clock is a system call, while a step of the loops that ask is a microsecond at most.
	 */
	return ++calls % 16 == 0 && cpu_ns() > deadline_ns;
}

bool guard__leave(void)
{
	if (--depth == 0) {
		sigaction(SIGBUS, &old_action, NULL);
		if (limited)
			setrlimit(RLIMIT_DATA, &old_limit);
	}
	return cpu_ns() > deadline_ns;
}
