/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "fixture.h"
#include "model/tracefile.h"
#include "model/zstdio.h"
#include "report/folded.h"
#include "report/json.h"

static char dir[] = "/tmp/ls-tracefile-XXXXXX";
static char path[64];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/a.lst", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static int files_in_dir(void)
{
	DIR *d = opendir(dir);
	int n = 0;

	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

static void record(const struct tracefile_options *options)
{
	struct reporter r;
	void *self;

	assert_int_equal(tracefile__new(path, options, &r, &self), 0);
	assert_int_equal(fixture_run(&r, self), 0);
	r.free(self);
}

/* What `report --format json` prints for it. */
static char *read_as_json(void)
{
	int fd = open(path, O_RDONLY);
	char *buf = NULL, why[256];
	size_t bytes = 0;
	FILE *out = open_memstream(&buf, &bytes);
	struct reporter r;
	void *self;

	assert_int_equal(report_json__new(out, &r, &self), 0);
	assert_int_equal(tracefile__read(fd, &r, self, why, sizeof(why)), 0);
	r.free(self);
	fclose(out);
	close(fd);
	return buf;
}

static void a_trace_reads_back_as_the_live_run(void **state)
{
	char *live = NULL, *back;
	size_t bytes = 0;
	FILE *out = open_memstream(&live, &bytes);
	struct reporter r;
	void *self;

	(void)state;
	report_json__new(out, &r, &self);
	fixture_run(&r, self);
	r.free(self);
	fclose(out);
	record(NULL);
	back = read_as_json();
	assert_string_equal(back, live);
	free(back);
	free(live);
}

struct slices {
	size_t n;
	uint64_t iterations, in_bucket;
};

static int count_slice(void *self, const struct ls_slice *slice)
{
	struct slices *s = self;

	s->n++;
	s->iterations += slice->iterations;
	s->in_bucket += slice->histogram[hist_bucket(200000)];
	return 0;
}

static void slices_read_back(void **state)
{
	const struct reporter r = {.slice = count_slice};
	struct slices s = {0};
	char why[256];
	int fd;

	(void)state;
	record(NULL);
	fd = open(path, O_RDONLY);
	assert_int_equal(tracefile__read(fd, &r, &s, why, sizeof(why)), 0);
	close(fd);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.iterations, 1002);
	assert_int_equal(s.in_bucket, 1000);
}

static void nothing_appears_before_the_summary(void **state)
{
	struct ls_start start = fixture_start();
	struct reporter r;
	void *self;

	(void)state;
	unlink(path);
	assert_int_equal(tracefile__new(path, NULL, &r, &self), 0);
	assert_int_equal(r.start(self, &start), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	r.free(self);
	assert_int_equal(files_in_dir(), 0);
}

static void an_older_trace_stays_until_the_new_one_is_whole(void **state)
{
	struct ls_start start = fixture_start();
	struct reporter r;
	struct stat before, after;
	void *self;

	(void)state;
	record(NULL);
	stat(path, &before);
	assert_int_equal(tracefile__new(path, NULL, &r, &self), 0);
	assert_int_equal(r.start(self, &start), 0);
	r.free(self);
	stat(path, &after);
	assert_int_equal(before.st_ino, after.st_ino);
	record(NULL);
	stat(path, &after);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(files_in_dir(), 1);
}

static void a_full_disk_is_an_error_by_name(void **state)
{
	struct reporter r;
	void *self;

	(void)state;
	assert_int_equal(tracefile__new("/dev/full", NULL, &r, &self), 0);
	assert_int_equal(fixture_run(&r, self), -ENOSPC);
	r.free(self);
	assert_int_equal(tracefile__new("/nonexistent/x", NULL, &r, &self), -ENOENT);
	assert_int_equal(tracefile__new("/tmp", NULL, &r, &self), -EISDIR);
}

/* --- bounds --- */

static int many_stalls(const struct reporter *r, void *self, int n)
{
	struct ls_start start = fixture_start();
	struct ls_loop loop = fixture_loop();
	struct ls_summary summary = {.seconds = 60};
	struct ls_blame b[2];
	struct ls_stall s;
	int err = r->start(self, &start);

	if (!err)
		err = r->loop(self, &loop);
	for (int i = 0; i < n && !err; i++) {
		b[0] = fixture_blame_network(20 * MS + (uint64_t)rand() % (50 * MS));
		b[1] = fixture_blame_cpu((uint64_t)rand() % (5 * MS));
		s = fixture_stall(loop, (uint64_t)i * 6 * MS, b, 2);
		err = r->stall(self, &s);
	}
	return err ? err : r->summary(self, &summary);
}

struct sums {
	uint64_t stalls, rest_stalls, wall_ns, causes_ns;
};

static int sum_stall(void *self, const struct ls_stall *stall)
{
	struct sums *s = self;

	s->stalls++;
	s->wall_ns += stall->wall_ns;
	return 0;
}

static int sum_rest(void *self, const struct ls_rest *rest)
{
	struct sums *s = self;

	s->rest_stalls += rest->stalls;
	s->wall_ns += rest->wall_ns;
	s->causes_ns += rest->ledger.unaccounted_ns;
	for (size_t i = 0; i < rest->nr_causes; i++)
		s->causes_ns += rest->causes[i].ns;
	assert_string_equal(rest->comm, "uvicorn");
	return 0;
}

static void sum_up(const struct tracefile_options *options, int n, struct sums *sums)
{
	const struct reporter in = {.stall = sum_stall, .rest = sum_rest};
	struct reporter r;
	char why[256];
	void *self;
	int fd;

	srand(1);
	assert_int_equal(tracefile__new(path, options, &r, &self), 0);
	assert_int_equal(many_stalls(&r, self, n), 0);
	r.free(self);
	fd = open(path, O_RDONLY);
	*sums = (struct sums){0};
	assert_int_equal(tracefile__read(fd, &in, sums, why, sizeof(why)), 0);
	close(fd);
}

static void stalls_beyond_the_bound_are_added_up(void **state)
{
	struct sums whole, bounded;
	struct stat st;

	(void)state;
	sum_up(NULL, 30000, &whole);
	assert_int_equal(whole.stalls, 30000);
	assert_int_equal(whole.rest_stalls, 0);
	sum_up(&(struct tracefile_options){.max_bytes = 200 << 10}, 30000, &bounded);
	stat(path, &st);
	assert_true(st.st_size < 500 << 10);
	assert_in_range(bounded.stalls, 1000, 29000);
	assert_int_equal(bounded.stalls + bounded.rest_stalls, 30000);
	assert_int_equal(bounded.wall_ns, whole.wall_ns);
}

static char *folded_of(void)
{
	int fd = open(path, O_RDONLY);
	char *buf = NULL, why[256];
	size_t bytes = 0;
	FILE *out = open_memstream(&buf, &bytes);
	struct reporter r;
	void *self;

	report_folded__new(out, &(struct folded_options){0}, &r, &self);
	assert_int_equal(tracefile__read(fd, &r, self, why, sizeof(why)), 0);
	r.free(self);
	fclose(out);
	close(fd);
	return buf;
}

static void what_is_added_up_stays_in_the_profile(void **state)
{
	struct sums sums;
	char *whole, *bounded;

	(void)state;
	sum_up(NULL, 5000, &sums);
	whole = folded_of();
	sum_up(&(struct tracefile_options){.max_bytes = 1}, 5000, &sums);
	assert_in_range(sums.rest_stalls, 3000, 5000);
	bounded = folded_of();
	assert_string_equal(whole, bounded);
	free(whole);
	free(bounded);
}

static void a_hundred_thousand_stalls_stay_small(void **state)
{
	struct sums sums;
	struct stat st;

	(void)state;
	sum_up(NULL, 100000, &sums);
	stat(path, &st);
	print_message("100000 stalls: %lld bytes, %llu kept one by one\n", (long long)st.st_size,
		      (unsigned long long)sums.stalls);
	assert_true(st.st_size < 20 << 20);
}

/* --- files from anywhere --- */

/* Reads bytes as a file. Whatever they are, it must come back, and with a reason of one line. */
static int read_bytes(const void *bytes, size_t n, char *why, size_t why_bytes)
{
	FILE *null = fopen("/dev/null", "w");
	int fd = memfd_create("trace", 0), err;
	struct reporter r;
	void *self;

	assert_int_equal(write(fd, bytes, n), n);
	lseek(fd, 0, SEEK_SET);
	report_json__new(null, &r, &self);
	err = tracefile__read(fd, &r, self, why, why_bytes);
	r.free(self);
	fclose(null);
	close(fd);
	assert_null(strchr(why, '\n'));
	if (err)
		assert_true(why[0] != '\0');
	return err;
}

static char *slurp(size_t *n)
{
	FILE *f = fopen(path, "r");
	char *buf = malloc(1 << 20);

	*n = fread(buf, 1, 1 << 20, f);
	fclose(f);
	return buf;
}

static void every_truncation_is_refused(void **state)
{
	char *bytes, why[256];
	size_t n;

	(void)state;
	record(NULL);
	bytes = slurp(&n);
	assert_int_equal(read_bytes(bytes, n, why, sizeof(why)), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(read_bytes(bytes, i, why, sizeof(why)), -EBADMSG);
	free(bytes);
}

static void every_flipped_byte_is_refused(void **state)
{
	char *bytes, why[256];
	size_t n;

	(void)state;
	record(NULL);
	bytes = slurp(&n);
	for (size_t i = 0; i < n; i++) {
		bytes[i] = (char)~bytes[i];
		if (read_bytes(bytes, n, why, sizeof(why)) == 0)
			fail_msg("byte %zu", i);
		bytes[i] = (char)~bytes[i];
	}
	free(bytes);
}

#define HEADER "{\"type\":\"header\",\"format\":\"loopstall-trace\",\"version\":1}\n"
#define START  "{\"type\":\"start\",\"pids\":[1]}\n"
#define END    "{\"type\":\"summary\",\"seconds\":1}\n"

static void refuses(const char *text, const char *reason)
{
	char why[256];

	assert_int_equal(read_bytes(text, strlen(text), why, sizeof(why)), -EBADMSG);
	if (!strstr(why, reason))
		fail_msg("%s: not \"%s\" but \"%s\"", text, reason, why);
}

static void accepts(const char *text)
{
	char why[256];

	if (read_bytes(text, strlen(text), why, sizeof(why)) != 0)
		fail_msg("%s: %s", text, why);
}

static void nonsense_is_refused_with_its_line(void **state)
{
	(void)state;
	refuses("", "empty");
	refuses("\n", "not a loopstall trace");
	refuses("GIF89a", "not a loopstall trace");
	refuses("[1]\n", "not a loopstall trace");
	refuses("{\"type\":\"start\",\"v\":1}\n", "--json");
	refuses("{\"type\":\"header\",\"format\":\"loopstall-trace\",\"version\":9}\n", "format 9");
	refuses(HEADER, "no summary");
	refuses(HEADER END, "line 2: no start");
	refuses(HEADER START START, "line 3: a second start");
	refuses(HEADER START END START, "line 4: something after");
	refuses(HEADER START "{\"type\":\"stall\"\n", "line 3: not valid JSON");
	refuses(HEADER START "{\"type\":\"stall\",\"wall_ns\":-1}\n", "\"wall_ns\"");
	refuses(HEADER START "{\"type\":\"stall\",\"wall_ns\":1e9}\n", "\"wall_ns\"");
	refuses(HEADER START "{\"type\":\"stall\",\"wall_ns\":9223372036854775807}\n",
		"\"wall_ns\"");
	refuses(HEADER START "{\"type\":\"stall\",\"ledger\":[]}\n", "\"ledger\"");
	refuses(HEADER START "{\"type\":\"stall\",\"causes\":[{\"place\":0}]}\n", "\"place\"");
	refuses(HEADER START "{\"type\":\"stall\",\"causes\":[7]}\n", "\"place\"");
	refuses(HEADER START "{\"type\":\"frame\",\"id\":1}\n", "\"id\"");
	refuses(HEADER START "{\"type\":\"frame\",\"id\":0,\"line\":4294967296}\n", "\"line\"");
	refuses(HEADER START "{\"type\":\"stack\",\"id\":0,\"frames\":[0]}\n", "no line before");
	refuses(HEADER START "{\"type\":\"slice\",\"start_ns\":5,\"end_ns\":5}\n", "slice");
	refuses(HEADER START "{\"type\":\"slice\",\"end_ns\":5,\"histogram\":[[1,-1]]}\n",
		"histogram");
	refuses(HEADER START "{\"type\":\"summary\",\"seconds\":-1}\n", "\"seconds\"");
}

static void a_later_version_may_add(void **state)
{
	(void)state;
	accepts(HEADER START END);
	accepts(HEADER START "{\"type\":\"aurora\",\"x\":[]}\n" END);
	accepts(HEADER START
		"{\"type\":\"place\",\"id\":0,\"cause\":\"aurora\",\"x\":1}\n"
		"{\"type\":\"stall\",\"tid\":1,\"causes\":[{\"place\":0,\"y\":2}]}\n" END);
}

static void one_line_cannot_ask_for_the_whole_memory(void **state)
{
	char *line = malloc(3 << 20), why[256];
	size_t n = 0;

	(void)state;
	n += (size_t)sprintf(line, HEADER START "{\"type\":\"x\",\"y\":\"");
	memset(line + n, 'a', 2 << 20);
	n += 2 << 20;
	n += (size_t)sprintf(line + n, "\"}\n" END);
	assert_int_equal(read_bytes(line, n, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "larger"));
	/* Deep nesting. */
	n = (size_t)sprintf(line, HEADER START "{\"type\":\"x\",\"y\":");
	memset(line + n, '[', 500000);
	n += 500000;
	n += (size_t)sprintf(line + n, "}\n" END);
	assert_int_equal(read_bytes(line, n, why, sizeof(why)), -EBADMSG);
	free(line);
}

static void a_bomb_is_refused(void **state)
{
	char line[65536], why[256];
	uint64_t bytes;
	FILE *out;
	int fd, err;
	const struct reporter none = {0};

	(void)state;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	out = zstdio__compress(fd, &bytes);
	fputs(HEADER START, out);
	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"type\":\"x\"}", 12);
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 16384; i++)
		fwrite(line, 1, sizeof(line), out);
	fputs(END, out);
	fclose(out);
	lseek(fd, 0, SEEK_SET);
	err = tracefile__read(fd, &none, NULL, why, sizeof(why));
	close(fd);
	assert_int_equal(err, -EBADMSG);
	assert_non_null(strstr(why, "larger"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trace_reads_back_as_the_live_run),
		cmocka_unit_test(slices_read_back),
		cmocka_unit_test(nothing_appears_before_the_summary),
		cmocka_unit_test(an_older_trace_stays_until_the_new_one_is_whole),
		cmocka_unit_test(a_full_disk_is_an_error_by_name),
		cmocka_unit_test(stalls_beyond_the_bound_are_added_up),
		cmocka_unit_test(what_is_added_up_stays_in_the_profile),
		cmocka_unit_test(a_hundred_thousand_stalls_stay_small),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_flipped_byte_is_refused),
		cmocka_unit_test(nonsense_is_refused_with_its_line),
		cmocka_unit_test(a_later_version_may_add),
		cmocka_unit_test(one_line_cannot_ask_for_the_whole_memory),
		cmocka_unit_test(a_bomb_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
