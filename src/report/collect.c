/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "model/settle.h"
#include "report/collect.h"

struct collect {
	struct collected c;
	int (*write)(const struct collected *c);
};

static int on_start(void *self, const struct ls_start *start)
{
	struct collect *c = self;

	c->c.time_ns = start->time_ns;
	c->c.threshold_ns = start->threshold_ns;
	return 0;
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	struct collect *c = self;

	return samples__add(c->c.samples, stall);
}

static int on_rest(void *self, const struct ls_rest *rest)
{
	struct collect *c = self;

	return samples__add_rest(c->c.samples, rest);
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct collect *c = self;

	c->c.summary = summary;
	return c->write(&c->c);
}

static void on_free(void *self)
{
	struct collect *c = self;

	samples__free(c->c.samples);
	free(c);
}

int collect__new(FILE *out, int (*write)(const struct collected *c), struct reporter *r,
		 void **self)
{
	struct collect *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->c.out = out;
	c->write = write;
	c->c.samples = samples__new();
	if (!c->c.samples) {
		free(c);
		return -ENOMEM;
	}
	*r = (struct reporter){
		.start = on_start,
		.stall = on_stall,
		.rest = on_rest,
		.summary = on_summary,
		.free = on_free,
	};
	*self = c;
	return settle__wrap(r, self);
}

int collect__flush(FILE *out)
{
	errno = 0;
	if (fflush(out) != 0)
		return errno ? -errno : -EIO;
	return ferror(out) ? -EIO : 0;
}
