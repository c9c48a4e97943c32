/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Stalled time by site, with a bound on how many sites are shown; the rest is added up as "other".
 * Counters must not go back. So time is added either to a site's own counter or to that of "other",
 * once, and never moves. A site which is not shown is watched meanwhile; when it has clearly become
 * worse than the least of those shown, it takes its place: the loser's series ends, its later time goes
 * to "other", and it goes on from its old value should it come back.
 */
#ifndef LS_EXPORT_SITES_H
#define LS_EXPORT_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "export/labels.h"

struct site_counter {
	char comm[48]; /* clean: 15 bytes may become 3 each */
	char site[LABEL_SITE_BYTES];
	enum ls_cause cause;
	uint64_t ns;   /* of its own series */
	double recent; /* seconds, fading */
	bool shown;
};

struct site_counters {
	struct site_counter *items; /* shown and watched */
	size_t nr, max, max_shown, nr_shown;
	uint64_t other_ns[LS_NR_CAUSES];
};

/* 0 or -ENOMEM. */
int site_counters__init(struct site_counters *s, size_t max_shown);
void site_counters__free(struct site_counters *s);

/* `comm` and `site` are clean. */
void site_counters__count(struct site_counters *s, const char *comm, enum ls_cause cause,
			  const char *site, uint64_t ns);

/* To be called four times a minute: the past fades, and places change hands. */
void site_counters__rerank(struct site_counters *s);

#endif
