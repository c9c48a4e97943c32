/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/sites.h"

enum { WATCHED_PER_SHOWN = 4 };

static const double fade = 0.975;      /* in a quarter of a minute: half of it in seven */
static const double clearly_worse = 2; /* so that equals do not take turns */

int site_counters__init(struct site_counters *s, size_t max_shown)
{
	*s = (struct site_counters){.max_shown = max_shown,
				    .max = max_shown * (1 + WATCHED_PER_SHOWN)};
	s->items = calloc(s->max ? s->max : 1, sizeof(*s->items));
	return s->items ? 0 : -ENOMEM;
}

void site_counters__free(struct site_counters *s)
{
	free(s->items);
	*s = (struct site_counters){0};
}

/* The least recent one among those shown, or among those not; NULL when there is none. */
static struct site_counter *least(struct site_counters *s, bool shown)
{
	struct site_counter *found = NULL;

	for (size_t i = 0; i < s->nr; i++)
		if (s->items[i].shown == shown && (!found || s->items[i].recent < found->recent))
			found = &s->items[i];
	return found;
}

static struct site_counter *worst_hidden(struct site_counters *s)
{
	struct site_counter *found = NULL;

	for (size_t i = 0; i < s->nr; i++)
		if (!s->items[i].shown && (!found || s->items[i].recent > found->recent))
			found = &s->items[i];
	return found;
}

static struct site_counter *find_or_add(struct site_counters *s, const char *comm,
					enum ls_cause cause, const char *site)
{
	struct site_counter *c;

	for (size_t i = 0; i < s->nr; i++) {
		c = &s->items[i];
		if (c->cause == cause && !strcmp(c->site, site) && !strcmp(c->comm, comm))
			return c;
	}
	c = s->nr < s->max ? &s->items[s->nr++] : least(s, false);
	if (!c)
		return NULL;
	*c = (struct site_counter){.cause = cause, .shown = s->nr_shown < s->max_shown};
	snprintf(c->comm, sizeof(c->comm), "%s", comm);
	snprintf(c->site, sizeof(c->site), "%s", site);
	s->nr_shown += c->shown;
	return c;
}

void site_counters__count(struct site_counters *s, const char *comm, enum ls_cause cause,
			  const char *site, uint64_t ns)
{
	struct site_counter *c = find_or_add(s, comm, cause, site);

	if (c)
		c->recent += ns / 1e9;
	if (c && c->shown)
		c->ns += ns;
	else
		s->other_ns[cause] += ns;
}

void site_counters__rerank(struct site_counters *s)
{
	struct site_counter *hidden, *shown;

	for (size_t i = 0; i < s->nr; i++)
		s->items[i].recent *= fade;
	for (size_t i = 0; i < s->max_shown; i++) {
		hidden = worst_hidden(s);
		shown = least(s, true);
		if (!hidden || !shown || hidden->recent <= clearly_worse * shown->recent)
			return;
		hidden->shown = true;
		shown->shown = false;
	}
}
