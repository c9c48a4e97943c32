/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The listening socket. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "server/client.h"

/* A non-blocking socket that listens at the endpoint, or -errno. Sets the actual port in it. */
int listen_at(struct endpoint *endpoint);

#endif
