// SPDX-License-Identifier: Apache-2.0
// How simulated connections begin and end. The attempt travels to the address, is answered, refused or
// swallowed there; the server's program hears of it when the client's first word could have arrived.
//
//	client: SYN -> ANSWERED -> OPEN -> GONE        server: ACCEPTING -> OPEN -> GONE
//	         \--> REFUSED, NO_LOCAL -> FAILED -> GONE
#include "sim/net/internal.h"

#include "base/err.h"
#include "base/mem.h"

#define EVENTS_PER_CONN 8
#define SYN_TRIES_MAX   7 // with waits of 1, 2, 4 ... 64 s: 127 s
#define NS_PER_S        1000000000u
#define NS_PER_MS       1000000u

// ---- listeners --------------------------------------------------------------------------------------------

static struct mp_sim_listener *find_listener(struct mp_loop_sim *world, const struct mp_addr *addr)
{
	struct mp_sim_listener *any = NULL;
	for (struct mp_list_node *node = mp_list_first(&world->listeners); node != NULL;
	     node = mp_list_next(&world->listeners, node)) {
		struct mp_sim_listener *listener = MP_CONTAINER_OF(node, struct mp_sim_listener, node);
		if (mp_addr_eq(&listener->base.addr, addr))
			return listener;
		if (mp_addr_is_any(&listener->base.addr) && listener->base.addr.ip_len == addr->ip_len &&
		    listener->base.addr.port == addr->port)
			any = listener;
	}
	return any;
}

struct mp_listener *mp_sim_listen(struct mp_loop *loop, const struct mp_addr *addr, int *err)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	struct mp_addr at = *addr;
	while (at.port == 0) {
		at.port = world->next_port++;
		if (world->next_port == 0)
			world->next_port = 49152;
		if (find_listener(world, &at) != NULL)
			at.port = 0;
	}
	for (struct mp_list_node *node = mp_list_first(&world->listeners); node != NULL;
	     node = mp_list_next(&world->listeners, node)) {
		if (mp_addr_eq(&MP_CONTAINER_OF(node, struct mp_sim_listener, node)->base.addr, &at)) {
			*err = MP_ELOCAL;
			return NULL;
		}
	}
	struct mp_sim_listener *self = mp_calloc(1, sizeof(*self));
	if (self == NULL) {
		*err = MP_ENOMEM;
		return NULL;
	}
	self->base.loop = loop;
	self->base.addr = at;
	self->id = world->next_id++;
	mp_list_node_init(&self->node);
	mp_list_push_back(&world->listeners, &self->node);
	mp_sim_note(world, "listen", self->id, NULL, at.port);
	return &self->base;
}

void mp_sim_unlisten(struct mp_listener *listener)
{
	struct mp_sim_listener *self = MP_CONTAINER_OF(listener, struct mp_sim_listener, base);
	struct mp_loop_sim *world = mp_sim_of(listener->loop);
	mp_sim_note(world, "unlisten", self->id, NULL, 0);
	mp_list_remove(&world->listeners, &self->node);
	mp_free(self);
}

// ---- connecting -------------------------------------------------------------------------------------------

static void fail_connect(struct mp_sim_sock *self, int rc)
{
	self->state = MP_SIM_FAILED;
	self->ended = true;
	self->base.loop->ran = true;
	mp_sim_note(self->conn->world, "failed", self->id, NULL, (size_t)-rc);
	self->base.events->on_connect(self->base.data, rc);
}

static void syn_arrives(struct mp_sim_sock *self)
{
	struct mp_sim_conn *conn = self->conn;
	struct mp_loop_sim *world = conn->world;
	if (mp_sim_drops(world, &conn->addr, true) || mp_sim_drops(world, &conn->addr, false)) {
		uint64_t wait_ns = (uint64_t)NS_PER_S << self->syn_tries;
		self->syn_tries++;
		mp_sim_note(world, "syn-lost", self->id, NULL, self->syn_tries);
		if (self->syn_tries > SYN_TRIES_MAX) {
			fail_connect(self, MP_ECONNECT);
			return;
		}
		mp_sim_in(world, &self->step, wait_ns);
		return;
	}
	self->state = find_listener(world, &conn->addr) != NULL ? MP_SIM_ANSWERED : MP_SIM_REFUSED;
	mp_sim_in(world, &self->step, mp_sim_delay(world, &conn->addr));
}

static void answer_arrives(struct mp_sim_sock *self)
{
	struct mp_sim_sock *server = self->peer;
	struct mp_loop_sim *world = self->conn->world;
	self->state = MP_SIM_OPEN;
	server->state = MP_SIM_ACCEPTING;
	server->last_arrival_ns = world->base.now_ns + mp_sim_delay(world, &self->conn->addr);
	mp_sim_at(world, &server->step, server->last_arrival_ns);
	self->base.loop->ran = true;
	mp_sim_note(world, "connected", self->id, NULL, 0);
	self->base.events->on_connect(self->base.data, 0);
}

static void bury(struct mp_sim_conn *conn)
{
	if (conn->client.state != MP_SIM_GONE || conn->server.state != MP_SIM_GONE)
		return;
	mp_sim_bytes_deinit(&conn->client);
	mp_sim_bytes_deinit(&conn->server);
	mp_list_remove(&conn->world->conns, &conn->node);
	mp_list_push_back(&conn->world->graveyard, &conn->node);
}

static void accept_step(struct mp_sim_sock *self)
{
	struct mp_sim_conn *conn = self->conn;
	struct mp_loop_sim *world = conn->world;
	struct mp_sim_listener *listener = find_listener(world, &conn->addr);
	if (listener == NULL) {
		mp_sim_send_rst(self, false);
		self->state = MP_SIM_GONE;
		bury(conn);
		return;
	}
	self->state = MP_SIM_OPEN;
	mp_sim_note(world, "accept", self->id, NULL, 0);
	mp_sim_keep_alive(self);
	mp_loop_accepted(&listener->base, &self->base);
}

static void on_step(void *data)
{
	struct mp_sim_sock *self = data;
	switch (self->state) {
	case MP_SIM_SYN: syn_arrives(self); break;
	case MP_SIM_ANSWERED: answer_arrives(self); break;
	case MP_SIM_REFUSED: fail_connect(self, MP_EREFUSED); break;
	case MP_SIM_NO_LOCAL: fail_connect(self, MP_ELOCAL); break;
	case MP_SIM_ACCEPTING: accept_step(self); break;
	case MP_SIM_OPEN: mp_sim_give_up(self); break;
	case MP_SIM_FAILED:
	case MP_SIM_GONE: mp_assert(false);
	}
}

static void end_init(struct mp_sim_conn *conn, struct mp_sim_sock *self, struct mp_sim_sock *peer,
                     uint32_t id)
{
	struct mp_loop *loop = &conn->world->base;
	self->base.loop = loop;
	self->conn = conn;
	self->peer = peer;
	self->id = id;
	self->state = MP_SIM_GONE;
	mp_timer_init(&self->step, loop, on_step, self);
	mp_sim_bytes_init(self);
}

struct mp_sock *mp_sim_connect(struct mp_loop *loop, const struct mp_addr *addr,
                               const struct mp_sock_options *options, int *err)
{
	struct mp_loop_sim *world = mp_sim_of(loop);
	bool no_local = mp_sim_fails_local(world, addr);
	if (no_local && mp_sim_below(world, 2) == 0) {
		*err = MP_ELOCAL;
		return NULL;
	}
	struct mp_sim_conn *conn = mp_calloc(1, sizeof(*conn));
	if (conn == NULL || mp_sim_reserve(world, EVENTS_PER_CONN) != 0) {
		mp_free(conn);
		*err = MP_ELOCAL;
		return NULL;
	}
	mp_list_node_init(&conn->node);
	conn->world = world;
	conn->addr = *addr;
	end_init(conn, &conn->client, &conn->server, world->next_id++);
	end_init(conn, &conn->server, &conn->client, world->next_id++);
	conn->server.server = true;
	if (options != NULL)
		conn->client.user_timeout_ns = (uint64_t)options->user_timeout_ms * NS_PER_MS;
	mp_list_push_back(&world->conns, &conn->node);
	conn->client.state = no_local ? MP_SIM_NO_LOCAL : MP_SIM_SYN;
	mp_sim_in(world, &conn->client.step, mp_sim_delay(world, addr));
	mp_sim_note(world, "connect", conn->client.id, NULL, addr->port);
	return &conn->client.base;
}

// ---- the end ----------------------------------------------------------------------------------------------

void mp_sim_close(struct mp_sock *sock, bool reset)
{
	struct mp_sim_sock *self = MP_CONTAINER_OF(sock, struct mp_sim_sock, base);
	struct mp_loop_sim *world = self->conn->world;
	mp_sim_note(world, reset ? "reset" : "close", self->id, NULL, 0);
	mp_sim_stop(world, &self->step);
	mp_sim_stop(world, &self->deliver);
	mp_sim_stop(world, &self->writable);
	if (self->state == MP_SIM_OPEN && !self->lost) {
		// As TCP does: who closes without having read everything has lost something, and says so.
		if (reset || mp_sim_unread(self) > 0)
			mp_sim_send_rst(self, reset);
		else
			mp_sim_send_fin(self);
	}
	self->state = MP_SIM_GONE;
	bury(self->conn);
}

void mp_sim_sweep(struct mp_loop_sim *world)
{
	struct mp_list_node *node;
	while ((node = mp_list_pop_front(&world->graveyard)) != NULL) {
		mp_sim_unreserve(world, EVENTS_PER_CONN);
		mp_free(MP_CONTAINER_OF(node, struct mp_sim_conn, node));
	}
}
