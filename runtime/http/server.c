// SPDX-License-Identifier: Apache-2.0
// What libmicrohttpd is bounded to: few connections, little memory for each, ten seconds for whoever is slow. It asks
// for a call by its epoll, and by a time after which it looks for such connections.
//
// A browser that reads an answer loads nothing from elsewhere, shows it in no frame, and lets no other site read it.
#include "http/server.h"

#ifdef MP_WITH_MICROHTTPD
#include <microhttpd.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "http/stream.h"

#define CONNECTIONS_MAX  32u
#define CONNECTION_BYTES ((size_t)32 * 1024)
#define SLOW_SECONDS     10u
#define BEARER           "Bearer "

static const char *const headers[][2] = {
	{MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
	{"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                "frame-ancestors 'none'"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Referrer-Policy", "no-referrer"},
	{"X-Content-Type-Options", "nosniff"},
};

const bool mp_http_is_there = true;

struct mp_http_server {
	struct mp_loop *loop;
	struct MHD_Daemon *daemon;
	struct mp_poll *poll;
	struct mp_timer timer;
	struct mp_claim claim;
	struct mp_http_streams streams;
	void (*answer)(void *data, const struct mp_http_request *request, struct mp_http_answer *answer);
	void *data;
};

// The response is ours and goes with the connection.
static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status, const char *type,
                             struct MHD_Response *response)
{
	if (response == NULL)
		return MHD_NO;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	for (size_t i = 0; i < MP_ARRAY_LEN(headers); i++)
		(void)MHD_add_response_header(response, headers[i][0], headers[i][1]);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (status == MHD_HTTP_UNAUTHORIZED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
		                              "Basic realm=\"moonpool\", charset=\"UTF-8\"");
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
                             const void *body, size_t len)
{
	// Whoever may write to it may not change it: it is copied.
	return queue(connection, status, type,
	             MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return reply(connection, status, "text/plain; charset=utf-8", text, strlen(text));
}

static const char *word_for(unsigned status)
{
	switch (status) {
	case MHD_HTTP_NOT_FOUND: return "there is nothing at this path\n";
	case MHD_HTTP_UNAUTHORIZED: return "a password is wanted: the token of this pool's configuration\n";
	case MHD_HTTP_MISDIRECTED_REQUEST: return "this server is called by an IP address or localhost\n";
	default: return "it failed\n";
	}
}

static enum MHD_Result begin_stream(struct mp_http_server *self, struct MHD_Connection *connection,
                                    const struct mp_http_answer *answer)
{
	if (mp_http_streams(self) >= MP_HTTP_STREAMS_MAX)
		return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many look already\n");
	return queue(connection, answer->status, answer->type,
	             mp_http_streams_add(&self->streams, connection, answer->body.data, answer->body.len));
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
	return value != NULL ? value : "";
}

static enum MHD_Result ask(struct mp_http_server *self, struct MHD_Connection *connection, const char *path)
{
	char *password = NULL;
	char *user = MHD_basic_auth_get_username_password(connection, &password);
	const char *authorization = header(connection, MHD_HTTP_HEADER_AUTHORIZATION);
	bool is_bearer = strncmp(authorization, BEARER, strlen(BEARER)) == 0;
	struct mp_http_request request = {.path = path, .host = header(connection, MHD_HTTP_HEADER_HOST)};
	request.password = is_bearer ? authorization + strlen(BEARER) : password != NULL ? password : "";
	struct mp_http_answer answer = {.status = MHD_HTTP_NOT_FOUND};
	mp_buf_init(&answer.body);
	self->answer(self->data, &request, &answer);
	enum MHD_Result result;
	if (mp_buf_status(&answer.body) != 0)
		result = say(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	else if (answer.type == NULL)
		result = say(connection, answer.status, word_for(answer.status));
	else if (answer.is_stream)
		result = begin_stream(self, connection, &answer);
	else
		result = reply(connection, answer.status, answer.type, answer.body.data, answer.body.len);
	mp_buf_deinit(&answer.body);
	if (user != NULL)
		MHD_free(user);
	if (password != NULL)
		MHD_free(password);
	return result;
}

// A request is there as soon as its headers are; a body that follows is read and dropped.
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload, size_t *size,
                                  void **state)
{
	static char seen;
	(void)version, (void)upload;
	struct mp_http_server *self = data;
	if (*state == NULL) {
		*state = &seen;
		return MHD_YES;
	}
	if (*size > 0) {
		*size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
	return ask(self, connection, url);
}

static unsigned connections(const struct mp_http_server *self)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	return info != NULL ? info->num_connections : 0;
}

// While it has all connections that it may have, it does not listen; it begins to again only in a call behind the one
// that closed some, and nothing else would ask for that call.
static void run(struct mp_http_server *self)
{
	unsigned before;
	do {
		before = connections(self);
		(void)MHD_run(self->daemon);
	} while (connections(self) < before);
}

static void turn(void *data)
{
	struct mp_http_server *self = data;
	MHD_UNSIGNED_LONG_LONG ms;
	run(self);
	if (MHD_get_timeout(self->daemon, &ms) != MHD_YES)
		mp_timer_stop(&self->timer);
	else if (mp_timer_start_ms(&self->timer, ms) != 0)
		mp_log_write(mp_loop_log(self->loop), MP_LOG_WARN,
		             "http: no memory for a timer: the next event stands in");
}

static void free_server(struct mp_http_server *self)
{
	mp_timer_stop(&self->timer);
	if (self->poll != NULL)
		mp_poll_close(self->poll);
	if (self->daemon != NULL) {
		MHD_socket own = MHD_quiesce_daemon(self->daemon); // the descriptor is ours
		(void)own;
		mp_http_streams_end(&self->streams);
		MHD_stop_daemon(self->daemon);
	}
	mp_claim_release(self->loop, &self->claim);
	mp_free(self);
}

static bool start(struct mp_http_server *self)
{
	self->daemon =
		MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, self,
	                     MHD_OPTION_LISTEN_SOCKET, (MHD_socket)self->claim.fd, MHD_OPTION_CONNECTION_LIMIT,
	                     CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,
	                     MHD_OPTION_CONNECTION_TIMEOUT, SLOW_SECONDS, MHD_OPTION_END);
	return self->daemon != NULL;
}

struct mp_http_server *mp_http_open(struct mp_loop *loop, const struct mp_addr *addr, const char *path,
                                    void (*answer)(void *data, const struct mp_http_request *request,
                                                   struct mp_http_answer *answer),
                                    void *data, int *err)
{
	struct mp_http_server *self = mp_calloc(1, sizeof(*self));
	if (self == NULL) {
		*err = MP_ENOMEM;
		return NULL;
	}
	*self = (struct mp_http_server){.loop = loop, .answer = answer, .data = data, .claim = {.fd = -1}};
	mp_timer_init(&self->timer, loop, turn, self);
	mp_http_streams_init(&self->streams);
	*err = mp_loop_claim(loop, addr, path, &self->claim);
	if (*err == 0 && !start(self))
		*err = MP_ELOCAL;
	if (*err == 0) {
		const union MHD_DaemonInfo *info = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD);
		self->poll = info != NULL ? mp_loop_poll(loop, info->epoll_fd, turn, self, err) : NULL;
		*err = self->poll != NULL ? 0 : MP_ELOCAL;
	}
	if (*err == 0)
		return self;
	free_server(self);
	return NULL;
}

const struct mp_addr *mp_http_addr(const struct mp_http_server *server)
{
	return &server->claim.addr;
}

size_t mp_http_streams(const struct mp_http_server *server)
{
	return server->streams.list.count;
}

// A connection that is woken has its turn with the next look at the clock.
void mp_http_publish(struct mp_http_server *server, const void *bytes, size_t len)
{
	mp_http_streams_publish(&server->streams, bytes, len);
	if (server->streams.list.count > 0 && mp_timer_start_ms(&server->timer, 0) != 0)
		mp_log_write(mp_loop_log(server->loop), MP_LOG_WARN,
		             "http: no memory for a timer: the next event stands in");
}

void mp_http_close(struct mp_http_server *server)
{
	free_server(server);
}
#endif
