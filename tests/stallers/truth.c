// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * truth: one epoll loop whose iterations have known causes and lengths which it measures itself.
 *
 * The loop is woken by a timer, or by a helper thread which is about to keep it waiting; it then
 * calls one stall_* function through a pointer and goes back to its epoll. What an iteration was,
 * when it began and ended, and how much of it the thread spent on a CPU or in a run queue goes to
 * an array and, at the end, to --out as one JSON object a line for tests/truth.py to compare.
 */
#include "staller.h"

#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define NAP_NS    (400 * USEC)
#define BLOCK     (64 * 1024)
#define FILE_SIZE (64 * BLOCK)
#define TICK_NS   (5 * MSEC)

enum source { FROM_STDIN, FROM_TIMER, FROM_HELPER };

/* A thread which makes the loop wait: it wakes the loop, and len_ns later lets it go on. */
struct helper {
	const char *name;
	void (*hold)(void);
	void (*release)(void);
	sem_t ready, asked;
	uint64_t gap_ns, len_ns;
	pid_t tid;
	pthread_t thread;
};

struct kind {
	const char *name;
	const char *site;
	void (*stall)(uint64_t len_ns);
	const char *cause;
	const char *calls; /* the system calls it may block in, as a JSON array */
	const char *object;
	struct helper *helper;
	bool names_holder;
};

struct iteration {
	const struct kind *kind;
	uint64_t len_ns; /* as planned */
	uint64_t gap_ns; /* idle before it */
	uint64_t start_ns, end_ns, cpu_ns, runqueue_ns;
	uint32_t calls;
};

static struct {
	long iterations, min_ms, max_ms, short_max;
	uint64_t seed;
	const char *out, *kinds, *dir;
	bool wait_ready;
} opt = {.iterations = 1000, .min_ms = 1, .max_ms = 50, .short_max = 2, .seed = 1, .dir = "/tmp"};

static struct iteration *plan;
static size_t nr_planned, at;

static int home_fd = -1, timer_fd = -1, kick_fd = -1, schedstat_fd = -1;
static int pipe_fds[2], nested_fd, tcp_fd, file_fd;
static char tcp_object[64], file_path[PATH_MAX];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint32_t calls; /* blocking calls of the iteration under way */

/* --- what the loop calls ------------------------------------------------------------------ */

SITE void stall_cpu(uint64_t len_ns)
{
	uint64_t end = now_ns() + len_ns;

	while (now_ns() < end)
		;
	calls++;
}

SITE void stall_sleep(uint64_t len_ns)
{
	struct timespec t = to_timespec(len_ns);

	must(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL), "clock_nanosleep");
	calls++;
}

SITE void stall_naps(uint64_t len_ns)
{
	uint64_t end = now_ns() + len_ns;
	struct timespec t = to_timespec(NAP_NS);

	do {
		must(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL), "clock_nanosleep");
		calls++;
	} while (now_ns() < end);
}

SITE void stall_pipe_read(uint64_t len_ns)
{
	char c;

	(void)len_ns;
	must(read(pipe_fds[0], &c, 1), "read");
	calls++;
}

SITE void stall_poll_pipe(uint64_t len_ns)
{
	struct pollfd p = {.fd = pipe_fds[0], .events = POLLIN};
	char c;

	(void)len_ns;
	must(poll(&p, 1, -1), "poll");
	must(read(pipe_fds[0], &c, 1), "read");
	calls++;
}

SITE void stall_nested_epoll(uint64_t len_ns)
{
	struct epoll_event ev;
	char c;

	(void)len_ns;
	must(epoll_wait(nested_fd, &ev, 1, -1), "epoll_wait");
	must(read(pipe_fds[0], &c, 1), "read");
	calls++;
}

SITE void stall_tcp_recv(uint64_t len_ns)
{
	uint64_t answer;

	must(send(tcp_fd, &len_ns, sizeof(len_ns), 0), "send");
	if (recv(tcp_fd, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
		err(1, "recv");
	calls++;
}

SITE void stall_mutex(uint64_t len_ns)
{
	(void)len_ns;
	pthread_mutex_lock(&mutex);
	calls++;
	pthread_mutex_unlock(&mutex);
	__asm__ volatile("" ::: "memory"); /* not the last act: no tail call */
}

SITE void stall_child(uint64_t len_ns)
{
	int status;
	pid_t pid = must(fork(), "fork");

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		nap(len_ns);
		_exit(0);
	}
	must(waitpid(pid, &status, 0), "waitpid");
	calls++;
}

SITE void stall_fsync(uint64_t len_ns)
{
	static const char block[BLOCK] = {1};
	uint64_t end = now_ns() + len_ns;

	do {
		if (lseek(file_fd, 0, SEEK_CUR) >= FILE_SIZE)
			must(lseek(file_fd, 0, SEEK_SET), "lseek");
		must(write(file_fd, block, BLOCK), "write");
		must(fsync(file_fd), "fsync");
		calls++;
	} while (now_ns() < end);
}

SITE void healthy(uint64_t len_ns)
{
	spin_until(now_ns() + len_ns);
	calls++;
}

/* --- helpers ------------------------------------------------------------------------------ */

static void nothing(void)
{
}

static void write_pipe(void)
{
	must(write(pipe_fds[1], "x", 1), "write");
}

static void lock_mutex(void)
{
	pthread_mutex_lock(&mutex);
}

static void unlock_mutex(void)
{
	pthread_mutex_unlock(&mutex);
}

static void *helper_main(void *arg)
{
	struct helper *h = arg;
	uint64_t one = 1;

	h->tid = thread_id();
	pthread_setname_np(pthread_self(), h->name);
	sem_post(&h->ready);
	for (;;) {
		while (sem_wait(&h->asked))
			;
		nap(h->gap_ns);
		h->hold();
		must(write(kick_fd, &one, sizeof(one)), "write");
		nap(h->len_ns);
		h->release();
	}
	return NULL;
}

static void start_helper(struct helper *h)
{
	sem_init(&h->ready, 0, 0);
	sem_init(&h->asked, 0, 0);
	if (pthread_create(&h->thread, NULL, helper_main, h))
		errx(1, "no thread for %s", h->name);
	while (sem_wait(&h->ready)) /* its tid is known */
		;
}

/* A process of its own at the other end of a TCP connection: answers when asked to have waited. */
static void serve_tcp(int listen_fd)
{
	uint64_t len_ns;
	int fd, one = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "tcp-peer");
	fd = must(accept(listen_fd, NULL, NULL), "accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (recv(fd, &len_ns, sizeof(len_ns), MSG_WAITALL) == sizeof(len_ns)) {
		nap(len_ns);
		must(send(fd, &len_ns, sizeof(len_ns), 0), "send");
	}
	_exit(0);
}

static void start_tcp_peer(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int listen_fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"), one = 1;

	must(bind(listen_fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	must(listen(listen_fd, 1), "listen");
	must(getsockname(listen_fd, (struct sockaddr *)&a, &len), "getsockname");
	if (must(fork(), "fork") == 0)
		serve_tcp(listen_fd);
	tcp_fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	must(connect(tcp_fd, (struct sockaddr *)&a, sizeof(a)), "connect");
	setsockopt(tcp_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(listen_fd);
	snprintf(tcp_object, sizeof(tcp_object), "tcp 127.0.0.1:%u", ntohs(a.sin_port));
}

/* --- the plan ----------------------------------------------------------------------------- */

static struct helper pipe_writer = {.name = "pipe-writer", .hold = nothing, .release = write_pipe};
static struct helper lock_holder = {
	.name = "lock-holder", .hold = lock_mutex, .release = unlock_mutex};

#define KIND(what, ...)                                                                   \
	{                                                                                 \
		.name = #what, .site = "stall_" #what, .stall = stall_##what, __VA_ARGS__ \
	}

static const struct kind kinds[] = {
	KIND(cpu, .cause = "cpu", .calls = "[]"),
	KIND(sleep, .cause = "sleep", .calls = "[\"clock_nanosleep\",\"nanosleep\"]"),
	KIND(naps, .cause = "sleep", .calls = "[\"clock_nanosleep\",\"nanosleep\"]"),
	KIND(pipe_read, .cause = "pipe", .calls = "[\"read\"]", .object = "pipe",
	     .helper = &pipe_writer),
	KIND(poll_pipe, .cause = "pipe", .calls = "[\"poll\"]", .object = "pipe",
	     .helper = &pipe_writer),
	KIND(nested_epoll, .cause = "pipe", .calls = "[\"epoll_wait\"]", .object = "pipe",
	     .helper = &pipe_writer),
	KIND(tcp_recv, .cause = "network", .calls = "[\"recvfrom\"]", .object = tcp_object),
	KIND(mutex, .cause = "lock", .calls = "[\"futex\"]", .helper = &lock_holder,
	     .names_holder = true),
	KIND(child, .cause = "process", .calls = "[\"wait4\"]"),
	KIND(fsync, .cause = "disk", .calls = "[\"fsync\",\"write\"]", .object = file_path),
};
#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind short_kind = {
	.name = "short", .site = "healthy", .stall = healthy, .cause = "cpu", .calls = "[]"};

static bool wanted(const struct kind *k)
{
	size_t len = strlen(k->name);
	const char *p = opt.kinds;

	if (!p)
		return true;
	while ((p = strstr(p, k->name))) {
		if ((p == opt.kinds || p[-1] == ',') && (p[len] == ',' || !p[len]))
			return true;
		p += len;
	}
	return false;
}

static void add(const struct kind *k, uint64_t len_ns, uint64_t gap_ns)
{
	plan[nr_planned++] = (struct iteration){.kind = k, .len_ns = len_ns, .gap_ns = gap_ns};
}

/* Each kind equally often, in a shuffled order, with short iterations between. */
static void make_plan(void)
{
	const struct kind *turn[NR_KINDS];
	size_t nr = 0, i, j;
	uint64_t rng = opt.seed;

	for (i = 0; i < NR_KINDS; i++)
		if (wanted(&kinds[i]))
			turn[nr++] = &kinds[i];
	if (!nr)
		errx(2, "--kinds: none of them is known: %s", opt.kinds);
	/* Allocated and written now: no page fault of the book-keeping's own later. */
	plan = malloc((opt.iterations * (1 + opt.short_max) + 1) * sizeof(*plan));
	if (!plan)
		err(1, "malloc");
	for (i = 0; i < (size_t)opt.iterations; i++) {
		if (i % nr == 0)
			for (j = nr - 1; j > 0; j--) {
				size_t k = random_between(&rng, 0, j);
				const struct kind *t = turn[j];

				turn[j] = turn[k];
				turn[k] = t;
			}
		for (j = random_between(&rng, 0, opt.short_max); j > 0; j--)
			add(&short_kind, random_between(&rng, 0, 300 * USEC),
			    random_between(&rng, 100 * USEC, 2 * MSEC));
		add(turn[i % nr], random_between(&rng, opt.min_ms * MSEC, opt.max_ms * MSEC),
		    random_between(&rng, 100 * USEC, 4 * MSEC));
	}
}

static void set_timer(uint64_t ns)
{
	struct itimerspec t = {.it_value = to_timespec(ns)};

	must(timerfd_settime(timer_fd, 0, &t, NULL), "timerfd_settime");
}

/* Have something wake the loop for the iteration that comes next. */
static void arrange(const struct iteration *it)
{
	struct helper *h = it->kind->helper;

	if (!h) {
		set_timer(it->gap_ns);
		return;
	}
	h->gap_ns = it->gap_ns;
	h->len_ns = it->len_ns;
	sem_post(&h->asked);
}

/* --- the loop ----------------------------------------------------------------------------- */

/* Time this thread was runnable and not running: the second number of its schedstat. */
static uint64_t run_delay_ns(void)
{
	char buf[64], *p;
	ssize_t n = pread(schedstat_fd, buf, sizeof(buf) - 1, 0);

	if (n <= 0)
		return 0;
	buf[n] = 0;
	strtoull(buf, &p, 10);
	return strtoull(p, NULL, 10);
}

/*
 * What a hypervisor has taken from this machine's CPUs so far, 10 ms at a time. The kernel leaves
 * it out of a thread's CPU time, and a tracer by wall clock cannot: a comparison should know how
 * much.
 */
static long stolen_ms(void)
{
	FILE *f = fopen("/proc/stat", "r");
	long ticks = 0;

	if (!f)
		return 0;
	if (fscanf(f, "cpu %*d %*d %*d %*d %*d %*d %*d %ld", &ticks) != 1)
		ticks = 0;
	fclose(f);
	return ticks * 1000 / sysconf(_SC_CLK_TCK);
}

static void begin(struct iteration *it, uint64_t start_ns)
{
	it->start_ns = start_ns;
	it->cpu_ns = thread_cpu_ns();
	it->runqueue_ns = run_delay_ns();
	calls = 0;
}

/* The last thing before the loop's wait, so that nothing is done unmeasured. */
static void end(struct iteration *it)
{
	it->calls = calls;
	it->runqueue_ns = run_delay_ns() - it->runqueue_ns;
	it->cpu_ns = thread_cpu_ns() - it->cpu_ns;
	it->end_ns = now_ns();
}

static void drain(enum source from)
{
	char buf[256];

	if (from == FROM_STDIN) {
		must(read(0, buf, sizeof(buf)), "stdin");
		must(epoll_ctl(home_fd, EPOLL_CTL_DEL, 0, NULL), "epoll_ctl");
	} else if (read(from == FROM_TIMER ? timer_fd : kick_fd, buf, sizeof(buf)) < 0 &&
		   errno != EAGAIN) {
		err(1, "read");
	}
}

/* Ticks, as a healthy loop does, until a line (or the end) of standard input says to begin. */
static void __attribute__((noinline)) await_start(void)
{
	struct epoll_event ev;
	bool started = false;

	set_timer(TICK_NS);
	while (!started) {
		if (must(epoll_wait(home_fd, &ev, 1, -1), "epoll_wait") != 1)
			continue;
		drain(ev.data.u32);
		started = ev.data.u32 == FROM_STDIN;
		if (!started)
			set_timer(TICK_NS);
	}
}

static void __attribute__((noinline)) run_loop(void)
{
	struct iteration *it;
	struct epoll_event ev;
	uint64_t start;

	arrange(&plan[0]);
	while (at < nr_planned) {
		if (epoll_wait(home_fd, &ev, 1, -1) != 1)
			continue;
		start = now_ns();
		it = &plan[at];
		begin(it, start);
		drain(ev.data.u32);
		it->kind->stall(it->len_ns);
		if (++at < nr_planned)
			arrange(&plan[at]);
		else
			set_timer(TICK_NS);
		end(it);
	}
	/* The last iteration ends like the others, at the loop's own wait. */
	must(epoll_wait(home_fd, &ev, 1, -1), "epoll_wait");
}

static void watch(int fd, enum source from)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = from};

	must(epoll_ctl(home_fd, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
}

static void open_all(void)
{
	struct epoll_event ev = {.events = EPOLLIN};

	start_tcp_peer(); /* forks: before there are threads */
	must(pipe2(pipe_fds, O_CLOEXEC), "pipe");
	nested_fd = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create");
	must(epoll_ctl(nested_fd, EPOLL_CTL_ADD, pipe_fds[0], &ev), "epoll_ctl");
	snprintf(file_path, sizeof(file_path), "%s/truth.%d.data", opt.dir, getpid());
	file_fd = must(open(file_path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600), file_path);
	schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);

	home_fd = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create");
	timer_fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd");
	kick_fd = must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
	watch(timer_fd, FROM_TIMER);
	watch(kick_fd, FROM_HELPER);
	start_helper(&pipe_writer);
	start_helper(&lock_holder);
}

static void print_iteration(FILE *f, size_t index, const struct iteration *it)
{
	const struct kind *k = it->kind;

	fprintf(f,
		"{\"type\":\"iteration\",\"index\":%zu,\"kind\":\"%s\",\"start_ns\":%" PRIu64
		",\"end_ns\":%" PRIu64 ",\"wall_ns\":%" PRIu64 ",\"cpu_ns\":%" PRIu64
		",\"runqueue_ns\":%" PRIu64 ",\"cause\":\"%s\",\"site\":\"%s\",\"calls\":%s"
		",\"count\":%u",
		index, k->name, it->start_ns, it->end_ns, it->end_ns - it->start_ns, it->cpu_ns,
		it->runqueue_ns, k->cause, k->site, k->calls, it->calls);
	if (k->object)
		fprintf(f, ",\"object\":\"%s\"", k->object);
	if (k->names_holder)
		fprintf(f, ",\"holder\":{\"tid\":%d,\"comm\":\"%s\"}", k->helper->tid,
			k->helper->name);
	fprintf(f, "}\n");
}

static int write_truth(long stolen)
{
	FILE *f = opt.out ? fopen(opt.out, "w") : stdout;
	size_t i;

	if (!f)
		err(1, "%s", opt.out);
	fprintf(f,
		"{\"type\":\"truth\",\"pid\":%d,\"tid\":%d,\"seed\":%" PRIu64
		",\"iterations\":%zu,\"first_ns\":%" PRIu64 ",\"last_ns\":%" PRIu64
		",\"stolen_ms\":%ld}\n",
		getpid(), thread_id(), opt.seed, nr_planned, plan[0].start_ns,
		plan[nr_planned - 1].end_ns, stolen);
	for (i = 0; i < nr_planned; i++)
		print_iteration(f, i, &plan[i]);
	return fflush(f) || ferror(f) ? 1 : 0;
}

static void usage(FILE *f)
{
	size_t i;

	fprintf(f, "usage: truth [--iterations N] [--seed S] [--min-ms MS] [--max-ms MS]\n"
		   "             [--kinds KIND,...] [--dir DIR] [--out FILE] [--wait-ready]\n"
		   "--wait-ready prints `ready PID` and begins at a line on standard input\n"
		   "kinds:");
	for (i = 0; i < NR_KINDS; i++)
		fprintf(f, " %s", kinds[i].name);
	fprintf(f, "\n");
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"iterations", 1, 0, 'n'}, {"seed", 1, 0, 's'},
		{"min-ms", 1, 0, 'm'},     {"max-ms", 1, 0, 'M'},
		{"kinds", 1, 0, 'k'},      {"dir", 1, 0, 'd'},
		{"out", 1, 0, 'o'},        {"wait-ready", 0, 0, 'w'},
		{"help", 0, 0, 'h'},       {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			opt.iterations = number("--iterations", optarg, 1);
			break;
		case 's':
			opt.seed = number("--seed", optarg, 0);
			break;
		case 'm':
			opt.min_ms = number("--min-ms", optarg, 0);
			break;
		case 'M':
			opt.max_ms = number("--max-ms", optarg, 1);
			break;
		case 'k':
			opt.kinds = optarg;
			break;
		case 'd':
			opt.dir = optarg;
			break;
		case 'o':
			opt.out = optarg;
			break;
		case 'w':
			opt.wait_ready = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc || opt.max_ms < opt.min_ms) {
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	long stolen;
	int ret;

	parse(argc, argv);
	make_plan();
	open_all();
	if (opt.wait_ready) {
		watch(0, FROM_STDIN);
		printf("ready %d\n", getpid());
		fflush(stdout);
		await_start();
	}
	stolen = stolen_ms();
	run_loop();
	ret = write_truth(stolen_ms() - stolen);
	unlink(file_path);
	return ret;
}
