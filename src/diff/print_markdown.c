/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* For a pull request's comment: a verdict, a table, the sites, and the ledger folded away. */
#include <string.h>

#include "diff/values.h"
#include "diff/verdict.h"
#include "model/utf8.h"

enum { MAX_SITES = 20 };

/* In a table's cell: markup and what would end the cell are escaped, control characters dropped. */
static void put_text(FILE *out, const char *s)
{
	char bytes[4];
	uint32_t c;

	while ((c = utf8__next(&s)) != 0) {
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			continue;
		if (c == '<')
			fputs("&lt;", out);
		else if (c == '&')
			fputs("&amp;", out);
		else if (c == '@')
			fputs("&#64;", out); /* mentions no one */
		else if (c < 0x80 && strchr("\\`*_[]|~#>!", (int)c))
			fprintf(out, "\\%c", (char)c);
		else
			fwrite(bytes, 1, (size_t)utf8__encode(c, bytes), out);
	}
}

static void put_judgement(FILE *out, enum judgement j)
{
	if (j == JUDGED_WORSE || j == JUDGED_NEW)
		fprintf(out, "**%s**", judgement__name(j));
	else if (j != JUDGED_NOT)
		fputs(judgement__name(j), out);
}

static void put_finding(FILE *out, const struct finding *f)
{
	char before[32], after[32], difference[32], interval[80];

	fprintf(out, "| %s | %s | %s | %s | %s | ", f->name,
		values__put(f->unit, f->before, before, sizeof(before)),
		values__put(f->unit, f->after, after, sizeof(after)),
		values__put_difference(f, f->after - f->before, difference, sizeof(difference)),
		f->judgement == JUDGED_NOT ? "" : finding__interval(f, interval, sizeof(interval)));
	put_judgement(out, f->judgement);
	fputs(" |\n", out);
}

static void put_site(FILE *out, const struct site_finding *s)
{
	char place[700], before[32], after[32];

	fputs("| ", out);
	put_judgement(out, s->f.judgement);
	fputs(" | ", out);
	put_text(out, site_finding__place(s, place, sizeof(place)));
	if (s->callee) {
		fputs(" → ", out);
		put_text(out, s->callee);
	}
	fprintf(out, " | %s%s", ls_cause__name(s->cause), s->call ? ", " : "");
	put_text(out, s->call ? s->call : "");
	fprintf(out, " | %s | %s |\n", values__put(s->f.unit, s->f.before, before, sizeof(before)),
		values__put(s->f.unit, s->f.after, after, sizeof(after)));
}

static void put_sites(FILE *out, const struct comparison *c)
{
	size_t n = 0;

	for (; n < c->nr_sites && n < MAX_SITES && site_finding__shown(&c->sites[n]); n++) {
		if (!n)
			fputs("\n| | site | cause | before | after |\n|---|---|---|---:|---:|\n",
			      out);
		put_site(out, &c->sites[n]);
	}
	if (c->sites_excused)
		fputs("\nNew and worse sites are no regression here: the stalled time as a whole "
		      "fell.\n",
		      out);
}

static void put_ledger(FILE *out, const struct comparison *c)
{
	fputs("\n<details><summary>Where the stalled time went, each second</summary>\n\n"
	      "| | before | after | change | interval | |\n|---|---:|---:|---:|---|---|\n",
	      out);
	for (int i = 0; i < LEDGER_CLASSES; i++) {
		if (c->ledger[i].before > 0 || c->ledger[i].after > 0)
			put_finding(out, &c->ledger[i]);
	}
	fputs("\n</details>\n", out);
}

static void put_conditions(FILE *out, const struct verdict *v)
{
	static const char *const words[] = {"passed", "**failed**", "**not judged**"};

	if (v->nr_conditions)
		fputc('\n', out);
	for (size_t i = 0; i < v->nr_conditions; i++) {
		fprintf(out, "- %s ", words[v->conditions[i].result]);
		put_text(out, v->conditions[i].failon.text);
		fputs(": ", out);
		put_text(out, v->conditions[i].detail);
		fputc('\n', out);
	}
}

static void put_notes(FILE *out, const struct verdict *v)
{
	char note[200];

	for (int i = 0; i < NR_NOTES; i++)
		if (verdict__note(v, i, note, sizeof(note)))
			fprintf(out, "\nNote: %s.\n", note);
}

static int print(FILE *out, const struct verdict *v)
{
	const struct comparison *c = v->comparison;
	char headline[500];

	fputs("### Event-loop stalls: ", out);
	put_text(out, verdict__headline(v, headline, sizeof(headline)));
	fprintf(out,
		"\n\n%zu + %zu recordings, %.0f s before and %.0f s after\n\n"
		"| | before | after | change | interval | |\n|---|---:|---:|---:|---|---|\n",
		c->sides[0].n, c->sides[1].n, side__seconds(&c->sides[0]),
		side__seconds(&c->sides[1]));
	for (int m = 0; m < NR_METRICS; m++)
		put_finding(out, &c->metrics[m]);
	put_sites(out, c);
	put_conditions(out, v);
	put_notes(out, v);
	put_ledger(out, c);
	return diff__flush(out);
}

const struct diff_format diff_markdown = {"markdown", print};
