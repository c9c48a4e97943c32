/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* For people at a terminal. Control characters in names are shown as '?'. */
#include <math.h>
#include <string.h>

#include "diff/values.h"
#include "diff/verdict.h"
#include "model/utf8.h"

enum { MAX_SITES = 30 };

static void put_clean(FILE *out, const char *s)
{
	char bytes[4];
	uint32_t c;

	while ((c = utf8__next(&s)) != 0) {
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			c = '?';
		fwrite(bytes, 1, (size_t)utf8__encode(c, bytes), out);
	}
}

static void put_side(FILE *out, const char *name, const struct side *side)
{
	fprintf(out, "%-7s %zu recording%s, %.1f s, %.0f iterations ", name, side->n,
		side->n == 1 ? "" : "s", side__seconds(side), side__iterations(side));
	for (size_t i = 0; i < side->n; i++) {
		fputs(i ? ", " : " ", out);
		put_clean(out, side->recordings[i]->path);
	}
	fputc('\n', out);
}

static void put_finding(FILE *out, const struct finding *f)
{
	char before[32], after[32], difference[32], interval[80];

	fprintf(out, "  %-16s %11s %11s %10s  %-22s %s\n", f->name,
		values__put(f->unit, f->before, before, sizeof(before)),
		values__put(f->unit, f->after, after, sizeof(after)),
		values__put_difference(f, f->after - f->before, difference, sizeof(difference)),
		f->judgement == JUDGED_NOT ? "" : finding__interval(f, interval, sizeof(interval)),
		f->judgement == JUDGED_NOT ? "" : judgement__name(f->judgement));
}

static void put_ledger(FILE *out, const struct comparison *c)
{
	fputs("\nwhere the stalled time went, each second\n", out);
	for (int i = 0; i < LEDGER_CLASSES; i++) {
		if (c->ledger[i].before > 0 || c->ledger[i].after > 0)
			put_finding(out, &c->ledger[i]);
	}
}

static void put_site(FILE *out, const struct site_finding *s)
{
	char place[700], before[32], after[32], interval[80];

	fprintf(out, "  %-6s  ", judgement__name(s->f.judgement));
	put_clean(out, site_finding__place(s, place, sizeof(place)));
	if (s->callee) {
		fputs(" -> ", out);
		put_clean(out, s->callee);
	}
	fprintf(out, "\n          %s", ls_cause__name(s->cause));
	if (s->call) {
		fputs(", ", out);
		put_clean(out, s->call);
	}
	fprintf(out, "\n          %s -> %s %s, in %.0f -> %.0f stalls\n",
		values__put(s->f.unit, s->f.before, before, sizeof(before)),
		values__put(s->f.unit, s->f.after, after, sizeof(after)),
		finding__interval(&s->f, interval, sizeof(interval)), s->stalls[0], s->stalls[1]);
}

static void put_sites(FILE *out, const struct comparison *c)
{
	size_t shown = 0;

	for (size_t i = 0; i < c->nr_sites; i++)
		shown += site_finding__shown(&c->sites[i]);
	fprintf(out, "\nsites: %zu of %zu changed beyond the noise\n", shown, c->nr_sites);
	for (size_t i = 0; i < shown && i < MAX_SITES; i++)
		put_site(out, &c->sites[i]);
	if (shown > MAX_SITES)
		fprintf(out, "  and %zu more: --format json has them\n", shown - MAX_SITES);
	if (c->sites_excused)
		fputs("  (new and worse sites are no regression: the stalled time as a whole "
		      "fell)\n",
		      out);
}

static void put_conditions(FILE *out, const struct verdict *v)
{
	static const char *const words[] = {"ok", "FAIL", "?"};

	if (!v->nr_conditions)
		return;
	fputs("\nconditions\n", out);
	for (size_t i = 0; i < v->nr_conditions; i++) {
		fprintf(out, "  %-5s ", words[v->conditions[i].result]);
		put_clean(out, v->conditions[i].failon.text);
		fputs("   ", out);
		put_clean(out, v->conditions[i].detail);
		fputc('\n', out);
	}
}

static void put_notes(FILE *out, const struct verdict *v)
{
	char note[200];

	for (int i = 0; i < NR_NOTES; i++)
		if (verdict__note(v, i, note, sizeof(note)))
			fprintf(out, "note: %s\n", note);
}

static int print(FILE *out, const struct verdict *v)
{
	const struct comparison *c = v->comparison;
	char headline[500];

	fprintf(out, "%s\n\n", verdict__headline(v, headline, sizeof(headline)));
	put_side(out, "before", &c->sides[0]);
	put_side(out, "after", &c->sides[1]);
	fprintf(out, "\n  %-16s %11s %11s %10s  %s\n", "", "before", "after", "change",
		"interval of the change");
	for (int m = 0; m < NR_METRICS; m++)
		put_finding(out, &c->metrics[m]);
	put_ledger(out, c);
	put_sites(out, c);
	put_conditions(out, v);
	put_notes(out, v);
	return diff__flush(out);
}

const struct diff_format diff_text = {"text", print};
