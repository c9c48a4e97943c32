/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Symbols of any bytes: the name is bounded and comes in time. */
#include <stdlib.h>
#include <string.h>

#include "symbols/demangle.h"
#include "symbols/strings.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strings *pool = strings__new();
	char *symbol = malloc(size + 3);
	const char *name;

	memcpy(symbol, "_Z", 2);
	memcpy(symbol + 2, data, size);
	symbol[size + 2] = '\0';
	for (int i = 0; i < 3; i++) { /* as C++, as Rust, as it is */
		symbol[1] = "ZRx"[i];
		name = demangle(pool, symbol);
		if (!name || strlen(name) > 16384)
			abort();
	}
	free(symbol);
	strings__free(pool);
	return 0;
}
