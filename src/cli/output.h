/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Standard streams as every subcommand needs them: there, and not failing in silence. */
#ifndef LS_CLI_OUTPUT_H
#define LS_CLI_OUTPUT_H

#include <stdbool.h>

/* To be called first. A closed descriptor 0, 1 or 2 is taken, so that no file or BPF map gets its number
 * and a report with it: using it fails with EBADF, but for stderr, which is discarded. Writing to a
 * pipe whose reader has gone becomes an error instead of a signal. */
void output__guard(void);

/* The exit status, once what stdout still holds is written: 1 instead of 0 when it cannot be, said why.
 * A reader that has gone away had enough. */
int output__finish(int status);

/* An error (-errno) that a reporter returns when its file cannot be written: nobody has said so yet. */
bool output__is_write_error(int err);

#endif
