// SPDX-License-Identifier: Apache-2.0
// The public functions of loop.h: what both bodies share is done here (contract checks, holds, census,
// tasks), the rest goes to the body's table of operations. Timers are in timers.c.
#include "base/mem.h"
#include "loop/loop_internal.h"

#include <string.h>

#include "base/err.h"
#include "base/fork.h"

#define HOST_NAME_MAX_LEN 253
#define SPANS_MAX         16

// ---- life -------------------------------------------------------------------------------------------------

// Whoever may touch descriptors: in a child of fork() nobody.
static const struct mp_loop_ops *body(const struct mp_loop *loop)
{
	return MP_LIKELY(!mp_loop_is_forked(loop)) ? loop->ops : &mp_loop_forked_ops;
}

void mp_loop_init(struct mp_loop *loop, const struct mp_loop_ops *ops, uint64_t seed)
{
	mp_fork_watch();
	*loop = (struct mp_loop){.ops = ops, .process = mp_fork_generation()};
	mp_rand_seed(&loop->rand, seed);
	mp_log_init(&loop->log);
	mp_timer_heap_init(&loop->timers);
	mp_list_init(&loop->busy_polls);
	mp_list_init(&loop->gathered);
	for (int phase = 0; phase < MP_PHASE_COUNT; phase++)
		mp_list_init(&loop->tasks[phase]);
}

void mp_loop_deinit(struct mp_loop *loop)
{
	mp_timer_heap_deinit(&loop->timers);
}

void mp_loop_free(struct mp_loop *loop)
{
	if (loop == NULL)
		return;
	if (mp_loop_is_forked(loop)) {
		mp_loop_leave(loop);
		return;
	}
	mp_assert(!loop->running);
	mp_assert(loop->open.sockets == 0);
	mp_assert(loop->open.listeners == 0);
	mp_assert(loop->open.resolves == 0);
	mp_assert(loop->open.watches == 0);
	loop->ops->free(loop);
}

static bool begin(struct mp_loop *loop)
{
	if (mp_loop_is_forked(loop))
		return false;
	mp_assert(!loop->running);
	loop->running = true;
	loop->stopping = false;
	return true;
}

void mp_loop_run(struct mp_loop *loop)
{
	if (!begin(loop))
		return;
	loop->ops->run(loop);
	loop->running = false;
}

bool mp_loop_turn(struct mp_loop *loop, int wait_ms)
{
	if (!begin(loop))
		return false;
	bool ran = loop->ops->turn(loop, wait_ms);
	loop->running = false;
	return ran;
}

void mp_loop_stop(struct mp_loop *loop)
{
	loop->stopping = true;
}

void mp_loop_flush(struct mp_loop *loop)
{
	if (mp_loop_is_forked(loop))
		return;
	bool outside = !loop->stamped;
	mp_loop_stamp(loop);
	mp_loop_run_tasks(loop);
	if (outside)
		mp_loop_unstamp(loop);
}

void mp_loop_hold(struct mp_loop *loop)
{
	if (loop->holds++ == 0)
		loop->ops->keep(loop, true);
	if (MP_UNLIKELY(loop->touched != NULL))
		mp_loop_touch(loop);
}

void mp_loop_release(struct mp_loop *loop)
{
	mp_assert(loop->holds > 0);
	if (--loop->holds == 0)
		loop->ops->keep(loop, false);
	if (MP_UNLIKELY(loop->touched != NULL))
		mp_loop_touch(loop);
}

struct mp_rand *mp_loop_rand(struct mp_loop *loop)
{
	return &loop->rand;
}

struct mp_log *mp_loop_log(struct mp_loop *loop)
{
	return &loop->log;
}

struct mp_beat *mp_loop_beat(struct mp_loop *loop)
{
	return &loop->beat;
}

void mp_loop_census(struct mp_loop *loop, struct mp_loop_census *out)
{
	*out = loop->open;
	out->timers = loop->timers.count;
	out->tasks = 0;
	for (int phase = 0; phase < MP_PHASE_COUNT; phase++)
		out->tasks += loop->tasks[phase].count;
}

// ---- time -------------------------------------------------------------------------------------------------

void mp_loop_stamp(struct mp_loop *loop)
{
	if (loop->stamped)
		return;
	loop->now_ns = loop->ops->clock_ns(loop);
	loop->stamped = true;
}

void mp_loop_unstamp(struct mp_loop *loop)
{
	loop->stamped = false;
}

bool mp_loop_enter_moment(struct mp_loop *loop)
{
	if (loop->stamped || loop->momentary)
		return false;
	loop->moment_ns = loop->ops->clock_ns(loop);
	loop->momentary = true;
	return true;
}

void mp_loop_leave_moment(struct mp_loop *loop, bool entered)
{
	if (entered)
		loop->momentary = false;
}

uint64_t mp_loop_now_ns(struct mp_loop *loop)
{
	if (loop->stamped)
		return loop->now_ns;
	return loop->momentary ? loop->moment_ns : loop->ops->clock_ns(loop);
}

uint64_t mp_loop_now_ms(struct mp_loop *loop)
{
	return mp_loop_now_ns(loop) / 1000000u;
}

uint64_t mp_loop_clock_ns(struct mp_loop *loop)
{
	return loop->ops->clock_ns(loop);
}

uint64_t mp_loop_wall_us(struct mp_loop *loop)
{
	return loop->ops->wall_us(loop);
}

int64_t mp_loop_wall_ms_of(struct mp_loop *loop, uint64_t loop_ms)
{
	return (int64_t)(mp_loop_wall_us(loop) / 1000) - (int64_t)(mp_loop_now_ms(loop) - loop_ms);
}

// ---- byte streams -----------------------------------------------------------------------------------------

static struct mp_sock *opened(struct mp_loop *loop, struct mp_sock *sock, const struct mp_sock_events *events,
                              void *data)
{
	if (sock == NULL)
		return NULL;
	sock->events = events;
	sock->data = data;
	sock->reading = true;
	mp_list_node_init(&sock->gathered);
	loop->open.sockets++;
	mp_loop_hold(loop);
	return sock;
}

struct mp_sock *mp_loop_connect(struct mp_loop *loop, const struct mp_addr *addr,
                                const struct mp_sock_options *options, const struct mp_sock_events *events,
                                void *data, int *err)
{
	mp_assert(events != NULL);
	if (addr->port == 0 || (addr->ip_len != 4 && addr->ip_len != 16)) {
		*err = MP_EINVAL;
		return NULL;
	}
	return opened(loop, body(loop)->connect(loop, addr, options, err), events, data);
}

struct mp_sock *mp_loop_connect_local(struct mp_loop *loop, const char *path,
                                      const struct mp_sock_events *events, void *data, int *err)
{
	mp_assert(events != NULL);
	if (body(loop)->connect_local == NULL) {
		*err = MP_EUNSUPPORTED;
		return NULL;
	}
	struct mp_sock *sock = opened(loop, body(loop)->connect_local(loop, path, err), events, data);
	if (sock != NULL)
		body(loop)->read_changed(sock);
	return sock;
}

struct mp_sock *mp_loop_spawn(struct mp_loop *loop, const char *const argv[],
                              const struct mp_sock_events *events, void *data, int32_t *pid, int *err)
{
	mp_assert(events != NULL && argv[0] != NULL);
	if (body(loop)->spawn == NULL) {
		*err = MP_EUNSUPPORTED;
		return NULL;
	}
	struct mp_sock *sock = opened(loop, body(loop)->spawn(loop, argv, pid, err), events, data);
	if (sock != NULL)
		body(loop)->read_changed(sock);
	return sock;
}

ptrdiff_t mp_sock_writev(struct mp_sock *sock, const struct mp_span *spans, size_t count)
{
	mp_assert(!sock->closed && count <= SPANS_MAX);
	return body(sock->loop)->writev(sock, spans, count);
}

size_t mp_sock_unconfirmed(struct mp_sock *sock)
{
	mp_assert(!sock->closed);
	return body(sock->loop)->unconfirmed(sock);
}

void mp_sock_read_stop(struct mp_sock *sock)
{
	mp_assert(!sock->closed);
	if (!sock->reading)
		return;
	sock->reading = false;
	body(sock->loop)->read_changed(sock);
}

void mp_sock_read_start(struct mp_sock *sock)
{
	mp_assert(!sock->closed);
	if (sock->reading)
		return;
	sock->reading = true;
	body(sock->loop)->read_changed(sock);
}

void mp_sock_close(struct mp_sock *sock, bool reset)
{
	mp_assert(!sock->closed);
	struct mp_loop *loop = sock->loop;
	sock->closed = true;
	if (mp_list_node_linked(&sock->gathered))
		mp_list_remove(&loop->gathered, &sock->gathered);
	loop->open.sockets--;
	body(loop)->close(sock, reset);
	mp_loop_release(loop);
}

void mp_sock_shutdown(struct mp_sock *sock)
{
	mp_assert(!sock->closed);
	body(sock->loop)->shutdown(sock);
}

bool mp_sock_is_abandoned(struct mp_sock *sock)
{
	return sock->loop->ops->is_abandoned != NULL && sock->loop->ops->is_abandoned(sock);
}

static struct mp_listener *listens(struct mp_loop *loop, struct mp_listener *listener,
                                   void (*on_accept)(void *data, struct mp_sock *sock), void *data)
{
	if (listener == NULL)
		return NULL;
	listener->on_accept = on_accept;
	listener->data = data;
	loop->open.listeners++;
	mp_loop_hold(loop);
	return listener;
}

struct mp_listener *mp_loop_listen(struct mp_loop *loop, const struct mp_addr *addr,
                                   void (*on_accept)(void *data, struct mp_sock *sock), void *data, int *err)
{
	mp_assert(on_accept != NULL);
	if (addr->ip_len != 4 && addr->ip_len != 16) {
		*err = MP_EINVAL;
		return NULL;
	}
	return listens(loop, body(loop)->listen(loop, addr, err), on_accept, data);
}

struct mp_listener *mp_loop_listen_local(struct mp_loop *loop, const char *path,
                                         void (*on_accept)(void *data, struct mp_sock *sock), void *data,
                                         int *err)
{
	mp_assert(on_accept != NULL);
	if (body(loop)->listen_local == NULL) {
		*err = MP_EUNSUPPORTED;
		return NULL;
	}
	return listens(loop, body(loop)->listen_local(loop, path, err), on_accept, data);
}

struct mp_addr mp_listener_addr(const struct mp_listener *listener)
{
	return listener->addr;
}

void mp_listener_close(struct mp_listener *listener)
{
	mp_assert(!listener->closed);
	struct mp_loop *loop = listener->loop;
	listener->closed = true;
	loop->open.listeners--;
	body(loop)->unlisten(listener);
	mp_loop_release(loop);
}

void mp_loop_accepted(struct mp_listener *listener, struct mp_sock *sock)
{
	struct mp_loop *loop = listener->loop;
	mp_list_node_init(&sock->gathered);
	loop->open.sockets++;
	loop->ran = true;
	mp_loop_hold(loop);
	listener->on_accept(listener->data, sock);
	mp_assert(sock->closed || sock->events != NULL);
}

void mp_sock_adopt(struct mp_sock *sock, const struct mp_sock_events *events, void *data)
{
	mp_assert(!sock->closed && sock->events == NULL && events != NULL);
	sock->events = events;
	sock->data = data;
	sock->reading = true;
	body(sock->loop)->read_changed(sock);
}

// ---- libraries with sockets of their own ------------------------------------------------------------------

struct mp_poll *mp_loop_poll(struct mp_loop *loop, int fd, void (*on_ready)(void *data), void *data, int *err)
{
	mp_assert(on_ready != NULL);
	*err = MP_EUNSUPPORTED;
	struct mp_poll *poll = body(loop)->poll != NULL ? body(loop)->poll(loop, fd, err) : NULL;
	if (poll == NULL)
		return NULL;
	poll->on_ready = on_ready;
	poll->data = data;
	loop->open.watches++;
	return poll;
}

void mp_poll_close(struct mp_poll *poll)
{
	struct mp_loop *loop = poll->loop;
	loop->open.watches--;
	if (body(loop)->unpoll != NULL)
		body(loop)->unpoll(poll);
}

int mp_loop_claim(struct mp_loop *loop, const struct mp_addr *addr, const char *path, struct mp_claim *claim)
{
	*claim = (struct mp_claim){.fd = -1};
	if (body(loop)->claim == NULL)
		return MP_EUNSUPPORTED;
	if (path != NULL && (claim->path = mp_strdup(path)) == NULL)
		return MP_ENOMEM;
	int rc = body(loop)->claim(loop, addr, claim);
	if (rc != 0) {
		mp_free(claim->path);
		*claim = (struct mp_claim){.fd = -1};
	}
	return rc;
}

void mp_claim_release(struct mp_loop *loop, struct mp_claim *claim)
{
	if (claim->fd >= 0 && body(loop)->unclaim != NULL)
		body(loop)->unclaim(claim);
	mp_free(claim->path);
	*claim = (struct mp_claim){.fd = -1};
}

// ---- names ------------------------------------------------------------------------------------------------

struct mp_resolve *mp_loop_resolve(struct mp_loop *loop, const char *host, uint16_t port,
                                   void (*on_done)(void *data, int rc, const struct mp_addr *addrs,
                                                   size_t count),
                                   void *data, int *err)
{
	mp_assert(on_done != NULL);
	size_t len = strnlen(host, HOST_NAME_MAX_LEN + 1);
	if (len == 0 || len > HOST_NAME_MAX_LEN) {
		*err = MP_EINVAL;
		return NULL;
	}
	struct mp_resolve *resolve = body(loop)->resolve(loop, host, port, err);
	if (resolve == NULL)
		return NULL;
	resolve->on_done = on_done;
	resolve->data = data;
	loop->open.resolves++;
	mp_loop_hold(loop);
	return resolve;
}

void mp_resolve_cancel(struct mp_resolve *resolve)
{
	struct mp_loop *loop = resolve->loop;
	loop->open.resolves--;
	body(loop)->cancel(resolve);
	mp_loop_release(loop);
}

void mp_loop_resolved(struct mp_resolve *resolve, int rc, const struct mp_addr *addrs, size_t count)
{
	struct mp_loop *loop = resolve->loop;
	loop->open.resolves--;
	loop->ran = true;
	mp_loop_release(loop);
	resolve->on_done(resolve->data, rc, addrs, count);
}

void mp_loop_add_addr(struct mp_addr *addrs, size_t *count, const struct mp_addr *addr)
{
	if (*count == MP_RESOLVE_MAX)
		return;
	for (size_t i = 0; i < *count; i++) {
		if (mp_addr_eq(&addrs[i], addr))
			return;
	}
	addrs[(*count)++] = *addr;
}

// ---- files that change ------------------------------------------------------------------------------------

struct mp_watch *mp_loop_watch(struct mp_loop *loop, const char *path, void (*on_change)(void *data),
                               void *data, int *err)
{
	mp_assert(on_change != NULL);
	struct mp_watch *watch = body(loop)->watch(loop, path, err);
	if (watch == NULL)
		return NULL;
	watch->on_change = on_change;
	watch->data = data;
	loop->open.watches++;
	mp_loop_hold(loop);
	return watch;
}

void mp_watch_close(struct mp_watch *watch)
{
	mp_assert(!watch->closed);
	struct mp_loop *loop = watch->loop;
	watch->closed = true;
	loop->open.watches--;
	body(loop)->unwatch(watch);
	mp_loop_release(loop);
}
