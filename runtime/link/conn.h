// SPDX-License-Identifier: Apache-2.0
// One connection to one node: socket, handshake, stream ids, heartbeats, the write buffer, and why it ended.
//
//   OPENING --connected, handshake done--> READY --drain()--> DRAINING --last answer--> CLOSED
//      |                                     |                   |
//      +---- deadline, refused, error -------+---- lost ---------+--------------------> CLOSED
//
// Every call submitted to a connection is answered exactly once: by its answer or, when the connection
// closes, with an error; or it was abandoned by its owner and is not answered at all. Then on_closed comes,
// once, last. No callback comes from inside a function of this header, and in a callback everything is
// allowed but mp_conn_free() before on_closed.
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/uuid.h"
#include "loop/loop.h"
#include "wire/compress.h"
#include "wire/frame.h"

struct mp_conn;
struct mp_call;
struct mp_tls_context;

enum mp_conn_state { MP_CONN_OPENING, MP_CONN_READY, MP_CONN_DRAINING, MP_CONN_CLOSED };
const char *mp_conn_state_name(enum mp_conn_state state); // "opening"

// Why a connection ended; each has a sentence. X(symbol, "sentence")
// clang-format off
#define MP_CLOSE_REASONS(X)                                      \
	X(ASKED, "closed by the pool")                               \
	X(IDLE, "idle too long")                                     \
	X(DRAINED, "drained")                                        \
	X(CONNECT, "could not connect")                              \
	X(HANDSHAKE_TIMEOUT, "no handshake before the deadline")     \
	X(TLS, "no trust by TLS")                                    \
	X(VERSION, "protocol version refused")                       \
	X(AUTH, "authentication failed")                             \
	X(HANDSHAKE, "handshake refused")                            \
	X(KEYSPACE, "the keyspace cannot be used")                   \
	X(IDENTITY, "another cluster or node answered")              \
	X(PEER, "closed by the node")                                \
	X(LOST, "connection lost")                                   \
	X(HEARTBEAT, "heartbeat unanswered")                         \
	X(PROTOCOL, "the node broke the protocol")                   \
	X(ORPHANS, "too many unanswered requests")                   \
	X(LOCAL, "local resources exhausted")
// clang-format on
enum mp_close_reason {
#define X(name, text) MP_CLOSE_##name,
	MP_CLOSE_REASONS(X)
#undef X
};
const char *mp_close_reason_text(enum mp_close_reason reason);

struct mp_conn_end {
	enum mp_close_reason reason;
	int err;             // the MP_E* that calls of this connection get (MP_ELOST, MP_EPROTO, MP_ECONNECT ...)
	int32_t server_code; // of an ERROR during the handshake, otherwise -1
	uint8_t version_hint; // VERSION: the node's highest version if it said so, otherwise 0
	bool was_ready;
	char message[160]; // what happened, for logs and errors
};

// One exchange of tokens: on one connection, with one node.
struct mp_auth_exchange {
	const struct mp_addr *addr;
	const char *authenticator; // the class that the node named
	uint32_t round;            // 1: the first token
	void *state;               // the client's own; NULL at first
	char why[150];             // for messages: set by the one who gives up, or ""
};
// How a client proves who it is. One object serves many connections.
struct mp_auth {
	void *data;
	// Write the first token, or the answer to a challenge (`challenge` NULL for the first), into `out`. MP_EAUTH to
	// give up.
	int (*respond)(void *data, struct mp_auth_exchange *exchange, const struct mp_bytes *challenge,
	               struct mp_buf *out);
	// The node is content, and says `token` (its len may be -1: nothing). MP_EAUTH: it has not proved who it is. May be
	// NULL: what it says is of no use.
	int (*accept)(void *data, struct mp_auth_exchange *exchange, const struct mp_bytes *token);
	// Once for each exchange that respond() was asked in, whatever became of it. May be NULL.
	void (*end)(void *data, struct mp_auth_exchange *exchange);
};
// SASL PLAIN for PasswordAuthenticator: "\0user\0password". `data` of mp_auth is this struct.
struct mp_auth_plain {
	const char *username;
	const char *password;
};
int mp_auth_plain_respond(void *data, struct mp_auth_exchange *exchange, const struct mp_bytes *challenge,
                          struct mp_buf *out);

// What all connections of one session have in common. Must outlive them; a change counts for new connections.
struct mp_conn_settings {
	uint8_t version;            // the protocol version to speak
	uint32_t max_orphans;       // more unanswered abandoned calls than this: the connection drains (ORPHANS)
	size_t write_high_bytes;    // bytes waiting for the kernel above which mp_conn_call() says MP_EBUSY
	struct mp_tls_context *tls; // NULL: none; connections keep references of their own
	const char *tls_name;       // that certificates must be for; NULL: what name_of says, or the address
	const char *(*name_of)(void *data, const struct mp_addr *addr); // NULL: nothing
	void *name_data;
	enum mp_compression compression; // asked for if the node offers it; without it otherwise, with a warning
	const char *keyspace;            // USEd in the handshake; NULL: none
	const struct mp_auth *auth;  // NULL: none. Set, but not asked for by the node: refused (MP_CLOSE_AUTH),
	bool auth_optional;          // or let in with a warning: while passwords are rolled out node by node
	const char *cluster_name;    // must match system.local of the node; NULL: not checked
	uint32_t connect_timeout_ms; // one deadline from connect to ready
	uint32_t heartbeat_interval_ms; // 0: none
	uint32_t heartbeat_timeout_ms;
	uint32_t max_streams; // 1 .. 32768
	uint32_t max_body_bytes;
	struct mp_sock_options tcp;
	uint64_t *last_id;        // counter that numbers the connections (mp_conn_id); NULL: random numbers
	uint64_t *late_answers;   // counter of answers to abandoned calls; NULL: not counted
	uint64_t *tls_handshakes; // counter of those that came to an end; NULL: not counted
	uint64_t *tls_resumed;    // of those that went on with an earlier session; NULL: not counted
	const struct mp_log *log; // of its session; NULL: the loop's
};

struct mp_conn_events {
	void (*on_ready)(void *owner, struct mp_conn *conn);
	// Last callback; the owner calls mp_conn_free() in it or later.
	void (*on_closed)(void *owner, struct mp_conn *conn, const struct mp_conn_end *end);
	// May be NULL: events are ignored.
	void (*on_event)(void *owner, struct mp_conn *conn, const struct mp_envelope *event);
	// There is room again (ids, and bytes well below the watermark) after there was none; may be NULL.
	void (*on_writable)(void *owner, struct mp_conn *conn);
};

// One request on one connection, in its owner's storage. The owner sets on_answer.
struct mp_call {
	// rc 0: the answer, valid during the call. Otherwise MP_E* and answer NULL; see mp_call.sent for the
	// replay gate.
	void (*on_answer)(struct mp_call *call, int rc, const struct mp_envelope *answer);
	struct mp_conn *conn; // set while waiting
	uint64_t end_pos;     // position of the envelope's end in the connection's output
	int16_t stream;
	uint8_t opcode; // of the request: an answer of the wrong kind breaks the protocol
	// How much of the envelope the kernel took; valid in on_answer, and at any time by mp_call_sent(). WHOLE:
	// the node may have it, which on v5 it cannot before the whole segment was taken.
	enum mp_sent { MP_SENT_NOTHING, MP_SENT_PART, MP_SENT_WHOLE } sent;
	uint64_t start_pos;
};

// Open a connection to `addr`. `host_id` NULL or nil: the node's identity is not checked. `register_events`:
// REGISTER for topology, status and schema events before ready. NULL and *err when it cannot even begin.
struct mp_conn *mp_conn_open(struct mp_loop *loop, const struct mp_conn_settings *settings,
                             const struct mp_addr *addr, const struct mp_uuid *host_id, bool register_events,
                             const struct mp_conn_events *events, void *owner, int *err) MP_MUST_CHECK;
void mp_conn_free(struct mp_conn *conn); // only when CLOSED

// Encode and queue one request. `encode` appends exactly one envelope with this version and stream to `out`
// (which holds other bytes already) and is called before mp_conn_call() returns. 0, or nothing happened:
// MP_EBUSY (ids or bytes), MP_ECLOSED (not READY), MP_ENOMEM, or the error `encode` returned. The bytes leave
// in the FLUSH phase.
int mp_conn_call(struct mp_conn *conn, struct mp_call *call,
                 int (*encode)(void *arg, struct mp_buf *out, uint8_t version, int16_t stream),
                 void *arg) MP_MUST_CHECK;
// The owner no longer waits (deadline, speculation lost): the id becomes an orphan. on_answer will not come.
void mp_call_abandon(struct mp_call *call);
enum mp_sent mp_call_sent(const struct mp_call *call);
// Its answer has begun to come, and as fast as a connection has to move to be alive, counted from `since_ns`.
bool mp_call_is_arriving(const struct mp_call *call, uint64_t since_ns);

// No new calls; closes after the last answer, not waiting for orphans.
void mp_conn_drain(struct mp_conn *conn, enum mp_close_reason reason);
// Now; answers and on_closed come later in this turn. `message` NULL: the reason's sentence.
void mp_conn_close(struct mp_conn *conn, enum mp_close_reason reason, const char *message);
// A request timed out here: ask for a sign of life now (at most one at a time). No answer within the
// heartbeat timeout closes the connection, so a silent node is noticed before the next regular heartbeat.
void mp_conn_probe(struct mp_conn *conn);
// Other times for a connection that may be ready already; a probe that is under way keeps its deadline.
void mp_conn_set_heartbeat(struct mp_conn *conn, uint32_t interval_ms, uint32_t timeout_ms);

enum mp_conn_state mp_conn_state(const struct mp_conn *conn);
uint32_t mp_conn_in_flight(const struct mp_conn *conn); // calls that wait for an answer, orphans included
uint32_t mp_conn_orphans(const struct mp_conn *conn);
uint32_t mp_conn_room(const struct mp_conn *conn); // stream ids left; 0 unless READY and below the watermark
uint64_t mp_conn_id(const struct mp_conn *conn);   // unique in the process's loop
const struct mp_addr *mp_conn_addr(const struct mp_conn *conn);
uint8_t mp_conn_version(const struct mp_conn *conn);
uint64_t mp_conn_created_ms(const struct mp_conn *conn);   // loop time
uint64_t mp_conn_last_used_ms(const struct mp_conn *conn); // last mp_conn_call(); 0: none yet
uint32_t mp_conn_open_us(const struct mp_conn *conn); // how long connect and handshake took; 0 until ready
