// SPDX-License-Identifier: Apache-2.0
// What libmicrohttpd is bounded to: few connections, little memory for each, ten seconds for whoever is slow. It asks
// for a call by its epoll, and by a time after which it looks for such connections.
#include "http/server.h"

#ifdef MP_WITH_MICROHTTPD
#include <microhttpd.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define CONNECTIONS_MAX  32u
#define CONNECTION_BYTES ((size_t)32 * 1024)
#define SLOW_SECONDS     10u

const bool mp_http_is_there = true;

struct mp_http_server {
	struct mp_loop *loop;
	struct MHD_Daemon *daemon;
	struct mp_poll *poll;
	struct mp_timer timer;
	struct mp_claim claim;
	void (*answer)(void *data, const char *url, struct mp_http_answer *answer);
	void *data;
};

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
                             const void *body, size_t len)
{
	// Whoever may write to it may not change it: it is copied.
	struct MHD_Response *response =
		MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
	if (response == NULL)
		return MHD_NO;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return reply(connection, status, "text/plain; charset=utf-8", text, strlen(text));
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
	struct mp_http_answer answer = {.status = MHD_HTTP_NOT_FOUND};
	mp_buf_init(&answer.body);
	self->answer(self->data, url, &answer);
	enum MHD_Result result;
	if (mp_buf_status(&answer.body) != 0)
		result = say(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	else if (answer.type == NULL)
		result = say(connection, answer.status, "there is nothing at this path\n");
	else
		result = reply(connection, answer.status, answer.type, answer.body.data, answer.body.len);
	mp_buf_deinit(&answer.body);
	return result;
}

static void turn(void *data)
{
	struct mp_http_server *self = data;
	MHD_UNSIGNED_LONG_LONG ms;
	(void)MHD_run(self->daemon);
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
		MHD_stop_daemon(self->daemon);
	}
	mp_claim_release(self->loop, &self->claim);
	mp_free(self);
}

static bool start(struct mp_http_server *self)
{
	self->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, self, MHD_OPTION_LISTEN_SOCKET,
	                                (MHD_socket)self->claim.fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
	                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,
	                                MHD_OPTION_CONNECTION_TIMEOUT, SLOW_SECONDS, MHD_OPTION_END);
	return self->daemon != NULL;
}

struct mp_http_server *
mp_http_open(struct mp_loop *loop, const struct mp_addr *addr, const char *path,
             void (*answer)(void *data, const char *url, struct mp_http_answer *answer), void *data, int *err)
{
	struct mp_http_server *self = mp_calloc(1, sizeof(*self));
	if (self == NULL) {
		*err = MP_ENOMEM;
		return NULL;
	}
	*self = (struct mp_http_server){.loop = loop, .answer = answer, .data = data, .claim = {.fd = -1}};
	mp_timer_init(&self->timer, loop, turn, self);
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

void mp_http_close(struct mp_http_server *server)
{
	free_server(server);
}
#endif
