/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A sample a (stack, cause, call), with values [stall nanoseconds, stalls] and labels cause, call,
 * object, comm and kind. A location is a physical frame with the frames inlined into it as its
 * lines; a mapping is a module. Addresses are offsets in the module: mappings all begin at 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "model/intern.h"
#include "model/utf8.h"
#include "report/collect.h"
#include "model/names.h"
#include "report/pprof.h"
#include "report/protobuf.h"

/* Field numbers of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
	VALUE_TYPE_TYPE = 1,
	VALUE_TYPE_UNIT = 2,
	SAMPLE_LOCATION_ID = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,
	LABEL_KEY = 1,
	LABEL_STR = 2,
	MAPPING_ID = 1,
	MAPPING_MEMORY_LIMIT = 3,
	MAPPING_FILENAME = 5,
	MAPPING_BUILD_ID = 6,
	MAPPING_HAS_FUNCTIONS = 7,
	MAPPING_HAS_INLINE_FRAMES = 10,
	LOCATION_ID = 1,
	LOCATION_MAPPING_ID = 2,
	LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4,
	LINE_FUNCTION_ID = 1,
	LINE_LINE = 2,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILENAME = 4,
};

struct pprof {
	const struct collected *c;
	struct intern *strings;   /* 0 is "" */
	struct intern *functions; /* {name, file} string numbers; ids from 1 */
	struct intern *mappings;  /* filename; ids from 1 */
	struct intern *locations; /* frame numbers, innermost inlined first; ids from 1 */
	struct protobuf profile, message, part; /* the whole; and under construction */
	/* Time without a stack gets a frame of its cause; numbered after the samples' frames. */
	struct ls_frame causes[SAMPLE_UNACCOUNTED + 1];
	char cause_names[SAMPLE_UNACCOUNTED + 1][24];
	uint32_t nr_frames;
	int err;
};

static uint64_t number(struct pprof *p, struct intern *table, const void *key, size_t bytes)
{
	int64_t id = intern__id(table, key, bytes);

	if (id >= 0)
		return (uint64_t)id;
	p->err = (int)id;
	return 0;
}

static const struct ls_frame *frame_of(const struct pprof *p, uint32_t frame)
{
	return frame < p->nr_frames ? samples__frame(p->c->samples, frame)
				    : &p->causes[frame - p->nr_frames];
}

static void name_causes(struct pprof *p)
{
	p->nr_frames = (uint32_t)samples__nr_frames(p->c->samples);
	for (int i = 0; i <= SAMPLE_UNACCOUNTED; i++) {
		snprintf(p->cause_names[i], sizeof(p->cause_names[i]), "[%s]",
			 sample__cause_name(i));
		p->causes[i].function = p->cause_names[i];
	}
}

/* protobuf strings are UTF-8, and decoders refuse what is not. */
static uint64_t string(struct pprof *p, const char *s)
{
	char buf[1024];
	size_t n = 0;
	uint32_t c;

	while (s && n < sizeof(buf) - 4 && (c = utf8__next(&s)) != 0)
		n += (size_t)utf8__encode(c, buf + n);
	buf[n] = '\0';
	return number(p, p->strings, buf, n + 1);
}

static void write_value_type(struct pprof *p, unsigned int field, const char *type,
			     const char *unit)
{
	protobuf__reset(&p->message);
	protobuf__u64(&p->message, VALUE_TYPE_TYPE, string(p, type));
	protobuf__u64(&p->message, VALUE_TYPE_UNIT, string(p, unit));
	protobuf__message(&p->profile, field, &p->message);
}

/* --- samples --- */

static void write_label(struct pprof *p, const char *key, const char *value)
{
	if (!value)
		return;
	protobuf__reset(&p->part);
	protobuf__u64(&p->part, LABEL_KEY, string(p, key));
	protobuf__u64(&p->part, LABEL_STR, string(p, value));
	protobuf__message(&p->message, SAMPLE_LABEL, &p->part);
}

/* Inlined frames and the physical one after them are one location. */
static void write_locations(struct pprof *p, const uint32_t *frames, size_t n)
{
	size_t from = 0;

	protobuf__reset(&p->part);
	for (size_t i = 0; i < n; i++) {
		if (frame_of(p, frames[i])->inlined && i + 1 < n)
			continue;
		protobuf__element(&p->part, 1 + number(p, p->locations, &frames[from],
						       (i + 1 - from) * sizeof(uint32_t)));
		from = i + 1;
	}
	protobuf__message(&p->message, SAMPLE_LOCATION_ID, &p->part);
}

static void write_sample(struct pprof *p, const struct sample *sample)
{
	uint32_t cause = p->nr_frames + (uint32_t)sample->cause;

	protobuf__reset(&p->message);
	if (sample->nr_frames)
		write_locations(p, sample->frames, sample->nr_frames);
	else
		write_locations(p, &cause, 1);
	protobuf__reset(&p->part);
	protobuf__element(&p->part, sample->ns);
	protobuf__element(&p->part, sample->stalls);
	protobuf__message(&p->message, SAMPLE_VALUE, &p->part);
	write_label(p, "cause", sample__cause_name(sample->cause));
	write_label(p, "call", sample->call);
	write_label(p, "object", sample->object);
	write_label(p, "comm", sample->comm);
	write_label(p, "kind", sample->kind);
	protobuf__message(&p->profile, PROFILE_SAMPLE, &p->message);
}

/* --- tables --- */

static uint64_t function_id(struct pprof *p, const struct ls_frame *frame)
{
	char name[1024];
	uint64_t key[2];

	key[0] = string(p, names__frame(frame, name, sizeof(name)));
	key[1] = string(p, frame->file);
	return 1 + number(p, p->functions, key, sizeof(key));
}

static uint64_t mapping_id(struct pprof *p, const struct ls_frame *frame)
{
	const char *module = frame->module;

	if (!module && frame->kind == LS_FRAME_KERNEL)
		module = "[kernel]";
	return module ? 1 + number(p, p->mappings, module, strlen(module) + 1) : 0;
}

static void write_line(struct pprof *p, const struct ls_frame *frame)
{
	protobuf__reset(&p->part);
	protobuf__u64(&p->part, LINE_FUNCTION_ID, function_id(p, frame));
	protobuf__u64(&p->part, LINE_LINE, frame->line);
	protobuf__message(&p->message, LOCATION_LINE, &p->part);
}

static void write_location(struct pprof *p, size_t id, const uint32_t *frames, size_t n)
{
	const struct ls_frame *physical = frame_of(p, frames[n - 1]);

	protobuf__reset(&p->message);
	protobuf__u64(&p->message, LOCATION_ID, id);
	protobuf__u64(&p->message, LOCATION_MAPPING_ID, mapping_id(p, physical));
	if (physical->has_offset)
		protobuf__u64(&p->message, LOCATION_ADDRESS, physical->offset);
	for (size_t i = 0; i < n; i++)
		write_line(p, frame_of(p, frames[i]));
	protobuf__message(&p->profile, PROFILE_LOCATION, &p->message);
}

static const char *build_id_of(const struct pprof *p, const char *module)
{
	const struct ls_summary *s = p->c->summary;

	for (size_t i = 0; i < s->nr_modules; i++) {
		if (strcmp(s->modules[i].path, module) == 0)
			return s->modules[i].build_id;
	}
	return NULL;
}

static void write_mapping(struct pprof *p, size_t id, const char *module)
{
	const char *build_id = build_id_of(p, module);

	protobuf__reset(&p->message);
	protobuf__u64(&p->message, MAPPING_ID, id);
	protobuf__u64(&p->message, MAPPING_MEMORY_LIMIT, INT64_MAX);
	protobuf__u64(&p->message, MAPPING_FILENAME, string(p, module));
	if (build_id)
		protobuf__u64(&p->message, MAPPING_BUILD_ID, string(p, build_id));
	for (unsigned int has = MAPPING_HAS_FUNCTIONS; has <= MAPPING_HAS_INLINE_FRAMES; has++)
		protobuf__u64(&p->message, has, 1);
	protobuf__message(&p->profile, PROFILE_MAPPING, &p->message);
}

static void write_function(struct pprof *p, size_t id, const uint64_t key[2])
{
	protobuf__reset(&p->message);
	protobuf__u64(&p->message, FUNCTION_ID, id);
	protobuf__u64(&p->message, FUNCTION_NAME, key[0]);
	protobuf__u64(&p->message, FUNCTION_SYSTEM_NAME, key[0]);
	protobuf__u64(&p->message, FUNCTION_FILENAME, key[1]);
	protobuf__message(&p->profile, PROFILE_FUNCTION, &p->message);
}

/* In this order: each table fills the next. */
static void write_tables(struct pprof *p)
{
	const void *key;
	size_t bytes;

	for (size_t i = 0; i < intern__count(p->locations); i++) {
		key = intern__key(p->locations, i, &bytes);
		write_location(p, i + 1, key, bytes / sizeof(uint32_t));
	}
	for (size_t i = 0; i < intern__count(p->functions); i++)
		write_function(p, i + 1, intern__key(p->functions, i, NULL));
	for (size_t i = 0; i < intern__count(p->mappings); i++)
		write_mapping(p, i + 1, intern__key(p->mappings, i, NULL));
	for (size_t i = 0; i < intern__count(p->strings); i++) {
		key = intern__key(p->strings, i, &bytes);
		protobuf__bytes(&p->profile, PROFILE_STRING_TABLE, key, bytes - 1);
	}
}

static void write_profile(struct pprof *p)
{
	struct sample sample;

	name_causes(p);
	string(p, "");
	write_value_type(p, PROFILE_SAMPLE_TYPE, "stall", "nanoseconds");
	write_value_type(p, PROFILE_SAMPLE_TYPE, "stalls", "count");
	for (size_t i = 0; i < samples__count(p->c->samples); i++) {
		sample = samples__at(p->c->samples, i);
		write_sample(p, &sample);
	}
	protobuf__u64(&p->profile, PROFILE_TIME_NANOS, p->c->time_ns);
	protobuf__u64(&p->profile, PROFILE_DURATION_NANOS,
		      (uint64_t)(p->c->summary->seconds * 1e9));
	write_value_type(p, PROFILE_PERIOD_TYPE, "stall", "nanoseconds");
	protobuf__u64(&p->profile, PROFILE_PERIOD, p->c->threshold_ns);
	protobuf__u64(&p->profile, PROFILE_DEFAULT_SAMPLE_TYPE, string(p, "stall"));
	write_tables(p);
}

static int compress_to(FILE *out, const struct protobuf *p)
{
	z_stream z = {.next_in = p->bytes, .avail_in = (uInt)p->n};
	unsigned char buf[65536];
	int more;

	if (p->n > UINT32_MAX)
		return -E2BIG;
	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	do {
		z.next_out = buf;
		z.avail_out = sizeof(buf);
		more = deflate(&z, Z_FINISH);
		errno = 0;
		if (fwrite(buf, 1, sizeof(buf) - z.avail_out, out) != sizeof(buf) - z.avail_out) {
			deflateEnd(&z);
			return errno ? -errno : -EIO;
		}
	} while (more == Z_OK);
	deflateEnd(&z);
	return collect__flush(out);
}

static int write_pprof(const struct collected *c)
{
	struct pprof p = {
		.c = c,
		.strings = intern__new(SIZE_MAX),
		.functions = intern__new(SIZE_MAX),
		.mappings = intern__new(SIZE_MAX),
		.locations = intern__new(SIZE_MAX),
	};

	if (p.strings && p.functions && p.mappings && p.locations)
		write_profile(&p);
	else
		p.err = -ENOMEM;
	if (!p.err)
		p.err = p.profile.err;
	if (!p.err)
		p.err = compress_to(c->out, &p.profile);
	protobuf__free(&p.profile);
	protobuf__free(&p.message);
	protobuf__free(&p.part);
	intern__free(p.strings);
	intern__free(p.functions);
	intern__free(p.mappings);
	intern__free(p.locations);
	return p.err;
}

int report_pprof__new(FILE *out, struct reporter *r, void **self)
{
	return collect__new(out, write_pprof, r, self);
}
