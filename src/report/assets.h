/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Scripts and styles of the SVG and HTML reports, as they lie in src/report/assets. */
#ifndef LS_REPORT_ASSETS_H
#define LS_REPORT_ASSETS_H

extern const char asset_flame_css[];
extern const char asset_flame_js[];
extern const char asset_page_css[];
extern const char asset_page_js[];
extern const char asset_page_html[];

#endif
