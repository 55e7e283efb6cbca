// SPDX-License-Identifier: Apache-2.0
// Private to loop_uv*.c: the libuv body's structs. Every uv handle is embedded in a struct of ours that is
// freed by the handle's close callback and never earlier; a cancelled lookup is freed by its request's
// callback.
#pragma once

#ifndef MP_CDEF
#include <uv.h>

#include "loop/loop_internal.h"

#define MP_UV_READ_BYTES (256u * 1024)

// A handle with a descriptor of ours, so that a child of fork() can give its copy back.
struct mp_uv_held {
	struct mp_list_node node;
	void (*leave)(struct mp_uv_held *held); // closes, and touches nothing else of the world
};

struct mp_uv_ring;

struct mp_loop_uv {
	struct mp_loop base;
	uv_loop_t *uv;
	bool own;              // `uv` is `own_uv` and we run it
	unsigned handles_open; // of the four below
	uv_prepare_t prepare;  // referenced while the loop has holds; everything else never is
	uv_check_t check;
	uv_idle_t idle;          // active while tasks are left: the poll must not block
	uv_timer_t timer;        // wakes the poll for the nearest deadline; timers fire in `check`
	uint64_t armed_ns;       // what `timer` is set to, UINT64_MAX: not active
	uint64_t turn_limit_ns;  // mp_loop_turn waits until here at most
	unsigned grace;          // turns in a row in which late timers waited for sockets
	bool has_read;           // a socket gave bytes in this turn
	bool may_not_sleep;      // this turn: its caller does not wait
	uint8_t *read_buf;       // MP_UV_READ_BYTES
	struct mp_list held;     // sockets, listeners, watches that are open
	struct mp_uv_ring *ring; // by which many sockets write together; NULL: not needed yet, or refused
	bool ring_refused;
	uint32_t epoll_of; // the process (mp_fork_generation) that the epoll of `uv` belongs to
	bool left;         // by a child of fork()
	uv_loop_t own_uv;
};

static inline struct mp_loop_uv *mp_loop_uv_of(struct mp_loop *loop)
{
	return MP_CONTAINER_OF(loop, struct mp_loop_uv, base);
}

// loop_uv.c
void mp_uv_hold(struct mp_loop *loop, struct mp_uv_held *held, void (*leave)(struct mp_uv_held *held));
void mp_uv_drop(struct mp_loop *loop, struct mp_uv_held *held);

// loop_uv_sock.c
struct mp_sock *mp_uv_connect(struct mp_loop *loop, const struct mp_addr *addr,
                              const struct mp_sock_options *options, int *err);
struct mp_sock *mp_uv_connect_local(struct mp_loop *loop, const char *path, int *err);
struct mp_sock *mp_uv_sock_accepted(struct mp_loop *loop, int fd); // NULL: out of memory, fd closed
ptrdiff_t mp_uv_writev(struct mp_sock *sock, const struct mp_span *spans, size_t count);
size_t mp_uv_unconfirmed(struct mp_sock *sock);
void mp_uv_read_changed(struct mp_sock *sock);
void mp_uv_write_all(struct mp_loop *loop, struct mp_write *writes, size_t count);
void mp_uv_close(struct mp_sock *sock, bool reset);
void mp_uv_shutdown(struct mp_sock *sock);
bool mp_uv_is_abandoned(struct mp_sock *sock);

// loop_uv_ring.c: sends by one system call
struct mp_uv_send {
	int fd;
	const void *data;
	size_t len;
	ptrdiff_t rc; // how many bytes the kernel took, or minus its error
};

// NULL and a text: this build or the kernel has none.
struct mp_uv_ring *mp_uv_ring_new(const char **why) MP_MUST_CHECK;
void mp_uv_ring_free(struct mp_uv_ring *ring); // NULL does nothing
// How many of the `count` <= MP_GATHER_MAX, from the first on, the kernel was given: their `rc` is set, and of the
// others nothing has left. After fewer than all only mp_uv_ring_free() is allowed.
size_t mp_uv_ring_send(struct mp_uv_ring *ring, struct mp_uv_send *sends, size_t count) MP_MUST_CHECK;
bool mp_uv_can_gather(struct mp_loop *loop, size_t count); // many enough, and there is a ring, now

// loop_uv_listen.c
struct mp_listener *mp_uv_listen(struct mp_loop *loop, const struct mp_addr *addr, int *err);
struct mp_listener *mp_uv_listen_local(struct mp_loop *loop, const char *path, int *err);
void mp_uv_unlisten(struct mp_listener *listener);
int mp_uv_open_listener(const struct mp_addr *addr, struct mp_addr *bound); // -1 and errno
bool mp_uv_errno_is_local(int code); // this machine's fault: descriptors, ports, memory
socklen_t mp_uv_to_sockaddr(const struct mp_addr *addr, struct sockaddr_storage *out);
bool mp_uv_from_sockaddr(const struct sockaddr *from, struct mp_addr *out);

// loop_uv_local.c: descriptors, or -1 with *err
int mp_uv_local_listen(const char *path, int *err);
int mp_uv_local_connect(const char *path, int *err);
bool mp_uv_local_is_ours(int fd, uint32_t *user); // is its other end a process of this user, or of root?
void mp_uv_local_mark(const char *path, uint64_t *device, uint64_t *inode); // which file is there now
void mp_uv_local_remove(const char *path, uint64_t device, uint64_t inode); // if it is still that one

// loop_uv_poll.c
struct mp_poll *mp_uv_poll(struct mp_loop *loop, int fd, int *err);
void mp_uv_unpoll(struct mp_poll *poll);
int mp_uv_claim(struct mp_loop *loop, const struct mp_addr *addr, struct mp_claim *claim);
void mp_uv_unclaim(struct mp_claim *claim);

// loop_uv_process.c
struct mp_sock *mp_uv_spawn(struct mp_loop *loop, const char *const argv[], int32_t *pid, int *err);

// loop_uv_name.c
struct mp_resolve *mp_uv_resolve(struct mp_loop *loop, const char *host, uint16_t port, int *err);
void mp_uv_cancel(struct mp_resolve *resolve);

// loop_uv_file.c
struct mp_watch *mp_uv_watch(struct mp_loop *loop, const char *path, int *err);
void mp_uv_unwatch(struct mp_watch *watch);
#endif
