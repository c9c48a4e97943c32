/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The files become part of the program; the Makefile rebuilds this when one of them changes. */
#include "report/assets.h"

#define ASSET(symbol, file)                                \
	__asm__(".section .rodata\n"                       \
		".global " #symbol "\n" #symbol ":\n"      \
		".incbin \"src/report/assets/" file "\"\n" \
		".byte 0\n"                                \
		".previous\n")

ASSET(asset_flame_css, "flame.css");
ASSET(asset_flame_js, "flame.js");
ASSET(asset_page_css, "page.css");
ASSET(asset_page_js, "page.js");
ASSET(asset_page_html, "page.html");
