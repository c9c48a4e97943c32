/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Text from outside as XML or HTML text, and as an attribute's value. */
#ifndef LS_MODEL_XML_H
#define LS_MODEL_XML_H

#include <stddef.h>
#include <stdio.h>

/* Escapes markup; what is no XML character becomes U+FFFD. At most `chars` code points, ".." in
 * place of the last two when there are more. */
void xml__put(FILE *out, const char *s, size_t chars);

size_t xml__chars(const char *s);

#endif
