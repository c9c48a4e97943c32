// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * idle [LOOPS [TICK_MS]]: LOOPS threads (default 4), each an epoll loop of its own that wakes
 * every TICK_MS (default 100; 0: never) and does nothing. No stall must be reported. With LOOPS
 * 0 no thread has a loop at all: the process just sleeps. Prints `ready PID`; ends by signal.
 */
#include "staller.h"

#include <pthread.h>
#include <sys/epoll.h>

static long tick_ms = 100;

static void *loop_main(void *arg)
{
	int home = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create");
	struct epoll_event ev;
	char name[16];

	snprintf(name, sizeof(name), "idle-%ld", (long)(intptr_t)arg);
	pthread_setname_np(pthread_self(), name);
	for (;;)
		epoll_wait(home, &ev, 1, tick_ms ? (int)tick_ms : -1);
	return NULL;
}

int main(int argc, char **argv)
{
	long loops = argc > 1 ? number("LOOPS", argv[1], 0) : 4, i;
	pthread_t t;

	if (argc > 2)
		tick_ms = number("TICK_MS", argv[2], 0);
	for (i = 0; i < loops; i++)
		if (pthread_create(&t, NULL, loop_main, (void *)(intptr_t)i))
			errx(1, "no thread");
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (;;)
		nap(3600 * SEC);
}
