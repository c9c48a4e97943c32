/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <math.h>
#include <stdio.h>

#include "diff/values.h"
#include "model/names.h"

const char *ledger_class__name(int class)
{
	return class == LS_NR_CAUSES ? "unaccounted" : ls_cause__name(class);
}

/* Three digits, at least as many as it takes to tell it from nothing. */
static int digits(double v)
{
	v = fabs(v);
	return v >= 100 || v == 0 ? 0 : v >= 10 ? 1 : v >= 1 ? 2 : 3;
}

static void put_length(double ns, const char *suffix, char *buf, size_t bytes)
{
	char length[32];

	names__length((uint64_t)fmin(fabs(ns) + 0.5, 1e18), length, sizeof(length));
	snprintf(buf, bytes, "%s%s%s", ns < 0 ? "-" : "", length, suffix);
}

const char *values__put(enum unit unit, double value, char *buf, size_t bytes)
{
	switch (unit) {
	case UNIT_NS:
		put_length(value, "", buf, bytes);
		break;
	case UNIT_NS_PER_S:
		put_length(value, "/s", buf, bytes);
		break;
	case UNIT_SHARE:
		snprintf(buf, bytes, "%.*f %%", digits(100 * value), 100 * value);
		break;
	default:
		snprintf(buf, bytes, "%.*f /s", digits(value), value);
	}
	return buf;
}

const char *values__put_difference(const struct finding *f, double difference, char *buf,
				   size_t bytes)
{
	double relative;

	if (finding__relative(f, difference, &relative) && fabs(relative) < 100) {
		snprintf(buf, bytes, "%+.*f %%", fabs(relative) < 0.0995 ? 1 : 0, 100 * relative);
		return buf;
	}
	if (bytes && difference >= 0) {
		buf[0] = '+';
		values__put(f->unit, difference, buf + 1, bytes - 1);
		return buf;
	}
	return values__put(f->unit, difference, buf, bytes);
}
