/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Label values. Names come from the targets, which may call themselves anything. They are cleaned
 * before they become keys (two that look alike must not become two series of one name), and escaped
 * when they are written.
 */
#ifndef LS_EXPORT_LABELS_H
#define LS_EXPORT_LABELS_H

#include <stddef.h>
#include <sys/types.h>

#include "model/stall.h"

struct buffer;

enum { LABEL_SITE_BYTES = 256, LABEL_CGROUP_BYTES = 256, LABEL_CONTAINER_BYTES = 65 };

/* Valid UTF-8 without control characters; cut between characters when it does not fit. */
void label__clean(const char *value, char *out, size_t bytes);

/* ,name="value" (the comma only when something precedes in the braces). */
void label__write(struct buffer *out, const char *name, const char *value, bool comma);

/* "handler (/srv/app.py:18)", clean. CPU time has no line: each sample would be a site of its own. */
void label__site(const struct ls_frame *site, enum ls_cause cause, char *out, size_t bytes);

/* pid's cgroup (v2, else that of the cpu controller) and the container's id in it: 64 hexadecimal
 * digits as docker, containerd and CRI-O name their groups. Empty when there is none. */
void label__cgroup(pid_t pid, char cgroup[LABEL_CGROUP_BYTES],
		   char container[LABEL_CONTAINER_BYTES]);
/* The id in a path; false when there is none. */
bool label__container(const char *path, char container[LABEL_CONTAINER_BYTES]);

#endif
