/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bytes from a client, through evhttp, the connection limits and the query parser, as the server
 * puts them together; on a real socket. The first byte says where the input is cut into two packets
 * and whether the client then shuts its side down. Afterwards no connection may be left.
 */
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/conn.h"
#include "server/http.h"
#include "server/listen.h"
#include "server/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct event_base *base;
	struct evhttp *http;
	struct conns *conns;
	struct endpoint at;
} server;

static void on_request(struct evhttp_request *req, void *arg)
{
	struct conn *conn = conns__of(server.conns, req);
	struct query query = {.ms = 50};
	int status = conn__malformed(conn);

	(void)arg;
	if (!status)
		status = http__check(req);
	conn__begin(conn);
	if (!status &&
	    query__parse(evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req)), &query))
		status = 400;
	if (query.ms > QUERY_MS_MAX || query.kb > QUERY_KB_MAX)
		abort();
	conn__reply(conn, req);
	evhttp_send_reply(req, status ? status : 200, NULL, NULL);
	conn__replied(conn);
}

static void start(void)
{
	struct conn_limits limits = {.max = 10,
				     .max_fds = 1024,
				     .head = {256, 1024},
				     .body_bytes = 2048,
				     .request_ns = NS_PER_S,
				     .idle_ns = NS_PER_S};
	struct sockaddr_in *in = (struct sockaddr_in *)&server.at.addr;
	struct evconnlistener *listener;
	struct event_config *config = event_config_new();

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.at.addr_len = sizeof(*in);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	server.base = event_base_new_with_config(config);
	event_config_free(config);
	server.http = evhttp_new(server.base);
	evhttp_set_allowed_methods(server.http, (ev_uint16_t)~EVHTTP_REQ_CONNECT);
	evhttp_set_gencb(server.http, on_request, NULL);
	listener = evconnlistener_new(server.base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE, 0,
				      listen_at(&server.at));
	server.conns = conns__new(server.base, server.http, listener, &limits);
	if (!server.conns)
		abort();
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		event_base_loop(server.base, EVLOOP_NONBLOCK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct linger reset = {.l_onoff = 1};
	size_t cut;
	int fd;

	if (size < 1 || size > 8192)
		return 0;
	if (!server.base)
		start();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&server.at.addr, server.at.addr_len))
		abort();
	cut = (data[0] & 0x7f) * (size - 1) / 128;
	send(fd, data + 1, cut, MSG_NOSIGNAL);
	turn();
	send(fd, data + 1 + cut, size - 1 - cut, MSG_NOSIGNAL);
	if (data[0] & 0x80)
		shutdown(fd, SHUT_WR);
	turn();
	/* A reset leaves no TIME_WAIT behind: ports would run out. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	for (int i = 0; conns__counts(server.conns)->open; i++) {
		event_base_loop(server.base, EVLOOP_NONBLOCK);
		if (i == 1000)
			abort();
	}
	return 0;
}
