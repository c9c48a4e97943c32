/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A bin is a slice of the recording, all loops together: the stalls that come before a slice's
 * record are those that ended in it. When a run outgrows MAX_BINS, neighbours are added together,
 * and from then on each bin takes twice as many slices: memory stays bounded.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff/recording.h"
#include "model/intern.h"
#include "model/tracefile.h"

enum { MAX_SITES = 4000, MAX_GAP = 10000 /* slices */ };

/* What reading needs beyond the result. */
struct reading {
	struct recording r; /* first: the reporter's self is both */
	struct intern *keys;
	size_t sites_size;
	uint64_t start_ns;                     /* of the run; 0 unknown */
	uint64_t slice_start_ns, slice_end_ns; /* of the last slice */
	bool sliced;                           /* there was one */
	bool closed;                           /* its record was seen: what follows is the next's */
	size_t bin, in_bin, per_bin;           /* where we are; slices that it has, and can have */
	uint64_t serial;
	struct {
		uint64_t serial;
		double ns;
	} * at_hand; /* one a site: its time in the stall at hand */
};

struct recording *recording__new(const char *path)
{
	struct reading *rd = calloc(1, sizeof(*rd));

	if (!rd)
		return NULL;
	rd->r.path = path;
	rd->per_bin = 1;
	rd->r.nr_bins = 1;
	rd->keys = intern__new(64 << 20);
	if (rd->keys)
		return &rd->r;
	free(rd);
	errno = ENOMEM;
	return NULL;
}

void recording__free(struct recording *r)
{
	struct reading *rd = (struct reading *)r;

	if (!r)
		return;
	for (size_t i = 0; i < r->nr_sites; i++) {
		free(r->sites[i].key);
		free(r->sites[i].callee);
		free(r->sites[i].call);
	}
	free(r->sites);
	free(rd->at_hand);
	intern__free(rd->keys);
	free(rd);
}

/* --- bins --- */

static void add_bin(struct bin *to, const struct bin *from)
{
	to->seconds += from->seconds;
	to->iterations += from->iterations;
	to->stalls += from->stalls;
	to->stalled_ns += from->stalled_ns;
	to->busy_ns += from->busy_ns;
	for (int i = 0; i < LEDGER_CLASSES; i++)
		to->ledger_ns[i] += from->ledger_ns[i];
	for (int i = 0; i < LS_HIST_BUCKETS; i++)
		to->histogram[i] += from->histogram[i];
}

static void merge_bins(struct recording *r, size_t to, size_t from)
{
	add_bin(&r->bins[to], &r->bins[from]);
	for (size_t s = 0; s < r->nr_sites; s++)
		r->sites[s].bin_ns[to] += r->sites[s].bin_ns[from];
}

static void clear_bin(struct recording *r, size_t i)
{
	memset(&r->bins[i], 0, sizeof(r->bins[i]));
	for (size_t s = 0; s < r->nr_sites; s++)
		r->sites[s].bin_ns[i] = 0;
}

static void halve(struct reading *rd)
{
	for (size_t i = 1; i < MAX_BINS; i++) {
		merge_bins(&rd->r, i / 2, i);
		clear_bin(&rd->r, i);
	}
	rd->per_bin *= 2;
	rd->bin = MAX_BINS / 2;
}

/* The next slice begins. */
static void next_slice(struct reading *rd)
{
	rd->closed = false;
	if (++rd->in_bin < rd->per_bin)
		return;
	rd->in_bin = 0;
	if (++rd->bin == MAX_BINS)
		halve(rd);
	rd->r.nr_bins = rd->bin + 1;
}

/* Slices in which no loop did anything are not in the file: they count as time. */
static void skip_gap(struct reading *rd, uint64_t to_ns, uint64_t length_ns)
{
	uint64_t gap_ns = to_ns > rd->slice_end_ns ? to_ns - rd->slice_end_ns : 0;
	uint64_t n = (gap_ns + length_ns / 2) / length_ns;

	if (!rd->slice_end_ns)
		return;
	if (!n)
		rd->r.bins[rd->bin].seconds += (double)gap_ns / 1e9;
	n = n < MAX_GAP ? n : MAX_GAP;
	for (uint64_t i = 0; i < n; i++) {
		if (rd->closed)
			next_slice(rd);
		rd->r.bins[rd->bin].seconds += (double)gap_ns / (double)n / 1e9;
		rd->closed = true;
	}
}

static void begin_slice(struct reading *rd, const struct ls_slice *s)
{
	skip_gap(rd, s->start_ns, s->end_ns - s->start_ns);
	if (rd->closed)
		next_slice(rd);
	rd->sliced = true;
	rd->slice_start_ns = s->start_ns;
	rd->slice_end_ns = s->end_ns;
	rd->r.bins[rd->bin].seconds += (double)(s->end_ns - s->start_ns) / 1e9;
	rd->closed = true;
}

static int on_slice(void *self, const struct ls_slice *s)
{
	struct reading *rd = self;
	struct bin bin = {
		.iterations = (double)s->iterations,
		.stalls = (double)s->stalls,
		.stalled_ns = (double)s->stalled_wall_ns,
		.busy_ns = (double)s->busy_ns,
	};

	if (s->start_ns != rd->slice_start_ns || !rd->sliced)
		begin_slice(rd, s);
	for (int i = 0; i < LS_NR_CAUSES; i++)
		bin.ledger_ns[i] = (double)s->ledger.ns[i];
	bin.ledger_ns[LS_NR_CAUSES] = (double)s->ledger.unaccounted_ns;
	for (int i = 0; i < LS_HIST_BUCKETS; i++)
		bin.histogram[i] = s->histogram[i];
	add_bin(&rd->r.bins[rd->bin], &bin);
	return 0;
}

/* --- sites --- */

/* The last two parts of a path: checkouts differ in the rest. */
static const char *tail_of(const char *path)
{
	const char *p = path + strlen(path);
	int slashes = 0;

	while (p > path && (p[-1] != '/' || ++slashes < 2))
		p--;
	return p;
}

static void make_key(const struct ls_blame *b, char *key, size_t bytes)
{
	const struct ls_frame *f = b->site;
	const char *where = f ? (f->file ? f->file : f->module) : NULL;
	char function[400];

	if (f && f->function)
		snprintf(function, sizeof(function), "%s", f->function);
	else if (f && f->has_offset)
		snprintf(function, sizeof(function), "+0x%llx", (unsigned long long)f->offset);
	else
		snprintf(function, sizeof(function), "(unknown site%s%s)", b->call.name ? ", " : "",
			 b->call.name ? b->call.name : "");
	snprintf(key, bytes, "%s:%s%s%s%s", ls_cause__name(b->cause), function, where ? " (" : "",
		 where ? tail_of(where) : "", where ? ")" : "");
}

static int grow_sites(struct reading *rd)
{
	size_t size = rd->sites_size ? rd->sites_size * 2 : 32;
	void *sites = realloc(rd->r.sites, size * sizeof(*rd->r.sites));
	void *at_hand;

	if (!sites)
		return -ENOMEM;
	rd->r.sites = sites;
	at_hand = realloc(rd->at_hand, size * sizeof(*rd->at_hand));
	if (!at_hand)
		return -ENOMEM;
	rd->at_hand = at_hand;
	rd->sites_size = size;
	return 0;
}

static int new_site(struct reading *rd, const char *key, const struct ls_blame *b)
{
	struct rec_site *site;
	int err = rd->r.nr_sites == rd->sites_size ? grow_sites(rd) : 0;

	if (err)
		return err;
	site = &rd->r.sites[rd->r.nr_sites];
	memset(site, 0, sizeof(*site));
	memset(&rd->at_hand[rd->r.nr_sites], 0, sizeof(*rd->at_hand));
	site->key = strdup(key);
	if (!site->key)
		return -ENOMEM;
	site->name = strchr(site->key, ':') + 1;
	site->cause = b->cause;
	rd->r.nr_sites++;
	return 0;
}

/* Its number, new or known. Beyond MAX_SITES: -1, it is in the ledger alone. */
static ssize_t find_site(struct reading *rd, const struct ls_blame *b)
{
	char key[900];
	int64_t id;
	int err;

	make_key(b, key, sizeof(key));
	if (rd->r.nr_sites >= MAX_SITES)
		return intern__find(rd->keys, key, strlen(key) + 1);
	id = intern__id(rd->keys, key, strlen(key) + 1);
	if (id < 0)
		return -1;
	err = (size_t)id == rd->r.nr_sites ? new_site(rd, key, b) : 0;
	return err ? -1 : (ssize_t)id;
}

static char *copy_or_null(const char *s)
{
	return s ? strdup(s) : NULL;
}

/* The longest stall tells best what the site called. */
static void describe(struct rec_site *site, const struct ls_blame *b)
{
	char call[512];

	free(site->callee);
	free(site->call);
	site->callee = copy_or_null(b->callee ? b->callee->function : NULL);
	snprintf(call, sizeof(call), "%s%s%s", b->call.name ? b->call.name : "",
		 b->call.object ? " " : "", b->call.object ? b->call.object : "");
	site->call = call[0] ? strdup(call) : NULL;
	site->line = b->site ? b->site->line : 0;
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	struct reading *rd = self;
	struct rec_site *site;
	ssize_t id;

	rd->serial++;
	if (rd->closed)
		next_slice(rd);
	for (size_t i = 0; i < stall->nr_causes; i++) {
		id = find_site(rd, &stall->causes[i]);
		if (id < 0)
			continue;
		site = &rd->r.sites[id];
		if (rd->at_hand[id].serial != rd->serial) {
			rd->at_hand[id].serial = rd->serial;
			rd->at_hand[id].ns = 0;
			site->stalls++;
		}
		rd->at_hand[id].ns += (double)stall->causes[i].ns;
		site->ns += (double)stall->causes[i].ns;
		site->bin_ns[rd->bin] += (double)stall->causes[i].ns;
		if (rd->at_hand[id].ns <= site->max_ns)
			continue;
		site->max_ns = rd->at_hand[id].ns;
		describe(site, &stall->causes[i]);
	}
	return 0;
}

/* These have no time of their own: their site's bins are scaled up to its sum at the end. */
static int on_rest(void *self, const struct ls_rest *rest)
{
	struct reading *rd = self;
	struct rec_site *site;
	ssize_t id;

	rd->r.nr_added_up += rest->stalls;
	for (size_t i = 0; i < rest->nr_causes; i++) {
		if (!rest->causes[i].stack.nr_frames && !rest->causes[i].site)
			continue;
		id = find_site(rd, &rest->causes[i]);
		if (id < 0)
			continue;
		site = &rd->r.sites[id];
		site->ns += (double)rest->causes[i].ns;
		site->stalls += (double)rest->causes[i].count;
		if (!site->call && !site->callee)
			describe(site, &rest->causes[i]);
	}
	return 0;
}

/* --- the whole --- */

static int on_start(void *self, const struct ls_start *start)
{
	struct reading *rd = self;

	rd->r.threshold_ns = start->threshold_ns;
	rd->start_ns = rd->slice_end_ns = start->mono_ns;
	return 0;
}

static void scale_site(struct recording *r, struct rec_site *site)
{
	double sum = 0;

	for (size_t i = 0; i < r->nr_bins; i++)
		sum += site->bin_ns[i];
	for (size_t i = 0; i < r->nr_bins && sum > 0; i++)
		site->bin_ns[i] *= site->ns / sum;
	for (size_t i = 0; i < r->nr_bins && sum <= 0; i++)
		site->bin_ns[i] = site->ns / (double)r->nr_bins;
}

/* The last bin ends with the run, wherever that is: too short a one says little, and loudly. */
static void merge_stub(struct recording *r)
{
	size_t last = r->nr_bins - 1;

	if (!last || r->bins[last].seconds >= r->bins[last - 1].seconds / 2)
		return;
	merge_bins(r, last - 1, last);
	clear_bin(r, last);
	r->nr_bins--;
}

/* The loops may have been idle at the end, too. */
static void add_tail(struct reading *rd, double seconds)
{
	uint64_t end_ns = rd->start_ns + (uint64_t)(seconds * 1e9);

	if (rd->sliced && rd->start_ns)
		skip_gap(rd, end_ns, rd->slice_end_ns - rd->slice_start_ns);
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct reading *rd = self;
	struct recording *r = &rd->r;

	r->seconds = summary->seconds;
	r->nr_loops = summary->nr_loops;
	r->lost = summary->lost.events + summary->lost.stalls + summary->lost.captures;
	for (size_t i = 0; i < summary->nr_loops; i++)
		r->max_ns = fmax(r->max_ns, (double)summary->loops[i].max_ns);
	add_tail(rd, r->seconds);
	merge_stub(r);
	for (size_t i = 0; i < r->nr_bins; i++)
		add_bin(&r->total, &r->bins[i]);
	for (size_t i = 0; i < r->nr_sites; i++)
		scale_site(r, &r->sites[i]);
	return 0;
}

const struct reporter recording__reporter = {
	.start = on_start,
	.stall = on_stall,
	.slice = on_slice,
	.rest = on_rest,
	.summary = on_summary,
};

struct recording *recording__read(const char *path, char *why, size_t why_bytes)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), err;
	struct recording *r;

	if (fd < 0) {
		snprintf(why, why_bytes, "%s", strerror(errno));
		return NULL;
	}
	r = recording__new(path);
	err = r ? tracefile__read(fd, &recording__reporter, r, why, why_bytes) : -errno;
	if (fd != STDIN_FILENO)
		close(fd);
	if (!err)
		return r;
	if (!r || !why[0])
		snprintf(why, why_bytes, "%s", strerror(-err));
	recording__free(r);
	return NULL;
}
