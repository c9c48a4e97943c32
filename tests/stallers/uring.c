// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * uring [SECONDS]: a loop on an io_uring, by raw system calls: it submits a time-out of 5 ms,
 * idles in io_uring_enter with IORING_ENTER_GETEVENTS, and ten times a second stalls 20 ms in a
 * sleep. Prints `ready PID`, begins to stall at a line on standard input, ends with `stalls N`.
 * 77: the kernel has no io_uring, or forbids it.
 */
#include "staller.h"

#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <sys/mman.h>

#define STALL_NS  (20 * MSEC)
#define PERIOD_NS (100 * MSEC)

static struct {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
} ring;

static void *map(size_t size, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
		       offset);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static int open_ring(void)
{
	struct io_uring_params p = {0};
	char *sq, *cq;

	ring.fd = syscall(SYS_io_uring_setup, 8, &p);
	if (ring.fd < 0) {
		fprintf(stderr, "uring: io_uring_setup: %s\n", strerror(errno));
		return -1;
	}
	sq = map(p.sq_off.array + p.sq_entries * sizeof(unsigned int), IORING_OFF_SQ_RING);
	cq = map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	ring.sqes = map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	ring.sq_mask = (unsigned int *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned int *)(sq + p.sq_off.array);
	ring.cq_head = (unsigned int *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned int *)(cq + p.cq_off.tail);
	return 0;
}

static void queue_timeout(const struct __kernel_timespec *t)
{
	unsigned int i = *ring.sq_tail & *ring.sq_mask;

	ring.sqes[i] = (struct io_uring_sqe){
		.opcode = IORING_OP_TIMEOUT, .addr = (uint64_t)(uintptr_t)t, .len = 1};
	ring.sq_array[i] = i;
	__atomic_store_n(ring.sq_tail, *ring.sq_tail + 1, __ATOMIC_RELEASE);
}

static void take_completions(void)
{
	__atomic_store_n(ring.cq_head, __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
}

SITE void stall_sleep(void)
{
	nap(STALL_NS);
	__asm__ volatile("" ::: "memory");
}

static bool begun(void)
{
	char line[16];

	return read(0, line, sizeof(line)) >= 0;
}

static long __attribute__((noinline)) run_loop(uint64_t run_ns)
{
	static const struct __kernel_timespec tick = {.tv_nsec = 5 * MSEC};
	uint64_t end = UINT64_MAX, next = 0, now;
	long stalls = 0;

	while ((now = now_ns()) < end) {
		if (end == UINT64_MAX && begun())
			end = now + run_ns;
		if (end != UINT64_MAX && now >= next) {
			next = now + PERIOD_NS;
			stall_sleep();
			stalls++;
		}
		queue_timeout(&tick);
		must(syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0),
		     "io_uring_enter");
		take_completions();
	}
	return stalls;
}

int main(int argc, char **argv)
{
	uint64_t run_ns = (argc > 1 ? number("SECONDS", argv[1], 1) : 2) * SEC;

	if (open_ring())
		return 77;
	must(fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK), "stdin");
	printf("ready %d\n", getpid());
	fflush(stdout);
	printf("stalls %ld\n", run_loop(run_ns));
	return 0;
}
