// SPDX-License-Identifier: Apache-2.0
// The inside of the simulated cluster, for its own files only: structs of cluster, node, connection and request.
#pragma once

#include "base/buf.h"
#include "loop/loop.h"
#include "sim/auth/role.h"
#include "sim/cluster.h"
#include "sim/store/plan.h"
#include "sim/store/store.h"
#include "wire/decoder.h"

struct mp_sim_prepared; // prepared.c
struct mp_sim_oplog;    // oplog.c
struct mp_sim_wait;     // wait.c

struct mp_sim_trace {
	struct mp_uuid id;
	uint16_t node;
	uint8_t opcode;
	int64_t started_us;
	struct mp_addr client;
	char statement[160];
};
#define MP_SIM_TRACES 512
struct mp_sim_trace *mp_sim_traces_new(void) MP_MUST_CHECK;

struct mp_sim_tls;
struct mp_sim_tls_context;

struct mp_sim_cluster {
	struct mp_loop *loop;
	struct mp_sim_options options;
	char *name;
	char *user; // the first role; NULL: anybody may come
	struct mp_sim_roles roles;
	char *op_prefix;
	struct mp_sim_tls_context *tls; // NULL: none
	struct mp_rand rand;
	struct mp_sim_node **nodes;
	size_t node_count;
	char dc_names[MP_SIM_DCS_MAX][MP_SIM_NAME_MAX + 1];
	size_t dc_count;
	struct mp_sim_ring ring;
	struct mp_sim_schema schema;
	struct mp_uuid schema_version;
	uint64_t schema_seen;
	struct mp_sim_rules rules;
	struct mp_list waits;
	uint64_t last_wait;
	int64_t last_timestamp;
	uint64_t last_uuid_time;
	uint64_t list_clock;
	struct mp_sim_trace *traces; // a ring of MP_SIM_TRACES, made with the first
	uint64_t trace_count;
	bool closing;
};

struct mp_sim_node {
	struct mp_sim_cluster *cluster;
	uint16_t index;
	uint8_t dc;
	uint8_t rack;
	uint8_t max_version;
	bool member;  // stands in the ring
	bool running; // the process is there
	bool paused;
	bool serving;     // its CQL port is open
	bool believed_up; // what the others think
	bool belief_next; // and will think when the timer fires
	struct mp_uuid host_id;
	struct mp_addr addr;
	struct mp_addr shown; // what the tables and events say instead; none: `addr`
	char rack_name[16];
	int64_t *tokens;
	size_t token_count;
	struct mp_listener *listener;
	struct mp_list conns; // struct mp_sim_link
	struct mp_list inbox; // mutations that wait until it is resumed
	struct mp_list hints; // and until it is believed up again
	struct mp_timer belief;
	struct mp_sim_store store;
	struct mp_sim_prepared *prepared; // by id
	struct mp_list prepared_use;      // least recently used first
	struct mp_sim_oplog *oplog;
	uint64_t connections_total;
	uint64_t requests;
	uint64_t by_opcode[17];
	uint64_t answers;
	uint64_t streams_reused; // requests on an id whose answer was owed
	uint64_t bytes_in;
	uint64_t bytes_out;
};

#define MP_SIM_CHALLENGE 16u

struct mp_sim_link {
	struct mp_list_node node;
	struct mp_sim_node *owner;
	struct mp_sock *sock;
	uint64_t ordinal;
	struct mp_decoder decoder;
	struct mp_buf out;      // answers not yet taken by the system
	size_t sent;            // of `out`
	struct mp_sim_tls *tls; // NULL: `out` goes as it is
	struct mp_buf records;  // of it; `sent` counts what is in them
	size_t records_sent;
	size_t segment;            // an open segment begins here
	enum mp_compression asked; // by STARTUP; in use since its answer: decoder.compression
	bool segment_open;
	bool write_blocked; // waits for on_writable
	bool read_stopped;  // by back-pressure
	bool deaf;
	bool closing; // close when all is sent
	bool closing_reset;
	bool told_end; // close_notify left
	bool dead;     // to be freed when the current call is over
	bool in_call;
	struct mp_task flush;
	struct mp_buf scratch;  // an answer that is not written straight into `out`
	struct mp_buf wire;     // the same, as it goes over the wire
	struct mp_list held;    // answers that leave later
	struct mp_list waiting; // requests that wait for slow replicas, or for a delay
	uint8_t version;        // 0: not known yet
	bool started;
	bool ready;
	bool serving_again;                  // a request that was counted before
	uint8_t registered;                  // bit for each enum mp_event_kind
	char user[MP_SIM_ROLE_MAX + 1];      // the role that it is, or says to be
	uint32_t auth_round;                 // challenges that were sent,
	uint8_t challenge[MP_SIM_CHALLENGE]; // and the last of them
	struct mp_buf owed;                  // a bit for each stream id (owed.c)
	char keyspace[MP_SIM_NAME_MAX + 1];
};

struct mp_sim_request {
	struct mp_sim_link *conn;
	struct mp_envelope envelope;
	struct mp_request_body body;
	struct mp_arena arena;
	struct mp_sim_error err;
	struct mp_sim_rule *rule; // spoils the answer; NULL: none
	struct mp_sim_wait *wait; // this request is being tried again
	bool tracing;
	struct mp_uuid trace_id;
	bool direct; // the answer goes straight into conn->out
	size_t answer_at;
	bool executed; // reached the storage
	bool answered; // or a wait has taken it over
};

// ---- link.c -----------------------------------------------------------------------------------------------
void mp_sim_link_accept(struct mp_sim_node *node, struct mp_sock *sock);
void mp_sim_link_close(struct mp_sim_link *conn, bool reset); // now; the struct lives until the call is over
void mp_sim_link_reap(struct mp_sim_link *conn);              // frees a dead one that no call is in
void mp_sim_link_close_later(struct mp_sim_link *conn, bool reset); // when all is sent
void mp_sim_link_post(struct mp_sim_link *conn);                    // there is something to send
void mp_sim_link_seal(struct mp_sim_link *conn);                    // end the open segment
void mp_sim_link_resume(struct mp_sim_link *conn);                  // its node moves again
struct mp_str mp_sim_link_keyspace(const struct mp_sim_link *conn);

// ---- answer.c ---------------------------------------------------------------------------------------------
// An answer is encoded into what begin gives; end sends it, or does to it what the rule says.
struct mp_buf *mp_sim_answer_begin(struct mp_sim_request *req);
void mp_sim_answer_end(struct mp_sim_request *req);
void mp_sim_answer_error(struct mp_sim_request *req); // req->err
void mp_sim_answer_void(struct mp_sim_request *req);
struct mp_sim_listed { // a column of rows that no SELECT gives
	const char *name;
	const struct mp_type *type;
};
int mp_sim_answer_list(struct mp_sim_request *req, const char *keyspace, const char *table,
                       const struct mp_sim_listed *columns, uint32_t column_count, const struct mp_buf *rows,
                       uint32_t row_count) MP_MUST_CHECK;
// An EVENT or whatever else is not an answer: a whole envelope.
void mp_sim_link_send(struct mp_sim_link *conn, const void *envelope, size_t len);
void mp_sim_held_free_all(struct mp_sim_link *conn);

// ---- serve.c ----------------------------------------------------------------------------------------------
int mp_sim_serve(struct mp_sim_link *conn,
                 const struct mp_envelope *envelope) MP_MUST_CHECK; // non-zero: stop reading
void mp_sim_serve_refused(struct mp_sim_link *conn);                // the decoder gave up
// Serve a copied envelope (after a delay, or once more when a replica came back); no rule is asked again.
void mp_sim_serve_again(struct mp_sim_link *conn, const struct mp_envelope *envelope,
                        struct mp_sim_rule *rule, struct mp_sim_wait *wait);

// ---- owed.c -----------------------------------------------------------------------------------------------
void mp_sim_owes(struct mp_sim_link *conn, int16_t stream);     // a request came on it
void mp_sim_has_paid(struct mp_sim_link *conn, int16_t stream); // its answer left

// ---- prepared.c -------------------------------------------------------------------------------------------
struct mp_sim_plan *mp_sim_prepared_find(struct mp_sim_node *node,
                                         struct mp_str id); // moves it to the used end
int mp_sim_prepared_add(struct mp_sim_node *node,
                        struct mp_sim_plan *plan) MP_MUST_CHECK; // takes its own reference
void mp_sim_prepared_clear(struct mp_sim_node *node);
void mp_sim_prepared_drop_table(struct mp_sim_node *node,
                                const struct mp_sim_table *table); // NULL: of dropped ones
uint32_t mp_sim_prepared_count(const struct mp_sim_node *node);

// ---- oplog.c ----------------------------------------------------------------------------------------------
void mp_sim_oplog_note(struct mp_sim_node *node, struct mp_str text,
                       bool executed); // every op id in the text
uint64_t mp_sim_oplog_count(const struct mp_sim_node *node, struct mp_str op, bool executed);
void mp_sim_oplog_clear(struct mp_sim_node *node);

// ---- exec.c -----------------------------------------------------------------------------------------------
void mp_sim_exec(struct mp_sim_request *req, struct mp_sim_plan *plan); // answers, or leaves a wait
int64_t mp_sim_timestamp(struct mp_sim_cluster *cluster);               // microseconds, strictly increasing
struct mp_sim_env mp_sim_exec_env(struct mp_sim_request *req);
// The values of req->body.params into `env`.
int mp_sim_bind(struct mp_sim_request *req, const struct mp_sim_plan *plan,
                struct mp_sim_env *env) MP_MUST_CHECK;
// ---- read.c -----------------------------------------------------------------------------------------------
int mp_sim_select(struct mp_sim_request *req, struct mp_sim_plan *plan, struct mp_sim_env *env) MP_MUST_CHECK;
// ---- describe.c -------------------------------------------------------------------------------------------
int mp_sim_describe(struct mp_sim_request *req, const struct mp_sim_plan *plan) MP_MUST_CHECK; // answers
// ---- role_serve.c -----------------------------------------------------------------------------------------
int mp_sim_serve_role(struct mp_sim_request *req, const struct mp_sim_plan *plan) MP_MUST_CHECK; // answers
// ---- batch.c ----------------------------------------------------------------------------------------------
int mp_sim_batch(struct mp_sim_request *req) MP_MUST_CHECK;        // answers, or leaves a wait
struct mp_str mp_sim_batch_text(const struct mp_sim_request *req); // of its first statement
// ---- serve.c: for its batches -----------------------------------------------------------------------------
struct mp_sim_plan *mp_sim_serve_plan(struct mp_sim_request *req, struct mp_str cql) MP_MUST_CHECK;
struct mp_sim_plan *mp_sim_serve_prepared(struct mp_sim_request *req, struct mp_str id) MP_MUST_CHECK;

// ---- system.c ---------------------------------------------------------------------------------------------
int mp_sim_system_init(struct mp_sim_cluster *cluster) MP_MUST_CHECK;
bool mp_sim_system_has(const struct mp_sim_node *node,
                       const struct mp_sim_table *table); // false: too new for it
struct mp_uuid mp_sim_schema_version(struct mp_sim_cluster *cluster);
// Calls `row` for each row of a virtual table, as the node sees it; stops and returns what is not 0.
int mp_sim_system_rows(struct mp_sim_node *node, const struct mp_sim_table *table, struct mp_arena *arena,
                       int (*row)(void *data, const struct mp_bytes *values), void *data) MP_MUST_CHECK;

// ---- node.c -----------------------------------------------------------------------------------------------
struct mp_sim_node *mp_sim_node_new(struct mp_sim_cluster *cluster, uint16_t index) MP_MUST_CHECK;
void mp_sim_node_free(struct mp_sim_node *node);
int mp_sim_node_open(struct mp_sim_node *node) MP_MUST_CHECK; // listen
void mp_sim_node_shut(struct mp_sim_node *node, bool reset);  // no listener, no connections
void mp_sim_node_believe(struct mp_sim_node *node, bool up, uint32_t delay_ms);
const struct mp_addr *
mp_sim_node_shown(const struct mp_sim_node *node);        // its address as the cluster tells it
bool mp_sim_node_answers(const struct mp_sim_node *node); // is there and not paused

// ---- event.c ----------------------------------------------------------------------------------------------
void mp_sim_event_status(struct mp_sim_node *about, const char *change); // UP, DOWN
void mp_sim_event_topology(struct mp_sim_node *about,
                           const char *change); // NEW_NODE, REMOVED_NODE, MOVED_NODE
void mp_sim_event_fake(struct mp_sim_node *from, const char *type, const char *change,
                       const struct mp_addr *addr);
void mp_sim_event_schema(struct mp_sim_cluster *cluster, const struct mp_sim_change *change);
