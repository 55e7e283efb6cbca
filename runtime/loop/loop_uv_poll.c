// SPDX-License-Identifier: Apache-2.0
// Libraries with sockets of their own, in the libuv body: one descriptor that is watched for them, and descriptors that
// listen for them.
#include "loop/loop_uv.h"

#include <errno.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

struct uv_polled {
	struct mp_poll base;
	uv_poll_t poll;
	struct mp_uv_held held;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	struct uv_polled *self = poll->data;
	if (mp_loop_is_forked(self->base.loop))
		return;
	mp_loop_stamp(self->base.loop);
	self->base.loop->ran = true;
	self->base.on_ready(self->base.data);
}

static void leave(struct mp_uv_held *held)
{
	struct uv_polled *self = MP_CONTAINER_OF(held, struct uv_polled, held);
	uv_close((uv_handle_t *)&self->poll, NULL);
}

struct mp_poll *mp_uv_poll(struct mp_loop *loop, int fd, int *err)
{
	struct uv_polled *self = mp_calloc(1, sizeof(*self));
	if (self == NULL) {
		*err = MP_ENOMEM;
		return NULL;
	}
	self->base.loop = loop;
	self->poll.data = self;
	if (uv_poll_init(mp_loop_uv_of(loop)->uv, &self->poll, fd) != 0) {
		mp_free(self);
		*err = MP_ELOCAL;
		return NULL;
	}
	uv_unref((uv_handle_t *)&self->poll);
	int rc = uv_poll_start(&self->poll, UV_READABLE, on_poll);
	mp_assert(rc == 0);
	mp_uv_hold(loop, &self->held, leave);
	return &self->base;
}

static void on_closed(uv_handle_t *handle)
{
	mp_free(handle->data);
}

void mp_uv_unpoll(struct mp_poll *poll)
{
	struct uv_polled *self = MP_CONTAINER_OF(poll, struct uv_polled, base);
	mp_uv_drop(poll->loop, &self->held);
	uv_poll_stop(&self->poll);
	uv_close((uv_handle_t *)&self->poll, on_closed);
}

int mp_uv_claim(struct mp_loop *loop, const struct mp_addr *addr, struct mp_claim *claim)
{
	(void)loop;
	if (claim->path == NULL) {
		claim->fd = mp_uv_open_listener(addr, &claim->addr);
		if (claim->fd >= 0)
			return 0;
		return errno == EADDRINUSE ? MP_EBUSY : errno == EACCES ? MP_EAUTH : MP_ELOCAL;
	}
	int err = MP_ELOCAL;
	claim->fd = mp_uv_local_listen(claim->path, &err);
	if (claim->fd < 0)
		return err;
	mp_uv_local_mark(claim->path, &claim->device, &claim->inode);
	return 0;
}

void mp_uv_unclaim(struct mp_claim *claim)
{
	if (claim->path != NULL)
		mp_uv_local_remove(claim->path, claim->device, claim->inode);
	close(claim->fd);
}
