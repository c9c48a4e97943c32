/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Captures become the causes of a stall: what is merged, and how the entries sum to the ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "trace/blame.h"

static const struct ls_frame query[] = {
	{.kind = LS_FRAME_NATIVE, .function = "recv", .module = "/lib/libc.so.6"},
	{.kind = LS_FRAME_NATIVE,
	 .function = "query",
	 .file = "db.c",
	 .line = 10,
	 .module = "/srv/app"},
	{.kind = LS_FRAME_NATIVE,
	 .function = "handle",
	 .file = "app.c",
	 .line = 20,
	 .module = "/srv/app"},
};

static struct ls_blame blame(enum ls_cause cause, uint64_t ns)
{
	return (struct ls_blame){
		.cause = cause,
		.ns = ns,
		.count = 1,
		.call = {.name = "recvfrom", .fd = 7, .object = "tcp 127.0.0.1:5432"},
		.site = &query[2],
		.callee = &query[1],
		.stack = {.frames = query, .nr_frames = 3},
	};
}

/* Adds a blame whose site is at that line. */
static void add_at_line(struct blames *list, enum ls_cause cause, uint64_t ns, uint32_t line)
{
	struct ls_frame frame = query[2];
	struct ls_blame b = blame(cause, ns);

	frame.line = line;
	b.site = &frame;
	b.callee = NULL;
	b.stack = (struct ls_stack){.frames = &frame, .nr_frames = 1};
	assert_int_equal(blames__add(list, &b), 0);
}

static uint64_t total(const struct blames *list, enum ls_cause cause)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < list->nr; i++)
		if (list->items[i].cause == cause)
			sum += list->items[i].ns;
	return sum;
}

static void balance(struct blames *list, enum ls_cause cause, uint64_t ns, uint32_t count)
{
	struct ls_ledger ledger = {0};
	uint32_t counts[LS_NR_CAUSES] = {0};

	ledger.ns[cause] = ns;
	counts[cause] = count;
	assert_int_equal(blames__balance(list, &ledger, counts), 0);
	assert_int_equal(total(list, cause), ns);
}

/* --- merging -------------------------------------------------------------------------------- */

static void same_call_at_the_same_place_becomes_one_entry(void **state)
{
	struct blames list = {0};
	struct ls_blame b = blame(LS_NETWORK, 100);
	char object[] = "tcp 127.0.0.1:5432"; /* equal, not the same pointer */

	(void)state;
	assert_int_equal(blames__add(&list, &b), 0);
	b.call.object = object;
	b.count = 4;
	assert_int_equal(blames__add(&list, &b), 0);
	assert_int_equal(list.nr, 1);
	assert_int_equal(list.items[0].ns, 200);
	assert_int_equal(list.items[0].count, 5);
	blames__clear(&list);
}

static void what_differs_in_anything_a_reader_sees_stays_apart(void **state)
{
	const struct ls_blame base = blame(LS_NETWORK, 100);
	struct ls_blame others[] = {base, base, base, base, base, base, base};
	struct blames list = {0};

	(void)state;
	others[0].cause = LS_DISK;
	others[1].call.fd = 8;
	others[2].call.name = "read";
	others[3].call.object = NULL;
	others[4].site = &query[1];
	others[5].callee = NULL;
	others[6].holder.tid = 99;
	assert_int_equal(blames__add(&list, &base), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(blames__add(&list, &others[i]), 0);
	assert_int_equal(list.nr, 8);
	blames__clear(&list);
}

static void cpu_samples_of_one_function_merge_at_the_line_with_most_of_them(void **state)
{
	struct blames list = {0};
	struct ls_ledger ledger = {.ns = {[LS_CPU] = 8, [LS_DISK] = 2}};
	const uint32_t counts[LS_NR_CAUSES] = {[LS_CPU] = 4, [LS_DISK] = 2};

	(void)state;
	add_at_line(&list, LS_CPU, 3, 20);
	add_at_line(&list, LS_CPU, 2, 21);
	add_at_line(&list, LS_CPU, 2, 21);
	add_at_line(&list, LS_CPU, 1, 22);
	add_at_line(&list, LS_DISK, 1, 20);
	add_at_line(&list, LS_DISK, 1, 21);
	assert_int_equal(blames__balance(&list, &ledger, counts), 0);
	assert_int_equal(list.nr, 3);
	assert_int_equal(list.items[0].ns, 8);
	assert_int_equal(list.items[0].count, 4);
	assert_int_equal(list.items[0].site->line, 21);
	blames__clear(&list);
}

static void advice_is_that_of_most_samples(void **state)
{
	struct blames list = {0};
	struct ls_blame b = blame(LS_CPU, 10);
	struct ls_ledger ledger = {.ns = {[LS_CPU] = 40}};
	const uint32_t counts[LS_NR_CAUSES] = {[LS_CPU] = 3};

	(void)state;
	b.advice = "rarely";
	assert_int_equal(blames__add(&list, &b), 0);
	b.advice = "mostly";
	assert_int_equal(blames__add(&list, &b), 0);
	assert_int_equal(blames__add(&list, &b), 0);
	assert_int_equal(blames__balance(&list, &ledger, counts), 0);
	assert_int_equal(list.nr, 1);
	assert_string_equal(list.items[0].advice, "mostly");
	blames__clear(&list);
}

static void lines_of_cpu_samples_leave_room_for_other_places(void **state)
{
	struct blames list = {0};

	(void)state;
	for (uint32_t line = 1; line <= 1000; line++)
		add_at_line(&list, LS_CPU, 1, line);
	assert_int_equal(list.nr, 32);
	assert_int_equal(total(&list, LS_CPU), 1000);
	blames__clear(&list);
}

static void frames_without_a_name_are_told_apart_by_their_offset(void **state)
{
	struct ls_frame a = {.module = "/srv/app", .has_offset = true, .offset = 0x10}, b = a;

	(void)state;
	assert_true(same_place(&a, &b, true));
	b.offset = 0x20;
	assert_false(same_place(&a, &b, true));
	a.function = b.function = "f"; /* two places in one function */
	assert_true(same_place(&a, &b, true));
	assert_true(same_place(NULL, NULL, true));
	assert_false(same_place(&a, NULL, true));
}

static void entry_keeps_its_frames_when_the_captures_are_gone(void **state)
{
	struct ls_frame frames[3], held = {.function = "owner"};
	struct ls_blame b = blame(LS_NETWORK, 100);
	struct blames list = {0};

	(void)state;
	memcpy(frames, query, sizeof(frames));
	b.stack.frames = frames;
	b.site = &frames[2];
	b.callee = &frames[1];
	b.holder = (struct ls_holder){.tid = 5, .stack = {.frames = &held, .nr_frames = 1}};
	assert_int_equal(blames__add(&list, &b), 0);
	memset(frames, 0, sizeof(frames));
	memset(&held, 0, sizeof(held));
	assert_string_equal(list.items[0].site->function, "handle");
	assert_string_equal(list.items[0].callee->function, "query");
	assert_ptr_equal(list.items[0].site, &list.items[0].stack.frames[2]);
	assert_string_equal(list.items[0].holder.stack.frames[0].function, "owner");
	blames__clear(&list);
}

static void copy_is_independent_of_its_original(void **state)
{
	struct blames list = {0}, copy = {0};

	(void)state;
	add_at_line(&list, LS_DISK, 10, 20);
	add_at_line(&list, LS_DISK, 30, 21);
	assert_int_equal(blames__copy(&copy, &list), 0);
	blames__clear(&list);
	assert_int_equal(list.nr, 0);
	assert_int_equal(copy.nr, 2);
	assert_int_equal(copy.items[1].ns, 30);
	assert_int_equal(copy.items[1].site->line, 21);
	blames__clear(&copy);
}

/* --- balance -------------------------------------------------------------------------------- */

static void samples_are_scaled_to_the_cpu_time_they_stand_for(void **state)
{
	struct blames list = {0};
	struct ls_blame b = blame(LS_CPU, 30);

	(void)state;
	assert_int_equal(blames__add(&list, &b), 0);
	b.site = &query[1];
	b.ns = 10;
	assert_int_equal(blames__add(&list, &b), 0);
	balance(&list, LS_CPU, 4000, 0); /* the captures stand for a hundredth of it */
	assert_int_equal(list.nr, 2);
	assert_int_equal(list.items[0].ns, 3000);
	assert_int_equal(list.items[1].ns, 1000);
	blames__clear(&list);
}

static void scaling_leaves_no_nanosecond_over(void **state)
{
	(void)state;
	for (uint64_t want = 1; want < 5000; want += 7) {
		struct blames list = {0};

		for (uint32_t line = 1; line <= 7; line++)
			add_at_line(&list, LS_DISK, 100 + line * line, line);
		balance(&list, LS_DISK, want, 7);
		blames__clear(&list);
	}
}

static void scaling_of_long_times_does_not_overflow(void **state)
{
	const uint64_t hour = 3600ull * 1000000000;
	struct blames list = {0};

	(void)state;
	add_at_line(&list, LS_SLEEP, hour, 1);
	add_at_line(&list, LS_SLEEP, 2 * hour, 2);
	balance(&list, LS_SLEEP, 2 * hour, 2);
	assert_in_range(list.items[1].ns, 2 * hour / 3 - 1, 2 * hour / 3 + 1);
	blames__clear(&list);
}

static void time_that_few_captures_stand_for_becomes_an_entry_without_a_place(void **state)
{
	struct blames list = {0};

	(void)state;
	add_at_line(&list, LS_DISK, 1000, 20);
	balance(&list, LS_DISK, 10000, 50);
	assert_int_equal(list.nr, 2);
	assert_null(list.items[0].site); /* the greater comes first */
	assert_int_equal(list.items[0].ns, 9000);
	assert_int_equal(list.items[0].count, 49);
	assert_int_equal(list.items[0].call.fd, -1);
	assert_int_equal(list.items[1].ns, 1000);
	blames__clear(&list);
}

static void cause_without_any_capture_is_still_there(void **state)
{
	struct blames list = {0};

	(void)state;
	balance(&list, LS_RUNQUEUE, 777, 3);
	assert_int_equal(list.nr, 1);
	assert_int_equal(list.items[0].count, 3);
	assert_null(list.items[0].call.name);
	blames__clear(&list);
}

static void captures_never_stand_for_more_than_the_ledger(void **state)
{
	struct blames list = {0};

	(void)state;
	add_at_line(&list, LS_LOCK, 6000, 1);
	add_at_line(&list, LS_LOCK, 2000, 2);
	balance(&list, LS_LOCK, 4000, 2);
	assert_int_equal(list.nr, 2);
	assert_int_equal(list.items[0].ns, 3000);
	blames__clear(&list);
}

static void snapshot_without_time_takes_what_it_hung_in(void **state)
{
	struct blames list = {0};

	(void)state;
	add_at_line(&list, LS_NETWORK, 0, 20);
	balance(&list, LS_NETWORK, 5000, 1);
	assert_int_equal(list.nr, 1);
	assert_int_equal(list.items[0].site->line, 20);
	blames__clear(&list);
}

static void causes_the_ledger_does_not_have_take_no_time(void **state)
{
	struct blames list = {0};
	struct ls_ledger ledger = {.ns = {[LS_CPU] = 500}};
	uint32_t counts[LS_NR_CAUSES] = {0};
	uint64_t sum = 0;

	(void)state;
	add_at_line(&list, LS_CPU, 100, 1);
	add_at_line(&list, LS_DISK, 300, 2);
	assert_int_equal(blames__balance(&list, &ledger, counts), 0);
	for (size_t i = 0; i < list.nr; i++)
		sum += list.items[i].ns;
	assert_int_equal(sum, 500);
	blames__clear(&list);
}

static void entries_are_bounded_and_the_rest_is_still_accounted_for(void **state)
{
	struct blames list = {0};
	size_t with_place = 0;

	(void)state;
	for (uint32_t line = 1; line <= 1000; line++)
		add_at_line(&list, LS_DISK, 10, line);
	assert_int_equal(list.nr, 64);
	add_at_line(&list, LS_DISK, 10, 1); /* one that is there goes on growing */
	assert_int_equal(list.items[0].ns, 20);
	balance(&list, LS_DISK, 10010, 1001);
	for (size_t i = 0; i < list.nr; i++)
		with_place += list.items[i].site != NULL;
	assert_int_equal(with_place, 64);
	assert_int_equal(list.items[0].ns, 10010 - 65 * 10);
	assert_null(list.items[0].site);
	blames__clear(&list);
}

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

static void entries_sum_to_the_ledger_whatever_was_captured(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 2000; n++) {
		uint64_t seed = n * 0x9e3779b97f4a7c15;
		uint32_t counts[LS_NR_CAUSES] = {0};
		struct ls_ledger ledger = {0};
		struct blames list = {0};

		for (int i = 0; i < LS_NR_CAUSES; i++)
			ledger.ns[i] = draw(&seed, 3) ? draw(&seed, 100000000) : 0;
		for (uint64_t i = draw(&seed, 100); i; i--)
			add_at_line(&list, draw(&seed, LS_NR_CAUSES),
				    draw(&seed, 4) ? draw(&seed, 10000000) : 0, draw(&seed, 30));
		assert_int_equal(blames__balance(&list, &ledger, counts), 0);
		for (int i = 0; i < LS_NR_CAUSES; i++)
			if (total(&list, i) != ledger.ns[i])
				fail_msg("case %lu, cause %d: %lu, not %lu", n, i, total(&list, i),
					 ledger.ns[i]);
		for (size_t i = 1; i < list.nr; i++)
			assert_true(list.items[i - 1].ns >= list.items[i].ns);
		blames__clear(&list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_call_at_the_same_place_becomes_one_entry),
		cmocka_unit_test(what_differs_in_anything_a_reader_sees_stays_apart),
		cmocka_unit_test(cpu_samples_of_one_function_merge_at_the_line_with_most_of_them),
		cmocka_unit_test(advice_is_that_of_most_samples),
		cmocka_unit_test(lines_of_cpu_samples_leave_room_for_other_places),
		cmocka_unit_test(frames_without_a_name_are_told_apart_by_their_offset),
		cmocka_unit_test(entry_keeps_its_frames_when_the_captures_are_gone),
		cmocka_unit_test(copy_is_independent_of_its_original),
		cmocka_unit_test(samples_are_scaled_to_the_cpu_time_they_stand_for),
		cmocka_unit_test(scaling_leaves_no_nanosecond_over),
		cmocka_unit_test(scaling_of_long_times_does_not_overflow),
		cmocka_unit_test(time_that_few_captures_stand_for_becomes_an_entry_without_a_place),
		cmocka_unit_test(cause_without_any_capture_is_still_there),
		cmocka_unit_test(captures_never_stand_for_more_than_the_ledger),
		cmocka_unit_test(snapshot_without_time_takes_what_it_hung_in),
		cmocka_unit_test(causes_the_ledger_does_not_have_take_no_time),
		cmocka_unit_test(entries_are_bounded_and_the_rest_is_still_accounted_for),
		cmocka_unit_test(entries_sum_to_the_ledger_whatever_was_captured),
	};

	return cmocka_run_group_tests_name("blame", tests, NULL, NULL);
}
