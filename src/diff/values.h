/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The comparison's names and numbers as people read them. */
#ifndef LS_DIFF_VALUES_H
#define LS_DIFF_VALUES_H

#include <stddef.h>

#include "diff/compare.h"

const char *metric__name(enum metric m);
enum unit metric__unit(enum metric m);
const char *ledger_class__name(int class);

/* "51.2 ms", "0.37 /s", "2.1 %", "12.5 ms/s". Return buf. */
const char *values__put(enum unit unit, double value, char *buf, size_t bytes);
/* A difference: "+20.1 %" of before for what has one, else in its unit. */
const char *values__put_difference(const struct finding *f, double difference, char *buf,
				   size_t bytes);

#endif
