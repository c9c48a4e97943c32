/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdbool.h>
#include <string.h>

#include "model/stall.h"
#include "trace/own_code.h"

static bool begins(const char *text, const char *prefix)
{
	return text && !strncmp(text, prefix, strlen(prefix));
}

/* std::function, core::ops::FnOnce: they pass the call on, and are nobody's to change. */
static bool is_standard(const struct ls_frame *f)
{
	static const char *const files[] = {"/usr/include/c++/", "/usr/lib/llvm-", "/rustc/",
					    "/usr/include/boost/"};
	static const char *const names[] = {
		"std::", "void std::", "core::", "alloc::", "<std::", "<core::", "<alloc::"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (begins(f->file, files[i]))
			return true;
	for (size_t i = 0; !f->file && i < sizeof(names) / sizeof(names[0]); i++)
		if (begins(f->function, names[i]))
			return true;
	return false;
}

/* The first function inside the callback, in the same module, that is not the standard library's. */
static size_t past_standard(const struct ls_frame *frames, size_t callback)
{
	size_t i = callback;

	while (i > 0 && is_standard(&frames[i]))
		i--;
	return is_standard(&frames[i]) || frames[i].module != frames[callback].module ? callback
										      : i;
}

/* --- JavaScript ------------------------------------------------------------------------------- */

static bool is_script(const struct ls_frame *f)
{
	return f->kind == LS_FRAME_JIT && f->function && f->file && !begins(f->file, "node:");
}

/* The innermost function of the program's own scripts, else of a package; `callback` if none is. */
static size_t innermost_script(const struct ls_frame *frames, size_t callback)
{
	size_t package = callback;

	for (size_t i = 0; i < callback; i++) {
		if (!is_script(&frames[i]))
			continue;
		if (!strstr(frames[i].file, "/node_modules/"))
			return i;
		if (package == callback)
			package = i;
	}
	return package;
}

/* V8's own way from one function to the next; its builtins, as JSON.parse, are a function's doing. */
static bool is_engine(const struct ls_frame *f)
{
	return begins(f->function, "v8::") || begins(f->function, "Builtins_CEntry") ||
	       begins(f->function, "Builtins_JSEntry") ||
	       (f->function && strstr(f->function, "Trampoline"));
}

/* Without the script's name: the function of Node that it called last, which tells more than what
 * stands between the loop and the script. */
static const struct ls_frame *called_binding(const struct ls_frame *frames, size_t callback)
{
	for (size_t i = 1; i < callback; i++)
		if (begins(frames[i].function, "v8::internal::FunctionCallbackArguments::Call"))
			return &frames[i - 1];
	return NULL;
}

static const struct ls_frame *called_by_script(const struct ls_frame *frames, size_t site)
{
	for (size_t i = site; i-- > 0;)
		if (!is_engine(&frames[i]))
			return &frames[i];
	return NULL;
}

void own_code__find(const struct ls_frame *frames, size_t callback, const struct ls_frame **site,
		    const struct ls_frame **callee)
{
	size_t at = innermost_script(frames, callback);

	if (at != callback) {
		*callee = called_by_script(frames, at);
	} else {
		at = past_standard(frames, callback);
		*callee = called_binding(frames, at);
		if (!*callee && at)
			*callee = &frames[at - 1];
	}
	*site = &frames[at];
}
