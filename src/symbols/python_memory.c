/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading a target's memory, without stopping it. */
#include "symbols/python_internal.h"

#include <errno.h>
#include <string.h>

#include "symbols/maps.h"

int target__read(pid_t pid, uint64_t addr, void *buf, size_t size)
{
	return maps__peek(pid, addr, buf, size) == size ? 0 : -EFAULT;
}

uint64_t target__u64(pid_t pid, uint64_t addr)
{
	uint64_t v;

	return target__read(pid, addr, &v, sizeof(v)) == 0 ? v : 0;
}

uint32_t target__u32(pid_t pid, uint64_t addr)
{
	uint32_t v;

	return target__read(pid, addr, &v, sizeof(v)) == 0 ? v : 0;
}

uint8_t target__u8(pid_t pid, uint64_t addr)
{
	uint8_t v;

	return target__read(pid, addr, &v, sizeof(v)) == 0 ? v : 0;
}

bool target__string(pid_t pid, uint64_t addr, char *buf, size_t size)
{
	enum { PAGE = 4096 };
	size_t n = PAGE - addr % PAGE; /* up to the page's end, then once beyond it */

	if (n > size - 1)
		n = size - 1;
	if (target__read(pid, addr, buf, n) != 0)
		return false;
	if (!memchr(buf, 0, n) && target__read(pid, addr + n, buf + n, size - 1 - n) == 0)
		n = size - 1;
	buf[n] = '\0';
	return true;
}
