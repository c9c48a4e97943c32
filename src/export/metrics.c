/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "export/metrics.h"
#include "model/histogram.h"

enum { FIRST_POWER = 12, HASH_SIZE = 1024 };

static const uint64_t mark_ns = 10000000000, cells_mark_ns = 30000000000, rerank_ns = 15000000000;

const double iteration_quantiles[ITERATION_QUANTILES] = {0.5, 0.9, 0.99};

#define MS 1000000ULL
const uint64_t stall_bounds_ns[STALL_BUCKETS] = {
	1 * MS,   2500000,   5 * MS,    10 * MS,   25 * MS,    50 * MS,    100 * MS,   250 * MS,
	500 * MS, 1000 * MS, 2500 * MS, 5000 * MS, 10000 * MS, 60000 * MS, UINT64_MAX,
};

/* --- buckets ----------------------------------------------------------------------------------- */

/*
 * Bucket i takes the cells from edge(i - 1) up to edge(i) of the kernel's histogram, whose cells are an
 * eighth of a power of two (bpf/account.h: the power p begins at cell (p - 2) * LS_HIST_SUB).
 */
static unsigned int edge(unsigned int i, unsigned int per_power)
{
	return (FIRST_POWER - 2) * LS_HIST_SUB + i * (LS_HIST_SUB / per_power);
}

static size_t nr_buckets(unsigned int per_power)
{
	return ITERATION_POWERS * per_power + 2;
}

size_t metrics__iteration_bounds(const struct metrics *m, uint64_t bounds[ITERATION_BUCKETS_MAX])
{
	unsigned int per_power = m->options.buckets;
	size_t nr = nr_buckets(per_power);

	for (size_t i = 0; i + 1 < nr; i++) {
		unsigned int power = FIRST_POWER + i / per_power, sub = i % per_power;

		bounds[i] = (1ULL << power) + sub * ((1ULL << power) / per_power);
	}
	bounds[nr - 1] = UINT64_MAX;
	return nr;
}

/* --- series ------------------------------------------------------------------------------------ */

static struct loop_series **chain_of(struct metrics *m, int tid)
{
	return &m->hash[(unsigned int)tid % HASH_SIZE];
}

static struct loop_series *find(struct metrics *m, int pid, int tid, const char *comm)
{
	struct loop_series *s = *chain_of(m, tid);

	while (s && (s->tid != tid || s->pid != pid || strcmp(s->comm, comm) != 0))
		s = s->next;
	return s;
}

static struct loop_series *find_loop(struct metrics *m, int pid, int tid, const char *comm)
{
	char clean[sizeof(((struct loop_series *)0)->comm)];

	label__clean(comm ? comm : "", clean, sizeof(clean));
	return find(m, pid, tid, clean);
}

static int put(struct metrics *m, struct loop_series *s)
{
	struct loop_series **grown, **chain = chain_of(m, s->tid);

	if (m->nr_series == m->size) {
		size_t size = m->size ? m->size * 2 : 64;

		grown = realloc(m->series, size * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		m->series = grown;
		m->size = size;
	}
	m->series[m->nr_series++] = s;
	s->next = *chain;
	*chain = s;
	return 0;
}

static void free_series(struct loop_series *s)
{
	for (int i = 0; i < STALL_CAUSES; i++)
		free(s->stalls[i]);
	free(s);
}

static void drop(struct metrics *m, size_t i)
{
	struct loop_series *s = m->series[i], **at = chain_of(m, s->tid);

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	m->series[i] = m->series[--m->nr_series];
	m->nr_ended -= s->ended;
	free_series(s);
}

static int add_loop(struct metrics *m, const struct ls_loop *loop)
{
	struct loop_series *s = find_loop(m, loop->pid, loop->tid, loop->comm);
	int err;

	if (s) { /* again after an exec: its state begins at 0, its series goes on */
		m->nr_ended -= s->ended;
		s->ended = false;
		memset(&s->read, 0, sizeof(s->read));
		memset(s->cells, 0, sizeof(s->cells));
		memset(s->marks, 0, sizeof(s->marks));
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->pid = loop->pid;
	s->tid = loop->tid;
	label__clean(loop->comm ? loop->comm : "", s->comm, sizeof(s->comm));
	label__clean(loop->kind ? loop->kind : "", s->kind, sizeof(s->kind));
	if (m->options.cgroup)
		label__cgroup(s->pid, s->cgroup, s->container);
	err = put(m, s);
	if (err)
		free_series(s);
	return err;
}

/* --- states ------------------------------------------------------------------------------------ */

static void count_buckets(struct loop_series *s, const uint32_t cells[LS_HIST_BUCKETS],
			  unsigned int per_power)
{
	size_t nr = nr_buckets(per_power);
	unsigned int from = 0, to;

	for (size_t i = 0; i < nr; i++, from = to) {
		uint32_t sum = 0;

		to = i + 1 < nr ? edge(i, per_power) : LS_HIST_BUCKETS;
		for (unsigned int cell = from; cell < to; cell++)
			sum += cells[cell];
		s->iterations[i] += (uint32_t)(sum - s->read.cells[i]);
		s->read.cells[i] = sum;
	}
}

/* Since the older mark. */
static void find_quantiles(struct loop_series *s, const uint32_t cells[LS_HIST_BUCKETS],
			   uint64_t now_ns)
{
	uint32_t recent[LS_HIST_BUCKETS];

	for (int i = 0; i < LS_HIST_BUCKETS; i++)
		recent[i] = cells[i] - s->cells[1].cells[i];
	for (int i = 0; i < ITERATION_QUANTILES; i++)
		s->quantiles_ns[i] = histogram__middle_ns(recent, iteration_quantiles[i]);
	s->has_quantiles = histogram__total(recent);
	if (now_ns - s->cells[0].at_ns < cells_mark_ns)
		return;
	s->cells[1] = s->cells[0];
	s->cells[0].at_ns = now_ns;
	memcpy(s->cells[0].cells, cells, sizeof(s->cells[0].cells));
}

/* Adds what `total` has gained since it was last read. */
static void gain(uint64_t *sum, uint64_t *read, uint64_t total)
{
	if (total > *read) {
		*sum += total - *read;
		*read = total;
	}
}

static void read_totals(struct loop_series *s, const struct ls_loop_state *state)
{
	uint64_t causes = 0;

	gain(&s->busy_ns, &s->read.busy_ns, state->busy_ns);
	for (int i = 0; i < LS_NR_CAUSES; i++) {
		gain(&s->stalled_ns[i], &s->read.stalled_ns[i], state->stalled_ns[i]);
		causes += state->stalled_ns[i];
	}
	if (state->stalled_wall_ns > causes)
		gain(&s->stalled_ns[LS_NR_CAUSES], &s->read.unaccounted_ns,
		     state->stalled_wall_ns - causes);
}

/* How the time divides since the older mark, iterations and waits under way included. */
static void measure_busy(struct loop_series *s, const struct ls_loop_state *state, uint64_t now_ns)
{
	struct busy_mark now = {now_ns, state->busy_ns, state->wait_ns};
	uint64_t busy, wait;

	if (state->start_ns && state->start_ns < now_ns)
		now.busy_ns += now_ns - state->start_ns;
	else if (state->wait_since_ns && state->wait_since_ns < now_ns)
		now.wait_ns += now_ns - state->wait_since_ns;
	busy = now.busy_ns > s->marks[1].busy_ns ? now.busy_ns - s->marks[1].busy_ns : 0;
	wait = now.wait_ns > s->marks[1].wait_ns ? now.wait_ns - s->marks[1].wait_ns : 0;
	s->busy_ratio = busy + wait ? (double)busy / (busy + wait) : 0;
	if (now_ns - s->marks[0].at_ns >= mark_ns) {
		s->marks[1] = s->marks[0];
		s->marks[0] = now;
	}
}

static void read_histogram(struct metrics *m, struct loop_series *s,
			   const struct ls_loop_state *state, uint64_t now_ns)
{
	uint32_t cells[LS_HIST_BUCKETS];

	for (int i = 0; i < LS_HIST_BUCKETS; i++)
		cells[i] = __atomic_load_n(&state->histogram[i], __ATOMIC_RELAXED);
	count_buckets(s, cells, m->options.buckets);
	find_quantiles(s, cells, now_ns);
}

void metrics__observe(struct metrics *m, const struct ls_loop *loop,
		      const struct ls_loop_state *state, uint64_t now_ns)
{
	struct loop_series *s = find_loop(m, loop->pid, loop->tid, loop->comm);
	struct ls_loop_state still;

	if (!s)
		return;
	/* The loop may come round while it is read: then once more. */
	for (int tries = 0; tries < 3; tries++) {
		memcpy(&still, state, offsetof(struct ls_loop_state, histogram));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (still.iteration == state->iteration && still.start_ns == state->start_ns)
			break;
	}
	if (loop->kind)
		label__clean(loop->kind, s->kind, sizeof(s->kind));
	read_histogram(m, s, state, now_ns);
	read_totals(s, &still);
	measure_busy(s, &still, now_ns);
	s->ongoing_ns = still.start_ns && still.start_ns < now_ns ? now_ns - still.start_ns : 0;
	if (s->ongoing_ns < m->options.threshold_ns)
		s->ongoing_ns = 0;
}

/* --- ended loops ------------------------------------------------------------------------------- */

static size_t oldest_ended(const struct metrics *m)
{
	size_t oldest = SIZE_MAX;

	for (size_t i = 0; i < m->nr_series; i++)
		if (m->series[i]->ended &&
		    (oldest == SIZE_MAX || m->series[i]->ended_ns < m->series[oldest]->ended_ns))
			oldest = i;
	return oldest;
}

static void drop_oldest_ended(struct metrics *m)
{
	while (m->nr_ended > m->options.max_ended)
		drop(m, oldest_ended(m));
}

/* --- as a reporter ----------------------------------------------------------------------------- */

static int on_loop(void *self, const struct ls_loop *loop)
{
	return add_loop(self, loop);
}

static int on_ended(void *self, const struct ls_loop *loop, const struct ls_loop_state *last)
{
	struct metrics *m = self;
	struct loop_series *s = find_loop(m, loop->pid, loop->tid, loop->comm);

	if (!s || s->ended)
		return 0;
	s->ended = true;
	s->ended_ns = clock__mono_ns();
	read_histogram(m, s, last, s->ended_ns);
	read_totals(s, last);
	s->busy_ratio = 0;
	s->ongoing_ns = 0;
	/* Thousands may end before the next scrape; to look for the oldest of them each time is too slow. */
	if (++m->nr_ended >= 2 * m->options.max_ended)
		drop_oldest_ended(m);
	return 0;
}

/* What most of the stall's time went to. */
static int chief_cause(const struct ls_stall *stall)
{
	int chief = LS_NR_CAUSES;
	uint64_t most = stall->ledger.unaccounted_ns;

	for (int i = 0; i < LS_NR_CAUSES; i++) {
		if (stall->ledger.ns[i] <= most)
			continue;
		most = stall->ledger.ns[i];
		chief = i;
	}
	return chief;
}

static void set_exemplar(struct exemplar *e, const struct ls_stall *stall, int cause)
{
	e->wall_ns = stall->wall_ns;
	e->time_ns = stall->time_ns + stall->wall_ns;
	snprintf(e->site, sizeof(e->site), "(unknown)");
	for (size_t i = 0; i < stall->nr_causes; i++) {
		char site[LABEL_SITE_BYTES];

		if ((int)stall->causes[i].cause != cause)
			continue;
		label__site(stall->causes[i].site, cause, site, sizeof(site));
		label__clean(site, e->site, sizeof(e->site));
		return;
	}
}

static int count_stall(struct loop_series *s, const struct ls_stall *stall)
{
	int cause = chief_cause(stall), bucket = 0;

	if (!s->stalls[cause])
		s->stalls[cause] = calloc(1, sizeof(*s->stalls[cause]));
	if (!s->stalls[cause])
		return -ENOMEM;
	while (stall->wall_ns > stall_bounds_ns[bucket])
		bucket++;
	s->stalls[cause]->counts[bucket]++;
	s->stalls[cause]->sum_ns += stall->wall_ns;
	set_exemplar(&s->stalls[cause]->last, stall, cause);
	return 0;
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	struct metrics *m = self;
	struct loop_series *s = find_loop(m, stall->pid, stall->tid, stall->comm);
	char site[LABEL_SITE_BYTES];

	if (stall->ongoing || !s)
		return 0;
	for (size_t i = 0; i < stall->nr_causes; i++) {
		const struct ls_blame *blame = &stall->causes[i];

		label__site(blame->site, blame->cause, site, sizeof(site));
		site_counters__count(&m->sites, s->comm, blame->cause, site, blame->ns);
	}
	return count_stall(s, stall);
}

const struct reporter metrics_reporter = {
	.loop = on_loop,
	.stall = on_stall,
	.ended = on_ended,
};

/* --- life -------------------------------------------------------------------------------------- */

void metrics__expire(struct metrics *m, uint64_t now_ns)
{
	for (size_t i = m->nr_series; i-- > 0;)
		if (m->series[i]->ended && now_ns - m->series[i]->ended_ns >= m->options.expire_ns)
			drop(m, i);
	drop_oldest_ended(m);
	if (now_ns - m->reranked_ns >= rerank_ns) {
		m->reranked_ns = now_ns;
		site_counters__rerank(&m->sites);
	}
}

struct metrics *metrics__new(const struct metrics_options *options)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->options = *options;
	m->started_ns = clock__real_ns();
	m->reranked_ns = clock__mono_ns();
	if (!site_counters__init(&m->sites, options->max_sites))
		return m;
	free(m);
	errno = ENOMEM;
	return NULL;
}

void metrics__free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->nr_series; i++)
		free_series(m->series[i]);
	free(m->series);
	site_counters__free(&m->sites);
	free(m);
}
