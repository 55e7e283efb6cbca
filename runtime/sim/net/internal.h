// SPDX-License-Identifier: Apache-2.0
// Private to loop_sim*.c: the simulated world's structs. A network event is an mp_timer in the world's second
// heap; each object that embeds events reserves their places when it is made, so nothing fails on the way.
//
//	end A --writev--> [ B.incoming: in flight ] --arrive--> [ B.arrived ] --deliver--> B's on_read
//
// A connection and both of its ends are one block, freed after the turn in which the second end is gone.
#pragma once

#include "loop/loop_internal.h"
#include "sim/net/loop_sim.h"

enum mp_sim_segment_kind { MP_SIM_DATA, MP_SIM_FIN, MP_SIM_RST };

struct mp_sim_segment {
	struct mp_list_node node;
	uint64_t at_ns;
	enum mp_sim_segment_kind kind;
	size_t len;
	uint8_t *bytes; // behind the struct; NULL for FIN and RST, which are embedded
};

enum mp_sim_state {
	MP_SIM_SYN,       // client: the attempt travels, perhaps again and again
	MP_SIM_ANSWERED,  // client: the answer travels
	MP_SIM_REFUSED,   // client: the refusal travels
	MP_SIM_NO_LOCAL,  // client: a local failure is told later
	MP_SIM_ACCEPTING, // server: not known to its program yet
	MP_SIM_OPEN,
	MP_SIM_FAILED, // client: on_connect said so
	MP_SIM_GONE    // closed by its program, or never given to one
};

struct mp_sim_conn;

struct mp_sim_sock {
	struct mp_sock base;
	struct mp_sim_conn *conn;
	struct mp_sim_sock *peer;
	uint32_t id;
	enum mp_sim_state state;
	bool server;
	bool fin_sent;
	bool lost;  // a RST came: nothing is sent any more
	bool ended; // on_end was called
	bool want_write;
	int end_rc; // to be told when everything that arrived is read
	unsigned syn_tries;
	uint64_t user_timeout_ns;
	uint64_t last_arrival_ns; // nothing sent to this end arrives before
	struct mp_list incoming;
	size_t in_flight; // bytes in `incoming`
	struct mp_buf arrived;
	size_t arrived_head;  // bytes of `arrived` that are read already
	struct mp_timer step; // connecting, being accepted; later the user timeout, or keep-alive
	struct mp_timer arrive;
	struct mp_timer deliver;
	struct mp_timer writable;
	struct mp_sim_segment fin; // to this end
	struct mp_sim_segment rst;
};

struct mp_sim_conn {
	struct mp_list_node node; // in conns, then in the graveyard
	struct mp_loop_sim *world;
	struct mp_addr addr;
	bool cut; // faults of the network hold nothing back any more
	struct mp_sim_sock client;
	struct mp_sim_sock server;
};

struct mp_sim_listener {
	struct mp_listener base;
	struct mp_list_node node;
	uint32_t id;
};

struct mp_sim_host {
	struct mp_list_node node;
	struct mp_addr addr;
	bool blackhole;
	bool partitioned; // what it sends is lost
	bool stalled;
	bool no_local;
	bool own_latency;
	uint64_t latency_ns;
	uint64_t jitter_ns;
};

struct mp_loop_sim {
	struct mp_loop base;
	struct mp_rand chance; // the network's own
	struct mp_timer_heap events;
	size_t event_places; // that living objects need
	uint64_t wall_offset_us;
	uint64_t sleep_ns; // before the next turn
	bool late;         // this turn follows a sleep
	uint64_t latency_ns;
	uint64_t jitter_ns;
	uint64_t resolve_delay_ns;
	size_t buffer_bytes;
	size_t chunk_bytes;
	bool gathers; // sockets that write in one turn do it together: with every other seed
	uint32_t next_id;
	uint16_t next_port;
	struct mp_list conns;
	struct mp_list graveyard;
	struct mp_list listeners;
	struct mp_list hosts;
	struct mp_list names;
	struct mp_list watches;
	struct mp_buf *trace;
	uint64_t *trace_hash;
};

#ifndef MP_CDEF
static inline struct mp_loop_sim *mp_sim_of(struct mp_loop *loop)
{
	return MP_CONTAINER_OF(loop, struct mp_loop_sim, base);
}
#endif

// loop_sim.c
int mp_sim_reserve(struct mp_loop_sim *world, size_t events) MP_MUST_CHECK;
void mp_sim_unreserve(struct mp_loop_sim *world, size_t events);
void mp_sim_at(struct mp_loop_sim *world, struct mp_timer *event, uint64_t at_ns);
void mp_sim_in(struct mp_loop_sim *world, struct mp_timer *event, uint64_t delay_ns);
void mp_sim_stop(struct mp_loop_sim *world, struct mp_timer *event);
uint64_t mp_sim_below(struct mp_loop_sim *world, uint64_t bound);
void mp_sim_note(struct mp_loop_sim *world, const char *kind, uint32_t id, const void *bytes, size_t len);

// conn.c: beginning and end of connections
struct mp_sock *mp_sim_connect(struct mp_loop *loop, const struct mp_addr *addr,
                               const struct mp_sock_options *options, int *err);
void mp_sim_close(struct mp_sock *sock, bool reset);
struct mp_listener *mp_sim_listen(struct mp_loop *loop, const struct mp_addr *addr, int *err);
void mp_sim_unlisten(struct mp_listener *listener);
void mp_sim_sweep(struct mp_loop_sim *world); // free what was buried in this turn

// bytes.c: what comes to an end
void mp_sim_bytes_init(struct mp_sim_sock *self);
void mp_sim_bytes_deinit(struct mp_sim_sock *self);
size_t mp_sim_unread(const struct mp_sim_sock *self);
void mp_sim_read_changed(struct mp_sock *sock);
void mp_sim_drop_segment(struct mp_sim_sock *to, struct mp_sim_segment *segment);
void mp_sim_lose(struct mp_sim_sock *self);       // this end learns that the connection is lost
void mp_sim_give_up(struct mp_sim_sock *self);    // the same, by its own clock: nobody tells the other end
void mp_sim_keep_alive(struct mp_sim_sock *self); // a server's end finds out that the client's gave up
void mp_sim_resume(struct mp_sim_sock *self);     // a fault ended: what was held back goes on

// send.c: what leaves an end
ptrdiff_t mp_sim_writev(struct mp_sock *sock, const struct mp_span *spans, size_t count);
bool mp_sim_can_gather(struct mp_loop *loop, size_t count);
void mp_sim_write_all(struct mp_loop *loop, struct mp_write *writes, size_t count);
size_t mp_sim_unconfirmed(struct mp_sock *sock);
void mp_sim_on_writable(void *data);
void mp_sim_shutdown(struct mp_sock *sock);
void mp_sim_send_fin(struct mp_sim_sock *from);
void mp_sim_send_rst(struct mp_sim_sock *from, bool lose_some);
void mp_sim_cut(struct mp_sim_conn *conn);

// weather.c
uint64_t mp_sim_delay(struct mp_loop_sim *world, const struct mp_addr *addr);
bool mp_sim_drops(struct mp_loop_sim *world, const struct mp_addr *addr, bool to_server);
bool mp_sim_stalls(struct mp_loop_sim *world, const struct mp_addr *addr);
bool mp_sim_fails_local(struct mp_loop_sim *world, const struct mp_addr *addr);
void mp_sim_faults_deinit(struct mp_loop_sim *world);

// name.c: names and files
struct mp_resolve *mp_sim_resolve(struct mp_loop *loop, const char *host, uint16_t port, int *err);
void mp_sim_cancel(struct mp_resolve *resolve);
struct mp_watch *mp_sim_watch(struct mp_loop *loop, const char *path, int *err);
void mp_sim_unwatch(struct mp_watch *watch);
void mp_sim_names_deinit(struct mp_loop_sim *world);
