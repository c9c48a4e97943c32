/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A file that appears under its name whole or not at all. Until then it has no name (O_TMPFILE), or
 * a temporary one beside it where the file system cannot do without. What is not a regular file (a
 * pipe, /dev/stdout) is written in place.
 */
#ifndef LS_MODEL_ATOMICFILE_H
#define LS_MODEL_ATOMICFILE_H

struct atomicfile;

/* NULL: errno. "-" is standard output. */
struct atomicfile *atomicfile__new(const char *path);
int atomicfile__fd(const struct atomicfile *f);

/* Flushes to the disk and gives the file its name, over an older one. 0 or -errno. */
int atomicfile__commit(struct atomicfile *f);

/* Without a commit nothing remains. */
void atomicfile__free(struct atomicfile *f);

#endif
