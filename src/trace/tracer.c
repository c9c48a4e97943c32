/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Lifecycle of the BPF object: features -> knobs -> load -> attach -> read. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "loopstall.skel.h"
#include "maps_abi.h"
#include "trace/features.h"
#include "trace/perf_event.h"
#include "trace/sampler.h"
#include "trace/stats.h"
#include "trace/tracepoint.h"
#include "trace/tracer.h"

enum { DEFAULT_LOOPS = 256, DEFAULT_CAPTURED = 256, DEFAULT_RING = 8 << 20, MAX_LINKS = 32 };

/* Run time is counted by the kernel only in windows: counting itself costs 40 ns a run. */
static const uint64_t stats_every_ns = 1000000000, stats_window_ns = 50000000;

struct stats_window {
	int fd;                      /* -1 closed */
	uint64_t opened_ns, open_ns; /* since; in all windows */
	uint64_t length_ns;          /* of the last; it may be long when ticks are rare */
	uint64_t from_ns, from_runs; /* programs' counters at its opening */
	uint64_t ns, runs;
};

struct tracer {
	struct loopstall_bpf *skel;
	enum attach_path path;
	struct ring_buffer *ring;
	struct bpf_link *links[MAX_LINKS];
	size_t nr_links;
	struct sampler sampler;
	struct ls_loop_state *states;
	uint32_t nr_slots, nr_pairs;
	struct capture_buffer *copy; /* of a capture in the kernel */
	struct stats_window stats;
	uint64_t attached_ns;
	tracer_event_fn fn;
	void *arg;
};

static const struct wait_probe {
	const char *tracepoint, *function;
	size_t program; /* offset of the fexit program in the skeleton */
} wait_probes[] = {
#define PROBE(call)                                                           \
	{                                                                     \
		"syscalls/sys_exit_" #call, "__x64_sys_" #call,               \
			offsetof(struct loopstall_bpf, progs.on_fexit_##call) \
	}
	PROBE(epoll_wait), PROBE(epoll_pwait), PROBE(epoll_pwait2), PROBE(poll),
	PROBE(ppoll),      PROBE(select),      PROBE(pselect6),     PROBE(io_uring_enter),
};
enum { NR_PROBES = sizeof(wait_probes) / sizeof(wait_probes[0]) };

static struct bpf_program *fexit_program(const struct tracer *t, const struct wait_probe *p)
{
	return *(struct bpf_program **)((char *)t->skel + p->program);
}

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[1024];

	if (level == LIBBPF_DEBUG || log__verbosity() < 2)
		return 0;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

/* --- load ------------------------------------------------------------------------------------- */

static uint64_t at_least(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void set_knobs(struct tracer *t, const struct tracer_options *o)
{
	uint64_t threshold = o->threshold_ns;

	t->skel->rodata->cfg_threshold_ns = threshold;
	t->skel->rodata->cfg_capture_after_ns = threshold / 4;
	t->skel->rodata->cfg_sample_after_ns = sampler__after_ns(&t->sampler, threshold);
	t->skel->rodata->cfg_quantum_ns = threshold / 32;
	t->skel->rodata->cfg_capture_period_ns = at_most(500000, at_least(2 * threshold, 1000));
	t->skel->rodata->cfg_capture_burst_ns = 256 * t->skel->rodata->cfg_capture_period_ns;
	t->skel->rodata->cfg_tid = o->tid;
	t->skel->rodata->cfg_from_start = o->from_start;
}

static void set_sizes(struct tracer *t, const struct tracer_options *o)
{
	t->nr_slots = o->max_loops ? o->max_loops : DEFAULT_LOOPS;
	t->nr_pairs = o->max_captured ? o->max_captured : DEFAULT_CAPTURED;
	bpf_map__set_max_entries(t->skel->maps.loop_states, t->nr_slots);
	bpf_map__set_max_entries(t->skel->maps.free_slots, t->nr_slots);
	bpf_map__set_max_entries(t->skel->maps.captures, 2 * t->nr_pairs);
	bpf_map__set_max_entries(t->skel->maps.free_pairs, t->nr_pairs);
	bpf_map__set_max_entries(t->skel->maps.events,
				 o->ring_bytes ? o->ring_bytes : DEFAULT_RING);
}

static void choose_programs(struct tracer *t)
{
	bool fentry = t->path == ATTACH_FENTRY;

	bpf_program__set_autoload(t->skel->progs.on_sys_exit_wait, !fentry);
	for (int i = 0; i < NR_PROBES; i++)
		bpf_program__set_autoload(fexit_program(t, &wait_probes[i]),
					  fentry &&
						  features__has_function(wait_probes[i].function));
}

static int map_states(struct tracer *t)
{
	size_t bytes = (size_t)t->nr_slots * sizeof(struct ls_loop_state);
	int fd = bpf_map__fd(t->skel->maps.loop_states);

	t->states = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (t->states == MAP_FAILED) {
		t->states = NULL;
		return -errno;
	}
	return 0;
}

/* All numbers below nr onto a stack, the lowest on top. */
static int fill_stack(const struct bpf_map *map, uint32_t nr)
{
	for (uint32_t i = nr; i-- > 0;)
		if (bpf_map_update_elem(bpf_map__fd(map), NULL, &i, BPF_ANY))
			return -errno;
	return 0;
}

static int on_ring_record(void *ctx, void *data, size_t bytes)
{
	struct tracer *t = ctx;
	const struct ls_event_hdr *event = data;

	if (bytes >= sizeof(*event))
		t->fn(t->arg, event, bytes);
	return 0;
}

static int load(struct tracer *t, const struct tracer_options *o)
{
	int err;

	t->skel = loopstall_bpf__open();
	if (!t->skel) {
		err = -errno;
		log_err("cannot open the BPF object: %s", strerror(-err));
		return err;
	}
	sampler__choose(&t->sampler, o->threshold_ns);
	sampler__select(&t->sampler, t->skel);
	set_knobs(t, o);
	set_sizes(t, o);
	choose_programs(t);
	features__forget();
	err = loopstall_bpf__load(t->skel);
	if (err) {
		log_err("the kernel refuses the BPF programs: %s; `loopstall doctor` says why",
			strerror(-err));
		return err;
	}
	err = map_states(t);
	if (!err)
		err = fill_stack(t->skel->maps.free_slots, t->nr_slots);
	if (!err)
		err = fill_stack(t->skel->maps.free_pairs, t->nr_pairs);
	if (err)
		log_err("cannot prepare the loop states: %s", strerror(-err));
	return err;
}

struct tracer *tracer__new(const struct tracer_options *options, tracer_event_fn fn, void *arg)
{
	struct tracer *t;
	char clock[64];
	int err;

	libbpf_set_print(print_libbpf);
	err = features__require();
	if (err)
		goto refuse;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->fn = fn;
	t->arg = arg;
	t->stats.fd = -1;
	t->path = options->attach;
	if (t->path == ATTACH_AUTO)
		t->path = features__has_fentry() ? ATTACH_FENTRY : ATTACH_TRACEPOINT;
	err = load(t, options);
	if (err)
		goto fail;
	t->copy = malloc(sizeof(*t->copy));
	t->ring = ring_buffer__new(bpf_map__fd(t->skel->maps.events), on_ring_record, t, NULL);
	if (!t->copy || !t->ring) {
		err = -errno;
		log_err("cannot read the ring buffer: %s", strerror(-err));
		goto fail;
	}
	sampler__describe(&t->sampler, clock, sizeof(clock));
	log_info("programs loaded; wait calls by %s; CPU time sampled by %s",
		 tracer__attach_name(t), clock);
	return t;
fail:
	tracer__free(t);
refuse:
	errno = -err;
	return NULL;
}

const char *tracer__attach_name(const struct tracer *t)
{
	return t->path == ATTACH_FENTRY ? "fentry" : "tracepoint";
}

void tracer__free(struct tracer *t)
{
	if (!t)
		return;
	sampler__detach(&t->sampler);
	for (size_t i = 0; i < t->nr_links; i++)
		bpf_link__destroy(t->links[i]);
	if (t->stats.fd >= 0)
		close(t->stats.fd);
	ring_buffer__free(t->ring);
	if (t->states)
		munmap(t->states, (size_t)t->nr_slots * sizeof(struct ls_loop_state));
	loopstall_bpf__destroy(t->skel);
	free(t->copy);
	free(t);
}

/* --- attach ------------------------------------------------------------------------------------ */

static int keep_link(struct tracer *t, struct bpf_link *link, const char *what)
{
	int err = -errno;

	if (!link) {
		log_err("cannot attach to %s: %s", what, strerror(-err));
		return err;
	}
	if (t->nr_links == MAX_LINKS)
		return -E2BIG;
	t->links[t->nr_links++] = link;
	return 0;
}

static int attach_tracepoint(struct tracer *t, const char *name, int id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .config = id, .sample_period = 1};

	return keep_link(t, perf_event__attach(t->skel->progs.on_sys_exit_wait, &attr, 0), name);
}

static int attach_by_tracepoint(struct tracer *t)
{
	const char *names[NR_PROBES];
	int ids[NR_PROBES], err;

	for (int i = 0; i < NR_PROBES; i++)
		names[i] = wait_probes[i].tracepoint;
	err = tracepoint__ids(names, ids, NR_PROBES);
	if (err) {
		log_err("no syscall tracepoints: %s", tracepoint__mend(err));
		return err;
	}
	for (int i = 0; i < NR_PROBES && !err; i++)
		if (ids[i] >= 0)
			err = attach_tracepoint(t, names[i], ids[i]);
	return err;
}

static int attach_by_fentry(struct tracer *t)
{
	int err = 0;

	for (int i = 0; i < NR_PROBES && !err; i++) {
		struct bpf_program *program = fexit_program(t, &wait_probes[i]);

		if (bpf_program__autoload(program))
			err = keep_link(t, bpf_program__attach(program), wait_probes[i].function);
	}
	return err;
}

static int attach_sched(struct tracer *t)
{
	struct bpf_program *const programs[] = {
		t->skel->progs.on_sched_switch, t->skel->progs.on_sched_waking,
		t->skel->progs.on_sched_wakeup, t->skel->progs.on_fork,
		t->skel->progs.on_exec,         t->skel->progs.on_exit,
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]) && !err; i++)
		err = keep_link(t, bpf_program__attach(programs[i]),
				bpf_program__section_name(programs[i]));
	return err;
}

int tracer__attach(struct tracer *t)
{
	int err = attach_sched(t);

	if (!err)
		err = t->path == ATTACH_FENTRY ? attach_by_fentry(t) : attach_by_tracepoint(t);
	if (!err)
		err = sampler__attach(&t->sampler, t->skel);
	if (!err)
		err = tracer__take_seeds(t);
	t->attached_ns = clock__mono_ns();
	return err;
}

/* --- targets ----------------------------------------------------------------------------------- */

static int update(struct bpf_map *map, uint32_t key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY) ? -errno : 0;
}

int tracer__add_target(struct tracer *t, pid_t tgid)
{
	return update(t->skel->maps.targets, tgid, &(uint32_t){1});
}

void tracer__drop_target(struct tracer *t, pid_t tgid)
{
	uint32_t key = tgid;

	bpf_map_delete_elem(bpf_map__fd(t->skel->maps.targets), &key);
}

int tracer__add_seed(struct tracer *t, pid_t tid, const struct ls_seed *seed)
{
	return update(t->skel->maps.seeds, tid, seed);
}

static void empty(const struct bpf_map *map)
{
	uint32_t key;

	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, &key))
		if (bpf_map_delete_elem(bpf_map__fd(map), &key))
			return;
}

int tracer__take_seeds(struct tracer *t)
{
	struct bpf_link *link = bpf_program__attach_iter(t->skel->progs.on_task, NULL);
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1, err = fd < 0 ? -errno : 0;
	char ignored[256];

	if (fd >= 0) {
		while (read(fd, ignored, sizeof(ignored)) > 0)
			;
		close(fd);
	}
	bpf_link__destroy(link);
	empty(t->skel->maps.seeds);
	if (err)
		log_err("cannot look at the targets' threads: %s", strerror(-err));
	return err;
}

/* --- read -------------------------------------------------------------------------------------- */

int tracer__event_fd(const struct tracer *t)
{
	return ring_buffer__epoll_fd(t->ring);
}

int tracer__consume(struct tracer *t)
{
	int n = ring_buffer__consume(t->ring);

	return n < 0 ? n : 0;
}

const struct ls_loop_state *tracer__states(const struct tracer *t, uint32_t *nr)
{
	*nr = t->nr_slots;
	return t->states;
}

void tracer__release(struct tracer *t, uint32_t slot)
{
	uint64_t generation = t->states[slot].generation + 1;
	uint32_t pair = t->states[slot].pair - 1;

	if (t->states[slot].pair) /* it ended mid-iteration */
		bpf_map_update_elem(bpf_map__fd(t->skel->maps.free_pairs), NULL, &pair, BPF_ANY);
	memset(&t->states[slot], 0, sizeof(t->states[slot]));
	t->states[slot].generation = generation;
	bpf_map_update_elem(bpf_map__fd(t->skel->maps.free_slots), NULL, &slot, BPF_ANY);
}

void tracer__complete_capture(struct tracer *t, pid_t tid)
{
	if (!tracer__add_seed(t, tid, &(struct ls_seed){.complete = 1}))
		tracer__take_seeds(t);
}

const struct ls_ev_capture *tracer__current_capture(struct tracer *t, uint32_t slot,
						    const struct ls_ev_python **python)
{
	const struct ls_loop_state *s = &t->states[slot];
	uint64_t since = s->off_since_ns;
	uint32_t key = 2 * (s->pair - 1) + (s->buffer & 1);

	if (!since || !s->captured || !s->pair)
		return NULL;
	if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.captures), &key, t->copy))
		return NULL;
	if (s->off_since_ns != since) /* it has moved on meanwhile */
		return NULL;
	*python = t->copy->python.record.nr_frames ? &t->copy->python.record : NULL;
	return &t->copy->ev;
}

int tracer__map_fd(const struct tracer *t, const char *name)
{
	return bpf_object__find_map_fd_by_name(t->skel->obj, name);
}

void tracer__freeze(struct tracer *t)
{
	t->skel->bss->frozen = 1;
	usleep(1000); /* longer than a program runs that has not seen it yet */
}

/* --- losses and cost --------------------------------------------------------------------------- */

void tracer__losses(const struct tracer *t, struct ls_losses *losses)
{
	int nr = libbpf_num_possible_cpus();
	uint64_t cells[nr], sums[LS_NR_LOSSES] = {0};

	for (uint32_t i = 0; i < LS_NR_LOSSES; i++) {
		if (bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.losses), &i, cells))
			continue;
		for (int cpu = 0; cpu < nr; cpu++)
			sums[i] += cells[cpu];
	}
	losses->stalls = sums[LS_LOST_STALLS];
	losses->captures = sums[LS_LOST_CAPTURES];
	losses->loops = sums[LS_LOST_LOOPS];
	losses->samples = sums[LS_LOST_SAMPLES];
	losses->events = sums[LS_LOST_EVENTS];
}

static void read_run_time(const struct tracer *t, uint64_t *ns, uint64_t *runs)
{
	struct bpf_program *program;

	*ns = *runs = 0;
	bpf_object__for_each_program(program, t->skel->obj)
	{
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
			continue;
		*ns += info.run_time_ns;
		*runs += info.run_cnt;
	}
}

static void close_window(struct tracer *t, uint64_t now_ns)
{
	struct stats_window *w = &t->stats;
	uint64_t ns, runs;

	if (w->fd < 0)
		return;
	read_run_time(t, &ns, &runs);
	close(w->fd);
	w->fd = -1;
	w->length_ns = now_ns - w->opened_ns;
	w->open_ns += w->length_ns;
	w->ns += ns - w->from_ns;
	w->runs += runs - w->from_runs;
}

void tracer__tick(struct tracer *t, uint64_t now_ns)
{
	struct stats_window *w = &t->stats;

	if (w->fd >= 0) {
		if (now_ns - w->opened_ns >= stats_window_ns)
			close_window(t, now_ns);
		return;
	}
	if (w->opened_ns && now_ns - w->opened_ns < at_least(stats_every_ns, 20 * w->length_ns))
		return;
	w->opened_ns = now_ns;
	w->fd = stats__open_window(); /* -1 without CAP_SYS_ADMIN: cost stays unknown */
	if (w->fd >= 0)
		read_run_time(t, &w->from_ns, &w->from_runs);
}

void tracer__overhead(struct tracer *t, struct ls_overhead *overhead)
{
	struct stats_window *w = &t->stats;
	uint64_t now = clock__mono_ns();
	double scale;

	close_window(t, now);
	scale = w->open_ns ? (double)(now - t->attached_ns) / w->open_ns : 0;
	overhead->bpf_ns = w->ns * scale;
	overhead->bpf_runs = w->runs * scale;
}
