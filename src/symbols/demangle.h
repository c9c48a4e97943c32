/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a linker's symbol to the name its author wrote. */
#ifndef LS_SYMBOLS_DEMANGLE_H
#define LS_SYMBOLS_DEMANGLE_H

struct strings;

/*
 * The pooled name of `symbol`: version (read@@GLIBC_2.2.5) and the suffixes of split or cloned
 * functions (.cold, .part.0, .constprop.0 ...) taken off, C++ and Rust demangled without parameter
 * lists and hashes. What is not mangled comes back as it is.
 */
const char *demangle(struct strings *pool, const char *symbol);

#endif
