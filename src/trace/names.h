/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a captured call is called: "recvfrom" on "tcp 127.0.0.1:5432". */
#ifndef LS_TRACE_NAMES_H
#define LS_TRACE_NAMES_H

#include <stdint.h>

#include "events.h"

struct strings;

/* Name of a system call by its number; NULL unknown. Static. */
const char *call_name(int32_t nr);

/* The object that a call waited for, in the pool; NULL when nothing is known of it. */
const char *object_name(struct strings *pool, const struct ls_call *call);

#endif
