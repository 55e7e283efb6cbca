// SPDX-License-Identifier: Apache-2.0
// Byte streams of the libuv body: our own non-blocking descriptors, watched by uv_poll_t. libuv's streams are
// not used because nobody could say then how many bytes of a lost connection the kernel had taken.
//
//	connecting --writable, no error--> open --end of input--> open, ended      mp_uv_close() from each of them
//
// What is watched follows from the flags: WRITABLE while connecting or after a short write, READABLE while
// open, not ended and wanted. The struct lives until the close callback of its handle, so callbacks may close
// their own socket.
#include "loop/loop_uv.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/err.h"
#include "base/mem.h"

#define READS_PER_TURN 4 // of MP_UV_READ_BYTES each: one hot socket cannot starve the others
#define SPANS_MAX      16

struct uv_sock {
	struct mp_sock base;
	int fd;
	int armed; // what libuv watches now
	bool connecting;
	bool ended;      // on_end was called
	bool want_write; // the last write was short
	uv_poll_t poll;
	struct mp_uv_held held;
};

static struct uv_sock *uv_sock_of(struct mp_sock *sock)
{
	return MP_CONTAINER_OF(sock, struct uv_sock, base);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void arm(struct uv_sock *self)
{
	int want = 0;
	if (self->connecting || self->want_write)
		want |= UV_WRITABLE;
	if (!self->connecting && !self->ended && self->base.reading)
		want |= UV_READABLE;
	if (want == self->armed)
		return;
	self->armed = want;
	int rc = want == 0 ? uv_poll_stop(&self->poll) : uv_poll_start(&self->poll, want, on_poll);
	mp_assert(rc == 0);
}

static void on_poll_closed(uv_handle_t *handle)
{
	mp_free(handle->data);
}

void mp_uv_close(struct mp_sock *sock, bool reset)
{
	struct uv_sock *self = uv_sock_of(sock);
	mp_uv_drop(sock->loop, &self->held);
	uv_poll_stop(&self->poll);
	if (reset) {
		struct linger linger = {.l_onoff = 1, .l_linger = 0};
		(void)setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	uv_close((uv_handle_t *)&self->poll, on_poll_closed);
	close(self->fd);
	self->fd = -1;
}

// The connection is the parent's: neither an end nor a reset may be sent.
static void leave(struct mp_uv_held *held)
{
	struct uv_sock *self = MP_CONTAINER_OF(held, struct uv_sock, held);
	uv_close((uv_handle_t *)&self->poll, NULL);
	close(self->fd);
	self->fd = -1;
}

// Takes over `fd`, also when it fails.
static struct uv_sock *sock_new(struct mp_loop *loop, int fd)
{
	struct mp_loop_uv *body = mp_loop_uv_of(loop);
	struct uv_sock *self = mp_calloc(1, sizeof(*self));
	if (self == NULL || uv_poll_init(body->uv, &self->poll, fd) != 0) {
		mp_free(self);
		close(fd);
		return NULL;
	}
	uv_unref((uv_handle_t *)&self->poll);
	self->poll.data = self;
	self->base.loop = loop;
	self->fd = fd;
	mp_uv_hold(loop, &self->held, leave);
	return self;
}

static void set_flag(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

struct mp_sock *mp_uv_sock_accepted(struct mp_loop *loop, int fd)
{
	struct uv_sock *self = sock_new(loop, fd);
	if (self == NULL)
		return NULL;
	set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return &self->base;
}

static int connect_error(int code)
{
	if (code == ECONNREFUSED)
		return MP_EREFUSED;
	// A TCP connect says EAGAIN when it finds no free port.
	if (mp_uv_errno_is_local(code) || code == EAGAIN)
		return MP_ELOCAL;
	return MP_ECONNECT;
}

struct mp_sock *mp_uv_connect(struct mp_loop *loop, const struct mp_addr *addr,
                              const struct mp_sock_options *options, int *err)
{
	struct sockaddr_storage to;
	socklen_t to_len = mp_uv_to_sockaddr(addr, &to);
	int fd = mp_descriptor_raise(socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	if (fd < 0) {
		*err = connect_error(errno);
		return NULL;
	}
	if (options != NULL && options->no_delay)
		set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (options != NULL && options->keep_alive)
		set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (options != NULL && options->user_timeout_ms > 0)
		set_flag(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
		         options->user_timeout_ms > INT32_MAX ? INT32_MAX : (int)options->user_timeout_ms);
	// An interrupted connect goes on by itself.
	if (connect(fd, (struct sockaddr *)&to, to_len) != 0 && errno != EINPROGRESS && errno != EINTR) {
		*err = connect_error(errno);
		close(fd);
		return NULL;
	}
	struct uv_sock *self = sock_new(loop, fd);
	if (self == NULL) {
		*err = MP_ELOCAL;
		return NULL;
	}
	self->connecting = true;
	arm(self);
	return &self->base;
}

struct mp_sock *mp_uv_connect_local(struct mp_loop *loop, const char *path, int *err)
{
	int fd = mp_uv_local_connect(path, err);
	struct uv_sock *self = fd >= 0 ? sock_new(loop, fd) : NULL;
	if (fd >= 0 && self == NULL)
		*err = MP_ELOCAL;
	return self != NULL ? &self->base : NULL;
}

static void finish_connect(struct uv_sock *self)
{
	int code = 0;
	socklen_t len = sizeof(code);
	if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0)
		code = errno;
	// Without a peer and without an error it is not over: an event of before.
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	if (code == 0 && getpeername(self->fd, (struct sockaddr *)&peer, &peer_len) != 0) {
		arm(self);
		return;
	}
	self->connecting = false;
	if (code != 0)
		self->ended = true;
	self->base.events->on_connect(self->base.data, code == 0 ? 0 : connect_error(code));
}

static void end_input(struct uv_sock *self, int rc)
{
	self->ended = true;
	self->base.events->on_end(self->base.data, rc);
}

// Give what has come upwards. A connection that failed is read to its end at once: nothing more can come, and
// libuv does not watch it any more.
static void read_some(struct uv_sock *self, bool failed)
{
	struct mp_loop_uv *body = mp_loop_uv_of(self->base.loop);
	for (int i = 0; i < READS_PER_TURN || failed; i++) {
		ssize_t got = recv(self->fd, body->read_buf, MP_UV_READ_BYTES, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS && errno != ENOMEM)
				end_input(self, MP_ELOST);
			return;
		}
		if (got == 0) {
			end_input(self, MP_EEOF);
			return;
		}
		body->has_read = true;
		self->base.events->on_read(self->base.data, body->read_buf, (size_t)got);
		if (self->base.closed || !self->base.reading)
			return;
		if ((size_t)got < MP_UV_READ_BYTES && !failed)
			return;
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct uv_sock *self = poll->data;
	struct mp_loop *loop = self->base.loop;
	bool failed = status < 0;
	if (mp_loop_is_forked(loop))
		return;
	if (failed) {
		// The socket has an error; libuv has stopped the handle. Reading and writing will tell which.
		uv_poll_stop(poll);
		self->armed = 0;
		events = UV_READABLE | UV_WRITABLE;
	}
	mp_loop_stamp(loop);
	loop->ran = true;
	if (self->connecting) {
		finish_connect(self);
	} else {
		if ((events & UV_READABLE) != 0 && self->base.reading && !self->ended)
			read_some(self, failed);
		if (!self->base.closed && (events & UV_WRITABLE) != 0 && self->want_write) {
			self->want_write = false;
			if (self->base.events->on_writable != NULL)
				self->base.events->on_writable(self->base.data);
		}
	}
	if (!self->base.closed)
		arm(self);
}

// What writing came to: how many of the `offered` bytes the kernel took, or minus its error.
static ptrdiff_t settle(struct uv_sock *self, ptrdiff_t rc, size_t offered)
{
	if (rc == -EAGAIN || rc == -EWOULDBLOCK || rc == -ENOBUFS || rc == -ENOMEM || rc == -EINTR)
		rc = 0;
	if (rc < 0)
		return MP_ELOST;
	if ((size_t)rc < offered) {
		self->want_write = true;
		arm(self);
	}
	return rc;
}

// For less than what sendmsg() costs.
static ptrdiff_t send_one(int fd, const void *data, size_t len)
{
	ssize_t took;
	do {
		took = len > 0 ? send(fd, data, len, MSG_NOSIGNAL) : 0;
	} while (took < 0 && errno == EINTR);
	return took < 0 ? -errno : took;
}

ptrdiff_t mp_uv_writev(struct mp_sock *sock, const struct mp_span *spans, size_t count)
{
	struct uv_sock *self = uv_sock_of(sock);
	mp_assert(!self->connecting);
	if (MP_LIKELY(count == 1))
		return settle(self, send_one(self->fd, spans[0].data, spans[0].len), spans[0].len);
	struct iovec parts[SPANS_MAX];
	size_t offered = 0;
	for (size_t i = 0; i < count; i++) {
		union {
			const void *given;
			void *base;
		} data = {.given = spans[i].data};
		parts[i] = (struct iovec){.iov_base = data.base, .iov_len = spans[i].len};
		offered += spans[i].len;
	}
	if (offered == 0)
		return 0;
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t took;
	do {
		took = sendmsg(self->fd, &message, MSG_NOSIGNAL);
	} while (took < 0 && errno == EINTR);
	return settle(self, took < 0 ? -errno : took, offered);
}

// What a ring that fails was not given leaves one by one; of the rest the kernel has told.
static void send_all(struct mp_loop_uv *body, struct mp_uv_send *sends, size_t count)
{
	size_t given = mp_uv_ring_send(body->ring, sends, count);
	if (MP_LIKELY(given == count))
		return;
	mp_uv_ring_free(body->ring);
	body->ring = NULL;
	body->ring_refused = true;
	for (; given < count; given++)
		sends[given].rc = send_one(sends[given].fd, sends[given].data, sends[given].len);
}

void mp_uv_write_all(struct mp_loop *loop, struct mp_write *writes, size_t count)
{
	struct mp_loop_uv *body = mp_loop_uv_of(loop);
	struct mp_uv_send sends[MP_GATHER_MAX];
	for (size_t i = 0; i < count; i++) {
		struct mp_span span = writes[i].span;
		sends[i] = (struct mp_uv_send){uv_sock_of(writes[i].sock)->fd, span.data, span.len, 0};
	}
	send_all(body, sends, count);
	for (size_t i = 0; i < count; i++)
		writes[i].took = settle(uv_sock_of(writes[i].sock), sends[i].rc, sends[i].len);
}

size_t mp_uv_unconfirmed(struct mp_sock *sock)
{
	int waiting = 0;
	bool known = ioctl(uv_sock_of(sock)->fd, SIOCOUTQ, &waiting) == 0 && waiting > 0;
	return known ? (size_t)waiting : 0;
}

void mp_uv_read_changed(struct mp_sock *sock)
{
	arm(uv_sock_of(sock));
}

bool mp_uv_is_abandoned(struct mp_sock *sock)
{
	struct pollfd at = {.fd = uv_sock_of(sock)->fd};
	return poll(&at, 1, 0) == 1 && (at.revents & (POLLHUP | POLLERR)) != 0;
}

void mp_uv_shutdown(struct mp_sock *sock)
{
	struct uv_sock *self = uv_sock_of(sock);
	mp_assert(!self->connecting);
	self->want_write = false;
	// A connection that is lost already says so to its reader.
	(void)shutdown(self->fd, SHUT_WR);
	arm(self);
}
