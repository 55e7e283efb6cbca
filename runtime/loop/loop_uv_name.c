// SPDX-License-Identifier: Apache-2.0
// Names of the libuv body. Literals are answered by a task; everything else goes to libuv's threads. A lookup
// that runs already cannot be called back: a cancelled one is forgotten, and freed when its thread is done.
#include "loop/loop_uv.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/descriptor.h"
#include "base/err.h"
#include "base/mem.h"

struct uv_resolve {
	struct mp_resolve base;
	uv_getaddrinfo_t request;
	struct mp_task answer; // of a literal
	struct mp_addr literal;
	uint16_t port;
	bool threaded;
	bool cancelled;
};

static void answer_literal(void *data)
{
	struct uv_resolve *self = data;
	mp_loop_resolved(&self->base, 0, &self->literal, 1);
	mp_free(self);
}

static void collect(const struct addrinfo *list, int family, uint16_t port, struct mp_addr *addrs,
                    size_t *count)
{
	for (; list != NULL; list = list->ai_next) {
		struct mp_addr addr;
		if (list->ai_family != family || !mp_uv_from_sockaddr(list->ai_addr, &addr))
			continue;
		addr.port = port;
		mp_loop_add_addr(addrs, count, &addr);
	}
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct uv_resolve *self = request->data;
	if (!self->cancelled && !mp_loop_is_forked(self->base.loop)) {
		struct mp_addr addrs[MP_RESOLVE_MAX];
		size_t count = 0;
		if (status == 0) {
			collect(list, AF_INET, self->port, addrs, &count);
			collect(list, AF_INET6, self->port, addrs, &count);
		}
		mp_loop_stamp(self->base.loop);
		mp_loop_resolved(&self->base, count > 0 ? 0 : MP_ERESOLVE, addrs, count);
	}
	uv_freeaddrinfo(list);
	mp_free(self);
}

struct mp_resolve *mp_uv_resolve(struct mp_loop *loop, const char *host, uint16_t port, int *err)
{
	struct uv_resolve *self = mp_calloc(1, sizeof(*self));
	if (self == NULL) {
		*err = MP_ENOMEM;
		return NULL;
	}
	self->base.loop = loop;
	self->port = port;
	mp_task_init(&self->answer, answer_literal, self);
	if (mp_addr_parse_ip(host, port, &self->literal) == 0) {
		mp_task_post(loop, &self->answer, MP_PHASE_RUN);
		return &self->base;
	}
	mp_descriptor_fill_standard(); // a thread opens its own
	self->threaded = true;
	self->request.data = self;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	int rc = uv_getaddrinfo(mp_loop_uv_of(loop)->uv, &self->request, on_looked_up, host, NULL, &hints);
	if (rc != 0) {
		mp_free(self);
		*err = rc == UV_ENOMEM ? MP_ENOMEM : MP_ERESOLVE;
		return NULL;
	}
	return &self->base;
}

void mp_uv_cancel(struct mp_resolve *resolve)
{
	struct uv_resolve *self = MP_CONTAINER_OF(resolve, struct uv_resolve, base);
	if (!self->threaded) {
		mp_task_cancel(self->base.loop, &self->answer);
		mp_free(self);
		return;
	}
	self->cancelled = true;
	(void)uv_cancel((uv_req_t *)&self->request);
}
