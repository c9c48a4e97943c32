/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* CPython's line tables: one byte of format, two of offset, four of the first line, then the table. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/python_lines.h"

enum { HEAD = 7 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *table;
	uint32_t first;
	int16_t lasti;

	if (size < HEAD)
		return 0;
	memcpy(&lasti, data + 1, sizeof(lasti));
	memcpy(&first, data + 3, sizeof(first));
	table = malloc(size - HEAD ? size - HEAD : 1); /* so that reading beyond it shows */
	if (!table)
		return 0;
	memcpy(table, data + HEAD, size - HEAD);
	if (python_lines__find((enum python_line_format)(data[0] % 3), table, size - HEAD, first,
			       lasti) > INT32_MAX)
		abort();
	free(table);
	return 0;
}
