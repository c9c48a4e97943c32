/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Names of the model's enums, and the ledger's sum. */
#include <string.h>

#include "model/stall.h"

static const char *const cause_names[LS_NR_CAUSES] = {
	[LS_CPU] = "cpu",         [LS_RUNQUEUE] = "runqueue", [LS_THROTTLED] = "throttled",
	[LS_SLEEP] = "sleep",     [LS_NETWORK] = "network",   [LS_DISK] = "disk",
	[LS_LOCK] = "lock",       [LS_GIL] = "gil",           [LS_PAGE_FAULT] = "page_fault",
	[LS_PROCESS] = "process", [LS_PIPE] = "pipe",         [LS_POLL] = "poll",
	[LS_OTHER] = "other",
};

const char *ls_cause__name(enum ls_cause cause)
{
	return (unsigned int)cause < LS_NR_CAUSES ? cause_names[cause] : "?";
}

bool ls_cause__parse(const char *name, enum ls_cause *cause)
{
	for (int i = 0; i < LS_NR_CAUSES; i++) {
		if (strcmp(name, cause_names[i]) != 0)
			continue;
		*cause = i;
		return true;
	}
	return false;
}

const char *ls_frame_kind__name(enum ls_frame_kind kind)
{
	static const char *const names[] = {
		[LS_FRAME_NATIVE] = "native",
		[LS_FRAME_PYTHON] = "python",
		[LS_FRAME_KERNEL] = "kernel",
		[LS_FRAME_JIT] = "jit",
	};

	return (unsigned int)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}

uint64_t ls_ledger__sum(const struct ls_ledger *ledger)
{
	uint64_t sum = ledger->unaccounted_ns;

	for (int i = 0; i < LS_NR_CAUSES; i++)
		sum += ledger->ns[i];
	return sum;
}
