// SPDX-License-Identifier: Apache-2.0
// What the files of one connection share: conn.c (opening, socket), conn_end.c (state, end), call.c (requests and
// answers), handshake*.c, heartbeat.c. Nobody else includes this.
#pragma once

#include "link/conn.h"
#include "link/handshake.h"
#include "link/output.h"
#include "link/streams.h"
#include "link/tls.h"
#include "wire/decoder.h"

#define MP_CONN_FIRST_BYTES 32

// What each request touches stands first and together: with a thousand nodes a connection is in no cache.
struct mp_conn {
	struct mp_loop *loop;
	struct mp_sock *sock; // NULL once closed
	struct mp_tls *tls;   // NULL: bytes go as they are
	enum mp_conn_state state;
	uint32_t call_limit;  // ids for calls; one more is kept for the heartbeat where the protocol leaves one
	uint64_t used_ns;     // when a request was last sent
	uint64_t answered_ns; // when the last whole answer was read: the only sign of life
	bool answered;        // one came in this read
	bool spoke;           // a whole envelope came
	bool was_full;        // room was seen to be gone: on_writable is owed
	bool probing;         // an answer is awaited until probe_deadline_ns
	struct mp_call heartbeat; // the OPTIONS that is under way, conn set; otherwise conn NULL
	struct mp_streams streams;
	struct mp_task flush_task;        // FLUSH: what the turn queued leaves
	struct mp_conn_settings settings; // as they were at open; the strings are copies
	struct mp_output out;
	struct mp_decoder dec;

	const struct mp_conn_events *events;
	void *owner;
	struct mp_addr addr;
	struct mp_uuid host_id;
	uint64_t id;
	struct mp_task room_task;  // RUN: tells on_writable
	struct mp_task close_task; // RUN: answers what waits, then tells on_closed
	// One timer, by state: the handshake's deadline, then heartbeats; or the turn in which a failed write is
	// judged.
	struct mp_timer timer;

	bool end_told; // on_closed was called
	struct mp_handshake handshake;

	bool probe_graced; // its deadline was moved once, because this process slept
	bool probe_slow;   // the question was still on its way when it should have been there
	uint64_t probe_deadline_ns;
	uint64_t probe_end;       // position in `out` behind the question
	uint64_t probe_confirmed; // when this window began: how far the node's machine had got in `out`,
	size_t probe_pending;     // and how much of an answer lay here

	uint64_t created_ns;
	uint64_t open_clock_ns;
	uint32_t open_us;
	uint64_t events_ignored; // EVENTs nobody asked for
	uint8_t first_bytes[MP_CONN_FIRST_BYTES];
	uint32_t first_len; // how much of what the node sent first is kept, for a readable complaint
	enum mp_close_reason drain_reason;
	struct mp_conn_end end;
};

// ---- conn_end.c
void mp_conn_set_state(struct mp_conn *conn, enum mp_conn_state state);
// Close with a reason and a printed message; details (server_code, version_hint) are set in conn->end before.
void mp_conn_fail(struct mp_conn *conn, enum mp_close_reason reason, const char *format, ...) MP_PRINTF(3, 4);
void mp_conn_log(struct mp_conn *conn, enum mp_log_level level, const char *format, ...) MP_PRINTF(3, 4);
void mp_conn_on_close_task(void *data);

// ---- conn.c
void mp_conn_became_ready(struct mp_conn *conn); // the handshake is over
void mp_conn_queued(struct mp_conn *conn); // bytes were appended: they leave at the end of the turn, or now

// ---- call.c
// One whole envelope of an open connection. Non-zero stops the decoder: the connection is closed.
int mp_conn_answer(struct mp_conn *conn, const struct mp_envelope *envelope) MP_MUST_CHECK;
// Like mp_conn_call() for the connection's own requests: no watermark, `limit` ids.
int mp_conn_submit(struct mp_conn *conn, struct mp_call *call, uint32_t limit,
                   int (*encode)(void *arg, struct mp_buf *out, uint8_t version, int16_t stream),
                   void *arg) MP_MUST_CHECK;
void mp_conn_answer_all(struct mp_conn *conn); // with end.err; the connection is closed
void mp_conn_check_room(struct mp_conn *conn); // after ids or bytes became free
void mp_conn_check_drained(struct mp_conn *conn);

// ---- heartbeat.c
#define MP_LEAST_BYTES_PER_MS 1u // what moves slower than that does not move
void mp_conn_heartbeat_start(struct mp_conn *conn);
void mp_conn_heartbeat_tick(struct mp_conn *conn); // the timer of a READY or DRAINING connection fired
