// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * forker [SECONDS]: a loop whose descendants stall. Once begun (a line on standard input) it
 * forks a child with an epoll loop of its own, starts a loop thread, and later starts another:
 * each stalls 20 ms in a sleep of its own five times a second, the parent's loop never does.
 * Prints `ready PID`, then one line `loop NAME pid tid` for each loop that began.
 */
#include "staller.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define STALL_NS  (20 * MSEC)
#define PERIOD_MS 180

static uint64_t end_ns = UINT64_MAX;

SITE void stall_in_child(void)
{
	nap(STALL_NS);
	__asm__ volatile("" ::: "memory");
}

SITE void stall_in_thread(void)
{
	nap(STALL_NS);
	__asm__ volatile("" ::: "memory");
}

static void __attribute__((noinline)) run_loop(const char *name, int period_ms, void (*stall)(void))
{
	int home = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create");
	struct epoll_event ev;

	prctl(PR_SET_NAME, name);
	printf("loop %s %d %d\n", name, getpid(), thread_id());
	fflush(stdout);
	while (now_ns() < end_ns) {
		must(epoll_wait(home, &ev, 1, period_ms), "epoll_wait");
		if (stall)
			stall();
	}
	close(home);
}

static void *thread_main(void *arg)
{
	run_loop(arg, PERIOD_MS, stall_in_thread);
	return NULL;
}

static pthread_t early, late;
static uint64_t late_ns;

static void start_thread(pthread_t *thread, const char *name)
{
	if (pthread_create(thread, NULL, thread_main, (void *)(uintptr_t)name))
		errx(1, "no thread");
}

/* The parent's turn: healthy, and at its time it starts the late thread. */
static void turn(void)
{
	if (!late && now_ns() >= late_ns)
		start_thread(&late, "late-loop");
}

static pid_t start_child(void)
{
	pid_t pid = must(fork(), "fork");

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_loop("child-loop", PERIOD_MS, stall_in_child);
		_exit(0);
	}
	return pid;
}

int main(int argc, char **argv)
{
	uint64_t run_ns = (argc > 1 ? number("SECONDS", argv[1], 1) : 3) * SEC;
	int home = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create");
	struct epoll_event ev = {.events = EPOLLIN};
	char line[16];
	pid_t child;

	printf("ready %d\n", getpid());
	fflush(stdout);
	/* A healthy loop while it waits for the word. */
	if (epoll_ctl(home, EPOLL_CTL_ADD, 0, &ev) == 0)
		while (must(epoll_wait(home, &ev, 1, 5), "epoll_wait") == 0)
			;
	must(read(0, line, sizeof(line)), "stdin");
	must(close(home), "close");

	end_ns = now_ns() + run_ns;
	child = start_child();
	start_thread(&early, "early-loop");
	late_ns = now_ns() + run_ns / 3;
	run_loop("forker", 5, turn);
	pthread_join(early, NULL);
	pthread_join(late, NULL);
	must(waitpid(child, NULL, 0), "waitpid");
	return 0;
}
