/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Frames carry the suffixes that flamegraph.pl and its kin colour by: _[k] kernel, _[j] jit, _[i]
 * inlined. Time without a stack stands under [cause] alone. Samples whose lines are equal after
 * filtering become one line.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/intern.h"
#include "model/settle.h"
#include "model/utf8.h"
#include "report/folded.h"
#include "model/names.h"
#include "report/samples.h"

struct folded {
	FILE *out;
	struct folded_options options;
	struct samples *samples;
};

struct lines {
	struct intern *texts;
	uint64_t *ns; /* one a text */
};

static bool shown(const struct folded *f, const struct ls_frame *frame)
{
	if (frame->kind == LS_FRAME_KERNEL)
		return !f->options.user_only;
	return !f->options.kernel_only;
}

static const char *suffix(const struct ls_frame *frame)
{
	if (frame->kind == LS_FRAME_KERNEL)
		return "_[k]";
	if (frame->kind == LS_FRAME_JIT)
		return "_[j]";
	return frame->inlined ? "_[i]" : "";
}

/* A semicolon would split the frame, a newline the record. */
static void put_name(FILE *text, const char *name)
{
	char bytes[4];
	uint32_t c;

	while ((c = utf8__next(&name)) != 0) {
		if (c == ';')
			c = ':';
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			c = '?';
		fwrite(bytes, 1, (size_t)utf8__encode(c, bytes), text);
	}
}

static void put_stack(const struct folded *f, FILE *text, const struct sample *sample)
{
	const struct ls_frame *frame;
	size_t put = 0;
	char name[512];

	put_name(text, sample->comm ? sample->comm : "?");
	if (sample->truncated && !f->options.kernel_only)
		fputs(";[truncated]", text);
	for (size_t i = sample->nr_frames; i-- > 0;) {
		frame = samples__frame(f->samples, sample->frames[i]);
		if (!shown(f, frame))
			continue;
		fputc(';', text);
		put_name(text, names__frame(frame, name, sizeof(name)));
		fputs(suffix(frame), text);
		put++;
	}
	if (!put)
		fprintf(text, ";[%s]", sample__cause_name(sample->cause));
}

/* The sample's line without its number, or NULL. The caller frees it. */
static char *fold(const struct folded *f, const struct sample *sample, size_t *bytes)
{
	char *buf = NULL;
	FILE *text = open_memstream(&buf, bytes);

	if (!text)
		return NULL;
	put_stack(f, text, sample);
	if (fclose(text) == 0)
		return buf;
	free(buf);
	return NULL;
}

static int add_line(const struct folded *f, struct lines *lines, size_t i)
{
	struct sample sample = samples__at(f->samples, i);
	size_t bytes = 0;
	char *text = fold(f, &sample, &bytes);
	int64_t id = -ENOMEM;

	if (text)
		id = intern__id(lines->texts, text, bytes + 1);
	free(text);
	if (id < 0)
		return (int)id;
	lines->ns[id] += sample.ns;
	return 0;
}

static int print_lines(const struct folded *f, const struct lines *lines)
{
	errno = 0;
	for (size_t i = 0; i < intern__count(lines->texts); i++) {
		if (fprintf(f->out, "%s %" PRIu64 "\n",
			    (const char *)intern__key(lines->texts, i, NULL), lines->ns[i]) < 0)
			return errno ? -errno : -EIO;
	}
	return fflush(f->out) == 0 ? 0 : -errno;
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct folded *f = self;
	size_t n = samples__count(f->samples);
	struct lines lines = {.texts = intern__new(SIZE_MAX),
			      .ns = calloc(n + 1, sizeof(uint64_t))};
	int err = lines.texts && lines.ns ? 0 : -ENOMEM;

	(void)summary;
	for (size_t i = 0; i < n && !err; i++)
		err = add_line(f, &lines, i);
	if (!err)
		err = print_lines(f, &lines);
	intern__free(lines.texts);
	free(lines.ns);
	return err;
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	struct folded *f = self;

	return samples__add(f->samples, stall);
}

static int on_rest(void *self, const struct ls_rest *rest)
{
	struct folded *f = self;

	return samples__add_rest(f->samples, rest);
}

static void on_free(void *self)
{
	struct folded *f = self;

	samples__free(f->samples);
	free(f);
}

int report_folded__new(FILE *out, const struct folded_options *options, struct reporter *r,
		       void **self)
{
	struct folded *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->out = out;
	f->options = *options;
	f->samples = samples__new();
	if (!f->samples) {
		free(f);
		return -ENOMEM;
	}
	*r = (struct reporter){
		.stall = on_stall, .rest = on_rest, .summary = on_summary, .free = on_free};
	*self = f;
	return settle__wrap(r, self);
}
