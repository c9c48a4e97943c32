/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Demangling by libiberty, bounded: a few hundred hostile bytes can stand for a name of gigabytes
 * (substitutions that double), so its output goes through a callback which leaves by longjmp when
 * OUTPUT_MAX is reached. Neither demangler holds heap memory across callbacks that matters.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "symbols/demangle.h"
#include "symbols/strings.h"

enum { MANGLED_MAX = 4096, OUTPUT_MAX = 4096, MAX_CALLS = 65536 };

struct output {
	jmp_buf full;
	size_t used;
	unsigned int calls; /* even those that bring nothing take time */
	char bytes[OUTPUT_MAX];
};

static void append(const char *s, size_t n, void *arg)
{
	struct output *out = arg;

	if (n > sizeof(out->bytes) - out->used || ++out->calls > MAX_CALLS)
		longjmp(out->full, 1);
	if (n) /* s may then be NULL */
		memcpy(out->bytes + out->used, s, n);
	out->used += n;
}

/* Not inlined: the frame that setjmp returns into must outlive the call and hold no other state. */
static __attribute__((noinline)) bool demangle_into(struct output *out, const char *mangled)
{
	if (setjmp(out->full))
		return false;
	if (rust_demangle_callback(mangled, 0, append, out))
		return true;
	out->used = 0;
	return cplus_demangle_v3_callback(mangled, DMGL_NO_OPTS, append, out);
}

/* Length without GCC's and LLVM's clone suffixes: the same function to whoever wrote it. */
static size_t strip_clones(const char *s, size_t n)
{
	static const char *const clones[] = {".cold", ".part",     ".constprop",
					     ".isra", ".lto_priv", ".llvm"};
	size_t end, len;
	bool again = true;

	while (again) {
		again = false;
		end = n;
		while (end > 0 && isdigit((unsigned char)s[end - 1]))
			end--;
		if (end == n || end == 0 || s[end - 1] != '.')
			end = n; /* no number: only .cold goes without */
		else
			end--;
		for (size_t i = 0; i < sizeof(clones) / sizeof(*clones); i++) {
			len = strlen(clones[i]);
			if (end <= len || memcmp(s + end - len, clones[i], len) != 0)
				continue;
			if (end == n && i != 0)
				continue;
			n = end - len;
			again = true;
			break;
		}
	}
	return n;
}

const char *demangle(struct strings *pool, const char *symbol)
{
	char mangled[MANGLED_MAX];
	struct output out;
	size_t n = strcspn(symbol, "@");

	out.used = 0;
	out.calls = 0;
	n = strip_clones(symbol, n ? n : strlen(symbol));
	if (n >= sizeof(mangled) || symbol[0] != '_' || (symbol[1] != 'Z' && symbol[1] != 'R'))
		return strings__intern_n(pool, symbol, n);
	memcpy(mangled, symbol, n);
	mangled[n] = '\0';
	if (!demangle_into(&out, mangled) || !out.used)
		return strings__intern_n(pool, mangled, n);
	return strings__intern_n(pool, out.bytes, out.used);
}
