// SPDX-License-Identifier: Apache-2.0
// Sockets that write at the end of one turn, together. What is gathered is sockets, not bytes: until the last FLUSH
// task has run bytes may still be added, and a socket may be closed. Then all are asked, the body writes for all, and
// all are told. None of that does anything else: what follows of a connection that is lost may ask what has left of
// others.
#include "loop/loop_internal.h"

void mp_loop_begin_gathering(struct mp_loop *loop, size_t count)
{
	loop->gathering = loop->ops->can_gather != NULL && loop->ops->can_gather(loop, count);
}

bool mp_sock_gather(struct mp_sock *sock)
{
	struct mp_loop *loop = sock->loop;
	mp_assert(!sock->closed && sock->events->on_gather != NULL);
	if (MP_LIKELY(!loop->gathering))
		return false;
	if (!mp_list_node_linked(&sock->gathered))
		mp_list_push_back(&loop->gathered, &sock->gathered);
	return true;
}

// Until `writes` is full: how many sockets have something to write.
static size_t ask(struct mp_loop *loop, struct mp_write *writes)
{
	size_t count = 0;
	while (count < MP_GATHER_MAX && loop->gathered.count > 0) {
		struct mp_sock *sock = MP_CONTAINER_OF(mp_list_pop_front(&loop->gathered), struct mp_sock, gathered);
		struct mp_span span = {NULL, 0};
		sock->events->on_gather(sock->data, &span);
		if (span.len > 0)
			writes[count++] = (struct mp_write){.sock = sock, .span = span};
	}
	return count;
}

static void write_gathered(struct mp_loop *loop)
{
	struct mp_write writes[MP_GATHER_MAX];
	while (loop->gathered.count > 0) {
		size_t count = ask(loop, writes);
		loop->ops->write_all(loop, writes, count);
		for (size_t i = 0; i < count; i++)
			writes[i].sock->events->on_gathered(writes[i].sock->data, writes[i].took);
	}
}

void mp_loop_end_gathering(struct mp_loop *loop)
{
	if (MP_LIKELY(!loop->gathering))
		return;
	loop->gathering = false;
	if (!mp_loop_is_forked(loop)) // one of these tasks may have done that: what is gathered is the parent's
		write_gathered(loop);
}
