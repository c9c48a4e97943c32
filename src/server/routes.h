/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The routes: which function answers what. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

struct app;
struct routes;

/* Registers every route, behind the middleware if there is one. NULL with errno set. */
struct routes *routes__new(struct app *app);
/* After evhttp_free(). NULL is fine. */
void routes__free(struct routes *routes);

#endif
