/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the stallers share: clocks, spinning and napping, argument parsing, random numbers.
 * Header only, so that each staller stays one file and one command line to build.
 */
#ifndef LS_STALLER_H
#define LS_STALLER_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define USEC 1000ull
#define MSEC 1000000ull
#define SEC  1000000000ull

/*
 * A function which must be found again in a stack: own symbol, not inlined, not cloned. Its last
 * act must not be a call, or the compiler makes a jump of it and the frame is gone.
 */
#define SITE static __attribute__((noinline, noclone))

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t thread_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = ns / SEC, .tv_nsec = ns % SEC};
}

static inline void spin_until(uint64_t end_ns)
{
	while (now_ns() < end_ns)
		;
}

static inline void nap(uint64_t ns)
{
	struct timespec left = to_timespec(ns);

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static inline pid_t thread_id(void)
{
	return syscall(SYS_gettid);
}

/* splitmix64: the same iterations from the same seed, on every libc. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline uint64_t random_between(uint64_t *state, uint64_t least, uint64_t greatest)
{
	return least + random_next(state) % (greatest - least + 1);
}

/* A number from the command line, which must be one and not less than least. */
static inline long number(const char *name, const char *text, long least)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < least)
		errx(2, "%s: not a number of at least %ld: %s", name, least, text);
	return n;
}

/* Does not return on failure: a staller without its descriptors has nothing to show. */
static inline int must(int ret, const char *what)
{
	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

#endif
