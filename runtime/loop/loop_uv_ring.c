// SPDX-License-Identifier: Apache-2.0
// Sends of many sockets by one io_uring_enter(2).
//
// Exactness: the replay gate must know how many bytes of an envelope the kernel took. A send with MSG_DONTWAIT never
// waits inside the ring: where it would have to, it ends with -EAGAIN. So all have ended, each with its count, when the
// one call returns; and what the call did not consume was not begun. A kernel that does not take all that it is given
// is not asked again.
#include "loop/loop_uv.h"

#define GATHER_LEAST 32 // fewer sockets write as fast one by one

#ifdef MP_WITH_LIBURING
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fork.h"
#include "base/mem.h"

#define SEND_MAX (1u << 30) // bytes of one send; the ring's lengths have 32 bits

#define GONE_MS 50 // the kernel needs some 16 to take a ring down

struct mp_uv_ring {
	struct io_uring ring;
	uint32_t process; // mp_fork_generation() of the one that made it
};

struct mp_uv_ring *mp_uv_ring_new(const char **why)
{
	const char *wish = getenv("MOONPOOL_IO_URING");
	if (wish != NULL && strcmp(wish, "off") == 0) {
		*why = "MOONPOOL_IO_URING is off";
		return NULL;
	}
	struct mp_uv_ring *self = mp_calloc(1, sizeof(*self));
	int rc = -ENOMEM;
	// What follows a send that fails is sent as well: one connection's end is nobody else's.
	if (self != NULL)
		rc = io_uring_queue_init(MP_GATHER_MAX, &self->ring, IORING_SETUP_SUBMIT_ALL);
	if (rc == 0) {
		self->process = mp_fork_generation();
		return self;
	}
	mp_free(self);
	*why = strerror(-rc);
	return NULL;
}

// When a ring has gone the kernel interrupts what its thread waits in (EINTR), as a signal does: here, and not in a
// call of the program that the loop was part of.
static void outlast(void)
{
	struct epoll_event none;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		return;
	(void)epoll_wait(epoll, &none, 1, GONE_MS);
	close(epoll);
}

void mp_uv_ring_free(struct mp_uv_ring *self)
{
	if (self == NULL)
		return;
	io_uring_queue_exit(&self->ring);
	if (self->process == mp_fork_generation())
		outlast();
	mp_free(self);
}

// Takes the result of one send; it is there, and if it were not, it would be waited for.
static void reap(struct mp_uv_ring *self, struct mp_uv_send *sends)
{
	struct io_uring_cqe *cqe;
	int rc;
	do {
		rc = io_uring_wait_cqe(&self->ring, &cqe);
	} while (rc == -EINTR);
	mp_assert(rc == 0);
	sends[io_uring_cqe_get_data64(cqe)].rc = cqe->res;
	io_uring_cqe_seen(&self->ring, cqe);
}

size_t mp_uv_ring_send(struct mp_uv_ring *self, struct mp_uv_send *sends, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct io_uring_sqe *entry = io_uring_get_sqe(&self->ring);
		size_t len = sends[i].len < SEND_MAX ? sends[i].len : SEND_MAX;
		io_uring_prep_send(entry, sends[i].fd, sends[i].data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		io_uring_sqe_set_data64(entry, i);
	}
	int given;
	do {
		given = io_uring_submit_and_wait(&self->ring, (unsigned)count);
	} while (given == -EINTR);
	for (int i = 0; i < given; i++)
		reap(self, sends);
	return given > 0 ? (size_t)given : 0;
}
#else
struct mp_uv_ring *mp_uv_ring_new(const char **why)
{
	*why = "built without liburing";
	return NULL;
}

void mp_uv_ring_free(struct mp_uv_ring *self)
{
	(void)self;
}

size_t mp_uv_ring_send(struct mp_uv_ring *self, struct mp_uv_send *sends, size_t count)
{
	(void)self, (void)sends, (void)count;
	return 0;
}
#endif

bool mp_uv_can_gather(struct mp_loop *loop, size_t count)
{
	struct mp_loop_uv *body = mp_loop_uv_of(loop);
	if (MP_LIKELY(count < GATHER_LEAST || body->ring_refused))
		return false;
	if (body->ring != NULL)
		return true;
	const char *why;
	body->ring = mp_uv_ring_new(&why);
	body->ring_refused = body->ring == NULL;
	return body->ring != NULL;
}

const char *mp_loop_gathers_not(void)
{
	const char *why = NULL;
	mp_uv_ring_free(mp_uv_ring_new(&why));
	return why;
}
