// SPDX-License-Identifier: Apache-2.0
// Listeners of the libuv body, and what sockets and listeners share: addresses and kinds of errors. When this
// machine has no descriptor left for a new connection the listener says so and rests for 100 ms: the connection
// stays in the kernel's queue and would otherwise be reported again and again.
#include "loop/loop_uv.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define ACCEPTS_PER_TURN  64
#define REST_MS           100
#define COMPLAIN_EVERY_MS 10000

struct uv_listener {
	struct mp_listener base;
	struct mp_uv_held held;
	uv_poll_t poll;
	struct mp_timer rest;
	struct mp_log_gate complaints;
	int fd;
	char *path; // of a local one
	uint64_t device, inode;
};

bool mp_uv_errno_is_local(int code)
{
	return code == EADDRNOTAVAIL || code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

socklen_t mp_uv_to_sockaddr(const struct mp_addr *addr, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (addr->ip_len == 4) {
		struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
		memcpy(&v4.sin_addr, addr->ip, 4);
		memcpy(out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(addr->port), .sin6_scope_id = addr->zone};
	memcpy(&v6.sin6_addr, addr->ip, 16);
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

bool mp_uv_from_sockaddr(const struct sockaddr *from, struct mp_addr *out)
{
	*out = (struct mp_addr){0};
	if (from->sa_family == AF_INET) {
		struct sockaddr_in v4;
		memcpy(&v4, from, sizeof(v4));
		memcpy(out->ip, &v4.sin_addr, 4);
		out->ip_len = 4;
		out->port = ntohs(v4.sin_port);
		return true;
	}
	if (from->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, from, sizeof(v6));
		memcpy(out->ip, &v6.sin6_addr, 16);
		out->ip_len = 16;
		out->port = ntohs(v6.sin6_port);
		out->zone = v6.sin6_scope_id;
		return true;
	}
	return false;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void accept_again(void *data)
{
	struct uv_listener *self = data;
	int rc = uv_poll_start(&self->poll, UV_READABLE, on_poll);
	mp_assert(rc == 0);
}

static bool may_complain(struct uv_listener *self)
{
	return mp_log_gate_open(&self->complaints, mp_loop_now_ms(self->base.loop), COMPLAIN_EVERY_MS, NULL);
}

static void take_a_rest(struct uv_listener *self)
{
	uv_poll_stop(&self->poll);
	// Without memory for a timer the listener goes on at once.
	if (mp_timer_start_ms(&self->rest, REST_MS) != 0)
		accept_again(self);
}

// At a path of the file system only those of this user and of root are let in, whatever the file's mode has become.
static bool is_welcome(struct uv_listener *self, int fd)
{
	uint32_t user;
	if (self->path == NULL || mp_uv_local_is_ours(fd, &user))
		return true;
	if (may_complain(self))
		mp_log_write(mp_loop_log(self->base.loop), MP_LOG_WARN,
		             "%s: a process of user %u was not let in: only this user and root are", self->path,
		             user);
	return false;
}

static void tell_shortage(struct uv_listener *self, int code)
{
	if (may_complain(self))
		mp_log_write(mp_loop_log(self->base.loop), MP_LOG_WARN, "%s: a connection has to wait: %s",
		             self->path != NULL ? self->path : "a listener", strerror(code));
	take_a_rest(self);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct uv_listener *self = poll->data;
	if (mp_loop_is_forked(self->base.loop))
		return;
	mp_loop_stamp(self->base.loop);
	if (status < 0) {
		take_a_rest(self);
		return;
	}
	for (int i = 0; i < ACCEPTS_PER_TURN && !self->base.closed && !mp_loop_is_forked(self->base.loop); i++) {
		int fd = mp_descriptor_raise(accept4(self->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
		if (fd < 0 && mp_uv_errno_is_local(errno)) {
			tell_shortage(self, errno);
			return;
		}
		if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (fd < 0) // the connection died in the queue, or a signal came
			continue;
		if (!is_welcome(self, fd)) {
			close(fd);
			continue;
		}
		struct mp_sock *sock = mp_uv_sock_accepted(self->base.loop, fd);
		if (sock != NULL)
			mp_loop_accepted(&self->base, sock);
	}
}

int mp_uv_open_listener(const struct mp_addr *addr, struct mp_addr *bound)
{
	struct sockaddr_storage at;
	socklen_t len = mp_uv_to_sockaddr(addr, &at);
	int fd = mp_descriptor_raise(socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	if (fd < 0)
		return -1;
	int on = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0 ||
	    !mp_uv_from_sockaddr((struct sockaddr *)&at, bound)) {
		close(fd);
		return -1;
	}
	return fd;
}

// The path stays: the parent listens there.
static void leave(struct mp_uv_held *held)
{
	struct uv_listener *self = MP_CONTAINER_OF(held, struct uv_listener, held);
	uv_close((uv_handle_t *)&self->poll, NULL);
	close(self->fd);
}

static bool begin(struct mp_loop *loop, struct uv_listener *self)
{
	self->base.loop = loop;
	if (self->fd < 0 || uv_poll_init(mp_loop_uv_of(loop)->uv, &self->poll, self->fd) != 0)
		return false;
	uv_unref((uv_handle_t *)&self->poll);
	self->poll.data = self;
	mp_timer_init(&self->rest, loop, accept_again, self);
	mp_uv_hold(loop, &self->held, leave);
	accept_again(self);
	return true;
}

struct mp_listener *mp_uv_listen(struct mp_loop *loop, const struct mp_addr *addr, int *err)
{
	struct uv_listener *self = mp_calloc(1, sizeof(*self));
	if (self == NULL) {
		*err = MP_ENOMEM;
		return NULL;
	}
	self->fd = mp_uv_open_listener(addr, &self->base.addr);
	if (!begin(loop, self)) {
		if (self->fd >= 0)
			close(self->fd);
		mp_free(self);
		*err = MP_ELOCAL;
		return NULL;
	}
	return &self->base;
}

struct mp_listener *mp_uv_listen_local(struct mp_loop *loop, const char *path, int *err)
{
	struct uv_listener *self = mp_calloc(1, sizeof(*self));
	char *copy = mp_strdup(path);
	*err = MP_ENOMEM;
	int fd = self != NULL && copy != NULL ? mp_uv_local_listen(path, err) : -1;
	if (fd >= 0) {
		self->fd = fd;
		self->path = copy;
		mp_uv_local_mark(path, &self->device, &self->inode);
		if (begin(loop, self))
			return &self->base;
		*err = MP_ELOCAL;
		close(fd);
		mp_uv_local_remove(path, self->device, self->inode);
	}
	mp_free(self);
	mp_free(copy);
	return NULL;
}

static void on_poll_closed(uv_handle_t *handle)
{
	mp_free(handle->data);
}

void mp_uv_unlisten(struct mp_listener *listener)
{
	struct uv_listener *self = MP_CONTAINER_OF(listener, struct uv_listener, base);
	mp_uv_drop(listener->loop, &self->held);
	mp_timer_stop(&self->rest);
	uv_poll_stop(&self->poll);
	uv_close((uv_handle_t *)&self->poll, on_poll_closed);
	if (self->path != NULL)
		mp_uv_local_remove(self->path, self->device, self->inode);
	mp_free(self->path);
	self->path = NULL;
	close(self->fd);
}
