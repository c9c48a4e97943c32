/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a session keeps of each loop thread: its records in waiting, and its worst sites. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "trace/loops.h"

/* --- loops ---------------------------------------------------------------------------------- */

static void thread_is_found_until_its_loop_has_ended(void **state)
{
	struct loops loops = {0};
	struct traced_loop *first, *second;

	(void)state;
	assert_null(loops__find(&loops, 7));
	first = loops__add(&loops, 5, 7);
	assert_ptr_equal(loops__find(&loops, 7), first);
	assert_null(loops__find(&loops, 5));
	first->ended = true; /* and its tid is used again */
	assert_null(loops__find(&loops, 7));
	second = loops__add(&loops, 5, 7);
	assert_ptr_equal(loops__find(&loops, 7), second);
	assert_int_equal(loops.nr, 2);
	loops__free(&loops);
	assert_int_equal(loops.nr, 0);
}

static void removed_loop_leaves_the_others(void **state)
{
	struct loops loops = {0};
	struct traced_loop *items[5];

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		items[i] = loops__add(&loops, 1, 10 + i);
	loops__remove(&loops, items[4]);
	loops__remove(&loops, items[0]);
	assert_int_equal(loops.nr, 3);
	for (uint32_t i = 1; i < 4; i++)
		assert_ptr_equal(loops__find(&loops, 10 + i), items[i]);
	loops__free(&loops);
}

/* --- records -------------------------------------------------------------------------------- */

static void records_are_kept_in_order_and_aligned(void **state)
{
	struct raw_records raw = {0};

	(void)state;
	assert_int_equal(raw__append(&raw, "abc", 3), 0);
	assert_int_equal(raw.used, 8);
	assert_int_equal(raw__append(&raw, "0123456789abcdef", 16), 0);
	assert_int_equal(raw.used, 24);
	assert_memory_equal(raw.bytes, "abc", 3);
	assert_memory_equal(raw.bytes + 8, "0123456789abcdef", 16);
	raw__free(&raw);
	assert_null(raw.bytes);
	assert_int_equal(raw.used + raw.size, 0);
}

static void records_in_waiting_are_bounded(void **state)
{
	const size_t bytes = 40000;
	uint8_t *record = calloc(1, bytes);
	struct raw_records raw = {0};
	int err = 0;
	size_t before = 0;

	(void)state;
	for (int i = 0; i < 1000 && !err; i++) {
		before = raw.used;
		err = raw__append(&raw, record, bytes);
	}
	assert_int_equal(err, -E2BIG);
	assert_int_equal(raw.used, before); /* what is there stays whole */
	assert_in_range(raw.used, 3 << 20, 4 << 20);
	assert_int_equal(raw__append(&raw, record, 8), 0); /* a smaller one may still fit */
	raw__free(&raw);
	free(record);
}

/* --- sites ---------------------------------------------------------------------------------- */

static struct ls_frame frames[2000];

static struct ls_blame at_line(enum ls_cause cause, uint64_t ns, uint32_t line)
{
	frames[line] = (struct ls_frame){.function = "handle", .file = "app.c", .line = line};
	return (struct ls_blame){
		.cause = cause,
		.ns = ns,
		.count = 3,
		.call = {.name = "fsync", .fd = 5, .object = "/var/app.db"},
		.site = &frames[line],
	};
}

static void add(struct site_totals *sites, const struct ls_blame *causes, size_t nr)
{
	static uint64_t start_ns;
	struct ls_stall stall = {.start_ns = ++start_ns, .causes = causes, .nr_causes = nr};

	assert_int_equal(sites__add(sites, &stall), 0);
}

static void site_that_a_stall_came_to_twice_counts_once(void **state)
{
	struct ls_blame b[2] = {at_line(LS_GIL, 100, 18), at_line(LS_GIL, 50, 18)};
	struct site_totals sites = {0};

	(void)state;
	b[1].holder.tid = 7; /* another thread had it then */
	add(&sites, b, 2);
	assert_int_equal(sites.nr, 1);
	assert_int_equal(sites.items[0].ns, 150);
	assert_int_equal(sites.items[0].count, 1);
	free(sites.items);
}

static void stalls_at_one_site_add_up(void **state)
{
	struct ls_blame b = at_line(LS_DISK, 100, 18);
	struct site_totals sites = {0};

	(void)state;
	add(&sites, &b, 1);
	b.call.fd = 6; /* the same file, opened again: still the same line to change */
	add(&sites, &b, 1);
	assert_int_equal(sites.nr, 1);
	assert_int_equal(sites.items[0].ns, 200);
	assert_int_equal(sites.items[0].count, 2); /* stalls, not blocks */
	assert_int_equal(sites.items[0].site.line, 18);
	assert_true(sites.items[0].has_site);
	assert_false(sites.items[0].has_callee);
	free(sites.items);
}

static void sites_differ_by_line_cause_and_object(void **state)
{
	struct ls_blame causes[] = {
		at_line(LS_DISK, 1, 18), at_line(LS_DISK, 1, 19), at_line(LS_NETWORK, 1, 18),
		at_line(LS_DISK, 1, 18), at_line(LS_DISK, 1, 18),
	};
	struct site_totals sites = {0};

	(void)state;
	causes[3].call.object = "/var/other.db";
	causes[4].site = NULL;
	add(&sites, causes, 5);
	assert_int_equal(sites.nr, 5);
	free(sites.items);
}

static void a_site_with_many_objects_takes_five_lines(void **state)
{
	struct site_totals sites = {0};
	char names[10][16];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 10; i++) {
			struct ls_blame b = at_line(LS_DISK, 1, 18);

			snprintf(names[i], sizeof(names[i]), "/tmp/%d", i);
			b.call.object = names[i];
			add(&sites, &b, 1);
		}
	}
	assert_int_equal(sites.nr, 5);
	for (int i = 0; i < 4; i++) {
		assert_string_equal(sites.items[i].call.object, names[i]);
		assert_int_equal(sites.items[i].ns, 2);
	}
	assert_null(sites.items[4].call.object);
	assert_int_equal(sites.items[4].ns, 12);
	assert_int_equal(sites.items[4].count, 12);
	free(sites.items);
}

static void cpu_time_of_a_function_is_one_site(void **state)
{
	struct ls_blame causes[] = {at_line(LS_CPU, 1, 18), at_line(LS_CPU, 2, 19)};
	struct site_totals sites = {0};

	(void)state;
	add(&sites, causes, 2);
	assert_int_equal(sites.nr, 1);
	assert_int_equal(sites.items[0].ns, 3);
	free(sites.items);
}

static void worst_site_comes_first_and_the_rest_is_dropped(void **state)
{
	struct site_totals sites = {0};

	(void)state;
	for (uint32_t line = 1; line <= 100; line++) {
		struct ls_blame b = at_line(LS_DISK, line * 37 % 101, line);

		add(&sites, &b, 1);
	}
	sites__rank(&sites, 10);
	assert_int_equal(sites.nr, 10);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(sites.items[i].ns, 100 - i);
	sites__rank(&sites, 50);
	assert_int_equal(sites.nr, 10);
	free(sites.items);
	sites = (struct site_totals){0};
	sites__rank(&sites, 10); /* none */
}

static void known_sites_go_on_growing_when_no_more_fit(void **state)
{
	struct site_totals sites = {0};
	struct ls_blame causes[2];

	(void)state;
	for (uint32_t line = 1; line < 1500; line++) {
		causes[0] = at_line(LS_DISK, 1, line);
		add(&sites, causes, 1);
	}
	assert_int_equal(sites.nr, 1024);
	causes[0] = at_line(LS_DISK, 1, 1999); /* unknown, and before a known one */
	causes[1] = at_line(LS_DISK, 500, 1);
	add(&sites, causes, 2);
	assert_int_equal(sites.nr, 1024);
	sites__rank(&sites, 1);
	assert_int_equal(sites.items[0].ns, 501);
	free(sites.items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thread_is_found_until_its_loop_has_ended),
		cmocka_unit_test(removed_loop_leaves_the_others),
		cmocka_unit_test(records_are_kept_in_order_and_aligned),
		cmocka_unit_test(records_in_waiting_are_bounded),
		cmocka_unit_test(stalls_at_one_site_add_up),
		cmocka_unit_test(site_that_a_stall_came_to_twice_counts_once),
		cmocka_unit_test(sites_differ_by_line_cause_and_object),
		cmocka_unit_test(a_site_with_many_objects_takes_five_lines),
		cmocka_unit_test(cpu_time_of_a_function_is_one_site),
		cmocka_unit_test(worst_site_comes_first_and_the_rest_is_dropped),
		cmocka_unit_test(known_sites_go_on_growing_when_no_more_fit),
	};

	return cmocka_run_group_tests_name("loops", tests, NULL, NULL);
}
