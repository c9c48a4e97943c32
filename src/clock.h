/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Clocks in nanoseconds. */
#ifndef LS_CLOCK_H
#define LS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock__ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static inline uint64_t clock__mono_ns(void)
{
	return clock__ns(CLOCK_MONOTONIC);
}

static inline uint64_t clock__real_ns(void)
{
	return clock__ns(CLOCK_REALTIME);
}

#endif
