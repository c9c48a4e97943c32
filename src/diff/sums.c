/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stalled time a second, by cause and by site: resampled in closed form. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff/compare_internal.h"
#include "diff/noise.h"
#include "diff/stats.h"
#include "diff/values.h"
#include "model/intern.h"

/* Differences smaller than these are no one's concern. */
static const double MIN_NS_PER_S = 100000, MIN_SITE_EFFECT = 0.10;

/* Shown, but neither better nor worse: no change of the program. */
static bool machines_doing(int class)
{
	return class == LS_RUNQUEUE || class == LS_THROTTLED;
}

/* A series of one recording: nanoseconds a second in each bin. NULL: all zero. */
typedef const double *(*series_fn)(const struct recording *r, const void *arg, double *buf);

struct sums {
	double *values[2], *variances[2]; /* one a recording */
	double nr_blocks;                 /* of the side with fewer */
};

static void measure_sums(const struct comparison *c, series_fn series, const void *arg,
			 struct sums *s)
{
	double buf[MAX_BINS], blocks[2] = {0};
	const struct recording *r;
	const double *v;
	size_t block;

	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < c->sides[side].n; i++) {
			r = c->sides[side].recordings[i];
			v = series(r, arg, buf);
			block = v ? stats__block_length(v, r->nr_bins) : 1;
			s->values[side][i] = v ? noise__mean(v, r->nr_bins) : 0;
			s->variances[side][i] = v ? stats__mean_variance(v, r->nr_bins, block) : 0;
			blocks[side] += (double)r->nr_bins / (double)block;
		}
	}
	s->nr_blocks = fmin(blocks[0], blocks[1]);
}

static void compare_sums(const struct comparison *c, series_fn series, const void *arg,
			 const struct sums *scratch, double tail, struct finding *f)
{
	size_t n[2] = {c->sides[0].n, c->sides[1].n};
	struct sums s = *scratch;
	double variance = 0, half;
	struct spread spread;

	measure_sums(c, series, arg, &s);
	f->unit = UNIT_NS_PER_S;
	f->before = noise__mean(s.values[0], n[0]);
	f->after = noise__mean(s.values[1], n[1]);
	for (int side = 0; side < 2; side++)
		variance += noise__mean(s.variances[side], n[side]) / (double)n[side];
	spread = noise__spread(s.values, s.variances, n, fmax(f->before, f->after) * c->run_to_run);
	half = stats__t_quantile(tail, fmax(s.nr_blocks - 1, 2)) * sqrt(variance);
	f->low = f->after - f->before - half;
	f->high = f->after - f->before + half;
	noise__widen_ratio(f->before, f->after,
			   stats__t_quantile(tail, spread.df) * sqrt(spread.variance), &f->low,
			   &f->high);
	f->low = fmax(f->low, -f->before);
	f->judgement =
		finding__judge(f, fmax(c->options.min_effect, MIN_SITE_EFFECT), MIN_NS_PER_S);
}

static int make_scratch(const struct comparison *c, struct sums *s)
{
	for (int side = 0; side < 2; side++) {
		s->values[side] = calloc(c->sides[side].n, sizeof(double));
		s->variances[side] = calloc(c->sides[side].n, sizeof(double));
		if (!s->values[side] || !s->variances[side])
			return -ENOMEM;
	}
	return 0;
}

static void free_scratch(struct sums *s)
{
	for (int side = 0; side < 2; side++) {
		free(s->values[side]);
		free(s->variances[side]);
	}
}

static const double *ledger_series(const struct recording *r, const void *arg, double *buf)
{
	const int *class = arg;

	for (size_t i = 0; i < r->nr_bins; i++)
		buf[i] = r->bins[i].ledger_ns[*class] / r->bins[i].seconds;
	return buf;
}

static void compare_ledger(struct comparison *c, const struct sums *scratch)
{
	double tail = comparison__tail(c, FAMILY_DETAILS, NR_DETAILS);

	for (int i = 0; i < LEDGER_CLASSES; i++) {
		c->ledger[i].name = ledger_class__name(i);
		compare_sums(c, ledger_series, &i, scratch, tail, &c->ledger[i]);
		if (machines_doing(i))
			c->ledger[i].judgement = JUDGED_NOT;
	}
}

/* --- sites --- */

/* Which site of each recording has a key: numbers in sites[], by recording, before's first. */
struct site_table {
	struct intern *keys;
	int32_t *numbers; /* keys x recordings; -1 none */
	size_t nr_recordings;
};

struct site_arg {
	const struct comparison *c;
	const struct site_table *table;
	size_t key;
};

static size_t recording_number(const struct comparison *c, const struct recording *r)
{
	for (size_t i = 0; i < c->sides[0].n; i++) {
		if (c->sides[0].recordings[i] == r)
			return i;
	}
	for (size_t i = 0; i < c->sides[1].n; i++) {
		if (c->sides[1].recordings[i] == r)
			return c->sides[0].n + i;
	}
	return 0;
}

static const struct rec_site *site_in(const struct site_arg *a, const struct recording *r)
{
	int32_t number =
		a->table->numbers[a->key * a->table->nr_recordings + recording_number(a->c, r)];

	return number < 0 ? NULL : &r->sites[number];
}

static const double *site_series(const struct recording *r, const void *arg, double *buf)
{
	const struct rec_site *site = site_in(arg, r);

	for (size_t i = 0; i < r->nr_bins && site; i++)
		buf[i] = site->bin_ns[i] / r->bins[i].seconds;
	return site ? buf : NULL;
}

static int build_table(const struct comparison *c, struct site_table *t)
{
	size_t nr = c->sides[0].n + c->sides[1].n;
	const struct recording *r;
	int64_t id;

	t->nr_recordings = nr;
	t->keys = intern__new(SIZE_MAX);
	if (!t->keys)
		return -ENOMEM;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < nr; i++) {
			r = i < c->sides[0].n ? c->sides[0].recordings[i]
					      : c->sides[1].recordings[i - c->sides[0].n];
			for (size_t s = 0; s < r->nr_sites; s++) {
				id = intern__id(t->keys, r->sites[s].key,
						strlen(r->sites[s].key) + 1);
				if (id < 0)
					return (int)id;
				if (pass)
					t->numbers[(size_t)id * nr + i] = (int32_t)s;
			}
		}
		if (pass)
			break;
		t->numbers = malloc((intern__count(t->keys) * nr + 1) * sizeof(*t->numbers));
		if (!t->numbers)
			return -ENOMEM;
		memset(t->numbers, 0xff, intern__count(t->keys) * nr * sizeof(*t->numbers));
	}
	return 0;
}

static void describe_site(const struct site_arg *a, struct site_finding *site)
{
	const struct rec_site *s, *most = NULL;

	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < a->c->sides[side].n; i++) {
			s = site_in(a, a->c->sides[side].recordings[i]);
			if (!s)
				continue;
			site->stalls[side] += s->stalls / (double)a->c->sides[side].n;
			site->total_ns[side] += s->ns / (double)a->c->sides[side].n;
			site->max_ns[side] = fmax(site->max_ns[side], s->max_ns);
			most = most && most->ns >= s->ns ? most : s;
		}
	}
	if (!most)
		return;
	site->f.name = most->name;
	site->cause = most->cause;
	site->line = most->line;
	site->callee = most->callee;
	site->call = most->call;
}

static void compare_site(const struct site_arg *a, const struct sums *scratch, double tail,
			 struct site_finding *site)
{
	describe_site(a, site);
	site->f.gates = !machines_doing((int)site->cause);
	compare_sums(a->c, site_series, a, scratch, tail, &site->f);
	if (!site->f.gates)
		site->f.judgement = JUDGED_NOT;
	if (site->f.judgement == JUDGED_WORSE && site->total_ns[0] <= 0)
		site->f.judgement = JUDGED_NEW;
	if (site->f.judgement == JUDGED_BETTER && site->total_ns[1] <= 0)
		site->f.judgement = JUDGED_GONE;
}

/* Sites that could be found different at all share the family's false alarms. */
static size_t nr_weighty_sites(const struct comparison *c, const struct site_table *t,
			       const struct sums *scratch)
{
	struct site_arg a = {.c = c, .table = t};
	struct sums s = *scratch;
	size_t n = 0;

	for (a.key = 0; a.key < intern__count(t->keys); a.key++) {
		measure_sums(c, site_series, &a, &s);
		n += fmax(noise__mean(s.values[0], c->sides[0].n),
			  noise__mean(s.values[1], c->sides[1].n)) >= MIN_NS_PER_S;
	}
	return n ? n : 1;
}

static int by_change(const void *a, const void *b)
{
	const struct site_finding *x = a, *y = b;
	double dx = fabs(x->f.after - x->f.before), dy = fabs(y->f.after - y->f.before);
	bool jx = x->f.judgement > JUDGED_SAME, jy = y->f.judgement > JUDGED_SAME;

	if (jx != jy)
		return jx ? -1 : 1;
	if (dx != dy)
		return dx > dy ? -1 : 1;
	return strcmp(x->f.name, y->f.name);
}

static int compare_sites(struct comparison *c, const struct sums *scratch)
{
	struct site_table table = {0};
	struct site_arg a = {.c = c, .table = &table};
	int err = build_table(c, &table);
	double tail;

	if (err)
		goto out;
	c->nr_sites = intern__count(table.keys);
	c->sites = calloc(c->nr_sites + 1, sizeof(*c->sites));
	err = c->sites ? 0 : -ENOMEM;
	if (err)
		goto out;
	tail = comparison__tail(c, FAMILY_SITES, nr_weighty_sites(c, &table, scratch));
	for (a.key = 0; a.key < c->nr_sites; a.key++)
		compare_site(&a, scratch, tail, &c->sites[a.key]);
	qsort(c->sites, c->nr_sites, sizeof(*c->sites), by_change);
out:
	intern__free(table.keys);
	free(table.numbers);
	return err;
}

int comparison__sums(struct comparison *c)
{
	struct sums scratch = {0};
	int err = make_scratch(c, &scratch);

	if (!err) {
		compare_ledger(c, &scratch);
		err = compare_sites(c, &scratch);
	}
	free_scratch(&scratch);
	return err;
}
