/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The metrics as text: Prometheus' own format 0.0.4, or OpenMetrics 1.0 with exemplars. */
#ifndef LS_EXPORT_EXPOSITION_H
#define LS_EXPORT_EXPOSITION_H

struct buffer;
struct metrics;

enum exposition_format { FORMAT_TEXT, FORMAT_OPENMETRICS, NR_FORMATS };

/* What an Accept header (NULL: none) asks for: OpenMetrics only by name, and not with q=0. */
enum exposition_format exposition__negotiate(const char *accept);
const char *exposition__content_type(enum exposition_format format);

void exposition__write(const struct metrics *m, enum exposition_format format, struct buffer *out);

#endif
