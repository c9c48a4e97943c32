/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Query strings: whatever comes, what is accepted is within bounds. */
#include <stdlib.h>
#include <string.h>

#include "server/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct query query = {.ms = 50, .kb = 1024};
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	if (!query__parse(text, &query) &&
	    (query.ms > QUERY_MS_MAX || query.kb > QUERY_KB_MAX || query.mode > QUERY_MODE_OFFLOAD))
		abort();
	free(text);
	return 0;
}
