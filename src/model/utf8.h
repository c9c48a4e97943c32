/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Bytes from outside (file names, comms, symbols) as Unicode. */
#ifndef LS_MODEL_UTF8_H
#define LS_MODEL_UTF8_H

#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffd

/* Takes one code point off a NUL-terminated string and moves it on; a byte that cannot belong to
 * valid UTF-8 (overlong forms and surrogates included) gives U+FFFD. 0 at the end. */
uint32_t utf8__next(const char **s);

/* Writes `c` as 1 to 4 bytes, no NUL; how many. */
int utf8__encode(uint32_t c, char out[4]);

#endif
