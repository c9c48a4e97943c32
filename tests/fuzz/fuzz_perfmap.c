/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lines of a perf map, each in a block of its own length. What is found must lie inside; and all of
 * it as a file, of which every entry's first and last byte are looked up.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols/perfmap.h"
#include "symbols/strings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const struct perfmap_text *part, const char *s, size_t bytes)
{
	if (!part->s || !strcmp(part->s, "(anonymous)"))
		return;
	if (part->s < s || part->s + part->bytes > s + bytes)
		abort();
}

static void one_line(const uint8_t *data, size_t size, struct perfmap *map, struct strings *pool)
{
	struct perfmap_line line;
	struct perfmap_name name;
	char *copy = malloc(size + 1);

	memcpy(copy, data, size);
	copy[size] = '\0'; /* for strcmp above; the parser gets `size` */
	if (perfmap__parse_line(copy, size, &line)) {
		check_inside(&line.name, copy, size);
		perfmap__parse_name(line.name.s, line.name.bytes, &name);
		check_inside(&name.function, copy, size);
		check_inside(&name.file, copy, size);
		perfmap__find(map, pool, line.start);
		perfmap__find(map, pool, line.start + line.size - 1);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strings *pool = strings__new();
	size_t left = 1000, begin = 0;
	struct perfmap *map = perfmap__new(getpid(), &left);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	for (size_t i = 0; i <= size; i++) {
		if (i < size && data[i] != '\n')
			continue;
		one_line(data + begin, i - begin, map, pool);
		begin = i + 1;
	}
	unlink(path);
	perfmap__free(map);
	strings__free(pool);
	return 0;
}
