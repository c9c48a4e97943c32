/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Giving up what is no longer needed, for good. */
#ifndef LS_PRIVILEGES_H
#define LS_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF     39
#endif

#define CAP_BIT(cap) (1ULL << (cap))

struct identity {
	uid_t uid;
	gid_t gid;
};

/* Who the user of this name is; who is not root stays who it is. 0 or -errno; why was printed. */
int privileges__find_user(const char *name, struct identity *who);

/*
 * The user becomes `who` (when it was root), and of the capabilities those of `mask` remain, as far as
 * they were there, in the bounding set too; no_new_privs. 0 or -errno; why was printed.
 */
int privileges__keep(uint64_t mask, const struct identity *who);

/* Whether the capability is in the permitted set. */
bool privileges__has(int cap);

#endif
