/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The least evhttp server that answers what /fast of offload-server does: what its extras are
 * measured against. Usage: server_bare PORT
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_fast(struct evhttp_request *req, void *arg)
{
	static const char body[] = "{\"ok\":true}\n";
	struct evbuffer *out = evhttp_request_get_output_buffer(req);

	(void)arg;
	evbuffer_add_reference(out, body, strlen(body), NULL, NULL);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
			  "application/json");
	evhttp_send_reply(req, 200, "OK", NULL);
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base ? evhttp_new(base) : NULL;

	if (argc != 2 || !http || evhttp_bind_socket(http, "127.0.0.1", (ev_uint16_t)atoi(argv[1])))
		return 1;
	evhttp_set_cb(http, "/fast", on_fast, NULL);
	event_base_dispatch(base);
	return 0;
}
