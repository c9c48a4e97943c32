/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The kernel's accounting, built natively: every nanosecond of an iteration in exactly one class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "account.h"
#include "model/histogram.h"

enum { US = 1000 };

static uint64_t ledger_sum(const struct ls_loop_state *s)
{
	uint64_t sum = 0;

	for (int i = 0; i < LS_NR_CAUSES; i++)
		sum += s->ledger_ns[i];
	return sum;
}

/* An iteration that began at 1 s and runs since. */
static struct ls_loop_state running(void)
{
	struct ls_loop_state s = {0};

	begin_iteration(&s, 1000000 * US);
	return s;
}

/* --- histogram ------------------------------------------------------------------------------ */

static void bucket_contains_its_length(void **state)
{
	uint64_t ns = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint32_t bucket = hist_bucket(ns);

		assert_in_range(bucket, 0, LS_HIST_BUCKETS - 1);
		assert_true(histogram__lower_ns(bucket) <= ns);
		if (bucket < LS_HIST_BUCKETS - 1)
			assert_true(ns < histogram__lower_ns(bucket + 1));
		ns += ns / 5000 + 1;
	}
	assert_true(ns > 1000000000);
}

static void bucket_begins_at_its_lower_bound(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < LS_HIST_BUCKETS; i++) {
		assert_int_equal(hist_bucket(histogram__lower_ns(i)), i);
		if (i)
			assert_int_equal(hist_bucket(histogram__lower_ns(i) - 1), i - 1);
	}
}

static void lengths_beyond_the_histogram_fall_into_its_last_bucket(void **state)
{
	(void)state;
	assert_int_equal(hist_bucket(1ull << 42), LS_HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket(UINT64_MAX), LS_HIST_BUCKETS - 1);
}

static void bucket_is_an_eighth_of_its_length_at_most(void **state)
{
	(void)state;
	for (uint32_t i = LS_HIST_SUB; i < LS_HIST_BUCKETS - 1; i++) {
		uint64_t lower = histogram__lower_ns(i), width = histogram__lower_ns(i + 1) - lower;

		assert_true(width * LS_HIST_SUB <= lower);
	}
}

static void quantiles_of_a_known_distribution_are_close(void **state)
{
	uint32_t buckets[LS_HIST_BUCKETS] = {0};

	(void)state;
	for (uint64_t us = 1; us <= 10000; us++)
		buckets[hist_bucket(us * US)]++;
	for (int percent = 1; percent < 100; percent++) {
		uint64_t want = percent * 100ull * US;
		uint64_t got = histogram__quantile_ns(buckets, percent / 100.0, 10000 * US);

		assert_in_range(got, want - want * 7 / 100, want + want * 7 / 100);
	}
	assert_int_equal(histogram__total(buckets), 10000);
}

static void quantile_is_never_above_the_longest(void **state)
{
	uint32_t buckets[LS_HIST_BUCKETS] = {0};

	(void)state;
	assert_int_equal(histogram__quantile_ns(buckets, 0.99, UINT64_MAX), 0);
	buckets[hist_bucket(1025 * US)] = 3;
	assert_true(histogram__quantile_ns(buckets, 0.99, 1025 * US) <= 1025 * US);
	assert_true(histogram__quantile_ns(buckets, 1, 1025 * US) <= 1025 * US);
}

/* --- blocks and wake-ups -------------------------------------------------------------------- */

static void block_ends_at_its_wakeup_and_the_rest_is_runqueue(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	leave_cpu(&s, OFF_BLOCKED, LS_DISK, t + 100 * US);
	wake(&s, t + 400 * US);
	assert_int_equal(enter_cpu(&s, 0, t + 450 * US), 300 * US);
	assert_int_equal(end_iteration(&s, t + 500 * US), 500 * US);
	assert_int_equal(s.ledger_ns[LS_CPU], 150 * US);
	assert_int_equal(s.ledger_ns[LS_DISK], 300 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 50 * US);
	assert_int_equal(s.counts[LS_DISK], 1);
	assert_int_equal(s.counts[LS_RUNQUEUE], 1);
}

static void wakeup_without_switch_counts_as_runqueue(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	/* The waker is ahead of the sleeper's own switch: it never sleeps, it waits for a CPU. */
	wake(&s, t + 95 * US);
	leave_cpu(&s, OFF_BLOCKED, LS_PIPE, t + 100 * US);
	assert_int_equal(enter_cpu(&s, 0, t + 160 * US), 0);
	assert_int_equal(s.ledger_ns[LS_PIPE], 0);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 60 * US);
	assert_int_equal(ledger_sum(&s), 160 * US);
}

static void wakeup_for_an_earlier_sleep_is_forgotten(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	wake(&s, t + 10 * US); /* it had not slept: the condition came true before */
	leave_cpu(&s, OFF_BLOCKED, LS_PIPE, t + 10 * US + STALE_WAKEUP_NS + 1);
	assert_int_equal(s.woken_ns, 0);
	wake(&s, t + 900 * US);
	enter_cpu(&s, 0, t + 901 * US);
	assert_int_equal(s.ledger_ns[LS_PIPE], 890 * US - STALE_WAKEUP_NS - 1);
}

static void wakeup_while_the_cpu_looks_for_other_work_is_kept(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns, left;

	(void)state;
	leave_cpu(&s, OFF_PREEMPTED, 0, t + 10 * US);
	enter_cpu(&s, 7 * US, t + 20 * US);
	/* By the scheduler it ran 30 us; the switch is seen 15 us later, and the wake-up between. */
	wake(&s, t + 60 * US);
	left = settle_stint(&s, 37 * US, t + 65 * US);
	assert_int_equal(left, t + 50 * US);
	leave_cpu(&s, OFF_BLOCKED, LS_NETWORK, left);
	enter_cpu(&s, 37 * US, t + 1060 * US);
	assert_int_equal(s.ledger_ns[LS_NETWORK], 10 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 10 * US + 1000 * US);
	assert_int_equal(ledger_sum(&s), 1060 * US);
}

static void block_without_a_wakeup_seen_is_all_block(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	leave_cpu(&s, OFF_BLOCKED, LS_SLEEP, t);
	assert_int_equal(enter_cpu(&s, 0, t + 50 * US), 50 * US);
	assert_int_equal(s.ledger_ns[LS_SLEEP], 50 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 0);
}

static void first_of_two_wakeups_counts(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	leave_cpu(&s, OFF_BLOCKED, LS_LOCK, t);
	wake(&s, t + 10 * US);
	wake(&s, t + 30 * US);
	enter_cpu(&s, 0, t + 40 * US);
	assert_int_equal(s.ledger_ns[LS_LOCK], 10 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 30 * US);
}

static void wakeup_read_on_a_clock_ahead_of_ours_is_no_negative_wait(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	leave_cpu(&s, OFF_BLOCKED, LS_LOCK, t + 10 * US);
	wake(&s, t + 21 * US); /* another CPU's clock, 1 us ahead of the switch in */
	enter_cpu(&s, 0, t + 20 * US);
	assert_int_equal(s.ledger_ns[LS_LOCK], 10 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 0);
	assert_int_equal(ledger_sum(&s), 20 * US);
}

static void preemption_is_runqueue_and_no_block(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	leave_cpu(&s, OFF_PREEMPTED, LS_DISK, t + 30 * US);
	assert_int_equal(enter_cpu(&s, 0, t + 80 * US), 0);
	assert_int_equal(s.ledger_ns[LS_CPU], 30 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 50 * US);
	assert_int_equal(s.counts[LS_RUNQUEUE], 1);
	assert_int_equal(s.ledger_ns[LS_DISK], 0);
}

static void throttled_thread_does_not_wait_in_the_runqueue(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	leave_cpu(&s, OFF_PREEMPTED, 0, t + 10 * US);
	s.throttled = 1;
	enter_cpu(&s, 0, t + 60 * US);
	assert_int_equal(s.ledger_ns[LS_THROTTLED], 50 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 0);
	assert_int_equal(s.throttled, 0);
	leave_cpu(&s, OFF_PREEMPTED, 0, t + 70 * US); /* the next time it is not */
	enter_cpu(&s, 0, t + 75 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 5 * US);
}

static void waiting_at_home_is_no_part_of_the_ledger(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	end_iteration(&s, t + 5 * US);
	leave_cpu(&s, OFF_IDLE, 0, t + 6 * US);
	wake(&s, t + 900 * US);
	assert_int_equal(enter_cpu(&s, 0, t + 905 * US), 0);
	assert_int_equal(ledger_sum(&s), 5 * US);
}

/* --- the scheduler's clock ------------------------------------------------------------------ */

/* Blocked until its wake-up, 50 us in the run queue, then running from t + 150 us with 500 us CPU. */
static struct ls_loop_state after_a_block(uint64_t *since)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	leave_cpu(&s, OFF_BLOCKED, LS_PIPE, t);
	wake(&s, t + 100 * US);
	enter_cpu(&s, 500 * US, t + 150 * US);
	*since = t + 150 * US;
	return s;
}

static void time_spent_looking_for_other_work_is_not_its_own(void **state)
{
	uint64_t since;
	struct ls_loop_state s = after_a_block(&since);

	(void)state;
	/* 40 us of CPU by the scheduler; the switch out was seen 60 us after the switch in. */
	assert_int_equal(settle_stint(&s, 540 * US, since + 60 * US), since + 40 * US);
}

static void run_before_the_switch_in_was_seen_is_its_own(void **state)
{
	uint64_t since, left;
	struct ls_loop_state s = after_a_block(&since);

	(void)state;
	/* 90 us of CPU in the 60 us that we saw: 30 of the 50 us charged to the run queue. */
	left = settle_stint(&s, 590 * US, since + 60 * US);
	leave_cpu(&s, OFF_BLOCKED, LS_PIPE, left);
	assert_int_equal(left, since + 60 * US);
	assert_int_equal(s.ledger_ns[LS_CPU], 90 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 20 * US);
	assert_int_equal(ledger_sum(&s), 210 * US);
}

static void run_before_the_switch_in_is_no_more_than_the_runqueue_was(void **state)
{
	uint64_t since;
	struct ls_loop_state s = after_a_block(&since);

	(void)state;
	settle_stint(&s, 5000 * US, since + 60 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 0);
	assert_int_equal(s.ledger_ns[LS_CPU], 50 * US);
}

static void what_a_hypervisor_took_is_runqueue(void **state)
{
	uint64_t since, now;
	struct ls_loop_state s = after_a_block(&since);

	(void)state;
	now = since + MAX_SEARCH_NS + 50 * US; /* too long for a search */
	assert_int_equal(settle_stint(&s, 510 * US, now), now);
	leave_cpu(&s, OFF_PREEMPTED, 0, now);
	assert_int_equal(s.ledger_ns[LS_CPU], 10 * US);
	assert_int_equal(s.ledger_ns[LS_RUNQUEUE], 50 * US + MAX_SEARCH_NS + 40 * US);
	assert_int_equal(s.pending_ns[LS_CPU], 10 * US);
	assert_int_equal(ledger_sum(&s), now - s.start_ns);
}

static void clock_does_not_go_back_behind_cpu_time_already_counted(void **state)
{
	uint64_t since;
	struct ls_loop_state s = after_a_block(&since);

	(void)state;
	charge_cpu(&s, since + 50 * US); /* a sample */
	assert_int_equal(settle_stint(&s, 540 * US, since + 60 * US), since + 50 * US);
	assert_int_equal(ledger_sum(&s), 200 * US);
}

static void stint_in_which_an_iteration_began_has_no_known_beginning(void **state)
{
	struct ls_loop_state s = running();

	(void)state;
	assert_int_equal(settle_stint(&s, 123 * US, s.start_ns + 10 * US), s.start_ns + 10 * US);
	assert_int_equal(ledger_sum(&s), 0);
}

/* --- iterations ----------------------------------------------------------------------------- */

static void new_iteration_starts_with_an_empty_ledger(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	leave_cpu(&s, OFF_BLOCKED, LS_DISK, t + 10 * US);
	enter_cpu(&s, 0, t + 20 * US);
	end_iteration(&s, t + 30 * US);
	begin_iteration(&s, t + 40 * US);
	assert_int_equal(ledger_sum(&s), 0);
	for (int i = 0; i < LS_NR_CAUSES; i++)
		assert_int_equal(s.counts[i] + s.pending_ns[i] + s.pending_counts[i], 0);
	assert_int_equal(s.iteration, 2);
	assert_int_equal(s.start_ns, t + 40 * US);
}

static void totals_count_each_iteration_and_its_length(void **state)
{
	struct ls_loop_state s = running();
	uint64_t t = s.start_ns;

	(void)state;
	end_iteration(&s, t + 30 * US);
	begin_iteration(&s, t + 100 * US);
	end_iteration(&s, t + 110 * US);
	assert_int_equal(s.iterations, 2);
	assert_int_equal(s.busy_ns, 40 * US);
	assert_int_equal(s.max_ns, 30 * US);
	assert_int_equal(s.histogram[hist_bucket(30 * US)], 1);
	assert_int_equal(s.histogram[hist_bucket(10 * US)], 1);
}

static void iteration_from_before_we_looked_has_no_length_to_count(void **state)
{
	struct ls_loop_state s = running();

	(void)state;
	s.before_attach = 1;
	assert_int_equal(end_iteration(&s, s.start_ns + 30 * US), 30 * US);
	assert_int_equal(s.iterations, 0);
	assert_int_equal(s.max_ns, 0);
	assert_int_equal(histogram__total(s.histogram), 0);
	assert_int_equal(s.busy_ns, 30 * US);
}

static void unknown_cause_is_not_charged_beyond_the_ledger(void **state)
{
	struct ls_loop_state s = running();

	(void)state;
	charge(&s, LS_NR_CAUSES, 5, 1);
	charge(&s, UINT32_MAX, 5, 1);
	assert_int_equal(ledger_sum(&s), 0);
}

/* --- property: the ledger sums to the wall, whatever happens in whatever order --------------- */

struct scene {
	uint64_t seed, now, exec_ns;
	struct ls_loop_state s;
};

static uint64_t draw(struct scene *c, uint64_t below)
{
	c->seed ^= c->seed << 13;
	c->seed ^= c->seed >> 7;
	c->seed ^= c->seed << 17;
	return c->seed % below;
}

/* The scheduler's clock stands still in a search for work, and runs ahead after a wake-up. */
static void run_on(struct scene *c)
{
	uint64_t ran = draw(c, 200 * US);

	c->now += ran;
	c->exec_ns += ran;
	if (!draw(c, 3))
		c->now += draw(c, 40 * US);
	if (!draw(c, 20))
		c->now += draw(c, 3 * MAX_SEARCH_NS); /* a hypervisor */
	if (!draw(c, 3))
		c->exec_ns += draw(c, 40 * US);
	if (!draw(c, 4))
		wake(&c->s, c->now); /* for a sleep that does not come about */
	if (!draw(c, 4))
		charge_cpu(&c->s, c->now); /* a sample */
}

static void be_away(struct scene *c)
{
	enum off_kind kind = draw(c, 2) ? OFF_BLOCKED : OFF_PREEMPTED;
	uint8_t cause = LS_SLEEP + draw(c, LS_NR_CAUSES - LS_SLEEP);

	leave_cpu(&c->s, kind, cause, settle_stint(&c->s, c->exec_ns, c->now));
	c->s.throttled = !draw(c, 5);
	c->now += draw(c, 300 * US);
	if (draw(c, 3))
		wake(&c->s, c->now + draw(c, 3) - 1);
	c->now += draw(c, 100 * US);
	enter_cpu(&c->s, c->exec_ns, c->now);
}

static void ledger_sums_to_the_wall_whatever_happens(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct scene c = {.seed = seed * 0x9e3779b97f4a7c15, .now = 5, .exec_ns = 1};

		for (int n = 0; n < 10; n++) {
			uint64_t wall;

			begin_iteration(&c.s, c.now += draw(&c, 1000));
			for (uint64_t steps = draw(&c, 20); steps; steps--) {
				run_on(&c);
				if (draw(&c, 3))
					be_away(&c);
			}
			wall = end_iteration(&c.s, c.now);
			if (ledger_sum(&c.s) != wall)
				fail_msg("seed %lu, iteration %d: %lu ns accounted for, of %lu",
					 seed, n, ledger_sum(&c.s), wall);
			for (int i = 0; i < LS_NR_CAUSES; i++)
				assert_true(c.s.ledger_ns[i] <= wall);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bucket_contains_its_length),
		cmocka_unit_test(bucket_begins_at_its_lower_bound),
		cmocka_unit_test(lengths_beyond_the_histogram_fall_into_its_last_bucket),
		cmocka_unit_test(bucket_is_an_eighth_of_its_length_at_most),
		cmocka_unit_test(quantiles_of_a_known_distribution_are_close),
		cmocka_unit_test(quantile_is_never_above_the_longest),
		cmocka_unit_test(block_ends_at_its_wakeup_and_the_rest_is_runqueue),
		cmocka_unit_test(wakeup_without_switch_counts_as_runqueue),
		cmocka_unit_test(wakeup_for_an_earlier_sleep_is_forgotten),
		cmocka_unit_test(wakeup_while_the_cpu_looks_for_other_work_is_kept),
		cmocka_unit_test(block_without_a_wakeup_seen_is_all_block),
		cmocka_unit_test(first_of_two_wakeups_counts),
		cmocka_unit_test(wakeup_read_on_a_clock_ahead_of_ours_is_no_negative_wait),
		cmocka_unit_test(preemption_is_runqueue_and_no_block),
		cmocka_unit_test(throttled_thread_does_not_wait_in_the_runqueue),
		cmocka_unit_test(waiting_at_home_is_no_part_of_the_ledger),
		cmocka_unit_test(time_spent_looking_for_other_work_is_not_its_own),
		cmocka_unit_test(run_before_the_switch_in_was_seen_is_its_own),
		cmocka_unit_test(run_before_the_switch_in_is_no_more_than_the_runqueue_was),
		cmocka_unit_test(what_a_hypervisor_took_is_runqueue),
		cmocka_unit_test(clock_does_not_go_back_behind_cpu_time_already_counted),
		cmocka_unit_test(stint_in_which_an_iteration_began_has_no_known_beginning),
		cmocka_unit_test(new_iteration_starts_with_an_empty_ledger),
		cmocka_unit_test(totals_count_each_iteration_and_its_length),
		cmocka_unit_test(iteration_from_before_we_looked_has_no_length_to_count),
		cmocka_unit_test(unknown_cause_is_not_charged_beyond_the_ledger),
		cmocka_unit_test(ledger_sums_to_the_wall_whatever_happens),
	};

	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
