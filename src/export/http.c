/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "export/buffer.h"
#include "export/http.h"
#include "export/listen.h"
#include "export/webconfig.h"
#include "log.h"

enum {
	MAX_CONNECTIONS = 768,
	CONNECTION_BYTES = 16 << 10, /* request line and headers */
	IDLE_SECONDS = 5,            /* of silence */
	CROWDED_TEXTS = 3,           /* on their way at one time: more are made more rarely */
	MAX_TEXTS = 7,
};

static const uint64_t request_ns = 30000000000; /* for a whole request and its answer */
static const uint64_t fresh_ns = 200000000;     /* a text serves all who ask this soon after */
static const uint64_t crowded_ns = 2000000000;  /* the same, when crowded */
static const uint64_t patience_ns = 6000000000; /* with those who read, when crowded */
static const uint64_t guard_ns = 1000000000;

/* One text of metrics, shared by the answers that it is sent in. */
struct text {
	struct http *http;
	struct MHD_Response *response;
	char *bytes;
};

struct client {
	struct client *next, **at;
	int fd;
	uint64_t since_ns; /* the end of its last request */
	uint64_t text_ns;  /* of when the text is that it reads; 0: none */
};

struct http {
	struct MHD_Daemon *daemon;
	struct web_config *web;
	char url[320];
	char socket_path[256];
	http_render_fn render;
	void *arg;
	struct text *texts[NR_FORMATS]; /* the newest */
	uint64_t rendered_ns[NR_FORMATS];
	int nr_texts; /* alive */
	struct MHD_Response *index, *healthy, *not_found, *not_allowed, *busy, *unauthorized;
	struct client *clients;
	uint64_t guarded_ns;
};

/* --- answers ----------------------------------------------------------------------------------- */

static struct MHD_Response *new_page(const char *type, const char *text)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);

	if (r)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	return r;
}

static bool make_pages(struct http *h)
{
	h->index = new_page("text/html; charset=utf-8",
			    "<!doctype html><html lang=\"en\"><title>loopstall</title>"
			    "<h1>loopstall " LS_VERSION "</h1>"
			    "<p>Stalls of the event loops on this host.</p><ul>"
			    "<li><a href=\"/metrics\">/metrics</a></li>"
			    "<li><a href=\"/healthz\">/healthz</a></li></ul></html>\n");
	h->healthy = new_page("text/plain", "ok\n");
	h->not_found = new_page("text/plain", "not found: see / for what there is\n");
	h->not_allowed = new_page("text/plain", "only GET and HEAD\n");
	h->busy = new_page("text/plain", "too many ask: try again\n");
	h->unauthorized = new_page("text/plain", "unauthorized\n");
	if (!h->index || !h->healthy || !h->not_found || !h->not_allowed || !h->busy ||
	    !h->unauthorized)
		return false;
	MHD_add_response_header(h->not_allowed, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	MHD_add_response_header(h->busy, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	MHD_add_response_header(h->unauthorized, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
				"Basic realm=\"loopstall\"");
	return true;
}

/* The last answer that it was sent in is done. */
static void free_text(void *arg)
{
	struct text *text = arg;

	text->http->nr_texts--;
	free(text->bytes);
	free(text);
}

static struct text *new_text(struct http *h, enum exposition_format format)
{
	struct buffer out = {0};
	struct text *text = calloc(1, sizeof(*text));

	h->render(h->arg, format, &out);
	if (!text || out.failed)
		goto fail;
	text->http = h;
	text->bytes = out.text;
	text->response = MHD_create_response_from_buffer_with_free_callback_cls(out.bytes, out.text,
										free_text, text);
	if (!text->response)
		goto fail;
	h->nr_texts++;
	MHD_add_response_header(text->response, MHD_HTTP_HEADER_CONTENT_TYPE,
				exposition__content_type(format));
	MHD_add_response_header(text->response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
	return text;
fail:
	buffer__free(&out);
	free(text);
	return NULL;
}

static void let_go(struct http *h, enum exposition_format format)
{
	if (h->texts[format])
		MHD_destroy_response(h->texts[format]->response);
	h->texts[format] = NULL;
}

/*
 * Those who read the oldest text and have had time to; few scrapers wait for more than ten seconds. A few
 * who do not read would shut out all others: three texts, and one every two seconds for six, are six.
 */
static void end_slowest_readers(struct http *h, uint64_t now)
{
	uint64_t oldest = now - patience_ns;

	for (struct client *client = h->clients; client; client = client->next)
		if (client->text_ns && client->text_ns < oldest)
			oldest = client->text_ns;
	for (struct client *client = h->clients; client; client = client->next)
		if (client->text_ns == oldest)
			shutdown(client->fd, SHUT_RDWR);
}

/* A text as it is now, or nearly; NULL when too many are on their way to readers that do not read. */
static struct text *current_text(struct http *h, enum exposition_format format)
{
	uint64_t now = clock__mono_ns();
	bool crowded = h->nr_texts >= CROWDED_TEXTS;

	if (h->texts[format] && now - h->rendered_ns[format] < (crowded ? crowded_ns : fresh_ns))
		return h->texts[format];
	let_go(h, format);
	if (crowded)
		end_slowest_readers(h, now);
	if (h->nr_texts >= MAX_TEXTS)
		return NULL;
	h->texts[format] = new_text(h, format);
	h->rendered_ns[format] = now;
	return h->texts[format];
}

static struct client *client_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static enum MHD_Result answer_metrics(struct http *h, struct MHD_Connection *c)
{
	const char *accept =
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	enum exposition_format format = exposition__negotiate(accept);
	struct text *text = current_text(h, format);
	struct client *client = client_of(c);

	if (!text)
		return MHD_queue_response(c, MHD_HTTP_SERVICE_UNAVAILABLE, h->busy);
	if (client)
		client->text_ns = h->rendered_ns[format];
	return MHD_queue_response(c, MHD_HTTP_OK, text->response);
}

/* NULL: it may enter; else what it is told. */
static struct MHD_Response *refusal(const struct http *h, struct MHD_Connection *c,
				    unsigned int *status)
{
	enum web_answer answer = WEB_WRONG;
	char *user, *password = NULL;

	if (!h->web || !h->web->nr_users)
		return NULL;
	user = MHD_basic_auth_get_username_password(c, &password);
	if (user && password)
		answer = web_config__check(h->web, user, password);
	MHD_free(user);
	MHD_free(password);
	if (answer == WEB_RIGHT)
		return NULL;
	*status = answer == WEB_LATER ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_UNAUTHORIZED;
	return answer == WEB_LATER ? h->busy : h->unauthorized;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_bytes, void **state)
{
	struct http *h = arg;
	struct MHD_Response *refused;
	unsigned int status;

	(void)version;
	(void)upload;
	(void)upload_bytes;
	(void)state;
	refused = refusal(h, c, &status);
	if (refused)
		return MHD_queue_response(c, status, refused);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return MHD_queue_response(c, MHD_HTTP_METHOD_NOT_ALLOWED, h->not_allowed);
	if (!strcmp(url, "/metrics"))
		return answer_metrics(h, c);
	if (!strcmp(url, "/healthz"))
		return MHD_queue_response(c, MHD_HTTP_OK, h->healthy);
	if (!strcmp(url, "/"))
		return MHD_queue_response(c, MHD_HTTP_OK, h->index);
	return MHD_queue_response(c, MHD_HTTP_NOT_FOUND, h->not_found);
}

/* --- clients ----------------------------------------------------------------------------------- */

static void on_connection(void *arg, struct MHD_Connection *c, void **socket_state,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *h = arg;
	struct client *client = *socket_state;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		client = calloc(1, sizeof(*client));
		*socket_state = client;
		if (!client)
			return;
		client->fd =
			MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		client->since_ns = clock__mono_ns();
		client->at = &h->clients;
		client->next = h->clients;
		if (client->next)
			client->next->at = &client->next;
		h->clients = client;
	} else if (client) {
		*client->at = client->next;
		if (client->next)
			client->next->at = client->at;
		free(client);
		*socket_state = NULL;
	}
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct client *client = client_of(c);

	(void)arg;
	(void)state;
	(void)code;
	if (!client)
		return;
	client->since_ns = clock__mono_ns();
	client->text_ns = 0;
}

/* libmicrohttpd ends those who are silent; this ends those who send or read a byte now and then. */
static void end_slow_clients(struct http *h, uint64_t now)
{
	for (struct client *client = h->clients; client; client = client->next) {
		if (now - client->since_ns < request_ns)
			continue;
		shutdown(client->fd, SHUT_RDWR);
		client->since_ns = now;
	}
}

/* --- life -------------------------------------------------------------------------------------- */

static void log_daemon(void *arg, const char *fmt, va_list args)
{
	char line[512];

	(void)arg;
	if (log__verbosity() < 2)
		return;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
}

/* As Prometheus' exporters begin with: 1.2. */
static char tls_versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

static struct MHD_Daemon *start_daemon(struct http *h, int fd)
{
	const struct web_config *web = h->web && h->web->key ? h->web : NULL;
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | (web ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_KEY, 0, web ? web->key : NULL},
		{MHD_OPTION_HTTPS_MEM_CERT, 0, web ? web->certificate : NULL},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, tls_versions},
		{MHD_OPTION_END, 0, NULL},
	};

	if (!web)
		tls[0] = tls[2];
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER,
				log_daemon, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)MAX_CONNECTIONS,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_ARRAY, tls,
				MHD_OPTION_END);
}

struct http *http__new(const char *listen, struct web_config *web, http_render_fn render, void *arg)
{
	struct http *h = calloc(1, sizeof(*h));
	char name[256];
	int fd;

	if (!h)
		return NULL;
	h->render = render;
	h->arg = arg;
	h->web = web;
	fd = listen__open(listen, name, sizeof(name));
	if (fd < 0) {
		free(h);
		errno = -fd;
		return NULL;
	}
	if (!strncmp(name, "unix:", 5)) {
		snprintf(h->socket_path, sizeof(h->socket_path), "%s", name + 5);
		snprintf(h->url, sizeof(h->url), "%s", name);
	} else {
		snprintf(h->url, sizeof(h->url), "http%s://%s", web && web->key ? "s" : "", name);
	}
	h->daemon = make_pages(h) ? start_daemon(h, fd) : NULL;
	if (h->daemon)
		return h;
	log_err("cannot serve on %s%s", h->url,
		web && web->key
			? ": cert_file and key_file must be the PEM of a certificate and of its key"
			: "");
	close(fd);
	http__free(h);
	errno = EIO;
	return NULL;
}

void http__free(struct http *h)
{
	struct MHD_Response **pages[] = {&h->index,       &h->healthy, &h->not_found,
					 &h->not_allowed, &h->busy,    &h->unauthorized};

	if (!h)
		return;
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	for (int i = 0; i < NR_FORMATS; i++)
		let_go(h, i);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (*pages[i])
			MHD_destroy_response(*pages[i]);
	if (h->socket_path[0])
		unlink(h->socket_path);
	free(h);
}

const char *http__url(const struct http *h)
{
	return h->url;
}

int http__fd(const struct http *h)
{
	return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int http__timeout_ms(const struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(h->daemon, &ms) != MHD_YES)
		return -1;
	return ms < 60000 ? (int)ms : 60000;
}

void http__serve(struct http *h)
{
	uint64_t now;

	MHD_run(h->daemon);
	now = clock__mono_ns();
	if (now - h->guarded_ns < guard_ns)
		return;
	h->guarded_ns = now;
	end_slow_clients(h, now);
}
