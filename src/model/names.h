/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What formats print for things of the model: a frame's name, a call in one line, a length of time.
 */
#ifndef LS_MODEL_NAMES_H
#define LS_MODEL_NAMES_H

#include <stddef.h>

#include "model/stall.h"

/* The function, else module+0xoffset, else "[jit]" or "[unknown]". Cut at `bytes`; returns buf. */
const char *names__frame(const struct ls_frame *frame, char *buf, size_t bytes);

/* As it is called: a Python function of an installed package or of the standard library with the
 * names of its packages before it ("requests.get", "sqlalchemy.orm.Session.execute"). */
const char *names__callee(const struct ls_frame *frame, char *buf, size_t bytes);

/* "function (file:line)": a site. */
const char *names__place(const struct ls_frame *frame, char *buf, size_t bytes);

/* The same in so many columns, where possible: of a path its last components, of a long name its
 * beginning, but the file and line in any case. */
const char *names__place_in(const struct ls_frame *frame, size_t columns, char *buf, size_t bytes);

/* The same of a callee. */
const char *names__called_place_in(const struct ls_frame *frame, size_t columns, char *buf,
				   size_t bytes);

/* "recvfrom tcp 127.0.0.1:5432"; "" when there is no call. */
const char *names__call(const char *call, const char *object, char *buf, size_t bytes);

/* "51.2 ms", three digits. */
const char *names__length(uint64_t ns, char *buf, size_t bytes);

/* The path's last component. */
const char *names__basename(const char *path);

#endif
