/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "symbols/guard.h"

enum { PAGE_BYTES = 4096 };

static volatile sig_atomic_t depth;
static struct sigaction old_action;

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

void guard__enter(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	if (depth++ == 0)
		sigaction(SIGBUS, &action, &old_action);
}

void guard__leave(void)
{
	if (--depth == 0)
		sigaction(SIGBUS, &old_action, NULL);
}
