// SPDX-License-Identifier: Apache-2.0
// The sending side of a simulated connection: a write becomes a segment in the receiver's `incoming` list.
// What is sent keeps its order, FIN and RST included. The writer's room is its buffer less what its peer has
// not read; by the seed a write is short at times without need.
#include "sim/net/internal.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define WRITE_PAUSE_NS   50000u
#define SHORT_WRITE_ODDS 16

static struct mp_sim_sock *sim_sock_of(struct mp_sock *sock)
{
	return MP_CONTAINER_OF(sock, struct mp_sim_sock, base);
}

static void send_segment(struct mp_sim_sock *to, struct mp_sim_segment *segment)
{
	struct mp_loop_sim *world = to->conn->world;
	uint64_t at_ns = world->base.now_ns + mp_sim_delay(world, &to->conn->addr);
	if (at_ns < to->last_arrival_ns)
		at_ns = to->last_arrival_ns;
	to->last_arrival_ns = at_ns;
	segment->at_ns = at_ns;
	bool first = to->incoming.count == 0;
	mp_list_push_back(&to->incoming, &segment->node);
	if (first)
		mp_sim_at(world, &to->arrive, at_ns);
}

void mp_sim_on_writable(void *data)
{
	struct mp_sim_sock *self = data;
	if (self->state != MP_SIM_OPEN || !self->want_write)
		return;
	self->want_write = false;
	self->base.loop->ran = true;
	mp_sim_note(self->conn->world, "writable", self->id, NULL, 0);
	if (self->base.events->on_writable != NULL)
		self->base.events->on_writable(self->base.data);
}

static struct mp_sim_segment *make_segment(const struct mp_span *spans, size_t len)
{
	struct mp_sim_segment *segment = mp_calloc(1, sizeof(*segment) + len);
	if (segment == NULL)
		return NULL;
	mp_list_node_init(&segment->node);
	segment->kind = MP_SIM_DATA;
	segment->len = len;
	segment->bytes = (uint8_t *)(segment + 1);
	for (size_t at = 0; at < len; spans++) {
		size_t part = spans->len < len - at ? spans->len : len - at;
		if (part > 0)
			memcpy(segment->bytes + at, spans->data, part);
		at += part;
	}
	return segment;
}

// How much of what is offered is taken: what there is room for, by the seed less.
static size_t choose_taken(struct mp_sim_sock *self, size_t offered)
{
	struct mp_loop_sim *world = self->conn->world;
	size_t used = self->peer->in_flight + mp_sim_unread(self->peer);
	size_t room = used < world->buffer_bytes ? world->buffer_bytes - used : 0;
	size_t take = offered < room ? offered : room;
	if (take > 0 && mp_sim_below(world, SHORT_WRITE_ODDS) == 0)
		take = mp_sim_below(world, take + 1);
	return take;
}

ptrdiff_t mp_sim_writev(struct mp_sock *sock, const struct mp_span *spans, size_t count)
{
	struct mp_sim_sock *self = sim_sock_of(sock);
	struct mp_loop_sim *world = self->conn->world;
	mp_assert(self->state == MP_SIM_OPEN || self->state == MP_SIM_FAILED);
	if (self->lost || self->fin_sent || self->state == MP_SIM_FAILED)
		return MP_ELOST;
	size_t offered = 0;
	for (size_t i = 0; i < count; i++)
		offered += spans[i].len;
	if (offered == 0)
		return 0;
	size_t take = choose_taken(self, offered);
	struct mp_sim_segment *segment = take > 0 ? make_segment(spans, take) : NULL;
	if (segment == NULL)
		take = 0;
	mp_sim_note(world, "write", self->id, segment == NULL ? NULL : segment->bytes, take);
	if (segment != NULL) {
		self->peer->in_flight += take;
		send_segment(self->peer, segment);
	}
	if (take < offered) {
		self->want_write = true;
		if (self->peer->in_flight + mp_sim_unread(self->peer) < world->buffer_bytes &&
		    !mp_timer_active(&self->writable))
			mp_sim_in(world, &self->writable, mp_sim_below(world, WRITE_PAUSE_NS));
	}
	return (ptrdiff_t)take;
}

bool mp_sim_can_gather(struct mp_loop *loop, size_t count)
{
	return mp_sim_of(loop)->gathers && count >= 2;
}

void mp_sim_write_all(struct mp_loop *loop, struct mp_write *writes, size_t count)
{
	(void)loop;
	for (size_t i = 0; i < count; i++)
		writes[i].took = mp_sim_writev(writes[i].sock, &writes[i].span, 1);
}

size_t mp_sim_unconfirmed(struct mp_sock *sock)
{
	return sim_sock_of(sock)->peer->in_flight;
}

void mp_sim_send_fin(struct mp_sim_sock *from)
{
	if (from->fin_sent || from->lost)
		return;
	from->fin_sent = true;
	send_segment(from->peer, &from->peer->fin);
}

void mp_sim_shutdown(struct mp_sock *sock)
{
	struct mp_sim_sock *self = sim_sock_of(sock);
	mp_sim_note(self->conn->world, "shutdown", self->id, NULL, 0);
	self->want_write = false;
	mp_sim_send_fin(self);
}

// Of what has been sent and not arrived, the end is lost at a random place.
static void lose_tail(struct mp_sim_sock *to)
{
	uint64_t keep = mp_sim_below(to->conn->world, to->in_flight + 1);
	struct mp_list_node *node = mp_list_first(&to->incoming);
	while (node != NULL) {
		struct mp_list_node *next = mp_list_next(&to->incoming, node);
		struct mp_sim_segment *segment = MP_CONTAINER_OF(node, struct mp_sim_segment, node);
		node = next;
		if (segment->len <= keep && segment->kind == MP_SIM_DATA) {
			keep -= segment->len;
		} else if (keep == 0 || segment->kind != MP_SIM_DATA) {
			mp_sim_drop_segment(to, segment);
		} else {
			to->in_flight -= segment->len - keep;
			segment->len = keep;
			keep = 0;
		}
	}
}

void mp_sim_send_rst(struct mp_sim_sock *from, bool lose_some)
{
	struct mp_sim_sock *to = from->peer;
	if (to->state == MP_SIM_GONE || to->lost || mp_list_node_linked(&to->rst.node))
		return;
	if (lose_some && mp_sim_below(from->conn->world, 2) == 0)
		lose_tail(to);
	send_segment(to, &to->rst);
}

void mp_sim_cut(struct mp_sim_conn *conn)
{
	conn->cut = true;
	mp_sim_send_rst(&conn->client, true);
	mp_sim_send_rst(&conn->server, true);
	mp_sim_resume(&conn->client);
	mp_sim_resume(&conn->server);
}
