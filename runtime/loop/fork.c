// SPDX-License-Identifier: Apache-2.0
// A loop in a child of fork(). Its sockets, its epoll and its watches are the parent's, too: what is read here is lost
// there, and what is taken off the epoll here is no longer reported there. So this body does nothing, and what is open
// counts as closed as soon as somebody says so.
#include "base/fork.h"
#include "base/err.h"
#include "loop/loop_internal.h"

bool mp_loop_is_forked(const struct mp_loop *loop)
{
	return MP_UNLIKELY(loop->process != mp_fork_generation());
}

bool mp_loop_is_running(const struct mp_loop *loop)
{
	return loop->running;
}

void mp_loop_leave(struct mp_loop *loop)
{
	// What points to the loop is not freed either; all of it stays within the reach of whoever looks for leaks.
	static struct mp_loop *left;
	// While libuv runs it, on the stack of whoever forked, only the memory is there.
	if (loop->ops->leave != NULL && !loop->running)
		loop->ops->leave(loop);
	loop->next_left = left;
	left = loop;
}

static struct mp_sock *connect_none(struct mp_loop *loop, const struct mp_addr *addr,
                                    const struct mp_sock_options *options, int *err)
{
	(void)loop, (void)addr, (void)options;
	*err = MP_EFORKED;
	return NULL;
}

static struct mp_sock *connect_local_none(struct mp_loop *loop, const char *path, int *err)
{
	(void)loop, (void)path;
	*err = MP_EFORKED;
	return NULL;
}

static struct mp_listener *listen_none(struct mp_loop *loop, const struct mp_addr *addr, int *err)
{
	(void)loop, (void)addr;
	*err = MP_EFORKED;
	return NULL;
}

static struct mp_listener *listen_local_none(struct mp_loop *loop, const char *path, int *err)
{
	(void)loop, (void)path;
	*err = MP_EFORKED;
	return NULL;
}

static struct mp_sock *spawn_none(struct mp_loop *loop, const char *const argv[], int32_t *pid, int *err)
{
	(void)loop, (void)argv, (void)pid;
	*err = MP_EFORKED;
	return NULL;
}

static struct mp_resolve *resolve_none(struct mp_loop *loop, const char *host, uint16_t port, int *err)
{
	(void)loop, (void)host, (void)port;
	*err = MP_EFORKED;
	return NULL;
}

static struct mp_watch *watch_none(struct mp_loop *loop, const char *path, int *err)
{
	(void)loop, (void)path;
	*err = MP_EFORKED;
	return NULL;
}

static ptrdiff_t write_none(struct mp_sock *sock, const struct mp_span *spans, size_t count)
{
	(void)sock, (void)spans, (void)count;
	return MP_ELOST;
}

static void close_none(struct mp_sock *sock, bool reset)
{
	(void)sock, (void)reset;
}

static void leave_sock(struct mp_sock *sock)
{
	(void)sock;
}

static void leave_listener(struct mp_listener *listener)
{
	(void)listener;
}

static void leave_resolve(struct mp_resolve *resolve)
{
	(void)resolve;
}

static void leave_watch(struct mp_watch *watch)
{
	(void)watch;
}

const struct mp_loop_ops mp_loop_forked_ops = {
	.connect = connect_none,
	.writev = write_none,
	.read_changed = leave_sock,
	.close = close_none,
	.shutdown = leave_sock,
	.listen = listen_none,
	.unlisten = leave_listener,
	.listen_local = listen_local_none,
	.connect_local = connect_local_none,
	.spawn = spawn_none,
	.resolve = resolve_none,
	.cancel = leave_resolve,
	.watch = watch_none,
	.unwatch = leave_watch,
};
