/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One line a message on stderr, under the program's name. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdio.h>

#define log_line(fmt, ...) fprintf(stderr, "offload-server: " fmt "\n", ##__VA_ARGS__)

#endif
