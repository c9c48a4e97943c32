/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The slow service that /external and the auth middleware call, embedded so that nothing else is
 * needed: a loop of its own on a thread of its own, on a free port of loopback. It is slow by
 * timers and holds any number of requests at once.
 *
 *   GET /slow?ms=N     answers 200 after N ms
 *   GET /auth?ms=N     the same, for "who is this?"
 *   GET /deny?ms=N     answers 403 after N ms
 */
#ifndef SERVER_UPSTREAM_H
#define SERVER_UPSTREAM_H

#include "server/client.h"

struct upstream;

/* NULL with errno set. */
struct upstream *upstream__start(void);
/* Drops what it still holds. NULL is fine. */
void upstream__stop(struct upstream *upstream);
/* Where it listens; borrowed. */
const struct endpoint *upstream__endpoint(const struct upstream *upstream);

#endif
