/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A trace file as text, through every format and into a recording of diff, which is compared with
 * itself. Plain lines, not zstd: the checksum would stop every mutation; the seeds with zstd's
 * magic number take the other way in. The first byte picks the format.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "diff/verdict.h"
#include "model/tracefile.h"
#include "report/flamegraph.h"
#include "report/folded.h"
#include "report/html.h"
#include "report/json.h"
#include "report/perfetto.h"
#include "report/pprof.h"
#include "report/speedscope.h"
#include "report/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int new_folded(FILE *out, struct reporter *r, void **self)
{
	const struct folded_options options = {0};

	return report_folded__new(out, &options, r, self);
}

static int new_text(FILE *out, struct reporter *r, void **self)
{
	const struct text_options options = {.recorded = true};

	return report_text__new(out, &options, r, self);
}

static void report(int fd, unsigned int format)
{
	static int (*const formats[])(FILE * out, struct reporter * r, void **self) = {
		report_json__new,  report_flamegraph__new, report_html__new, report_perfetto__new,
		report_pprof__new, report_speedscope__new, new_folded,       new_text,
	};
	static FILE *null;
	struct reporter r;
	char why[256];
	void *self;
	int err;

	if (!null)
		null = fopen("/dev/null", "w");
	if (formats[format % 8](null, &r, &self) != 0)
		abort();
	err = tracefile__read(fd, &r, self, why, sizeof(why));
	if (err && !why[0])
		abort(); /* every refusal has a reason */
	r.free(self);
}

static void compare(int fd)
{
	static const struct compare_options options = {.confidence = 0.95, .min_effect = 0.05};
	struct recording *r = recording__new("fuzz");
	struct comparison *c = NULL;
	struct verdict v = {0};
	char why[256], headline[500];

	if (tracefile__read(fd, &recording__reporter, r, why, sizeof(why)) == 0)
		c = comparison__new((struct side[]){{&r, 1}, {&r, 1}}, &options, why, sizeof(why));
	if (c) {
		v.comparison = c;
		verdict__decide(&v);
		verdict__headline(&v, headline, sizeof(headline));
		if (v.failed)
			abort(); /* nothing is worse than itself */
	}
	comparison__free(c);
	recording__free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("trace", 0);

	if (!size || fd < 0)
		return 0;
	if (write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		abort();
	lseek(fd, 0, SEEK_SET);
	if (data[0] & 8)
		compare(fd);
	else
		report(fd, data[0] & 7);
	close(fd);
	return 0;
}
