/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One profile a program (comm and kind of loop), "sampled": a sample is a stack, outermost frame
 * first, with what the time went to as its innermost frame; its weight is stalled nanoseconds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/intern.h"
#include "model/jsonw.h"
#include "report/collect.h"
#include "model/names.h"
#include "report/speedscope.h"

struct speedscope {
	const struct collected *c;
	struct jsonw w;
	size_t nr_frames;                /* of samples; causes are numbered after them */
	struct intern *causes;           /* labels */
	struct intern *programs;         /* labels -> one profile each */
	uint32_t *cause_of, *program_of; /* one a sample */
};

static int label(struct speedscope *s, size_t i)
{
	struct sample sample = samples__at(s->c->samples, i);
	char call[300], text[400];
	int64_t id;

	names__call(sample.call, sample.object, call, sizeof(call));
	snprintf(text, sizeof(text), "[%s]%s%s", sample__cause_name(sample.cause),
		 call[0] ? " " : "", call);
	id = intern__id(s->causes, text, strlen(text) + 1);
	if (id < 0)
		return (int)id;
	s->cause_of[i] = (uint32_t)id;
	snprintf(text, sizeof(text), "%s%s%s%s", sample.comm ? sample.comm : "?",
		 sample.kind ? " (" : "", sample.kind ? sample.kind : "", sample.kind ? ")" : "");
	id = intern__id(s->programs, text, strlen(text) + 1);
	if (id < 0)
		return (int)id;
	s->program_of[i] = (uint32_t)id;
	return 0;
}

static void write_frames(struct speedscope *s)
{
	const struct ls_frame *frame;
	char name[512];

	jsonw__object(&s->w, "shared");
	jsonw__array(&s->w, "frames");
	for (size_t i = 0; i < s->nr_frames; i++) {
		frame = samples__frame(s->c->samples, (uint32_t)i);
		jsonw__object(&s->w, NULL);
		jsonw__str(&s->w, "name", names__frame(frame, name, sizeof(name)));
		jsonw__str(&s->w, "file", frame->file ? frame->file : frame->module);
		if (frame->file && frame->line)
			jsonw__u64(&s->w, "line", frame->line);
		jsonw__end_object(&s->w);
	}
	for (size_t i = 0; i < intern__count(s->causes); i++) {
		jsonw__object(&s->w, NULL);
		jsonw__str(&s->w, "name", intern__key(s->causes, i, NULL));
		jsonw__end_object(&s->w);
	}
	jsonw__end_array(&s->w);
	jsonw__end_object(&s->w);
}

static void write_sample(struct speedscope *s, size_t i)
{
	struct sample sample = samples__at(s->c->samples, i);

	jsonw__array(&s->w, NULL);
	for (size_t f = sample.nr_frames; f-- > 0;)
		jsonw__u64(&s->w, NULL, sample.frames[f]);
	jsonw__u64(&s->w, NULL, s->nr_frames + s->cause_of[i]);
	jsonw__end_array(&s->w);
}

static void write_profile(struct speedscope *s, uint32_t program)
{
	size_t n = samples__count(s->c->samples);
	uint64_t total = 0;

	jsonw__object(&s->w, NULL);
	jsonw__str(&s->w, "type", "sampled");
	jsonw__str(&s->w, "name", intern__key(s->programs, program, NULL));
	jsonw__str(&s->w, "unit", "nanoseconds");
	jsonw__array(&s->w, "samples");
	for (size_t i = 0; i < n; i++) {
		if (s->program_of[i] == program)
			write_sample(s, i);
	}
	jsonw__end_array(&s->w);
	jsonw__array(&s->w, "weights");
	for (size_t i = 0; i < n; i++) {
		if (s->program_of[i] != program)
			continue;
		total += samples__at(s->c->samples, i).ns;
		jsonw__u64(&s->w, NULL, samples__at(s->c->samples, i).ns);
	}
	jsonw__end_array(&s->w);
	jsonw__u64(&s->w, "startValue", 0);
	jsonw__u64(&s->w, "endValue", total);
	jsonw__end_object(&s->w);
}

static int write_file(struct speedscope *s)
{
	jsonw__init(&s->w, s->c->out);
	jsonw__object(&s->w, NULL);
	jsonw__str(&s->w, "$schema", "https://www.speedscope.app/file-format-schema.json");
	jsonw__str(&s->w, "exporter", "loopstall@" LS_VERSION);
	jsonw__str(&s->w, "name", "event-loop stalls");
	jsonw__u64(&s->w, "activeProfileIndex", 0);
	write_frames(s);
	jsonw__array(&s->w, "profiles");
	for (uint32_t i = 0; i < intern__count(s->programs); i++)
		write_profile(s, i);
	jsonw__end_array(&s->w);
	jsonw__end_object(&s->w);
	return jsonw__line(&s->w);
}

static int write_speedscope(const struct collected *c)
{
	size_t n = samples__count(c->samples);
	struct speedscope s = {
		.c = c,
		.nr_frames = samples__nr_frames(c->samples),
		.causes = intern__new(SIZE_MAX),
		.programs = intern__new(SIZE_MAX),
		.cause_of = calloc(n + 1, sizeof(*s.cause_of)),
		.program_of = calloc(n + 1, sizeof(*s.program_of)),
	};
	int err = s.causes && s.programs && s.cause_of && s.program_of ? 0 : -ENOMEM;

	/* The importer wants one profile at least. */
	if (!err && !n && intern__id(s.programs, "no stalls", sizeof("no stalls")) < 0)
		err = -ENOMEM;
	for (size_t i = 0; i < n && !err; i++)
		err = label(&s, i);
	if (!err)
		err = write_file(&s);
	intern__free(s.causes);
	intern__free(s.programs);
	free(s.cause_of);
	free(s.program_of);
	return err;
}

int report_speedscope__new(FILE *out, struct reporter *r, void **self)
{
	return collect__new(out, write_speedscope, r, self);
}
