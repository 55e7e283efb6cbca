// SPDX-License-Identifier: Apache-2.0
// The receiving side of a simulated connection: a segment stays in `incoming` until its time comes, is part
// of `arrived` then, and is handed to the program in pieces. Sending is in send.c.
#include "sim/net/internal.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define READ_MAX_BYTES (256u * 1024)
#define READ_DELAY_NS  30000u     // bytes wait so long at most for more to come
#define PIECE_DELAY_NS 20000u     // between the pieces of what has come
#define RESEND_NS      200000000u // what was held back comes so long after the fault at most
#define KEEP_ALIVE_NS  60000000000u

static struct mp_sim_sock *sim_sock_of(struct mp_sock *sock)
{
	return MP_CONTAINER_OF(sock, struct mp_sim_sock, base);
}

size_t mp_sim_unread(const struct mp_sim_sock *self)
{
	return self->arrived.len - self->arrived_head;
}

// ---- handing out ------------------------------------------------------------------------------------------

static bool takes_input(const struct mp_sim_sock *self)
{
	if (self->state != MP_SIM_OPEN || self->base.closed || self->base.events == NULL || !self->base.reading ||
	    self->ended)
		return false;
	return !self->server || !mp_sim_stalls(self->conn->world, &self->conn->addr);
}

static void deliver_within(struct mp_sim_sock *self, uint64_t most_ns)
{
	struct mp_loop_sim *world = self->conn->world;
	if (mp_timer_active(&self->deliver) || !takes_input(self))
		return;
	if (mp_sim_unread(self) == 0 && self->end_rc == 0)
		return;
	mp_sim_in(world, &self->deliver, world->late ? 0 : mp_sim_below(world, most_ns));
}

static size_t choose_piece(struct mp_loop_sim *world, size_t len)
{
	if (len > READ_MAX_BYTES)
		len = READ_MAX_BYTES;
	if (world->chunk_bytes > 0)
		return len < world->chunk_bytes ? len : world->chunk_bytes;
	switch (mp_sim_below(world, 16)) {
	case 0: return 1;
	case 1: return 1 + mp_sim_below(world, len < 16 ? len : 16);
	case 2:
	case 3: return 1 + mp_sim_below(world, len);
	default: return len;
	}
}

// The peer may have been waiting for room.
static void room_came(struct mp_sim_sock *self)
{
	struct mp_loop_sim *world = self->conn->world;
	struct mp_sim_sock *writer = self->peer;
	if (!writer->want_write || writer->state != MP_SIM_OPEN || mp_timer_active(&writer->writable))
		return;
	if (self->in_flight + mp_sim_unread(self) <= world->buffer_bytes / 3 * 2)
		mp_sim_in(world, &writer->writable, mp_sim_delay(world, &self->conn->addr));
}

static void deliver_piece(struct mp_sim_sock *self)
{
	struct mp_loop_sim *world = self->conn->world;
	size_t len = choose_piece(world, mp_sim_unread(self));
	const uint8_t *at = self->arrived.data + self->arrived_head;
	// Memory of exactly this size, gone after the call: whoever reads on, or later, is caught.
	uint8_t *copy = mp_alloc(len);
	if (copy != NULL)
		at = memcpy(copy, at, len);
	mp_sim_note(world, "read", self->id, at, len);
	self->arrived_head += len;
	room_came(self);
	self->base.events->on_read(self->base.data, at, len);
	mp_free(copy);
	if (self->state != MP_SIM_OPEN)
		return;
	if (self->arrived_head == self->arrived.len) {
		mp_buf_clear(&self->arrived);
		self->arrived_head = 0;
	} else if (self->arrived_head > self->arrived.len / 2) {
		mp_buf_drop_front(&self->arrived, self->arrived_head);
		self->arrived_head = 0;
	}
}

static void on_deliver(void *data)
{
	struct mp_sim_sock *self = data;
	if (!takes_input(self))
		return;
	self->base.loop->ran = true;
	if (mp_sim_unread(self) > 0) {
		deliver_piece(self);
		if (self->state == MP_SIM_OPEN)
			deliver_within(self, PIECE_DELAY_NS);
		return;
	}
	mp_sim_note(self->conn->world, "end", self->id, NULL, (size_t)-self->end_rc);
	self->ended = true;
	self->base.events->on_end(self->base.data, self->end_rc);
}

void mp_sim_read_changed(struct mp_sock *sock)
{
	struct mp_sim_sock *self = sim_sock_of(sock);
	if (takes_input(self))
		deliver_within(self, PIECE_DELAY_NS);
	else
		mp_sim_stop(self->conn->world, &self->deliver);
}

// ---- arriving ---------------------------------------------------------------------------------------------

void mp_sim_drop_segment(struct mp_sim_sock *self, struct mp_sim_segment *segment)
{
	mp_list_remove(&self->incoming, &segment->node);
	if (segment->kind != MP_SIM_DATA)
		return;
	self->in_flight -= segment->len;
	mp_free(segment);
}

static struct mp_sim_segment *first_segment(const struct mp_sim_sock *self)
{
	struct mp_list_node *node = mp_list_first(&self->incoming);
	return node == NULL ? NULL : MP_CONTAINER_OF(node, struct mp_sim_segment, node);
}

void mp_sim_lose(struct mp_sim_sock *self)
{
	if (self->lost)
		return;
	self->lost = true;
	self->end_rc = MP_ELOST;
	if (self->state == MP_SIM_OPEN)
		mp_sim_stop(self->conn->world, &self->step);
	// The lost end sends nothing again: what has not arrived never will, but for a reset.
	struct mp_sim_segment *segment;
	while ((segment = first_segment(self->peer)) != NULL && segment->kind == MP_SIM_DATA)
		mp_sim_drop_segment(self->peer, segment);
	deliver_within(self, PIECE_DELAY_NS);
	if (self->want_write && self->state == MP_SIM_OPEN && !mp_timer_active(&self->writable))
		mp_sim_in(self->conn->world, &self->writable, PIECE_DELAY_NS);
}

void mp_sim_keep_alive(struct mp_sim_sock *self)
{
	if (self->server && self->state == MP_SIM_OPEN && self->peer->lost && !self->lost)
		mp_sim_in(self->conn->world, &self->step, KEEP_ALIVE_NS);
}

void mp_sim_give_up(struct mp_sim_sock *self)
{
	mp_sim_lose(self);
	mp_sim_keep_alive(self->peer);
}

static void take_segment(struct mp_sim_sock *self, struct mp_sim_segment *segment)
{
	if (self->state == MP_SIM_GONE) {
		if (segment->kind == MP_SIM_DATA)
			mp_sim_send_rst(self, false);
		return;
	}
	if (self->lost)
		return;
	switch (segment->kind) {
	case MP_SIM_DATA:
		mp_buf_bytes(&self->arrived, segment->bytes, segment->len);
		if (mp_buf_status(&self->arrived) != 0) {
			mp_sim_send_rst(self, false);
			mp_sim_lose(self);
		}
		break;
	case MP_SIM_FIN: self->end_rc = MP_EEOF; break;
	case MP_SIM_RST: mp_sim_lose(self); break;
	}
	deliver_within(self, READ_DELAY_NS);
}

// A fault holds the segment back; its sender waits for as long as it wants to.
static void hold_back(struct mp_sim_sock *self)
{
	struct mp_sim_sock *sender = self->peer;
	struct mp_loop_sim *world = self->conn->world;
	mp_sim_note(world, "held", self->id, NULL, self->in_flight);
	if (sender->state == MP_SIM_OPEN && sender->user_timeout_ns > 0 && !mp_timer_active(&sender->step))
		mp_sim_in(world, &sender->step, sender->user_timeout_ns);
}

static void on_arrive(void *data)
{
	struct mp_sim_sock *self = data;
	struct mp_sim_conn *conn = self->conn;
	struct mp_sim_segment *segment;
	while ((segment = first_segment(self)) != NULL) {
		if (segment->at_ns > conn->world->base.now_ns) {
			mp_sim_at(conn->world, &self->arrive, segment->at_ns);
			return;
		}
		if (!conn->cut && mp_sim_drops(conn->world, &conn->addr, self->server)) {
			hold_back(self);
			return;
		}
		take_segment(self, segment);
		mp_sim_drop_segment(self, segment);
	}
	room_came(self);
}

void mp_sim_resume(struct mp_sim_sock *self)
{
	struct mp_loop_sim *world = self->conn->world;
	if (self->peer->state == MP_SIM_OPEN && !self->lost)
		mp_sim_stop(world, &self->peer->step);
	if (first_segment(self) != NULL && !mp_timer_active(&self->arrive))
		mp_sim_in(world, &self->arrive, mp_sim_below(world, RESEND_NS));
	deliver_within(self, PIECE_DELAY_NS);
}

// ---- life -------------------------------------------------------------------------------------------------

void mp_sim_bytes_init(struct mp_sim_sock *self)
{
	struct mp_loop *loop = self->base.loop;
	mp_list_init(&self->incoming);
	mp_buf_init(&self->arrived);
	mp_list_node_init(&self->fin.node);
	mp_list_node_init(&self->rst.node);
	self->fin.kind = MP_SIM_FIN;
	self->rst.kind = MP_SIM_RST;
	mp_timer_init(&self->arrive, loop, on_arrive, self);
	mp_timer_init(&self->deliver, loop, on_deliver, self);
	mp_timer_init(&self->writable, loop, mp_sim_on_writable, self);
}

void mp_sim_bytes_deinit(struct mp_sim_sock *self)
{
	struct mp_loop_sim *world = self->conn->world;
	struct mp_sim_segment *segment;
	while ((segment = first_segment(self)) != NULL)
		mp_sim_drop_segment(self, segment);
	mp_buf_deinit(&self->arrived);
	mp_buf_init(&self->arrived);
	self->arrived_head = 0;
	mp_sim_stop(world, &self->step);
	mp_sim_stop(world, &self->arrive);
	mp_sim_stop(world, &self->deliver);
	mp_sim_stop(world, &self->writable);
}
